//! Where the clinical records inside an export came from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vault_core::ClinicalDate;
use vault_core::record::clean_field;

/// Most clinical records of one export.
const MAX_RECORDS: usize = 200_000;
/// Longest path of one, in bytes.
const MAX_PATH: usize = 256;
/// Most institutions, and most releases of FHIR, that are told apart.
const MAX_NAMES: usize = 1000;
const FOLDER: &str = "clinical-records/";

/// What an export says about one of its clinical records, which are FHIR files of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClinicalSource {
    /// The institution that it was fetched from.
    pub source_name: Option<Arc<str>>,
    /// The release of FHIR that it is written in, for example `1.0.2` or `4.0.1`.
    pub fhir_version: Option<Arc<str>>,
    /// When the phone received it.
    pub received: Option<ClinicalDate>,
}

/// The clinical records that an export lists, by the path of their file; at most 200,000.
#[derive(Debug, Default)]
pub struct ClinicalRecords {
    by_path: BTreeMap<Box<str>, ClinicalSource>,
    names: BTreeSet<Arc<str>>,
    left_out: u64,
}

impl ClinicalRecords {
    /// What is known about a member of the archive; any folder before `clinical-records/` is
    /// passed over.
    pub fn get(&self, member: &str) -> Option<&ClinicalSource> {
        self.by_path.get(in_folder(member)?)
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Whether there are none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// How many were not taken, being too many or without a path.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn add(
        &mut self,
        path: &str,
        source_name: &str,
        fhir_version: &str,
        received: Option<ClinicalDate>,
    ) {
        let path = in_folder(path).filter(|path| path.len() <= MAX_PATH);
        let Some(path) = path.filter(|_| self.by_path.len() < MAX_RECORDS) else {
            self.left_out += 1;
            return;
        };
        let source = ClinicalSource {
            source_name: self.name(source_name),
            fhir_version: self.name(fhir_version),
            received,
        };
        self.by_path.insert(path.into(), source);
    }

    /// The same few names come with every record.
    fn name(&mut self, text: &str) -> Option<Arc<str>> {
        let text = clean_field(text);
        if text.is_empty() {
            return None;
        }
        if let Some(known) = self.names.get(text.as_str()) {
            return Some(Arc::clone(known));
        }
        if self.names.len() >= MAX_NAMES {
            return None;
        }
        let name: Arc<str> = text.into();
        self.names.insert(Arc::clone(&name));
        Some(name)
    }
}

/// The path from the folder of the clinical records on.
fn in_folder(path: &str) -> Option<&str> {
    let at = path.rfind(FOLDER)?;
    let starts = at == 0 || path.as_bytes().get(at - 1) == Some(&b'/');
    path.get(at..)
        .filter(|rest| starts && rest.len() > FOLDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_the_path_in_the_archive() {
        let mut records = ClinicalRecords::default();
        let received = ClinicalDate::new("2024-01-01T01:01:36+02:00").ok();
        records.add(
            "/clinical-records/Observation-1.json",
            " Lakeside\u{7} Clinic",
            "4.0.1",
            received.clone(),
        );
        records.add("/elsewhere/Observation-1.json", "Lakeside", "", None);
        records.add("/clinical-records/", "Lakeside", "", None);
        let found = records.get("apple_health_export/clinical-records/Observation-1.json");
        let found = found.unwrap();
        assert_eq!(found.source_name.as_deref(), Some("Lakeside Clinic"));
        assert_eq!(found.fhir_version.as_deref(), Some("4.0.1"));
        assert_eq!(found.received, received);
        assert_eq!(
            records.get("apple_health_export/xclinical-records/Observation-1.json"),
            None
        );
        assert_eq!((records.len(), records.left_out()), (1, 2));
        assert!(!records.is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let mut records = ClinicalRecords::default();
        for at in 0..MAX_RECORDS + 5 {
            records.add(
                &format!("clinical-records/{at}.json"),
                &format!("{at}"),
                "4.0.1",
                None,
            );
        }
        assert_eq!((records.len(), records.left_out()), (MAX_RECORDS, 5));
        assert!(records.names.len() <= MAX_NAMES);
    }
}
