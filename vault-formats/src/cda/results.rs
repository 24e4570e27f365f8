//! Results of tests, and vital signs.
//!
//! Source: C-CDA R2.1, Result Organizer and Vital Signs Organizer; FHIR R4, resource
//! DiagnosticReport.

use serde_json::{Value, json};

use super::observation::{Category, observe};
use super::reader::{Node, child, children, fixed, is_null, put_list};
use super::time::Interval;
use super::work::{Status, Work, act, status};
use crate::fhir;

/// LOINC codes under which reports of imaging stand in a section of results.
const IMAGING: &[&str] = &["18726-0", "18748-4", "18782-3"];

/// Derives Observation for each result, and DiagnosticReport for their organizer.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() == "observation" {
        observe(work, node, Category::Laboratory, None, None);
        return;
    }
    if node.tag_name().name() != "organizer" || !work.is_open(node) {
        return;
    }
    let code = work.coded(child(node, "code"), node).unwrap_or_default();
    let is_imaging = code.is_any(IMAGING);
    let category = if is_imaging {
        Category::Imaging
    } else {
        Category::Laboratory
    };
    let when = Interval::of(child(node, "effectiveTime"));
    let state = match status(node) {
        Status::Completed => "final",
        Status::Active => "preliminary",
        Status::Suspended | Status::Waiting => "registered",
        Status::Aborted => return work.report("left out: results that were given up"),
        Status::Cancelled | Status::Unsaid | Status::Unknown => "unknown",
    };
    let results: Vec<Value> = members(work, node, category, &when)
        .iter()
        .map(|result| fhir::reference(result))
        .collect();
    if work.is_full() {
        return;
    }
    if results.is_empty() {
        return work.report("left out: a group of results without any result");
    }
    let Some(code) = code.concept() else {
        return work.report("a group of results without a name: its results stand alone");
    };
    let mut report = work.begin(node, "subject");
    report.insert("code".into(), code);
    report.insert("status".into(), json!(state));
    let section = match is_imaging {
        true => fixed("v2-0074", "RAD", "Radiology"),
        false => fixed("v2-0074", "LAB", "Laboratory"),
    };
    report.insert("category".into(), json!([section]));
    when.put(&mut report, "effective");
    put_list(&mut report, "result", results);
    work.add("DiagnosticReport", report);
}

/// Derives Observation for each vital sign.
pub(super) fn derive_vital_signs<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if node.tag_name().name() == "observation" {
        observe(work, node, Category::VitalSigns, None, None);
    } else if node.tag_name().name() == "organizer" && work.is_open(node) {
        let when = Interval::of(child(node, "effectiveTime"));
        members(work, node, Category::VitalSigns, &when);
    }
}

/// The references to the Observations of an organizer, those of organizers in it too.
fn members<'a>(
    work: &mut Work<'a>,
    organizer: Node<'a>,
    category: Category,
    when: &Interval,
) -> Vec<String> {
    let mut references = Vec::new();
    for part in children(organizer, "component").filter(|part| !is_null(*part)) {
        if work.is_full() {
            break;
        }
        let Some(inner) = act(part) else { continue };
        match inner.tag_name().name() {
            "observation" => references.extend(observe(work, inner, category, Some(when), None)),
            // as deep as the document may be nested
            "organizer" if work.is_open(inner) => {
                references.extend(members(work, inner, category, when));
            }
            _ => {}
        }
    }
    references
}
