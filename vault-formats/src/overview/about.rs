//! About whom a record is.
//!
//! A vault may hold the records of a child beside those of its owner, and different sources may use
//! one reference for different persons. What is not clearly about the patient is never taken for it.
//!
//! Source: FHIR R4, elements `subject` and `patient`, "Resource References".

use std::collections::BTreeMap;

use serde_json::Value;
use vault_core::RecordId;

use super::read::{items, string};
use super::reference::{names, target};
use crate::export::Resource;
use crate::{Person, SamePerson};

/// About whom a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The patient of the vault.
    Patient,
    /// Somebody or something else.
    Other,
    /// Nobody that is known, or several persons.
    Unclear,
}

/// What the persons behind one name are to the patient.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    own: bool,
    other: bool,
}

/// The patient of a vault and all others its records name.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    own: Option<usize>,
    person: Option<Person>,
    count: usize,
    by_origin: BTreeMap<(Option<RecordId>, String), Seen>,
    by_name: BTreeMap<String, Seen>,
}

impl Persons {
    /// Of all Patient resources. The patient is the one of the record `chosen`, else one that has the
    /// `owner`'s name, else the first; those that were not derived from a document come first.
    pub(crate) fn new(
        patients: &[Resource],
        chosen: Option<RecordId>,
        owner: Option<&Person>,
    ) -> Self {
        let place = |test: &dyn Fn(&Resource) -> bool| patients.iter().position(test);
        let named = |patient: &Resource| {
            let person = Person::from_patient(&patient.json);
            let names = owner.zip(person.filter(Person::has_names));
            names.is_some_and(|(owner, person)| owner.has_name_of(&person))
        };
        let own = place(&|patient| Some(patient.record) == chosen)
            .or_else(|| place(&|patient| named(patient) && patient.meta.origin.is_none()))
            .or_else(|| place(&named))
            .or_else(|| place(&|patient| patient.meta.origin.is_none()))
            .or_else(|| place(&|_| true));
        let person = own
            .and_then(|own| patients.get(own))
            .and_then(|own| Person::from_patient(&own.json));
        let mut persons = Self {
            own,
            person,
            count: patients.len(),
            ..Self::default()
        };
        for patient in patients {
            let other = persons.compare(&patient.json) == SamePerson::Other;
            for name in names(&patient.json) {
                let origin = patient.meta.origin;
                let by_origin = persons.by_origin.entry((origin, name.clone()));
                for seen in [
                    by_origin.or_default(),
                    persons.by_name.entry(name).or_default(),
                ] {
                    seen.own |= !other;
                    seen.other |= other;
                }
            }
        }
        persons
    }

    /// The place of the patient among all Patient resources.
    pub(crate) fn own(&self) -> Option<usize> {
        self.own
    }

    /// Whether a Patient resource is of the patient; who names nobody is taken to be.
    pub(crate) fn compare(&self, patient: &Value) -> SamePerson {
        match (&self.person, Person::from_patient(patient)) {
            (Some(own), Some(person)) => own.compare(&person),
            _ => SamePerson::Same,
        }
    }

    /// The names that lead to the patient and to nobody else.
    pub(crate) fn own_names(&self) -> impl Iterator<Item = &String> {
        let own = self
            .by_name
            .iter()
            .filter(|(_, seen)| seen.own && !seen.other);
        own.map(|(name, _)| name)
    }

    /// About whom a record is. Where no more than one Patient is known, or the record names nobody, it
    /// is the patient.
    pub(crate) fn about(&self, resource: &Resource) -> About {
        let json = &resource.json;
        let subject = ["subject", "patient"].iter().find_map(|key| json.get(*key));
        let Some(subject) = subject else {
            return About::Patient;
        };
        let reference = string(subject, "reference").unwrap_or_default();
        if let Some(id) = reference.strip_prefix('#') {
            let mut contained = items(json, "contained").iter();
            return match contained.find(|inner| string(inner, "id") == Some(id)) {
                Some(inner) if string(inner, "resourceType") != Some("Patient") => About::Other,
                Some(inner) if self.compare(inner) == SamePerson::Other => About::Other,
                Some(_) => About::Patient,
                None => self.unknown(),
            };
        }
        let name = target(reference);
        let kind = name.as_deref().and_then(|name| name.split_once('/'));
        if kind.is_some_and(|(kind, _)| {
            kind != "Patient" && kind.starts_with(|c: char| c.is_ascii_uppercase())
        }) {
            return About::Other;
        }
        let Some(name) = name else {
            return self.unknown();
        };
        let within = self.by_origin.get(&(resource.meta.origin, name.clone()));
        match within.or_else(|| self.by_name.get(&name)) {
            Some(Seen {
                own: true,
                other: false,
            }) => About::Patient,
            Some(Seen { own: false, .. }) => About::Other,
            Some(_) => About::Unclear,
            None => self.unknown(),
        }
    }

    fn unknown(&self) -> About {
        if self.count <= 1 {
            About::Patient
        } else {
            About::Unclear
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(number: u8, origin: Option<u8>, json: Value) -> Resource {
        let mut meta = vault_core::record::summary(&json.to_string()).unwrap();
        meta.origin = origin.map(|n| RecordId::from_bytes([n; 16]));
        let record = RecordId::from_bytes([number; 16]);
        Resource { record, meta, json }
    }

    fn patient(number: u8, origin: Option<u8>, id: &str, given: &str, born: &str) -> Resource {
        resource(
            number,
            origin,
            json!({"resourceType": "Patient", "id": id,
            "name": [{"family": "Lind", "given": [given]}], "birthDate": born}),
        )
    }

    fn about(persons: &Persons, origin: Option<u8>, subject: Value) -> About {
        persons.about(&resource(
            9,
            origin,
            json!({"resourceType": "Condition", "subject": subject}),
        ))
    }

    #[test]
    fn records_of_others_and_of_nobody_known() {
        let patients = [
            patient(1, None, "1", "Mira", "1980-05-06"),
            patient(2, None, "2", "Otto", "2015-01-01"),
            patient(3, Some(50), "7", "Mira", "1980-05-06"),
            patient(4, Some(60), "7", "Otto", "2015-01-01"),
        ];
        let persons = Persons::new(&patients, None, None);
        let to = |reference: &str| json!({"reference": reference});
        for (origin, reference, expected) in [
            (None, "Patient/1", About::Patient),
            (None, "http://h/fhir/Patient/1/_history/3", About::Patient),
            (None, "urn:uuid:2", About::Other),
            (None, "Patient/404", About::Unclear),
            (Some(50), "Patient/7", About::Patient),
            (Some(60), "Patient/7", About::Other),
            (Some(70), "Patient/7", About::Unclear),
            (None, "Group/1", About::Other),
        ] {
            assert_eq!(about(&persons, origin, to(reference)), expected);
        }
        assert_eq!(
            about(&persons, None, json!({"display": "x"})),
            About::Unclear
        );
        let child = Persons::new(&patients, Some(patients[1].record), None);
        assert_eq!(about(&child, None, to("Patient/2")), About::Patient);
        // among several it is whoever has the owner's name
        let owner = Person::named("Otto");
        let otto = Persons::new(&patients, None, Some(&owner));
        assert_eq!(otto.own(), Some(1));
        let alone = Persons::new(&patients[..1], None, None);
        assert_eq!(about(&alone, None, to("Patient/404")), About::Patient);
    }
}
