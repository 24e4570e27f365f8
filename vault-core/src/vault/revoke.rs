//! Withdrawing access: R1 at once, and what R2 has to do noted down.

use sha2::{Digest as _, Sha256};

use super::receipt::{Receipt, ReceiptDraft};
use super::state::{GrantRecord, GrantStatus, Member, PendingRekey};
use super::transaction::Transaction;
use super::{Vault, VaultError};
use crate::audit::{Act, RevokeLevel};
use crate::block::Digest;
use crate::grant::Terms;
use crate::ids::{ContactId, GrantId};
use crate::keys::{PublicKey, SecretKey};

/// With this many bytes of receipts in a grant, further ones do not list versions: the log has them.
const MAX_KEPT: usize = 64 * 1024;

/// What is to be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeTarget {
    /// A grant, for all its readers.
    Grant(GrantId),
    /// Every grant of one contact; other readers of the same grants keep theirs.
    Contact(String),
}

/// What a revocation did to one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The grant.
    pub grant: GrantId,
    /// Owner keys of the readers that were shut out.
    pub readers: Vec<PublicKey>,
    /// The receipt, when nothing is left to do.
    pub receipt: Option<Receipt>,
}

impl Vault {
    /// Withdraws access at once (R1): from this head on, the readers get no record, version or
    /// key. The cost does not depend on the number of records. With [`RevokeLevel::Rekey`] the
    /// records they could read are noted for [`Vault::rekey`], which ends with the receipt.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::GrantEnded`], [`VaultError::NoContact`].
    pub fn revoke(
        &mut self,
        target: &RevokeTarget,
        level: RevokeLevel,
    ) -> Result<Vec<Revocation>, VaultError> {
        self.transact(|tx| {
            let grants = tx.grants()?;
            match target {
                RevokeTarget::Grant(id) => {
                    let grant = grants
                        .into_iter()
                        .find(|g| g.id == *id)
                        .ok_or(VaultError::NoGrant(*id))?;
                    let upgrade = level == RevokeLevel::Rekey
                        && grant.pending.is_none()
                        && !grant.pages.is_empty();
                    if grant.status != GrantStatus::Active && !upgrade {
                        return Err(VaultError::GrantEnded(*id));
                    }
                    Ok(vec![tx.revoke_all(&grant, level)?])
                }
                RevokeTarget::Contact(name) => {
                    let contact = tx.contact(name)?.id;
                    let concerned = grants.into_iter().filter(|grant| {
                        grant.status == GrantStatus::Active && grant.concerns(&contact)
                    });
                    concerned
                        .map(|grant| tx.revoke_member(&grant, contact, level))
                        .collect()
                }
            }
        })
    }
}

