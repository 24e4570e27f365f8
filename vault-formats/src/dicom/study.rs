//! One study as resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use vault_core::{ClinicalDate, Digest, Label};

use super::coded::Coded;
use super::instance::{Instance, Subject};
use super::value::fhir_date_time;
use crate::fhir::{coding, concept, reference};
use crate::{Derived, Deriver, Moment};

/// What the files of one study say.
#[derive(Debug, Default)]
pub(super) struct Study {
    description: First<String>,
    started: First<ClinicalDate>,
    accession: First<String>,
    referrer: First<String>,
    institution: First<String>,
    procedures: First<Vec<Coded>>,
    patient: First<Subject>,
    labels: BTreeSet<Label>,
    digests: BTreeSet<Digest>,
    series: BTreeMap<String, Series>,
}

#[derive(Debug, Default)]
struct Series {
    number: First<u32>,
    modality: First<String>,
    description: First<String>,
    started: First<ClinicalDate>,
    region: First<Coded>,
    body_part: First<String>,
    laterality: First<String>,
    performer: First<String>,
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    class: String,
    number: Option<u32>,
}

/// A value and the UID of the file that says it; the lowest one stays.
#[derive(Debug)]
struct First<T>(Option<(String, T)>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> First<T> {
    fn offer(&mut self, from: &str, value: Option<&T>) {
        let lower = self.0.as_ref().is_none_or(|(uid, _)| from < uid.as_str());
        if let Some(value) = value.filter(|_| lower) {
            self.0 = Some((from.to_owned(), value.clone()));
        }
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }
}

impl Study {
    /// Whether the file is a new one.
    pub(super) fn add(&mut self, instance: &Instance, digest: &Digest) -> bool {
        if !self.digests.insert(*digest) {
            return false;
        }
        let from = instance.sop_uid.as_str();
        self.labels.extend(instance.labels.iter().cloned());
        self.description
            .offer(from, instance.study_description.as_ref());
        self.started.offer(from, instance.study_started.as_ref());
        self.accession.offer(from, instance.accession.as_ref());
        self.referrer.offer(from, instance.referrer.as_ref());
        self.institution.offer(from, instance.institution.as_ref());
        let procedures = Some(&instance.procedures).filter(|codes| !codes.is_empty());
        self.procedures.offer(from, procedures);
        let named = Some(&instance.patient).filter(|patient| **patient != Subject::default());
        self.patient.offer(from, named);
        let series = self.series.entry(instance.series_uid.clone());
        series.or_default().add(instance);
        true
    }

    /// The ImagingStudy, its Patient and their Provenance.
    pub(super) fn derive(self, uid: &str, when: Moment) -> Vec<Derived> {
        let mut hashes = Vec::with_capacity(self.digests.len() * 32);
        for digest in &self.digests {
            hashes.extend(digest.as_bytes());
        }
        let mut deriver = Deriver::new(Digest::of(&hashes), when, self.labels.clone());
        let subject = match self.patient.get() {
            Some(patient) => reference(&deriver.add("Patient", patient_resource(patient), [])),
            None => json!({"display": "not named"}),
        };
        let mut resource = self.resource(uid);
        resource.insert("subject".into(), subject);
        deriver.add("ImagingStudy", resource, []);
        deriver.finish("DICOM")
    }

    fn resource(&self, uid: &str) -> Map<String, Value> {
        let mut study = Map::new();
        let mut identifiers = vec![json!({
            "system": "urn:dicom:uid",
            "value": format!("urn:oid:{uid}"),
        })];
        if let Some(accession) = self.accession.get() {
            identifiers.push(json!({
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                    "code": "ACSN",
                }]},
                "value": accession,
            }));
        }
        study.insert("identifier".into(), Value::Array(identifiers));
        study.insert("status".into(), json!("available"));
        let modalities: BTreeSet<&str> = self.series.values().map(Series::modality).collect();
        let modalities = modalities.into_iter().filter_map(modality_coding);
        study.insert("modality".into(), modalities.collect());
        if let Some(started) = self.started.get() {
            study.insert("started".into(), json!(fhir_date_time(started)));
        }
        if let Some(referrer) = self.referrer.get() {
            study.insert("referrer".into(), json!({ "display": referrer }));
        }
        if let Some(institution) = self.institution.get() {
            study.insert("location".into(), json!({ "display": institution }));
        }
        let procedures: Vec<Value> = self
            .procedures
            .get()
            .into_iter()
            .flatten()
            .filter_map(|code| concept(code.to_fhir().into_iter().collect(), None))
            .collect();
        if !procedures.is_empty() {
            study.insert("procedureCode".into(), Value::Array(procedures));
        }
        if let Some(description) = self.description.get() {
            study.insert("description".into(), json!(description));
        }
        let files: usize = self.series.values().map(|series| series.files.len()).sum();
        study.insert("numberOfSeries".into(), json!(self.series.len()));
        study.insert("numberOfInstances".into(), json!(files));
        let mut series: Vec<(&String, &Series)> = self.series.iter().collect();
        series.sort_by_key(|(uid, series)| (series.number.get().copied(), *uid));
        let series = series.into_iter().map(|(uid, series)| series.resource(uid));
        study.insert("series".into(), series.collect());
        study
    }
}

