//! A content key as an index holds it: as it is, or sealed until it is asked for.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::VersionId;
use crate::keys::{KeyPurpose, SecretKey, derive};

/// Length of a sealed content key: 32 bytes and the tag, in bytes.
const SEALED_LEN: usize = 48;

/// Why a content key could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentKeyError {
    /// It is given out on request only, and was not asked for.
    #[error("the key of this record is given out on request only")]
    NotGiven,
    /// It does not open with the grant's release key.
    #[error("the sealed key of this record does not open")]
    Seal,
}

/// A content key in an index entry: 32 bytes as it is, 48 bytes sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
pub(crate) enum ContentKey {
    /// The key itself.
    Plain(SecretKey),
    /// Sealed under a grant's release key, which no reader has.
    Sealed([u8; SEALED_LEN]),
}

impl TryFrom<serde_bytes::ByteBuf> for ContentKey {
    type Error = &'static str;

    fn try_from(bytes: serde_bytes::ByteBuf) -> Result<Self, &'static str> {
        let bytes = Zeroizing::new(bytes.into_vec());
        if let Ok(key) = <[u8; 32]>::try_from(&bytes[..]) {
            return Ok(Self::Plain(SecretKey::from_bytes(key)));
        }
        let sealed = <[u8; SEALED_LEN]>::try_from(&bytes[..]);
        sealed.map(Self::Sealed).map_err(|_| "a content key")
    }
}

impl From<ContentKey> for serde_bytes::ByteBuf {
    fn from(key: ContentKey) -> Self {
        Self::from(match key {
            ContentKey::Plain(key) => key.expose().to_vec(),
            ContentKey::Sealed(sealed) => sealed.to_vec(),
        })
    }
}

impl ContentKey {
    /// The key, if it is here.
    ///
    /// # Errors
    /// [`ContentKeyError::NotGiven`].
    pub(crate) const fn plain(&self) -> Result<&SecretKey, ContentKeyError> {
        match self {
            Self::Plain(key) => Ok(key),
            Self::Sealed(_) => Err(ContentKeyError::NotGiven),
        }
    }
}

/// How a grant's index holds content keys.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum GrantKeys {
    /// As they are.
    Carried,
    /// Sealed under this release key.
    OnRequest(SecretKey),
}

impl GrantKeys {
    /// The content key of one version as this grant's index holds it. `sealed` is the number of the
    /// head under which the body was sealed: with the version it names the key, so that no two
    /// content keys are sealed under one key.
    pub(crate) fn wrap(&self, version: &VersionId, sealed: u64, key: &SecretKey) -> ContentKey {
        match self {
            Self::Carried => ContentKey::Plain(key.clone()),
            Self::OnRequest(release) => ContentKey::Sealed(seal_key(release, version, sealed, key)),
        }
    }
}

/// ChaCha20-Poly1305 under a key of its own for every content key, so the nonce is zero.
fn cipher(release: &SecretKey, version: &VersionId, sealed: u64) -> ChaCha20Poly1305 {
    let base = derive(release.expose(), KeyPurpose::ReleaseWrap);
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac =
        <Hmac<Sha256> as hmac::Mac>::new_from_slice(base.expose()).expect("any key length");
    mac.update(version.as_bytes());
    mac.update(&sealed.to_be_bytes());
    let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    ChaCha20Poly1305::new(Key::from_slice(&*key))
}

fn seal_key(
    release: &SecretKey,
    version: &VersionId,
    sealed: u64,
    key: &SecretKey,
) -> [u8; SEALED_LEN] {
    let payload = Payload {
        msg: key.expose(),
        aad: b"medvault/v1/release-wrap",
    };
    let mut out = [0; SEALED_LEN];
    #[allow(clippy::expect_used)] // fails for messages of 256 GiB and more only
    let ciphertext = cipher(release, version, sealed)
        .encrypt(&Nonce::default(), payload)
        .expect("a message of 32 bytes");
    out.copy_from_slice(&ciphertext);
    out
}

/// Takes a content key out of an on-request grant's index.
///
/// # Errors
/// [`ContentKeyError::Seal`].
pub(crate) fn open_sealed_key(
    release: &SecretKey,
    version: &VersionId,
    sealed: u64,
    key: &ContentKey,
) -> Result<SecretKey, ContentKeyError> {
    let ciphertext = match key {
        ContentKey::Plain(key) => return Ok(key.clone()),
        ContentKey::Sealed(ciphertext) => ciphertext,
    };
    let payload = Payload {
        msg: ciphertext,
        aad: b"medvault/v1/release-wrap",
    };
    let plain = cipher(release, version, sealed)
        .decrypt(&Nonce::default(), payload)
        .map(Zeroizing::new)
        .map_err(|_| ContentKeyError::Seal)?;
    let key = <[u8; 32]>::try_from(&plain[..]).map_err(|_| ContentKeyError::Seal)?;
    Ok(SecretKey::from_bytes(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_sealed_key_opens_for_its_version_and_release_key_only() {
        let (release, cek) = (SecretKey::random(), SecretKey::random());
        let version = VersionId::random();
        let sealed = GrantKeys::OnRequest(release.clone()).wrap(&version, 7, &cek);
        assert_eq!(sealed.plain(), Err(ContentKeyError::NotGiven));
        assert_eq!(
            open_sealed_key(&release, &version, 7, &sealed),
            Ok(cek.clone())
        );
        let bad = Err(ContentKeyError::Seal);
        assert_eq!(open_sealed_key(&release, &version, 8, &sealed), bad);
        assert_eq!(
            open_sealed_key(&release, &VersionId::random(), 7, &sealed),
            bad
        );
        assert_eq!(
            open_sealed_key(&SecretKey::random(), &version, 7, &sealed),
            bad
        );
        assert_eq!(GrantKeys::Carried.wrap(&version, 7, &cek).plain(), Ok(&cek));
    }

    #[test]
    fn both_forms_have_one_encoding() {
        let plain = ContentKey::Plain(SecretKey::from_bytes([7; 32]));
        let sealed = ContentKey::Sealed([8; SEALED_LEN]);
        for key in [plain, sealed] {
            let bytes = codec::encode(&key);
            assert_eq!(codec::decode::<ContentKey>(&bytes, 64), Ok(key));
        }
        let odd = codec::encode(&serde_bytes::ByteBuf::from(vec![1; 33]));
        assert!(codec::decode::<ContentKey>(&odd, 64).is_err());
    }
}
