//! A small bitswap over our own block store.
//!
//! Source: the Bitswap protocol specification, version 1.2.0 (specs.ipfs.tech/bitswap-protocol).
//! [`wire`], [`message`], [`server`] and [`client`] decide and do no I/O; [`engine`] reads what
//! comes in on streams of the IPFS node, [`responder`] answers wants and [`fetch`] drives a session.

pub(crate) mod client;
pub(crate) mod engine;
pub(crate) mod fetch;
pub(crate) mod message;
pub(crate) mod responder;
pub(crate) mod server;
pub(crate) mod wire;
