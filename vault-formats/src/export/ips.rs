//! A patient summary for a clinic: an IPS document made of the records of a vault.
//!
//! Sources: HL7 International Patient Summary Implementation Guide 2.0; FHIR R4, "Documents",
//! resources Bundle and Composition. No profile is claimed: whether the records meet those of the
//! guide is for their authors.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use vault_core::RecordId;

use super::ips_kept::{Chosen, Kept, device_uses, supports};
use super::ips_sections::{
    ALLERGIES, DEVICES, MEDICATIONS, PROBLEMS, SECTIONS, narrative, row, says_none, sentence,
};
use super::links::{rewrite, targets, urn_of, uuid, uuid_of};
use super::r4::to_r4;
use super::{LeftOut, Resource};
use crate::Moment;
use crate::overview::{About, UNCERTAIN, names, string, target, title};

/// How a patient summary is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsOptions {
    /// How many results of each code, the newest first.
    pub results_per_code: usize,
    /// The Patient record the summary is about; where it is not given, the first one.
    pub patient: Option<RecordId>,
    /// Whose vault it is: among several Patient records the one of this name is meant.
    pub owner: Option<crate::Person>,
    /// The title of the document.
    pub title: String,
}

impl Default for IpsOptions {
    fn default() -> Self {
        Self {
            results_per_code: 1,
            patient: None,
            owner: None,
            title: "Patient summary".into(),
        }
    }
}

/// A patient summary and what is not in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IpsDocument {
    /// The Bundle of type document.
    pub bundle: Value,
    /// Records, or elements of records, that belong into it and had to be left out.
    pub left_out: Vec<LeftOut>,
    /// How many records each section has, by its LOINC code.
    pub entries: BTreeMap<&'static str, usize>,
}

/// Makes an IPS document of these resources, of which each is the newest version. They may be lent or
/// handed over one after the other; only those that may belong into the document are kept meanwhile.
pub fn ips<R: Borrow<Resource>>(
    resources: impl IntoIterator<Item = R>,
    when: Moment,
    options: &IpsOptions,
) -> IpsDocument {
    Document::new(Kept::of(resources, when, options), when).write(options)
}

/// The document while it is put together.
struct Document {
    when: Moment,
    patient_url: String,
    /// Full URL and resource, in the order of the Bundle.
    entries: Vec<(String, Value)>,
    /// Rows, URLs, and whether a record said that there is nothing, by section.
    sections: BTreeMap<usize, Filled>,
    left_out: Vec<LeftOut>,
    records: BTreeSet<RecordId>,
    sensitive: bool,
}

#[derive(Default)]
struct Filled {
    rows: Vec<[String; 3]>,
    urls: Vec<String>,
    none_known: bool,
}

impl Document {
    fn new(mut kept: Kept, when: Moment) -> Self {
        kept.drop_denied();
        let left_out = std::mem::take(&mut kept.left_out);
        let known = &kept.known;
        let mut patient = known
            .persons
            .own()
            .and_then(|own| known.patients.get(own))
            .cloned();
        if let (Some(patient), Some((key, died))) = (&mut patient, known.died())
            && let Some(object) = patient.json.as_object_mut()
        {
            object.retain(|key, _| !key.starts_with("deceased") && !key.starts_with("_deceased"));
            object.insert(key.into(), died);
        }
        let patient_url = match &patient {
            Some(patient) => urn_of("ips", patient.record),
            None => format!("urn:uuid:{}", uuid("ips patient", b"")),
        };
        let mut document = Self {
            when,
            patient_url,
            entries: Vec::new(),
            sections: BTreeMap::new(),
            left_out,
            records: BTreeSet::new(),
            sensitive: false,
        };
        // every name of this person leads to one resource, the names of others lead nowhere
        let mut to: BTreeMap<String, String> = BTreeMap::new();
        for name in known.persons.own_names() {
            to.insert(name.clone(), document.patient_url.clone());
        }
        let mut wanted = document.add_patient(patient.as_ref());
        let stranger = |resource: &Resource| known.persons.about(resource) != About::Patient;
        // whose device it is does not matter where it is mentioned, and may be somebody else
        let mut support = kept.support;
        for device in &mut support {
            if stranger(device)
                && let Some(object) = device.json.as_object_mut()
            {
                object.remove("patient");
            }
        }
        let by_name = supports(&support);
        let chosen: Vec<(usize, Chosen)> = kept
            .sections
            .into_iter()
            .flat_map(|(at, of)| of.into_values().flatten().map(move |one| (at, one)))
            .collect();
        let uses = device_uses(&chosen, &support, &document.patient_url);
        let mut places: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (at, one) in chosen.iter().chain(&uses) {
            if let Some(url) = document.add_entry(*at, one, &support, &by_name, &mut wanted) {
                // records refer to each other; a name of two of them leads nowhere
                for name in names(&one.resource.json) {
                    let known = places.entry(name).or_insert_with(|| Some(url.clone()));
                    if known.as_ref() != Some(&url) {
                        *known = None;
                    }
                }
            }
        }
        for (name, place) in places {
            if let Some(place) = place {
                to.entry(name).or_insert(place);
            }
        }
        document.add_support(&support, &by_name, wanted, &mut to);
        for (_, resource) in &mut document.entries {
            let Some(resource) = resource.as_object_mut() else {
                continue;
            };
            let patient = resource.get("resourceType") == Some(&json!("Patient"));
            rewrite(resource, &to);
            for key in ["subject", "patient"] {
                if !patient && resource.contains_key(key) {
                    resource.insert(key.into(), json!({ "reference": document.patient_url }));
                }
            }
        }
        document
    }

