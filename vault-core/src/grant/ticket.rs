//! The ticket: what the patient hands over so that a reader finds the grant.
//!
//! An age file for the reader's devices around a signed payload: `medvault-ticket:` and base64url.
//! It holds no record key. Whoever else gets hold of it learns nothing.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::address::NodeAddress;
use crate::codec::{self, DecodeError};
use crate::envelope::{EnvelopeError, RecipientKey, decrypt_with, encrypt_to};
use crate::grant::{Delivery, Relation, Terms, TermsError};
use crate::identity::{Device, Signers, SignersError};
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};
use crate::log::TreeHash;
use crate::record::clean;

/// Text before the base64url part.
const PREFIX: &str = "medvault-ticket:";

/// Longest accepted ticket, in bytes.
const MAX_TICKET_LEN: usize = 64 * 1024;

/// Why a ticket was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// Not of the form of a ticket.
    #[error("not a medvault ticket")]
    NotATicket,
    /// Sealed to other keys than this identity's.
    #[error("this ticket is for someone else")]
    ForSomeoneElse,
    /// The age file is damaged.
    #[error("ticket: {0}")]
    Envelope(EnvelopeError),
    /// The payload is malformed.
    #[error("ticket: {0}")]
    Malformed(#[from] DecodeError),
    /// The signature does not hold.
    #[error("ticket: {0}")]
    Signature(#[from] SignatureError),
    /// The list of signing keys inside is not valid.
    #[error("ticket: {0}")]
    Signers(#[from] SignersError),
    /// The terms in it do not hold.
    #[error("ticket: {0}")]
    Terms(#[from] TermsError),
    /// The grant ended at this time, in seconds since 1970-01-01 UTC.
    #[error("this ticket has expired")]
    Expired(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    vault: VaultId,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
    signer: PublicKey,
    name: String,
    grant: GrantId,
    /// the reader's owner key
    reader: PublicKey,
    relation: Relation,
    node: NodeAddress,
    seq: u64,
    size: u64,
    root: TreeHash,
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ipns: Option<PublicKey>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    offer: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<RecipientKey>,
}

/// An opened, verified ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The patient's signing keys; names the vault.
    pub signers: Signers,
    /// The name the patient goes by.
    pub name: String,
    /// The grant it was made for.
    pub grant: GrantId,
    pub(crate) relation: Relation,
    /// Where the patient's node was last reached.
    pub node: NodeAddress,
    /// Sequence number of the head that first held the grant. Older heads are refused.
    pub seq: u64,
    /// Size and root of the audit log under that head.
    pub(crate) log: (u64, TreeHash),
    /// The reader's owner key.
    pub(crate) reader: PublicKey,
    /// When the grant ends by itself, in seconds since 1970-01-01 UTC.
    pub expires: Option<u64>,
    /// The key of the vault's IPNS name, under which heads may be published.
    pub ipns: Option<PublicKey>,
    /// On request: the signed terms, to be countersigned before there is anything to read.
    pub(crate) offer: Option<Vec<u8>>,
    /// What deposits to the vault are sealed to.
    pub inbox: Option<RecipientKey>,
}

impl Ticket {
    /// The terms that wait for a countersignature, if the grant is on request.
    pub fn offered(&self) -> Option<Terms> {
        Terms::from_checked_bytes(self.offer.as_ref()?).ok()
    }

    /// The signed payload.
    pub(crate) fn payload(&self, key: &SigningKey) -> Zeroizing<Vec<u8>> {
        let wire = Wire {
            v: 1,
            vault: self.signers.vault(),
            signers: self.signers.as_bytes().to_vec(),
            signer: key.public(),
            name: self.name.clone(),
            grant: self.grant,
            reader: self.reader,
            relation: self.relation.clone(),
            node: self.node.clone(),
            seq: self.seq,
            size: self.log.0,
            root: self.log.1,
            expires: self.expires,
            ipns: self.ipns,
            offer: self.offer.clone(),
            inbox: self.inbox.clone(),
        };
        Zeroizing::new(Signed::new(&wire, Namespace::Ticket, key).to_bytes())
    }

    /// Signs and seals the ticket for a reader's devices, as one line of text.
    pub(crate) fn seal(
        &self,
        key: &SigningKey,
        to: &[RecipientKey],
    ) -> Result<String, EnvelopeError> {
        let sealed = encrypt_to(to, &self.payload(key), false)?;
        Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&sealed)))
    }

    /// Opens a ticket, among any white space, and checks the signatures.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn open(text: &str, device: &Device, now: u64) -> Result<Self, TicketError> {
        if text.len() > 2 * MAX_TICKET_LEN {
            return Err(TicketError::NotATicket);
        }
        let compact: String = text.split_whitespace().collect();
        let body = compact
            .strip_prefix(PREFIX)
            .ok_or(TicketError::NotATicket)?;
        let sealed = BASE64URL_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| TicketError::NotATicket)?;
        let payload =
            decrypt_with(device.identity(), &sealed, MAX_TICKET_LEN).map_err(|e| match e {
                EnvelopeError::NotForYou => TicketError::ForSomeoneElse,
                other => TicketError::Envelope(other),
            })?;
        Self::from_payload(&payload, device.signers().owner(), now)
    }

    /// Reads a decrypted payload, meant for `reader`, and checks the signatures.
    pub(crate) fn from_payload(
        payload: &[u8],
        reader: &PublicKey,
        now: u64,
    ) -> Result<Self, TicketError> {
        let signed: Signed<Wire> = codec::decode(payload, MAX_TICKET_LEN)?;
        let signer = signed.peek()?.signer;
        let wire = signed.verify(Namespace::Ticket, &signer)?;
        let signers = Signers::for_vault(&wire.signers, &wire.vault)?;
        if wire.v != 1 || wire.name.is_empty() || clean(&wire.name, 100) != wire.name {
            return Err(DecodeError::Malformed.into());
        }
        // someone else's ticket, opened and sealed again for this reader
        if wire.reader != *reader {
            return Err(TicketError::ForSomeoneElse);
        }
        if !signers.may_sign(&signer) {
            return Err(SignatureError::Invalid.into());
        }
        if let Some(expires) = wire.expires.filter(|expires| now >= *expires) {
            return Err(TicketError::Expired(expires));
        }
        if let Some(offer) = &wire.offer {
            let terms = Terms::from_bytes(offer, &signers)?;
            let on_request = terms.delivery == Delivery::OnRequest;
            if !on_request || terms.grant != wire.grant || !terms.names(&wire.relation) {
                return Err(TermsError::Other.into());
            }
        }
        Ok(Self {
            signers,
            name: wire.name,
            grant: wire.grant,
            relation: wire.relation,
            node: wire.node,
            seq: wire.seq,
            log: (wire.size, wire.root),
            reader: wire.reader,
            expires: wire.expires,
            ipns: wire.ipns,
            offer: wire.offer,
            inbox: wire.inbox,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Device {
        Device::for_new_vault(&crate::keys::RecoveryWords::generate(), 1)
    }

    fn ticket(expires: Option<u64>, reader: &Device) -> (Ticket, SigningKey) {
        let owner = SigningKey::from_seed(&[1; 32]);
        let device = SigningKey::from_seed(&[2; 32]);
        let key = PublicKey::from_bytes([4; 32]);
        let ticket = Ticket {
            signers: Signers::new(&owner, 1, vec![device.public()], vec![]),
            name: "Pat".into(),
            grant: GrantId::random(),
            relation: Relation::random(),
            node: NodeAddress {
                peer: key,
                addrs: vec!["/ip4/127.0.0.1/tcp/4001".into()],
                endpoint: key,
                endpoint_addrs: vec!["127.0.0.1:4002".into()],
                relays: Vec::new(),
            },
            seq: 3,
            log: (7, TreeHash::from_bytes([9; 32])),
            reader: *reader.signers().owner(),
            expires,
            ipns: Some(PublicKey::from_bytes([5; 32])),
            offer: None,
            inbox: Some(reader.identity().recipient()),
        };
        (ticket, device)
    }

    #[test]
    fn only_the_reader_opens_it_and_only_in_time() {
        let reader = reader();
        let (ticket, device) = ticket(Some(100), &reader);
        let text = ticket
            .seal(&device, &[reader.identity().recipient()])
            .unwrap();
        assert_eq!(Ticket::open(&text, &reader, 99).unwrap(), ticket);
        assert!(matches!(
            Ticket::open(&text, &reader, 100),
            Err(TicketError::Expired(100))
        ));
        let other = self::reader();
        let passed_on = ticket
            .seal(&device, &[other.identity().recipient()])
            .unwrap();
        assert!(matches!(
            Ticket::open(&passed_on, &other, 99),
            Err(TicketError::ForSomeoneElse)
        ));
        assert!(matches!(
            Ticket::open(&text, &other, 99),
            Err(TicketError::ForSomeoneElse)
        ));
        assert!(matches!(
            Ticket::open("hello", &reader, 99),
            Err(TicketError::NotATicket)
        ));
    }

    #[test]
    fn a_stranger_cannot_speak_for_the_vault() {
        let reader = reader();
        let (ticket, _) = ticket(None, &reader);
        let forged = ticket
            .seal(&SigningKey::random(), &[reader.identity().recipient()])
            .unwrap();
        assert!(matches!(
            Ticket::open(&forged, &reader, 0),
            Err(TicketError::Signature(_))
        ));
    }
}
