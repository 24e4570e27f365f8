//! Text in DICOM: the character sets a data set may name, with their escape sequences.

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5,
    ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_15, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252,
    WINDOWS_1254,
};

/// What the bytes of a data set's texts mean: the value of Specific Character Set (0008,0005).
///
/// A byte that its set does not have becomes U+FFFD. Source: DICOM PS3.3, section C.12.1.1.2, and
/// PS3.5, section 6.1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charset {
    /// The set that a text begins in; `None` for ASCII.
    initial: Option<&'static Encoding>,
}

/// What the bytes after an escape sequence mean.
#[derive(Clone, Copy)]
enum Set {
    /// An encoding with ASCII in its lower half; `None` for ASCII.
    Plain(Option<&'static Encoding>),
    /// JIS X 0208 in two bytes of seven bits.
    Jis0208,
    /// JIS X 0212 in two bytes of seven bits.
    Jis0212,
}

impl Charset {
    /// ASCII, where a data set names nothing.
    pub(super) const DEFAULT: Self = Self { initial: None };

    /// The set that a value of (0008,0005) names; what is not known is taken for ASCII.
    pub(super) fn new(value: &[u8]) -> Self {
        let value = String::from_utf8_lossy(value);
        let first = value.split('\\').next().unwrap_or_default();
        let term = first.trim_matches([' ', '\0']).to_ascii_uppercase();
        let number = ["ISO_IR ", "ISO 2022 IR ", "ISO-IR ", "ISO IR "]
            .iter()
            .find_map(|prefix| term.strip_prefix(prefix))
            .unwrap_or(&term);
        let initial = match number {
            "13" => SHIFT_JIS,
            "100" => WINDOWS_1252,
            "101" => ISO_8859_2,
            "109" => ISO_8859_3,
            "110" => ISO_8859_4,
            "126" => ISO_8859_7,
            "127" => ISO_8859_6,
            "138" => ISO_8859_8,
            "144" => ISO_8859_5,
            "148" => WINDOWS_1254,
            "149" => EUC_KR,
            "166" => WINDOWS_874,
            "192" => UTF_8,
            "203" => ISO_8859_15,
            "58" | "GBK" => GBK,
            "GB18030" => GB18030,
            _ => return Self::DEFAULT,
        };
        Self {
            initial: Some(initial),
        }
    }

    /// The text of a value.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut set = Set::Plain(self.initial);
        let (mut start, mut at) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at + 1..).unwrap_or_default();
            if byte == 0x1b
                && let Some((len, next)) = self.escape(rest)
            {
                set.decode(bytes.get(start..at).unwrap_or_default(), &mut out);
                at += 1 + len;
                start = at;
                set = next;
                continue;
            }
            // at the end of a line, a value or a part of a name, the first set is back
            let ends = matches!(byte, b'\\' | b'^' | b'=' | b'\t' | b'\n' | 0x0c | b'\r');
            if ends && start > 0 && matches!(set, Set::Plain(_)) {
                set.decode(bytes.get(start..at).unwrap_or_default(), &mut out);
                start = at;
                set = Set::Plain(self.initial);
            }
            at += 1;
        }
        set.decode(bytes.get(start..).unwrap_or_default(), &mut out);
        out
    }

    /// The escape sequence at the start of `rest`: its length and what follows it.
    fn escape(self, rest: &[u8]) -> Option<(usize, Set)> {
        // a text in one of these has no escape sequences
        if self
            .initial
            .is_some_and(|set| set == UTF_8 || set == GB18030)
        {
            return None;
        }
        let set = match rest {
            [b'(', b'B', ..] => return Some((2, Set::Plain(self.initial))),
            [b'(', b'J', ..] | [b')', b'I', ..] => SHIFT_JIS,
            [b'$', b'B' | b'@', ..] => return Some((2, Set::Jis0208)),
            [b'$', b'(', b'D', ..] => return Some((3, Set::Jis0212)),
            [b'$', b')', b'C', ..] => return Some((3, Set::Plain(Some(EUC_KR)))),
            [b'$', b')', b'A', ..] => return Some((3, Set::Plain(Some(GBK)))),
            [b'-', b'A', ..] => WINDOWS_1252,
            [b'-', b'B', ..] => ISO_8859_2,
            [b'-', b'C', ..] => ISO_8859_3,
            [b'-', b'D', ..] => ISO_8859_4,
            [b'-', b'F', ..] => ISO_8859_7,
            [b'-', b'G', ..] => ISO_8859_6,
            [b'-', b'H', ..] => ISO_8859_8,
            [b'-', b'L', ..] => ISO_8859_5,
            [b'-', b'M', ..] => WINDOWS_1254,
            [b'-', b'T', ..] => WINDOWS_874,
            [b'-', b'b', ..] => ISO_8859_15,
            _ => return None,
        };
        Some((2, Set::Plain(Some(set))))
    }
}

