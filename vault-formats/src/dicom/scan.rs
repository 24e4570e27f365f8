//! Walking over the elements of a data set without believing their lengths.
//!
//! `dicom-object` reads a value of any stated length into memory and gives nothing after a fault. The
//! decoders of `dicom-parser` below it lose their place at an element of unknown representation with
//! a short length, or one written in the implicit way among explicit ones, and count what they skip
//! without it being there, so that a file that is cut off looks whole. So headers are read here, with
//! the tags and representations of `dicom-core`, and tests hold the walk against `dicom-object`.

use std::io::{self, Read};

use dicom_core::{Tag, VR};

use super::header::{Broken, Header, ITEMS, Syntax, UNDEFINED};

/// Deepest nesting of sequences and items that is followed.
const MAX_DEPTH: usize = 64;
/// Longest value that is kept, in bytes: names, descriptions and codes are far shorter.
const MAX_VALUE_LEN: u64 = 4096;
/// What the caller makes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Pass over it.
    Nothing,
    /// Its bytes.
    Value,
    /// Its items.
    Items,
}

/// What comes next. Ends come in pairs with beginnings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Value(Tag, Vec<u8>),
    /// A wanted value of more than 4 KiB.
    TooLong(Tag),
    Sequence(Tag),
    Item,
    ItemEnd,
    SequenceEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Sequence,
    Item,
    /// The pieces of an encapsulated image.
    Pieces,
}

struct Level {
    inside: Inside,
    /// Where it ends, if a length was given.
    end: Option<u64>,
    /// Nobody wants what is in it.
    quiet: bool,
    syntax: Syntax,
}

/// Walks over a data set up to its pixel data. Memory is bounded by the depth, not by lengths.
///
/// Source: DICOM PS3.5, section 7.
pub(super) struct Scanner<R> {
    source: R,
    at: u64,
    limit: u64,
    syntax: Syntax,
    stack: Vec<Level>,
    /// The last element of the data set itself, for reports.
    last: Tag,
}

impl<R: Read> Scanner<R> {
    /// `limit` is in bytes of elements.
    pub(super) fn new(source: R, syntax: Syntax, limit: u64) -> Self {
        Self {
            source,
            at: 0,
            limit,
            syntax,
            stack: Vec::new(),
            last: Tag(0, 0),
        }
    }

    /// The last element of the data set itself.
    pub(super) fn last(&self) -> Tag {
        self.last
    }

