//! The patient's own view: what grant zero's root holds.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::Acceptance;
use crate::audit::SealedEntry;
use crate::block::Digest;
use crate::body::class_len;
use crate::codec::{self, DecodeError};
use crate::deposit::DepositLimit;
use crate::grant::Relation;
use crate::identity::Card;
use crate::ids::{ContactId, GrantId, VaultId};
use crate::index::{
    GrantKeys, IndexEntry, Item, MAX_PAGE_LEN, PageList, PageRef, decode_items, encode_items,
};
use crate::keys::{PublicKey, SecretKey};
use crate::seal::{CHUNK_LEN, HEADER_LEN, SEALED_CHUNK_LEN, sealed_len};

/// Length of the length before grant zero's root, in bytes.
const LEN_PREFIX: usize = 4;

/// Secrets that live inside the vault.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultSecrets {
    /// Salts the log's leaves.
    pub(crate) log: SecretKey,
    /// Names contents to find duplicates.
    pub(crate) names: SecretKey,
    /// Seed of the hybrid key that deposits are sealed to; drawn when it is first needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inbox: Option<SecretKey>,
}

/// The plaintext of grant zero's root.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZeroRoot {
    v: u8,
    name: String,
    secrets: VaultSecrets,
    records: Vec<PageRef>,
    audit: Vec<PageRef>,
    contacts: Vec<PageRef>,
    grants: Vec<PageRef>,
    dummies: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    charges: Vec<PageRef>,
}

/// Someone one can share with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactRecord {
    pub(crate) id: ContactId,
    pub(crate) name: String,
    #[serde(with = "serde_bytes")]
    pub(crate) card: Vec<u8>,
    /// When the fingerprint was compared.
    pub(crate) verified: Option<u64>,
    pub(crate) relation: Relation,
    pub(crate) added: u64,
    /// The newest checkpoint of this vault's log that the contact countersigned.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub(crate) witness: Option<Vec<u8>>,
    /// What the contact may deposit, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deposits: Option<DepositLimit>,
}

impl ContactRecord {
    pub(crate) fn card(&self) -> Result<Card, crate::identity::CardError> {
        Card::from_bytes(&self.card)
    }
}

/// One reader of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) contact: ContactId,
    pub(crate) owner: PublicKey,
    /// Blocks of the covered envelopes, one per device of the reader.
    pub(crate) envelopes: Vec<Digest>,
}

/// How a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantStatus {
    /// In force.
    Active,
    /// Withdrawn by the patient.
    Revoked,
    /// Ended by its terms.
    Expired,
}

/// A re-key that is not finished: versions of the grant sealed up to `cut` are to be sealed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PendingRekey {
    /// Sequence number of the last head that the readers could use.
    pub(crate) cut: u64,
    /// Versions sealed again so far.
    pub(crate) count: u64,
    /// Blocks deleted so far.
    pub(crate) deleted: u64,
    /// The readers that were shut out.
    pub(crate) readers: Vec<PublicKey>,
    /// For the receipt: versions that were readable.
    pub(crate) could_have_opened: u64,
    /// For the receipt: digest of the sealed index.
    pub(crate) index: Digest,
    /// Position of the revocation in the audit log.
    pub(crate) log_index: u64,
}

/// A grant as the patient keeps it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRecord {
    pub(crate) id: GrantId,
    pub(crate) key: SecretKey,
    /// Signed terms, wire form.
    #[serde(with = "serde_bytes")]
    pub(crate) terms: Vec<u8>,
    pub(crate) members: Vec<Member>,
    /// Readers that were shut out, with the time.
    pub(crate) former: Vec<(PublicKey, u64)>,
    pub(crate) root: Option<(Digest, u32)>,
    pub(crate) pages: Vec<PageRef>,
    /// Versions in the grant.
    pub(crate) count: u64,
    pub(crate) status: GrantStatus,
    /// When it ended, in seconds since 1970-01-01 UTC.
    pub(crate) ended: Option<u64>,
    pub(crate) pending: Option<PendingRekey>,
    /// Signed receipts, wire form.
    pub(crate) receipts: Vec<serde_bytes::ByteBuf>,
    /// What a grant on request has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_request: Option<OnRequest>,
}

/// What a grant on request has besides: the countersigned agreement and who answers under it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnRequest {
    /// Seals the content keys in the grant's index. No reader ever gets it.
    pub(crate) release: SecretKey,
    /// Readers who have not countersigned.
    pub(crate) offered: Vec<ContactId>,
    /// Countersignatures of the members, wire form.
    pub(crate) acceptances: Vec<serde_bytes::ByteBuf>,
    /// Opens given by this device, and by agents whose part is over.
    pub(crate) opens: u64,
    /// Those who answer besides this device.
    pub(crate) agents: Vec<AgentRecord>,
}

