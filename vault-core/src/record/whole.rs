//! The summary of a bundle that was attested as a whole.
//!
//! Source: FHIR R4, "FHIR Documents" and "Messaging": both are signed, kept and sent as one.

use super::json::Members;
use super::meta::clean_field;
use super::{Category, ClinicalDate, Label, RecordMeta, fhir};

/// What is known of such a bundle while its parts come by.
pub(super) struct WholeDraft {
    meta: RecordMeta,
    composition: Option<RecordMeta>,
}

impl WholeDraft {
    /// Begins with the members of a bundle, which need not have its entries; `None` unless its type is
    /// `document` or `message`.
    pub(super) fn of(members: &Members<'_>, full_url: Option<&str>) -> Option<Self> {
        let title = match members.text("type").as_deref() {
            Some("document") => "Document",
            Some("message") => "Message",
            _ => return None,
        };
        // the depth is for the caller to look at: here may be the members only
        let mut meta = fhir::summary_of("", members).ok()?;
        meta.category = Category::Note;
        meta.title = title.to_owned();
        let timestamp = members.text("timestamp");
        meta.date = timestamp.and_then(|text| ClinicalDate::new(&text).ok());
        meta.codes.clear();
        meta.source_id = meta.source_id.or_else(|| full_url.map(clean_field));
        Some(Self {
            meta,
            composition: None,
        })
    }

    /// Takes in one part; `direct` when it is not a part of another such bundle inside.
    pub(super) fn add(&mut self, part: &RecordMeta, direct: bool) {
        self.meta.labels.extend(part.labels.iter().cloned());
        if direct && self.composition.is_none() && part.kind.as_str() == "Composition" {
            self.composition = Some(part.clone());
        }
    }

    /// Some part could not be read, and nobody knows what it says of itself.
    pub(super) fn has_unread_parts(&mut self) {
        self.meta.labels.insert(Label::unclear());
    }

    /// The summary.
    pub(super) fn finish(mut self) -> RecordMeta {
        if let Some(composition) = self.composition {
            if composition.title != composition.kind.as_str() {
                self.meta.title = composition.title;
            }
            self.meta.date = composition.date.or(self.meta.date);
            self.meta.author = composition.author;
            self.meta.codes = composition.codes;
        }
        self.meta
    }
}
