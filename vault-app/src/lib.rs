//! What an application does with a home: settings, places for blocks, what others share, deposits,
//! pinning, the node that serves. No terminal and no command line: whoever uses this asks the
//! questions and says what came of it. The command `medvault` and the bindings for phones are made
//! from it.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

#[cfg(feature = "formats")]
pub mod adding;
mod agent;
mod app;
pub mod car;
pub mod config;
mod deposit;
mod error;
mod evidence;
#[cfg(feature = "formats")]
pub mod export;
pub mod files;
mod filter;
mod grant_file;
mod ids;
mod inbox;
#[cfg(feature = "formats")]
mod intake;
mod key_store;
pub mod log;
#[cfg(feature = "network")]
mod network;
mod node_address;
#[cfg(feature = "network")]
pub mod pinning;
mod place;
#[cfg(feature = "network")]
mod publish;
mod receipt;
mod refusal;
mod restoring;
mod revoke;
mod running_node;
#[cfg(feature = "network")]
pub mod serve;
mod settings;
mod setup;
#[cfg(feature = "network")]
mod shared;
#[cfg(feature = "formats")]
pub mod statement;
pub mod time;
mod verified;
pub mod words;

pub use agent::{add_agent, agent_request, own_agent_address};
pub use app::{App, Options, Warn};
pub use car::{car_error, copy_blocks_from, write_archive};
pub use config::Config;
#[cfg(feature = "formats")]
pub use deposit::DepositShelf;
#[cfg(feature = "network")]
pub use deposit::deliver_over_iroh;
pub use deposit::{
    Recipient, WaitingRoom, add_deposit_file, offer_deposit, write_deposit, write_deposit_file,
};
pub use error::{Error, Exit, Result};
pub use files::{write_bytes, write_new};
pub use filter::RecordFilter;
pub use grant_file::{Senders, take_grant_file};
pub use ids::Ids;
pub use inbox::{Synced, countersign, has_offer, offered};
#[cfg(feature = "network")]
pub use inbox::{accept_agreement, sync_one, tell_acceptance};
#[cfg(feature = "formats")]
pub use intake::Intake;
pub use key_store::{
    KeyStore, KeyStoreRefusal, change_passphrase, forget, remember, seal_with_key_store,
    seal_with_passphrase, unlock_with_key_store,
};
pub use log::Log;
#[cfg(feature = "network")]
pub use network::agents::close_agents;
#[cfg(feature = "network")]
pub use network::{
    Calls, GivenHead, Network, PeersFetch, Places, agents, copy_vault, publish_name,
};
pub use node_address::{last_node_address, node_address};
#[cfg(feature = "network")]
pub use pinning::Pinning;
pub use place::Place;
#[cfg(feature = "network")]
pub use publish::Standing;
pub use receipt::{person, receipt_words};
pub use refusal::refusal;
pub use restoring::restore_error;
#[cfg(feature = "network")]
pub use revoke::rekey;
pub use revoke::{Next, rekey_with};
pub use running_node::ask_running_node;
#[cfg(feature = "network")]
pub use serve::{ServeOptions, Serving};
pub use settings::{change_setting, settings};
pub use setup::{
    SealIdentity, create_home, recover_home, refuse_existing_home, unlock_with_identity,
    unlock_with_passphrase,
};
#[cfg(feature = "network")]
pub use shared::{Opening, SharedRecords};
pub use time::{now, today};
#[cfg(feature = "network")]
pub use vault_node::peer_id;
pub use verified::{refuse_unverified, unverified};
