//! FHIR in one JSON value: a resource, a bundle, a list, or a `providers` envelope.
//!
//! A bundle is taken apart into its resources. One of type `document` or `message` was attested as a
//! whole, so it is a record besides, and its resources are parts of that record.
//!
//! Sources: FHIR R4, resource Bundle; the other two are what exporters write in practice.

use serde_json::value::RawValue;

use super::json::{Members, elements, too_deep};
use super::split::{Import, Item};
use super::whole::WholeDraft;
use super::{FhirError, RecordMeta, fhir, meta};

/// Bundles in bundles are opened this deep.
const MAX_BUNDLES: usize = 8;

/// One resource that is already taken apart, and all in it if it is a bundle. `text` is what `raw`
/// is a part of; `base` is where `text` begins in the input; `at` names the place.
pub(super) fn add_resource<'a>(
    (text, base): (&'a str, usize),
    raw: &'a str,
    members: &Members<'a>,
    at: &str,
    import: &mut Import,
) {
    let mut splitter = Splitter::new(text, base);
    splitter.import = std::mem::take(import);
    splitter.resource(raw, members, at, None, 0);
    *import = splitter.import;
}

/// What a value that was cut out of a larger text ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// An entry of a bundle.
    Entry,
    /// A resource.
    Resource,
    /// A resource, or an entry with one.
    Either,
    /// All the data of one provider.
    Provided,
}

/// The records of one value of a larger text. Ranges are within `text`.
pub(super) fn part(text: &str, part: Part, at: &str) -> Import {
    let mut splitter = Splitter::new(text, 0);
    match part {
        Part::Entry => splitter.entry(text, at, 1),
        Part::Resource => splitter.value(text, at, None, 0),
        Part::Either => splitter.element(text, at),
        Part::Provided => splitter.provider(text, at),
    }
    splitter.import
}

/// The records of a text that is one JSON value; `None` when it is not FHIR.
pub(super) fn whole(
    trimmed: &str,
    text: &str,
    base: usize,
) -> Result<Option<Import>, serde_json::Error> {
    let mut splitter = Splitter::new(text, base);
    if trimmed.starts_with('{') {
        let members = Members::parse(trimmed)?;
        if members.has("resourceType") {
            splitter.resource(trimmed, &members, "", None, 0);
        } else if let Some(providers) = envelope(&members) {
            splitter.providers(&providers);
        } else {
            return Ok(None);
        }
    } else {
        serde_json::from_str::<&RawValue>(trimmed)?;
        let values = elements(trimmed).unwrap_or_default();
        if !values.iter().any(|value| is_resource_or_entry(value)) {
            return Ok(None);
        }
        splitter.list(&values, "", "item");
    }
    Ok(Some(splitter.import))
}

pub(super) fn is_resource_or_entry(value: &str) -> bool {
    let has_type = |text| Members::parse(text).is_ok_and(|m: Members<'_>| m.has("resourceType"));
    has_type(value)
        || Members::parse(value).is_ok_and(|entry| entry.get("resource").is_some_and(has_type))
}

/// The providers of a `{"providers": [{"name": …, "fhir": …}]}` envelope.
fn envelope<'a>(members: &Members<'a>) -> Option<Vec<&'a str>> {
    let providers = elements(members.get("providers")?)?;
    let with_fhir = |p: &&str| Members::parse(p).is_ok_and(|p| p.has("fhir"));
    providers.iter().any(with_fhir).then_some(providers)
}

