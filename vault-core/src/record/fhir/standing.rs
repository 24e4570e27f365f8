//! What keeps a resource from being read as a fact: it was refuted, not done, only planned, or a
//! mistake. A list of titles has to say so.
//!
//! Sources: FHIR DSTU2, STU3, R4, R4B and R5, the elements for status of each resource.

use serde_json::Value;

use super::fields::Fields;
use crate::record::Kind;

/// The words that go before the title; nothing for a resource that stands as it is.
pub(super) fn standing(kind: &Kind, fields: &Fields<'_, '_>) -> Option<&'static str> {
    let is = |key, code| fields.get(key).is_some_and(|value| has_code(&value, code));
    let yes = |key| {
        fields
            .get(key)
            .is_some_and(|value| *value == Value::Bool(true))
    };
    let certainty = |code| is("verificationStatus", code);
    if is("status", "entered-in-error") || certainty("entered-in-error") {
        return Some("Entered in error: ");
    }
    match kind.as_str() {
        "Condition" if certainty("refuted") => Some("Not present: "),
        "Condition" => ["differential", "provisional", "unconfirmed"]
            .into_iter()
            .any(certainty)
            .then_some("Not confirmed: "),
        // DSTU2 has it in the status
        "AllergyIntolerance" => {
            (certainty("refuted") || is("status", "refuted")).then_some("Refuted: ")
        }
        "Immunization" | "MedicationAdministration" => {
            let not = is("status", "not-done") || yes("notGiven") || yes("wasNotGiven");
            not.then_some("Not given: ")
        }
        "MedicationDispense" => {
            (is("status", "declined") || yes("notDone")).then_some("Not given: ")
        }
        // STU3 has a code for whether it was taken
        "MedicationStatement" => {
            let not = is("status", "not-taken") || yes("wasNotTaken") || is("taken", "n");
            not.then_some("Not taken: ")
        }
        "Procedure" | "Communication" => {
            if is("status", "not-done") || yes("notDone") || yes("notPerformed") {
                Some("Not done: ")
            } else {
                (kind.as_str() == "Procedure" && is("status", "preparation")).then_some("Planned: ")
            }
        }
        "MedicationRequest" => yes("doNotPerform").then_some("Do not give: "),
        _ => yes("doNotPerform").then_some("Do not do: "),
    }
}

/// Whether a code, or any coding of a CodeableConcept, is this one.
fn has_code(value: &Value, code: &str) -> bool {
    match value {
        Value::String(text) => text == code,
        Value::Object(concept) => match concept.get("coding") {
            Some(Value::Array(codings)) => codings.iter().any(|coding| is_coding(coding, code)),
            Some(coding) => is_coding(coding, code),
            None => false,
        },
        _ => false,
    }
}

fn is_coding(coding: &Value, code: &str) -> bool {
    coding.get("code").and_then(Value::as_str) == Some(code)
}

#[cfg(test)]
mod tests {
    use crate::record::summary;

    #[test]
    fn titles_do_not_read_as_facts() {
        let concept = |code: &str| format!(r#"{{"coding":[{{"code":"{code}"}}]}}"#);
        let refuted = format!(r#""verificationStatus":{}"#, concept("refuted"));
        let open = format!(r#""verificationStatus":{}"#, concept("provisional"));
        let wrong = format!(r#""verificationStatus":{}"#, concept("entered-in-error"));
        let sure = format!(r#""verificationStatus":{}"#, concept("confirmed"));
        for (kind, field, expected) in [
            ("Condition", refuted.as_str(), "Not present: X"),
            (
                "Condition",
                r#""verificationStatus":"refuted""#,
                "Not present: X",
            ),
            ("Condition", &open, "Not confirmed: X"),
            ("Condition", &sure, "X"),
            ("Condition", &wrong, "Entered in error: X"),
            ("AllergyIntolerance", &refuted, "Refuted: X"),
            ("AllergyIntolerance", r#""status":"refuted""#, "Refuted: X"),
            ("AllergyIntolerance", &open, "X"),
            (
                "Observation",
                r#""status":"entered-in-error""#,
                "Entered in error: X",
            ),
            ("Observation", r#""status":"final""#, "X"),
            ("Immunization", r#""status":"not-done""#, "Not given: X"),
            ("Immunization", r#""notGiven":true"#, "Not given: X"),
            ("Immunization", r#""wasNotGiven":true"#, "Not given: X"),
            ("Immunization", r#""wasNotGiven":false"#, "X"),
            (
                "MedicationAdministration",
                r#""status":"not-done""#,
                "Not given: X",
            ),
            (
                "MedicationStatement",
                r#""status":"not-taken""#,
                "Not taken: X",
            ),
            (
                "MedicationStatement",
                r#""wasNotTaken":true"#,
                "Not taken: X",
            ),
            ("MedicationStatement", r#""taken":"n""#, "Not taken: X"),
            ("Procedure", r#""status":"not-done""#, "Not done: X"),
            ("Procedure", r#""notPerformed":true"#, "Not done: X"),
            ("Procedure", r#""status":"preparation""#, "Planned: X"),
            ("Communication", r#""status":"not-done""#, "Not done: X"),
            (
                "MedicationRequest",
                r#""doNotPerform":true"#,
                "Do not give: X",
            ),
            ("ServiceRequest", r#""doNotPerform":true"#, "Do not do: X"),
            ("ServiceRequest", r#""doNotPerform":"true""#, "X"),
        ] {
            let text = format!(r#"{{"resourceType":"{kind}","code":{{"text":"X"}},{field}}}"#);
            assert_eq!(summary(&text).unwrap().title, expected, "{text}");
        }
        // said once, whoever says it, and in no more than a title holds
        let long = "x".repeat(300);
        for (name, expected) in [
            ("Not done: X", "Not done: X".to_owned()),
            (&long, format!("Not done: {}", "x".repeat(190))),
        ] {
            let text = format!(
                r#"{{"resourceType":"Procedure","status":"not-done","code":{{"text":"{name}"}}}}"#
            );
            assert_eq!(summary(&text).unwrap().title, expected);
        }
    }
}
