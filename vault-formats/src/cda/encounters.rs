//! Visits and stays, with the diagnoses made there.
//!
//! Source: C-CDA R2.1, Encounter Activity; FHIR R4, resource Encounter.

use serde_json::{Value, json};

use super::names::{performers, shown};
use super::problems;
use super::reader::{Node, attr, child, children, follows, path, put, put_list};
use super::time::Interval;
use super::work::{Claim, Status, Work, status};

const DIAGNOSIS: &[&str] = &["2.16.840.1.113883.10.20.22.4.80"];
const ACT_CODE: &str = "2.16.840.1.113883.5.4";

/// Derives Encounter, and Condition for its diagnoses.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() != "encounter" {
        return;
    }
    match work.claim(node) {
        Some(Claim::Stated) => {}
        Some(Claim::Denied) => return work.report("left out: a visit that is denied"),
        None => return,
    }
    let when = Interval::of(child(node, "effectiveTime"));
    let state = match status(node) {
        Status::Cancelled | Status::Aborted => {
            return work.report("left out: a visit that did not take place");
        }
        Status::Completed => "finished",
        Status::Active => "in-progress",
        // what has happened and has no status of its own is over when its end is known
        _ if when.high.is_some() || when.at.is_some() => "finished",
        _ => "unknown",
    };
    let code = work.coded(child(node, "code"), node).unwrap_or_default();
    let mut resource = work.begin(node, "subject");
    resource.insert("status".into(), json!(state));
    resource.insert("class".into(), class(code.code_in(ACT_CODE)));
    let kind = code.concept();
    let is_titled = kind.is_some();
    put(&mut resource, "type", kind.map(|kind| json!([kind])));
    put(&mut resource, "period", when.period());
    let people: Vec<Value> = performers(node)
        .into_iter()
        .filter_map(|performer| Some(json!({ "individual": performer.get("actor")? })))
        .collect();
    put_list(&mut resource, "participant", people);
    let places =
        children(node, "participant").filter(|place| attr(*place, "typeCode") == Some("LOC"));
    let places = places.filter_map(|place| {
        let name = path(place, &["participantRole", "playingEntity", "name"]).and_then(shown)?;
        Some(json!({"location": {"display": name}}))
    });
    let places: Vec<Value> = places.take(8).collect();
    put_list(&mut resource, "location", places);
    let encounter = if is_titled {
        work.add("Encounter", resource)
    } else {
        work.add_titled("Encounter", resource, |_| "Visit".to_owned())
    };
    for act in work.related(node, "act") {
        if follows(act, DIAGNOSIS) {
            problems::derive_as(work, act, problems::List::Diagnoses, encounter.as_deref());
        }
    }
}

/// The class that FHIR demands; one that is not said is unknown, not guessed.
///
/// Source: HL7 v3 code system ActCode, ActEncounterCode.
fn class(code: Option<&str>) -> Value {
    let known = [
        ("AMB", "ambulatory"),
        ("EMER", "emergency"),
        ("FLD", "field"),
        ("HH", "home health"),
        ("IMP", "inpatient encounter"),
        ("ACUTE", "inpatient acute"),
        ("NONAC", "inpatient non-acute"),
        ("OBSENC", "observation encounter"),
        ("PRENC", "pre-admission"),
        ("SS", "short stay"),
        ("VR", "virtual"),
    ];
    match known.iter().find(|(known, _)| Some(*known) == code) {
        Some((code, display)) => json!({
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": code,
            "display": display,
        }),
        None => json!({
            "system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
            "code": "UNK",
            "display": "unknown",
        }),
    }
}