/// Someone who answers requests under one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentRecord {
    pub(crate) contact: ContactId,
    pub(crate) owner: PublicKey,
    /// Blocks of the covered envelopes; none when the agent was withdrawn.
    pub(crate) envelopes: Vec<Digest>,
    /// The certificate, wire form.
    #[serde(with = "serde_bytes")]
    pub(crate) certificate: Vec<u8>,
    /// Opens that are set aside for the agent, while it may still answer.
    pub(crate) allowance: Option<u64>,
    pub(crate) until: u64,
    /// Whether it was withdrawn. What it was given stays set aside until it has reported, or its
    /// time is over.
    pub(crate) withdrawn: bool,
    /// Whether it has said that it gives no more.
    pub(crate) closed: bool,
    /// Opens that it has reported.
    pub(crate) reported: u64,
    /// Opens that entries of its log have shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) proven: u64,
    /// First entry of its log that has not been asked for.
    pub(crate) next: u64,
    /// The last signed checkpoint of its log that was seen.
    #[serde(with = "serde_bytes")]
    pub(crate) seen: Option<Vec<u8>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes it so
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl OnRequest {
    /// An agreement that is offered to these contacts.
    pub(crate) fn new(offered: Vec<ContactId>) -> Self {
        Self {
            release: SecretKey::random(),
            offered,
            acceptances: Vec::new(),
            opens: 0,
            agents: Vec::new(),
        }
    }

    /// The agreement is over: what opens the sealed keys in the index is forgotten.
    pub(crate) fn close(&mut self) {
        self.release = SecretKey::random();
        self.offered.clear();
        self.acceptances.clear();
        for agent in &mut self.agents {
            agent.withdrawn = true;
            agent.envelopes.clear();
        }
    }

    /// Forgets a reader's countersignature.
    pub(crate) fn forget(&mut self, reader: &PublicKey) {
        self.acceptances.retain(|bytes| {
            Acceptance::from_bytes(bytes).is_ok_and(|acceptance| acceptance.reader() != reader)
        });
    }

    /// Whether a contact may answer requests.
    pub(crate) fn answers(&self, contact: &ContactId) -> bool {
        let mut agents = self.agents.iter();
        agents.any(|agent| agent.contact == *contact && !agent.withdrawn)
    }

    /// Opens that count as given: by this device, and set aside for agents.
    pub(crate) fn counted(&self) -> u64 {
        let aside = self.agents.iter().map(AgentRecord::counted).sum::<u64>();
        self.opens.saturating_add(aside)
    }
}

impl AgentRecord {
    /// Opens that count as given, for a limit: what was set aside, until the agent has said for the
    /// last time what it gave.
    pub(crate) fn counted(&self) -> u64 {
        match (self.closed, self.allowance) {
            (false, Some(allowance)) => allowance.max(self.reported),
            _ => self.reported,
        }
    }
}

impl GrantRecord {
    /// How this grant's index holds content keys.
    pub(crate) fn keys(&self) -> GrantKeys {
        match &self.on_request {
            Some(on_request) => GrantKeys::OnRequest(on_request.release.clone()),
            None => GrantKeys::Carried,
        }
    }

    /// Whether a contact is a member, or was offered to become one.
    pub(crate) fn concerns(&self, contact: &ContactId) -> bool {
        let mut offered = self.on_request.iter().flat_map(|o| &o.offered);
        self.members.iter().any(|m| m.contact == *contact) || offered.any(|o| o == contact)
    }

    /// The envelopes of one contact, as a member or as an agent.
    pub(crate) fn envelopes_of(&self, contact: &ContactId) -> impl Iterator<Item = &Digest> {
        let members = self.members.iter().filter(|m| m.contact == *contact);
        let agents = self
            .on_request
            .iter()
            .flat_map(|on_request| &on_request.agents);
        let agents = agents.filter(|agent| agent.contact == *contact);
        // whoever is both finds the agent's first: it opens all that the member's does
        (agents.flat_map(|agent| &agent.envelopes)).chain(members.flat_map(|m| &m.envelopes))
    }

    /// Every block that only this grant's members and agents need to find it.
    pub(crate) fn envelopes(&self) -> Vec<Digest> {
        let members = self.members.iter().flat_map(|member| &member.envelopes);
        let agents = self
            .on_request
            .iter()
            .flat_map(|on_request| &on_request.agents);
        let agents = agents.flat_map(|agent| &agent.envelopes);
        members.chain(agents).copied().collect()
    }
}

/// What this vault's owner has answered on behalf of someone else, under one grant of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChargeRecord {
    /// The patient's vault.
    pub(crate) vault: VaultId,
    pub(crate) grant: GrantId,
    /// Opens given.
    pub(crate) opens: u64,
    /// When the patient asked to give no more; certificates made after that count again.
    pub(crate) closed: Option<u64>,
}

