//! Escape sequences in texts.
//!
//! The parser's own decoder finds the end of a sequence by counting characters as bytes, which
//! fails beside letters outside ASCII, and knows no formatting commands. Hence this one.
//!
//! Source: HL7 v2.5.1 section 2.7 (use of escape sequences in text fields).

use hl7_parser::message::Separators;

/// Most lines or blanks that one formatting command may make.
const MAX_SKIP: usize = 10;

/// A text without its escape sequences. Line ends become `\n`, other control characters go, and
/// what is no sequence, such as a path with backslashes, stays as it is.
pub(super) fn unescape(text: &str, separators: &Separators) -> String {
    let mut out = String::with_capacity(text.len());
    let escape = separators.escape;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(escape) {
        push_clean(before, &mut out);
        let sequence = after.split_once(escape);
        rest = match sequence {
            Some((sequence, next)) if replace(sequence, separators, &mut out) => next,
            _ => {
                out.push(escape);
                after
            }
        };
    }
    push_clean(rest, &mut out);
    out
}

fn push_clean(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}

/// Writes what a sequence stands for; false when it is none.
fn replace(sequence: &str, separators: &Separators, out: &mut String) -> bool {
    match sequence {
        "F" => out.push(separators.field),
        "S" => out.push(separators.component),
        "T" => out.push(separators.subcomponent),
        "R" => out.push(separators.repetition),
        "E" => out.push(separators.escape),
        "P" => out.push('#'),
        // highlighting
        "H" | "N" => {}
        ".br" | ".ce" => out.push('\n'),
        ".fi" | ".nf" => {}
        _ => return replace_long(sequence, out),
    }
    true
}

fn replace_long(sequence: &str, out: &mut String) -> bool {
    let count = |text: &str| -> Option<usize> {
        let digits = text.trim().trim_start_matches('+');
        if digits.is_empty() {
            return Some(1);
        }
        digits.parse::<usize>().ok().map(|n| n.min(MAX_SKIP))
    };
    if let Some(lines) = sequence.strip_prefix(".sp").and_then(count) {
        out.extend(std::iter::repeat_n('\n', lines));
        return true;
    }
    if let Some(blanks) = sequence.strip_prefix(".sk").and_then(count) {
        out.extend(std::iter::repeat_n(' ', blanks));
        return true;
    }
    if let Some(rest) = sequence.strip_prefix(['.']) {
        let indents = rest.strip_prefix("in").or_else(|| rest.strip_prefix("ti"));
        let number = |text: &str| text.trim().trim_start_matches(['+', '-']).parse::<u32>();
        return indents.is_some_and(|by| by.is_empty() || number(by).is_ok());
    }
    if let Some(bytes) = sequence.strip_prefix('X').and_then(hex) {
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
        push_clean(std::str::from_utf8(&bytes).unwrap_or(&text), out);
        return true;
    }
    // character sets switched inside a text: the text was decoded before
    let switch = |prefix: char, digits: usize| {
        let code = sequence.strip_prefix(prefix).unwrap_or_default();
        code.len() == digits && code.bytes().all(|b| b.is_ascii_hexdigit())
    };
    // Z: for a site's own use, not meant for others
    let own = sequence.len() <= 16
        && sequence.starts_with('Z')
        && sequence.bytes().all(|b| b.is_ascii_alphanumeric());
    own || switch('C', 4) || switch('M', 4) || switch('M', 6)
}

/// The bytes of hexadecimal digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits
        .chars()
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u32]| pair.iter().fold(0, |sum, digit| sum * 16 + digit);
    let bytes = digits.chunks(2).map(|pair| u8::try_from(byte(pair)).ok());
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence() {
        let usual = Separators::default();
        for (text, expected) in [
            (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
            (
                r"one\.br\two\.sp\three\.sp+2\four",
                "one\ntwo\nthree\n\nfour",
            ),
            (r"\H\bold\N\ plain", "bold plain"),
            (r"a\X0D\b\X0A\c", "a\nb\nc"),
            (r"Größe \X41\\X42\", "Größe AB"),
            (r"\XE4\\XC3A4\", "ää"),
            (r"\.in+4\x\.ti-2\y\.fi\", "xy"),
            (r"a\Zabc\b\C2842\c", "abc"),
            (r"C:\temp\new", r"C:\temp\new"),
            (r"end\", r"end\"),
            (r"\.sp99999999999999999999\", r"\.sp99999999999999999999\"),
            ("\u{7}bell\u{0}", "bell"),
            (r"ä\T\ö", "ä&ö"),
        ] {
            assert_eq!(unescape(text, &usual), expected, "{text}");
        }
        let own = Separators {
            field: '#',
            escape: '!',
            ..usual
        };
        assert_eq!(unescape(r"a!F!b\F\", &own), r"a#b\F\");
    }
}
