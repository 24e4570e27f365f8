//! What is at hand while the entries of a document are gone through.

use serde_json::{Map, Value, json};
use vault_core::record::{Problem, clean_title};
use vault_core::{ClinicalDate, Label};

use super::reader::{
    Anchors, Coded, Node, attr, child, children, elements, identifiers, is_null, put_list,
};
use super::time::{date_time, time};
use crate::{Derived, Deriver, fhir};

/// Most resources that are derived from one document.
const MAX_RESOURCES: usize = 20_000;
/// Most problems that are told one by one.
const MAX_PROBLEMS: usize = 500;

/// The status of what must not be shown as true: as HL7 v3 has it, then words that do not belong
/// there and mean the same.
const WITHDRAWN: &[&str] = &[
    "nullified",
    "obsolete",
    "entered-in-error",
    "error",
    "rejected",
    "deleted",
    "void",
    "not-done",
];

/// Whether an entry says that something is so, or that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is so.
    Stated,
    /// `negationInd="true"`: it is not so.
    Denied,
}

/// The status of an act that was not withdrawn. Source: HL7 v3 code system ActStatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Under way.
    Active,
    /// Came to its normal end.
    Completed,
    /// Ended before its time.
    Aborted,
    /// Given up before it began.
    Cancelled,
    /// Set aside for now.
    Suspended,
    /// Not begun: new or held.
    Waiting,
    /// Not said.
    Unsaid,
    /// A word that is no status of an act.
    Unknown,
}

/// The state of the work on one document.
pub(super) struct Work<'a> {
    /// Where references in the document point to.
    pub(super) anchors: Anchors<'a>,
    /// The reference to the Patient.
    pub(super) patient: String,
    /// When the document was written.
    pub(super) written: Option<ClinicalDate>,
    /// The labels of the section at hand and of those around it.
    pub(super) labels: Vec<Label>,
    /// What place in the document problems are reported for.
    pub(super) place: String,
    deriver: Deriver,
    problems: Vec<Problem>,
    untold: usize,
    titles: Vec<(usize, String)>,
    full: bool,
}

impl<'a> Work<'a> {
    /// Begins; the Patient is in the deriver already.
    pub(super) fn new(deriver: Deriver, anchors: Anchors<'a>, patient: String) -> Self {
        Self {
            anchors,
            patient,
            written: None,
            labels: Vec::new(),
            place: "document".into(),
            deriver,
            problems: Vec::new(),
            untold: 0,
            titles: Vec::new(),
            full: false,
        }
    }

