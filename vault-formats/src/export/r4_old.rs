//! Names and codes of DSTU2, STU3 and R5 as R4 has them.
//!
//! Source: the resource definitions of the releases, and FHIR R4, "Difference between releases".

use serde_json::{Map, Value, json};

/// Old (or newer) and R4 name of elements that hold the same.
fn same(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "AllergyIntolerance" => &[
            ("substance", "code"),
            ("assertedDate", "recordedDate"),
            ("onset", "onsetDateTime"),
            ("lastOccurence", "lastOccurrence"),
            ("reporter", "asserter"),
        ],
        "Condition" => &[
            ("patient", "subject"),
            ("dateRecorded", "recordedDate"),
            ("assertedDate", "recordedDate"),
            ("context", "encounter"),
            ("onsetQuantity", "onsetAge"),
            ("abatementQuantity", "abatementAge"),
            ("notes", "note"),
        ],
        "Observation" => &[
            ("comments", "note"),
            ("comment", "note"),
            ("context", "encounter"),
        ],
        "DiagnosticReport" => &[
            ("codedDiagnosis", "conclusionCode"),
            ("context", "encounter"),
        ],
        "MedicationRequest" => &[
            ("patient", "subject"),
            ("dateWritten", "authoredOn"),
            ("prescriber", "requester"),
            ("context", "encounter"),
            ("reasonCodeableConcept", "reasonCode"),
        ],
        "MedicationStatement" => &[
            ("patient", "subject"),
            ("encounter", "context"),
            ("reasonForUseCodeableConcept", "reasonCode"),
            ("reasonForUseReference", "reasonReference"),
        ],
        "Immunization" => &[
            ("date", "occurrenceDateTime"),
            ("vaccinationProtocol", "protocolApplied"),
        ],
        "Procedure" => &[
            ("context", "encounter"),
            ("notes", "note"),
            ("occurrenceDateTime", "performedDateTime"),
            ("occurrencePeriod", "performedPeriod"),
            ("occurrenceString", "performedString"),
            ("occurrenceAge", "performedAge"),
            ("occurrenceRange", "performedRange"),
            ("reasonCodeableConcept", "reasonCode"),
        ],
        "CarePlan" => &[("context", "encounter")],
        "Patient" => &[("careProvider", "generalPractitioner")],
        "Device" => &[("model", "modelNumber"), ("expiry", "expirationDate")],
        _ => &[],
    }
}

/// Gives a resource of another release the names, status codes and references of R4.
pub(super) fn rename(resource: &mut Map<String, Value>) {
    if resource.get("resourceType") == Some(&json!("MedicationOrder")) {
        resource.insert("resourceType".into(), json!("MedicationRequest"));
        resource.insert("intent".into(), json!("order"));
    }
    let kind = resource.get("resourceType").and_then(Value::as_str);
    let kind = kind.unwrap_or_default().to_owned();
    for (old, new) in same(&kind) {
        if !resource.contains_key(*new)
            && let Some(value) = resource.remove(*old)
        {
            resource.insert((*new).to_owned(), value);
        }
    }
    split(
        resource,
        "medication",
        "medicationCodeableConcept",
        "medicationReference",
        false,
    );
    split(resource, "reason", "reasonCode", "reasonReference", true);
    match kind.as_str() {
        "Condition" => {
            status(resource, "clinicalStatus", "condition-clinical");
            status(resource, "verificationStatus", "condition-ver-status");
        }
        "AllergyIntolerance" => allergy(resource),
        "Immunization" => immunization(resource),
        "Procedure" => {
            code(
                resource,
                "status",
                &[("suspended", "on-hold"), ("aborted", "stopped")],
            );
        }
        "MedicationRequest" => {
            // STU3 says who and for whom
            if let Some(Value::Object(by)) = resource.get_mut("requester")
                && let Some(agent) = by.remove("agent")
            {
                resource.insert("requester".into(), agent);
            }
        }
        "MedicationStatement" => {
            // R5 says elsewhere whether it is taken
            code(
                resource,
                "status",
                &[("recorded", "unknown"), ("draft", "unknown")],
            );
            if let Some(Value::Array(_)) = resource.get("informationSource")
                && let Some(Value::Array(mut sources)) = resource.remove("informationSource")
                && !sources.is_empty()
            {
                resource.insert("informationSource".into(), sources.swap_remove(0));
            }
        }
        "CarePlan" => {
            resource.entry("intent").or_insert_with(|| json!("plan"));
        }
        _ => {}
    }
}