macro_rules! plain_item {
    ($name:ty) => {
        impl Item for $name {
            fn weight(&self) -> usize {
                codec::encode(self).len()
            }

            fn encode_page(items: &[Self]) -> Vec<u8> {
                encode_items(items)
            }

            fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
                decode_items(bytes)
            }
        }
    };
}

plain_item!(ContactRecord);
plain_item!(GrantRecord);
plain_item!(ChargeRecord);

/// The patient's view, in memory. Lists load page by page as they are needed.
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) secrets: VaultSecrets,
    pub(crate) records: PageList<IndexEntry>,
    pub(crate) audit: PageList<SealedEntry>,
    pub(crate) contacts: PageList<ContactRecord>,
    pub(crate) grants: PageList<GrantRecord>,
    pub(crate) charges: PageList<ChargeRecord>,
    pub(crate) dummies: Vec<Digest>,
}

/// The name of a grant's own list of pages.
pub(crate) fn grant_list(grant: &GrantId) -> Vec<u8> {
    [b"grant/".as_slice(), grant.as_bytes()].concat()
}

/// Puts the length of `root` (4 bytes, big-endian) before it and zeros after it, up to the longest
/// plaintext of its block's class: the sealed length stands in the head for all to see, and must
/// not tell how many pages and dummies there are.
fn fill(root: &[u8]) -> Zeroizing<Vec<u8>> {
    let used = LEN_PREFIX + root.len();
    let slots = class_len(sealed_len(used as u64) as usize) / SEALED_CHUNK_LEN;
    let filled = (slots * CHUNK_LEN - HEADER_LEN).max(used);
    let mut plain = Zeroizing::new(Vec::with_capacity(filled));
    plain.extend_from_slice(&(root.len() as u32).to_be_bytes());
    plain.extend_from_slice(root);
    plain.resize(filled, 0);
    plain
}

/// Takes the root out of what [`fill`] made.
fn unfill(plain: &[u8]) -> Result<&[u8], DecodeError> {
    let (len, rest) = plain
        .split_first_chunk::<LEN_PREFIX>()
        .ok_or(DecodeError::Malformed)?;
    match rest.split_at_checked(u32::from_be_bytes(*len) as usize) {
        Some((root, zeros)) if zeros.iter().all(|byte| *byte == 0) => Ok(root),
        _ => Err(DecodeError::Malformed),
    }
}

impl State {
    pub(crate) fn new(vault: &VaultId, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            secrets: VaultSecrets {
                log: SecretKey::random(),
                names: SecretKey::random(),
                inbox: None,
            },
            records: PageList::new(vault, b"records"),
            audit: PageList::new(vault, b"audit"),
            contacts: PageList::new(vault, b"contacts"),
            grants: PageList::new(vault, b"grants"),
            charges: PageList::new(vault, b"charges"),
            dummies: Vec::new(),
        }
    }

    /// The plaintext of grant zero's root; every list must be saved.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let root = Zeroizing::new(codec::encode(&ZeroRoot {
            v: 1,
            name: self.name.clone(),
            secrets: self.secrets.clone(),
            records: self.records.refs(),
            audit: self.audit.refs(),
            contacts: self.contacts.refs(),
            grants: self.grants.refs(),
            charges: self.charges.refs(),
            dummies: self.dummies.clone(),
        }));
        fill(&root)
    }

    pub(crate) fn decode(vault: &VaultId, bytes: &[u8]) -> Result<Self, DecodeError> {
        let root: ZeroRoot = codec::decode(unfill(bytes)?, MAX_PAGE_LEN)?;
        if root.v != 1 {
            return Err(DecodeError::Malformed);
        }
        Ok(Self {
            name: root.name,
            secrets: root.secrets,
            records: PageList::stored(vault, b"records", root.records),
            audit: PageList::stored(vault, b"audit", root.audit),
            contacts: PageList::stored(vault, b"contacts", root.contacts),
            grants: PageList::stored(vault, b"grants", root.grants),
            charges: PageList::stored(vault, b"charges", root.charges),
            dummies: root.dummies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::FULL_BLOCK_LEN;

    #[test]
    fn a_filled_root_fills_its_block() {
        for len in [0, 1, 300, 16_324, 16_325, 32_708, 32_709, 100_000, 262_084] {
            let root = vec![7; len];
            let plain = fill(&root);
            assert_eq!(unfill(&plain), Ok(&root[..]));
            let sealed = sealed_len(plain.len() as u64) as usize;
            assert_eq!(sealed, class_len(sealed), "{len}");
        }
        let over = fill(&vec![7; 262_085]);
        assert!(sealed_len(over.len() as u64) as usize > FULL_BLOCK_LEN);
        for bad in [&[][..], &[0, 0, 0], &[0, 0, 0, 2, 7], &[0, 0, 0, 1, 7, 1]] {
            assert_eq!(unfill(bad), Err(DecodeError::Malformed));
        }
    }
}
