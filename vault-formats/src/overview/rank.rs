//! Which of two values of one thing is the one that counts.
//!
//! Source: FHIR R4, Observation, `status` and `issued`.

use serde_json::Value;
use vault_core::ClinicalDate;

use super::read::{has_code, string};
use crate::export::Resource;

/// Orders results: by date, then by how certain they are, then by when they were issued.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    date: Option<ClinicalDate>,
    certainty: u8,
    issued: Option<ClinicalDate>,
}

impl Rank {
    /// Of a record.
    pub(crate) fn of(resource: &Resource) -> Self {
        let json = &resource.json;
        let issued = string(json, "issued").and_then(|text| text.parse().ok());
        Self {
            date: resource.meta.date.clone(),
            certainty: certainty(json),
            issued,
        }
    }
}

fn certainty(json: &Value) -> u8 {
    let is = |codes: &[&str]| has_code(json.get("status"), codes);
    if is(&["corrected", "amended", "appended"]) {
        3
    } else if is(&["final"]) {
        2
    } else {
        u8::from(is(&["preliminary", "partial"]))
    }
}

/// The status of a result where it is not simply final, in words.
pub(crate) fn not_final(json: &Value) -> Option<String> {
    let status = string(json, "status")?;
    match status {
        "final" => None,
        "unknown" => Some("status unknown".to_owned()),
        other => Some(super::text::clean_line(&super::page::spaced(other))),
    }
}

/// The note of a value that stands for many, for example `latest of 12 samples`.
pub(crate) fn sampled(json: &Value) -> Option<String> {
    let mut notes = super::read::items(json, "note").iter();
    notes.find_map(|note| {
        let text = string(note, "text")?.to_lowercase();
        let from = text.get(text.find("latest of ")?..)?;
        let end = from.find("samples")? + "samples".len();
        let found = from.get(..end).filter(|found| found.len() <= 40)?;
        Some(super::text::clean_line(found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vault_core::RecordId;

    #[test]
    fn date_then_status_then_issued() {
        let rank = |date: &str, status: &str, issued: &str| {
            let json = json!({"resourceType": "Observation", "status": status, "effectiveDateTime": date, "issued": issued});
            let meta = vault_core::record::summary(&json.to_string()).unwrap();
            let record = RecordId::from_bytes([0; 16]);
            Rank::of(&Resource { record, meta, json })
        };
        let ordered = [
            rank("2024-01-01", "unknown", ""),
            rank("2024-01-01", "preliminary", "2024-01-09T00:00:00Z"),
            rank("2024-01-01", "final", "2024-01-02T00:00:00Z"),
            rank("2024-01-01", "final", "2024-01-03T00:00:00Z"),
            rank("2024-01-01", "corrected", "2024-01-02T00:00:00Z"),
            rank("2024-01-02", "preliminary", ""),
        ];
        assert!(ordered.is_sorted_by(|a, b| a < b));
        let note = json!({"note": [{"text": "x"}, {"text": "Latest of 12 samples of the day"}]});
        assert_eq!(sampled(&note).as_deref(), Some("latest of 12 samples"));
    }
}
