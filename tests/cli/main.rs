//! The `medvault` command, run as a person or a script runs it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod audit;
mod backup;
mod bad_input;
mod deposits;
mod hostile;
mod imports;
mod on_request;
mod proofs;
mod records;
mod second_reader;
mod sharing;
mod texts;
#[path = "../peers/tools.rs"]
mod tools;
mod truth;
mod vaults;
mod world;