    fn leave_out(&mut self, record: RecordId, what: impl Into<String>) {
        self.left_out.push(LeftOut {
            record,
            what: what.into(),
        });
    }

    /// Converts a resource, gives it its place and says what it refers to; `None` when it cannot be
    /// had.
    fn add(&mut self, resource: &Resource, purpose: &str) -> Option<Vec<String>> {
        let mut json = resource.json.clone();
        // who it is about is settled later, and R4 requires it
        let about = match string(&json, "resourceType") {
            Some("AllergyIntolerance" | "Immunization") => "patient",
            _ => "subject",
        };
        if let Some(object) = json.as_object_mut()
            && !object.contains_key("patient")
            && !object.contains_key("subject")
        {
            object.insert(about.into(), json!({ "reference": self.patient_url }));
        }
        match to_r4(&json) {
            Ok(converted) => {
                for lost in converted.lost {
                    // names of elements only: they are short and plain, or not of FHIR
                    let name: String = lost
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .take(40)
                        .collect();
                    if lost != about {
                        self.leave_out(
                            resource.record,
                            format!("{name}, which R4 has not or has otherwise"),
                        );
                    }
                }
                let mut out = converted.resource;
                out.insert("id".into(), json!(uuid_of(purpose, resource.record)));
                let out = Value::Object(out);
                let found = targets(&out);
                self.entries.push((urn_of(purpose, resource.record), out));
                self.records.insert(resource.record);
                self.sensitive |= resource.meta.is_sensitive();
                Some(found)
            }
            Err(why) => {
                self.leave_out(resource.record, why);
                None
            }
        }
    }

