//! Messages signed by the device that everyone knows, for snapshots, examples and fuzzing.

use super::acceptance::Say;
use super::reader::ReaderStatement;
use super::{AgentQuestion, ReceiptDraft, RequestDraft};
use crate::block::Digest;
use crate::fuzzing::{device, known_signers};
use crate::ids::{GrantId, VaultId};
use crate::keys::Namespace;

pub(crate) struct MessageSample;

impl MessageSample {
    fn sign<T: serde::Serialize + serde::de::DeserializeOwned>(
        say: T,
        namespace: Namespace,
        time: u64,
    ) -> Vec<u8> {
        ReaderStatement::sign_with(say, namespace, &known_signers(), &device(), time)
    }

    pub(crate) fn acceptance(vault: &VaultId, grant: &GrantId, offer: &[u8], time: u64) -> Vec<u8> {
        let say = Say {
            vault: *vault,
            grant: *grant,
            terms: Digest::of(offer),
        };
        Self::sign(say, Namespace::Acceptance, time)
    }

    pub(crate) fn request(say: RequestDraft, time: u64) -> Vec<u8> {
        Self::sign(say, Namespace::AccessRequest, time)
    }

    pub(crate) fn receipt(say: ReceiptDraft, time: u64) -> Vec<u8> {
        Self::sign(say, Namespace::AccessReceipt, time)
    }

    pub(crate) fn question(say: AgentQuestion, time: u64) -> Vec<u8> {
        Self::sign(say, Namespace::AgentQuestion, time)
    }
}
