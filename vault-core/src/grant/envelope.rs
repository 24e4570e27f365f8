//! The payload of an envelope: a grant key, signed, and good for one reader only.
//!
//! The age file shows that it is an age file and for what kind of recipient. So it is covered: the
//! 4,096 bytes are sealed once more under a key that only the two sides of the relation hold.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::envelope::{EnvelopeError, IdentityKey, RecipientKey, open_envelope, seal_envelope};
use crate::identity::Signers;
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey, SecretKey, SignatureError, Signed, SigningKey};

/// Why no grant key came out of an envelope.
#[derive(Debug, thiserror::Error)]
pub enum GrantKeyError {
    /// The age file does not open.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload is malformed.
    #[error("envelope payload: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("envelope payload: {0}")]
    Signature(#[from] SignatureError),
    /// Made for another vault, grant or reader and passed on.
    #[error("the envelope was made for another vault, grant or reader")]
    Forwarded,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    v: u8,
    vault: VaultId,
    grant: GrantId,
    key: SecretKey,
    /// SHA-256 of the recipient's public key
    to: Digest,
    signer: PublicKey,
    /// For an agent: what opens the content keys in the grant's index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<SecretKey>,
}

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenedGrant {
    /// Opens the grant's root.
    pub(crate) key: SecretKey,
    /// Opens the content keys in the index. Only an agent has it.
    pub(crate) release: Option<SecretKey>,
}

fn recipient_digest(recipient: &RecipientKey) -> Digest {
    Digest::from_bytes(Sha256::digest(recipient.as_bytes()).into())
}

/// Puts a grant key into an envelope for one recipient.
pub(crate) fn seal_grant_key(
    vault: &VaultId,
    grant: &GrantId,
    key: &SecretKey,
    recipient: &RecipientKey,
    signer: &SigningKey,
    release: Option<&SecretKey>,
) -> Result<Vec<u8>, EnvelopeError> {
    let payload = Payload {
        v: 1,
        vault: *vault,
        grant: *grant,
        key: key.clone(),
        to: recipient_digest(recipient),
        signer: signer.public(),
        release: release.cloned(),
    };
    let bytes =
        zeroize::Zeroizing::new(Signed::new(&payload, Namespace::Envelope, signer).to_bytes());
    seal_envelope(recipient, &bytes)
}

/// Takes the grant key out of an envelope and checks whom it was made for, and by whom.
pub(crate) fn open_grant_key(
    envelope: &[u8],
    identity: &IdentityKey,
    grant: &GrantId,
    signers: &Signers,
) -> Result<OpenedGrant, GrantKeyError> {
    let bytes = open_envelope(identity, envelope)?;
    let signed: Signed<Payload> = codec::decode(&bytes, 4096)?;
    let signer = signed.peek()?.signer;
    let payload = signed.verify(Namespace::Envelope, &signer)?;
    if payload.v != 1 {
        return Err(DecodeError::Malformed.into());
    }
    if !signers.has_signed(&signer) {
        return Err(SignatureError::Invalid.into());
    }
    let expected = (
        signers.vault(),
        *grant,
        recipient_digest(&identity.recipient()),
    );
    if (payload.vault, payload.grant, payload.to) != expected {
        return Err(GrantKeyError::Forwarded);
    }
    Ok(OpenedGrant {
        key: payload.key,
        release: payload.release,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        signers: Signers,
        device: SigningKey,
        grant: GrantId,
        reader: IdentityKey,
        key: SecretKey,
    }

    fn case() -> Case {
        let owner = SigningKey::from_seed(&[1; 32]);
        let device = SigningKey::from_seed(&[2; 32]);
        Case {
            signers: Signers::new(&owner, 1, vec![device.public()], vec![]),
            device,
            grant: GrantId::random(),
            reader: IdentityKey::from_seed(&[3; 32]),
            key: SecretKey::random(),
        }
    }

    #[test]
    fn a_forwarded_envelope_is_refused() {
        let c = case();
        let vault = c.signers.vault();
        let seal = |vault: &VaultId, grant: &GrantId, to: &RecipientKey, by: &SigningKey| {
            seal_grant_key(vault, grant, &c.key, to, by, None).unwrap()
        };
        let me = c.reader.recipient();
        let open = |envelope: &[u8]| open_grant_key(envelope, &c.reader, &c.grant, &c.signers);

        assert_eq!(
            open(&seal(&vault, &c.grant, &me, &c.device)).unwrap().key,
            c.key
        );

        let other_grant = seal(&vault, &GrantId::random(), &me, &c.device);
        assert!(matches!(open(&other_grant), Err(GrantKeyError::Forwarded)));
        let other_vault = seal(&VaultId::from_bytes([9; 32]), &c.grant, &me, &c.device);
        assert!(matches!(open(&other_vault), Err(GrantKeyError::Forwarded)));
        let stranger = seal(&vault, &c.grant, &me, &SigningKey::random());
        assert!(matches!(open(&stranger), Err(GrantKeyError::Signature(_))));

        // mallory opens her own envelope and seals the patient's signed payload to someone else
        let mallory = IdentityKey::from_seed(&[4; 32]);
        let hers = seal(&vault, &c.grant, &mallory.recipient(), &c.device);
        let payload = open_envelope(&mallory, &hers).unwrap();
        let forwarded = seal_envelope(&me, &payload).unwrap();
        assert!(matches!(open(&forwarded), Err(GrantKeyError::Forwarded)));
    }
}
