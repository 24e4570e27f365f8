//! Why requests are turned down, in words.

use crate::words;

/// By short name.
const REFUSALS: &[(&str, &str)] = &[
    ("clock", "the clocks do not agree"),
    ("diverged", "the reader has seen another log than this one"),
    ("expired", "the grant has ended"),
    ("no-opens-left", "no opens are left"),
    ("no-opens-left-today", "no opens are left today"),
    ("not-a-reader", "not a reader of the grant"),
    ("not-in-force", "the grant is not in force"),
    ("not-in-grant", "not part of the grant"),
    ("other-terms", "other terms were agreed on"),
    ("too-early", "the grant has not begun"),
    ("unknown-term", "a condition that is not understood"),
    ("withdrawn", "the grant was taken back"),
    ("wrong-purpose", "another purpose was agreed"),
];

/// A reason in words; one that is not known is shown as it is.
pub fn refusal(reason: &str) -> String {
    let known = REFUSALS.iter().find(|(name, _)| *name == reason);
    known.map_or_else(|| words::line(reason), |(_, words)| (*words).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_reasons_have_words_and_others_are_shown_as_they_are() {
        assert_eq!(refusal("no-opens-left-today"), "no opens are left today");
        assert_eq!(refusal("withdrawn"), "the grant was taken back");
        assert_eq!(refusal("weather"), "weather");
        assert_eq!(refusal("a\nb"), "a\u{fffd}b");
    }
}
