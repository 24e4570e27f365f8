//! A bundle in a stream: its entries one by one, and what it says of itself.

use std::io::Read;

use super::scan::{Kept, ScanError};
use super::{BundleReader, Found, Sink, Stop, Streamed, problem};
use crate::record::bundle::{Part, under};
use crate::record::json::{MAX_DEPTH, Members, elements};
use crate::record::split::Import;
use crate::record::whole::WholeDraft;
use crate::record::{FhirError, RecordMeta};

/// Longest member of a bundle, besides its entries, that is looked at, in bytes.
const MAX_MEMBER: usize = 1 << 20;

/// Longest that a bundle's members besides its entries are together, in bytes.
const MAX_MEMBERS: usize = 4 << 20;

impl<R: Read> BundleReader<R> {
    /// An object that may be a resource, a bundle or, when `at` is empty, an envelope. It is being
    /// kept; when it is a bundle or envelope, that ends.
    pub(super) fn object<E>(&mut self, at: &str, sink: Sink<'_, E>) -> Result<Found, Stop<E>> {
        let start = self.scan.position();
        let base = self.scan.watch_depth();
        self.scan.open(b'{')?;
        let mut bundle = None;
        let (mut typed, mut first) = (false, true);
        while self.scan.more(first, b'}')? {
            first = false;
            let before = self.scan.kept_so_far().map(<[u8]>::len);
            match self.member()?.as_deref() {
                Some("resourceType") => {
                    let value = self.small_value()?;
                    typed = true;
                    if value.as_deref() == Some("\"Bundle\"") {
                        let mut draft = BundleDraft::default();
                        self.head(at, None, &mut draft, sink)?;
                        bundle = Some(draft);
                        break;
                    }
                }
                Some("entry") if !typed && self.scan.peek()? == Some(b'[') => {
                    if let Some(entry) = self.first_entry()? {
                        let mut draft = BundleDraft {
                            guessed: true,
                            ..BundleDraft::default()
                        };
                        self.head(at, before, &mut draft, sink)?;
                        self.piece(entry, Part::Entry, &under(at, "entry", 1), &mut draft, sink)?;
                        self.entries(at, 1, &mut draft, sink)?;
                        bundle = Some(draft);
                        break;
                    }
                }
                Some("providers") if !typed && at.is_empty() && self.scan.peek()? == Some(b'[') => {
                    self.scan.kept()?;
                    self.providers(sink)?;
                    while self.scan.more(false, b'}')? {
                        self.scan.key()?;
                        self.scan.value()?;
                    }
                    return Ok(Found::Done);
                }
                _ => self.scan.value()?,
            }
        }
        let Some(draft) = bundle else {
            return Ok(Found::One);
        };
        self.bundle(at, (start, base), draft, sink)?;
        Ok(Found::Done)
    }

    /// The rest of a bundle, behind its `resourceType` or its first entries.
    fn bundle<E>(
        &mut self,
        at: &str,
        (start, base): (u64, usize),
        mut draft: BundleDraft,
        sink: Sink<'_, E>,
    ) -> Result<(), Stop<E>> {
        let place = if at.is_empty() { "file" } else { at };
        while self.scan.more(false, b'}')? {
            let before = self.scan.position();
            self.scan.keep();
            let name = self.member()?;
            match (name.as_deref(), self.scan.peek()?) {
                (Some("entry"), Some(b'[')) => {
                    self.scan.kept()?;
                    self.entries(at, 0, &mut draft, sink)?;
                }
                (Some("entry"), _) => {
                    self.scan.value()?;
                    draft.unread = true;
                    sink(problem(place, "the bundle's entry is not a list")).map_err(Stop::Sink)?;
                }
                _ => {
                    self.scan.value()?;
                    let small = self.scan.position() - before <= MAX_MEMBER as u64;
                    match self.scan.kept()? {
                        Kept::Text(text) if small => draft.member(&text),
                        _ => draft.unread = true,
                    }
                }
            }
        }
        self.scan.kept()?;
        let text = format!("{{{}}}", draft.members);
        let members = Members::parse(&text).ok();
        if draft.guessed {
            let kind = members.as_ref().and_then(|m| m.text("resourceType"));
            if kind.as_deref() != Some("Bundle") {
                let what = "the entries were taken for those of a bundle, but it is none";
                return sink(problem(place, what)).map_err(Stop::Sink);
            }
        }
        let Some(mut whole) = members.and_then(|members| WholeDraft::of(&members, None)) else {
            return Ok(());
        };
        if self.scan.deepest(base) > MAX_DEPTH {
            let what = FhirError::TooDeep.to_string();
            return sink(problem(place, &what)).map_err(Stop::Sink);
        }
        draft.parts.iter().for_each(|part| whole.add(part, true));
        if draft.unread {
            whole.has_unread_parts();
        }
        let meta = whole.finish();
        let range = start..self.scan.position();
        sink(Streamed::Whole { range, meta }).map_err(Stop::Sink)
    }

