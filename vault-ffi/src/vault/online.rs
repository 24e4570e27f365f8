//! What needs the network.

mod node;

use std::sync::Arc;

use vault_app::agents::close_agents;
use vault_app::{Error, Exit, Network, Next, Pinning, Places, Result, SharedRecords, Synced};
use vault_core::pinning::PinService;
use vault_core::{
    Following, GrantId, HeldTerms, IndexEntry, OpenRecord, PinnerAck, PublicKey, Purpose, Receipt,
    RecordId, RekeyProgress, RevokeTarget, VaultError,
};

use super::deposits::Made;
use super::following::offers;
use super::session::Session;
use crate::platform::NetworkUse;
use crate::types::{self, AgentSummary, SenderSync};
use crate::work::Control;

pub(super) use node::{Running, start_node};
pub(super) use vault_app::Calls;

impl Session {
    /// A network for one call. Nothing is contacted before somebody must be asked. Locking ends it.
    fn network(&self) -> Result<Arc<Network>> {
        let places = self.app.places(Vec::new(), Vec::new())?;
        let network = self.app.network(&self.device, places);
        self.calls.add(&network);
        Ok(network)
    }

    /// The same; where the app does not allow that much of the network, one that asks nobody: what is
    /// here can be read all the same.
    fn network_for(&self, wanted: NetworkUse) -> Result<Arc<Network>> {
        if self.may_use(wanted).is_ok() {
            return self.network();
        }
        let nowhere = Places::at(Vec::new(), Vec::new())?;
        let network = self.app.network(&self.device, nowhere);
        network.hang_up();
        Ok(network)
    }

    /// What is to be said of an error of a network that asked nobody: that the app did not allow it.
    fn explain(&self, wanted: NetworkUse, error: Error) -> Error {
        match (error.exit, self.may_use(wanted)) {
            (Exit::Network, Err(refused)) => refused,
            _ => error,
        }
    }

    /// Tells agents to give no more before a grant is taken back, so that the receipt knows. Where the
    /// network may not be used they hear of it from the next head.
    pub(super) fn close_agents(&self, vault: &mut vault_core::Vault, target: &RevokeTarget) {
        let RevokeTarget::Grant(grant) = target else {
            return;
        };
        if self.may_use(NetworkUse::SmallOnly).is_ok() {
            // who cannot be asked is named in the receipt as one that has not confirmed
            if let Err(error) = close_agents(self.app.warner(), vault, &[*grant]) {
                self.app.warn(error.message);
            }
        }
    }

    /// Seals again, and moves pinning services off the old blocks where the network may be used.
    pub(super) fn rekey(
        &self,
        vault: &mut vault_core::Vault,
        grants: &[GrantId],
        each: &mut dyn FnMut(&GrantId, &RekeyProgress) -> Next,
    ) -> Result<Vec<Receipt>> {
        let mut pinning = Pinning::open(self.app.home(), vault)?;
        let warn = self.app.warner();
        match self.may_use(NetworkUse::SmallOnly) {
            Ok(()) => vault_app::rekey(vault, &mut pinning, warn, grants, each),
            // nobody is asked: the receipt says that no service has confirmed
            Err(_) => vault_app::rekey_with(vault, grants, each, &mut || {
                let services = pinning.services.list().iter();
                let unasked = |service: &PinService| PinnerAck {
                    name: service.name.to_string(),
                    deleted: 0,
                    acknowledged: false,
                };
                services.map(unasked).collect()
            }),
        }
    }
}

/// Fetches from every agent what it did.
pub(super) fn sync_agents(
    session: &Session,
    vault: &mut vault_core::Vault,
) -> Result<Vec<AgentSummary>> {
    session.may_use(NetworkUse::SmallOnly)?;
    let heard = vault_app::agents::sync(vault, None)?;
    let reached = heard.iter().filter(|one| one.error.is_none());
    Ok(reached
        .map(|one| AgentSummary::new(&one.grant, &one.agent))
        .collect())
}

/// Tells one agent to give no more, where the network may be used.
pub(super) fn close_agent(
    session: &Session,
    vault: &mut vault_core::Vault,
    grant: &GrantId,
    owner: &PublicKey,
) {
    if session.may_use(NetworkUse::SmallOnly).is_ok() {
        let warn = session.app.warner();
        let closed = vault_app::agents::close(warn, vault, &|info, agent| {
            info.id == *grant && agent.owner == *owner
        });
        if let Err(error) = closed {
            session.app.warn(error.message);
        }
    }
}

