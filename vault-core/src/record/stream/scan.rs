//! Walking over JSON of any length in a window of bounded size.
//!
//! Checks the grammar of RFC 8259 and UTF-8 as it goes, byte by byte and without recursion.

use std::io::{ErrorKind, Read};

/// Bytes that are read at a time.
const WINDOW: usize = 64 << 10;

/// Bytes that are looked at before they are walked over.
const AHEAD: usize = 4 << 10;

/// Deepest nesting that is walked over; each level takes a byte.
const MAX_LEVELS: usize = 4 << 20;

/// Why the walk ended.
#[derive(Debug)]
pub(super) enum ScanError {
    /// Not JSON from this byte of the input on, counted from 0; true when the input ended there.
    NotJson(u64, bool),
    /// Nested too deep to walk over.
    TooDeep,
    Io(std::io::Error),
}

impl From<std::io::Error> for ScanError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// What was kept of the input.
pub(super) enum Kept {
    /// All of it, as text.
    Text(String),
    /// It was longer than the limit.
    TooLong,
}

pub(super) struct Scan<R> {
    reader: R,
    window: Vec<u8>,
    /// Next byte in the window.
    at: usize,
    /// Place of the window in the input.
    start: u64,
    ended: bool,
    /// The bytes at the end of the window that begin a character, and those of windows before.
    cut: Vec<u8>,
    /// Place in the input of the first byte that is not UTF-8.
    bad: Option<u64>,
    /// Where in the window the part to keep begins, when something is kept.
    mark: Option<usize>,
    kept: Vec<u8>,
    too_long: bool,
    limit: usize,
    /// Arrays and objects that are open.
    depth: usize,
    /// Most of them since [`Scan::watch_depth`].
    deepest: usize,
}

