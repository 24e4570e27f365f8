//! Records: what comes in, and what is known about it without opening it.
//!
//! [`read`] takes a file apart into records without changing a byte: every resource of a FHIR
//! bundle becomes one record, everything else is one document. [`RecordMeta`] is the summary that
//! lists, searches and scopes go by. Nothing here does I/O.

mod bundle;
mod category;
mod code;
mod date;
mod document;
mod fhir;
mod json;
mod kind;
mod label;
mod meta;
mod ndjson;
mod sameness;
mod sensitivity;
mod sniff;
mod split;
mod stream;
mod whole;
mod xml;

pub use category::{Category, ParseCategoryError};
pub use code::{Code, ParseCodeError};
pub use date::{ClinicalDate, ParseDateError};
pub(crate) use date::{days_from_civil, days_in_month};
pub use fhir::{FHIR_JSON, FhirError, summary};
pub use kind::{Kind, ParseKindError};
pub use label::{Label, ParseLabelError};
pub(crate) use meta::clean;
pub use meta::{MAX_CODES, MAX_TITLE_CHARS, RecordMeta, clean_field, clean_title};
pub(crate) use sameness::SameHash;
pub use sameness::same_content;
pub use sensitivity::{ParseRuleError, Sensitivity, SensitivityRule};
pub use sniff::{SNIFF_LEN, Sniffed, describe, looks_like_json, sniff};
pub use split::{Import, Item, MAX_FHIR_LEN, MAX_RESOURCE_LEN, Problem, read, read_line};
pub use stream::{BundleReader, Piece, Streamed};
