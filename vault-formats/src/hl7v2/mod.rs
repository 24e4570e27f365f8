//! HL7 v2 messages.
//!
//! A file may hold one message or many, in frames or batches, from any decade. It stays as it is;
//! what it says is derived as FHIR R4. Messages are taken apart by the `hl7-parser` crate, segment
//! by segment, after [`frames`] made good what it does not read: line ends, frames, batches,
//! delimiters it would misplace, and faulty segments, at which it would stop.
//!
//! Sources: HL7 v2.5.1; HL7 "V2-to-FHIR" for the correspondence, unless a module says otherwise.

mod allergies;
mod appointments;
mod changes;
mod charset;
mod dispensed;
mod documents;
mod dosage;
mod embedded;
mod escape;
mod fields;
mod frames;
mod immunizations;
mod isolates;
mod labels;
mod medications;
mod meta;
mod numbers;
mod observations;
mod orders;
mod output;
mod patient;
mod reports;
mod systems;
mod time;
mod values;
mod visits;

#[cfg(test)]
mod later_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use vault_core::record::clean_title;
use vault_core::{Category, Digest, Label, RecordMeta};

use crate::{Deriver, Moment, Understood};
use frames::{MAX_PROBLEMS, Problems};
use meta::{MEDIA_TYPE, Summary};
use output::{Context, Output};
use patient::Patients;

/// Longest file that is taken apart, in bytes (32 MiB).
const MAX_LEN: usize = 32 << 20;

/// Whether a file begins like HL7 v2: `MSH`, `FHS` or `BHS` and delimiters, after a byte order mark,
/// a frame byte or white space. The first kilobyte is enough.
pub fn looks_like(prefix: &[u8]) -> bool {
    frames::begins_well(prefix)
}

/// What a file of HL7 v2 messages says; `None` when it is none. `name` is the file's name, `when`
/// the time of the derivation.
///
/// Never fails: what cannot be read is a problem, the rest goes on. A file over 32 MiB is not taken
/// apart and, since nobody looked, labelled as unclear.
pub fn understand(bytes: &[u8], name: &str, when: Moment) -> Option<Understood> {
    if !looks_like(bytes) {
        return None;
    }
    let mut understood = Understood::default();
    if bytes.len() > MAX_LEN {
        understood.meta = unread(name);
        understood.report("file", "HL7 v2 over 32 MiB is kept, but not read");
        return Some(understood);
    }
    let mut problems = Problems::new();
    let ranges = frames::ranges(bytes, &mut problems);
    // first what concerns the whole file: labels go on everything that is derived
    let mut labels = BTreeSet::new();
    let mut summaries = Vec::new();
    // what was not read may have said that it is sensitive
    let mut unreadable = ranges.len() == frames::MAX_MESSAGES;
    // a message at a time, twice: all of them together would need much more memory
    for (at, range) in ranges.iter().enumerate() {
        let bytes = bytes.get(range.clone()).unwrap_or_default();
        match frames::message(bytes, at + 1, &mut problems) {
            Some(message) => {
                labels::labels(&message, &mut labels);
                summaries.push(Summary::read(&message));
                unreadable |= message.incomplete;
            }
            None => unreadable = true,
        }
    }
    if ranges.is_empty() {
        problems.push(("file".into(), "no message in it".into()));
    }
    if unreadable {
        labels.insert(Label::unclear());
    }
    let mut meta = meta::meta(&summaries);
    meta.labels.clone_from(&labels);
    understood.meta = meta;
    let format = summaries
        .first()
        .map_or_else(|| "HL7 v2".to_owned(), Summary::format);
    let deriver = Deriver::new(Digest::of(bytes), when, labels);
    let mut out = Output::new(deriver, problems);
    let mut patients = Patients::default();
    let mut told = summaries.iter();
    for (at, range) in ranges.iter().enumerate() {
        if out.is_full() {
            break;
        }
        let bytes = bytes.get(range.clone()).unwrap_or_default();
        // the problems of reading it are known
        if let Some(message) = frames::message(bytes, at + 1, &mut Problems::new()) {
            // the same messages could be read before
            let Some(summary) = told.next() else { break };
            for part in message.parts() {
                derive(&part, summary, &mut patients, &mut out);
            }
        }
    }
    let people = patients.into_people();
    understood.about = people.filter(|person| !person.is_nobody()).collect();
    if understood.about.len() > 1 {
        let what = format!("the file is about {} patients", understood.about.len());
        // first, so that it is never left out
        out.problems.insert(0, ("file".into(), what));
    }
    let (derived, mut problems) = out.finish(&format);
    let frame = ["Patient", "Provenance"];
    let is_frame = |part: &crate::Derived| frame.contains(&part.meta.kind.as_str());
    if derived.iter().all(is_frame) && understood.meta.category != Category::Identity {
        // a kind of message that is not read may say anything
        understood.meta.labels.insert(Label::unclear());
        if problems.is_empty() {
            let what = "nothing is derived from this kind of message; it is kept whole";
            problems.push(("file".into(), what.into()));
        }
    }
    understood.derived = derived;
    report_all(&mut understood, problems);
    Some(understood)
}

/// The summary of a file that was not read.
fn unread(name: &str) -> RecordMeta {
    let title = Some(clean_title(name)).filter(|title| !title.is_empty());
    RecordMeta {
        title: title.unwrap_or_else(|| "HL7 messages".to_owned()),
        media_type: MEDIA_TYPE.to_owned(),
        labels: [Label::unclear()].into(),
        ..RecordMeta::default()
    }
}

fn report_all(understood: &mut Understood, problems: Problems) {
    let more = problems.len() > MAX_PROBLEMS;
    for (at, what) in problems.into_iter().take(MAX_PROBLEMS) {
        understood.report(at, what);
    }
    if more {
        understood.report("file", "and more problems of this kind");
    }
}

/// Everything that one message, or its part about one patient, says.
fn derive(message: &frames::Message, summary: &Summary, patients: &mut Patients, out: &mut Output) {
    let sent = message.first("MSH").and_then(|msh| msh.time(7));
    out.sent = sent.and_then(|time| time.exact());
    let pid = message.first("PID");
    let patient = match pid.map(|pid| patients.find(&pid, out)) {
        None => None,
        Some(Some(patient)) => Some(patient),
        // one too many
        Some(None) => return,
    };
    if visits::is_merge(&summary.event) && summary.kind == "ADT" {
        let at = format!("message {}", message.number);
        let what = "merges two patient records; only the surviving one is derived";
        out.report(at, what);
        return;
    }
    let sender = message.first("MSH").and_then(|msh| msh.text(4));
    let context = Context {
        message,
        patient: patient.as_deref(),
        kind: &summary.kind,
        event: &summary.event,
        sender: sender.as_deref(),
    };
    match context.kind {
        "ORU" | "OUL" | "ORA" => {
            observations::results(context, out);
            if message.has("TXA") {
                documents::documents(context, false, out);
            }
        }
        "VXU" => immunizations::immunizations(context, out),
        "RDE" | "RDS" | "RAS" | "RGV" | "OMP" => medications::medications(context, out),
        "MDM" => documents::documents(context, true, out),
        "ADT" => visits::encounter(context, out),
        "ORM" | "OML" | "OMG" | "OMI" | "OPL" => {
            orders::orders(context, out);
            if message.has("RXO") {
                medications::medications(context, out);
            }
        }
        "SIU" => appointments::appointment(context, out),
        _ => {}
    }
    allergies::allergies(context, out);
    // beside an order a diagnosis is its reason
    if !message.has("ORC") {
        visits::diagnoses(context, out);
    }
}
