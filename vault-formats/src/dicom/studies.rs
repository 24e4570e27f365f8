//! Studies: the files of one import put together again.

use std::collections::BTreeMap;

use vault_core::Digest;

use super::instance::Instance;
use super::study::Study;
use crate::{Derived, Moment};

/// Most files that are put together; further ones are kept as files only.
pub const MAX_INSTANCES: usize = 50_000;

/// Collects what the files of one import say about their studies.
///
/// The result does not depend on the order of the files: where they disagree, the one with the
/// lowest SOP Instance UID is believed.
#[derive(Debug, Default)]
pub struct Studies {
    studies: BTreeMap<String, Study>,
    count: usize,
    left_out: usize,
}

impl Studies {
    /// Nothing collected yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file by what [`read`](super::read) found in it and the SHA-256 of its bytes. A file
    /// that was added before changes nothing.
    pub fn add(&mut self, instance: &Instance, digest: &Digest) {
        if self.count >= MAX_INSTANCES {
            self.left_out += 1;
            return;
        }
        let study = self.studies.entry(instance.study_uid.clone()).or_default();
        self.count += usize::from(study.add(instance, digest));
    }

    /// How many files came after the first [`MAX_INSTANCES`].
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// For every study, by its UID: an ImagingStudy with its series and instances, as far as they were added, its
    /// Patient and their Provenance. What they are derived from is the SHA-256 over the hashes of the
    /// files in ascending order.
    ///
    /// Source: FHIR R4, resource ImagingStudy, and its mapping to DICOM.
    pub fn finish(self, when: Moment) -> Vec<(String, Vec<Derived>)> {
        let studies = self.studies.into_iter();
        let derive = |(uid, study): (String, _)| {
            let derived = Study::derive(study, &uid, when);
            (uid, derived)
        };
        studies.map(derive).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use vault_core::{Category, Kind, Label};

    use super::super::coded::Coded;
    use super::super::instance::Subject;
    use super::super::value::PersonName;
    use super::*;

    fn flat(studies: Studies) -> Vec<Derived> {
        let derived = studies.finish(Moment(0)).into_iter();
        derived.flat_map(|(_, derived)| derived).collect()
    }

    fn instance(study: &str, series: &str, uid: &str, number: u32) -> Instance {
        Instance {
            study_uid: study.into(),
            series_uid: series.into(),
            sop_uid: uid.into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
            modality: Some("CT".into()),
            study_started: "2024-03-01T10:15+01:00".parse().ok(),
            series_started: "2024-03-01".parse().ok(),
            study_description: Some("Chest".into()),
            series_description: None,
            series_number: Some(2),
            number: Some(number),
            body_part: Some("CHEST".into()),
            region: None,
            laterality: Some("L".into()),
            procedures: vec![Coded {
                system: Some("LN".into()),
                code: "24627-2".into(),
                meaning: Some("CT Chest".into()),
            }],
            patient: Subject {
                names: PersonName::parse("Lind^Mira^Jane"),
                born: "1980-05-06".parse().ok(),
                sex: Some("F".into()),
                id: Some("P1".into()),
                issuer: Some("North Clinic".into()),
            },
            referrer: Some("Dr Ada Okafor".into()),
            performer: None,
            institution: Some("North Clinic".into()),
            accession: Some("A-77".into()),
            labels: BTreeSet::new(),
        }
    }

    fn json_of(derived: &Derived) -> Value {
        serde_json::from_slice(&derived.content).unwrap()
    }

    #[test]
    fn a_study_of_two_series() {
        let mut studies = Studies::new();
        let files = [
            instance("1.2", "1.2.1", "1.2.1.10", 10),
            instance("1.2", "1.2.1", "1.2.1.9", 9),
            instance("1.2", "1.2.2", "1.2.2.1", 1),
        ];
        for (at, file) in files.iter().enumerate() {
            studies.add(file, &Digest::of(&[at as u8]));
            // the same file again
            studies.add(file, &Digest::of(&[at as u8]));
        }
        let derived = flat(studies);
        assert_eq!(derived.len(), 3);
        let (patient, study) = (json_of(&derived[0]), json_of(&derived[1]));
        assert_eq!(
            patient,
            json!({
                "resourceType": "Patient",
                "id": patient["id"],
                "identifier": [{"value": "P1", "assigner": {"display": "North Clinic"}}],
                "name": [{"family": "Lind", "given": ["Mira", "Jane"]}],
                "gender": "female",
                "birthDate": "1980-05-06",
            })
        );
        let ct = json!({"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"});
        let class = json!({
            "system": "urn:ietf:rfc:3986",
            "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2",
        });
        let series = |uid: &str, files: Value| {
            json!({
                "uid": uid, "number": 2, "modality": ct,
                "numberOfInstances": files.as_array().unwrap().len(),
                "bodySite": {"display": "CHEST"},
                "laterality": {"system": "http://snomed.info/sct", "code": "419161000",
                    "display": "Unilateral left"},
                "started": "2024-03-01",
                "instance": files,
            })
        };
        let first = json!([
            {"uid": "1.2.1.9", "sopClass": class, "number": 9},
            {"uid": "1.2.1.10", "sopClass": class, "number": 10},
        ]);
        let second = json!([{"uid": "1.2.2.1", "sopClass": class, "number": 1}]);
        assert_eq!(
            study,
            json!({
                "resourceType": "ImagingStudy",
                "id": study["id"],
                "identifier": [
                    {"system": "urn:dicom:uid", "value": "urn:oid:1.2"},
                    {"type": {"coding": [{
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                        "code": "ACSN"}]}, "value": "A-77"},
                ],
                "status": "available",
                "modality": [ct],
                "subject": {"reference": format!("Patient/{}", patient["id"].as_str().unwrap())},
                "started": "2024-03-01T10:15:00+01:00",
                "referrer": {"display": "Dr Ada Okafor"},
                "location": {"display": "North Clinic"},
                "procedureCode": [{"coding": [{"system": "http://loinc.org", "code": "24627-2",
                    "display": "CT Chest"}]}],
                "description": "Chest",
                "numberOfSeries": 2,
                "numberOfInstances": 3,
                "series": [series("1.2.1", first), series("1.2.2", second)],
            })
        );
        assert_eq!(derived[1].meta.category, Category::Imaging);
        assert_eq!(derived[2].meta.kind, Kind::new("Provenance").unwrap());
        // SHA-256 of the three hashes in ascending order
        let mut hashes = [0_u8, 1, 2].map(|at| *Digest::of(&[at]).as_bytes());
        hashes.sort_unstable();
        let expected: String = Digest::of(&hashes.concat())
            .as_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let source = &json_of(&derived[2])["entity"][0]["what"]["identifier"]["value"];
        assert_eq!(source, &json!(format!("urn:sha256:{expected}")));
    }

    #[test]
    fn the_order_of_files_does_not_matter() {
        let mut files: Vec<Instance> = (0..6)
            .map(|n| instance("1.2", "1.2.1", &format!("1.2.1.{n}"), n))
            .collect();
        files[3].study_description = Some("Thorax".into());
        files[0].study_description = None;
        files[5].labels.insert(Label::unclear());
        files.push(instance("1.9", "1.9.1", "1.9.1.1", 1));
        let make = |files: &[Instance]| {
            let mut studies = Studies::new();
            for file in files {
                studies.add(file, &Digest::of(file.sop_uid.as_bytes()));
            }
            flat(studies)
        };
        let derived = make(&files);
        files.reverse();
        assert_eq!(derived, make(&files));
        assert_eq!(derived.len(), 6);
        assert_eq!(json_of(&derived[1])["description"], json!("Chest"));
        assert!(derived[1].meta.labels.contains(&Label::unclear()));
        assert!(derived[4].meta.labels.is_empty());
    }

    #[test]
    fn little_known_still_is_a_valid_study() {
        let mut file = instance("1.2", "1.2.1", "1.2.1.1", 1);
        file.patient = Subject::default();
        file.modality = None;
        let mut studies = Studies::new();
        studies.add(&file, &Digest::of(b"a"));
        let derived = flat(studies);
        assert_eq!(derived.len(), 2);
        let study = json_of(&derived[0]);
        assert_eq!(study["subject"], json!({"display": "not named"}));
        assert_eq!(study["series"][0]["modality"]["code"], json!("OT"));
    }
}
