//! The narrative of a resource, XHTML or what passes for it, as plain text.
//!
//! Nothing is interpreted: tags are only recognised to be left out, so that markup of any kind, also
//! broken or hostile, gives text. Time and memory follow the length of the input.
//!
//! Source: FHIR R4, data type Narrative.

use super::text::{MAX_TEXT, clean_lines};

/// The text of some markup, cleaned, of at most [`MAX_TEXT`] characters.
pub(crate) fn plain(markup: &str) -> String {
    let mut out = Text::default();
    let mut rest = markup;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, after) = rest.split_at(at);
        out.push(before);
        if out.text.len() > MAX_TEXT * 4 {
            break;
        }
        rest = match after.strip_prefix('&') {
            Some(entity) => out.entity(entity),
            None => out.tag(after),
        };
    }
    if out.text.len() <= MAX_TEXT * 4 {
        out.push(rest);
    }
    clean_lines(&out.text, MAX_TEXT)
}

#[derive(Default)]
struct Text {
    text: String,
    /// Inside `pre`, where white space counts.
    kept: usize,
    /// Inside a table row that has a cell already.
    in_row: bool,
    /// A space that is due before the next word.
    gap: bool,
}

impl Text {
    fn push(&mut self, text: &str) {
        for c in text.chars() {
            if self.kept == 0 && c.is_whitespace() && c != '\u{a0}' {
                self.gap = true;
                continue;
            }
            if self.gap && !self.text.is_empty() && !self.text.ends_with(['\n', ' ']) {
                self.text.push(' ');
            }
            self.gap = false;
            self.text.push(c);
        }
    }

    fn line_break(&mut self) {
        self.gap = false;
        // a paragraph may begin right behind the mark of a list item
        let fresh = self.text.ends_with('\n') || self.text.ends_with("\n- ") || self.text == "- ";
        if !self.text.is_empty() && !fresh {
            self.text.push('\n');
        }
    }

    /// What follows an entity; `rest` begins behind its `&`.
    fn entity<'a>(&mut self, rest: &'a str) -> &'a str {
        let end = rest.bytes().take(12).position(|b| b == b';');
        let named = end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)));
        let meant = named.and_then(|(name, after)| Some((character(name)?, after)));
        match meant {
            Some((c, after)) => {
                self.push(c.encode_utf8(&mut [0; 4]));
                after
            }
            None => {
                self.push("&");
                rest
            }
        }
    }

    /// What follows a tag; `rest` begins with its `<`.
    fn tag<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(comment) = rest.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, after)| after);
        }
        let inner = rest.get(1..).unwrap_or_default();
        let (closing, inner) = match inner.strip_prefix('/') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
            // a lone less-than sign in bad markup
            self.push("<");
            return rest.get(1..).unwrap_or_default();
        }
        let length = inner.bytes().position(|b| !b.is_ascii_alphanumeric());
        let name = inner.get(..length.unwrap_or(inner.len())).unwrap_or("");
        let name = name.to_ascii_lowercase();
        let after = behind_tag(inner);
        if !closing && matches!(name.as_str(), "script" | "style" | "head" | "title") {
            return behind_element(after, &name);
        }
        self.mark(&name, closing);
        after
    }

    fn mark(&mut self, name: &str, closing: bool) {
        match name {
            "pre" => {
                self.line_break();
                self.kept = if closing { 0 } else { 1 };
            }
            "tr" | "table" | "thead" | "tbody" | "tfoot" => {
                self.line_break();
                self.in_row = false;
            }
            "td" | "th" if !closing => {
                if self.in_row {
                    self.gap = false;
                    self.text.push_str(" | ");
                }
                self.in_row = true;
            }
            "li" if !closing => {
                self.line_break();
                if self.text.ends_with("- ") {
                    self.text.push('\n');
                }
                self.text.push_str("- ");
            }
            "br" | "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol"
            | "caption" | "blockquote" | "hr" | "dl" | "dt" | "dd" | "li" | "section"
            | "paragraph" | "list" | "item"
                if !self.in_row =>
            {
                self.line_break();
            }
            "br" | "p" | "div" | "li" => self.gap = true,
            _ => {}
        }
    }
}

/// What follows the `>` that ends a tag, quoted attributes passed over.
fn behind_tag(inner: &str) -> &str {
    let mut quote = None;
    for (at, b) in inner.bytes().enumerate() {
        match (quote, b) {
            (None, b'>') => return inner.get(at + 1..).unwrap_or_default(),
            (None, b'"' | b'\'') => quote = Some(b),
            (Some(open), b) if open == b => quote = None,
            _ => {}
        }
    }
    ""
}

/// What follows the end tag of an element whose content is not for people.
fn behind_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = rest;
    while let Some((_, after)) = from.split_once("</") {
        let found = after.get(..name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return behind_tag(after);
        }
        from = after;
    }
    ""
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "deg" => '°',
        "micro" => 'µ',
        "plusmn" => '±',
        "times" => '×',
        "le" => '≤',
        "ge" => '≥',
        "bull" => '•',
        "middot" => '·',
        "laquo" => '«',
        "raquo" => '»',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_tables_become_lines() {
        let markup = r#"<div xmlns="http://www.w3.org/1999/xhtml"><h2>Plan</h2>
            <p>Rest &amp; drink.<br/>Come  back</p><ul><li>one</li><li>two &lt; 3</li></ul>
            <table><tr><th>Test</th><th>Value</th></tr><tr><td><p>Iron</p></td><td>5&nbsp;µg</td></tr></table></div>"#;
        assert_eq!(
            plain(markup),
            "Plan\nRest & drink.\nCome back\n- one\n- two < 3\nTest | Value\nIron | 5 µg"
        );
        assert_eq!(plain("<ul><li><p>a</p></li><li>b</li></ul>"), "- a\n- b");
        assert_eq!(plain("<pre>a\n  b</pre>c"), "a\n  b\nc");
    }

    #[test]
    fn scripts_comments_and_broken_markup_give_only_text() {
        for (markup, expected) in [
            ("a<script>alert('</p>')</script >b", "ab"),
            ("a<!-- <b> -->c", "ac"),
            ("a<!-- never closed", "a"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("<b title=\"a>b\">bold", "bold"),
            ("<style>p{}", ""),
            (
                "x & y &#x1b;[2J &unknown; &#99999999;",
                "x & y [2J &unknown; &#99999999;",
            ),
            ("<", "<"),
            ("<p", ""),
            ("&", "&"),
        ] {
            assert_eq!(plain(markup), expected, "{markup}");
        }
    }

    #[test]
    fn any_part_of_any_text_is_taken() {
        let text = "<p title='ä'>ü&auml;&#x41;<script><!--é--></script></p><td>王</td>&";
        for (from, _) in text.char_indices() {
            for (to, _) in text.char_indices().filter(|(to, _)| *to >= from) {
                plain(&text[from..to]);
            }
        }
        assert!(plain(&"<td>".repeat(200_000)).len() < 4 * MAX_TEXT + 10);
    }
}