/// Takes a CodeableReference, or a list of these, apart into concepts and references.
fn split(
    resource: &mut Map<String, Value>,
    from: &str,
    concept: &str,
    reference: &str,
    many: bool,
) {
    let Some(value) = resource.remove(from) else {
        return;
    };
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut parts = (Vec::new(), Vec::new());
    for item in &items {
        parts.0.extend(item.get("concept").cloned());
        parts
            .1
            .extend(item.get("reference").filter(|r| r.is_object()).cloned());
        // a plain concept, as DSTU2 has it
        if item.get("coding").is_some() || item.get("text").is_some() {
            parts.0.push(item.clone());
        }
    }
    for (key, mut values) in [(concept, parts.0), (reference, parts.1)] {
        if values.is_empty() || resource.contains_key(key) {
            continue;
        }
        let value = if many {
            Value::Array(values)
        } else {
            values.swap_remove(0)
        };
        resource.insert(key.to_owned(), value);
    }
}

/// A status that was a code and is a concept now.
fn status(resource: &mut Map<String, Value>, key: &str, system: &str) {
    if let Some(Value::String(code)) = resource.get(key) {
        let coding = json!({
            "system": format!("http://terminology.hl7.org/CodeSystem/{system}"),
            "code": code,
        });
        resource.insert(key.to_owned(), json!({ "coding": [coding] }));
    }
}

/// A code that has another name.
fn code(resource: &mut Map<String, Value>, key: &str, names: &[(&str, &str)]) {
    let Some(Value::String(text)) = resource.get(key) else {
        return;
    };
    if let Some((_, new)) = names.iter().find(|(old, _)| old == text) {
        resource.insert(key.to_owned(), json!(new));
    }
}

fn allergy(resource: &mut Map<String, Value>) {
    code(
        resource,
        "criticality",
        &[
            ("CRITL", "low"),
            ("CRITH", "high"),
            ("CRITU", "unable-to-assess"),
        ],
    );
    // DSTU2 has both in one
    if let Some(Value::String(old)) = resource.remove("status") {
        let (clinical, verified) = match old.as_str() {
            "active" => ("active", None),
            "confirmed" => ("active", Some("confirmed")),
            "unconfirmed" => ("active", Some("unconfirmed")),
            "inactive" => ("inactive", None),
            "resolved" => ("resolved", None),
            _ => ("", None),
        };
        if !clinical.is_empty() {
            resource
                .entry("clinicalStatus")
                .or_insert_with(|| json!(clinical));
        }
        if let Some(verified) = verified {
            resource
                .entry("verificationStatus")
                .or_insert_with(|| json!(verified));
        }
    }
    status(resource, "clinicalStatus", "allergyintolerance-clinical");
    status(
        resource,
        "verificationStatus",
        "allergyintolerance-verification",
    );
    // a concept in R5
    let coded = resource
        .get("type")
        .and_then(|kind| kind.get("coding")?.get(0)?.get("code").cloned());
    if let Some(coded) = coded {
        resource.insert("type".into(), coded);
    }
}