impl Set {
    fn decode(self, bytes: &[u8], out: &mut String) {
        let text = |encoding: &'static Encoding, bytes: &[u8]| {
            encoding.decode_without_bom_handling(bytes).0.into_owned()
        };
        match self {
            Self::Plain(Some(encoding)) => out.push_str(&text(encoding, bytes)),
            // many write UTF-8 or Latin-1 without saying so
            Self::Plain(None) => match std::str::from_utf8(bytes) {
                Ok(utf8) => out.push_str(utf8),
                Err(_) => out.push_str(&text(WINDOWS_1252, bytes)),
            },
            // EUC-JP has the same sets with the high bits on, the second one after 0x8F
            Self::Jis0208 => {
                let high: Vec<u8> = bytes.iter().map(|&byte| raised(byte)).collect();
                out.push_str(&text(EUC_JP, &high));
            }
            Self::Jis0212 => {
                let mut high = Vec::with_capacity(bytes.len() * 2);
                for pair in bytes.chunks(2) {
                    high.push(0x8f);
                    high.extend(pair.iter().map(|&byte| raised(byte)));
                }
                out.push_str(&text(EUC_JP, &high));
            }
        }
    }
}

/// A byte of a seven-bit set in the upper half; spaces and controls stay.
fn raised(byte: u8) -> u8 {
    if byte > 0x20 { byte | 0x80 } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_for_all() {
        for (charset, bytes, expected) in [
            ("", &b"Lind^Mira"[..], "Lind^Mira"),
            ("ISO_IR 100", b"Lindstr\xf6m", "Lindström"),
            ("ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa"),
            ("ISO_IR 144", b"\xbb\xee\xda", "Люк"),
            ("ISO_IR 126", b"\xc4\xe9\xef\xed", "Διον"),
            ("ISO_IR 148", b"Da\xf0", "Dağ"),
            ("ISO_IR 166", b"\xa1\xa2", "กข"),
            ("ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
            ("ISO_IR 192 ", "王^小東".as_bytes(), "王^小東"),
            ("GB18030", b"\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东"),
            // unnamed: what it can be
            ("", "Lindström".as_bytes(), "Lindström"),
            ("", b"Lindstr\xf6m", "Lindström"),
            ("ISO_IR 999", b"Lindstr\xf6m", "Lindström"),
            ("ISO_IR 192", b"a\xffb", "a\u{fffd}b"),
        ] {
            assert_eq!(
                Charset::new(charset.as_bytes()).decode(bytes),
                expected,
                "{charset}"
            );
        }
    }

    #[test]
    fn escape_sequences_change_the_set() {
        // DICOM PS3.5, annex H.3.1 (Japanese), I.2 (Korean), K.2 (Chinese)
        for (charset, bytes, expected) in [
            (
                r"\ISO 2022 IR 87",
                &b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"[..],
                "Yamada^Tarou=山田^太郎=やまだ^たろう",
            ),
            (
                r"ISO 2022 IR 13\ISO 2022 IR 87",
                b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
            ),
            (
                r"\ISO 2022 IR 149",
                b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
                "Hong^Gildong=洪^吉洞",
            ),
            (
                r"\ISO 2022 IR 58",
                b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
                "Zhang^XiaoDong=张^小东",
            ),
            (
                r"ISO 2022 IR 100\ISO 2022 IR 144",
                b"\xe4\x1b-L\xbb\xee\xda^\xe4",
                "äЛюк^ä",
            ),
            // JIS X 0212, 0x3021
            (r"\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B.", "丂."),
            // an escape that means nothing here stays
            ("ISO_IR 192", b"\x1b$Ba", "\u{1b}$Ba"),
            ("ISO_IR 100", b"\x1b", "\u{1b}"),
        ] {
            assert_eq!(
                Charset::new(charset.as_bytes()).decode(bytes),
                expected,
                "{charset}"
            );
        }
    }
}
