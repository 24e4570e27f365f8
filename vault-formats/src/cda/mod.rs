//! HL7 CDA R2 documents, as portals hand them out (C-CDA).
//!
//! The document stays as it is; what its entries say is derived as FHIR R4 resources. What an entry
//! denies, withdraws or does not know never becomes a statement that it is so: it is left out and
//! reported, or carried over as the denial it is. What is null with the reason OTH (no code fits) and
//! has words of its own is known: it is carried over as those words, without a code. Every other
//! reason for null says nothing.
//!
//! Sources: HL7 CDA R2, C-CDA R1.1 and R2.1 (templates are known by their root, whatever the
//! extension), FHIR R4.

mod allergies;
mod document;
mod dosage;
mod embedded;
mod encounters;
mod header;
mod immunizations;
mod medications;
mod names;
mod observation;
mod problems;
mod procedures;
mod reader;
mod results;
mod sections;
mod social;
mod source;
mod time;
mod value;
mod work;

#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod dosage_tests;
#[cfg(test)]
mod entry_tests;
#[cfg(test)]
mod not_done_tests;
#[cfg(test)]
mod safety_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod stated_tests;
#[cfg(test)]
mod testing;

pub use document::understand;
