//! Small parts of FHIR R4 resources.

mod build;
mod xml;

pub(crate) use build::{coding, concept, decimal, quantity, reference};
