//! A whole document.

use vault_core::record::Problem;
use vault_core::{Category, Digest, Kind, Label, RecordMeta};

use super::header::{count_targets, file_title, own_labels, patient_resource, patients, summary};
use super::reader::{Anchors, Node, path};
use super::work::Work;
use super::{embedded, sections, source};
use crate::{Deriver, Moment, Understood};

/// What the originals are called where something says that it was derived from one.
const FORMAT: &str = "an HL7 CDA document";
/// How much of an oversized file is looked at.
const PREFIX: usize = 1 << 20;

/// Understands a clinical document of HL7 CDA R2, C-CDA among them; `None` when the bytes do not
/// begin like one. `name` is the file's name and `when` the moment of derivation.
///
/// Documents of more than 32 MiB, and those that are not well formed, nested too deep or in parts
/// too many, are not read: they are kept under the label for what is unclear. Derived are Patient,
/// AllergyIntolerance, Condition, MedicationStatement, MedicationRequest, Immunization, Observation,
/// DiagnosticReport, Procedure and Encounter, and a file that is the document's body.
pub fn understand(bytes: &[u8], name: &str, when: Moment) -> Option<Understood> {
    let too_large = bytes.len() > source::MAX_LEN;
    let seen = if too_large {
        bytes.get(..PREFIX)?
    } else {
        bytes
    };
    let (text, mended) = source::decode(seen);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !source::begins_like_a_document(text) {
        return None;
    }
    if too_large {
        return Some(unread(name, "larger than 32 MiB: kept, not read".into()));
    }
    if let Err(what) = source::check(text) {
        return Some(unread(name, format!("not read: {what}")));
    }
    let options = roxmltree::ParsingOptions {
        allow_dtd: false,
        nodes_limit: source::MAX_NODES,
        ..roxmltree::ParsingOptions::default()
    };
    let parsed = match roxmltree::Document::parse_with_options(text, options) {
        Ok(parsed) => parsed,
        Err(error) => return Some(unread(name, refusal(&error))),
    };
    let mut out = Understood::default();
    if mended {
        out.report(
            "document",
            "some bytes do not fit its encoding and may read wrong",
        );
    }
    translate(parsed.root_element(), bytes, name, when, &mut out);
    Some(out)
}

/// A document that is kept without having been read.
fn unread(name: &str, what: String) -> Understood {
    Understood {
        meta: RecordMeta {
            kind: Kind::document(),
            category: Category::Note,
            title: file_title(name),
            labels: [Label::unclear()].into(),
            media_type: "text/xml".into(),
            ..RecordMeta::default()
        },
        problems: vec![Problem {
            at: "document".into(),
            what,
        }],
        ..Understood::default()
    }
}

/// Why the parser refused; its own words may quote the document.
fn refusal(error: &roxmltree::Error) -> String {
    match error {
        roxmltree::Error::DtdDetected => "not read: it brings a document type of its own".into(),
        roxmltree::Error::NodesLimitReached => "not read: too many elements".into(),
        other => {
            let at = other.pos();
            format!("not well-formed: line {}, column {}", at.row, at.col)
        }
    }
}

fn translate(document: Node<'_>, bytes: &[u8], name: &str, when: Moment, out: &mut Understood) {
    out.meta = summary(document, name);
    let patients = patients(document);
    let mut deriver = Deriver::new(Digest::of(bytes), when, own_labels(document));
    let body = path(document, &["component", "nonXMLBody"]);
    let structured = path(document, &["component", "structuredBody"]);
    if body.is_none() && structured.is_none() {
        out.report("document", "no body: only the header was understood");
    }
    let embedded = body.and_then(|body| match embedded::content(body) {
        Ok(content) => Some(content),
        Err(what) => {
            out.report("nonXMLBody", what);
            None
        }
    });
    out.about = patients.iter().map(|(_, person)| person.clone()).collect();
    match patients.as_slice() {
        [(role, _)] if count_targets(document) == 1 => {
            let anchors = Anchors::of(document);
            let patient = patient_resource(*role, &anchors);
            let patient = deriver.add("Patient", patient, []);
            add_file(&mut deriver, embedded, &out.meta);
            let mut work = Work::new(deriver, anchors, patient);
            work.written = out.meta.date.clone();
            if let Some(structured) = structured {
                sections::read(&mut work, structured);
            }
            let (derived, problems) = work.finish(FORMAT);
            out.derived = derived;
            out.problems.extend(problems);
        }
        several => {
            out.report(
                "recordTarget",
                match several {
                    [] => "no patient is named: nothing about a person was derived",
                    _ => "more than one patient is named: nothing about a person was derived",
                },
            );
            add_file(&mut deriver, embedded, &out.meta);
            out.derived = deriver.finish(FORMAT);
        }
    }
}

/// The file that is the document's body shares the document's summary.
fn add_file(deriver: &mut Deriver, file: Option<embedded::File>, document: &RecordMeta) {
    let Some(file) = file else {
        return;
    };
    let meta = RecordMeta {
        kind: Kind::document(),
        category: Category::Note,
        media_type: file.media_type,
        date: document.date.clone(),
        title: document.title.clone(),
        author: document.author.clone(),
        ..RecordMeta::default()
    };
    deriver.add_file(meta, file.content);
}
