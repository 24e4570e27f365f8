//! One of everything that the two sides of an access on request say.

use super::{TIME, grant, logged, node, scope, vault};
use crate::access::{
    AccessMessage, AccessReply, AgentCertificate, AgentQuestion, AgentReport, CertificateDraft,
    Denied, MessageSample, ReceiptDraft, RefusalCode, Released, RequestDraft,
};
use crate::audit::Asked;
use crate::block::Digest;
use crate::envelope::ENC_LEN;
use crate::fuzzing::{device, known_signers, reader_owner};
use crate::grant::{Condition, Conditions, Delivery, Extent, Terms, TermsDraft};
use crate::head::log_origin;
use crate::ids::VersionId;
use crate::log::{SignedCheckpoint, TreeHash, cosign};
use crate::{IdentityKey, Purpose};

pub(crate) fn purpose() -> Purpose {
    "TREAT".parse().unwrap()
}

pub(crate) fn asked() -> Asked {
    Asked {
        vault: None,
        grant: grant(),
        reader: reader_owner(),
        versions: vec![VersionId::from_bytes([31; 16])],
        purpose: Some(purpose()),
        request: Digest::of(b"request"),
        via: None,
    }
}

/// Terms of a grant on request, signed.
pub(crate) fn terms() -> (Terms, Vec<u8>) {
    let draft = TermsDraft {
        vault: vault(),
        grant: grant(),
        extent: Extent::Standing,
        scope: scope(),
        purpose: Some(purpose()),
        created: TIME,
        expires: Some(TIME + 3600),
        delivery: Delivery::OnRequest,
        conditions: Conditions::default()
            .with(Condition::From(TIME))
            .with(Condition::Opens(3))
            .with(Condition::OpensPerDay(2)),
        may_deposit: true,
        agents: vec![reader_owner()],
    };
    let readers = vec![super::relation().reader_tag(&grant())];
    Terms::sign(draft, readers, &device())
}

pub(crate) fn acceptance() -> Vec<u8> {
    MessageSample::acceptance(&vault(), &grant(), &terms().1, TIME)
}

pub(crate) fn request() -> Vec<u8> {
    MessageSample::request(
        RequestDraft {
            vault: vault(),
            grant: grant(),
            terms: Digest::of(&terms().1),
            versions: vec![VersionId::from_bytes([31; 16])],
            purpose: Some(purpose()),
            key: IdentityKey::from_seed(&[32; 32]).recipient(),
            log: vault(),
            seen: Some(super::checkpoint()),
        },
        TIME,
    )
}

pub(crate) fn receipt() -> Vec<u8> {
    let checkpoint = SignedCheckpoint::parse(&super::checkpoint()).unwrap();
    let name = log_origin(&known_signers().vault());
    let line = cosign(&checkpoint, &name, device().dalek(), TIME).unwrap();
    let checkpoint = checkpoint.with_signature(line).unwrap();
    MessageSample::receipt(
        ReceiptDraft {
            vault: vault(),
            log: vault(),
            request: Digest::of(&request()),
            index: 0,
            opened: true,
            checkpoint: checkpoint.as_bytes().to_vec(),
        },
        TIME,
    )
}

pub(crate) fn question() -> Vec<u8> {
    MessageSample::question(
        AgentQuestion {
            vault: vault(),
            log: vault(),
            grant: grant(),
            from: 3,
            close: true,
            seen: None,
        },
        TIME,
    )
}

pub(crate) fn certificate() -> Vec<u8> {
    let draft = CertificateDraft {
        vault: vault(),
        grant: grant(),
        terms: Digest::of(&terms().1),
        agent: &known_signers(),
        node: node(),
        opens: Some(3),
        until: TIME + 3600,
        time: TIME,
    };
    let wire = AgentCertificate::sign(&draft, &device());
    assert!(AgentCertificate::from_bytes(&wire, &known_signers()).is_ok());
    wire
}

/// Every message to whoever answers, as it travels.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("accept", AccessMessage::Accept(acceptance()).to_bytes()),
        ("request", AccessMessage::Request(request()).to_bytes()),
        ("receipt", AccessMessage::Receipt(receipt()).to_bytes()),
        ("question", AccessMessage::Question(question()).to_bytes()),
    ]
}

/// Every answer, as it travels.
pub(crate) fn replies() -> Vec<(&'static str, Vec<u8>)> {
    let consistency = vec![TreeHash::from_bytes([33; 32])];
    let released = Released {
        logged: logged(),
        consistency: consistency.clone(),
        enc: vec![34; ENC_LEN],
        keys: vec![35; 48],
    };
    let denied = Denied {
        logged: logged(),
        consistency: Vec::new(),
    };
    let report = AgentReport {
        entries: vec![logged()],
        next: 4,
        more: false,
        opens: 2,
        closed: Some(TIME),
        checkpoint: super::checkpoint(),
        consistency,
    };
    [
        ("noted", AccessReply::Noted {}),
        ("released", AccessReply::Released(Box::new(released))),
        ("denied", AccessReply::Denied(Box::new(denied))),
        ("diverged", AccessReply::Diverged(super::statement())),
        ("report", AccessReply::Report(Box::new(report))),
        ("refused", AccessReply::Refused(RefusalCode::TooMany)),
    ]
    .into_iter()
    .map(|(name, reply)| (name, reply.to_bytes()))
    .collect()
}
