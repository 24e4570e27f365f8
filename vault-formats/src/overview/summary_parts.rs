//! What the one-page summary is made of: entries that merge when they say the same.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;
use vault_core::{ClinicalDate, RecordId};

use super::read::{any, choice, items, name, string};
use super::statements::Known;
use super::values::date;
use crate::SamePerson;

/// Most different patients that are named.
const MAX_PATIENTS: usize = 20;

/// Most different entries of one section that are kept; more are only counted.
const MAX_ENTRIES: usize = 20_000;

/// One line of the summary and the records it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it is.
    pub text: String,
    /// More about it: a dose, a reaction, a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Its status in words, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When, at the precision of the record; without the time of day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<ClinicalDate>,
    /// Whether it is current.
    pub active: bool,
    /// How many records say it.
    pub count: usize,
    /// These records.
    #[serde(serialize_with = "ids")]
    pub records: Vec<RecordId>,
}

/// Whom the records are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Name.
    pub name: String,
    /// Date of birth, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born: Option<String>,
    /// Administrative gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// When the person died, or `yes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub died: Option<String>,
    /// The records that say so.
    #[serde(serialize_with = "ids")]
    pub records: Vec<RecordId>,
}

/// Whom the records are about. What one record says about a death holds for the same person in all.
pub(super) fn people(known: &Known) -> Vec<Who> {
    let died = known.died().map(|(_, value)| match value {
        Value::String(when) => date(&when),
        _ => "yes".to_owned(),
    });
    let mut people: Vec<Who> = Vec::new();
    for patient in &known.patients {
        let json = &patient.json;
        let own = choice(json, "deceased").filter(|died| **died != Value::Bool(false));
        let own = own.and_then(|_| any(json, json, "deceased"));
        let same = known.persons.compare(json) == SamePerson::Same;
        let who = Who {
            name: items(json, "name")
                .iter()
                .find_map(name)
                .unwrap_or_default(),
            born: string(json, "birthDate").map(date),
            gender: string(json, "gender").map(date),
            died: if same { died.clone() } else { own },
            records: vec![patient.record],
        };
        let same = |known: &&mut Who| known.name == who.name && known.born == who.born;
        if let Some(known) = people.iter_mut().find(same) {
            known.records.push(patient.record);
        } else if people.len() < MAX_PATIENTS {
            people.push(who);
        }
    }
    people
}

/// Record ids in their text form.
pub(super) fn ids<S: Serializer>(ids: &[RecordId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(ToString::to_string))
}

/// Entries by what makes them the same.
#[derive(Debug, Default)]
pub(super) struct Merged {
    entries: BTreeMap<String, Entry>,
    /// How many did not fit.
    pub(super) left_out: usize,
}

impl Merged {
    /// Adds an entry. One with the same key is counted; the later of the two is what is shown.
    pub(super) fn add(&mut self, key: String, mut entry: Entry) {
        if let Some(known) = self.entries.get_mut(&key) {
            known.count += 1;
            known.records.append(&mut entry.records);
            if entry.date > known.date {
                let records = std::mem::take(&mut known.records);
                let count = known.count;
                *known = Entry {
                    count,
                    records,
                    ..entry
                };
            }
        } else if self.entries.len() < MAX_ENTRIES {
            self.entries.insert(key, entry);
        } else {
            self.left_out += 1;
        }
    }

    /// The entries: active ones first, then the newest.
    pub(super) fn newest_first(self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.into_values().collect();
        entries.sort_by(|a, b| {
            (b.active.cmp(&a.active))
                .then_with(|| b.date.cmp(&a.date))
                .then_with(|| a.text.cmp(&b.text))
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_said_twice_is_one_line() {
        let entry = |text: &str, date: &str, record: u8| Entry {
            text: text.into(),
            detail: None,
            status: None,
            date: date.parse().ok(),
            active: true,
            count: 1,
            records: vec![RecordId::from_bytes([record; 16])],
        };
        let mut merged = Merged::default();
        merged.add("a".into(), entry("A", "2020", 1));
        merged.add("a".into(), entry("A again", "2021", 2));
        merged.add("a".into(), entry("A old", "2019", 3));
        merged.add("b".into(), entry("B", "2022", 4));
        let entries = merged.newest_first();
        let shown: Vec<_> = entries.iter().map(|e| (e.text.as_str(), e.count)).collect();
        assert_eq!(shown, [("B", 1), ("A again", 3)]);
        let of = [1, 2, 3].map(|n| RecordId::from_bytes([n; 16]));
        assert_eq!(entries[1].records, of);
        let json = serde_json::to_value(&entries[0]).unwrap();
        assert_eq!(
            json["records"][0],
            RecordId::from_bytes([4; 16]).to_string()
        );
    }
}
