//! From the bytes of a file to messages and their segments.
//!
//! Sources: HL7 v2.5.1 chapter 2 (delimiters, batches), HL7 "Transport Specification: MLLP".

use std::ops::Range;

use hl7_parser::message::Separators;

use super::charset;
use super::fields::Segment;

/// Most messages that are read from one file.
pub(super) const MAX_MESSAGES: usize = 20_000;
/// Most segments of one message.
const MAX_SEGMENTS: usize = 50_000;
/// Most delimiters in one segment. The parser needs some 600 bytes for each.
const MAX_DELIMITERS: usize = 20_000;

/// What is wrong with a line that does not begin like a segment.
const NO_SEGMENT: &str = "no segment";

/// Most problems that are told one by one.
pub(super) const MAX_PROBLEMS: usize = 100;

/// Notes a problem, and one more than are told: a broken file may have millions.
pub(super) fn note(problems: &mut Problems, at: impl Into<String>, what: impl Into<String>) {
    if problems.len() <= MAX_PROBLEMS {
        problems.push((at.into(), what.into()));
    }
}

/// What could not be read, in order: where, and what is wrong.
pub(super) type Problems = Vec<(String, String)>;

/// One message, normalised: segments end where they should, the text is Unicode, and MSH-2 has
/// exactly the four delimiters that the parser reads.
#[derive(Debug)]
pub(super) struct Message {
    /// Counted from 1 in the file.
    pub(super) number: usize,
    /// Whether segments are missing that could have said anything.
    pub(super) incomplete: bool,
    separators: Separators,
    /// Every segment with its place in the message, from 1.
    lines: Vec<(usize, String)>,
}

impl Message {
    /// Its segments, each taken apart when it is its turn: all of them at once would need many
    /// times the memory of the file.
    pub(super) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let lines = self.lines.iter();
        lines.filter_map(|(at, line)| Segment::read(line, self.separators, *at))
    }

    /// The segments of this name.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Segment<'a>> {
        let lines = self.lines.iter();
        let lines = lines.filter(move |(_, line)| name_of(line) == name);
        lines.filter_map(|(at, line)| Segment::read(line, self.separators, *at))
    }

    /// The first segment of this name.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<Segment<'a>> {
        self.named(name).next()
    }

    /// Whether there is a segment of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|(_, line)| name_of(line) == name)
    }

    /// The message, or where it is about several patients, one for each of them: results follow
    /// the patient whose they are.
    pub(super) fn parts(mut self) -> Vec<Self> {
        let starts: Vec<usize> = (self.lines.iter().enumerate())
            .filter(|(_, (_, line))| name_of(line) == "PID")
            .map(|(at, _)| at)
            .collect();
        let header = self.lines.first().cloned();
        let mut parts = Vec::new();
        // from the last patient on; what stands before the first belongs to the first
        for start in starts.into_iter().skip(1).rev() {
            let mut lines: Vec<_> = header.iter().cloned().collect();
            lines.extend(self.lines.drain(start..));
            parts.push(Self { lines, ..self });
        }
        parts.push(self);
        parts.reverse();
        parts
    }

    /// Where a segment stands, for a problem.
    pub(super) fn place(&self, segment: &Segment<'_>) -> String {
        let (at, name) = (segment.number(), segment.name());
        format!("message {}, segment {at} ({name})", self.number)
    }
}

/// The name of a segment as [`segment_text`] made it.
fn name_of(line: &str) -> &str {
    let line = line.split_once('\r').map_or(line, |(_, segment)| segment);
    line.get(..3).unwrap_or_default()
}

/// Whether a file begins like HL7 v2: a header of a message, a file or a batch.
pub(super) fn begins_well(prefix: &[u8]) -> bool {
    let body = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    let skipped = |b: &&u8| b.is_ascii_whitespace() || **b == 0x0b;
    let start = body.iter().take_while(skipped).count();
    let body = body.get(start..).unwrap_or_default();
    [b"MSH", b"FHS", b"BHS"].iter().any(|name| {
        let rest = body.strip_prefix(&name[..]).unwrap_or_default();
        match rest {
            [field, component, ..] => {
                is_delimiter(*field)
                    && (is_delimiter(*component) && field != component
                        // MSH-2 of a file header may be left out
                        || field == component && *name != b"MSH")
            }
            _ => false,
        }
    })
}

fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_punctuation()
}

/// Where the messages of a file lie; every range begins with `MSH`. Batch headers and trailers,
/// frames and byte order marks are left out.
pub(super) fn ranges(bytes: &[u8], problems: &mut Problems) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    let mut strays = 0usize;
    for line in lines(bytes) {
        let text = bytes.get(line.clone()).unwrap_or_default();
        let named = |name: &[u8; 3]| {
            let rest = text.strip_prefix(&name[..]);
            rest.is_some_and(|rest| rest.first().is_none_or(|b| is_delimiter(*b)))
        };
        if named(b"MSH") {
            if found.len() == MAX_MESSAGES {
                let what = format!("only the first {MAX_MESSAGES} messages are read");
                note(problems, "file", what);
                break;
            }
            found.push(line);
            open = true;
        } else if [b"FHS", b"BHS", b"BTS", b"FTS"].into_iter().any(named) {
            open = false;
        } else if let (true, Some(last)) = (open, found.last_mut()) {
            last.end = line.end;
        } else {
            strays += 1;
        }
    }
    if strays > 0 {
        let what = format!("{strays} lines belong to no message");
        note(problems, "file", what);
    }
    found
}

