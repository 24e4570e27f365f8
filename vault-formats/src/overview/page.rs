//! Builds the page of one record: what all types have in common.

use serde_json::Value;

use super::narrative;
use super::read::{any, choice, concept, date, has_code, items, name, reference, string};
use super::shown::{Line, Shown};
use super::text::{MAX_TEXT, clean_line, clean_lines};

/// Most rows of a table of one record.
const MAX_ROWS: usize = 200;

/// A page while it is written.
pub(super) struct Page<'a> {
    /// The resource.
    pub(super) root: &'a Value,
    shown: Shown,
}

impl<'a> Page<'a> {
    pub(super) fn new(root: &'a Value, title: String) -> Self {
        let shown = Shown {
            title,
            lines: Vec::new(),
        };
        Self { root, shown }
    }

    pub(super) fn finish(self) -> Shown {
        self.shown
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shown.lines.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.shown.lines.len()
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.shown.lines.push(Line::Warning(text.into()));
    }

    /// A line with its label, when there is a value.
    pub(super) fn field(&mut self, label: &str, value: Option<String>) {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return;
        };
        let line = Line::Field {
            label: label.to_owned(),
            value,
        };
        // releases and mappings say some things twice
        if !self
            .shown
            .lines
            .iter()
            .rev()
            .take(20)
            .any(|known| *known == line)
        {
            self.shown.lines.push(line);
        }
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = clean_line(text);
        self.shown.lines.push(Line::Heading(text));
    }

    /// A text that may have several lines.
    pub(super) fn text(&mut self, text: &str) {
        let text = clean_lines(text, MAX_TEXT);
        if !text.is_empty() {
            self.shown.lines.push(Line::Text(text));
        }
    }

    /// A text of several lines under a heading, or as a field when it is short.
    pub(super) fn long(&mut self, label: &str, text: &str) {
        let clean = clean_lines(text, MAX_TEXT);
        if clean.contains('\n') || clean.chars().count() > 150 {
            self.heading(label);
            self.shown.lines.push(Line::Text(clean));
        } else {
            self.field(label, Some(clean));
        }
    }

    /// Elements in words, each under its label: `("When", "effective")`.
    pub(super) fn fields(&mut self, of: &[(&str, &str)]) {
        for (label, key) in of {
            let value = any(self.root, self.root, key);
            self.field(label, value);
        }
    }

    /// An element whose values are plain codes such as `on-hold`.
    pub(super) fn code(&mut self, label: &str, key: &str) {
        let texts: Vec<String> = items(self.root, key)
            .iter()
            .filter_map(|item| concept(item).map(|text| spaced(&text)))
            .collect();
        self.field(label, Some(texts.join("; ")));
    }

    /// A table; empty ones are left out, and so are columns without any value.
    pub(super) fn table(&mut self, columns: &[&str], rows: Vec<Vec<String>>) {
        let used: Vec<bool> = (0..columns.len())
            .map(|at| {
                rows.iter()
                    .any(|row| row.get(at).is_some_and(|cell| !cell.is_empty()))
            })
            .collect();
        let keep = |cells: Vec<String>| -> Vec<String> {
            let cells = cells.into_iter().zip(&used);
            cells
                .filter(|(_, used)| **used)
                .map(|(cell, _)| cell)
                .collect()
        };
        if rows.is_empty() || !used.contains(&true) {
            return;
        }
        let more = rows.len().saturating_sub(MAX_ROWS);
        self.shown.lines.push(Line::Table {
            columns: keep(columns.iter().map(|c| (*c).to_owned()).collect()),
            rows: rows.into_iter().take(MAX_ROWS).map(keep).collect(),
        });
        if more > 0 {
            self.text(&format!("… and {more} more"));
        }
    }

    /// The narrative, under a heading.
    pub(super) fn narrative(&mut self, heading: &str, of: &Value) {
        let div = of.get("text").and_then(|text| string(text, "div"));
        let text = div.map(narrative::plain).unwrap_or_default();
        if !text.is_empty() {
            self.heading(heading);
            self.shown.lines.push(Line::Text(text));
        }
    }

    /// Remarks: `note`, and what older releases have in its place.
    pub(super) fn notes(&mut self) {
        for key in ["note", "notes", "comment", "comments"] {
            for note in items(self.root, key) {
                let Some(text) = note.as_str().or_else(|| string(note, "text")) else {
                    continue;
                };
                let author = choice(note, "author").and_then(|author| match author {
                    Value::String(text) => Some(clean_line(text)),
                    other => reference(self.root, other).or_else(|| name(other)),
                });
                let mut origin: Vec<String> = author.into_iter().collect();
                origin.extend(string(note, "time").map(date));
                let text = match origin.is_empty() {
                    true => text.to_owned(),
                    false => format!("{text} ({})", origin.join(", ")),
                };
                self.long("Note", &text);
            }
        }
    }

    /// What nobody may overlook, in the status fields that all types share.
    pub(super) fn warnings(&mut self) {
        let root = self.root;
        let any_is = |codes: &[&str]| {
            ["status", "verificationStatus", "docStatus"]
                .iter()
                .any(|key| has_code(root.get(key), codes))
        };
        if any_is(&["entered-in-error"]) {
            self.warn("entered in error: this record is wrong, do not rely on it");
        }
        if any_is(&["refuted"]) {
            self.warn("refuted: this was ruled out");
        }
        if super::facts::is_not_done(root) {
            let what = match string(root, "resourceType") {
                Some("Immunization") => "not given",
                Some("MedicationStatement" | "MedicationUsage") => "not taken",
                Some("MedicationRequest") => "do not take",
                Some("ServiceRequest") => "do not perform",
                _ => "not done",
            };
            let reasons = [
                "statusReason",
                "reasonNotGiven",
                "reasonNotTaken",
                "reasonNotPerformed",
            ];
            let reason = reasons.iter().find_map(|key| any(root, root, key));
            match reason {
                Some(reason) => self.warn(format!("{what}: {reason}")),
                None => self.warn(what),
            }
        }
        if any_is(&["cancelled", "nullified", "superseded"]) {
            self.warn("withdrawn or replaced");
        }
    }
}

/// A code such as `entered-in-error` as words.
pub(crate) fn spaced(code: &str) -> String {
    let plain = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if plain {
        code.replace('-', " ")
    } else {
        code.to_owned()
    }
}

/// The name of a type or element as words: `bodySite` is `Body site`.
pub(super) fn spelled(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(64) {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
            out.push(c.to_ascii_lowercase());
        } else if out.is_empty() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    clean_line(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_as_words() {
        assert_eq!(spelled("bodySite"), "Body site");
        assert_eq!(spelled("MedicationRequest"), "Medication request");
        assert_eq!(spaced("entered-in-error"), "entered in error");
        assert_eq!(spaced("X-ray"), "X-ray");
    }

    #[test]
    fn columns_without_values_are_left_out() {
        let root = Value::Null;
        let mut page = Page::new(&root, String::new());
        page.table(&["a", "b"], vec![vec!["1".into(), String::new()]]);
        page.table(&["a"], vec![]);
        let expected = Line::Table {
            columns: vec!["a".into()],
            rows: vec![vec!["1".into()]],
        };
        assert_eq!(page.finish().lines, [expected]);
    }
}
