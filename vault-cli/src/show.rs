//! Records as they are shown, to people and to programs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
pub use vault_app::words::{bytes, count, line, purpose};
use vault_core::{Code, IndexEntry, Label};

use crate::output::WARN;
use crate::table::Table;
use crate::time;
use vault_app::Ids;

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

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}