    /// The next event, or nothing at the pixel data and at the end. `want` is asked with the number
    /// of items around an element, and only inside wanted sequences.
    pub(super) fn next(
        &mut self,
        want: &dyn Fn(usize, Tag) -> Want,
    ) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(level) = self.stack.last()
                && level.end == Some(self.at)
            {
                if let Some(event) = self.pop() {
                    return Ok(Some(event));
                }
                continue;
            }
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let event = match self.stack.last().map(|level| level.inside) {
                Some(Inside::Item) if header.tag == Tag(ITEMS, 0xe00d) => {
                    self.delimiter(&header)?
                }
                Some(Inside::Sequence | Inside::Pieces) if header.tag == Tag(ITEMS, 0xe0dd) => {
                    self.delimiter(&header)?
                }
                Some(Inside::Sequence) => self.item(&header)?,
                Some(Inside::Pieces) => {
                    self.piece(&header)?;
                    None
                }
                Some(Inside::Item) => self.element(&header, want)?,
                None => {
                    if header.tag.0 >= 0x7fe0 && header.tag.0 != ITEMS {
                        return Ok(None);
                    }
                    self.last = header.tag;
                    self.element(&header, want)?
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn delimiter(&mut self, header: &Header) -> Result<Option<Event>, Broken> {
        let open = self.stack.last().is_some_and(|level| level.end.is_none());
        if !open || header.len != 0 {
            return Err(Broken::Malformed);
        }
        Ok(self.pop())
    }

    fn item(&mut self, header: &Header) -> Result<Option<Event>, Broken> {
        if header.tag != Tag(ITEMS, 0xe000) {
            return Err(Broken::Malformed);
        }
        let quiet = self.quiet();
        self.push(Inside::Item, header.len, quiet, self.current())?;
        Ok((!quiet).then_some(Event::Item))
    }

    fn piece(&mut self, header: &Header) -> Result<(), Broken> {
        if header.tag != Tag(ITEMS, 0xe000) || header.len == UNDEFINED {
            return Err(Broken::Malformed);
        }
        self.check_fits(header.len)?;
        self.skip(header.len)
    }

    fn element(
        &mut self,
        header: &Header,
        want: &dyn Fn(usize, Tag) -> Want,
    ) -> Result<Option<Event>, Broken> {
        if header.tag.0 == ITEMS {
            return Err(Broken::Malformed);
        }
        let want = if self.quiet() {
            Want::Nothing
        } else {
            let items = self.stack.iter().filter(|l| l.inside == Inside::Item);
            want(items.count(), header.tag)
        };
        let undefined = header.len == UNDEFINED;
        // a value of unknown representation and no length is a sequence in implicit encoding
        let (sequence, syntax) = match header.vr {
            Some(VR::SQ) => (true, self.current()),
            Some(VR::UN) => (undefined || want == Want::Items, Syntax::IMPLICIT),
            Some(_) => (false, self.current()),
            None => (undefined || want == Want::Items, self.current()),
        };
        if !undefined {
            self.check_fits(header.len)?;
        }
        if sequence && (undefined || want == Want::Items) {
            let quiet = want != Want::Items;
            self.push(Inside::Sequence, header.len, quiet, syntax)?;
            return Ok((!quiet).then_some(Event::Sequence(header.tag)));
        }
        if undefined {
            self.push(Inside::Pieces, header.len, true, self.current())?;
            return Ok(None);
        }
        if want != Want::Value || sequence {
            self.skip(header.len)?;
            return Ok(None);
        }
        if u64::from(header.len) > MAX_VALUE_LEN {
            self.skip(header.len)?;
            return Ok(Some(Event::TooLong(header.tag)));
        }
        let mut value = Vec::new();
        let left = self.limit.saturating_sub(self.at);
        let allowed = u64::from(header.len).min(left);
        let got = (&mut self.source).take(allowed).read_to_end(&mut value)?;
        self.advance(got as u64, header.len)?;
        Ok(Some(Event::Value(header.tag, value)))
    }

    fn push(
        &mut self,
        inside: Inside,
        len: u32,
        quiet: bool,
        syntax: Syntax,
    ) -> Result<(), Broken> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Broken::TooDeep);
        }
        let end = if len == UNDEFINED {
            None
        } else {
            self.check_fits(len)?;
            Some(self.at.saturating_add(u64::from(len)))
        };
        self.stack.push(Level {
            inside,
            end,
            quiet,
            syntax,
        });
        Ok(())
    }

    fn pop(&mut self) -> Option<Event> {
        let level = self.stack.pop()?;
        match level.inside {
            Inside::Sequence if !level.quiet => Some(Event::SequenceEnd),
            Inside::Item if !level.quiet => Some(Event::ItemEnd),
            _ => None,
        }
    }

    fn quiet(&self) -> bool {
        self.stack.last().is_some_and(|level| level.quiet)
    }

    fn current(&self) -> Syntax {
        self.stack.last().map_or(self.syntax, |level| level.syntax)
    }

    /// Nothing may be longer than what holds it.
    fn check_fits(&self, len: u32) -> Result<(), Broken> {
        let end = self.at.saturating_add(u64::from(len));
        let held = self.stack.iter().rev().find_map(|level| level.end);
        match held {
            Some(limit) if end > limit => Err(Broken::Malformed),
            _ => Ok(()),
        }
    }

    fn skip(&mut self, len: u32) -> Result<(), Broken> {
        let left = self.limit.saturating_sub(self.at);
        let allowed = u64::from(len).min(left);
        let got = io::copy(&mut (&mut self.source).take(allowed), &mut io::sink())?;
        self.advance(got, len)
    }

    /// Counts what was read of a value.
    fn advance(&mut self, got: u64, len: u32) -> Result<(), Broken> {
        self.at = self.at.saturating_add(got);
        if got == u64::from(len) {
            Ok(())
        } else if self.at >= self.limit {
            Err(Broken::TooMuch)
        } else {
            Err(Broken::CutOff)
        }
    }

    /// The next header; nothing at the end of the data set.
    fn header(&mut self) -> Result<Option<Header>, Broken> {
        if self.at >= self.limit {
            return Err(Broken::TooMuch);
        }
        let syntax = self.current();
        let Some(header) = Header::read(&mut self.source, syntax)? else {
            return match self.stack.is_empty() {
                true => Ok(None),
                false => Err(Broken::CutOff),
            };
        };
        self.at += header.own_len;
        // a header may not stand across the end of what holds it
        self.check_fits(0)?;
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Build;
    use super::*;

    const WANTED: Tag = Tag(0x0010, 0x1002);
    const VALUE: Tag = Tag(0x0010, 0x0020);

    /// All events as text, and how it ended.
    fn walk(bytes: &[u8], syntax: Syntax, limit: u64) -> (String, Option<Broken>) {
        let mut scanner = Scanner::new(bytes, syntax, limit);
        let want = |_, tag| match tag {
            WANTED => Want::Items,
            VALUE => Want::Value,
            _ => Want::Nothing,
        };
        let mut seen = String::new();
        loop {
            match scanner.next(&want) {
                Ok(Some(Event::Value(_, value))) => {
                    seen.push_str(&String::from_utf8_lossy(&value));
                }
                Ok(Some(Event::TooLong(_))) => seen.push('!'),
                Ok(Some(Event::Sequence(_))) => seen.push('['),
                Ok(Some(Event::Item)) => seen.push('('),
                Ok(Some(Event::ItemEnd)) => seen.push(')'),
                Ok(Some(Event::SequenceEnd)) => seen.push(']'),
                Ok(None) => return (seen, None),
                Err(broken) => return (seen, Some(broken)),
            }
        }
    }

    #[test]
    fn sequences_with_and_without_lengths() {
        for case in 0..6 {
            let (explicit, big_endian, defined) = (case < 4, case < 2, case % 2 == 0);
            let mut set = Build::new(explicit, big_endian);
            let value = |set: &Build, text: &str| {
                set.item(|item| {
                    item.text(VALUE, VR::LO, text);
                })
            };
            let (a, b, c) = (value(&set, "aa"), value(&set, "bb"), value(&set, "cc"));
            // not wanted, wanted, empty, and one with a wanted one in one that is not
            let hidden = set.item(|item| {
                item.sequence(WANTED, std::slice::from_ref(&c), defined);
            });
            set.sequence(Tag(0x0008, 0x1111), &[c], defined)
                .sequence(WANTED, &[a, b], defined)
                .sequence(WANTED, &[], defined)
                .sequence(Tag(0x0011, 0x1001), &[hidden], defined)
                .text(VALUE, VR::LO, "dd");
            let expected = ("[(aa)(bb)][]dd".to_owned(), None);
            assert_eq!(walk(&set.bytes, set.syntax, 1 << 20), expected);
        }
    }

    #[test]
    fn images_in_items_and_sequences_of_unknown_representation() {
        let mut set = Build::explicit();
        // an icon in pieces
        let icon = set.item(|item| {
            item.header(Tag(0x7fe0, 0x0010), VR::OB, UNDEFINED)
                .header(Tag(ITEMS, 0xe000), VR::UN, 0)
                .header(Tag(ITEMS, 0xe000), VR::UN, 4);
            item.bytes.extend([0xff; 4]);
            item.header(Tag(ITEMS, 0xe0dd), VR::UN, 0);
        });
        // what is unknown and has no length is in implicit encoding inside
        let mut implicit = Build::new(false, false);
        let item = implicit.item(|item| {
            item.text(VALUE, VR::LO, "xx");
        });
        implicit.sequence(WANTED, &[item], false);
        let inside = implicit.bytes.get(8..).unwrap();
        set.sequence(Tag(0x0009, 0x1001), &[icon], false)
            .header(WANTED, VR::UN, UNDEFINED);
        set.bytes.extend(inside);
        set.header(Tag(0x0011, 0x1001), VR::UN, UNDEFINED);
        set.bytes.extend(inside);
        set.text(VALUE, VR::LO, "yy");
        let expected = ("[(xx)]yy".to_owned(), None);
        assert_eq!(walk(&set.bytes, set.syntax, 1 << 20), expected);
    }

    #[test]
    fn walks_that_end_early() {
        let mut set = Build::explicit();
        set.text(VALUE, VR::LO, "aa");
        let start = set.clone();
        let end = |set: &Build, limit| walk(&set.bytes, set.syntax, limit);
        let broken = |broken| ("aa".to_owned(), Some(broken));
        set.raw(VALUE, VR::UT, &[b'x'; 4097])
            .text(VALUE, VR::LO, "bb");
        assert_eq!(end(&set, 1 << 20), ("aa!bb".to_owned(), None));
        assert_eq!(end(&set, 100), broken(Broken::TooMuch));
        // a delimiter or an item where there is none
        for stray in [0xe000, 0xe00d, 0xe0dd] {
            let mut set = start.clone();
            set.header(Tag(ITEMS, stray), VR::UN, 0);
            assert_eq!(end(&set, 1 << 20), broken(Broken::Malformed));
        }
        let mut set = start.clone();
        set.header(Tag(0x0009, 0x1001), VR::SQ, UNDEFINED);
        assert_eq!(end(&set, 1 << 20), broken(Broken::CutOff));
        set.text(VALUE, VR::LO, "no item");
        assert_eq!(end(&set, 1 << 20), broken(Broken::Malformed));
        // a header across the end of its item
        let mut set = start;
        set.header(WANTED, VR::SQ, 12)
            .header(Tag(ITEMS, 0xe000), VR::UN, 4)
            .text(VALUE, VR::LO, "bb");
        let expected = ("aa[(".to_owned(), Some(Broken::Malformed));
        assert_eq!(end(&set, 1 << 20), expected);
    }
}
