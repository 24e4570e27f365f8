//! Medication: what was taken, and what is meant to be.
//!
//! Source: C-CDA R2.1, Medication Activity; FHIR R4, resources MedicationStatement and
//! MedicationRequest.

use serde_json::{Value, json};

use super::dosage::dosages;
use super::reader::{Node, attr, child, children, data_type, is_null, path, put_list, text};
use super::time::{Interval, before};
use super::work::{Claim, Status, Work, status};
use crate::fhir;

/// Derives MedicationStatement (it was taken) or MedicationRequest (it is meant to be).
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    match node.tag_name().name() {
        "substanceAdministration" => administration(work, node),
        // lists of admission and discharge put an act around each
        "act" if work.is_open(node) => {
            for inner in work.related(node, "substanceAdministration") {
                administration(work, inner);
            }
        }
        _ => {}
    }
}

fn administration<'a>(work: &mut Work<'a>, node: Node<'a>) {
    let intent = match attr(node, "moodCode").unwrap_or("EVN") {
        "EVN" => None,
        "INT" => Some("plan"),
        "RQO" => Some("order"),
        "PRP" => Some("proposal"),
        _ => return,
    };
    match work.claim_in_any_mood(node) {
        Some(Claim::Stated) => {}
        Some(Claim::Denied) => return work.report("left out: a medication that is denied"),
        None => return,
    }
    let status = status(node);
    if status == Status::Cancelled {
        return work.report("left out: a medication that was cancelled");
    }
    let Some(medication) = product(work, node) else {
        return work.report("left out: a medication entry whose medication is not known");
    };
    let mut resource = work.begin(node, "subject");
    let when = duration(node);
    // a statement has a place of its own for from when to when
    let bounds = intent.and_then(|_| when.period());
    let dosages = dosages(work, node, &medication, bounds);
    resource.insert("medicationCodeableConcept".into(), medication);
    match intent {
        None => {
            let status = match status {
                Status::Active => "active",
                Status::Completed if is_over(work, &when) => "completed",
                // many write completed for what was entered, not for what ended
                Status::Completed => "unknown",
                Status::Aborted => "stopped",
                Status::Suspended => "on-hold",
                Status::Waiting => "intended",
                Status::Cancelled | Status::Unsaid | Status::Unknown => "unknown",
            };
            resource.insert("status".into(), json!(status));
            when.put(&mut resource, "effective");
            work.put_recorded(&mut resource, node, "dateAsserted");
            put_list(&mut resource, "dosage", dosages);
            work.add("MedicationStatement", resource);
        }
        Some(intent) => {
            let status = match status {
                Status::Active => "active",
                Status::Completed => "completed",
                Status::Aborted => "stopped",
                Status::Suspended => "on-hold",
                Status::Waiting => "draft",
                Status::Cancelled | Status::Unsaid | Status::Unknown => "unknown",
            };
            resource.insert("status".into(), json!(status));
            resource.insert("intent".into(), json!(intent));
            work.put_recorded(&mut resource, node, "authoredOn");
            put_list(&mut resource, "dosageInstruction", dosages);
            work.add("MedicationRequest", resource);
        }
    }
}

/// What is administered, by its code, else by its name where it has no code at all.
pub(super) fn product<'a>(work: &Work<'a>, node: Node<'a>) -> Option<Value> {
    let product = path(node, &["consumable", "manufacturedProduct"])?;
    let material = child(product, "manufacturedMaterial")
        .or_else(|| child(product, "manufacturedLabeledDrug"))?;
    let Some(code) = child(material, "code") else {
        let name = child(material, "name").filter(|name| !is_null(*name));
        return fhir::concept(Vec::new(), name.and_then(text).as_deref());
    };
    let code = work.anchors.coded(Some(code))?;
    code.or_name(child(material, "name")).concept()
}

/// From when to when: of the several times of an administration, the one that is an interval.
pub(super) fn duration(node: Node<'_>) -> Interval {
    let times = children(node, "effectiveTime");
    let plain = times.filter(|time| matches!(data_type(*time), None | Some("IVL_TS" | "TS")));
    plain
        .map(|time| Interval::of(Some(time)))
        .find(|time| !time.is_empty())
        .unwrap_or_default()
}

/// Whether it had certainly ended when the document was written.
fn is_over(work: &Work<'_>, when: &Interval) -> bool {
    let end = when
        .high
        .as_ref()
        .or(when.at.as_ref().filter(|_| when.low.is_none()));
    let (Some(end), Some(written)) = (end, &work.written) else {
        return false;
    };
    let day = end.to_day();
    before(end, written) || day.as_str().len() == 10 && day == written.to_day()
}