    /// Notes a part that was left out. The words hold nothing from the document.
    pub(super) fn report(&mut self, what: &str) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.untold += 1;
            return;
        }
        self.problems.push(Problem {
            at: clean_title(&self.place),
            what: what.to_owned(),
        });
    }

    /// Whether no more resources are taken.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Adds a resource with the labels of its section; `None` when there are too many already.
    pub(super) fn add(&mut self, kind: &str, resource: Map<String, Value>) -> Option<String> {
        if self.deriver.len() >= MAX_RESOURCES {
            if !self.full {
                self.full = true;
                self.report("more than 20000 entries: the rest was not derived");
            }
            return None;
        }
        Some(
            self.deriver
                .add(kind, resource, self.labels.iter().cloned()),
        )
    }

    /// Adds a resource under a title of its own, so that a list of titles does not read as if what
    /// it denies were so.
    pub(super) fn add_titled(
        &mut self,
        kind: &str,
        resource: Map<String, Value>,
        title: impl FnOnce(&str) -> String,
    ) -> Option<String> {
        let words = concept_words(&resource);
        let at = self.deriver.len();
        let reference = self.add(kind, resource)?;
        if self.deriver.len() > at {
            self.titles.push((at, clean_title(&title(&words))));
        }
        Some(reference)
    }

    /// Ends the work.
    pub(super) fn finish(mut self, format: &str) -> (Vec<Derived>, Vec<Problem>) {
        if self.untold > 0 {
            self.problems.push(Problem {
                at: "document".into(),
                what: format!("{} more parts were left out", self.untold),
            });
        }
        let mut derived = self.deriver.finish(format);
        for (at, title) in self.titles {
            if let Some(derived) = derived.get_mut(at) {
                derived.meta.title = title;
            }
        }
        (derived, self.problems)
    }

    /// A resource with what all have: identifiers, and the patient under this name.
    pub(super) fn begin(&self, node: Node<'a>, patient: &str) -> Map<String, Value> {
        let mut resource = Map::new();
        put_list(&mut resource, "identifier", identifiers(node));
        resource.insert(patient.into(), fhir::reference(&self.patient));
        resource
    }

    /// Notes when the author wrote it, where that is said.
    pub(super) fn put_recorded(
        &self,
        resource: &mut Map<String, Value>,
        node: Node<'a>,
        key: &str,
    ) {
        let written = child(node, "author").and_then(|author| child(author, "time"));
        if let Some(date) = written.and_then(time) {
            resource.insert(key.into(), json!(date_time(&date)));
        }
    }

    /// A coded element whose words may also stand in the entry's own text.
    pub(super) fn coded(&self, node: Option<Node<'a>>, entry: Node<'a>) -> Option<Coded<'a>> {
        let mut coded = self.anchors.coded(node)?;
        if coded.text.is_none() && !coded.codings.is_empty() {
            coded.text = child(entry, "text").and_then(|text| self.anchors.words(text));
        }
        Some(coded)
    }

    /// Whether an entry may be read, and what it claims; `None` when it is to be left out, which is
    /// reported unless the entry is a plan.
    pub(super) fn claim(&mut self, node: Node<'a>) -> Option<Claim> {
        let mood = attr(node, "moodCode").unwrap_or("EVN");
        if mood != "EVN" {
            return None;
        }
        self.claim_in_any_mood(node)
    }

    /// [`Work::claim`] for what may be a plan.
    pub(super) fn claim_in_any_mood(&mut self, node: Node<'a>) -> Option<Claim> {
        if is_null(node) {
            self.report("left out: an entry without information");
            return None;
        }
        if child(node, "subject").is_some() {
            self.report("left out: an entry about somebody else");
            return None;
        }
        let mut codes = children(node, "statusCode").filter_map(|status| attr(status, "code"));
        if codes.any(|code| {
            WITHDRAWN
                .iter()
                .any(|known| known.eq_ignore_ascii_case(code))
        }) {
            self.report("left out: an entry that was withdrawn or replaced");
            return None;
        }
        match node.attribute("negationInd").map(str::trim) {
            None | Some("false" | "0") => Some(Claim::Stated),
            Some("true" | "1") => Some(Claim::Denied),
            Some(_) => {
                self.report("left out: an entry that may be a denial");
                None
            }
        }
    }

    /// Whether an entry that only frames others may be read; a denied one is left out.
    pub(super) fn is_open(&mut self, node: Node<'a>) -> bool {
        match self.claim(node) {
            Some(Claim::Stated) if status(node) == Status::Cancelled => {
                self.report("left out: an entry that was cancelled");
                false
            }
            Some(Claim::Stated) => true,
            Some(Claim::Denied) => {
                self.report("left out: a denial");
                false
            }
            None => false,
        }
    }

    /// The acts of this name that an act is related to; a denied relation is left out.
    pub(super) fn related(&mut self, node: Node<'a>, name: &'static str) -> Vec<Node<'a>> {
        let mut found = Vec::new();
        for relation in children(node, "entryRelationship") {
            let Some(target) = child(relation, name) else {
                continue;
            };
            let denied = relation.attribute("negationInd").map(str::trim);
            if is_null(relation) || !matches!(denied, None | Some("false" | "0")) {
                self.report("left out: a relation that is denied");
                continue;
            }
            found.push(target);
        }
        found
    }
}

/// The status of an act.
pub(super) fn status(node: Node<'_>) -> Status {
    let code = child(node, "statusCode").filter(|status| !is_null(*status));
    let code = code
        .and_then(|status| attr(status, "code"))
        .map(str::to_ascii_lowercase);
    match code.as_deref() {
        None => Status::Unsaid,
        Some("active") => Status::Active,
        Some("completed" | "normal") => Status::Completed,
        Some("aborted") => Status::Aborted,
        Some("cancelled") => Status::Cancelled,
        Some("suspended") => Status::Suspended,
        Some("new" | "held") => Status::Waiting,
        _ => Status::Unknown,
    }
}

/// The act in an entry, a component or a relation.
pub(super) fn act(holder: Node<'_>) -> Option<Node<'_>> {
    elements(holder).find(|node| node.has_attribute("classCode") || node.has_attribute("moodCode"))
}

/// The words of a resource's main concept.
fn concept_words(resource: &Map<String, Value>) -> String {
    let concept = ["code", "vaccineCode", "medicationCodeableConcept"];
    let concept = concept.iter().find_map(|key| resource.get(*key));
    let text = concept.and_then(|concept| {
        let display = || concept.get("coding")?.get(0)?.get("display");
        let code = || concept.get("coding")?.get(0)?.get("code");
        concept.get("text").or_else(display).or_else(code)
    });
    text.and_then(Value::as_str).unwrap_or_default().to_owned()
}
