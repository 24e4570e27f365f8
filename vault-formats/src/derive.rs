//! Resources derived from an original that is not FHIR, with their provenance.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use vault_core::record::{FhirError, clean_field, clean_title, summary};
use vault_core::{Digest, Label, RecordMeta};
use zeroize::Zeroizing;

use crate::Moment;

/// A record that was derived from another. Whoever adds it sets the origin in its summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Its summary.
    pub meta: RecordMeta,
    /// Its bytes.
    pub content: Zeroizing<Vec<u8>>,
}

/// Collects what is derived from one original, gives every resource its id and notes where it came
/// from.
///
/// Ids follow from the original's hash and the order of the calls, so that the same original gives
/// the same resources.
#[derive(Debug)]
pub struct Deriver {
    original: Digest,
    when: Moment,
    labels: BTreeSet<Label>,
    out: Vec<Derived>,
    targets: Vec<String>,
}

impl Deriver {
    /// For an original with this SHA-256. `labels` are those of the original as a whole; every
    /// derived record gets them.
    pub fn new(original: Digest, when: Moment, labels: BTreeSet<Label>) -> Self {
        Self {
            original,
            when,
            labels,
            out: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Adds a resource and returns the reference by which others name it, `Type/id`. `resource`
    /// needs no `resourceType` and no `id`; `labels` are its own, beside those of the original.
    pub fn add(
        &mut self,
        kind: &str,
        resource: Map<String, Value>,
        labels: impl IntoIterator<Item = Label>,
    ) -> String {
        let reference = format!("{kind}/{}", self.next_id());
        self.add_as(&reference, resource, labels);
        reference
    }

    /// The id that the next resource will get: 32 hexadecimal digits.
    pub fn next_id(&self) -> String {
        self.id_at(self.targets.len())
    }

    fn id_at(&self, place: usize) -> String {
        let mut hash = Sha256::new();
        hash.update(b"medvault derived resource\0");
        hash.update(self.original.as_bytes());
        hash.update((place as u64).to_be_bytes());
        let full = hash.finalize();
        full.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }

    fn add_as(
        &mut self,
        reference: &str,
        mut resource: Map<String, Value>,
        labels: impl IntoIterator<Item = Label>,
    ) {
        self.targets.push(reference.to_owned());
        let Some((kind, id)) = reference.split_once('/') else {
            return;
        };
        resource.insert("resourceType".into(), json!(kind));
        resource.insert("id".into(), json!(id));
        let content = Value::Object(resource).to_string();
        // what the core cannot read back is no resource, and says nothing
        let Ok(mut meta) = summary(&content) else {
            return;
        };
        meta.labels.extend(self.labels.iter().cloned());
        meta.labels.extend(labels);
        self.out.push(Derived {
            meta,
            content: Zeroizing::new(content.into_bytes()),
        });
    }

    /// The reference that a resource of this type gets when it is added after `ahead` others.
    pub(crate) fn reference_ahead(&self, kind: &str, ahead: usize) -> String {
        format!("{kind}/{}", self.id_at(self.targets.len() + ahead))
    }

    /// Adds a resource that is FHIR already and keeps its id; `reference` is its `Type/id`.
    ///
    /// # Errors
    /// [`FhirError`] when the core cannot read it; then nothing is added.
    pub(crate) fn add_existing(&mut self, reference: &str, json: String) -> Result<(), FhirError> {
        let mut meta = summary(&json)?;
        meta.labels.extend(self.labels.iter().cloned());
        self.targets.push(reference.to_owned());
        self.out.push(Derived {
            meta,
            content: Zeroizing::new(json.into_bytes()),
        });
        Ok(())
    }

    /// Adds a file that lies inside the original, for example a PDF, as it is.
    pub fn add_file(&mut self, mut meta: RecordMeta, content: Vec<u8>) {
        meta.labels.extend(self.labels.iter().cloned());
        self.out.push(Derived {
            meta,
            content: Zeroizing::new(content),
        });
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// All of it; the last one, where there is any resource, is the Provenance of the others.
    /// `format` says what the original is, for people.
    ///
    /// Source: FHIR R4, resource Provenance.
    pub fn finish(mut self, format: &str) -> Vec<Derived> {
        if !self.targets.is_empty() {
            let targets: Vec<Value> = self
                .targets
                .iter()
                .map(|target| json!({ "reference": target }))
                .collect();
            let hash: String = self
                .original
                .as_bytes()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let provenance = json!({
                "target": targets,
                "recorded": self.when.instant(),
                "activity": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion",
                    "code": "AU",
                }], "text": clean_field(&format!("derived from {format}"))},
                "agent": [{
                    "type": {"coding": [{
                        "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                        "code": "assembler",
                        "display": "Assembler",
                    }]},
                    "who": {"display": "MedVault"},
                }],
                "entity": [{
                    "role": "source",
                    "what": {
                        "identifier": {
                            "system": "urn:ietf:rfc:3986",
                            "value": format!("urn:sha256:{hash}"),
                        },
                        "display": clean_field(format),
                    },
                }],
            });
            if let Value::Object(provenance) = provenance {
                self.add("Provenance", provenance, []);
                // people look for what it came from, not for the type
                if let Some(own) = self.out.last_mut() {
                    own.meta.title = clean_title(&format!("Derived from {format}"));
                }
            }
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deriver() -> Deriver {
        let labels = ["R".parse().unwrap()].into();
        Deriver::new(Digest::of(b"original"), Moment(0), labels)
    }

    #[test]
    fn the_same_original_gives_the_same_resources_with_provenance() {
        let make = || {
            let mut deriver = deriver();
            let patient = deriver.add("Patient", Map::new(), []);
            let mut pulse = Map::new();
            pulse.insert("code".into(), json!({"text": "Pulse"}));
            pulse.insert("subject".into(), json!({ "reference": patient }));
            deriver.add("Observation", pulse, ["HIV".parse().unwrap()]);
            deriver.finish("a test")
        };
        let derived = make();
        assert_eq!(derived, make());
        assert_eq!(derived.len(), 3);
        let parse = |at: usize| -> Value { serde_json::from_slice(&derived[at].content).unwrap() };
        assert_eq!(derived[1].meta.title, "Pulse");
        let labels: Vec<_> = derived[1].meta.labels.iter().map(Label::as_str).collect();
        assert_eq!(labels, ["HIV", "R"]);
        let patient = format!("Patient/{}", parse(0)["id"].as_str().unwrap());
        assert_eq!(parse(1)["subject"]["reference"], json!(patient));
        let provenance = parse(2);
        assert_eq!(provenance["target"][0]["reference"], json!(patient));
        assert_eq!(provenance["target"].as_array().unwrap().len(), 2);
        assert!(derived[2].meta.labels.contains(&"R".parse().unwrap()));
    }

    #[test]
    fn ids_are_known_ahead_and_existing_ones_are_kept() {
        let mut deriver = deriver();
        let ahead = deriver.reference_ahead("Observation", 2);
        deriver.add("Patient", Map::new(), []);
        let kept = r#"{"resourceType":"Condition","id":"c1"}"#;
        deriver.add_existing("Condition/c1", kept.into()).unwrap();
        assert_eq!(
            deriver.add_existing("Condition/c2", "{}".into()),
            Err(FhirError::NoResourceType)
        );
        assert_eq!(deriver.add("Observation", Map::new(), []), ahead);
        let derived = deriver.finish("a test");
        assert_eq!(derived.len(), 4);
        assert_eq!(*derived[1].content, kept.as_bytes());
        assert!(derived[1].meta.labels.contains(&"R".parse().unwrap()));
        let provenance: Value = serde_json::from_slice(&derived[3].content).unwrap();
        assert_eq!(provenance["target"][1]["reference"], "Condition/c1");
    }

    #[test]
    fn nothing_derived_needs_no_provenance() {
        assert!(deriver().finish("a test").is_empty());
    }
}
