//! What later messages of a file say about statements of earlier ones: that they were wrong, or that
//! an order has ended.
//!
//! A statement is known again by its placer or filler number (EI) and by what else its kind needs.
//!
//! Source: HL7 v2.5.1 section 4.5.1 (ORC-2, ORC-3) and chapter 7, table 0085.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use vault_core::record::summary;
use zeroize::Zeroizing;

use crate::Derived;

/// Most statements of one number that are followed.
const MAX_SAME: usize = 100;

/// Elements that tell what a result was.
const RESULT: &[&str] = &[
    "valueQuantity",
    "valueCodeableConcept",
    "valueString",
    "valueRange",
    "valueRatio",
    "valueDateTime",
    "valueTime",
    "component",
    "interpretation",
    "dataAbsentReason",
    "note",
];

/// The numbers of an order or of what is made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Of the one who asked.
    pub(super) placer: Option<String>,
    /// Of the one who does it.
    pub(super) filler: Option<String>,
}

impl Numbers {
    pub(super) fn is_empty(&self) -> bool {
        self.placer.is_none() && self.filler.is_none()
    }

    /// The placer's number alone, where there is one: it names an order whoever carries it out.
    pub(super) fn of_order(self) -> Self {
        let filler = self.filler.filter(|_| self.placer.is_none());
        Self { filler, ..self }
    }

    fn keys(&self, kind: &str, detail: &str) -> [Option<String>; 2] {
        let key = |sort: &str, number: &Option<String>| {
            let number = number.as_ref()?;
            Some(format!("{kind}\n{sort}\n{number}\n{detail}"))
        };
        [key("placer", &self.placer), key("filler", &self.filler)]
    }
}

/// What a resource becomes.
#[derive(Debug, Default)]
pub(super) struct Change {
    set: Map<String, Value>,
    remove: BTreeSet<&'static str>,
}

impl Change {
    /// A result that was never true. Its value must not be shown.
    pub(super) fn wrong_result() -> Self {
        let mut change = Self::status("entered-in-error");
        change.remove.extend(RESULT);
        change
    }

    /// An allergy that was never there.
    pub(super) fn wrong_allergy(status: Value) -> Self {
        let set = Map::from_iter([("verificationStatus".to_owned(), status)]);
        let remove = ["clinicalStatus"].into();
        Self { set, remove }
    }

    pub(super) fn status(code: &str) -> Self {
        let set = Map::from_iter([("status".to_owned(), json!(code))]);
        Self {
            set,
            ..Self::default()
        }
    }

    /// Elements that are new.
    pub(super) fn elements(set: Map<String, Value>) -> Self {
        Self {
            set,
            ..Self::default()
        }
    }

    pub(super) fn without(element: &'static str) -> Self {
        let remove = [element].into();
        Self {
            remove,
            ..Self::default()
        }
    }

    /// When it was said.
    pub(super) fn at(mut self, sent: Option<&str>) -> Self {
        if let Some(sent) = sent {
            self.set
                .insert("meta".into(), json!({ "lastUpdated": sent }));
        }
        self
    }

    fn and(&mut self, later: Self) {
        for key in later.set.keys() {
            self.remove.remove(key.as_str());
        }
        self.set.extend(later.set);
        for key in &later.remove {
            self.set.remove(*key);
        }
        self.remove.extend(later.remove);
    }

    fn apply(&self, derived: &mut Derived, mut resource: Map<String, Value>) {
        for key in &self.remove {
            resource.remove(*key);
        }
        resource.extend(self.set.clone());
        let content = Value::Object(resource).to_string();
        let Ok(mut meta) = summary(&content) else {
            return;
        };
        meta.labels.extend(derived.meta.labels.iter().cloned());
        derived.meta = meta;
        derived.content = Zeroizing::new(content.into_bytes());
    }
}

/// The statements of a file so far, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// For each number, the filler's number and the reference of what was said.
    stated: HashMap<String, Vec<(Option<String>, String)>>,
    changes: HashMap<String, Change>,
}

impl Statements {
    /// Keeps a statement, to know it again. `false` when there are too many of one number.
    pub(super) fn remember(
        &mut self,
        kind: &str,
        numbers: &Numbers,
        detail: &str,
        reference: &str,
    ) -> bool {
        let mut room = true;
        for key in numbers.keys(kind, detail).into_iter().flatten() {
            let list = self.stated.entry(key).or_default();
            room &= list.len() < MAX_SAME;
            if list.len() < MAX_SAME {
                list.push((numbers.filler.clone(), reference.to_owned()));
            }
        }
        room
    }

    /// The references of earlier statements of the same thing. Two different numbers of the filler
    /// are two things, though one order asked for both.
    pub(super) fn earlier(&self, kind: &str, numbers: &Numbers, detail: &str) -> BTreeSet<String> {
        let keys = numbers.keys(kind, detail).into_iter().flatten();
        let lists = keys.filter_map(|key| self.stated.get(&key)).flatten();
        let same = lists.filter(|(filler, _)| match (filler, &numbers.filler) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        });
        same.map(|(_, reference)| reference.clone()).collect()
    }

    pub(super) fn change(&mut self, reference: &str, change: Change) {
        let before = self.changes.entry(reference.to_owned()).or_default();
        before.and(change);
    }

    /// Makes the changes.
    pub(super) fn apply(self, derived: &mut [Derived]) {
        if self.changes.is_empty() {
            return;
        }
        for derived in derived {
            if let Ok(Value::Object(resource)) = serde_json::from_slice(&derived.content)
                && let Some(id) = resource.get("id").and_then(Value::as_str)
                && let Some(kind) = resource.get("resourceType").and_then(Value::as_str)
                && let Some(change) = self.changes.get(&format!("{kind}/{id}"))
            {
                change.apply(derived, resource);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(placer: &str, filler: &str) -> Numbers {
        let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Numbers {
            placer: known(placer),
            filler: known(filler),
        }
    }

    #[test]
    fn the_same_thing_by_either_number() {
        let mut said = Statements::default();
        said.remember("A", &numbers("P1", "F1"), "x", "A/1");
        said.remember("A", &numbers("P1", ""), "x", "A/2");
        let found = |kind: &str, placer: &str, filler: &str, detail: &str| {
            let found = said.earlier(kind, &numbers(placer, filler), detail);
            found.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("A", "P1", "F1", "x"), "A/1 A/2");
        assert_eq!(found("A", "P1", "", "x"), "A/1 A/2");
        assert_eq!(found("A", "", "F1", "x"), "A/1");
        assert_eq!(found("A", "P1", "F2", "x"), "A/2");
        assert_eq!(found("A", "P2", "", "x"), "");
        assert_eq!(found("A", "P1", "F1", "y"), "");
        assert_eq!(found("B", "P1", "F1", "x"), "");
        assert_eq!(found("A", "", "", "x"), "");
    }

    #[test]
    fn the_list_of_one_number_ends() {
        let mut said = Statements::default();
        let one = numbers("P1", "");
        for _ in 0..MAX_SAME {
            assert!(said.remember("A", &one, "", "A/1"));
        }
        assert!(!said.remember("A", &one, "", "A/2"));
    }
}
