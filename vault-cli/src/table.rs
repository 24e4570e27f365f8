//! Aligned columns.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output;

/// Rows of cells. On a terminal the last column is cut so that a row stays on one line.
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<(String, Option<Style>)>>,
}

impl Table {
    /// An empty table with these headings.
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<(String, Option<Style>)>) {
        self.rows.push(cells);
    }

    /// Adds a row without styles.
    pub fn plain(&mut self, cells: impl IntoIterator<Item = String>) {
        self.row(cells.into_iter().map(|cell| (cell, None)).collect());
    }

    /// The table as text; nothing when it has no rows.
    pub fn render(&self) -> String {
        self.render_within(output::width())
    }

    fn render_within(&self, width: Option<usize>) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(|(cell, _)| cell.width()).max().unwrap_or(0);
                widest.max(self.heads[column].width())
            })
            .collect();
        let mut text = String::new();
        let heads: Vec<_> = self
            .heads
            .iter()
            .map(|head| ((*head).to_owned(), Some(output::BOLD)))
            .collect();
        for row in std::iter::once(&heads).chain(&self.rows) {
            line(row, &widths, width, &mut text);
        }
        text
    }
}

fn line(
    row: &[(String, Option<Style>)],
    widths: &[usize],
    width: Option<usize>,
    text: &mut String,
) {
    let mut used = 0;
    for (column, (cell, style)) in row.iter().enumerate() {
        let last = column + 1 == row.len();
        let cell = match width {
            Some(width) if last => cut(cell, width.saturating_sub(used).max(8)),
            _ => cell.clone(),
        };
        match style {
            Some(style) => text.push_str(&output::paint(*style, &cell)),
            None => text.push_str(&cell),
        }
        if !last {
            let gap = widths[column].saturating_sub(cell.width()) + 2;
            text.extend(std::iter::repeat_n(' ', gap));
            used += widths[column] + 2;
        }
    }
    while text.ends_with(' ') {
        text.pop();
    }
    text.push('\n');
}

/// A text no wider than `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_the_last_is_cut() {
        let mut table = Table::new(&["id", "title"]);
        table.plain(["a".into(), "Größe und Gewicht".into()]);
        table.plain(["abc".into(), "x".into()]);
        let text = anstream::adapter::strip_str(&table.render_within(Some(14))).to_string();
        assert_eq!(text, "id   title\na    Größe un…\nabc  x\n");
        assert_eq!(Table::new(&["x"]).render(), "");
    }
}
