//! A small bitswap over our own block store.
//!
//! Source: the Bitswap protocol specification, version 1.2.0 (specs.ipfs.tech/bitswap-protocol).
//! [`wire`], [`message`], [`server`] and [`client`] decide and do no I/O; [`behaviour`] lends
//! streams of the IPFS node, [`engine`] reads what comes in, [`responder`] answers wants and
//! [`fetch`] drives a session.

pub(crate) mod behaviour;
pub(crate) mod client;
pub(crate) mod engine;
pub(crate) mod fetch;
pub(crate) mod message;
pub(crate) mod responder;
pub(crate) mod server;
pub(crate) mod wire;
