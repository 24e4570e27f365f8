//! MedVault over HTTP: services that anyone can run or rent, none of them trusted.
//!
//! Everything here blocks, and contacts nobody but the addresses it is given. What comes back is
//! checked by its hash or its signature before it is used.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod client;
pub mod gateway;
mod kubo;
pub mod pinning;
pub mod routing;

pub use kubo::{KuboError, KuboNode, KuboStore};
