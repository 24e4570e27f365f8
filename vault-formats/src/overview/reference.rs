//! Where references lead: to one thing, or to nothing that is certain.
//!
//! Source: FHIR R4, "Resource References"; ids are unique at one source only.

use std::collections::BTreeMap;

use serde_json::Value;
use vault_core::RecordId;

use super::read::{choice, code_key, concept, string, title, words};
use crate::export::Resource;

/// Most names that are kept to resolve references.
const MAX_NAMES: usize = 100_000;
/// What a medicine is called when it is not clear which one is meant.
pub(crate) const UNCERTAIN: &str = "medicine not certain";

/// What a reference points to, in one spelling.
pub(crate) fn target(reference: &str) -> Option<String> {
    let reference = reference.split("/_history/").next().unwrap_or(reference);
    if reference.starts_with("urn:") {
        return Some(reference.to_lowercase());
    }
    let mut from_end = reference.rsplit('/');
    let (id, kind) = (from_end.next()?, from_end.next()?);
    Some(format!("{kind}/{id}"))
}

/// By which names others refer to a resource.
pub(crate) fn names(resource: &Value) -> Vec<String> {
    let text = |key: &str| resource.get(key).and_then(Value::as_str);
    match (text("resourceType"), text("id")) {
        (Some(kind), Some(id)) => vec![
            format!("{kind}/{id}"),
            format!("urn:uuid:{id}").to_lowercase(),
        ],
        _ => Vec::new(),
    }
}

/// What something is called, and what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// What it is called.
    pub(crate) text: String,
    /// Its code, or its words.
    pub(crate) key: String,
}

/// Names of resources. One that stands for two different things stands for nothing, unless the
/// record that uses it comes from the same document as one of them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_origin: BTreeMap<(Option<RecordId>, String), Option<Named>>,
    by_name: BTreeMap<String, Option<Named>>,
}

impl Names {
    /// Keeps what a resource is called: by `text` and `key`.
    pub(crate) fn add(&mut self, resource: &Resource, name: &str, named: &Named) {
        if self.by_name.len() >= MAX_NAMES && !self.by_name.contains_key(name) {
            return;
        }
        let by_origin = (self.by_origin).entry((resource.meta.origin, name.to_owned()));
        for known in [
            by_origin.or_insert_with(|| Some(named.clone())),
            (self.by_name.entry(name.to_owned())).or_insert_with(|| Some(named.clone())),
        ] {
            let differs = |known: &Named| {
                known.key != named.key || known.text.to_lowercase() != named.text.to_lowercase()
            };
            if known.as_ref().is_some_and(differs) {
                *known = None;
            }
        }
    }

    /// Keeps what a drug, a practitioner or an organisation is called.
    pub(crate) fn add_titled(&mut self, resource: &Resource) {
        let Some(text) = title(&resource.json) else {
            return;
        };
        let key = resource.json.get("code").and_then(code_key);
        let key = key.unwrap_or_else(|| text.to_lowercase());
        let named = Named { text, key };
        for name in names(&resource.json) {
            self.add(resource, &name, &named);
        }
    }

    /// What a reference in a record of this origin leads to, if that is certain.
    pub(crate) fn get(&self, origin: Option<RecordId>, reference: &str) -> Option<&Named> {
        let name = target(reference)?;
        let within = self.by_origin.get(&(origin, name.clone()));
        within.or_else(|| self.by_name.get(&name))?.as_ref()
    }
}

/// The medicine of an order or statement: what `medication` holds, in any release.
pub(crate) fn drug_element(resource: &Value) -> Option<&Value> {
    let drug = choice(resource, "medication")?;
    Some(match (drug.get("concept"), drug.get("reference")) {
        (Some(said), _) => said,
        (None, Some(inner)) if inner.is_object() => inner,
        _ => drug,
    })
}

/// Which medicine an order or statement is about; `None` when that is not certain. Where a reference
/// has words of its own these are taken, as is what the record contains.
pub(crate) fn drug(resource: &Resource, names: &Names) -> Option<Named> {
    let root = &resource.json;
    let drug = drug_element(root)?;
    let said = |text: String| Named {
        key: code_key(drug).unwrap_or_else(|| text.to_lowercase()),
        text,
    };
    if string(drug, "display").is_some() {
        return words(root, drug).map(said);
    }
    match string(drug, "reference") {
        Some(reference) if reference.starts_with('#') => words(root, drug).map(said),
        Some(reference) => names.get(resource.meta.origin, reference).cloned(),
        None => concept(drug).or_else(|| words(root, drug)).map(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(origin: Option<u8>, json: Value) -> Resource {
        let mut meta = vault_core::record::summary(&json.to_string()).unwrap();
        meta.origin = origin.map(|n| RecordId::from_bytes([n; 16]));
        let record = RecordId::from_bytes([1; 16]);
        Resource { record, meta, json }
    }

    #[test]
    fn one_name_for_two_drugs_is_no_name() {
        let mut names = Names::default();
        for (origin, id, text) in [
            (None, "1", "Aspirin"),
            (None, "1", "Methotrexate"),
            (None, "2", "Iron"),
            (None, "2", "iron"),
            (Some(5), "3", "Zinc"),
            (Some(6), "3", "Insulin"),
        ] {
            let json = json!({"resourceType": "Medication", "id": id, "code": {"text": text}});
            names.add_titled(&resource(origin, json));
        }
        let order = |origin: Option<u8>, medication: Value| {
            let mut json = json!({"resourceType": "MedicationRequest"});
            let object = json.as_object_mut().unwrap();
            object.extend(medication.as_object().unwrap().clone());
            drug(&resource(origin, json), &names).map(|named| named.text)
        };
        let to = |reference: &str| json!({"medicationReference": {"reference": reference}});
        assert_eq!(order(None, to("Medication/1")), None);
        assert_eq!(order(None, to("Medication/404")), None);
        assert_eq!(order(None, json!({})), None);
        assert_eq!(order(None, to("Medication/2")).as_deref(), Some("Iron"));
        assert_eq!(
            order(Some(6), to("Medication/3")).as_deref(),
            Some("Insulin")
        );
        assert_eq!(order(Some(7), to("Medication/3")), None);
        let said =
            json!({"medicationReference": {"reference": "Medication/1", "display": "Aspirin"}});
        assert_eq!(order(None, said).as_deref(), Some("Aspirin"));
        let said = json!({"medication": {"concept": {"text": "Zinc"}}});
        assert_eq!(order(None, said).as_deref(), Some("Zinc"));
    }
}
