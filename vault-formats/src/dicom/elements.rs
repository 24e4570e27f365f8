//! The elements of a data set that a record needs.

use std::collections::BTreeMap;
use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::header::Broken;
use super::scan::{Event, Scanner, Want};
use super::text::Charset;

/// Most items of sequences that are kept of one data set.
const MAX_ITEMS: usize = 256;

/// Values by tag, and the items of wanted sequences.
pub(super) struct Elements {
    charset: Charset,
    values: BTreeMap<Tag, Vec<u8>>,
    items: BTreeMap<Tag, Vec<Elements>>,
}

/// A walk that is over.
pub(super) struct Collected {
    /// What was read.
    pub elements: Elements,
    /// Elements that were too long to be kept.
    pub too_long: Vec<Tag>,
    /// Why it ended early, and at which element.
    pub broken: Option<(Tag, Broken)>,
}

impl Elements {
    fn new(charset: Charset) -> Self {
        Self {
            charset,
            values: BTreeMap::new(),
            items: BTreeMap::new(),
        }
    }

    /// Walks to the pixel data, the end or the first fault. `want` says what is kept, of the data
    /// set itself (0) and of the items in its wanted sequences (1). `each` is shown every item, with
    /// the tag of its sequence, and says whether it is kept.
    pub(super) fn collect(
        scanner: &mut Scanner<impl Read>,
        want: &dyn Fn(usize, Tag) -> Want,
        each: &mut dyn FnMut(Tag, &Elements) -> bool,
    ) -> Collected {
        let mut elements = Self::new(Charset::DEFAULT);
        let mut too_long = Vec::new();
        let mut sequence = Tag(0, 0);
        let mut item: Option<Self> = None;
        let mut kept = 0;
        // sequences in items are not wanted, so that there is one open item at most
        let want = |depth: usize, tag: Tag| match want(depth, tag) {
            Want::Items if depth > 0 => Want::Nothing,
            wanted => wanted,
        };
        let broken = loop {
            match scanner.next(&want) {
                Ok(Some(Event::Value(tag, value))) => {
                    item.as_mut().unwrap_or(&mut elements).keep(tag, value);
                }
                Ok(Some(Event::TooLong(tag))) => {
                    if too_long.len() < 16 {
                        too_long.push(tag);
                    }
                }
                Ok(Some(Event::Sequence(tag))) => sequence = tag,
                Ok(Some(Event::Item)) => item = Some(Self::new(elements.charset)),
                Ok(Some(Event::ItemEnd)) => {
                    if let Some(item) = item.take()
                        && each(sequence, &item)
                        && kept < MAX_ITEMS
                    {
                        kept += 1;
                        elements.items.entry(sequence).or_default().push(item);
                    }
                }
                Ok(Some(Event::SequenceEnd)) => {}
                Ok(None) => break None,
                Err(broken) => break Some((scanner.last(), broken)),
            }
        };
        Collected {
            elements,
            too_long,
            broken,
        }
    }

    /// The first value of a tag stays.
    fn keep(&mut self, tag: Tag, value: Vec<u8>) {
        if tag == tags::SPECIFIC_CHARACTER_SET {
            self.charset = Charset::new(&value);
        }
        self.values.entry(tag).or_insert(value);
    }

    /// All values of a text, without padding; empty ones are left out.
    pub(super) fn texts(&self, tag: Tag) -> Vec<String> {
        let Some(value) = self.values.get(&tag) else {
            return Vec::new();
        };
        let text = self.charset.decode(value);
        text.split('\\')
            .map(|value| value.trim_matches(|c: char| c.is_whitespace() || c == '\0'))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The first value of a text that is not empty.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next()
    }

    /// A UID, if it is one: at most 64 digits and dots.
    pub(super) fn uid(&self, tag: Tag) -> Option<String> {
        self.text(tag).filter(|text| is_uid(text))
    }

    /// The items of a sequence that were kept.
    pub(super) fn items(&self, tag: Tag) -> &[Elements] {
        self.items.get(&tag).map_or(&[], Vec::as_slice)
    }
}

/// Source: DICOM PS3.5, section 9.1; leading zeros are common and harmless.
pub(super) fn is_uid(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.contains('.')
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}
