//! Fields of a segment, and the data types in them.
//!
//! An empty field is not known. A field of two quotation marks says "delete what you had": it is no
//! value either, and both are `None` here.
//!
//! Source: HL7 v2.5.1 chapters 2 and 2.A.

use hl7_parser::message::{Repeat, Segment as Parsed, Separators};
use serde_json::{Value, json};
use vault_core::Code;
use vault_core::record::{MAX_TITLE_CHARS, clean_field, clean_title};

use super::escape::unescape;
use super::output::MAX_STRING;
use super::systems;
use super::time::Time;
use crate::fhir::{coding, concept};

/// Most repetitions of one field that are looked at.
pub(super) const MAX_REPEATS: usize = 50;

/// A segment, taken apart.
#[derive(Debug)]
pub(super) struct Segment<'m> {
    parsed: Parsed<'m>,
    separators: Separators,
    number: usize,
}

impl<'m> Segment<'m> {
    /// Reads a segment that stands behind its header; `number` counts from 1 in the message.
    pub(super) fn read(text: &'m str, separators: Separators, number: usize) -> Option<Self> {
        let mut message = hl7_parser::Message::parse(text).ok()?;
        let parsed = message.segments.pop()?;
        let complete = message.segments.len() == usize::from(text.contains('\r'));
        complete.then_some(Self {
            parsed,
            separators,
            number,
        })
    }

    /// Its name, for example `OBX`.
    pub(super) fn name(&self) -> &str {
        self.parsed.name
    }

    /// Its place in the message, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The repetitions of a field that hold something.
    pub(super) fn reps(&self, field: usize) -> impl Iterator<Item = Rep<'_>> {
        let repeats = self.parsed.fields.get(field.wrapping_sub(1));
        let repeats = repeats.into_iter().flat_map(|field| field.repeats.iter());
        let known = repeats.filter(|r| !r.is_empty() && !is_null(r.raw_value()));
        known.take(MAX_REPEATS).map(|repeat| Rep {
            repeat,
            separators: &self.separators,
        })
    }

    /// The first repetition of a field.
    pub(super) fn rep(&self, field: usize) -> Option<Rep<'_>> {
        self.reps(field).next()
    }

    /// The first component of a field.
    pub(super) fn text(&self, field: usize) -> Option<String> {
        self.comp(field, 1)
    }

    /// A component of the first repetition of a field.
    pub(super) fn comp(&self, field: usize, component: usize) -> Option<String> {
        self.rep(field)?.comp(component)
    }

    /// All of a field as one text, delimiters in it included: some do not escape them.
    pub(super) fn whole(&self, field: usize) -> Option<String> {
        let texts: Vec<String> = self.reps(field).filter_map(|rep| rep.whole()).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// A time.
    pub(super) fn time(&self, field: usize) -> Option<Time> {
        Time::parse(&self.text(field)?)
    }

    /// The first coded value of a field.
    pub(super) fn coded(&self, field: usize) -> Option<Coded> {
        self.rep(field).and_then(|rep| rep.coded())
    }

    /// A CodeableConcept of the first coded value.
    pub(super) fn concept(&self, field: usize) -> Option<Value> {
        self.coded(field)?.concept()
    }

    /// A person, by name for people (XCN).
    pub(super) fn person(&self, field: usize) -> Option<String> {
        self.reps(field).find_map(|rep| rep.person())
    }
}

fn is_null(raw: &str) -> bool {
    raw == "\"\""
}

/// One repetition of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rep<'s> {
    repeat: &'s Repeat<'s>,
    separators: &'s Separators,
}

impl<'s> Rep<'s> {
    /// The first part of a component, counted from 1.
    pub(super) fn comp(&self, component: usize) -> Option<String> {
        self.sub(component, 1)
    }

    /// A part of a component, both counted from 1.
    pub(super) fn sub(&self, component: usize, part: usize) -> Option<String> {
        self.known(self.raw_sub(component, part)?)
    }

