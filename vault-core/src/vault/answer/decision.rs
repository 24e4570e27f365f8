//! From what the vault knows to what the decision needs to know.

use std::collections::HashSet;

use super::Charge;
use crate::access::{
    Acceptance, AccessDecision, AccessRequest, AccessState, DenyReason, Standing, decide,
};
use crate::block::Digest;
use crate::grant::Terms;
use crate::ids::{ContactId, VersionId};
use crate::keys::PublicKey;
use crate::vault::VaultError;
use crate::vault::state::{AgentRecord, GrantRecord, GrantStatus};
use crate::vault::transaction::Transaction;

/// The versions in the index of a grant, valid for these pages.
pub(in crate::vault) struct Listing {
    pages: Vec<Digest>,
    versions: HashSet<VersionId>,
}

impl Transaction<'_> {
    pub(super) fn decide_own(
        &mut self,
        request: &AccessRequest,
        again: Option<u64>,
    ) -> Result<AccessDecision, VaultError> {
        let found = self
            .grants()?
            .into_iter()
            .find(|g| g.id == *request.grant());
        let Some(grant) = found else {
            return Ok(AccessDecision::Deny(DenyReason::NotAReader));
        };
        let Some(on_request) = &grant.on_request else {
            return Ok(AccessDecision::Deny(DenyReason::NotInForce));
        };
        let contact = self.contact_of(request.reader())?.map(|contact| contact.id);
        let standing = standing(
            &grant,
            request.reader(),
            |owner| owner.is_some_and(|owner| on_request.offered.contains(&owner)),
            contact,
        );
        let terms = Terms::from_bytes(&grant.terms, self.vault.device.signers())?;
        let aside: u64 = on_request.agents.iter().map(AgentRecord::counted).sum();
        let today = self.vault.recent.opens(None, &grant.id, self.now);
        let state = AccessState {
            standing,
            opens: on_request.counted(),
            opens_today: today.saturating_add(aside),
            allowance: None,
        };
        let same = Digest::of(&grant.terms) == *request.terms();
        let now = self.now;
        let listing = self.listing(&grant)?;
        let listed = |version: &VersionId| listing.versions.contains(version);
        Ok(judge(&terms, request, same, (now, again), state, &listed))
    }

    pub(super) fn decide_for(
        &mut self,
        charge: &Charge,
        request: &AccessRequest,
        again: Option<u64>,
    ) -> Result<AccessDecision, VaultError> {
        let record = self.charge_record(&charge.vault, &charge.grant)?;
        let closed = record
            .closed
            .is_some_and(|closed| charge.certificate.time <= closed);
        let by = |acceptance: &&Acceptance| acceptance.reader() == request.reader();
        let accepted = charge.acceptances.iter().find(by);
        let standing = match accepted {
            _ if closed => Standing::Withdrawn,
            _ if !charge.certificate.holds(self.now) => Standing::Withdrawn,
            _ if charge.valid_until < self.now => Standing::Withdrawn,
            Some(acceptance) if *acceptance.terms() == charge.terms_digest => Standing::InForce,
            Some(_) => Standing::Offered,
            None => Standing::NotAReader,
        };
        let state = AccessState {
            standing,
            opens: record.opens,
            opens_today: (self.vault.recent).opens(Some(&charge.vault), &charge.grant, self.now),
            allowance: (charge.certificate.opens).map(|all| all.saturating_sub(record.opens)),
        };
        let same = charge.terms_digest == *request.terms()
            && charge.certificate.terms == charge.terms_digest;
        let listed = |version: &VersionId| charge.entries.contains_key(version);
        let times = (self.now, again);
        Ok(judge(&charge.terms, request, same, times, state, &listed))
    }

    /// The versions in a grant's index.
    pub(super) fn listing(&mut self, grant: &GrantRecord) -> Result<&Listing, VaultError> {
        let pages: Vec<Digest> = grant.pages.iter().map(|page| page.block).collect();
        let fresh = self
            .vault
            .listings
            .get(&grant.id)
            .is_some_and(|known| known.pages == pages);
        if !fresh {
            let items = self.grant_pages(grant)?.items();
            let versions = items.map(|entry| entry.version).collect();
            self.vault
                .listings
                .insert(grant.id, Listing { pages, versions });
        }
        self.vault
            .listings
            .get(&grant.id)
            .ok_or(VaultError::Conflict)
    }
}

/// Decides at `now`. About a message that got its keys before, at `again`, it is only asked whether
/// they may still leave: its opens were counted and the clocks compared then.
fn judge(
    terms: &Terms,
    request: &AccessRequest,
    same_terms: bool,
    (now, again): (u64, Option<u64>),
    state: AccessState,
    listed: &dyn Fn(&VersionId) -> bool,
) -> AccessDecision {
    let Some(then) = again else {
        return decide(terms, request, same_terms, now, &state, listed);
    };
    if state.standing == Standing::InForce && terms.has_expired(now) {
        return AccessDecision::Deny(DenyReason::Expired);
    }
    let state = AccessState {
        opens: 0,
        opens_today: 0,
        allowance: None,
        ..state
    };
    decide(terms, request, same_terms, then, &state, listed)
}

/// How a grant stands for a reader.
fn standing(
    grant: &GrantRecord,
    reader: &PublicKey,
    offered: impl Fn(Option<ContactId>) -> bool,
    contact: Option<ContactId>,
) -> Standing {
    let former = grant.former.iter().any(|(owner, _)| owner == reader);
    match grant.status {
        GrantStatus::Active if grant.members.iter().any(|m| m.owner == *reader) => {
            Standing::InForce
        }
        GrantStatus::Active if offered(contact) => Standing::Offered,
        GrantStatus::Expired if former => Standing::Ended,
        _ if former => Standing::Withdrawn,
        _ => Standing::NotAReader,
    }
}
