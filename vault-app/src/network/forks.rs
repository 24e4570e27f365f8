//! Keeping what could prove a fork later.

use vault_core::{
    BlockSource, BlockStore as _, Cid, Finding, FollowError, Following, Home, Offer, Verdict,
};

use super::Network;
use crate::error::Result;

/// The offers that were refused because they contradict, or are older than, what was seen.
pub(super) fn contradicting(offers: &[Offer], finding: &Finding) -> Vec<Vec<u8>> {
    let mut heads = Vec::new();
    for (offer, answer) in offers.iter().zip(&finding.answers) {
        let contradicts = matches!(
            answer.verdict,
            Verdict::Refused(FollowError::Forked(_) | FollowError::Older { .. })
        );
        if contradicts && !heads.contains(&offer.bytes) {
            heads.push(offer.bytes.clone());
        }
    }
    heads
}

impl Network {
    /// Keeps the hashes of all entries of the log under the head that was just taken, and lets go
    /// of those that it replaced.
    pub(super) fn keep_log(
        &self,
        home: &Home,
        following: &Following,
        source: &dyn BlockSource,
        before: &[Cid],
    ) -> Result<()> {
        if let Err(error) = following.keep_log(source) {
            self.warn(format!(
                "{}: the hashes of the audit log could not all be had, so a fork could not be \
                 proven later: {error}",
                following.name()
            ));
            return Ok(());
        }
        let now = following.log_blocks();
        let old: Vec<Cid> = before
            .iter()
            .copied()
            .filter(|cid| !now.contains(cid))
            .collect();
        if !old.is_empty() {
            home.cache()?.remove(&old)?;
        }
        Ok(())
    }
}