    /// Adds the patient, or one of whom nothing is known, and says what it refers to.
    fn add_patient(&mut self, patient: Option<&Resource>) -> Vec<String> {
        if let Some(found) = patient.and_then(|patient| self.add(patient, "ips")) {
            return found;
        }
        let unknown = json!({"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }]});
        let id = self.patient_url.trim_start_matches("urn:uuid:");
        let made =
            json!({"resourceType": "Patient", "id": id, "name": [unknown], "_birthDate": unknown});
        self.entries.push((self.patient_url.clone(), made));
        Vec::new()
    }

    /// Adds a record to its section.
    fn add_entry(
        &mut self,
        at: usize,
        one: &Chosen,
        support: &[Resource],
        by_name: &BTreeMap<String, usize>,
        wanted: &mut Vec<String>,
    ) -> Option<String> {
        let resource = &with_words(one);
        let none_known = says_none(&resource.json);
        let purpose = if at == DEVICES && resource.meta.kind.as_str() == "Device" {
            "ips use"
        } else {
            "ips"
        };
        let named = ["medicationReference", "device", "medication"]
            .iter()
            .find_map(|key| {
                let value = resource.json.get(*key)?;
                let value = value
                    .get("reference")
                    .filter(|inner| inner.is_object())
                    .unwrap_or(value);
                let at = by_name.get(&target(string(value, "reference")?)?)?;
                title(&support.get(*at)?.json)
            });
        let found = self.add(resource, purpose);
        let filled = self.sections.entry(at).or_default();
        if found.is_none() && none_known {
            filled.none_known = true;
            return None;
        }
        // the words are there for people, also where no program can have the record
        filled.rows.push(row(resource, named, &one.beside));
        wanted.extend(found?);
        let url = urn_of(purpose, resource.record);
        filled.urls.push(url.clone());
        Some(url)
    }

    /// Adds what the records refer to, and what that refers to.
    fn add_support(
        &mut self,
        support: &[Resource],
        by_name: &BTreeMap<String, usize>,
        mut wanted: Vec<String>,
        to: &mut BTreeMap<String, String>,
    ) {
        let mut done = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            let Some(at) = by_name.get(&name).copied().filter(|at| done.insert(*at)) else {
                continue;
            };
            let Some(resource) = support.get(at) else {
                continue;
            };
            if let Some(found) = self.add(resource, "ips") {
                wanted.extend(found);
                for name in names(&resource.json) {
                    to.insert(name, urn_of("ips", resource.record));
                }
            }
        }
    }

    /// The Bundle.
    fn write(mut self, options: &IpsOptions) -> IpsDocument {
        let mut hash: Vec<u8> = self.when.0.to_be_bytes().to_vec();
        for record in &self.records {
            hash.extend(record.as_bytes());
        }
        let document = uuid("ips document", &hash);
        let composition_id = uuid("ips composition", &hash);
        let mut counts = BTreeMap::new();
        let mut sections = Vec::new();
        for (at, section) in SECTIONS.iter().enumerate() {
            let filled = self.sections.remove(&at).unwrap_or_default();
            if filled.rows.is_empty() && !section.always {
                continue;
            }
            counts.insert(section.code, filled.urls.len());
            let mut written = json!({
                "title": section.title,
                "code": {"coding": [{"system": "http://loinc.org", "code": section.code}]},
            });
            written["text"] = narrative(&filled.rows);
            if filled.urls.is_empty() {
                let may_be_nil = [PROBLEMS, ALLERGIES, MEDICATIONS].contains(&at);
                let none_known = filled.none_known && may_be_nil && filled.rows.is_empty();
                let (code, display, text) = match none_known {
                    true => ("nilknown", "Nil Known", "None known."),
                    false => ("unavailable", "Unavailable", "No information."),
                };
                if filled.rows.is_empty() {
                    written["text"] = sentence(text);
                }
                written["emptyReason"] = json!({"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
                    "code": code,
                    "display": display,
                }]});
            } else {
                let urls = filled.urls.iter().map(|url| json!({ "reference": url }));
                written["entry"] = Value::Array(urls.collect());
            }
            sections.push(written);
        }
        let composition = json!({
            "resourceType": "Composition",
            "id": composition_id,
            "text": sentence(&options.title),
            "status": "final",
            "type": {"coding": [{"system": "http://loinc.org", "code": "60591-5", "display": "Patient summary Document"}]},
            "subject": {"reference": self.patient_url},
            "date": self.when.instant(),
            "author": [{"reference": self.patient_url}],
            "title": vault_core::record::clean_title(&options.title),
            "confidentiality": if self.sensitive { "R" } else { "N" },
            "section": sections,
        });
        let mut entries = vec![json!({
            "fullUrl": format!("urn:uuid:{composition_id}"),
            "resource": composition,
        })];
        for (url, resource) in self.entries {
            entries.push(json!({"fullUrl": url, "resource": resource}));
        }
        let bundle = json!({
            "resourceType": "Bundle",
            "id": document,
            "identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{document}")},
            "type": "document",
            "timestamp": self.when.instant(),
            "entry": entries,
        });
        IpsDocument {
            bundle,
            left_out: self.left_out,
            entries: counts,
        }
    }
}

/// The record, with the name of its medicine where it has a reference only: words stay when the
/// reference leads nowhere. Where it is not certain which one is meant, there is no reference.
fn with_words(one: &Chosen) -> Resource {
    let mut resource = one.resource.clone();
    let Some(drug) = &one.beside.drug else {
        return resource;
    };
    let Some(object) = resource.json.as_object_mut() else {
        return resource;
    };
    for key in ["medicationReference", "medication"] {
        let Some(element) = object.get_mut(key) else {
            continue;
        };
        let element = match element.get("reference") {
            Some(Value::Object(_)) => element.get_mut("reference"),
            _ => Some(element),
        };
        let Some(element) = element.and_then(Value::as_object_mut) else {
            continue;
        };
        if !element.contains_key("reference") || element.contains_key("display") {
            continue;
        }
        match drug {
            Some(name) => {
                element.insert("display".into(), json!(name));
            }
            None => {
                element.clear();
                element.insert("display".into(), json!(UNCERTAIN));
            }
        }
    }
    resource
}

#[cfg(test)]
#[path = "ips_tests.rs"]
mod tests;
