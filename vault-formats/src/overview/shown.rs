//! One record as a page: a neutral structure, and its plain text.

use serde::Serialize;

use super::text::{pad, width, wrap};

/// Most lines of a page; what follows is counted, not shown.
const MAX_LINES: usize = 1000;
/// Widest column of labels.
const LABELS: usize = 26;

/// A record rendered for a person. All texts are clean; only [`Line::Text`] has line breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What it is, in one line.
    pub title: String,
    /// What it says.
    pub lines: Vec<Line>,
}

/// A part of a rendered record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What nobody may overlook: the record is wrong, something was ruled out or not done.
    Warning(String),
    /// A value with its label.
    Field {
        /// What the value is.
        label: String,
        /// The value, in one line.
        value: String,
    },
    /// The heading of what follows.
    Heading(String),
    /// A text that may have several lines.
    Text(String),
    /// A small table.
    Table {
        /// The headings of its columns.
        columns: Vec<String>,
        /// Its rows, each with as many cells as there are columns.
        rows: Vec<Vec<String>>,
    },
}

impl Shown {
    /// As plain text, for a terminal of `columns` columns (at least 40 are assumed).
    pub fn to_text(&self, columns: usize) -> String {
        let columns = columns.max(40);
        let mut out = wrap(&self.title, columns);
        let labels = self.lines.iter().filter_map(|line| match line {
            Line::Field { label, .. } => Some(width(label)),
            _ => None,
        });
        let label_width = labels.max().unwrap_or(0).min(LABELS);
        for line in self.lines.iter().take(MAX_LINES) {
            match line {
                Line::Warning(text) => {
                    let text = format!("!!! {}", text.to_uppercase());
                    out.extend(wrap(&text, columns));
                }
                Line::Field { label, value } => {
                    let head = format!("{}  ", pad(&format!("{label}:"), label_width + 1));
                    let indent = label_width + 3;
                    let mut first = true;
                    for part in wrap(value, columns.saturating_sub(indent.max(width(&head)))) {
                        out.push(if first {
                            format!("{head}{part}")
                        } else {
                            format!("{}{part}", " ".repeat(indent))
                        });
                        first = false;
                    }
                }
                Line::Heading(text) => {
                    out.push(String::new());
                    out.extend(wrap(text, columns));
                }
                Line::Text(text) => out.extend(
                    wrap(text, columns - 2)
                        .into_iter()
                        .map(|line| format!("  {line}")),
                ),
                Line::Table {
                    columns: heads,
                    rows,
                } => table(&mut out, heads, rows, columns),
            }
        }
        if let Some(more) = self.lines.len().checked_sub(MAX_LINES).filter(|n| *n > 0) {
            out.push(format!("… and {more} more lines"));
        }
        let lines: Vec<&str> = out.iter().map(|line| line.trim_end()).collect();
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

/// Writes a table whose columns are as wide as they need, the widest ones narrowed to fit.
pub(super) fn table(out: &mut Vec<String>, heads: &[String], rows: &[Vec<String>], columns: usize) {
    let mut widths: Vec<usize> = heads.iter().map(|head| width(head)).collect();
    for row in rows {
        for (needed, cell) in widths.iter_mut().zip(row) {
            *needed = (*needed).max(width(cell));
        }
    }
    let room = columns.saturating_sub(2 + 2 * widths.len().saturating_sub(1));
    let mut total: usize = widths.iter().sum();
    while total > room {
        let Some(widest) = widths.iter_mut().max() else {
            return;
        };
        if *widest <= 8 {
            break;
        }
        let less = (total - room).min(*widest - 8).min((*widest).div_ceil(4));
        *widest -= less;
        total -= less;
    }
    let mut write = |cells: &[String]| {
        let cells: Vec<Vec<String>> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| wrap(cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let parts: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| pad(cell.get(at).map_or("", String::as_str), *width))
                .collect();
            out.push(format!("  {}", parts.join("  ")));
        }
    };
    write(heads);
    for row in rows {
        write(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_a_column_and_long_values_wrap() {
        let field = |label: &str, value: &str| Line::Field {
            label: label.into(),
            value: value.into(),
        };
        let words = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let shown = Shown {
            title: "Iron".into(),
            lines: vec![
                Line::Warning("refuted: not so".into()),
                field("Value", "5 mg/L"),
                field("Reference range", "between four and six milligrams a litre"),
                Line::Heading("Parts".into()),
                Line::Table {
                    columns: words(&["What", "Value"]),
                    rows: vec![words(&["a", "1"]), words(&["long name", "22"])],
                },
                Line::Text("two\nlines".into()),
            ],
        };
        let expected = "\
Iron
!!! REFUTED: NOT SO
Value:            5 mg/L
Reference range:  between four and six
                  milligrams a litre

Parts
  What       Value
  a          1
  long name  22
  two
  lines
";
        assert_eq!(shown.to_text(0), expected);
        assert_eq!(shown.to_text(40), expected);
    }

    #[test]
    fn tables_fit_the_page_and_no_width_loops() {
        let row: Vec<String> = (0..5)
            .map(|_| "word ".repeat(30).trim().to_owned())
            .collect();
        for columns in [0, 1, 40, 80, 1000] {
            let mut out = Vec::new();
            table(&mut out, &row, std::slice::from_ref(&row), columns);
            assert!(columns < 50 || out.iter().all(|line| width(line) <= columns));
        }
        table(&mut Vec::new(), &[], &[], 80);
    }
}
