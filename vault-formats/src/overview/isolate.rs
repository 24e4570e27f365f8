//! Which isolate a susceptibility was found for: the same drug is tested against each germ of a
//! culture, and these results are not to be mixed.
//!
//! Source: FHIR R4, Observation, `derivedFrom` and `hasMember`; HL7 v3 ObservationInterpretation,
//! the codes of susceptibility.

use serde_json::Value;

use super::read::{choice, concept, has_code, items, string};
use super::reference::{Named, Names, names};
use super::text::clean_line;
use crate::export::Resource;

/// Interpretations of a susceptibility.
const SUSCEPTIBILITY: &[&str] = &["S", "I", "R", "SDD", "NS", "SYN-R", "SYN-S", "MS", "VS"];
/// Most members of one culture that are read.
const MAX_MEMBERS: usize = 200;

/// What was found in cultures, by the names of the findings and of their members.
#[derive(Debug, Default)]
pub(crate) struct Isolates {
    found: Names,
    parents: Names,
}

impl Isolates {
    /// Keeps what an Observation found, if it is a thing and no number.
    pub(crate) fn add(&mut self, resource: &Resource) {
        let json = &resource.json;
        let germ = match choice(json, "value") {
            Some(Value::String(text)) => Some(clean_line(text)),
            Some(value) if value.get("coding").is_some() || value.get("text").is_some() => {
                concept(value)
            }
            _ => None,
        };
        let Some(text) = germ.filter(|text| !text.is_empty() && text.len() <= 200) else {
            return;
        };
        let named = Named {
            key: text.to_lowercase(),
            text,
        };
        for name in names(json) {
            self.found.add(resource, &name, &named);
        }
        for member in items(json, "hasMember").iter().take(MAX_MEMBERS) {
            if let Some(name) = string(member, "reference").and_then(super::reference::target) {
                self.parents.add(resource, &name, &named);
            }
        }
    }

    /// The isolate that was tested, and what tells it from others.
    pub(crate) fn of(&self, resource: &Resource) -> Option<(String, String)> {
        let json = &resource.json;
        if string(json, "resourceType") != Some("Observation") {
            return None;
        }
        for note in items(json, "note") {
            let text = string(note, "text").unwrap_or_default().trim();
            let (label, germ) = text.split_once(':').unwrap_or_default();
            if label.eq_ignore_ascii_case("isolate") && !germ.trim().is_empty() {
                let germ = clean_line(germ);
                return Some((germ.clone(), germ.to_lowercase()));
            }
        }
        let tested = items(json, "interpretation")
            .iter()
            .any(|one| has_code(Some(one), SUSCEPTIBILITY))
            || concept(json.get("code")?)?
                .to_lowercase()
                .contains("susceptib");
        if !tested {
            return None;
        }
        let origin = resource.meta.origin;
        let from = items(json, "derivedFrom");
        let from: Vec<&str> = from.iter().filter_map(|f| string(f, "reference")).collect();
        let source = from.iter().find_map(|to| self.found.get(origin, to));
        let parent = || names(json).iter().find_map(|n| self.parents.get(origin, n));
        if let Some(named) = source.or_else(parent) {
            return Some((named.text.clone(), named.key.clone()));
        }
        let from = from.first()?;
        Some(("isolate not certain".to_owned(), (*from).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vault_core::RecordId;

    fn resource(json: Value) -> Resource {
        let meta = vault_core::record::summary(&json.to_string()).unwrap();
        let record = RecordId::from_bytes([1; 16]);
        Resource { record, meta, json }
    }

    #[test]
    fn a_susceptibility_belongs_to_its_isolate() {
        let mut isolates = Isolates::default();
        let coli = json!({"resourceType": "Observation", "id": "e", "code": {"text": "Culture"},
            "valueCodeableConcept": {"text": "E. coli"}, "hasMember": [{"reference": "Observation/m"}]});
        isolates.add(&resource(coli));
        let tested = |rest: Value| {
            let mut json = json!({"resourceType": "Observation", "code": {"text": "Ampicillin"},
                "interpretation": [{"coding": [{"code": "R"}]}]});
            json.as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            isolates.of(&resource(json)).map(|(text, _)| text)
        };
        let from = |to: &str| tested(json!({"derivedFrom": [{"reference": to}]}));
        assert_eq!(from("Observation/e").as_deref(), Some("E. coli"));
        assert_eq!(
            from("Observation/x").as_deref(),
            Some("isolate not certain")
        );
        assert_eq!(tested(json!({"id": "m"})).as_deref(), Some("E. coli"));
        assert_eq!(tested(json!({})), None);
        let noted = tested(json!({"note": [{"text": "Isolate: S. aureus"}]}));
        assert_eq!(noted.as_deref(), Some("S. aureus"));
        // what is calculated from others is no isolate
        let egfr = json!({"resourceType": "Observation", "code": {"text": "eGFR"}, "derivedFrom": [{"reference": "Observation/e"}]});
        assert_eq!(isolates.of(&resource(egfr)), None);
    }
}
