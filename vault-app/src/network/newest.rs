//! The newest head of a followed vault, with what it gives.

use std::sync::Arc;

use vault_core::{Advance, CachedSource, FollowError, Following, GrantView, Home, Inbox};

use super::Network;
use crate::error::Result;
use crate::time;

/// How often a head that was replaced while its pages were read is asked for anew.
pub(crate) const RETRIES: usize = 5;

/// What a followed vault gives under its newest head.
pub(crate) struct Newest {
    /// How the memory moved.
    pub advance: Advance,
    /// Where its blocks are had.
    pub source: Arc<CachedSource>,
    /// The grants.
    pub views: Result<Vec<GrantView>, FollowError>,
}

impl Network {
    /// Takes the newest head and reads the grants under it. Every change of a vault, and so every
    /// key given out, replaces the head and deletes blocks of the one before: what goes missing
    /// meanwhile is asked for again under the next head.
    pub(crate) fn newest(
        self: &Arc<Self>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
    ) -> Result<Newest> {
        let (before, mut left) = (following.seq(), RETRIES);
        loop {
            left = left.saturating_sub(1);
            let again = left > 0;
            let moved = match self.sync(home, inbox, following) {
                Err(error) if error.code == "block-missing" && again => continue,
                moved => moved?,
            };
            let source = self.source(home, following)?;
            let views = following.grants(self.device(), &*source, time::now());
            match views {
                Err(error) if error.is_missing_block() && again => {}
                views => {
                    let to = following.seq();
                    let advance = match moved {
                        Advance::Unchanged if to == before => Advance::Unchanged,
                        _ => Advance::Advanced { from: before, to },
                    };
                    return Ok(Newest {
                        advance,
                        source,
                        views,
                    });
                }
            }
        }
    }
}
