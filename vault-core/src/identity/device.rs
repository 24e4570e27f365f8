//! A device's secrets, and the text inside the identity file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::card::{Card, CardError, CardKeys};
use super::signers::{MAX_SIGNERS_LEN, Signers, SignersError};
use crate::codec::{self, DecodeError};
use crate::envelope::{IdentityKey, RecipientKey};
use crate::ids::{DeviceId, VaultId};
use crate::keys::{
    KeyPurpose, OwnerSecrets, PublicKey, RecoveryWords, SecretKey, SigningKey, derive,
};

/// Marks the line of the identity file that holds the device's secrets.
const LINE: &str = "# medvault-device: ";

/// Why a decrypted identity file was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFileError {
    /// The line with the device's secrets is missing or not base64.
    #[error("the identity file is not one of medvault")]
    NotAnIdentity,
    /// The secrets are malformed.
    #[error("identity file: {0}")]
    Malformed(#[from] DecodeError),
    /// The list of signing keys is not valid.
    #[error("identity file: {0}")]
    Signers(#[from] SignersError),
    /// Written by a newer version of this program.
    #[error("the identity file is of version {0}, newer than this program")]
    Newer(u8),
}

/// The secrets of one device, as they are kept in the identity file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSecrets {
    v: u8,
    device: DeviceId,
    signing: SecretKey,
    recipient: SecretKey,
    iroh: SecretKey,
    libp2p: SecretKey,
    zero_cover: SecretKey,
    recovery: RecipientKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
}

/// One unlocked device: the private side of an identity.
pub struct Device {
    secrets: DeviceSecrets,
    signers: Signers,
    signing: SigningKey,
    identity: IdentityKey,
}

impl Device {
    /// Makes a device for `owner`, with fresh independent keys, and the signers list that admits
    /// it under `serial`. `former` are the keys that signed before.
    pub(crate) fn create(owner: &OwnerSecrets, serial: u64, former: Vec<PublicKey>) -> Self {
        let signing = SecretKey::random();
        let public = SigningKey::from_seed(signing.expose()).public();
        let signers = Signers::new(&owner.signing, serial, vec![public], former);
        Self::assemble(
            DeviceSecrets {
                v: 1,
                device: DeviceId::random(),
                signing,
                recipient: SecretKey::random(),
                iroh: SecretKey::random(),
                libp2p: SecretKey::random(),
                zero_cover: owner.zero_cover.clone(),
                recovery: IdentityKey::from_seed(owner.recovery.expose()).recipient(),
                signers: signers.as_bytes().to_vec(),
            },
            signers,
        )
    }

    /// Makes the first device of a new vault, owned by whoever holds `words`. `now` is in seconds
    /// since 1970-01-01 UTC.
    pub fn for_new_vault(words: &RecoveryWords, now: u64) -> Self {
        Self::create(&words.owner_secrets(), now.max(1), Vec::new())
    }

    fn assemble(secrets: DeviceSecrets, signers: Signers) -> Self {
        let signing = SigningKey::from_seed(secrets.signing.expose());
        let identity = IdentityKey::from_seed(secrets.recipient.expose());
        Self {
            secrets,
            signers,
            signing,
            identity,
        }
    }

    /// The text that goes into the passphrase-protected identity file. Its second line is an age
    /// identity, so stock `age -i` can use the decrypted file to open envelopes.
    pub fn to_identity_text(&self) -> Zeroizing<String> {
        let secrets = Zeroizing::new(codec::encode(&self.secrets));
        let line = Zeroizing::new(BASE64.encode(&*secrets));
        Zeroizing::new(format!(
            "# medvault identity of vault {}\n{}\n{LINE}{}\n",
            self.vault(),
            self.identity.to_text().expose_secret(),
            line.as_str(),
        ))
    }

    /// Reads the text of a decrypted identity file.
    ///
    /// # Errors
    /// [`IdentityFileError`].
    pub fn from_identity_text(text: &str) -> Result<Self, IdentityFileError> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(LINE))
            .ok_or(IdentityFileError::NotAnIdentity)?;
        let bytes = Zeroizing::new(
            BASE64
                .decode(line.trim())
                .map_err(|_| IdentityFileError::NotAnIdentity)?,
        );
        let secrets: DeviceSecrets = codec::decode(&bytes, MAX_SIGNERS_LEN + 4096)?;
        if secrets.v != 1 {
            return Err(IdentityFileError::Newer(secrets.v));
        }
        let signers = Signers::from_bytes(&secrets.signers)?;
        Ok(Self::assemble(secrets, signers))
    }

    /// The vault this device belongs to.
    pub fn vault(&self) -> VaultId {
        self.signers.vault()
    }

    /// This device's id.
    pub fn id(&self) -> DeviceId {
        self.secrets.device
    }

    /// The signers list that admits this device.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// This device's signing key.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// This device's decryption key.
    pub const fn identity(&self) -> &IdentityKey {
        &self.identity
    }

    /// Seed of the node's libp2p key (Ed25519).
    pub fn libp2p_seed(&self) -> &[u8; 32] {
        self.secrets.libp2p.expose()
    }

    /// Seed of the node's iroh key (Ed25519).
    pub fn iroh_seed(&self) -> &[u8; 32] {
        self.secrets.iroh.expose()
    }

    /// The key of the vault's IPNS name (Ed25519). Every device of the owner has the same one, and
    /// the recovery words give it again.
    pub fn ipns_key(&self) -> SigningKey {
        let seed = derive(self.secrets.zero_cover.expose(), KeyPurpose::Ipns);
        SigningKey::from_seed(seed.expose())
    }

    pub(crate) fn zero_cover(&self) -> &SecretKey {
        &self.secrets.zero_cover
    }

    pub(crate) fn recovery_recipient(&self) -> &RecipientKey {
        &self.secrets.recovery
    }

    /// The key for state that never leaves this device.
    pub(crate) fn local_state_key(&self) -> SecretKey {
        derive(self.secrets.signing.expose(), KeyPurpose::LocalState)
    }

    /// Makes this person's contact card.
    ///
    /// # Errors
    /// [`CardError::Name`].
    pub fn card(&self, name: &str) -> Result<Card, CardError> {
        let public = |seed: &SecretKey| SigningKey::from_seed(seed.expose()).public();
        let keys = CardKeys {
            recipients: vec![self.identity.recipient()],
            endpoint: public(&self.secrets.iroh),
            peer: public(&self.secrets.libp2p),
        };
        Card::new(name, &self.signers, &self.signing, keys)
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({}, ..)", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RecoveryWords;

    #[test]
    fn identity_text_round_trips_and_is_an_age_identity() {
        let owner = RecoveryWords::generate().owner_secrets();
        let device = Device::create(&owner, 1, vec![]);
        let text = device.to_identity_text();
        assert!(
            text.lines()
                .nth(1)
                .unwrap()
                .starts_with("AGE-SECRET-KEY-PQ-1")
        );
        let again = Device::from_identity_text(&text).unwrap();
        assert_eq!(again.vault(), device.vault());
        assert_eq!(again.signing().public(), device.signing().public());
        assert_eq!(again.identity().recipient(), device.identity().recipient());
        assert!(again.signers().may_sign(&again.signing().public()));
        assert!(Device::from_identity_text("hello").is_err());
    }
}
