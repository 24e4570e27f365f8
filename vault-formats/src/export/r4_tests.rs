use super::*;

fn convert(resource: Value) -> Value {
    Value::Object(to_r4(&resource).unwrap().resource)
}

#[test]
fn lists_concepts_and_dates_get_their_shape() {
    let exact: Value = serde_json::from_str(r#"{"value":1.500,"unit":"mg"}"#).unwrap();
    let converted = to_r4(&json!({"resourceType": "Observation", "id": "1", "status": "final", "code": "Iron",
        "meta": {"profile": ["http://p"], "security": [{"code": "R"}]}, "category": {"text": "lab"}, "interpretation": {"text": "high"},
        "effectiveDateTime": "2015-02-07T13:28-05:00", "valueQuantity": exact, "triggeredBy": [{}], "issued": "yesterday",
        "subject": {"reference": "Patient/1", "resourceType": "Patient"}}))
    .unwrap();
    assert_eq!(converted.lost, ["issued", "triggeredBy"]);
    assert_eq!(
        Value::Object(converted.resource).to_string(),
        r#"{"category":[{"text":"lab"}],"code":{"text":"Iron"},"effectiveDateTime":"2015-02-07T13:28:00-05:00","interpretation":[{"text":"high"}],"meta":{"security":[{"code":"R"}]},"resourceType":"Observation","status":"final","subject":{"reference":"Patient/1"},"valueQuantity":{"unit":"mg","value":1.500}}"#
    );
}

#[test]
fn one_type_of_a_choice_and_plausible_values() {
    let converted = to_r4(&json!({"resourceType": "MedicationStatement", "status": "active", "subject": {"display": "x"},
        "medicationCodeableConcept": {"text": "Iron"}, "medicationReference": {"reference": "#1"},
        "effectivePeriod": {"start": "2015-01", "end": "soon"}}))
    .unwrap();
    assert_eq!(converted.lost, ["medicationReference"]);
    assert_eq!(
        converted.resource["effectivePeriod"],
        json!({"start": "2015-01"})
    );
    let converted = to_r4(
        &json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "valueQuantity": {"value": "5"}, "issued": "2015-01-02", "effectiveDateTime": "2015"}),
    )
    .unwrap();
    assert_eq!(converted.lost, ["issued", "valueQuantity"]);
    let born = convert(json!({"resourceType": "Patient", "birthDate": "1980-05-06T00:00:00Z"}));
    assert_eq!(born["birthDate"], "1980-05-06");
}

#[test]
fn what_r4_requires_must_be_there() {
    for (resource, lacks) in [
        (
            json!({"resourceType": "Observation", "status": "final"}),
            "code",
        ),
        (
            json!({"resourceType": "Observation", "code": {"text": "x"}}),
            "status",
        ),
        (
            json!({"resourceType": "MedicationStatement", "status": "active", "subject": {"display": "x"}}),
            "medication",
        ),
    ] {
        assert_eq!(
            to_r4(&resource),
            Err(format!("no {lacks}, which R4 requires"))
        );
    }
    assert!(to_r4(&json!({"resourceType": "Claim"})).is_err());
    assert!(to_r4(&json!(5)).is_err());
}

#[test]
fn contained_resources_are_converted_or_left_out() {
    let converted = convert(
        json!({"resourceType": "Condition", "subject": {"display": "x"}, "contained": [
        {"resourceType": "Practitioner", "id": "p", "name": {"family": ["Lind", "Berg"]}},
        {"resourceType": "Claim", "id": "c"}]}),
    );
    assert_eq!(
        converted["contained"],
        json!([{"resourceType": "Practitioner", "id": "p", "name": [{"family": "Lind Berg"}]}])
    );
}
