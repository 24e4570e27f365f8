//! Whom a file is about.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use vault_core::ClinicalDate;

/// A person as a file names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Given names, as written.
    pub given: Vec<String>,
    /// Family names, as written; a person may have had others before.
    pub family: Vec<String>,
    /// Date of birth.
    pub born: Option<ClinicalDate>,
}

/// Whether two descriptions are of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SamePerson {
    /// Nothing speaks against it.
    Same,
    /// The names differ, the dates of birth agree or are not known: a new name, a nickname, a twin.
    Unclear,
    /// The dates of birth differ, or the names do and one date of birth is not known.
    Other,
}

/// Longest list of names of one resource that is read, in bytes.
const MAX_NAMES_LEN: usize = 64 << 10;
/// Most names, words of a name, and characters of a word that are compared.
const MOST_COMPARED: usize = 64;

/// What is read of a Patient resource; all else is passed over without being kept.
#[derive(Deserialize)]
struct PatientWire<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "birthDate")]
    born: Option<&'a RawValue>,
}

impl Person {
    /// Whoever goes by this name; which part of it is the family's is not known.
    pub fn named(name: &str) -> Self {
        Self {
            family: vec![name.to_owned()],
            ..Self::default()
        }
    }

    /// The person that the JSON of a FHIR Patient describes, in bounded memory; `None` when it names
    /// nobody, or is no JSON.
    pub fn from_patient_json(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text)
            .ok()?
            .trim_start_matches('\u{feff}');
        let wire: PatientWire<'_> = serde_json::from_str(text).ok()?;
        let small = |raw: Option<&RawValue>| -> Option<Value> {
            let raw = raw.filter(|raw| raw.get().len() <= MAX_NAMES_LEN)?;
            serde_json::from_str(raw.get()).ok()
        };
        let mut patient = serde_json::Map::new();
        patient.extend(small(wire.name).map(|name| ("name".to_owned(), name)));
        patient.extend(small(wire.born).map(|born| ("birthDate".to_owned(), born)));
        Self::from_patient(&Value::Object(patient))
    }

    /// The person a FHIR Patient resource of any release describes; `None` when it names nobody.
    pub fn from_patient(patient: &Value) -> Option<Self> {
        let mut person = Self::default();
        let names = match patient.get("name") {
            Some(Value::Array(names)) => names.iter().collect(),
            Some(name) => vec![name],
            None => Vec::new(),
        };
        for name in names {
            let words = |key: &str| -> Vec<String> {
                let texts: Vec<&Value> = match name.get(key) {
                    Some(Value::Array(texts)) => texts.iter().collect(),
                    Some(text) => vec![text],
                    None => Vec::new(),
                };
                let texts = texts.into_iter().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            };
            person.given.extend(words("given"));
            let family = words("family");
            if family.is_empty() && person.given.is_empty() {
                person.family.extend(words("text"));
            }
            person.family.extend(family);
        }
        let born = patient.get("birthDate").and_then(Value::as_str);
        person.born = born.and_then(|born| ClinicalDate::new(born).ok());
        (!person.is_nobody()).then_some(person)
    }

    /// Whether nothing is known.
    pub fn is_nobody(&self) -> bool {
        self.given.is_empty() && self.family.is_empty() && self.born.is_none()
    }

    /// Whether there is any name.
    pub fn has_names(&self) -> bool {
        !self.given.is_empty() || !self.family.is_empty()
    }

    /// One line: names and date of birth.
    pub fn shown(&self) -> String {
        let mut words: Vec<&str> = self.given.iter().map(String::as_str).collect();
        words.extend(self.family.iter().map(String::as_str));
        let mut text = words.join(" ");
        if let Some(born) = &self.born {
            text = format!("{text} ({born})", born = born.as_str());
        }
        vault_core::record::clean_title(&text)
    }

    /// Compares two descriptions. Names are compared by their letters, without accents, case and
    /// order; one name in common on each side is enough, and what is not known does not differ.
    pub fn compare(&self, other: &Self) -> SamePerson {
        let given = agree(&self.given, &other.given);
        let family = agree(&self.family, &other.family);
        let names = match (given, family) {
            (Some(given), Some(family)) => given && family,
            // some write the whole name into one field
            _ => agree(&self.all_names(), &other.all_names()).unwrap_or(true),
        };
        let born = match (&self.born, &other.born) {
            (Some(a), Some(b)) => Some(same_day(a.as_str(), b.as_str())),
            _ => None,
        };
        match (names, born) {
            (_, Some(false)) | (false, None) => SamePerson::Other,
            (true, _) => SamePerson::Same,
            (false, Some(true)) => SamePerson::Unclear,
        }
    }

    /// Whether the names agree, as far as both have any; the dates of birth are not looked at.
    pub fn has_name_of(&self, other: &Self) -> bool {
        let nameless = |person: &Self| Self {
            born: None,
            ..person.clone()
        };
        nameless(self).compare(&nameless(other)) == SamePerson::Same
    }

    fn all_names(&self) -> Vec<String> {
        self.given.iter().chain(&self.family).cloned().collect()
    }
}

