//! PID: whom a message is about.
//!
//! Sources: HL7 v2.5.1 section 3.4.2, HL7 "V2-to-FHIR" (PID to Patient) for the correspondence.

use serde_json::{Map, Value, json};
use vault_core::ClinicalDate;
use vault_core::record::clean_title;

use super::changes::Change;
use super::fields::{Rep, Segment};
use super::output::{Output, set, set_list};
use super::systems::TABLES;
use crate::{Person, SamePerson};

/// A patient, as far as it takes to tell one from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Who {
    person: Person,
    /// Numbers with their authorities.
    ids: Vec<(String, Option<String>)>,
}

impl Who {
    fn read(pid: &Segment<'_>) -> Self {
        let mut person = Person::default();
        for name in pid.reps(5).chain(pid.reps(9)) {
            person.family.extend(family(&name));
            person
                .given
                .extend([2, 3].into_iter().filter_map(|c| name.comp(c)));
        }
        let born = pid.time(7);
        person.born = born.and_then(|born| ClinicalDate::new(born.date()).ok());
        let id = |rep: Rep<'_>| Some((rep.comp(1)?, rep.sub(4, 2).or(rep.sub(4, 1))));
        let ids = pid.reps(3).filter_map(id).collect();
        Self { person, ids }
    }

    /// Whether two segments describe one patient: one number in common, or name and date of birth.
    fn is_same(&self, other: &Self) -> bool {
        let shared = self.ids.iter().any(|id| other.ids.contains(id));
        let dated = self.person.born.is_some() && other.person.born.is_some();
        match self.person.compare(&other.person) {
            SamePerson::Other => false,
            SamePerson::Unclear => shared,
            SamePerson::Same => shared || dated,
        }
    }
}

/// Most different patients of one file. A patient's own file is about one.
const MAX_PATIENTS: usize = 20;

/// The patients of a file, each once, with the references of their resources.
#[derive(Debug, Default)]
pub(super) struct Patients(Vec<(Who, String)>);

impl Patients {
    /// The reference of a patient, whose resource is added when it is the first time. `None`, and
    /// a problem, when there are too many.
    pub(super) fn find(&mut self, pid: &Segment<'_>, out: &mut Output) -> Option<String> {
        let who = Who::read(pid);
        let known = self.0.iter().find(|(other, _)| *other == who);
        let known = known.or_else(|| self.0.iter().find(|(other, _)| other.is_same(&who)));
        if let Some((_, reference)) = known {
            // a later message may be the first to know of a death
            let mut news = Map::new();
            deceased(pid, &mut news);
            if !news.is_empty() {
                let other = match news.contains_key("deceasedBoolean") {
                    true => "deceasedDateTime",
                    false => "deceasedBoolean",
                };
                out.change(reference, Change::without(other));
                out.change(reference, Change::elements(news));
            }
            return Some(reference.clone());
        }
        if self.0.len() == MAX_PATIENTS {
            let what = format!("only the first {MAX_PATIENTS} patients are read");
            if !out.problems.iter().any(|(_, other)| *other == what) {
                out.report("file", what);
            }
            return None;
        }
        let reference = out.add("Patient", patient(pid))?;
        self.0.push((who, reference.clone()));
        Some(reference)
    }

    /// Who they are.
    pub(super) fn into_people(self) -> impl Iterator<Item = Person> {
        self.0.into_iter().map(|(who, _)| who.person)
    }
}

/// The family name of XPN: the surname as a whole, without the parts that may follow it.
fn family(name: &Rep<'_>) -> Option<String> {
    name.sub(1, 1)
}

/// A Patient.
fn patient(pid: &Segment<'_>) -> Map<String, Value> {
    let mut patient = Map::new();
    let ids = pid.reps(3).filter_map(|rep| rep.identifier(false));
    set_list(&mut patient, "identifier", ids.collect());
    let names = pid
        .reps(5)
        .chain(pid.reps(9))
        .filter_map(|rep| human_name(&rep));
    set_list(&mut patient, "name", names.collect());
    let home = pid.reps(13).filter_map(|rep| contact_point(&rep, "home"));
    let work = pid.reps(14).filter_map(|rep| contact_point(&rep, "work"));
    set_list(&mut patient, "telecom", home.chain(work).collect());
    let sex = pid.text(8).map(|sex| gender(&sex));
    set(&mut patient, "gender", sex);
    let born = pid.time(7).map(|time| time.date().to_owned());
    set(&mut patient, "birthDate", born);
    deceased(pid, &mut patient);
    let addresses = pid.reps(11).filter_map(|rep| address(&rep));
    set_list(&mut patient, "address", addresses.collect());
    let marital = pid
        .coded(16)
        .and_then(|c| c.concept_in(Some(&format!("{TABLES}0002"))));
    set(&mut patient, "maritalStatus", marital);
    let language = pid
        .concept(15)
        .map(|language| json!({ "language": language }));
    set_list(
        &mut patient,
        "communication",
        language.into_iter().collect(),
    );
    let order = pid.text(25).and_then(|order| order.parse::<u8>().ok());
    match (pid.text(24).as_deref(), order) {
        (Some("N"), _) => set(&mut patient, "multipleBirthBoolean", Some(false)),
        (Some("Y"), Some(order)) => set(&mut patient, "multipleBirthInteger", Some(order)),
        (Some("Y"), None) => set(&mut patient, "multipleBirthBoolean", Some(true)),
        _ => {}
    }
    patient
}

