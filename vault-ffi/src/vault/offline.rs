//! Stand-ins for what needs the network, in a build without it.

use std::sync::Arc;

use vault_app::{Next, Result};
use vault_core::{
    Following, GrantId, HeldTerms, IndexEntry, OpenRecord, Receipt, RecordId, RekeyProgress,
    RevokeTarget,
};

use super::deposits::Made;
use super::session::Session;
use crate::error::not_built;
use crate::types::{AgentSummary, NodeOptions, NodeStatus, SenderSync};
use crate::work::Control;

impl Session {
    pub(super) fn close_agents(&self, _: &mut vault_core::Vault, _: &RevokeTarget) {}

    pub(super) fn rekey(
        &self,
        vault: &mut vault_core::Vault,
        grants: &[GrantId],
        each: &mut dyn FnMut(&GrantId, &RekeyProgress) -> Next,
    ) -> Result<Vec<Receipt>> {
        vault_app::rekey_with(vault, grants, each, &mut Vec::new)
    }
}

pub(super) fn sync_agents(_: &Session, _: &mut vault_core::Vault) -> Result<Vec<AgentSummary>> {
    Err(not_built("network"))
}

pub(super) fn close_agent(
    _: &Session,
    _: &mut vault_core::Vault,
    _: &GrantId,
    _: &vault_core::PublicKey,
) {
}

pub(super) fn sync_sender(_: &Session, _: &str, _: bool) -> Result<SenderSync> {
    Err(not_built("network"))
}

pub(super) fn shared_records(_: &Session, _: &str) -> Result<Vec<IndexEntry>> {
    Err(not_built("network"))
}

pub(super) fn open_shared<T>(
    _: &Session,
    _: &str,
    _: &RecordId,
    _: Option<&str>,
    _: impl FnOnce(&OpenRecord) -> Result<T>,
) -> Result<T> {
    Err(not_built("network"))
}

pub(super) fn accept_agreement(_: &Session, _: Following, _: &HeldTerms) -> Result<()> {
    Err(not_built("network"))
}

pub(super) fn deliver(_: &Session, _: &Made<'_>, _: &Arc<Control>) -> Result<u64> {
    Err(not_built("network"))
}

/// Networks that there are none of.
#[derive(Default)]
pub(super) struct Calls(());

impl Calls {
    pub(super) fn hang_up(&self) {}
}

/// A node that never runs.
#[derive(Default)]
pub(super) struct Running(());

impl Running {
    pub(super) fn stop(&self) {}

    pub(super) fn end(&self) {}

    pub(super) fn stop_soon(&self) {}

    pub(super) fn status(&self) -> Option<NodeStatus> {
        None
    }
}

pub(super) fn start_node(_: &Arc<Session>, _: &NodeOptions) -> Result<NodeStatus> {
    Err(not_built("network"))
}
