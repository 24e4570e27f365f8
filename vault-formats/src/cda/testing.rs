//! Documents for tests, of made-up people.

use serde_json::Value;

use super::understand;
use crate::{Derived, Moment, Understood};

/// A short but whole summary of care.
pub(super) const SUMMARY: &str = include_str!("../../samples/cda/summary.xml");
/// A letter in a document.
pub(super) const LETTER: &str = include_str!("../../samples/cda/letter.xml");

pub(super) const PATIENT: &str =
    "<recordTarget><patientRole><id root='2.999.1' extension='17'/><patient>
    <name><given>Mira</given><family>Quill</family></name>
    <administrativeGenderCode code='F' codeSystem='2.16.840.1.113883.5.1'/>
    <birthTime value='19800506'/></patient></patientRole></recordTarget>";

/// A document with this header and body.
pub(super) fn with_header(header: &str, body: &str) -> Understood {
    let xml = format!(
        "<ClinicalDocument xmlns='urn:hl7-org:v3' xmlns:sdtc='urn:hl7-org:sdtc'
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{header}{body}</ClinicalDocument>"
    );
    understand(xml.as_bytes(), "test.xml", Moment(0)).expect("a clinical document")
}

/// A document about one patient, with one section of this LOINC code and these entries.
pub(super) fn with_entries(section: &str, entries: &[&str]) -> Understood {
    let entries: String = entries
        .iter()
        .map(|entry| format!("<entry>{entry}</entry>"))
        .collect();
    with_header(
        PATIENT,
        &format!(
            "<component><structuredBody><component><section>
             <code code='{section}' codeSystem='2.16.840.1.113883.6.1'/>
             <text><content ID='n1'>words of the <content>narrative</content></content></text>
             {entries}</section></component></structuredBody></component>"
        ),
    )
}

/// What was derived of this kind, as JSON.
pub(super) fn of_kind(understood: &Understood, kind: &str) -> Vec<Value> {
    let found = understood
        .derived
        .iter()
        .filter(|derived| derived.meta.kind.as_str() == kind);
    found.map(json).collect()
}

pub(super) fn json(derived: &Derived) -> Value {
    serde_json::from_slice(&derived.content).expect("a resource")
}

/// What was reported, in words.
pub(super) fn reported(understood: &Understood) -> Vec<&str> {
    understood
        .problems
        .iter()
        .map(|problem| problem.what.as_str())
        .collect()
}

/// How many resources were derived beside Patient and Provenance.
pub(super) fn count(understood: &Understood) -> usize {
    let frame = ["Patient", "Provenance"];
    understood
        .derived
        .iter()
        .filter(|derived| !frame.contains(&derived.meta.kind.as_str()))
        .count()
}