/// Whether two dates agree as far as both say: a year agrees with any day in it.
fn same_day(a: &str, b: &str) -> bool {
    let day = |text: &str| text.get(..10.min(text.len())).unwrap_or(text).to_owned();
    let (a, b) = (day(a), day(b));
    a.starts_with(&b) || b.starts_with(&a)
}

/// Whether two lists have a word in common; `None` when one is empty.
fn agree(a: &[String], b: &[String]) -> Option<bool> {
    let words = |names: &[String]| -> Vec<String> {
        let names = names.iter().take(MOST_COMPARED);
        let words = names.flat_map(|name| {
            let words = name.split(|c: char| !c.is_alphanumeric());
            words.filter(|word| !word.is_empty()).take(MOST_COMPARED)
        });
        let words = words.take(MOST_COMPARED).map(folded);
        words.filter(|word| !word.is_empty()).collect()
    };
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    // an initial stands for a name only where there is nothing else
    let long = |words: &[String]| words.iter().any(|word| word.chars().count() > 1);
    let both_long = long(&a) && long(&b);
    let counts = |word: &&String| !both_long || word.chars().count() > 1;
    Some(a.iter().filter(counts).any(|word| b.contains(word)))
}

/// A word in lower case, without the accents of western European names and without the digits that
/// synthetic data puts behind names.
fn folded(word: &str) -> String {
    let mut out = String::new();
    for c in word
        .chars()
        .take(MOST_COMPARED)
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_numeric())
    {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ą' => out.push('a'),
            'ä' | 'æ' => out.push_str("ae"),
            'ç' | 'ć' | 'č' => out.push('c'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ō' => out.push('o'),
            'ö' | 'ø' | 'œ' => out.push_str("oe"),
            'ř' => out.push('r'),
            'ś' | 'š' | 'ş' => out.push('s'),
            'ß' => out.push_str("ss"),
            'ù' | 'ú' | 'û' | 'ū' | 'ů' => out.push('u'),
            'ü' => out.push_str("ue"),
            'ý' | 'ÿ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(given: &str, family: &str, born: &str) -> Person {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Person {
            given: words(given),
            family: words(family),
            born: born.parse().ok(),
        }
    }

    #[test]
    fn one_person_under_several_spellings() {
        let mira = person("Mira Jane", "Lindström", "1980-05-06");
        for other in [
            person("MIRA", "Lindstroem", "1980-05-06"),
            person("Mira J.", "Lindström-Okafor", "1980"),
            person("", "Mira Lindström", "1980-05-06T00:00:00Z"),
            person("", "", "1980-05-06"),
            person("Mira", "Lindström", ""),
        ] {
            assert_eq!(mira.compare(&other), SamePerson::Same, "{other:?}");
            assert_eq!(other.compare(&mira), SamePerson::Same, "{other:?}");
        }
        assert_eq!(
            mira.compare(&person("Mira", "Okafor", "1980-05-06")),
            SamePerson::Unclear
        );
        for other in [
            person("Mira", "Lindström", "1981-05-06"),
            person("Tomas", "Lindström", "2010-01-01"),
            person("Tomas", "Okafor", ""),
        ] {
            assert_eq!(mira.compare(&other), SamePerson::Other, "{other:?}");
        }
        // a shared initial is no shared name
        let twin = person("Tomas J", "Lindström", "1980-05-06");
        assert_eq!(
            person("Mira J", "Lindström", "1980-05-06").compare(&twin),
            SamePerson::Unclear
        );
    }

    #[test]
    fn patients_of_old_and_new_releases() {
        let old: Value = serde_json::from_str(
            r#"{"name":[{"family":["Lind"],"given":["Mira"]}],"birthDate":"1980-05-06"}"#,
        )
        .unwrap();
        let new: Value = serde_json::from_str(
            r#"{"name":[{"family":"Lind","given":["Mira"]}],"birthDate":"1980-05-06"}"#,
        )
        .unwrap();
        let mira = Person::from_patient(&old).unwrap();
        assert_eq!(Some(&mira), Person::from_patient(&new).as_ref());
        assert_eq!(mira.shown(), "Mira Lind (1980-05-06)");
        assert_eq!(Person::from_patient(&Value::Null), None);
    }
}
