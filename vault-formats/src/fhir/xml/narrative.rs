//! The XHTML of a narrative, written again as text.
//!
//! Source: FHIR R4, data type xhtml and "JSON representation of resources": the `div` with its
//! namespace is one string.

use super::names::Attribute;

/// A `div` that is being read.
#[derive(Debug, Default)]
pub(super) struct Narrative {
    text: String,
    depth: usize,
}

impl Narrative {
    /// Opens an element; `empty` closes it at once.
    pub(super) fn open(&mut self, local: &str, attributes: &[Attribute<'_>], empty: bool) {
        self.text.push('<');
        self.text.push_str(local);
        if self.depth == 0 {
            self.text
                .push_str(" xmlns=\"http://www.w3.org/1999/xhtml\"");
        }
        for attribute in attributes {
            let raw = attribute.raw.replace('"', "&quot;").replace('<', "&lt;");
            self.text
                .push_str(&format!(" {}=\"{raw}\"", attribute.name));
        }
        if empty {
            self.text.push_str("/>");
        } else {
            self.text.push('>');
            self.depth += 1;
        }
    }

    /// Whether the `div` is closed.
    pub(super) fn is_complete(&self) -> bool {
        self.depth == 0
    }

    /// Closes an element. True when the narrative is complete.
    pub(super) fn close(&mut self, local: &str) -> bool {
        self.text.push_str(&format!("</{local}>"));
        self.depth = self.depth.saturating_sub(1);
        self.depth == 0
    }

    /// Text as it stands in XML.
    pub(super) fn text(&mut self, raw: &str) {
        self.text.push_str(raw);
    }

    /// Text of a CDATA section.
    pub(super) fn cdata(&mut self, text: &str) {
        self.text.push_str(&quick_xml::escape::partial_escape(text));
    }

    /// A reference, without `&` and `;`. HTML's are not known in XML: the one in common use gets
    /// its number, others are shown as they were written.
    pub(super) fn reference(&mut self, name: &str) {
        let known = name.starts_with('#') || matches!(name, "lt" | "gt" | "amp" | "quot" | "apos");
        self.text.push_str(&match name {
            _ if known => format!("&{name};"),
            "nbsp" => "&#160;".to_owned(),
            other => format!("&amp;{other};"),
        });
    }

    /// The whole `div`.
    pub(super) fn finish(self) -> String {
        self.text
    }
}