    /// What was kept of a bundle before it was known for one, up to `len`.
    fn head<E>(
        &mut self,
        at: &str,
        len: Option<usize>,
        draft: &mut BundleDraft,
        sink: Sink<'_, E>,
    ) -> Result<(), Stop<E>> {
        let end = self.scan.position();
        let Kept::Text(text) = self.scan.kept()? else {
            draft.unread = true;
            let place = if at.is_empty() { "file" } else { at };
            let what = "what stands before resourceType is too long and was left out";
            return sink(problem(place, what)).map_err(Stop::Sink);
        };
        let start = end - text.len() as u64;
        let head = text.get(..len.unwrap_or(text.len())).unwrap_or_default();
        let head = head.trim_start_matches('\u{feff}').trim_start();
        let members = head.strip_prefix('{').unwrap_or_default();
        let object = format!("{{{}}}", members.trim_end().trim_end_matches(','));
        let shift = members.as_ptr() as usize - text.as_ptr() as usize;
        // entries that did not look like any
        for entries in Members::parse(&object).iter().flat_map(|m| m.all("entry")) {
            for (number, entry) in (1..).zip(elements(entries).unwrap_or_default()) {
                let within = entry.as_ptr() as usize - object.as_ptr() as usize - 1;
                let place = start + (shift + within) as u64;
                let kept = Kept::Text(entry.to_owned());
                let at = under(at, "entry", number);
                self.piece((place, kept), Part::Entry, &at, draft, sink)?;
            }
        }
        draft.member(members);
        Ok(())
    }

    /// The entries of a bundle, behind so many that were taken already.
    fn entries<E>(
        &mut self,
        at: &str,
        taken: usize,
        draft: &mut BundleDraft,
        sink: Sink<'_, E>,
    ) -> Result<(), Stop<E>> {
        if taken == 0 {
            self.scan.open(b'[')?;
        }
        let mut number = taken;
        while self.scan.more(number == 0, b']')? {
            number += 1;
            let entry = self.kept_value()?;
            self.piece(entry, Part::Entry, &under(at, "entry", number), draft, sink)?;
        }
        Ok(())
    }

    /// The first entry of what may be a bundle: if it looks like one, the list stays open behind it.
    /// Else the whole list was walked over.
    fn first_entry(&mut self) -> Result<Option<(u64, Kept)>, ScanError> {
        self.scan.open(b'[')?;
        if !self.scan.more(true, b']')? {
            return Ok(None);
        }
        self.scan.white_space()?;
        let start = self.scan.position();
        let skipped = self.scan.kept_so_far().map(<[u8]>::len);
        self.scan.value()?;
        let entry = self
            .scan
            .kept_so_far()
            .zip(skipped)
            .and_then(|(kept, skipped)| kept.get(skipped..))
            .and_then(|entry| std::str::from_utf8(entry).ok());
        let is_entry = |text: &&str| {
            Members::parse(text).is_ok_and(|members| {
                ["resource", "fullUrl", "request", "response"]
                    .iter()
                    .any(|name| members.has(name))
            })
        };
        if let Some(entry) = entry.filter(is_entry) {
            let entry = Kept::Text(entry.to_owned());
            return Ok(Some((start, entry)));
        }
        while self.scan.more(false, b']')? {
            self.scan.value()?;
        }
        Ok(None)
    }
}

/// What is remembered of a bundle while its entries come by.
#[derive(Default)]
pub(super) struct BundleDraft {
    /// Nothing had said so when its first entry came.
    guessed: bool,
    /// Its members besides the entries, as JSON, with commas between.
    members: String,
    /// What the summary of the whole needs of its parts: the first Composition, and every label.
    parts: Vec<RecordMeta>,
    /// Something in it was left out, and nobody knows its labels.
    pub(super) unread: bool,
}

impl BundleDraft {
    fn member(&mut self, text: &str) {
        let text = text.trim().trim_end_matches(',');
        if self.members.len() + text.len() > MAX_MEMBERS {
            self.unread = true;
        } else if !text.is_empty() {
            if !self.members.is_empty() {
                self.members.push(',');
            }
            self.members.push_str(text);
        }
    }

    pub(super) fn add(&mut self, import: &Import) {
        self.unread |= !import.problems.is_empty();
        for item in &import.items {
            let composition = item.part_of.is_none() && item.meta.kind.as_str() == "Composition";
            let known = |label| self.parts.iter().any(|part| part.labels.contains(label));
            let first = composition && !self.parts.iter().any(|p| p.kind == item.meta.kind);
            if first {
                self.parts.push(item.meta.clone());
            } else if !item.meta.labels.iter().all(known) {
                // the labels alone, so that many parts take no room
                self.parts.push(RecordMeta {
                    labels: item.meta.labels.clone(),
                    ..RecordMeta::default()
                });
            }
        }
    }
}
