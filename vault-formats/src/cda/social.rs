//! Social history: smoking, pregnancy, and what else is observed there.
//!
//! Source: C-CDA R2.1, Smoking Status - Meaningful Use, Tobacco Use, Pregnancy Observation, Estimated
//! Date of Delivery and Social History Observation.

use serde_json::{Map, Value};

use super::observation::{Category, observe_with};
use super::reader::{Node, child, follows};
use super::value::put_value;
use super::work::{Claim, Work};
use crate::fhir;

const SMOKING_STATUS: &[&str] = &["2.16.840.1.113883.10.20.22.4.78"];
const TOBACCO_USE: &[&str] = &["2.16.840.1.113883.10.20.22.4.85"];
const PREGNANCY: &[&str] = &["2.16.840.1.113883.10.20.15.3.8"];
const DELIVERY_DATE: &[&str] = &["2.16.840.1.113883.10.20.15.3.1"];

/// Derives Observation.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() != "observation" {
        return;
    }
    let is_pregnancy = follows(node, PREGNANCY);
    // these templates only say ASSERTION, at least in older documents, where the code belongs
    let code = if follows(node, SMOKING_STATUS) {
        loinc("72166-2", "Tobacco smoking status")
    } else if follows(node, TOBACCO_USE) {
        loinc("11367-0", "History of tobacco use")
    } else if is_pregnancy {
        loinc("82810-3", "Pregnancy status")
    } else {
        None
    };
    let due = match is_pregnancy {
        true => delivery_dates(work, node),
        false => Vec::new(),
    };
    observe_with(work, node, Category::SocialHistory, None, code, due);
}

fn loinc(code: &str, display: &str) -> Option<Value> {
    let coding = fhir::coding(Some("http://loinc.org"), code, Some(display))?;
    fhir::concept(vec![coding], Some(display))
}

/// The estimated date of delivery, as a component of the pregnancy.
fn delivery_dates<'a>(work: &mut Work<'a>, node: Node<'a>) -> Vec<Value> {
    let mut found = Vec::new();
    for inner in work.related(node, "observation") {
        let code = work.anchors.coded(child(inner, "code")).unwrap_or_default();
        let is_due = follows(inner, DELIVERY_DATE) || code.is_any(&["11778-8"]);
        if !is_due || found.len() >= 8 || work.claim(inner) != Some(Claim::Stated) {
            continue;
        }
        let mut component = Map::new();
        put_value(work, &mut component, inner);
        if let (Some(code), true) = (
            loinc("11778-8", "Delivery date Estimated"),
            component.contains_key("valueDateTime"),
        ) {
            component.insert("code".into(), code);
            found.push(Value::Object(component));
        }
    }
    found
}
