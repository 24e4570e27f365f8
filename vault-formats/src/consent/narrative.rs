//! What a Consent says, in sentences.
//!
//! Source: FHIR R4, "Narrative": what a program cannot read of a resource must stand in its text.

use vault_core::record::clean_title;
use vault_core::{Condition, Delivery, Extent, Label};

use super::{Agreement, Status};
use crate::Moment;
use crate::overview::escape;
use crate::purpose_name;

/// Most items of a list that the text names; the rest is counted.
const MAX_NAMED: usize = 20;

/// The text as a `div` of XHTML.
pub(super) fn div(agreement: &Agreement<'_>) -> String {
    let mut out = "<div xmlns=\"http://www.w3.org/1999/xhtml\">".to_owned();
    for line in sentences(agreement) {
        out += "<p>";
        out += &escape(&line);
        out += "</p>";
    }
    out + "</div>"
}

/// A condition's name in a form that FHIR can hold as a string.
pub(super) fn condition_name(name: &str) -> String {
    or_else(clean_title(name), || "(no name)".to_owned())
}

fn or_else(text: String, other: impl FnOnce() -> String) -> String {
    if text.is_empty() { other() } else { text }
}

fn sentences(agreement: &Agreement<'_>) -> Vec<String> {
    let terms = agreement.terms;
    let mut lines = Vec::new();
    let readers = names(agreement.readers.iter().map(|reader| {
        or_else(clean_title(&reader.name), || {
            format!("the holder of the key {}", reader.key)
        })
    }));
    let patient = or_else(clean_title(agreement.patient), || "The patient".to_owned());
    let state = match agreement.status {
        Status::Offered => "Offered, and not in force before every reader has countersigned",
        Status::InForce => "In force",
        Status::Ended => "Ended: nothing may be read any more",
    };
    lines.push(format!("{patient} lets {readers} read health records."));
    lines.push(format!("{state}."));
    lines.extend(selected(agreement));
    lines.extend(labels(agreement));
    if let Some(purpose) = &terms.purpose {
        let text = purpose.to_string();
        let text = purpose_name(&text).unwrap_or(text.as_str());
        lines.push(format!("Purpose: {text}."));
    }
    lines.push(match terms.extent {
        Extent::Standing => "Records that are added later are part of it.".to_owned(),
        Extent::Snapshot => "Records that are added later are not part of it.".to_owned(),
    });
    if let Some(expires) = terms.expires {
        lines.push(format!("It ends at {}.", Moment(expires).instant()));
    }
    lines.extend(terms.conditions.iter().map(|condition| match condition {
        Condition::From(from) => format!("Nothing before {}.", Moment(from).instant()),
        Condition::Opens(count) => {
            format!("At most {count} opens in all, by all readers together.")
        }
        Condition::OpensPerDay(count) => format!("At most {count} opens within 24 hours."),
        Condition::Unknown(name) => format!(
            "A condition that the program that wrote this does not know: {}. Nothing may be read while \
             it is not understood.",
            condition_name(&name)
        ),
    }));
    lines.push(match terms.delivery {
        Delivery::Carried => "The keys are with the readers: reads are not seen.".to_owned(),
        Delivery::OnRequest => {
            "Each key is asked for and logged before it is given out; the patient can refuse it."
                .to_owned()
        }
    });
    if !terms.agents.is_empty() {
        let count = terms.agents.len();
        lines.push(format!("{count} others may answer in the patient's place."));
    }
    if terms.may_deposit {
        lines.push("The readers may hand in results.".to_owned());
    }
    lines.push(
        "What narrows this and has no element in FHIR is in modifier extensions; whoever does not know \
         them must not act on this resource."
            .to_owned(),
    );
    lines
}

/// Which records.
fn selected(agreement: &Agreement<'_>) -> Vec<String> {
    let scope = &agreement.terms.scope;
    let mut parts = Vec::new();
    if scope.all {
        parts.push("every record".to_owned());
    }
    if !scope.kinds.is_empty() {
        parts.push(format!("kinds {}", names(scope.kinds.iter())));
    }
    if !scope.categories.is_empty() {
        parts.push(format!("categories {}", names(scope.categories.iter())));
    }
    if !scope.codes.is_empty() {
        parts.push(format!("codes {}", names(scope.codes.iter())));
    }
    if !scope.records.is_empty() {
        let count = scope.records.len();
        parts.push(format!("{count} records named by their ids"));
    }
    if parts.is_empty() {
        return vec!["It selects no record.".to_owned()];
    }
    let mut lines = vec![format!("Selected: {}.", parts.join("; "))];
    match (&scope.since, &scope.until) {
        (None, None) => {}
        (since, until) => {
            let since = since.as_ref().map_or("the beginning", |d| d.as_str());
            let until = until.as_ref().map_or("the end", |d| d.as_str());
            lines.push(format!(
                "Only what is certainly dated from {since} to {until}; what has no date stays out."
            ));
        }
    }
    lines
}

/// What labels do.
fn labels(agreement: &Agreement<'_>) -> Vec<String> {
    let scope = &agreement.terms.scope;
    let list = |labels: &std::collections::BTreeSet<Label>| {
        names(labels.iter().map(|label| match label.meaning() {
            Some(meaning) => format!("{label} ({meaning})"),
            None => label.to_string(),
        }))
    };
    let mut lines = Vec::new();
    if scope.with_labels.is_empty() {
        lines.push("Records with a sensitive label stay out, except those named by id.".to_owned());
    } else {
        let open = list(&scope.with_labels);
        lines.push(format!(
            "Records with these labels are open too: {open}. Those with any other sensitive label stay \
             out, except those named by id."
        ));
    }
    if !scope.without_labels.is_empty() {
        let closed = list(&scope.without_labels);
        lines.push(format!(
            "Closed whatever else holds: records labelled {closed}."
        ));
    }
    lines
}

/// The first of them, and how many more.
fn names<T: ToString>(list: impl ExactSizeIterator<Item = T>) -> String {
    let count = list.len();
    if count == 0 {
        return "nobody".to_owned();
    }
    let named: Vec<String> = list.take(MAX_NAMED).map(|item| item.to_string()).collect();
    let more = count.saturating_sub(MAX_NAMED);
    match more {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
