//! Records as they are shown, to people and to programs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vault_core::{Code, IndexEntry, Label, Purpose};
use vault_formats::purpose_name;

use crate::ids::Ids;
use crate::output::WARN;
use crate::table::Table;
use crate::time;

/// One version of a record as JSON, with full ids.
pub fn entry_json(entry: &IndexEntry) -> Value {
    let meta = &entry.meta;
    json!({
        "record": entry.record.to_string(),
        "version": entry.version.to_string(),
        "kind": meta.kind.as_str(),
        "category": meta.category.as_str(),
        "date": meta.date.as_ref().map(|date| date.as_str()),
        "title": meta.title,
        "labels": meta.labels.iter().map(Label::as_str).collect::<Vec<_>>(),
        "media_type": meta.media_type,
        "source_id": meta.source_id,
        "codes": meta.codes.iter().map(Code::as_str).collect::<Vec<_>>(),
        "author": meta.author,
        "file": entry.source,
        "origin": meta.origin.map(|origin| origin.to_string()),
        "bytes": entry.len,
        "added": time::rfc3339(entry.added),
    })
}

/// Records as a table.
pub fn entry_table<'a>(entries: impl IntoIterator<Item = &'a IndexEntry>, ids: &Ids) -> String {
    let mut table = Table::new(&["id", "date", "category", "kind", "labels", "title"]);
    for entry in entries {
        let meta = &entry.meta;
        let date = meta.date.as_ref().map_or("-", |date| date.as_str());
        let sensitive = meta.is_sensitive().then_some(WARN);
        table.row(vec![
            (ids.short(entry.record), None),
            (date.chars().take(10).collect(), None),
            (meta.category.to_string(), None),
            (meta.kind.as_str().to_owned(), None),
            (labels(&meta.labels), sensitive),
            (meta.title.clone(), None),
        ]);
    }
    table.render()
}

/// Labels in one cell.
pub fn labels(labels: &BTreeSet<Label>) -> String {
    match labels.is_empty() {
        true => "-".to_owned(),
        false => labels
            .iter()
            .map(Label::as_str)
            .collect::<Vec<_>>()
            .join(","),
    }
}

/// A purpose in words: the display name of a code, or what was written.
pub fn purpose(purpose: &Purpose) -> String {
    let text = purpose.to_string();
    purpose_name(&text).map_or_else(|| line(&text), str::to_owned)
}

/// A text from elsewhere in one line: what could move the terminal or forge a line is shown as `\u{fffd}`.
pub fn line(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if odd(c) { '\u{fffd}' } else { c })
        .collect()
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

/// `1 record`, `2 records`.
pub fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
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