/// PID-29 and PID-30: whether and when somebody died.
fn deceased(pid: &Segment<'_>, patient: &mut Map<String, Value>) {
    let said = pid.text(30).map(|said| said.to_ascii_uppercase());
    match (pid.time(29), said.as_deref()) {
        // a date of death that the message takes back
        (_, Some("N" | "NO")) => set(patient, "deceasedBoolean", Some(false)),
        (Some(died), _) => set(patient, "deceasedDateTime", Some(died.date_time())),
        (None, Some("Y" | "YES")) => set(patient, "deceasedBoolean", Some(true)),
        _ => {}
    }
}

/// Table 0001.
fn gender(code: &str) -> &'static str {
    match code.to_ascii_uppercase().as_str() {
        "M" => "male",
        "F" => "female",
        "A" | "O" | "N" | "X" => "other",
        _ => "unknown",
    }
}

/// XPN.
fn human_name(rep: &Rep<'_>) -> Option<Value> {
    let mut name = Map::new();
    let list = |components: &[usize]| -> Vec<Value> {
        let texts = components.iter().filter_map(|c| rep.comp(*c));
        texts.map(|text| json!(clean_title(&text))).collect()
    };
    let family = family(rep).map(|text| clean_title(&text));
    set(&mut name, "family", family.filter(|text| !text.is_empty()));
    set_list(&mut name, "given", list(&[2, 3]));
    if name.is_empty() {
        return None;
    }
    set_list(&mut name, "prefix", list(&[5]));
    set_list(&mut name, "suffix", list(&[4, 6]));
    // table 0200
    let usage = match rep.comp(7).as_deref() {
        Some("L") => Some("official"),
        Some("D") => Some("usual"),
        Some("M") => Some("maiden"),
        Some("N") => Some("nickname"),
        Some("S") => Some("anonymous"),
        _ => None,
    };
    set(&mut name, "use", usage);
    Some(Value::Object(name))
}

/// XAD.
fn address(rep: &Rep<'_>) -> Option<Value> {
    let mut address = Map::new();
    let text = |component: usize| rep.comp(component).map(|text| clean_title(&text));
    // SAD: a line as a whole, or street name and house number
    let street: Vec<String> = (1..=3).filter_map(|part| rep.sub(1, part)).collect();
    let lines = [Some(street.join(" ")), rep.comp(2)];
    let lines = lines.into_iter().flatten().map(|line| clean_title(&line));
    let lines = lines.filter(|line| !line.is_empty()).map(Value::from);
    set_list(&mut address, "line", lines.collect());
    for (key, component) in [("city", 3), ("state", 4), ("postalCode", 5), ("country", 6)] {
        set(&mut address, key, text(component));
    }
    if address.is_empty() {
        return None;
    }
    // table 0190
    let usage = match rep.comp(7).as_deref() {
        Some("H" | "P") => Some("home"),
        Some("B" | "O") => Some("work"),
        Some("C") => Some("temp"),
        Some("BA") => Some("old"),
        _ => None,
    };
    set(&mut address, "use", usage);
    Some(Value::Object(address))
}