/// Fetches the newest of what a sender shares.
pub(super) fn sync_sender(session: &Session, name: &str, contents: bool) -> Result<SenderSync> {
    session.may_use(match contents {
        true => NetworkUse::Everything,
        false => NetworkUse::SmallOnly,
    })?;
    let mut inbox = session.inbox()?;
    let mut following = inbox.find(name)?.clone();
    let network = session.network()?;
    let home = session.app.home();
    let synced = vault_app::sync_one(&network, home, &mut inbox, &mut following, contents);
    network.close();
    Ok(shown(&following, &synced?))
}

fn shown(following: &Following, synced: &Synced) -> SenderSync {
    SenderSync {
        name: following.name().to_owned(),
        head_before: synced.before,
        head: following.seq(),
        records: Following::records(&synced.views).len() as u32,
        offers: offers(following),
    }
}

/// What a sender shares, as it was fetched last.
fn shared(session: &Session, sender: &str, wanted: NetworkUse) -> Result<SharedRecords> {
    let inbox = session.inbox()?;
    let following = inbox.find(sender)?;
    let network = session.network_for(wanted)?;
    let opened = SharedRecords::open(session.app.home(), &network, following);
    opened.map_err(|error| session.explain(wanted, error))
}

/// The records that a sender shares.
pub(super) fn shared_records(session: &Session, sender: &str) -> Result<Vec<IndexEntry>> {
    Ok(shared(session, sender, NetworkUse::SmallOnly)?.records())
}

/// Opens a shared record, and asks for its key where that is needed. `read` gets what it wants of it
/// while the connection is there.
pub(super) fn open_shared<T>(
    session: &Session,
    sender: &str,
    record: &RecordId,
    purpose: Option<&str>,
    read: impl FnOnce(&OpenRecord) -> Result<T>,
) -> Result<T> {
    let purpose: Option<Purpose> = types::optional(purpose, "purpose")?;
    // contents are fetched, and a key that is asked for in vain is an open all the same
    let wanted = NetworkUse::Everything;
    let mut shared = shared(session, sender, wanted)?;
    let newest = shared.versions(record)?.pop();
    let entry = newest.ok_or(VaultError::NoRecord(*record))?;
    if !entry.opens() {
        session.may_use(wanted)?;
    }
    shared.unlock(std::slice::from_ref(&entry), purpose.as_ref())?;
    let opened = shared.open_record(&entry);
    opened
        .and_then(|opened| read(&opened))
        .map_err(|error| session.explain(wanted, error))
}

/// Signs an agreement and tells the patient's node.
pub(super) fn accept_agreement(
    session: &Session,
    mut following: Following,
    held: &HeldTerms,
) -> Result<()> {
    session.may_use(NetworkUse::SmallOnly)?;
    let mut inbox = session.inbox()?;
    let network = session.network()?;
    let home = session.app.home();
    let done = vault_app::accept_agreement(&network, home, &mut inbox, &mut following, &held.grant);
    network.close();
    done.map(drop)
}

/// Sends a deposit to the patient's node. Returns when it was confirmed.
pub(super) fn deliver(session: &Session, made: &Made<'_>, control: &Arc<Control>) -> Result<u64> {
    session.may_use(NetworkUse::Everything)?;
    let Some(address) = &made.to.node else {
        let what = format!("where the node of {} is, is not known", made.to.name);
        return Err(Error::new(Exit::Usage, "no-address", what));
    };
    let total = made.outgoing.bytes;
    let mut progress = |done: u64| {
        control.report(done, total);
        match control.is_cancelled() {
            true => Err(std::io::Error::other("cancelled")),
            false => Ok(()),
        }
    };
    let receipt = vault_app::deliver_over_iroh(
        &session.device,
        address,
        made.outgoing,
        made.store,
        session.app.home().root(),
        &mut progress,
    );
    match receipt {
        Ok(receipt) => Ok(receipt.time),
        Err(error) => Err(control.check().err().unwrap_or(error)),
    }
}