/// The lines of a file that are not empty, without their ends, frame bytes and byte order marks.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let ends = |b: &u8| matches!(b, b'\r' | b'\n' | 0x0b | 0x1c);
            let len = rest.iter().position(ends).unwrap_or(rest.len());
            let line = rest.get(..len).unwrap_or_default();
            let mut start = at;
            at += len + 1;
            if line.starts_with(b"\xef\xbb\xbf") {
                start += 3;
            }
            let line = bytes.get(start..at - 1).unwrap_or_default();
            let blank = line.iter().take_while(|b| matches!(b, b' ' | b'\t'));
            start += blank.count();
            if start < at - 1 {
                return Some(start..at - 1);
            }
        }
    })
}

/// Reads one message; `bytes` begin with `MSH`. `None` when its delimiters make no sense.
pub(super) fn message(bytes: &[u8], number: usize, problems: &mut Problems) -> Option<Message> {
    let at = format!("message {number}");
    let (text, warning) = charset::decode(bytes);
    if let Some(warning) = warning {
        note(problems, format!("{at}, MSH-18"), warning);
    }
    let Some((separators, header)) = header(&text) else {
        note(problems, at, "the delimiters in MSH cannot be read");
        return None;
    };
    let mut message = Message {
        number,
        incomplete: false,
        separators,
        lines: Vec::new(),
    };
    // a line feed between carriage returns may be text
    let has_returns = text.contains('\r');
    let mut rest: &str = &text;
    let mut after_feed = false;
    let mut count = 0usize;
    while !rest.is_empty() {
        let len = rest.find(['\r', '\n', '\u{b}', '\u{1c}']);
        let (line, next) = rest.split_at(len.unwrap_or(rest.len()));
        let feed = next.starts_with('\n');
        rest = next.get(1..).unwrap_or_default();
        let continues = has_returns && after_feed;
        // the second half of a line end in two characters ends nothing
        after_feed = feed && (after_feed || !line.is_empty());
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            continue;
        }
        let line = line.trim_start_matches([' ', '\t']);
        count += 1;
        if message.lines.len() == MAX_SEGMENTS {
            let what = format!("only the first {MAX_SEGMENTS} segments are read");
            note(problems, at, what);
            message.incomplete = true;
            break;
        }
        match segment_text(line, &header, separators) {
            Ok(text) => message.lines.push((count, text)),
            Err(NO_SEGMENT) if continues => {
                count -= 1;
                if let Some((_, last)) = message.lines.last_mut() {
                    last.push('\n');
                    last.push_str(line);
                }
            }
            Err(what) => {
                message.incomplete |= what != NO_SEGMENT;
                note(problems, format!("{at}, line {count}"), what);
            }
        }
    }
    Some(message)
}

/// The delimiters of a message, and the first eight characters of its `MSH` as the parser wants
/// them. It takes exactly four characters of MSH-2; a fifth (truncation, from v2.7 on) and missing
/// ones are made good here.
fn header(text: &str) -> Option<(Separators, String)> {
    let rest = text.strip_prefix("MSH")?;
    let field = rest.chars().next().filter(char::is_ascii_punctuation)?;
    let own: Vec<char> = rest
        .chars()
        .skip(1)
        .take(6)
        .take_while(|c| *c != field && !c.is_whitespace())
        .collect();
    let plain = |c: &char| c.is_ascii_punctuation();
    let distinct = |(at, c): (usize, &char)| own.iter().skip(at + 1).all(|other| other != c);
    if own.len() > 5 || !own.iter().all(plain) || !own.iter().enumerate().all(distinct) {
        return None;
    }
    // what is not given is a character that no text has, so that nothing is split by it
    let at = |at: usize, missing: char| own.get(at).copied().unwrap_or(missing);
    let separators = Separators {
        field,
        component: at(0, '\u{1}'),
        repetition: at(1, '\u{2}'),
        escape: at(2, '\u{3}'),
        subcomponent: at(3, '\u{4}'),
        lenient_newlines: false,
    };
    Some((separators, format!("MSH{separators}")))
}

