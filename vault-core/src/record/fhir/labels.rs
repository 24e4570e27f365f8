//! The security labels that a resource carries itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::json::{Members, elements};
use crate::record::{Label, label};

/// Every label of a resource: of its own `meta`, of what it contains, and the fields of documents.
pub(super) fn labels(members: &Members<'_>) -> BTreeSet<Label> {
    let mut labels = BTreeSet::new();
    add_labels(members, &mut labels);
    for contained in members.all("contained").filter_map(elements).flatten() {
        if let Ok(contained) = Members::parse(contained) {
            add_labels(&contained, &mut labels);
        }
    }
    labels
}

fn add_labels(members: &Members<'_>, labels: &mut BTreeSet<Label>) {
    for meta in members.all("meta").filter_map(|m| Members::parse(m).ok()) {
        for security in meta.all("security") {
            add_codings(security, labels);
        }
    }
    // DocumentReference.securityLabel: CodeableConcepts; Composition.confidentiality: a code
    for concepts in members.all("securityLabel") {
        for concept in elements(concepts).unwrap_or_else(|| vec![concepts]) {
            let concept = Members::parse(concept).ok();
            match concept.as_ref().and_then(|c| c.get("coding")) {
                Some(codings) => add_codings(codings, labels),
                None => labels.extend([Label::unclear()]),
            }
        }
    }
    if let Some(code) = members.text("confidentiality") {
        labels.extend(label::from_coding(None, Some(&code)));
    }
}

/// Longest list of codings that is looked into, in bytes (256 KiB); a longer one is unclear.
const MAX_LEN: usize = 256 << 10;

fn add_codings(codings: &str, labels: &mut BTreeSet<Label>) {
    if codings.len() > MAX_LEN {
        labels.insert(Label::unclear());
        return;
    }
    let coding = |coding: &Value| {
        let text = |key: &str| coding.get(key).and_then(Value::as_str);
        label::from_coding(text("system"), text("code"))
    };
    match serde_json::from_str(codings) {
        Ok(Value::Array(codings)) => labels.extend(codings.iter().filter_map(coding)),
        Ok(Value::Null) => {}
        Ok(one) => labels.extend(coding(&one)),
        Err(_) => labels.extend([Label::unclear()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::summary;

    #[test]
    fn no_label_slips_through() {
        let labels = |rest: &str| -> Vec<String> {
            summary(&format!(r#"{{"resourceType":"X",{rest}}}"#))
                .unwrap()
                .labels
                .iter()
                .map(Label::to_string)
                .collect()
        };
        let system = r#""system":"http://terminology.hl7.org/CodeSystem/v3-ActCode""#;
        let psy = format!(r#"{{"security":[{{{system},"code":"PSY"}}]}}"#);
        assert_eq!(labels(&format!(r#""meta":{psy},"meta":{{}}"#)), ["PSY"]);
        assert_eq!(
            labels(&format!(r#""contained":[{{"meta":{psy}}}]"#)),
            ["PSY"]
        );
        assert_eq!(
            labels(r#""meta":{"security":[{"code":"R"},7]}"#),
            ["R", "UNCLEAR"]
        );
        assert_eq!(labels(r#""meta":{"security":{"code":"V"}}"#), ["V"]);
        assert_eq!(labels(r#""meta":{"security":"\ud800"}"#), ["UNCLEAR"]);
        assert_eq!(
            labels(r#""securityLabel":[{"coding":[{"code":"R"}]},{"text":"keep"}]"#),
            ["R", "UNCLEAR"]
        );
        assert_eq!(labels(r#""confidentiality":"N""#), ["N"]);
        assert!(labels(r#""meta":{"security":[]}"#).is_empty());
        // too long to be looked into
        let many = format!(
            r#""meta":{{"security":[{}]}}"#,
            vec!["0"; 200_000].join(",")
        );
        assert_eq!(labels(&many), ["UNCLEAR"]);
    }
}
