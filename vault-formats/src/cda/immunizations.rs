//! Vaccinations, those given and those not.
//!
//! Source: C-CDA R2.1, Immunization Activity and Immunization Refusal Reason; FHIR R4, resource
//! Immunization.

use serde_json::{Value, json};

use super::medications::product;
use super::names::{performers, shown};
use super::reader::{Node, attr, child, follows, is_null, path, put, put_list, text};
use super::time::{Interval, date_time};
use super::value::simple_quantity;
use super::work::{Claim, Status, Work, status};

const REFUSAL: &[&str] = &["2.16.840.1.113883.10.20.22.4.53"];

/// Derives Immunization.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() != "substanceAdministration" {
        return;
    }
    let Some(claim) = work.claim(node) else {
        return;
    };
    let given = claim == Claim::Stated;
    if given && !matches!(status(node), Status::Completed | Status::Unsaid) {
        return work.report("left out: a vaccination that was not completed");
    }
    let Some(vaccine) = product(work, node) else {
        return work.report("left out: a vaccination whose vaccine is not known");
    };
    let mut resource = work.begin(node, "patient");
    resource.insert("vaccineCode".into(), vaccine);
    let when = Interval::of(child(node, "effectiveTime"));
    match when.first() {
        Some(date) => resource.insert("occurrenceDateTime".into(), json!(date_time(date))),
        None => resource.insert("occurrenceString".into(), json!("unknown")),
    };
    work.put_recorded(&mut resource, node, "recorded");
    if !given {
        resource.insert("status".into(), json!("not-done"));
        for reason in work.related(node, "observation") {
            if follows(reason, REFUSAL) && work.claim(reason) == Some(Claim::Stated) {
                let reason = work.coded(child(reason, "code"), reason);
                put(
                    &mut resource,
                    "statusReason",
                    reason.and_then(|reason| reason.concept()),
                );
            }
        }
        work.add("Immunization", resource);
        return;
    }
    resource.insert("status".into(), json!("completed"));
    let product = path(node, &["consumable", "manufacturedProduct"]);
    let lot = product
        .and_then(|product| path(product, &["manufacturedMaterial", "lotNumberText"]))
        .filter(|lot| !is_null(*lot));
    put(
        &mut resource,
        "lotNumber",
        lot.and_then(text).map(Value::String),
    );
    let maker = product.and_then(|product| path(product, &["manufacturerOrganization", "name"]));
    let maker = maker.and_then(shown).map(|name| json!({ "display": name }));
    put(&mut resource, "manufacturer", maker);
    for (key, name) in [("route", "routeCode"), ("site", "approachSiteCode")] {
        let concept = work
            .anchors
            .coded(child(node, name))
            .and_then(|code| code.concept());
        put(&mut resource, key, concept);
    }
    let dose = child(node, "doseQuantity").and_then(|dose| simple_quantity(dose, None));
    put(&mut resource, "doseQuantity", dose);
    put_list(&mut resource, "performer", performers(node));
    let number = child(node, "repeatNumber").and_then(|number| attr(number, "value"));
    let number = number
        .and_then(|number| number.parse::<u16>().ok())
        .filter(|number| *number > 0);
    let protocol = number.map(|number| json!([{ "doseNumberPositiveInt": number }]));
    put(&mut resource, "protocolApplied", protocol);
    work.add("Immunization", resource);
}
