//! Problems and diagnoses.
//!
//! Source: C-CDA R2.1, Problem Concern Act, Problem Observation and Encounter Diagnosis; FHIR R4,
//! resource Condition.

use serde_json::json;

use super::reader::{Node, attr, child, fixed, follows, put};
use super::time::{Interval, date_time};
use super::work::{Claim, Status, Work, status};
use crate::fhir;

const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.4",
    "2.16.840.1.113883.10.20.1.28",
    "1.3.6.1.4.1.19376.1.5.3.1.4.5",
];
/// Words for any problem at all; denied, they say that no problem is known.
const ANY_PROBLEM: &[&str] = &[
    "55607006",
    "404684003",
    "64572001",
    "282291009",
    "409586006",
    "418799008",
    "248536006",
    "373930000",
    "138875005",
    "160245001",
];

/// How a condition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// It is there.
    Active,
    /// It came back.
    Recurrence,
    /// It is not troubling now.
    Inactive,
    /// It is held down.
    Remission,
    /// It is over.
    Resolved,
}

/// Derives Condition from the entry of a section.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>, section: &str) {
    let is_diagnosis = matches!(
        section,
        "46241-6" | "11535-2" | "78375-3" | "29308-4" | "10218-6" | "59769-0"
    );
    let list = match section {
        "11348-0" => List::Past,
        _ if is_diagnosis => List::Diagnoses,
        _ => List::Problems,
    };
    derive_as(work, node, list, None);
}

/// What kind of list a problem stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Diagnoses of a visit or a stay.
    Diagnoses,
    /// The problem list.
    Problems,
    /// The history of past illness.
    Past,
}

/// Derives Condition, from the list of diagnoses or problems that it stands in.
pub(super) fn derive_as<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    list: List,
    encounter: Option<&str>,
) {
    if node.tag_name().name() == "observation" {
        let concern = match status(node) {
            Status::Active if list == List::Past => Status::Active,
            _ => Status::Unsaid,
        };
        return observation(work, node, concern, list, encounter);
    }
    if !work.is_open(node) {
        return;
    }
    // the act around a diagnosis says nothing about how it goes on
    let concern = if list == List::Diagnoses {
        Status::Unknown
    } else {
        status(node)
    };
    let observations = work.related(node, "observation");
    let known = observations
        .iter()
        .any(|inner| follows(*inner, OBSERVATION));
    for inner in observations {
        let subject = inner
            .parent()
            .and_then(|relation| attr(relation, "typeCode"));
        if follows(inner, OBSERVATION) || !known && subject == Some("SUBJ") {
            observation(work, inner, concern, list, encounter);
        }
    }
}

fn observation<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    concern: Status,
    list: List,
    encounter: Option<&str>,
) {
    let Some(claim) = work.claim(node) else {
        return;
    };
    if status(node) == Status::Cancelled {
        return work.report("left out: a problem entry that was cancelled");
    }
    let value = work.coded(child(node, "value"), node).unwrap_or_default();
    let Some(code) = value.concept() else {
        return work.report("left out: a problem entry whose problem is not known");
    };
    let denied = claim == Claim::Denied;
    if denied && (value.codings.is_empty() || value.is_any(ANY_PROBLEM)) {
        return work.report("left out: a denial that names no problem");
    }
    let when = Interval::of(child(node, "effectiveTime"));
    let mut resource = work.begin(node, "subject");
    resource.insert("code".into(), code);
    let (category, display) = match list {
        List::Diagnoses => ("encounter-diagnosis", "Encounter Diagnosis"),
        List::Problems | List::Past => ("problem-list-item", "Problem List Item"),
    };
    resource.insert(
        "category".into(),
        json!([fixed("condition-category", category, display)]),
    );
    put(&mut resource, "encounter", encounter.map(fhir::reference));
    work.put_recorded(&mut resource, node, "recordedDate");
    if denied {
        resource.insert(
            "verificationStatus".into(),
            fixed("condition-ver-status", "refuted", "Refuted"),
        );
        work.add("Condition", resource);
        return;
    }
    let course = course(work, node, concern, &when, false);
    let course = course.or((list == List::Past).then_some(Course::Inactive));
    let status = course.map(|course| match course {
        Course::Active => ("active", "Active"),
        Course::Recurrence => ("recurrence", "Recurrence"),
        Course::Inactive => ("inactive", "Inactive"),
        Course::Remission => ("remission", "Remission"),
        Course::Resolved => ("resolved", "Resolved"),
    });
    let status = status.map(|(code, display)| fixed("condition-clinical", code, display));
    put(&mut resource, "clinicalStatus", status);
    if let Some(start) = when.start() {
        resource.insert("onsetDateTime".into(), json!(date_time(start)));
    }
    // an end would contradict a status that says it goes on (FHIR R4, con-4)
    let over = !matches!(course, Some(Course::Active | Course::Recurrence));
    if let Some(end) = when.high.as_ref().filter(|_| over) {
        resource.insert("abatementDateTime".into(), json!(date_time(end)));
    }
    work.add("Condition", resource);
}

/// How a condition or an allergy goes on: as its own status says, else as its end and the concern
/// about it say; `None` when nothing does.
///
/// A known end is the stronger word. Not so for an allergy whose own status says that it goes on, or
/// whose end has no date: one taken for over does more harm than one taken for current.
pub(super) fn course<'a>(
    work: &mut Work<'a>,
    node: Node<'a>,
    concern: Status,
    when: &Interval,
    is_allergy: bool,
) -> Option<Course> {
    let mut said = None;
    for inner in work.related(node, "observation") {
        let is_status = work
            .anchors
            .coded(child(inner, "code"))
            .is_some_and(|code| code.is_any(&["33999-4"]));
        if !is_status || work.claim(inner) != Some(Claim::Stated) {
            continue;
        }
        let value = work
            .anchors
            .coded(child(inner, "value"))
            .unwrap_or_default();
        for (code, course) in [
            ("55561003", Course::Active),
            ("246455001", Course::Recurrence),
            ("263855007", Course::Recurrence),
            ("73425007", Course::Inactive),
            ("277022003", Course::Remission),
            ("413322009", Course::Resolved),
        ] {
            if value.is_any(&[code]) {
                said = Some(course);
            }
        }
    }
    let goes_on = matches!(said, Some(Course::Active | Course::Recurrence));
    if when.high.is_some() && !(is_allergy && goes_on) {
        return Some(match said {
            Some(said) if !goes_on => said,
            _ => Course::Resolved,
        });
    }
    said.or(match concern {
        _ if when.ended && !is_allergy => Some(Course::Resolved),
        Status::Active => Some(Course::Active),
        Status::Completed | Status::Aborted | Status::Suspended => Some(Course::Inactive),
        Status::Cancelled | Status::Waiting | Status::Unsaid | Status::Unknown => None,
    })
}
