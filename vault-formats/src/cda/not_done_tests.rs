//! Tests of medication, vaccinations and procedures that were denied, withdrawn or not done.

use serde_json::{Value, json};

use super::testing::{count, of_kind, with_entries};

fn code(value: &Value) -> &str {
    value["coding"][0]["code"].as_str().unwrap_or_default()
}

#[test]
fn medication_denied_or_not_known() {
    let entry = |attributes: &str, status: &str, code: &str| {
        format!(
            "<substanceAdministration classCode='SBADM' {attributes}><statusCode code='{status}'/>
             <consumable><manufacturedProduct><manufacturedMaterial>{code}</manufacturedMaterial>
             </manufacturedProduct></consumable></substanceAdministration>"
        )
    };
    let drug = "<code code='197380' codeSystem='2.16.840.1.113883.6.88'/>";
    for (attributes, status, code) in [
        ("moodCode='EVN' negationInd='true'", "active", drug),
        ("moodCode='INT' negationInd='true'", "active", drug),
        ("moodCode='EVN'", "nullified", drug),
        ("moodCode='EVN'", "cancelled", drug),
        (
            "moodCode='EVN'",
            "active",
            "<code nullFlavor='UNK'/><name>Pills</name>",
        ),
        ("moodCode='EVN' nullFlavor='NI'", "active", drug),
    ] {
        let found = with_entries("10160-0", &[&entry(attributes, status, code)]);
        assert_eq!(
            (count(&found), found.problems.len()),
            (0, 1),
            "{attributes} {status} {code}"
        );
    }
    for (mood, status, kind, expected) in [
        ("EVN", "active", "MedicationStatement", "active"),
        ("EVN", "aborted", "MedicationStatement", "stopped"),
        ("EVN", "suspended", "MedicationStatement", "on-hold"),
        ("EVN", "completed", "MedicationStatement", "unknown"),
        ("INT", "aborted", "MedicationRequest", "stopped"),
        ("INT", "odd", "MedicationRequest", "unknown"),
    ] {
        let found = with_entries(
            "10160-0",
            &[&entry(&format!("moodCode='{mood}'"), status, drug)],
        );
        assert_eq!(
            of_kind(&found, kind)[0]["status"],
            expected,
            "{mood} {status}"
        );
        assert_eq!(count(&found), 1);
    }
}

#[test]
fn what_was_not_done_is_not_done() {
    let vaccine = |attributes: &str, status: &str| {
        format!(
            "<substanceAdministration classCode='SBADM' moodCode='EVN' {attributes}>
             <statusCode code='{status}'/><effectiveTime value='20240102'/><consumable>
             <manufacturedProduct><manufacturedMaterial><code code='88' codeSystem='2.16.840.1.113883.12.292'
             displayName='influenza'/><lotNumberText>L1</lotNumberText></manufacturedMaterial></manufacturedProduct>
             </consumable><entryRelationship typeCode='RSON'><observation classCode='OBS' moodCode='EVN'>
             <templateId root='2.16.840.1.113883.10.20.22.4.53'/><code code='PATOBJ' codeSystem='2.16.840.1.113883.5.8'/>
             </observation></entryRelationship></substanceAdministration>"
        )
    };
    let found = with_entries(
        "11369-6",
        &[
            &vaccine("negationInd='true'", "completed"),
            &vaccine("", "completed"),
        ],
    );
    let immunizations = of_kind(&found, "Immunization");
    assert_eq!(immunizations[0]["status"], "not-done");
    assert_eq!(code(&immunizations[0]["statusReason"]), "PATOBJ");
    assert!(immunizations[0].get("lotNumber").is_none());
    assert_eq!(
        (&immunizations[1]["status"], &immunizations[1]["lotNumber"]),
        (&json!("completed"), &json!("L1"))
    );
    let titles: Vec<_> = found
        .derived
        .iter()
        .map(|d| d.meta.title.as_str())
        .collect();
    assert_eq!(titles[1..3], ["Not given: influenza", "influenza"]);
    for status in ["aborted", "active", "cancelled", "nullified", "odd"] {
        let found = with_entries("11369-6", &[&vaccine("", status)]);
        assert_eq!((count(&found), found.problems.len()), (0, 1), "{status}");
    }

    let procedure = |attributes: &str, status: &str, code: &str| {
        format!(
            "<procedure classCode='PROC' moodCode='EVN' {attributes}>{code}<statusCode code='{status}'/></procedure>"
        )
    };
    let known = "<code code='80146002' displayName='Appendectomy'/>";
    for (attributes, status, expected) in [
        ("negationInd='true'", "completed", "not-done"),
        ("", "cancelled", "not-done"),
        ("", "aborted", "stopped"),
        ("", "active", "in-progress"),
        ("", "completed", "completed"),
    ] {
        let found = with_entries("47519-4", &[&procedure(attributes, status, known)]);
        assert_eq!(
            of_kind(&found, "Procedure")[0]["status"],
            expected,
            "{attributes} {status}"
        );
        let not = found.derived[1].meta.title == "Not done: Appendectomy";
        assert_eq!(not, expected == "not-done");
    }
    for (status, code) in [
        ("nullified", known),
        ("completed", "<code nullFlavor='UNK'/>"),
        ("completed", ""),
    ] {
        let found = with_entries("47519-4", &[&procedure("", status, code)]);
        assert_eq!(
            (count(&found), found.problems.len()),
            (0, 1),
            "{status} {code}"
        );
    }
}