    /// The same without a look at escape sequences.
    pub(super) fn raw_sub(&self, component: usize, part: usize) -> Option<&'s str> {
        let component = self.repeat.components.get(component.wrapping_sub(1))?;
        let part = component.subcomponents.get(part.wrapping_sub(1))?;
        Some(part.value)
    }

    /// All of it as one text, delimiters included.
    pub(super) fn whole(&self) -> Option<String> {
        self.known(self.repeat.raw_value())
    }

    /// Its components in one line.
    pub(super) fn joined(&self) -> Option<String> {
        let parts: Vec<String> = (1..=self.repeat.components.len().min(MAX_REPEATS))
            .filter_map(|at| self.comp(at))
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn known(&self, raw: &str) -> Option<String> {
        if raw.trim().is_empty() || is_null(raw) {
            return None;
        }
        let text = unescape(raw, self.separators);
        let trimmed = text.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    /// CE, CWE, CNE, CF, IS or ID.
    pub(super) fn coded(&self) -> Option<Coded> {
        let mut coded = Coded {
            original: self.comp(9),
            ..Coded::default()
        };
        // code, text, system, and the object identifier of the system where there is one
        for [code, text, system, oid] in [[1, 2, 3, 14], [4, 5, 6, 17], [10, 11, 12, 20]] {
            let oid = self.comp(oid).filter(|oid| oid.contains('.'));
            let system = self.comp(system).or(oid);
            let (code, text) = (self.comp(code), self.comp(text));
            if code.is_some() || text.is_some() {
                coded.choices.push(Choice { code, text, system });
            }
        }
        let nothing = coded.choices.is_empty() && coded.original.is_none();
        (!nothing).then_some(coded)
    }

    /// A person's name for people (XCN): given and family name, or the number alone.
    pub(super) fn person(&self) -> Option<String> {
        let parts = [self.comp(6), self.comp(3), self.comp(4), self.comp(2)];
        let name: Vec<String> = parts.into_iter().flatten().collect();
        let named = self.comp(2).is_some() || self.comp(3).is_some();
        let text = if named { name.join(" ") } else { self.comp(1)? };
        Some(clean_field(&text)).filter(|text| !text.is_empty())
    }

    /// An Identifier (CX, or EI when `authority` is 2). CX: id, check digit, its scheme, authority,
    /// type. EI: id, authority's name, its universal id, type of that.
    pub(super) fn identifier(&self, is_ei: bool) -> Option<Value> {
        let mut identifier = json!({ "value": clean_title(&self.comp(1)?) });
        let (name, universal, kind) = if is_ei {
            (self.comp(2), self.comp(3), self.comp(4))
        } else {
            (self.sub(4, 1), self.sub(4, 2), self.sub(4, 3))
        };
        let is_oid =
            |id: &String| id.contains('.') && id.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match universal {
            Some(oid) if is_oid(&oid) => identifier["system"] = json!(format!("urn:oid:{oid}")),
            Some(uri) if kind.as_deref() == Some("URI") && !uri.contains(' ') => {
                identifier["system"] = json!(uri);
            }
            _ => {}
        }
        if let Some(name) = name {
            identifier["assigner"] = json!({ "display": clean_title(&name) });
        }
        if !is_ei && let Some(code) = self.comp(5) {
            let system = "http://terminology.hl7.org/CodeSystem/v2-0203";
            let kind = coding(Some(system), &code, None).and_then(|c| concept(vec![c], None));
            if let Some(kind) = kind {
                identifier["type"] = kind;
            }
        }
        Some(identifier)
    }
}

/// A code with its text and system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// The code.
    pub(super) code: Option<String>,
    /// What it means.
    pub(super) text: Option<String>,
    /// Its system, as written.
    pub(super) system: Option<String>,
}

/// A coded value: the code, its alternates and the words of the author.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Coded {
    /// The first code and its alternates.
    pub(super) choices: Vec<Choice>,
    /// The author's words.
    pub(super) original: Option<String>,
}

impl Coded {
    /// The words for people: the author's, the meaning, or the code. As long as a title at most.
    pub(super) fn words(&self) -> Option<String> {
        let words = self.full_words().map(|words| clean_title(&words));
        words.filter(|words| !words.is_empty())
    }

    /// The same as it was written, however long.
    pub(super) fn full_words(&self) -> Option<String> {
        let texts = self.choices.iter().find_map(|c| c.text.clone());
        let codes = || self.choices.iter().find_map(|c| c.code.clone());
        self.original.clone().or(texts).or_else(codes)
    }