impl<R: Read> Scan<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self {
            reader,
            window: Vec::new(),
            at: 0,
            start: 0,
            ended: false,
            cut: Vec::new(),
            bad: None,
            mark: None,
            kept: Vec::new(),
            too_long: false,
            limit,
            depth: 0,
            deepest: 0,
        }
    }

    /// Place of the next byte in the input.
    pub(super) fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Begins to keep what is walked over.
    pub(super) fn keep(&mut self) {
        self.kept = Vec::new();
        self.too_long = false;
        self.mark = Some(self.at);
    }

    /// Ends to keep, and gives what was kept.
    pub(super) fn kept(&mut self) -> Result<Kept, ScanError> {
        self.flush();
        self.mark = None;
        let kept = std::mem::take(&mut self.kept);
        if self.too_long {
            return Ok(Kept::TooLong);
        }
        let len = kept.len() as u64;
        match String::from_utf8(kept) {
            Ok(text) => Ok(Kept::Text(text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to() as u64;
                Err(ScanError::NotJson(self.position() - len + at, false))
            }
        }
    }

    /// What has been kept so far, unless it is too long.
    pub(super) fn kept_so_far(&mut self) -> Option<&[u8]> {
        self.flush();
        (!self.too_long).then_some(&self.kept)
    }

    /// Moves the marked part of the window to what is kept.
    fn flush(&mut self) {
        let Some(mark) = self.mark else {
            return;
        };
        self.mark = Some(self.at);
        let part = self.window.get(mark..self.at).unwrap_or_default();
        if self.too_long || self.kept.len() + part.len() > self.limit {
            self.too_long = true;
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(part);
        }
    }

    /// The next byte, which stays where it is.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        if self.at == self.window.len() && !self.fill()? {
            return match self.bad {
                Some(at) => Err(ScanError::NotJson(at, false)),
                None => Ok(None),
            };
        }
        if self.bad.is_some_and(|bad| bad <= self.position()) {
            return Err(ScanError::NotJson(self.position(), false));
        }
        Ok(self.window.get(self.at).copied())
    }

    /// Reads the next window; false at the end of the input.
    fn fill(&mut self) -> Result<bool, ScanError> {
        if self.ended {
            return Ok(false);
        }
        self.flush();
        self.start += self.at as u64;
        self.at = 0;
        self.mark = self.mark.map(|_| 0);
        self.window.clear();
        self.append()
    }

    /// Reads more behind the window; false at the end of the input.
    fn append(&mut self) -> Result<bool, ScanError> {
        let before = self.window.len();
        self.window.resize(before + WINDOW, 0);
        let got = loop {
            let room = self.window.get_mut(before..).unwrap_or_default();
            match self.reader.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got,
            }
        };
        self.window.truncate(before + *got.as_ref().unwrap_or(&0));
        self.ended = got? == 0;
        self.check_utf8(before);
        Ok(!self.ended)
    }

    /// The next bytes, as many as help to tell what comes.
    pub(super) fn ahead(&mut self) -> Result<&[u8], ScanError> {
        while self.window.len() - self.at < AHEAD && !self.ended {
            self.append()?;
        }
        Ok(self.window.get(self.at..).unwrap_or_default())
    }

    fn check_utf8(&mut self, from: usize) {
        if self.bad.is_some() {
            return;
        }
        let window = self.window.get(from..).unwrap_or_default();
        let start = self.start + from as u64;
        // the first bytes of a cut character have been seen, but must be checked with the rest
        let cut = std::mem::take(&mut self.cut);
        let joined: std::borrow::Cow<'_, [u8]> = if cut.is_empty() {
            window.into()
        } else {
            [&cut, window].concat().into()
        };
        if let Err(error) = std::str::from_utf8(&joined) {
            let valid = error.valid_up_to();
            if error.error_len().is_none() && !self.ended {
                self.cut = joined.get(valid..).unwrap_or_default().to_vec();
            } else {
                self.bad = Some((start + valid as u64).saturating_sub(cut.len() as u64));
            }
        }
    }

    pub(super) fn bump(&mut self) {
        self.at += 1;
    }

    pub(super) fn white_space(&mut self) -> Result<(), ScanError> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek()? {
            self.bump();
        }
        Ok(())
    }

    fn wrong<T>(&mut self) -> Result<T, ScanError> {
        let ended = self.peek()?.is_none();
        Err(ScanError::NotJson(self.position(), ended))
    }

    /// Takes the byte that must come next.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.peek()? == Some(byte) {
            self.bump();
            Ok(())
        } else {
            self.wrong()
        }
    }

    /// Opens an array or object.
    pub(super) fn open(&mut self, bracket: u8) -> Result<(), ScanError> {
        self.expect(bracket)?;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        Ok(())
    }

    /// After an opening bracket or a value: whether another value comes. Takes the comma before it,
    /// or the bracket that closes.
    pub(super) fn more(&mut self, first: bool, close: u8) -> Result<bool, ScanError> {
        self.white_space()?;
        match self.peek()? {
            Some(byte) if byte == close => {
                self.bump();
                self.depth = self.depth.saturating_sub(1);
                Ok(false)
            }
            Some(b',') if !first => {
                self.bump();
                self.white_space()?;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => self.wrong(),
        }
    }

    /// Begins to count how deep it goes from here.
    pub(super) fn watch_depth(&mut self) -> usize {
        self.deepest = self.depth;
        self.depth
    }

    /// The deepest level since, counted from `base`.
    pub(super) fn deepest(&self, base: usize) -> usize {
        self.deepest.saturating_sub(base)
    }

    /// Walks over one value. Nothing but white space may come before it.
    pub(super) fn value(&mut self) -> Result<(), ScanError> {
        // for every open array or object, the bracket that closes it
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.white_space()?;
            match self.peek()? {
                Some(bracket @ (b'{' | b'[')) => {
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    self.open(bracket)?;
                    if open.len() == MAX_LEVELS {
                        return Err(ScanError::TooDeep);
                    }
                    if self.more(true, close)? {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return self.wrong(),
            }
            // a value has ended, and perhaps what it stands in
            loop {
                let Some(close) = open.last().copied() else {
                    return Ok(());
                };
                if self.more(false, close)? {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Walks over a member's name and its colon.
    pub(super) fn key(&mut self) -> Result<(), ScanError> {
        self.string()?;
        self.white_space()?;
        self.expect(b':')?;
        self.white_space()
    }

    fn string(&mut self) -> Result<(), ScanError> {
        self.expect(b'"')?;
        loop {
            let Some(byte) = self.peek()? else {
                return self.wrong();
            };
            match byte {
                b'"' => {
                    self.bump();
                    return Ok(());
                }
                b'\\' => {
                    self.bump();
                    match self.peek()? {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.bump(),
                        Some(b'u') => {
                            self.bump();
                            for _ in 0..4 {
                                match self.peek()? {
                                    Some(digit) if digit.is_ascii_hexdigit() => self.bump(),
                                    _ => return self.wrong(),
                                }
                            }
                        }
                        _ => return self.wrong(),
                    }
                }
                0..0x20 => return self.wrong(),
                _ => self.plain(),
            }
        }
    }

    /// Walks over what stands for itself in a string, as far as the window goes.
    fn plain(&mut self) {
        let rest = self.window.get(self.at..).unwrap_or_default();
        let special = |b: &u8| matches!(b, b'"' | b'\\' | 0..0x20);
        let run = rest.iter().position(special).unwrap_or(rest.len());
        let good = self.bad.map_or(run, |bad| {
            run.min(usize::try_from(bad.saturating_sub(self.position())).unwrap_or(run))
        });
        self.at += good;
    }

    fn literal(&mut self, text: &[u8]) -> Result<(), ScanError> {
        text.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek()? == Some(b'-') {
            self.bump();
        }
        if self.peek()? == Some(b'0') {
            self.bump();
        } else {
            self.digits()?;
        }
        if self.peek()? == Some(b'.') {
            self.bump();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek()? {
            self.bump();
            if let Some(b'+' | b'-') = self.peek()? {
                self.bump();
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        if !self.peek()?.is_some_and(|b| b.is_ascii_digit()) {
            return self.wrong();
        }
        while self.peek()?.is_some_and(|b| b.is_ascii_digit()) {
            self.bump();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
