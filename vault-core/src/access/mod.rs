//! Access on request: what the two sides say to each other, and the decision.
//!
//! The patient's offer (signed terms) is countersigned by the reader; from then on the reader asks
//! for content keys one by one. Whoever answers, the patient's device or an agent of theirs, decides
//! with [`decide`], writes the outcome into its log, and only then seals the keys to the request.
//! Nothing here reads or writes storage or a network. Formats: `docs/SPEC.md`, section 22.

mod acceptance;
mod agent_address;
mod certificate;
mod decide;
#[cfg(test)]
mod decide_tests;
mod message;
mod reader;
mod receipt;
mod reply;
mod report;
mod request;
#[cfg(test)]
mod sample;

pub use acceptance::{Acceptance, AcceptanceError};
pub use agent_address::{AgentAddress, AgentAddressError, MAX_AGENT_ADDRESS_LEN};
pub(crate) use certificate::CertificateDraft;
pub use certificate::{AgentCertificate, CertificateError};
pub use decide::{AccessDecision, AccessState, DenyReason, Standing, decide};
pub(crate) use message::AccessMessage;
pub use message::{MAX_ACCESS_MESSAGE, MAX_ACCESS_REPLY};
pub use reader::MessageError;
pub(crate) use receipt::{AccessReceipt, ReceiptDraft};
pub use reply::{AccessReply, Denied, RefusalCode, Released};
pub(crate) use reply::{moment, open_keys, seal_keys};
pub(crate) use report::{AgentQuestion, Asker};
pub use report::{AgentReport, MAX_REPORTED};
pub(crate) use request::RequestDraft;
pub use request::{AccessRequest, MAX_VERSIONS};
#[cfg(test)]
pub(crate) use sample::MessageSample;
