//! The FHIR bundle inside a health card.
//!
//! Source: SMART Health Cards Framework, "Health Cards are Small": resources name each other by
//! `resource:0`, `resource:1`, … and have no ids of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use vault_core::record::{MAX_CODES, summary};
use vault_core::{ClinicalDate, Code, Kind, Label};

use crate::{Deriver, Person};

/// What a bundle says about itself and the person it is about.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) about: Vec<Person>,
    pub(super) labels: BTreeSet<Label>,
    pub(super) codes: BTreeSet<Code>,
    /// The newest date of any resource.
    pub(super) date: Option<ClinicalDate>,
    /// Numbers of the entries that hold no resource, counted from 1.
    pub(super) bad_entries: Vec<usize>,
    /// The resources, each with its type and the names that others may call it by.
    resources: Vec<(String, Vec<String>, Map<String, Value>)>,
}

impl Content {
    /// Takes a bundle apart.
    pub(super) fn of(mut bundle: Value) -> Self {
        let mut content = Self::default();
        let entries = match bundle.get_mut("entry").map(Value::take) {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        };
        if let Ok(meta) = summary(&bundle.to_string()) {
            content.labels.extend(meta.labels);
        }
        for (number, entry) in (1..).zip(entries) {
            if !content.add(entry) {
                content.bad_entries.push(number);
            }
        }
        content
    }

    fn add(&mut self, mut entry: Value) -> bool {
        let Some(resource) = entry.get_mut("resource").map(Value::take) else {
            return false;
        };
        let Ok(meta) = summary(&resource.to_string()) else {
            return false;
        };
        if meta.kind.as_str() == "Patient" {
            self.about.extend(Person::from_patient(&resource));
        }
        self.labels.extend(meta.labels);
        let room = MAX_CODES.saturating_sub(self.codes.len());
        self.codes.extend(meta.codes.into_iter().take(room));
        self.date = self.date.take().max(meta.date);
        let Value::Object(resource) = resource else {
            return false;
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let mut names: Vec<String> = text(entry.get("fullUrl")).into_iter().collect();
        if let Some(id) = text(resource.get("id")) {
            names.push(format!("{}/{id}", meta.kind));
        }
        let kind: Kind = meta.kind;
        self.resources.push((kind.to_string(), names, resource));
        true
    }

    /// Adds every resource to what is derived. They get ids and name each other by them; nothing
    /// else about them changes.
    pub(super) fn derive(self, deriver: &mut Deriver) {
        let mut references = BTreeMap::new();
        for (ahead, (kind, names, _)) in self.resources.iter().enumerate() {
            for name in names {
                let reference = deriver.reference_ahead(kind, ahead);
                references.entry(name.clone()).or_insert(reference);
            }
        }
        for (kind, _, resource) in self.resources {
            let mut resource = Value::Object(resource);
            rewrite(&mut resource, &references);
            if let Value::Object(resource) = resource {
                deriver.add(&kind, resource, []);
            }
        }
    }
}

/// Replaces the names in every Reference. The depth is bounded by that of readable JSON.
fn rewrite(value: &mut Value, references: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(name)) = members.get_mut("reference")
                && let Some(reference) = references.get(name)
            {
                name.clone_from(reference);
            }
            members
                .values_mut()
                .for_each(|value| rewrite(value, references));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| rewrite(value, references)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;
    use vault_core::Digest;

    #[test]
    fn resources_name_each_other_by_their_new_ids_and_keep_the_rest() {
        let bundle = r##"{"resourceType": "Bundle", "type": "collection", "entry": [
            {"fullUrl": "resource:0", "resource": {"resourceType": "Observation", "status": "final",
                "code": {"text": "Glucose"}, "subject": {"reference": "resource:2"},
                "specimen": {"reference": "#s"}, "device": {"reference": "resource:9"},
                "contained": [{"resourceType": "Specimen", "id": "s",
                    "subject": {"reference": "resource:2"}}],
                "effectiveDateTime": "2024-03", "valueQuantity": {"value": 6.30}}},
            {"fullUrl": "resource:1", "request": {}},
            {"fullUrl": "resource:2", "resource": {"resourceType": "Patient", "id": "p",
                "meta": {"security": [{"code": "R"}]},
                "name": [{"family": "Lind"}], "link": [{"other": {"reference": "Patient/p"}}]}}
        ]}"##;
        let content = Content::of(serde_json::from_str(bundle).unwrap());
        assert_eq!(content.bad_entries, [2]);
        assert_eq!(content.date, "2024-03".parse().ok());
        assert_eq!(content.labels, ["R".parse().unwrap()].into());
        assert_eq!(content.about[0].shown(), "Lind");
        let mut deriver = Deriver::new(Digest::of(b"card"), Moment(0), BTreeSet::new());
        deriver.add("Basic", Map::new(), []);
        content.derive(&mut deriver);
        let derived = deriver.finish("a test");
        let parse = |at: usize| -> Value { serde_json::from_slice(&derived[at].content).unwrap() };
        let (observation, patient) = (parse(1), parse(2));
        let reference = format!("Patient/{}", patient["id"].as_str().unwrap());
        assert_eq!(observation["subject"]["reference"], reference);
        assert_eq!(
            observation["contained"][0]["subject"]["reference"],
            reference
        );
        assert_eq!(observation["specimen"]["reference"], "#s");
        assert_eq!(observation["device"]["reference"], "resource:9");
        assert_eq!(observation["valueQuantity"]["value"].to_string(), "6.30");
        assert_eq!(patient["link"][0]["other"]["reference"], reference);
    }

    #[test]
    fn a_bundle_of_nonsense_is_empty() {
        for bundle in ["null", "7", "{}", r#"{"entry": 7}"#] {
            let content = Content::of(serde_json::from_str(bundle).unwrap());
            assert!(content.resources.is_empty() && content.bad_entries.is_empty());
        }
        let content =
            Content::of(serde_json::from_str(r#"{"entry": [7, {"resource": 7}]}"#).unwrap());
        assert_eq!(content.bad_entries, [1, 2]);
    }
}
