//! MedVault for apps: the facade that the bindings for Kotlin, Swift and Python are made from.
//!
//! There is no logic here: every call is put in the words of `vault-app` and `vault-core`, done on a
//! thread of the library, and answered with plain records. `docs/MOBILE.md` tells how an app uses it.
//!
//! - [`create_vault`], [`open_vault`], [`recover_vault`]: the ways to a [`Vault`]
//! - [`Vault`]: everything that is done with it
//! - [`AddWork`] and the other works: long ones, with progress and a way to stop them
//! - [`Platform`]: what the app provides, such as its [`KeyStore`]
//! - [`MedVaultError`]: the one error
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! use vault_ffi::{Platform, RecordFilter, Unlock, create_vault, memory_key_store};
//!
//! let folder = tempfile::tempdir()?;
//! let home = folder.path().join("vault").display().to_string();
//! let platform = Platform { key_store: Some(memory_key_store()), ..Platform::default() };
//! let made = create_vault(home, "Mira".into(), Unlock::KeyStore, platform).await?;
//! assert_eq!(made.recovery_words.split(' ').count(), 24); // to be written on paper
//!
//! let pulse = br#"{"resourceType": "Observation", "code": {"text": "Pulse"}}"#;
//! let report = made.vault.add(pulse.to_vec(), "pulse.json".into()).await?;
//! assert_eq!(report.added, 1);
//! let records = made.vault.records(RecordFilter::default()).await?;
//! assert_eq!(records[0].title, "Pulse");
//! assert_eq!(made.vault.content(records[0].id.clone()).await?, pulse);
//! # made.vault.lock().await?;
//! # Ok(())
//! # })
//! # }
//! ```
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod adding;
mod error;
mod files;
mod platform;
mod runtime;
mod types;
mod vault;
mod work;

pub use error::MedVaultError;
pub use platform::{
    CallbackError, KeyStore, KeyStoreError, LogLevel, LogLine, LogSink, MemoryLog, NetworkPolicy,
    NetworkUse, Platform, ProgressListener, fixed_network, memory_key_store,
};
pub use types::{
    AddReport, AgentAdded, AgentSummary, AgreementSummary, AuditCheck, AuditEvent, BlockCheck,
    CardSummary, ContactSummary, DepositDetail, DepositItem, DepositLimit, DepositSent,
    DepositSummary, ExportForm, FileReport, GrantStatus, GrantSummary, NewVault, NodeOptions,
    NodeStatus, OnRequest, PinnerState, ProvenEntry, ReaderTicket, Receipt, RecordDetail,
    RecordFilter, RecordSummary, Refusal, RestoreReport, RevokeLevel, SenderSummary, SenderSync,
    Setting, SharePreview, ShareRequest, ShareResult, ShareScope, SyncReport, Unlock, VaultInfo,
    VersionSummary, Withheld,
};
pub use vault::{
    AddWork, DepositWork, FileWork, RecordWriter, RestoreWork, RevokeWork, Vault, check_proof,
    check_recovery_words, create_vault, has_vault, inspect_card, join_qr_parts, open_vault,
    qr_parts, recover_vault,
};
pub use work::Progress;

uniffi::setup_scaffolding!();

/// The version of this library, such as `0.1.0`.
#[uniffi::export]
pub fn library_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
