//! Which organism a susceptibility is about.
//!
//! OBX-4 tells the isolates of one culture apart: what has the number of an organism belongs to it,
//! in the same group as `1` or `1.2`, or in a group of its own whose OBR-26 names the organism.
//!
//! Source: HL7 v2.5.1 sections 7.4.1.26 (parent result) and 7.4.2.4 (sub-identifier).

use super::fields::{Coded, Segment};

/// Most isolates of one message.
const MAX_ISOLATES: usize = 500;

/// LOINC codes of "what grew".
const ORGANISM: &[&str] = &[
    "600-7", "630-4", "634-6", "635-3", "6463-4", "11475-1", "580-1", "601-5", "606-4", "609-8",
    "610-6", "611-4", "612-2", "616-3", "617-1", "618-9", "619-7", "620-5", "621-3", "622-1",
    "623-9", "624-7", "625-4", "626-2", "627-0", "628-8", "632-0", "633-8", "43409-2", "75756-7",
];

/// Whether an observation says which organism it was.
pub(super) fn is_organism(code: &Coded, kind: &str) -> bool {
    let words = code.full_words().unwrap_or_default().to_lowercase();
    let named = ["organism", "bacteria identified", "fungus identified"];
    let named = named.iter().any(|name| words.contains(name));
    let is_coded = matches!(kind, "CE" | "CWE" | "CNE" | "CF");
    ORGANISM.iter().any(|known| code.is(known)) || is_coded && named
}

/// One organism that was found.
#[derive(Debug, Clone)]
pub(super) struct Isolate {
    group: usize,
    code: Option<String>,
    number: String,
    /// What it is called.
    pub(super) name: String,
    /// Its Observation.
    pub(super) reference: String,
}

/// The organisms of a message so far.
#[derive(Debug, Default)]
pub(super) struct Isolates {
    found: Vec<Isolate>,
    /// How many groups have begun.
    group: usize,
    /// OBR-26 of this group: code and number of the organism it is about.
    parent: Option<(String, String)>,
}

impl Isolates {
    /// A new OBR.
    pub(super) fn begin_group(&mut self, obr: &Segment<'_>) {
        self.group += 1;
        self.parent = obr.comp(26, 1).zip(obr.comp(26, 2));
    }

    /// The isolate that an observation belongs to.
    pub(super) fn of(&self, obx: &Segment<'_>) -> Option<&Isolate> {
        let number = obx.whole(4);
        let number = number.as_deref().map(root).unwrap_or_default();
        let here = |one: &&Isolate| one.group == self.group && one.number == number;
        let own = self.found.iter().rev().find(here);
        own.filter(|_| !number.is_empty()).or_else(|| {
            let (code, number) = self.parent.as_ref()?;
            let mut same = self.found.iter().filter(|one| {
                one.group != self.group
                    && one.code.as_ref() == Some(code)
                    && one.number == root(number)
            });
            // of two with the same number it is not known which
            same.next().filter(|_| same.next().is_none())
        })
    }

    /// Keeps an organism with a number.
    pub(super) fn add(&mut self, code: Option<&str>, number: &str, name: String, reference: &str) {
        if self.found.len() < MAX_ISOLATES && !number.is_empty() {
            self.found.push(Isolate {
                group: self.group,
                code: code.map(str::to_owned),
                number: root(number).to_owned(),
                name,
                reference: reference.to_owned(),
            });
        }
    }
}

/// `1` of `1.2`.
fn root(number: &str) -> &str {
    number.split('.').next().unwrap_or(number).trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::hl7v2::tests::{NOW, all};
    use crate::hl7v2::understand;

    const START: &str = "MSH|^~\\&|LAB||||||ORU^R01\rPID|1||7^^^A||Lind^Mira\r";

    #[test]
    fn susceptibilities_belong_to_their_organisms() {
        let text = format!(
            "{START}OBR|1||F3|18769-0^Susceptibility^LN\r\
             OBX|1|CE|600-7^Organism^LN|1|112283007^Escherichia coli^SCT||||||F\r\
             OBX|2|ST|18906-8^Ciprofloxacin^LN|1|S||||||F\r\
             OBX|3|CE|600-7^Organism^LN|2|3092008^Staphylococcus aureus^SCT||||||F\r\
             OBX|4|ST|18906-8^Ciprofloxacin^LN|2.1|R||||||F\rNTE|1||Called.\r\
             OBX|5|ST|18906-8^Ciprofloxacin^LN|3|I||||||F\r"
        );
        let read = understand(text.as_bytes(), "", NOW).unwrap();
        let made = all(&read, "Observation");
        let named = |at: usize| {
            let id = made[at]["id"].as_str().unwrap();
            json!([{"reference": format!("Observation/{id}")}])
        };
        assert_eq!(made[1]["derivedFrom"], named(0));
        assert_eq!(made[1]["note"][0]["text"], "Isolate: Escherichia coli");
        assert_eq!(made[3]["derivedFrom"], named(2));
        let notes = json!([{"text": "Isolate: Staphylococcus aureus"}, {"text": "Called."}]);
        assert_eq!(made[3]["note"], notes);
        for alone in [0, 2, 4] {
            assert_eq!(made[alone].get("derivedFrom"), None, "{alone}");
        }
        let id = |at: usize| made[at]["identifier"][0]["value"].clone();
        assert_eq!([id(1), id(3)], ["F3/18906-8/1", "F3/18906-8/2.1"]);
    }

    #[test]
    fn susceptibilities_in_a_group_of_their_own() {
        let parent = |number: &str| format!("{}600-7^{number}^x", "|".repeat(22));
        let text = format!(
            "{START}OBR|1||F3|6463-4^Culture^LN\r\
             OBX|1|CWE|600-7^Organism^LN|1|112283007^Escherichia coli^SCT||||||F\r\
             OBX|2|CWE|600-7^Organism^LN|2|3092008^Staphylococcus aureus^SCT||||||F\r\
             OBR|2||F4|18769-0^Susceptibility^LN{}\r\
             OBX|1|ST|18906-8^Ciprofloxacin^LN||R||||||F\r\
             OBR|3||F5|18769-0^Susceptibility^LN{}\r\
             OBX|1|ST|18906-8^Ciprofloxacin^LN||S||||||F\r",
            parent("2"),
            parent("9"),
        );
        let read = understand(text.as_bytes(), "", NOW).unwrap();
        let made = all(&read, "Observation");
        assert_eq!(made[2]["note"][0]["text"], "Isolate: Staphylococcus aureus");
        assert_eq!(made[3].get("derivedFrom"), None);
    }

    #[test]
    fn a_number_without_an_order_is_kept_as_a_note() {
        let text = format!("{START}OBR|1|||X^X^L\rOBX|1|ST|A^A^L|2|S||||||F\r");
        let read = understand(text.as_bytes(), "", NOW).unwrap();
        let made = &all(&read, "Observation")[0];
        assert_eq!(made["note"][0]["text"], "Sub-identifier: 2");
        assert_eq!(made.get("identifier"), None);
    }
}
