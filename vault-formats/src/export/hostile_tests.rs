//! Damaged and odd resources through everything that shows or writes them.

use serde_json::{Value, json};
use vault_core::RecordId;

use super::*;
use crate::Moment;
use crate::overview::{Summary, show};

/// Made-up resources with most of the shapes that are read.
const SAMPLES: &[&str] = &[
    r##"{"resourceType":"Observation","id":"o","status":"final","category":[{"coding":[{"code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"718-7"}],"text":"Haemoglobin"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-03-01T08:15:00+01:00","valueQuantity":{"value":13.50,"unit":"g/dL"},"interpretation":[{"coding":[{"code":"L"}]}],"referenceRange":[{"low":{"value":14},"high":{"value":18}}],"component":[{"code":{"text":"a"},"valueString":"b"}]}"##,
    r##"{"resourceType":"MedicationOrder","status":"active","patient":{"reference":"#p"},"medicationReference":{"reference":"Medication/m"},"contained":[{"resourceType":"Patient","id":"p","name":[{"family":["X"]}]}],"dosageInstruction":[{"timing":{"repeat":{"frequency":2,"period":1,"periodUnits":"d","boundsPeriod":{"end":"2024-01-01"}}},"doseQuantity":{"value":1}}]}"##,
    r##"{"resourceType":"AllergyIntolerance","patient":{"reference":"urn:uuid:p"},"substance":{"text":"Latex"},"status":"confirmed","criticality":"CRITH","reaction":[{"manifestation":[{"text":"Hives"}]}],"note":{"text":"x","time":"2020"}}"##,
    r##"{"resourceType":"Immunization","status":"completed","wasNotGiven":false,"date":"2020-01-02","vaccineCode":{"text":"Flu"},"patient":{"reference":"Patient/p"},"vaccinationProtocol":[{"doseSequence":1}],"practitioner":[{"role":{"text":"r"},"actor":{"reference":"Practitioner/1"}}]}"##,
    r##"{"resourceType":"Composition","status":"final","title":"A","section":[{"title":"B","text":{"div":"<div><p title='a'>c &amp; d<br/></p><table><tr><td>e</td></tr></table></div>"},"section":[{"title":"F","emptyReason":{"text":"g"}}]}]}"##,
    r##"{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/p"},"period":{"start":"2020"},"activity":[{"detail":{"status":"scheduled","code":{"text":"Walk"},"scheduledTiming":{"repeat":{"frequency":1}}}}],"addresses":[{"reference":"Condition/c"}],"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}"##,
    r##"{"resourceType":"Patient","id":"p","name":[{"family":["Lind"],"given":["Mira"]}],"birthDate":"1980-05-06","deceasedBoolean":false,"telecom":[{"system":"phone","value":"1"}],"address":[{"line":["a"],"city":"b"}],"contact":[{"name":{"family":["c"]}}]}"##,
];

fn everything(json: Value) {
    let Ok(meta) = vault_core::record::summary(&json.to_string()) else {
        return;
    };
    let record = RecordId::from_bytes([1; 16]);
    for columns in [0, 33, 80] {
        show(&json, &meta).to_text(columns);
    }
    file_name(&meta, record);
    let resource = Resource { record, meta, json };
    let summary = Summary::of([&resource, &resource], "2024-05-01");
    summary.to_text(40);
    summary.to_html();
    let document = ips(
        [resource.clone(), resource],
        Moment(0),
        &IpsOptions::default(),
    );
    assert_eq!(document.bundle["type"], "document");
}

#[test]
fn damaged_bytes_never_panic() {
    let mut read = 0;
    for sample in SAMPLES {
        for at in 0..sample.len() {
            for flip in [0x01, 0x02, 0x10, 0x20] {
                let mut bytes = sample.as_bytes().to_vec();
                bytes[at] ^= flip;
                if let Ok(json) = serde_json::from_slice(&bytes) {
                    everything(json);
                    read += 1;
                }
            }
        }
    }
    assert!(read > 3000, "{read}");
}

/// Every value of every sample, replaced by values of other kinds.
#[test]
fn odd_shapes_never_panic() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1.5e300),
        json!(""),
        json!("\u{1b}[2J\u{202e}é王"),
        json!([]),
        json!([[{}]]),
        json!({"reference": {"reference": {"reference": "x"}}}),
        json!({"coding": [{"code": 5}, null], "text": []}),
    ];
    for sample in SAMPLES {
        let json: Value = serde_json::from_str(sample).unwrap();
        let mut paths = Vec::new();
        collect(&json, String::new(), &mut paths);
        for path in &paths {
            for odd in &odd {
                let mut json = json.clone();
                *json.pointer_mut(path).unwrap() = odd.clone();
                everything(json);
            }
        }
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                collect(item, format!("{path}/{at}"), paths);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                collect(item, format!("{path}/{key}"), paths);
            }
        }
        _ => {}
    }
    paths.push(path);
}

#[test]
fn deep_nesting_is_followed_to_a_bound() {
    let mut json = json!({"text": "end"});
    for _ in 0..118 {
        json = json!({"section": [json]});
        json = json!({"x": json["section"][0].clone()});
    }
    let mut resource = json!({"resourceType": "Basic"});
    resource["x"] = json;
    everything(resource);
}