impl Series {
    fn add(&mut self, instance: &Instance) {
        let from = instance.sop_uid.as_str();
        self.number.offer(from, instance.series_number.as_ref());
        self.modality.offer(from, instance.modality.as_ref());
        self.description
            .offer(from, instance.series_description.as_ref());
        self.started.offer(from, instance.series_started.as_ref());
        self.region.offer(from, instance.region.as_ref());
        self.body_part.offer(from, instance.body_part.as_ref());
        self.laterality.offer(from, instance.laterality.as_ref());
        self.performer.offer(from, instance.performer.as_ref());
        let file = File {
            class: instance.sop_class.clone(),
            number: instance.number,
        };
        self.files.entry(instance.sop_uid.clone()).or_insert(file);
    }

    /// R4 wants one; what a file does not say is "other".
    fn modality(&self) -> &str {
        self.modality.get().map_or("OT", String::as_str)
    }

    fn resource(&self, uid: &str) -> Value {
        let mut series = Map::new();
        series.insert("uid".into(), json!(uid));
        if let Some(number) = self.number.get() {
            series.insert("number".into(), json!(number));
        }
        if let Some(modality) = modality_coding(self.modality()) {
            series.insert("modality".into(), modality);
        }
        if let Some(description) = self.description.get() {
            series.insert("description".into(), json!(description));
        }
        series.insert("numberOfInstances".into(), json!(self.files.len()));
        let site = self.region.get().and_then(Coded::to_fhir).or_else(|| {
            let name = self.body_part.get()?;
            Some(json!({ "display": name }))
        });
        if let Some(site) = site {
            series.insert("bodySite".into(), site);
        }
        if let Some(side) = self.laterality.get().and_then(|side| laterality(side)) {
            series.insert("laterality".into(), side);
        }
        if let Some(started) = self.started.get() {
            series.insert("started".into(), json!(fhir_date_time(started)));
        }
        if let Some(performer) = self.performer.get() {
            series.insert(
                "performer".into(),
                json!([{"actor": {"display": performer}}]),
            );
        }
        let mut files: Vec<(&String, &File)> = self.files.iter().collect();
        files.sort_by_key(|(uid, file)| (file.number, *uid));
        let instances = files.into_iter().map(|(uid, file)| {
            let mut instance = Map::new();
            instance.insert("uid".into(), json!(uid));
            instance.insert(
                "sopClass".into(),
                json!({
                    "system": "urn:ietf:rfc:3986",
                    "code": format!("urn:oid:{}", file.class),
                }),
            );
            if let Some(number) = file.number {
                instance.insert("number".into(), json!(number));
            }
            Value::Object(instance)
        });
        series.insert("instance".into(), instances.collect());
        Value::Object(series)
    }
}

/// A code of a modality; one that is no code is "other".
fn modality_coding(modality: &str) -> Option<Value> {
    coding(Some("DCM"), modality, None).or_else(|| coding(Some("DCM"), "OT", None))
}

/// Source: FHIR R4, value set bodysite-laterality.
fn laterality(side: &str) -> Option<Value> {
    let (code, display) = match side {
        "L" => ("419161000", "Unilateral left"),
        "R" => ("419465000", "Unilateral right"),
        "B" => ("51440002", "Bilateral"),
        _ => return None,
    };
    coding(Some("SCT"), code, Some(display))
}

fn patient_resource(subject: &Subject) -> Map<String, Value> {
    let mut patient = Map::new();
    if let Some(id) = &subject.id {
        let mut identifier = Map::new();
        identifier.insert("value".into(), json!(id));
        if let Some(issuer) = &subject.issuer {
            identifier.insert("assigner".into(), json!({ "display": issuer }));
        }
        patient.insert("identifier".into(), json!([identifier]));
    }
    if !subject.names.is_empty() {
        let names = subject.names.iter().map(|name| name.to_fhir());
        patient.insert("name".into(), names.collect());
    }
    let gender = match subject.sex.as_deref() {
        Some("M") => Some("male"),
        Some("F") => Some("female"),
        Some("O") => Some("other"),
        _ => None,
    };
    if let Some(gender) = gender {
        patient.insert("gender".into(), json!(gender));
    }
    if let Some(born) = &subject.born {
        patient.insert("birthDate".into(), json!(born.as_str()));
    }
    patient
}