/// A segment with the header before it that tells the parser its delimiters.
fn segment_text(line: &str, header: &str, separators: Separators) -> Result<String, &'static str> {
    let mut chars = line.chars();
    let name: String = chars.by_ref().take(3).collect();
    let well_named = name.len() == 3
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let rest = chars.as_str();
    if !well_named || !(rest.is_empty() || rest.starts_with(separators.field)) {
        return Err(NO_SEGMENT);
    }
    let Separators {
        field,
        component,
        repetition,
        subcomponent,
        ..
    } = separators;
    let splits = |c: &char| [field, component, repetition, subcomponent].contains(c);
    if rest.chars().filter(splits).count() > MAX_DELIMITERS {
        return Err("too many fields in one segment");
    }
    if name == "MSH" {
        let after = rest.get(1..).unwrap_or_default();
        let fields = after.find(field).and_then(|at| after.get(at..));
        return Ok(format!("{header}{}", fields.unwrap_or_default()));
    }
    let rest = if rest.is_empty() {
        field.to_string()
    } else {
        rest.to_owned()
    };
    Ok(format!("{header}\r{name}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Vec<String>>, Problems) {
        let mut problems = Problems::new();
        let found = ranges(bytes, &mut problems);
        let mut messages = Vec::new();
        for (at, range) in found.into_iter().enumerate() {
            let message = message(&bytes[range], at + 1, &mut problems).unwrap();
            let names = message.segments().map(|s| s.name().to_owned());
            messages.push(names.collect());
        }
        (messages, problems)
    }

    #[test]
    fn beginnings() {
        for good in [
            &b"MSH|^~\\&|"[..],
            b"\xef\xbb\xbfMSH|^",
            b"\x0bMSH|^~\\&|A",
            b"\r\n  FHS|^~\\&",
            b"BHS||",
            b"MSH#*~\\&#",
        ] {
            assert!(begins_well(good), "{good:?}");
        }
        for bad in [
            &b""[..],
            b"MSH",
            b"MSH|",
            b"MSH||",
            b"MSH is a segment",
            b"MSHA^~\\&|",
            b"PID|1",
            b"MSH: a, b",
        ] {
            assert!(!begins_well(bad), "{bad:?}");
        }
    }

    #[test]
    fn line_ends_frames_and_batches() {
        let expected = vec![vec!["MSH", "PID"], vec!["MSH", "EVN"]];
        for file in [
            "MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\rEVN|A01\r",
            "\u{feff}MSH|^~\\&|A\nPID|1\n\nMSH|^~\\&|B\nEVN",
            "MSH|^~\\&|A\r\nPID|1\r\nMSH|^~\\&|B\r\nEVN|A01\r\n",
            "\u{b}MSH|^~\\&|A\rPID|1\r\u{1c}\r\u{b}MSH|^~\\&|B\rEVN|A01\r\u{1c}\r",
            "FHS|^~\\&|x\rBHS|^~\\&|x\rMSH|^~\\&|A\rPID|1\rBTS|1\rBHS|^~\\&|x\rMSH|^~\\&|B\rEVN|A01\rBTS|1\rFTS|2",
        ] {
            let (messages, problems) = read(file.as_bytes());
            assert_eq!(messages, expected, "{file:?}");
            assert_eq!(problems, [], "{file:?}");
        }
    }

    #[test]
    fn a_line_feed_between_carriage_returns_is_text() {
        let mut problems = Problems::new();
        let file = b"MSH|^~\\&|A\rNTE|1||one\ntwo, not NTE\rPID|1\r";
        let message = message(file, 1, &mut problems).unwrap();
        assert_eq!(problems, []);
        let note = message.first("NTE").unwrap();
        assert_eq!(note.text(3).unwrap(), "one\ntwo, not NTE");
        assert!(message.has("PID"));
        // where line feeds end segments, such a line is a fault
        let (messages, problems) = read(b"MSH|^~\\&|A\nNTE|1||one\ntwo\nPID|1\n");
        assert_eq!(messages, [["MSH", "NTE", "PID"]]);
        let expected = ("message 1, line 3".to_owned(), "no segment".to_owned());
        assert_eq!(problems, [expected]);
    }

    #[test]
    fn delimiters_of_every_kind() {
        for (file, expected) in [
            ("MSH|^~\\&|A|B^C", "A"),
            ("MSH|^~\\&#|A|B^C", "A"),
            ("MSH#*~\\&#A#B*C", "A"),
            ("MSH|^|A|B^C", "A"),
        ] {
            let mut problems = Problems::new();
            let message = message(file.as_bytes(), 1, &mut problems).unwrap();
            let msh = message.first("MSH").unwrap();
            assert_eq!(msh.text(3).as_deref(), Some(expected), "{file}");
            assert_eq!(msh.comp(4, 2).as_deref(), Some("C"), "{file}");
        }
        for bad in ["MSH|^^\\&|A", "MSH|ab|A", "MSH"] {
            assert!(message(bad.as_bytes(), 1, &mut Problems::new()).is_none());
        }
    }

    #[test]
    fn a_segment_of_too_many_fields_is_left_out() {
        let file = format!("MSH|^~\\&|A\rOBX|{}\rPID|1\r", "|".repeat(30_000));
        let (messages, problems) = read(file.as_bytes());
        assert_eq!(messages, [["MSH", "PID"]]);
        assert_eq!(problems.len(), 1);
    }
}