/// XTN: the number as it was written, or its parts.
fn contact_point(rep: &Rep<'_>, usage: &str) -> Option<Value> {
    let parts = [rep.comp(5), rep.comp(6), rep.comp(7)];
    let number: Vec<String> = parts.into_iter().flatten().collect();
    let mail = rep.comp(4).filter(|text| text.contains('@'));
    let written = rep.comp(12).or_else(|| rep.comp(1));
    let joined = (!number.is_empty()).then(|| number.join(" "));
    let value = mail.or(written).or(joined)?;
    // table 0202
    let system = match rep.comp(3).as_deref() {
        _ if value.contains('@') => "email",
        Some("FX") => "fax",
        Some("BP") => "pager",
        Some("Internet" | "X.400" | "TDD" | "TTY" | "MD" | "SAT") => "other",
        _ => "phone",
    };
    let usage = match rep.comp(3).as_deref() {
        Some("CP") => "mobile",
        _ => usage,
    };
    Some(json!({"system": system, "value": clean_title(&value), "use": usage}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::{Message, message};

    fn of(pid: &str) -> Message {
        let text = format!("MSH|^~\\&|A\r{pid}\r");
        message(text.as_bytes(), 1, &mut Vec::new()).unwrap()
    }

    #[test]
    fn a_patient_with_everything() {
        let message = of(
            "PID|1||77^^^CLINIC&1.2.3&ISO^MR||Okafor&van^Mira^Jane^Jr^Dr^PhD^L~Lind^^^^^^M||\
             198005061130+0200|F|||Elm&Elm Street&5^Flat 2^Town^ST^12345^NOR^H||^PRN^CP^^47^555^1234~\
             ^NET^Internet^mira@example.org|(555)1|nor^Norwegian^ISO639|M||||||||Y|2||||20240309|Y",
        );
        let patient = Value::Object(patient(&message.first("PID").unwrap()));
        assert_eq!(patient["name"][0]["family"], "Okafor");
        assert_eq!(patient["name"][0]["given"], json!(["Mira", "Jane"]));
        assert_eq!(patient["name"][0]["suffix"], json!(["Jr", "PhD"]));
        assert_eq!(patient["name"][0]["use"], "official");
        assert_eq!(
            patient["name"][1],
            json!({"family": "Lind", "use": "maiden"})
        );
        assert_eq!(patient["birthDate"], "1980-05-06");
        assert_eq!(patient["gender"], "female");
        assert_eq!(patient["address"][0]["city"], "Town");
        assert_eq!(
            patient["telecom"][0],
            json!({"system": "phone", "value": "47 555 1234", "use": "mobile"})
        );
        assert_eq!(patient["telecom"][1]["value"], "mira@example.org");
        assert_eq!(patient["telecom"][2]["use"], "work");
        assert_eq!(patient["multipleBirthInteger"], 2);
        assert_eq!(patient["deceasedDateTime"], "2024-03-09");
        assert_eq!(patient["maritalStatus"]["coding"][0]["code"], "M");
    }

    #[test]
    fn a_death_by_its_date_or_without() {
        let of = |date: &str, said: &str| {
            let message = of(&format!("PID|1{}{date}|{said}", "|".repeat(28)));
            let patient = patient(&message.first("PID").unwrap());
            let get = |key: &str| patient.get(key).map(Value::to_string);
            (get("deceasedDateTime"), get("deceasedBoolean"))
        };
        let date = || Some("\"2024-04-01\"".to_owned());
        let yes = Some("true".to_owned());
        assert_eq!(of("20240401", "Y"), (date(), None));
        assert_eq!(of("20240401", ""), (date(), None));
        assert_eq!(of("", "Y"), (None, yes.clone()));
        assert_eq!(of("", "y"), (None, yes));
        assert_eq!(of("20240401", "N"), (None, Some("false".to_owned())));
        assert_eq!(of("", ""), (None, None));
    }

    #[test]
    fn a_death_that_a_later_message_tells() {
        use crate::hl7v2::tests::{NOW, all};
        let one = |event: &str, end: &str| {
            format!("MSH|^~\\&|A||||||ADT^{event}\rPID|1||7^^^A||Lind^Mira{end}\r")
        };
        let death = format!("{}20240401|Y", "|".repeat(24));
        let text = one("A01", "") + &one("A08", &death) + &one("A08", "");
        let read = crate::hl7v2::understand(text.as_bytes(), "", NOW).unwrap();
        let patients = all(&read, "Patient");
        assert_eq!(patients.len(), 1);
        assert_eq!(patients[0]["deceasedDateTime"], "2024-04-01");
        assert_eq!(patients[0]["name"][0]["family"], "Lind");
    }

    #[test]
    fn one_patient_or_two() {
        let who = |pid: &str| Who::read(&of(pid).first("PID").unwrap());
        let mira = who("PID|1||7^^^A||Lind^Mira||19800506");
        assert!(mira.is_same(&who("PID|1||8^^^A||LIND^MIRA||19800506")));
        assert!(mira.is_same(&who("PID|1||7^^^A||Okafor^Tora||19800506")));
        assert!(mira.is_same(&who("PID|1||7^^^A")));
        // the same number of another clinic, the same name without a date
        assert!(!mira.is_same(&who("PID|1||7^^^B||Okafor^Tora||19800506")));
        assert!(!mira.is_same(&who("PID|1||7^^^B||Lind^Mira")));
        assert!(!mira.is_same(&who("PID|1||7^^^A||Lind^Mira||19810506")));
    }

    #[test]
    fn nothing_comes_of_null() {
        let message = of(r#"PID|1||""||""||""|""|||""||""|""|||||||||||""|""||||""|"""#);
        let pid = message.first("PID").unwrap();
        assert!(patient(&pid).is_empty());
        assert!(Who::read(&pid).person.is_nobody());
    }
}
