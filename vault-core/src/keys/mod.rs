//! Keys: where each comes from, and what each may sign.

mod derive;
mod secret;
mod sign;
mod words;

pub(crate) use derive::{KeyPurpose, OwnerSecrets, derive};
pub use secret::SecretKey;
pub use sign::{Namespace, PublicKey, Signature, SignatureError, Signed, SigningKey};
pub use words::{RecoveryWords, WordsError, fingerprint_words};
