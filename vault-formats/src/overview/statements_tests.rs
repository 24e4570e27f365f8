use serde_json::json;

use super::*;

fn resource(number: u8, json: Value) -> Resource {
    let meta = vault_core::record::summary(&json.to_string()).unwrap();
    let record = RecordId::from_bytes([number; 16]);
    Resource { record, meta, json }
}

/// What stands: the number of the record, what an older one says, whether it was in error.
fn standing(all: Vec<Value>) -> Vec<(u8, Option<String>, bool)> {
    let mut statements = Statements::default();
    for (json, at) in all.into_iter().zip(0u8..) {
        statements.add(&resource(at, json), true);
    }
    let mut out = Vec::new();
    statements.finish(None, None, |_, one| {
        out.push((one.resource.record.as_bytes()[0], one.older, one.in_error));
    });
    out
}

fn asthma(id: &str, status: &str, rest: Value) -> Value {
    let mut json = json!({"resourceType": "Condition", "id": id, "clinicalStatus": {"coding": [{"code": status}]},
        "code": {"text": "Asthma"}, "subject": {"reference": "Patient/1"}});
    json.as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    json
}

#[test]
fn the_newest_version_stands_and_says_what_older_ones_say() {
    let updated = |when: &str| json!({"meta": {"lastUpdated": when}});
    let older = |text: &str| Some(format!("an older version says: {text}"));
    // the one that was updated last, whatever came first
    let all = vec![
        asthma("c", "resolved", updated("2024-02-01T00:00:00Z")),
        asthma("c", "active", updated("2023-02-01T00:00:00Z")),
    ];
    assert_eq!(standing(all), [(0, older("active"), false)]);
    let version = |number: &str| json!({"meta": {"versionId": number}});
    let all = vec![
        asthma("c", "resolved", version("10")),
        asthma("c", "active", version("9")),
    ];
    assert_eq!(standing(all), [(0, older("active"), false)]);
    // nothing says which: the one added later
    let all = vec![
        asthma("c", "active", json!({})),
        asthma("c", "active", json!({})),
    ];
    assert_eq!(standing(all), [(1, None, false)]);
}

#[test]
fn only_the_same_thing_has_versions() {
    let other = json!({"code": {"text": "Gout"}});
    let child = json!({"subject": {"reference": "Patient/2"}});
    let all = vec![
        asthma("c", "active", json!({})),
        asthma("c", "active", other),
        asthma("c", "active", child),
        asthma("d", "active", json!({})),
    ];
    assert_eq!(standing(all).len(), 4);
    let numbered = |value: &str| json!({"identifier": [{"system": "urn:x", "value": value}]});
    let all = vec![
        asthma("c", "active", numbered("7")),
        asthma("d", "resolved", numbered("7")),
        asthma("e", "active", numbered("8")),
    ];
    let numbers: Vec<u8> = standing(all).iter().map(|one| one.0).collect();
    assert_eq!(numbers, [1, 2]);
    // one number for a whole order is not one result
    let lab = |text: &str, day: &str| {
        json!({"resourceType": "Observation", "identifier": [{"system": "urn:x", "value": "7"}],
        "code": {"text": text}, "effectiveDateTime": day})
    };
    let all = vec![
        lab("Iron", "2024-01-01"),
        lab("Zinc", "2024-01-01"),
        lab("Iron", "2024-01-02"),
    ];
    assert_eq!(standing(all).len(), 3);
}

#[test]
fn an_error_withdraws_every_version() {
    let error = json!({"meta": {"lastUpdated": "2020-01-01T00:00:00Z"},
        "verificationStatus": {"coding": [{"code": "entered-in-error"}]}});
    let all = vec![
        asthma("c", "active", error),
        asthma(
            "c",
            "active",
            json!({"meta": {"lastUpdated": "2024-01-01T00:00:00Z"}}),
        ),
    ];
    assert_eq!(standing(all), [(1, None, true)]);
}