fn immunization(resource: &mut Map<String, Value>) {
    for key in ["notGiven", "wasNotGiven"] {
        if resource.remove(key) == Some(Value::Bool(true)) {
            resource.insert("status".into(), json!("not-done"));
        }
    }
    if let Some(Value::Object(maker)) = resource.get_mut("manufacturer")
        && let Some(Value::Object(inner)) = maker.get("reference").cloned()
    {
        resource.insert("manufacturer".into(), Value::Object(inner));
    }
    if let Some(practitioners) = resource.remove("practitioner") {
        resource.entry("performer").or_insert(practitioners);
    }
    let dated = ["occurrenceDateTime", "occurrenceString"]
        .iter()
        .any(|key| resource.contains_key(*key));
    if !dated {
        // R4 requires one of them
        resource.insert("occurrenceString".into(), json!("not recorded"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::r4::to_r4;

    fn convert(resource: Value) -> Value {
        Value::Object(to_r4(&resource).unwrap().resource)
    }

    #[test]
    fn a_dstu2_allergy() {
        let old = json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "substance": {"text": "Latex"},
            "status": "confirmed", "criticality": "CRITH", "category": "environment", "onset": "2001-02", "lastOccurence": "2020",
            "note": {"text": "severe"}, "reaction": [{"manifestation": [{"text": "Hives"}], "certainty": "likely"}]});
        let system = "http://terminology.hl7.org/CodeSystem/allergyintolerance";
        assert_eq!(
            convert(old),
            json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "code": {"text": "Latex"},
                "clinicalStatus": {"coding": [{"system": format!("{system}-clinical"), "code": "active"}]},
                "verificationStatus": {"coding": [{"system": format!("{system}-verification"), "code": "confirmed"}]},
                "criticality": "high", "category": ["environment"], "onsetDateTime": "2001-02", "lastOccurrence": "2020",
                "note": [{"text": "severe"}], "reaction": [{"manifestation": [{"text": "Hives"}]}]})
        );
    }

    #[test]
    fn a_dstu2_order_is_a_request_whose_dose_is_said_in_words() {
        let old = json!({"resourceType": "MedicationOrder", "status": "active", "patient": {"display": "Mira"}, "dateWritten": "2015-01-02",
            "prescriber": {"display": "Dr Lind"}, "medicationCodeableConcept": {"text": "Iron"},
            "dosageInstruction": [{"doseQuantity": {"value": 2, "unit": "tablets"}, "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnits": "d"}}}]});
        assert_eq!(
            convert(old),
            json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "Mira"},
                "authoredOn": "2015-01-02", "requester": {"display": "Dr Lind"}, "medicationCodeableConcept": {"text": "Iron"},
                "dosageInstruction": [{"text": "2 tablets once daily"}]})
        );
    }

    #[test]
    fn r5_and_stu3() {
        let new = json!({"resourceType": "MedicationStatement", "status": "recorded", "subject": {"display": "Mira"},
            "medication": {"concept": {"text": "Iron"}}, "reason": [{"concept": {"text": "Tired"}}, {"reference": {"reference": "Condition/1"}}],
            "informationSource": [{"display": "Mira"}]});
        assert_eq!(
            convert(new),
            json!({"resourceType": "MedicationStatement", "status": "unknown", "subject": {"display": "Mira"},
                "medicationCodeableConcept": {"text": "Iron"}, "reasonCode": [{"text": "Tired"}], "reasonReference": [{"reference": "Condition/1"}],
                "informationSource": {"display": "Mira"}})
        );
        let old = json!({"resourceType": "Immunization", "status": "completed", "notGiven": false, "patient": {"display": "Mira"},
            "vaccineCode": {"text": "Flu"}, "date": "2016-01-02", "practitioner": [{"role": {"text": "giver"}, "actor": {"display": "Nurse"}}],
            "vaccinationProtocol": [{"doseSequence": 1}]});
        assert_eq!(
            convert(old),
            json!({"resourceType": "Immunization", "status": "completed", "patient": {"display": "Mira"}, "vaccineCode": {"text": "Flu"},
                "occurrenceDateTime": "2016-01-02", "performer": [{"function": {"text": "giver"}, "actor": {"display": "Nurse"}}],
                "protocolApplied": [{"doseNumberPositiveInt": 1}]})
        );
    }
}
