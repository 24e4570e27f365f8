//! FHIR in XML, turned into JSON.
//!
//! The XML is the original and stays as it is; every resource in it becomes a record in FHIR JSON
//! that says the same, with the same id, digits and narrative. Any release from DSTU2 to R5 is read.
//!
//! Sources: FHIR R4, "XML representation of resources" and "JSON representation of resources".

mod elements;
mod names;
mod narrative;
mod read;
mod tree;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use vault_core::record::{MAX_CODES, Problem, clean_title, summary};
use vault_core::{Category, Digest, Label, RecordMeta};

use self::read::{Sink, XmlError};
use crate::{Deriver, Moment, Person, Understood};

/// Longest file, in bytes (32 MiB).
const MAX_LEN: usize = 32 << 20;
/// Most resources of one file.
const MAX_RESOURCES: usize = 50_000;
/// Most persons that are named.
const MAX_PERSONS: usize = 100;
/// Media type. Source: FHIR R4, "Resource formats".
const MEDIA_TYPE: &str = "application/fhir+xml";

/// Whether a file that begins like this is FHIR in XML: its root element is a resource in the
/// namespace `http://hl7.org/fhir`. The prefix must hold the whole start tag.
pub fn looks_like(prefix: &[u8]) -> bool {
    read::root(whole_characters(prefix)).is_some()
}

/// Understands a FHIR document in XML; `None` when it is none. `name` titles what says nothing.
///
/// A file of more than 32 MiB or 50,000 resources, one that is not well-formed, and one with a
/// document type declaration is kept, labelled unclear, with a problem and nothing derived.
pub fn understand(bytes: &[u8], name: &str, when: Moment) -> Option<Understood> {
    let start = bytes.get(..bytes.len().min(MAX_LEN)).unwrap_or_default();
    let root = read::root(whole_characters(start))?;
    let mut understood = Understood::default();
    let mut found = Found::default();
    let outcome = match std::str::from_utf8(bytes) {
        _ if bytes.len() > MAX_LEN => Err("larger than 32 MiB".to_owned()),
        Err(_) => Err("the text is not UTF-8".to_owned()),
        Ok(text) => read::read(without_mark(text), &mut found).map_err(|error| error.to_string()),
    };
    if let Err(what) = outcome {
        found = Found::default();
        found.labels.insert(Label::unclear());
        understood.report("file", what);
    }
    let is_bundle = root == "Bundle";
    let of_file = found.of_file.clone();
    let mut deriver = Deriver::new(Digest::of(bytes), when, of_file);
    understood.meta = found.meta(is_bundle, name);
    understood.about = found.persons;
    for (number, resource) in (1..).zip(found.resources) {
        let added = match &resource.id {
            Some(id) => deriver
                .add_existing(&format!("{}/{id}", resource.kind), resource.json)
                .map_err(|error| error.to_string()),
            None => with_new_id(&mut deriver, &resource),
        };
        if let Err(what) = added {
            understood.problems.push(Problem {
                at: format!("resource {number}"),
                what,
            });
        }
    }
    understood.derived = deriver.finish("FHIR in XML");
    Some(understood)
}

/// Adds a resource that has no id of its own.
fn with_new_id(deriver: &mut Deriver, resource: &Resource) -> Result<(), String> {
    summary(&resource.json).map_err(|error| error.to_string())?;
    let members: Map<String, Value> =
        serde_json::from_str(&resource.json).map_err(|_| "cannot be read again".to_owned())?;
    deriver.add(&resource.kind, members, []);
    Ok(())
}

/// A resource of the file, in JSON.
struct Resource {
    kind: String,
    id: Option<String>,
    json: String,
}

/// What was found in the file.
#[derive(Default)]
struct Found {
    resources: Vec<Resource>,
    persons: Vec<Person>,
    /// The summaries' union: of the file and of every resource.
    labels: BTreeSet<Label>,
    /// The labels of the bundle itself, which cover all that is in it.
    of_file: BTreeSet<Label>,
    /// The first summary; the only one where the file is one resource.
    first: Option<RecordMeta>,
    together: RecordMeta,
    shelves: BTreeSet<Category>,
}

impl Found {
    /// The summary of the file.
    fn meta(&self, is_bundle: bool, name: &str) -> RecordMeta {
        let mut meta = match (&self.first, is_bundle) {
            (Some(first), false) => first.clone(),
            _ => self.together.clone(),
        };
        if is_bundle {
            let count = self.resources.len();
            let plural = if count == 1 { "" } else { "s" };
            meta.title = format!("Patient record ({count} resource{plural})");
            if let (Some(shelf), 1) = (self.shelves.first(), self.shelves.len()) {
                meta.category = *shelf;
            }
        }
        if meta.title.is_empty() || self.first.is_none() {
            meta.title = clean_title(name);
        }
        meta.kind = vault_core::Kind::document();
        meta.media_type = MEDIA_TYPE.to_owned();
        meta.source_id = None;
        meta.labels = self.labels.clone();
        meta
    }
}

impl Sink for Found {
    fn resource(&mut self, resource: Map<String, Value>) -> Result<(), XmlError> {
        if self.resources.len() == MAX_RESOURCES {
            return Err(XmlError::TooManyResources);
        }
        let text = |key: &str| resource.get(key).and_then(Value::as_str).map(str::to_owned);
        let kind = text("resourceType").unwrap_or_default();
        let id = text("id").filter(|id| !id.is_empty());
        let resource = Value::Object(resource);
        if kind == "Patient" && self.persons.len() < MAX_PERSONS {
            let person = Person::from_patient(&resource);
            let new = person.filter(|person| !self.persons.contains(person));
            self.persons.extend(new);
        }
        let json = resource.to_string();
        if let Ok(meta) = summary(&json) {
            self.labels.extend(meta.labels.iter().cloned());
            self.together.date = self.together.date.take().max(meta.date.clone());
            let room = MAX_CODES.saturating_sub(self.together.codes.len());
            let codes = meta.codes.iter().take(room).cloned();
            self.together.codes.extend(codes);
            if self.together.author.is_none() {
                self.together.author.clone_from(&meta.author);
            }
            if !matches!(meta.category, Category::Other | Category::Identity) {
                self.shelves.insert(meta.category);
            }
            self.first.get_or_insert(meta);
        } else {
            self.labels.insert(Label::unclear());
        }
        self.resources.push(Resource { kind, id, json });
        Ok(())
    }

    fn bundle(&mut self, bundle: Map<String, Value>) {
        if let Ok(meta) = summary(&Value::Object(bundle).to_string()) {
            self.of_file.extend(meta.labels.iter().cloned());
            self.labels.extend(meta.labels);
        }
    }
}

/// The characters that are whole at the start of a text.
fn whole_characters(bytes: &[u8]) -> &str {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|whole| std::str::from_utf8(whole).ok())
            .unwrap_or_default(),
    };
    without_mark(whole)
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
