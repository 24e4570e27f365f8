//! Numbers and texts from elsewhere, as they stand in a sentence.

/// A text from elsewhere in one line: what could move a terminal or forge a line is shown as
/// `\u{fffd}`.
pub fn line(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if odd(c) { '\u{fffd}' } else { c })
        .collect()
}

/// `1 record`, `2 records`.
pub fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// A purpose in words: the display name of a code, or what was written.
#[cfg(feature = "formats")]
pub fn purpose(purpose: &vault_core::Purpose) -> String {
    let text = purpose.to_string();
    vault_formats::purpose_name(&text).map_or_else(|| line(&text), str::to_owned)
}

/// A number of bytes in words.
pub fn bytes(len: u64) -> String {
    match len {
        0..10_240 => format!("{len} B"),
        10_240..10_485_760 => format!("{} KiB", len >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", len >> 20),
        _ => format!("{} GiB", len >> 30),
    }
}

#[cfg(all(test, feature = "formats"))]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words_and_words_stay() {
        let words = |text: &str| purpose(&text.parse().unwrap());
        assert_eq!(words("TREAT"), "treatment");
        assert_eq!(words("treat"), "treat");
        assert_eq!(words("second \u{202e}opinion"), "second \u{fffd}opinion");
    }
}