impl Transaction<'_> {
    /// Ends a grant for all its readers.
    fn revoke_all(
        &mut self,
        grant: &GrantRecord,
        level: RevokeLevel,
    ) -> Result<Revocation, VaultError> {
        let mut readers: Vec<PublicKey> = grant.members.iter().map(|m| m.owner).collect();
        for contact in grant.on_request.iter().flat_map(|o| &o.offered) {
            readers.push(*self.contact(&contact.to_string())?.card()?.owner());
        }
        if readers.is_empty() {
            readers.extend(grant.former.iter().map(|(owner, _)| *owner));
        }
        if grant.status == GrantStatus::Active {
            self.close_grant(grant, GrantStatus::Revoked);
        }
        self.note_revocation(grant, readers, level)
    }

    /// Takes a grant out of the directory and drops its root and envelopes. Its pages stay until
    /// a re-key has used them.
    fn close_grant(&mut self, grant: &GrantRecord, status: GrantStatus) {
        self.drop_blocks(grant.root.map(|(root, _)| root));
        self.drop_blocks(grant.envelopes());
        let now = self.now;
        self.update_grant(&grant.id, |grant| {
            if let Some(on_request) = &mut grant.on_request {
                on_request.close();
            }
            grant.status = status;
            grant.ended = Some(now);
            grant.root = None;
            let members = std::mem::take(&mut grant.members);
            grant
                .former
                .extend(members.into_iter().map(|member| (member.owner, now)));
        });
    }

    /// Shuts one reader out of a grant that others keep: a new grant key, new envelopes for the
    /// others, a new root. The pages stay; every later page has a key that only the root holds.
    fn revoke_member(
        &mut self,
        grant: &GrantRecord,
        contact: ContactId,
        level: RevokeLevel,
    ) -> Result<Revocation, VaultError> {
        let stay: Vec<Member> = grant
            .members
            .iter()
            .filter(|m| m.contact != contact)
            .cloned()
            .collect();
        let offered = |grant: &GrantRecord| {
            let offered = grant.on_request.iter().flat_map(|o| o.offered.clone());
            offered
                .filter(|offered| *offered != contact)
                .collect::<Vec<_>>()
        };
        if stay.is_empty() && offered(grant).is_empty() {
            return self.revoke_all(grant, level);
        }
        let owner = *self.contact(&contact.to_string())?.card()?.owner();
        let readers = vec![owner];
        self.update_grant(&grant.id, |grant| {
            let offered = offered(grant);
            if let Some(on_request) = &mut grant.on_request {
                on_request.offered = offered;
                on_request.forget(&owner);
            }
        });
        self.give_new_key(grant, &stay)?;
        let now = self.now;
        self.update_grant(&grant.id, |grant| grant.former.push((owner, now)));
        self.note_revocation(grant, readers, level)
    }

    /// Gives a grant a new key, envelopes for the readers that stay, terms for them and a new root.
    pub(super) fn give_new_key(
        &mut self,
        grant: &GrantRecord,
        stay: &[Member],
    ) -> Result<(), VaultError> {
        let key = SecretKey::random();
        let (mut members, mut tags) = (Vec::new(), Vec::new());
        for member in stay {
            let (member, tag) = self.admit(&member.contact.to_string(), &grant.id, &key)?;
            members.push(member);
            tags.push(tag);
        }
        let mut terms = grant.terms.clone();
        let agents = match &grant.on_request {
            // both sides signed these very bytes; who is a member, the countersignatures say
            Some(on_request) => self.admit_agents(&grant.id, &key, on_request)?,
            None => {
                let signed = Terms::from_bytes(&terms, self.vault.device.signers())?;
                terms = signed.for_readers(tags, self.vault.device.signing()).1;
                Vec::new()
            }
        };
        self.drop_blocks(grant.envelopes());
        self.update_grant(&grant.id, |grant| {
            grant.key = key;
            grant.members = members;
            grant.terms = terms;
            if let Some(on_request) = &mut grant.on_request {
                on_request.agents = agents;
            }
        });
        self.rewrite_root(&grant.id)
    }

    /// After a recovery: a device that was lost knows every grant key, so all are replaced. What
    /// it could read it still can; what comes later it cannot.
    pub(super) fn renew_grant_keys(&mut self) -> Result<(), VaultError> {
        for grant in self
            .grants()?
            .into_iter()
            .filter(|g| g.status == GrantStatus::Active)
        {
            if grant.on_request.is_some() {
                self.renew_release_key(&grant.id)?;
            }
            let grant = self.grants()?.into_iter().find(|g| g.id == grant.id);
            let grant = grant.ok_or(VaultError::Conflict)?;
            self.give_new_key(&grant, &grant.members)?;
        }
        Ok(())
    }

    /// Writes the act, and either the receipt or what the re-key will need for it.
    fn note_revocation(
        &mut self,
        grant: &GrantRecord,
        readers: Vec<PublicKey>,
        level: RevokeLevel,
    ) -> Result<Revocation, VaultError> {
        let cut = self.vault.head.seq();
        let mut index = Sha256::new();
        grant
            .pages
            .iter()
            .for_each(|page| index.update(page.block.as_bytes()));
        let index = Digest::from_bytes(index.finalize().into());
        let log_index = self.act(Act::Revoked {
            grant: grant.id,
            readers: readers.clone(),
            level,
        });
        let mut receipt = None;
        match level {
            RevokeLevel::Stop => {
                let opened = self.opened(grant, &readers)?;
                receipt = Some(self.write_receipt(ReceiptDraft {
                    vault: self.vault.id(),
                    grant: grant.id,
                    readers: readers.clone(),
                    time: self.now,
                    level,
                    could_have_opened: grant.count,
                    index,
                    rekeyed: 0,
                    pinners: Vec::new(),
                    log_index,
                    opened,
                }));
            }
            RevokeLevel::Rekey => {
                let earlier = grant.pending.clone();
                let mut all = earlier
                    .as_ref()
                    .map_or_else(Vec::new, |p| p.readers.clone());
                all.extend(
                    readers
                        .iter()
                        .filter(|r| !all.contains(r))
                        .copied()
                        .collect::<Vec<_>>(),
                );
                let pending = PendingRekey {
                    cut,
                    count: earlier.as_ref().map_or(0, |p| p.count),
                    deleted: earlier.as_ref().map_or(0, |p| p.deleted),
                    readers: all,
                    could_have_opened: grant.count,
                    index,
                    log_index,
                };
                self.update_grant(&grant.id, |grant| grant.pending = Some(pending));
            }
        }
        Ok(Revocation {
            grant: grant.id,
            readers,
            receipt,
        })
    }

    /// Signs a receipt, keeps it with the grant and notes it in the log.
    pub(super) fn write_receipt(&mut self, mut draft: ReceiptDraft) -> Receipt {
        let grants = self.vault.state.grants.items();
        let receipts = grants.filter(|grant| grant.id == draft.grant);
        let kept: usize = receipts.flat_map(|g| &g.receipts).map(|r| r.len()).sum();
        // a grant must fit a page, or nobody could be shut out of it any more
        if let Some(opened) = draft.opened.as_mut().filter(|_| kept > MAX_KEPT) {
            opened.versions.clear();
        }
        let (receipt, bytes) = Receipt::sign(draft, self.vault.device.signing());
        self.act(Act::Receipt {
            grant: receipt.grant,
            receipt: Digest::of(&bytes),
        });
        self.update_grant(&receipt.grant, |grant| {
            grant.receipts.push(serde_bytes::ByteBuf::from(bytes));
        });
        receipt
    }

    /// Ends the grants whose time is over.
    pub(super) fn expire_due(&mut self) -> Result<(), VaultError> {
        for grant in self
            .grants()?
            .into_iter()
            .filter(|g| g.status == GrantStatus::Active)
        {
            let terms = Terms::from_bytes(&grant.terms, self.vault.device.signers())?;
            if terms.has_expired(self.now) {
                self.close_grant(&grant, GrantStatus::Expired);
                self.act(Act::Expired { grant: grant.id });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{Extent, Scope};
    use crate::ids::VersionId;
    use crate::vault::receipt::Opened;
    use crate::vault::tests::{node, record, world};
    use crate::vault::{OnRequestTerms, ShareRequest};

    /// Readers who have opened much are shut out one after the other: the grant still fits a page.
    #[test]
    fn long_receipts_do_not_stop_a_revocation() {
        let mut w = world("Pat");
        let card = world("Dr. A").vault.device().card("Dr. A").unwrap();
        w.vault.add_contact("doctor", &card).unwrap();
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let request = ShareRequest {
            readers: vec!["doctor".into()],
            scope: Scope {
                all: true,
                ..Scope::default()
            },
            extent: Extent::Standing,
            purpose: None,
            expires: None,
        };
        let offered = w.vault.offer(request, OnRequestTerms::default(), &node());
        let grant = offered.unwrap().grant.id;
        let mut listed = Vec::new();
        for _ in 0..9 {
            let vault = w.vault.id();
            let written = w.vault.transact(|tx| {
                tx.grants()?;
                let draft = ReceiptDraft {
                    vault,
                    grant,
                    readers: vec![*card.owner()],
                    time: tx.now,
                    level: RevokeLevel::Stop,
                    could_have_opened: 2000,
                    index: Digest::of(b"index"),
                    rekeyed: 0,
                    pinners: Vec::new(),
                    log_index: 0,
                    opened: Some(Opened {
                        count: 2000,
                        versions: (0..2000).map(|_| VersionId::random()).collect(),
                        uncertain: 0,
                        never: 0,
                        agents: Vec::new(),
                    }),
                };
                Ok(tx.write_receipt(draft))
            });
            let receipt = written.unwrap();
            assert_eq!(receipt.opened, Some(2000));
            listed.push(receipt.opened_versions.len());
        }
        assert_eq!(listed, [2000, 2000, 0, 0, 0, 0, 0, 0, 0]);
    }
}
