//! Small parts of FHIR R4 resources.

mod build;
mod ucum;
pub(crate) mod xml;

pub(crate) use build::{coding, concept, decimal, quantity, reference};
pub(crate) use ucum::is_ucum;
