//! What only the app can do: keep a secret in the phone's key store, say which network may be used,
//! take log lines, show progress. Stand-ins for tests and examples are beside them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The phone's key store: Keychain, Android Keystore, or the like.
///
/// It seals one small secret: 32 random bytes that open the identity file. The vault's own keys never
/// cross the boundary. Both calls are made on a thread of the library and may wait for the person,
/// for a fingerprint for example.
#[uniffi::export(with_foreign)]
pub trait KeyStore: Send + Sync {
    /// Seals a secret so that only this app on this phone opens it. What is returned is kept in the
    /// vault's folder, at most 64 KiB.
    fn seal(&self, secret: Vec<u8>) -> Result<Vec<u8>, KeyStoreError>;

    /// Opens what [`KeyStore::seal`] returned.
    fn unseal(&self, sealed: Vec<u8>) -> Result<Vec<u8>, KeyStoreError>;
}

/// Why a key store did not seal or unseal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum KeyStoreError {
    /// There is none, or its key is gone, after the fingerprints changed for example.
    #[error("the key store is not available: {reason}")]
    Unavailable {
        /// One line for people.
        reason: String,
    },
    /// The person did not agree, or the system refused.
    #[error("the key store refused: {reason}")]
    Refused {
        /// One line for people.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyStoreError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // what the app threw may hold anything, also secrets
        Self::Unavailable {
            reason: "it failed in a way that it does not declare".to_owned(),
        }
    }
}

/// A callback of the app failed: it threw something. What that was is not looked at, for it may hold
/// anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum CallbackError {
    /// It failed.
    #[error("the app's own code failed")]
    Failed,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed
    }
}

/// How much of the network may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, uniffi::Enum)]
pub enum NetworkUse {
    /// None of it.
    Nothing,
    /// A few kilobytes: heads, lists, agreements. No contents and no keys for them, no deposits, no node.
    SmallOnly,
    /// All of it.
    Everything,
}

/// Says whether the network may be used, for an app that works offline or on Wi-Fi only.
#[uniffi::export(with_foreign)]
pub trait NetworkPolicy: Send + Sync {
    /// Asked before each use of the network, and every five seconds while the node runs, which is stopped
    /// when not everything is allowed any more. One that fails allows nothing.
    fn allowed(&self) -> Result<NetworkUse, CallbackError>;
}

/// Takes log lines. They hold codes and numbers: no names, no titles, no keys.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// One line. Called on threads of the library, in order for each of them. That it fails changes
    /// nothing.
    fn write(&self, line: LogLine) -> Result<(), CallbackError>;
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed that needs somebody.
    Error,
    /// Something failed and is tried again, or should be looked at.
    Warn,
    /// What happened.
    Info,
    /// Everything.
    Debug,
}

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogLine {
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened, for programs.
    pub event: String,
    /// The same with what belongs to it, for people.
    pub text: String,
}

/// Hears how far a long work has come.
#[uniffi::export(with_foreign)]
pub trait ProgressListener: Send + Sync {
    /// `done` of `total`, in bytes or records; `total` is 0 where it is not known. Called on a thread
    /// of the library, at most about ten times a second. That it fails changes nothing.
    fn progress(&self, done: u64, total: u64) -> Result<(), CallbackError>;
}

/// What the app provides. Everything may be left away.
#[derive(Clone, Default, uniffi::Record)]
pub struct Platform {
    /// The phone's key store.
    #[uniffi(default = None)]
    pub key_store: Option<Arc<dyn KeyStore>>,
    /// Takes log lines.
    #[uniffi(default = None)]
    pub log: Option<Arc<dyn LogSink>>,
    /// Says whether the network may be used. Without one it may.
    #[uniffi(default = None)]
    pub network: Option<Arc<dyn NetworkPolicy>>,
}

/// A key store in memory, for tests and examples: what it sealed is lost with it.
#[derive(Default)]
struct MemoryKeyStore {
    kept: Mutex<HashMap<Vec<u8>, zeroize::Zeroizing<Vec<u8>>>>,
}

impl KeyStore for MemoryKeyStore {
    fn seal(&self, secret: Vec<u8>) -> Result<Vec<u8>, KeyStoreError> {
        let mut name = vec![0; 16];
        getrandom::fill(&mut name).map_err(|error| KeyStoreError::Unavailable {
            reason: error.to_string(),
        })?;
        lock(&self.kept).insert(name.clone(), secret.into());
        Ok(name)
    }

    fn unseal(&self, sealed: Vec<u8>) -> Result<Vec<u8>, KeyStoreError> {
        let kept = lock(&self.kept);
        let secret = kept.get(&sealed).map(|secret| secret.to_vec());
        secret.ok_or_else(|| KeyStoreError::Unavailable {
            reason: "this was sealed elsewhere".to_owned(),
        })
    }
}

/// A key store in memory, for tests and examples: what it sealed is lost with it.
#[uniffi::export]
pub fn memory_key_store() -> Arc<dyn KeyStore> {
    Arc::new(MemoryKeyStore::default())
}

struct FixedNetwork(NetworkUse);

impl NetworkPolicy for FixedNetwork {
    fn allowed(&self) -> Result<NetworkUse, CallbackError> {
        Ok(self.0)
    }
}

/// A policy that always says the same.
#[uniffi::export]
pub fn fixed_network(allowed: NetworkUse) -> Arc<dyn NetworkPolicy> {
    Arc::new(FixedNetwork(allowed))
}

/// Log lines kept in memory, for tests and examples.
#[derive(Default, uniffi::Object)]
pub struct MemoryLog {
    lines: Arc<Lines>,
}

/// Most lines that are kept; older ones are dropped.
const MOST_LINES: usize = 10_000;

#[derive(Default)]
struct Lines(Mutex<std::collections::VecDeque<LogLine>>);

impl LogSink for Lines {
    fn write(&self, line: LogLine) -> Result<(), CallbackError> {
        let mut lines = lock(&self.0);
        if lines.len() == MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        Ok(())
    }
}

#[uniffi::export]
impl MemoryLog {
    /// An empty one.
    #[uniffi::constructor]
    pub fn new() -> Self {
        Self::default()
    }

    /// What goes into [`Platform::log`].
    pub fn sink(&self) -> Arc<dyn LogSink> {
        self.lines.clone()
    }

    /// What was written so far, the newest 10,000 lines.
    pub fn lines(&self) -> Vec<LogLine> {
        lock(&self.lines.0).iter().cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_store_in_memory_opens_what_it_sealed_and_nothing_else() {
        let (one, other) = (memory_key_store(), memory_key_store());
        let sealed = one.seal(b"secret".to_vec()).unwrap();
        assert_ne!(sealed, b"secret");
        assert_eq!(one.unseal(sealed.clone()).unwrap(), b"secret");
        assert!(other.unseal(sealed).is_err());
    }

    #[test]
    fn a_log_in_memory_keeps_the_newest() {
        let log = MemoryLog::new();
        let sink = log.sink();
        for time in 0..=MOST_LINES as u64 {
            sink.write(LogLine {
                time,
                level: LogLevel::Info,
                event: "serving".into(),
                text: String::new(),
            })
            .unwrap();
        }
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].time), (MOST_LINES, 1));
    }
}