    /// Its codes, for a summary.
    pub(super) fn codes(&self) -> impl Iterator<Item = Code> {
        let code =
            |choice: &Choice| Code::from_coding(choice.system.as_deref(), choice.code.as_deref()?);
        self.choices.iter().filter_map(code)
    }

    /// Whether one of the codes is this one, of any system.
    pub(super) fn is(&self, code: &str) -> bool {
        let mut choices = self.choices.iter();
        choices.any(|c| c.code.as_deref().is_some_and(|own| own == code))
    }

    /// The first code.
    pub(super) fn code(&self) -> Option<&str> {
        self.choices.iter().find_map(|c| c.code.as_deref())
    }

    /// A CodeableConcept with all codes and the words.
    pub(super) fn concept(&self) -> Option<Value> {
        self.concept_in(None)
    }

    /// The same, where codes without a system belong to `table`, a FHIR system.
    pub(super) fn concept_in(&self, table: Option<&str>) -> Option<Value> {
        let one = |choice: &Choice| {
            let system = choice.system.as_deref().and_then(systems::uri);
            let system = match &choice.system {
                None => table.map(str::to_owned),
                Some(_) => system,
            };
            let code = choice.code.as_deref()?;
            coding(system.as_deref(), code, choice.text.as_deref())
        };
        let codings = self.choices.iter().filter_map(one).collect();
        let words = self.full_words();
        let mut made = concept(codings, words.as_deref())?;
        // a result or an allergy must not end in the middle
        let long = |words: &String| words.chars().count() > MAX_TITLE_CHARS;
        if let Some(words) = words.filter(|words| long(words) && words.len() <= MAX_STRING) {
            made["text"] = json!(words);
        }
        Some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::{Message, message};

    fn of(segment: &str) -> Message {
        let text = format!("MSH|^~\\&|A\r{segment}\r");
        message(text.as_bytes(), 1, &mut Vec::new()).unwrap()
    }

    #[test]
    fn empty_and_deleted_fields_are_not_known() {
        let message = of(r#"PID|1||""||A^""^B| ~x|&y"#);
        let pid = message.first("PID").unwrap();
        for field in [2, 3, 4, 9, 99] {
            assert_eq!(pid.text(field), None, "{field}");
            assert_eq!(pid.whole(field), None, "{field}");
        }
        assert_eq!((pid.comp(5, 2), pid.comp(5, 3)), (None, Some("B".into())));
        assert_eq!(pid.reps(6).filter_map(|rep| rep.comp(1)).count(), 1);
        assert_eq!(pid.rep(7).unwrap().sub(1, 2).unwrap(), "y");
    }

    #[test]
    fn coded_values_keep_all_their_codes() {
        let message = of("OBX|1|CWE|718-7^Hemoglobin^LN^HB^Haemoglobin (local)^L^2.4^^Hb|5^^L");
        let obx = message.first("OBX").unwrap();
        let coded = obx.coded(3).unwrap();
        let codes: Vec<_> = coded.codes().map(|c| c.to_string()).collect();
        assert_eq!(codes, ["loinc|718-7", "L|HB"]);
        assert_eq!(
            coded.concept().unwrap(),
            json!({"coding": [
                {"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"},
                {"code": "HB", "display": "Haemoglobin (local)"},
            ], "text": "Hb"})
        );
        assert_eq!(obx.coded(4).unwrap().words().unwrap(), "5");
    }

    #[test]
    fn people_and_identifiers() {
        let message =
            of("PID|1||12^^^A&1.2.3&ISO^MR~13^^^B||||||||||99^Lind^Ann^B^^Dr|77|F1^LAB^1.9.8^ISO");
        let pid = message.first("PID").unwrap();
        let ids: Vec<_> = pid
            .reps(3)
            .filter_map(|rep| rep.identifier(false))
            .collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0]["system"], "urn:oid:1.2.3");
        assert_eq!(ids[0]["type"]["coding"][0]["code"], "MR");
        assert_eq!(ids[1], json!({"value": "13", "assigner": {"display": "B"}}));
        assert_eq!(pid.person(13).unwrap(), "Dr Ann B Lind");
        assert_eq!(pid.person(14).unwrap(), "77");
        let ei = pid.rep(15).unwrap().identifier(true).unwrap();
        assert_eq!(ei["system"], "urn:oid:1.9.8");
    }
}
