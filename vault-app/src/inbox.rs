//! What others share: the newest of it, and agreements.

use vault_core::{Advance, Device, Following, GrantId, GrantView, Inbox};

use crate::error::{Error, Exit, Result};
use crate::time;

/// What came of asking for the newest of what somebody shares.
#[derive(Debug)]
pub struct Synced {
    /// Number of the head that was known before; 0 for none.
    pub before: u64,
    /// How the memory moved.
    pub advance: Advance,
    /// The grants under the head that is known now.
    pub views: Vec<GrantView>,
}

/// Whether an agreement waits for this reader's signature.
pub fn has_offer(following: &Following) -> bool {
    !offered(following).is_empty()
}

/// The grants whose agreements wait for it.
pub fn offered(following: &Following) -> Vec<GrantId> {
    let agreements = following.agreements().into_iter();
    let waiting = agreements.filter(|held| held.accepted.is_none());
    waiting.map(|held| held.grant).collect()
}

/// Signs the agreement of `grant`, and remembers that before anybody else hears of it. Returns
/// the message for the patient's node. Repeating is harmless.
///
/// # Errors
/// `grant-ended`, `no-agreement`; what the home refuses.
pub fn countersign(
    device: &Device,
    inbox: &mut Inbox,
    following: &mut Following,
    grant: &GrantId,
) -> Result<Vec<u8>> {
    let agreements = following.agreements();
    let held = agreements.iter().find(|held| held.grant == *grant);
    if held.is_some_and(|held| held.terms.has_expired(time::now())) {
        return Err(
            Error::new(Exit::Terms, "grant-ended", "the agreement has ended")
                .hint("ask the patient to share again"),
        );
    }
    let message = following.countersign(grant, device, time::now())?;
    inbox.remember(following)?;
    Ok(message)
}

#[cfg(feature = "network")]
pub use asked::{accept_agreement, sync_one, tell_acceptance};

#[cfg(feature = "network")]
mod asked {
    use std::sync::Arc;

    use vault_core::{
        AccessReply, AskError, Cid, FollowError, Following, GrantId, Home, Inbox, Location,
    };

    use super::{Synced, countersign, has_offer};
    use crate::error::{Error, Result};
    use crate::network::{Network, prefetch};

    /// Fetches one sender's newest head and reads what it gives. `contents`: fetches the contents
    /// too, so that they can be read offline.
    ///
    /// # Errors
    /// When no place has a head, or none that may be believed; what the home refuses.
    pub fn sync_one(
        network: &Arc<Network>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
        contents: bool,
    ) -> Result<Synced> {
        let before = following.seq();
        let newest = network.newest(home, inbox, following)?;
        let (advance, source) = (newest.advance, newest.source);
        let views = match newest.views {
            // what was offered and not accepted shows nothing yet
            Err(FollowError::NothingShared) if has_offer(following) => Vec::new(),
            views => views?,
        };
        if contents {
            let records = Following::records(&views);
            let cids: Vec<Cid> = records
                .iter()
                .filter_map(|entry| match &entry.location {
                    Location::Packed { block, .. } => Some(Cid::raw(*block)),
                    Location::Long { .. } => None,
                })
                .collect();
            prefetch(&*source, &cids)?;
            for entry in records
                .iter()
                .filter(|e| e.opens() && matches!(e.location, Location::Long { .. }))
            {
                following
                    .open_record(entry, source.clone())?
                    .copy_to(&mut std::io::sink())?;
            }
        }
        Ok(Synced {
            before,
            advance,
            views,
        })
    }

    /// Tells the patient's node what [`countersign`] signed; from then on the agreement is in force.
    ///
    /// # Errors
    /// When the node cannot be reached or refuses. What was signed is kept.
    pub fn tell_acceptance(network: &Network, following: &Following, message: &[u8]) -> Result<()> {
        let sent = network.tell(following.node(), message);
        let answer = sent.map_err(|unanswered| {
            Error::from(unanswered).hint(
                "what you signed is kept: run this again when the patient runs `medvault serve`, or \
                 send them the file that --out FILE writes",
            )
        })?;
        match AccessReply::from_bytes(&answer) {
            Ok(AccessReply::Noted {}) => Ok(()),
            Ok(AccessReply::Refused(code)) => Err(code.into()),
            _ => Err(AskError::Malformed.into()),
        }
    }

    /// Agrees to what was offered under `grant`: signs the terms, remembers it, tells the patient's
    /// node, and fetches what can be read now. Repeating is harmless.
    ///
    /// # Errors
    /// As [`countersign`], [`tell_acceptance`] and [`sync_one`].
    pub fn accept_agreement(
        network: &Arc<Network>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
        grant: &GrantId,
    ) -> Result<Synced> {
        let message = countersign(network.device(), inbox, following, grant)?;
        tell_acceptance(network, following, &message)?;
        sync_one(network, home, inbox, following, false)
    }
}
