//! The character set of a message.
//!
//! Source: HL7 v2.5.1 table 0211 (alternate character sets).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The text of a message, and a warning where its character set is not known or does not fit.
pub(super) fn decode(bytes: &[u8]) -> (String, Option<String>) {
    let named = name(bytes);
    let encoding = match named.as_deref().map(known) {
        // most of what names nothing, or ASCII, is UTF-8 all the same
        None | Some(Known::Ascii) => return (guess(bytes).0, None),
        Some(Known::Encoding(encoding)) => encoding,
        Some(Known::No) => {
            let (text, encoding) = guess(bytes);
            let what = format!("unknown character set; read as {}", encoding.name());
            return (text, Some(what));
        }
    };
    let (text, faulty) = encoding.decode_without_bom_handling(bytes);
    if faulty {
        let (text, other) = guess(bytes);
        let name = encoding.name();
        let what = format!("the text is not in {name}; read as {}", other.name());
        return (text, Some(what));
    }
    // Latin-1 by name, UTF-8 in truth: two wrongly declared letters in a row hardly ever make sense
    if !bytes.is_ascii()
        && encoding.is_single_byte()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        let what = "the text is UTF-8, not what MSH-18 says".to_owned();
        return (text.to_owned(), Some(what));
    }
    (text.into_owned(), None)
}

fn guess(bytes: &[u8]) -> (String, &'static Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), UTF_8),
        Err(_) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
            (text.into_owned(), WINDOWS_1252)
        }
    }
}

/// MSH-18, its first repetition. The others say which sets may be switched to.
fn name(bytes: &[u8]) -> Option<String> {
    let field = *bytes.get(3)?;
    let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n'));
    let line = bytes.get(..end.unwrap_or(bytes.len()))?;
    let value = line.split(|b| *b == field).nth(17)?;
    let repetition = bytes.get(5).copied().unwrap_or(b'~');
    let first = value.split(|b| *b == repetition).next()?;
    let name = String::from_utf8_lossy(first).trim().to_ascii_uppercase();
    (!name.is_empty() && name != "\"\"").then_some(name)
}

enum Known {
    Ascii,
    Encoding(&'static Encoding),
    No,
}

fn known(name: &str) -> Known {
    let label = match name {
        "ASCII" | "US-ASCII" | "ISO IR6" | "ISO IR14" => return Known::Ascii,
        "UNICODE UTF-8" | "UNICODE" | "UTF-8" | "UTF8" => "utf-8",
        "ISO IR87" | "ISO IR159" => "iso-2022-jp",
        "GB 18030-2000" => "gb18030",
        "KS X 1001" => "euc-kr",
        "CNS 11643-1992" => return Known::No,
        "BIG-5" => "big5",
        other => match other.strip_prefix("8859/") {
            Some(part) => return part_of_8859(part),
            None => other,
        },
    };
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding.is_ascii_compatible() => Known::Encoding(encoding),
        Some(encoding) if encoding == encoding_rs::ISO_2022_JP => Known::Encoding(encoding),
        _ => Known::No,
    }
}

/// Part 1 is read as windows-1252, which has the same letters and more.
fn part_of_8859(part: &str) -> Known {
    let label = format!("iso-8859-{part}");
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) => Known::Encoding(encoding),
        None => Known::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(set: &str, rest: &[u8]) -> Vec<u8> {
        let mut bytes = format!("MSH|^~\\&|||||||||||||||{}{set}\rNTE|1||", "|").into_bytes();
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn character_sets_by_their_names() {
        for (set, rest, expected) in [
            ("", &b"M\xc3\xbcller"[..], "Müller"),
            ("", b"M\xfcller", "Müller"),
            ("ASCII", b"Muller", "Muller"),
            ("8859/1", b"M\xfcller", "Müller"),
            ("8859/15", b"10 \xa4", "10 €"),
            ("8859/2", b"\xb3", "ł"),
            ("8859/5", b"\xb0", "А"),
            ("UNICODE UTF-8", b"\xe2\x82\xac", "€"),
            ("8859/1~ISO IR87", b"M\xfcller", "Müller"),
            ("GB 18030-2000", b"\xd6\xd0", "中"),
        ] {
            let (text, warning) = decode(&named(set, rest));
            assert!(text.ends_with(&format!("||{expected}")), "{set}: {text}");
            assert_eq!(warning, None, "{set}");
        }
    }

    #[test]
    fn what_is_not_known_or_wrong_is_said() {
        let (text, warning) = decode(&named("KLINGON", b"\xe4"));
        assert!(text.ends_with('ä'));
        assert!(warning.unwrap().contains("windows-1252"));
        let (text, warning) = decode(&named("UNICODE UTF-8", b"\xe4"));
        assert!(text.ends_with('ä') && warning.is_some());
        let (text, warning) = decode(&named("8859/1", "ä".as_bytes()));
        assert!(text.ends_with('ä') && warning.is_some());
    }
}
