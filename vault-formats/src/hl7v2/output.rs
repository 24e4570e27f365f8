//! What is derived from one file, within bounds.

use serde_json::{Map, Value, json};
use vault_core::RecordMeta;

use super::changes::{Change, Numbers, Statements};
use super::frames::{Message, Problems, note};
use crate::fhir::reference;
use crate::{Derived, Deriver};

/// Most that is derived from one file, in bytes of JSON (about) and of files.
const MAX_BYTES: usize = 48 << 20;
/// Most resources that are derived from one file.
const MAX_RESOURCES: usize = 20_000;
/// Longest string of a FHIR resource, in bytes. Source: FHIR R4, data type string.
pub(super) const MAX_STRING: usize = 1 << 20;

/// Collects resources and problems.
#[derive(Debug)]
pub(super) struct Output {
    deriver: Deriver,
    left: usize,
    full: bool,
    said: Statements,
    /// When the message was sent that is read now, where it says so to the second.
    pub(super) sent: Option<String>,
    /// What could not be read.
    pub(super) problems: Problems,
}

impl Output {
    pub(super) fn new(deriver: Deriver, problems: Problems) -> Self {
        Self {
            deriver,
            left: MAX_BYTES,
            full: false,
            said: Statements::default(),
            sent: None,
            problems,
        }
    }

    /// Adds a resource and returns its reference; `None` when there is no room left.
    pub(super) fn add(&mut self, kind: &str, mut resource: Map<String, Value>) -> Option<String> {
        if let Some(sent) = &self.sent {
            resource.insert("meta".into(), json!({ "lastUpdated": sent }));
        }
        let weight: usize = resource.iter().map(|(k, v)| k.len() + weight(v)).sum();
        if !self.take(weight) {
            return None;
        }
        Some(self.deriver.add(kind, resource, []))
    }

    /// Keeps what was said, to know it again when a later message speaks of it.
    pub(super) fn remember(&mut self, kind: &str, numbers: &Numbers, detail: &str, made: &str) {
        if !self.said.remember(kind, numbers, detail, made) {
            let what = "too many statements of one number; later ones may take back some of them";
            note(&mut self.problems, "file", what);
        }
    }

    /// Changes what was said before of the same thing.
    pub(super) fn change_earlier(
        &mut self,
        kind: &str,
        numbers: &Numbers,
        detail: &str,
        change: impl Fn() -> Change,
    ) {
        let earlier = self.said.earlier(kind, numbers, detail);
        for reference in &earlier {
            self.change(reference, change());
        }
    }

    /// Changes a resource that was added.
    pub(super) fn change(&mut self, reference: &str, change: Change) {
        let change = change.at(self.sent.as_deref());
        self.said.change(reference, change);
    }

    /// Adds a file that lay in a message.
    pub(super) fn add_file(&mut self, meta: RecordMeta, content: Vec<u8>) {
        if self.take(content.len()) {
            self.deriver.add_file(meta, content);
        }
    }

    /// Whether nothing more will be taken.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    fn take(&mut self, weight: usize) -> bool {
        let room = self.deriver.len() < MAX_RESOURCES && weight <= self.left;
        if room {
            self.left -= weight;
        } else if !self.full {
            self.full = true;
            let what = "more than is derived from one file; the rest is in the original only";
            note(&mut self.problems, "file", what);
        }
        room
    }

    /// Notes what could not be read.
    pub(super) fn report(&mut self, at: impl Into<String>, what: impl Into<String>) {
        note(&mut self.problems, at, what);
    }

    /// All that was derived, and the problems.
    pub(super) fn finish(self, format: &str) -> (Vec<Derived>, Problems) {
        let mut derived = self.deriver.finish(format);
        self.said.apply(&mut derived);
        (derived, self.problems)
    }
}

/// About how many bytes of JSON a value needs.
fn weight(value: &Value) -> usize {
    4 + match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.as_str().len(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(k, v)| k.len() + weight(v)).sum(),
    }
}

/// What the resources of one message have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) message: &'a Message,
    /// The reference of its Patient, where it names one.
    pub(super) patient: Option<&'a str>,
    /// The kind of message (MSH-9.1) and the event (MSH-9.2).
    pub(super) kind: &'a str,
    pub(super) event: &'a str,
    /// The place that sent it (MSH-4).
    pub(super) sender: Option<&'a str>,
}

impl Context<'_> {
    /// The subject of a resource. FHIR wants one even where the message names nobody.
    pub(super) fn subject(&self) -> Value {
        match self.patient {
            Some(patient) => reference(patient),
            None => json!({"display": "not named in the message"}),
        }
    }
}

/// Sets an element if there is a value.
pub(super) fn set(resource: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        resource.insert(key.to_owned(), value.into());
    }
}

/// Sets a list if it is not empty: FHIR has no empty lists.
pub(super) fn set_list(resource: &mut Map<String, Value>, key: &str, values: Vec<Value>) {
    if !values.is_empty() {
        resource.insert(key.to_owned(), Value::Array(values));
    }
}

/// A reference by name only.
pub(super) fn named(name: Option<String>) -> Option<Value> {
    name.map(|name| json!({ "display": name }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;
    use vault_core::Digest;

    #[test]
    fn what_has_no_room_is_said_once() {
        let deriver = Deriver::new(Digest::of(b"x"), Moment(0), [].into());
        let mut out = Output::new(deriver, Problems::new());
        assert!(out.add("Patient", Map::new()).is_some());
        out.left = 100;
        let long = Map::from_iter([("text".to_owned(), json!("x".repeat(200)))]);
        assert_eq!(out.add("Observation", long.clone()), None);
        assert_eq!(out.add("Observation", long), None);
        assert!(out.is_full());
        let (derived, problems) = out.finish("a test");
        assert_eq!((derived.len(), problems.len()), (2, 1));
    }
}
