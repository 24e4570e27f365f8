//! What the two sides of an access on request say, and the agents' papers.

use super::{device, known_signers, text};
use crate::access::{
    Acceptance, AccessMessage, AccessReceipt, AccessReply, AccessRequest, AgentAddress,
    AgentCertificate, AgentQuestion, MAX_VERSIONS,
};
use crate::block::Digest;
use crate::keys::{Namespace, Signed};

/// What comes to whoever answers requests; every part also as if it had been signed.
pub(super) fn access_message(bytes: &[u8]) {
    if let Ok(message) = AccessMessage::from_bytes(bytes) {
        assert_eq!(message.to_bytes(), bytes);
        let (AccessMessage::Accept(part)
        | AccessMessage::Request(part)
        | AccessMessage::Receipt(part)
        | AccessMessage::Question(part)) = &message;
        statements(part);
    }
    for namespace in [
        Namespace::Acceptance,
        Namespace::AccessRequest,
        Namespace::AccessReceipt,
        Namespace::AgentQuestion,
    ] {
        statements(&Signed::raw(bytes, namespace, &device()));
    }
}

fn statements(bytes: &[u8]) {
    if let Ok(request) = AccessRequest::from_bytes(bytes) {
        assert_eq!(*request.digest(), Digest::of(bytes));
        assert!((1..=MAX_VERSIONS).contains(&request.versions().len()));
    }
    let _ = Acceptance::from_bytes(bytes);
    let _ = AccessReceipt::from_bytes(bytes);
    let _ = AgentQuestion::from_bytes(bytes);
}

pub(super) fn access_reply(bytes: &[u8]) {
    if let Ok(reply) = AccessReply::from_bytes(bytes) {
        assert_eq!(reply.to_bytes(), bytes);
    }
}

pub(super) fn agent_certificate(bytes: &[u8]) {
    let signers = known_signers();
    let signed = Signed::raw(bytes, Namespace::AgentCertificate, &device());
    for wire in [bytes, &signed] {
        if let Ok(certificate) = AgentCertificate::from_bytes(wire, &signers) {
            assert_eq!(certificate.as_bytes(), wire);
        }
    }
}

/// As text, and as the dag-cbor behind it.
pub(super) fn agent_address(bytes: &[u8]) {
    let body = data_encoding::BASE64URL_NOPAD.encode(bytes);
    for text in [text(bytes), &format!("medvault-agent:{body}")] {
        if let Ok(address) = AgentAddress::from_text(text) {
            let again = AgentAddress::from_text(&address.to_text());
            assert_eq!(again.as_ref(), Ok(&address));
        }
    }
}