struct Splitter<'a> {
    /// The text that every slice lies in.
    text: &'a str,
    /// Where that text begins in the input.
    base: usize,
    import: Import,
    /// The item of the attested bundle that is being taken apart.
    part_of: Option<usize>,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str, base: usize) -> Self {
        Self {
            text,
            base,
            import: Import::default(),
            part_of: None,
        }
    }

    fn item(&mut self, raw: &str, meta: RecordMeta) {
        let start = self.base + self.offset(raw);
        self.import.items.push(Item {
            range: start..start + raw.len(),
            meta,
            part_of: self.part_of,
        });
    }

    /// Adds one resource, or all that a bundle holds. `at` is empty for the file itself.
    fn resource(
        &mut self,
        raw: &'a str,
        members: &Members<'a>,
        at: &str,
        full_url: Option<&str>,
        bundles: usize,
    ) {
        let place = if at.is_empty() { "file" } else { at };
        let is_bundle = members.text("resourceType").as_deref() == Some("Bundle");
        if is_bundle && bundles == MAX_BUNDLES {
            self.import.report(place, "too many bundles in bundles");
        } else if is_bundle {
            self.bundle(raw, members, at, full_url, bundles + 1);
        } else {
            match fhir::summary_of(raw, members) {
                Ok(mut meta) => {
                    if meta.source_id.is_none() {
                        meta.source_id = full_url.map(meta::clean_field);
                    }
                    self.item(raw, meta);
                }
                Err(error) => self.import.report(place, &error.to_string()),
            }
        }
    }

    fn bundle(
        &mut self,
        raw: &'a str,
        members: &Members<'a>,
        at: &str,
        full_url: Option<&str>,
        bundles: usize,
    ) {
        let Some(mut draft) = WholeDraft::of(members, full_url) else {
            return self.entries(members, at, bundles);
        };
        if too_deep(raw) {
            let place = if at.is_empty() { "file" } else { at };
            self.import.report(place, &FhirError::TooDeep.to_string());
            return self.entries(members, at, bundles);
        }
        let index = self.import.items.len();
        self.item(raw, RecordMeta::default());
        let outer = self.part_of.replace(index);
        let before = self.import.problems.len();
        self.entries(members, at, bundles);
        self.part_of = outer;
        for part in self.import.items.iter().skip(index + 1) {
            draft.add(&part.meta, part.part_of == Some(index));
        }
        if self.import.problems.len() > before || self.import.is_full() {
            draft.has_unread_parts();
        }
        if let Some(item) = self.import.items.get_mut(index) {
            item.meta = draft.finish();
        }
    }

    fn entries(&mut self, members: &Members<'a>, at: &str, bundles: usize) {
        for entries in members.all("entry") {
            match elements(entries) {
                Some(entries) => {
                    for (number, entry) in (1..).zip(entries) {
                        self.entry(entry, &under(at, "entry", number), bundles);
                    }
                }
                None => {
                    let place = if at.is_empty() { "file" } else { at };
                    self.import
                        .report(place, "the bundle's entry is not a list");
                }
            }
        }
    }

    fn entry(&mut self, raw: &'a str, at: &str, bundles: usize) {
        let Ok(entry) = Members::parse(raw) else {
            self.import.report(at, "the entry is not a JSON object");
            return;
        };
        let full_url = entry.text("fullUrl");
        let mut resources = entry.all("resource").peekable();
        if resources.peek().is_none() && !entry.has("request") && !entry.has("response") {
            self.import.report(at, "the entry has no resource");
        }
        for resource in resources {
            self.value(resource, at, full_url.as_deref(), bundles);
        }
    }

    /// Adds a value that ought to be a resource.
    fn value(&mut self, raw: &'a str, at: &str, full_url: Option<&str>, bundles: usize) {
        match Members::parse(raw) {
            Ok(members) => self.resource(raw, &members, at, full_url, bundles),
            Err(_) => self.import.report(at, &FhirError::NotAnObject.to_string()),
        }
    }

    /// Adds a list of resources, or of bundle entries.
    fn list(&mut self, values: &[&'a str], parent: &str, noun: &str) {
        for (number, value) in (1..).zip(values) {
            self.element(value, &under(parent, noun, number));
        }
    }

    fn element(&mut self, value: &'a str, at: &str) {
        let is_entry = Members::parse(value)
            .is_ok_and(|members| !members.has("resourceType") && members.has("resource"));
        if is_entry {
            self.entry(value, at, 0);
        } else {
            self.value(value, at, None, 0);
        }
    }

    fn providers(&mut self, providers: &[&'a str]) {
        for (number, provider) in (1..).zip(providers) {
            let at = under("", "provider", number);
            let Ok(members) = Members::parse(provider) else {
                self.import.report(&at, "the provider is not a JSON object");
                continue;
            };
            for (name, value) in members.iter() {
                match name {
                    "fhir" => self.provider(value, &at),
                    // plain values describe the download; lists and objects may hold records
                    _ if value.starts_with(['[', '{']) && value.len() > 2 => {
                        self.import.report(&at, &not_fhir(name));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Adds one provider's data: a resource or bundle, a list, or lists by resource type.
    fn provider(&mut self, fhir: &'a str, at: &str) {
        if let Some(values) = elements(fhir) {
            return self.list(&values, at, "item");
        }
        match Members::parse(fhir) {
            Ok(members) if members.has("resourceType") => {
                self.resource(fhir, &members, at, None, 0);
            }
            Ok(members) => {
                for (name, value) in members.iter() {
                    match elements(value) {
                        Some(values) => self.list(&values, at, &brief(name)),
                        None => self.value(value, &format!("{at}, {}", brief(name)), None, 0),
                    }
                }
            }
            Err(_) => self.import.report(at, "\"fhir\" is not an object or list"),
        }
    }

    /// Where a slice of `text` begins in it.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

/// What is said of a list or object that a provider's envelope holds besides FHIR.
pub(super) fn not_fhir(name: &str) -> String {
    format!("\"{}\" is not FHIR and was left out", brief(name))
}

/// The name of a place within another.
pub(super) fn under(parent: &str, noun: &str, number: usize) -> String {
    if parent.is_empty() {
        format!("{noun} {number}")
    } else {
        format!("{parent}, {noun} {number}")
    }
}

/// A foreign name, fit to print.
pub(super) fn brief(name: &str) -> String {
    meta::clean_field(name).chars().take(40).collect()
}
