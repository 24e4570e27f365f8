//! Other people's formats: what a portal, a laboratory, a disc or a phone hands a patient.
//!
//! The core keeps records and knows FHIR in JSON. This crate understands the rest: it recognises a
//! file by its content, says what it is and whom it is about, and derives FHIR R4 resources from
//! formats that are not FHIR, each with its provenance. The original stays as it is, byte for byte.
//! On the way out it writes what people and other programs read.
//!
//! Everything here is bounded in memory whatever the input, and nothing here talks to a network.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod apple;
mod cda;
pub mod consent;
mod container;
mod derive;
mod dicom;
mod door;
pub mod export;
mod fhir;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod health_card;
mod hl7v2;
pub mod overview;
mod person;
mod purpose;
pub mod trail;
mod understood;

pub use derive::{Derived, Deriver};
pub use door::{
    Counts, Door, DryShelf, Format, InMemory, MAX_WHOLE, OnDisk, Once, ReadSeek, Remark, Report,
    Shelf, Source, Stranger, VaultShelf, recognise,
};
pub use export::Resource;
pub use health_card::{IssuerKeys, IssuerKeysError};
pub use overview::{Line, Shown, Summary, SummaryBuilder};
pub use person::{Person, SamePerson};
pub use purpose::purpose_name;
pub use understood::{Moment, Understood};
