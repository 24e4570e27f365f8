//! All key derivation of this project, in one place: one label per purpose.
//!
//! HKDF-SHA-512 (RFC 5869) with the salt `medvault/v1`; the label is the `info`.

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::SecretKey;
use super::sign::SigningKey;

/// What a derived key is for. No label is a prefix of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// From the recovery words: the owner's Ed25519 seed.
    OwnerSigning,
    /// From the recovery words: the X-Wing seed of the recovery recipient.
    RecoveryRecipient,
    /// From the recovery words: covers grant zero's envelopes, so that no age header shows.
    ZeroCover,
    /// From the zero cover: the Ed25519 seed of the vault's IPNS name.
    Ipns,
    /// From a relation secret: makes the rotating directory tags.
    RelationTag,
    /// From a relation secret: seals the directory pointer.
    RelationPointer,
    /// From a relation secret: covers the recipient's envelope.
    RelationCover,
    /// From a relation secret: names the reader in the terms of a grant.
    RelationReader,
    /// From the log secret: salts of the log's leaves.
    LeafSalt,
    /// From the vault's index secret: names contents to find duplicates.
    ContentName,
    /// From a content key: seals level N of a long body's block map.
    BlockMap(u8),
    /// From the device's secrets: seals state files of this device.
    LocalState,
    /// From a grant's release key: seals the content keys in its index.
    ReleaseWrap,
}

impl Purpose {
    fn label(self) -> String {
        match self {
            Self::OwnerSigning => "owner-signing".into(),
            Self::RecoveryRecipient => "recovery-recipient".into(),
            Self::ZeroCover => "zero-cover".into(),
            Self::Ipns => "ipns".into(),
            Self::RelationTag => "relation-tag".into(),
            Self::RelationPointer => "relation-pointer".into(),
            Self::RelationCover => "relation-cover".into(),
            Self::RelationReader => "relation-reader".into(),
            Self::LeafSalt => "leaf-salt".into(),
            Self::ContentName => "content-name".into(),
            Self::BlockMap(level) => format!("block-map/{level}"),
            Self::LocalState => "local-state".into(),
            Self::ReleaseWrap => "release-wrap".into(),
        }
    }
}

/// Derives the key for `purpose` from 32 bytes of full entropy.
pub(crate) fn derive(input: &[u8; 32], purpose: Purpose) -> SecretKey {
    let mut key = Zeroizing::new([0; 32]);
    #[allow(clippy::expect_used)] // 32 bytes are far below HKDF's limit of 255 hashes
    Hkdf::<Sha512>::new(Some(b"medvault/v1"), input)
        .expand(purpose.label().as_bytes(), key.as_mut())
        .expect("32 bytes are a valid HKDF output length");
    SecretKey::from_bytes(*key)
}

/// Everything that the recovery words give: nothing else is derived from them.
pub(crate) struct OwnerSecrets {
    /// Signs the list of devices; the vault's id is the hash of its public half.
    pub(crate) signing: SigningKey,
    /// Seed of the recovery recipient.
    pub(crate) recovery: SecretKey,
    /// Covers grant zero's envelopes.
    pub(crate) zero_cover: SecretKey,
}

impl OwnerSecrets {
    /// Derives the owner's secrets from the 32 bytes of entropy behind the recovery words.
    pub(crate) fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self {
            signing: SigningKey::from_seed(derive(entropy, Purpose::OwnerSigning).expose()),
            recovery: derive(entropy, Purpose::RecoveryRecipient),
            zero_cover: derive(entropy, Purpose::ZeroCover),
        }
    }
}

pub(crate) use Purpose as KeyPurpose;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_purpose_gives_another_key() {
        let all = [
            Purpose::OwnerSigning,
            Purpose::RecoveryRecipient,
            Purpose::ZeroCover,
            Purpose::RelationTag,
            Purpose::RelationPointer,
            Purpose::RelationCover,
            Purpose::RelationReader,
            Purpose::LeafSalt,
            Purpose::ContentName,
            Purpose::BlockMap(0),
            Purpose::BlockMap(1),
            Purpose::LocalState,
            Purpose::ReleaseWrap,
        ];
        let keys: BTreeSet<_> = all.iter().map(|p| *derive(&[1; 32], *p).expose()).collect();
        assert_eq!(keys.len(), all.len());
    }

    #[test]
    fn derivation_is_frozen() {
        // computed independently: HKDF-SHA-512(salt "medvault/v1", ikm 32 x 0x01, info "owner-signing")
        let key = derive(&[1; 32], Purpose::OwnerSigning);
        assert_eq!(
            data_encoding::HEXLOWER.encode(key.expose()),
            "1f239be029c7c262487b0006b54ae4f1bc26c58a97aeb9943eba21a88d06b62f"
        );
    }
}
