//! Receipts that wait for a pinning service, and those that take their place.

use std::collections::BTreeMap;

use super::receipt::{Opened, PinnerAck, Receipt, ReceiptDraft};
use super::{Vault, VaultError};

impl Vault {
    /// Receipts that name a pinner which has not confirmed, and whose place none has taken.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn unconfirmed_receipts(&mut self) -> Result<Vec<Receipt>, VaultError> {
        self.reading(|vault| Ok(vault.state.grants.load(&*vault.storage.blocks())?))?;
        let signers = self.device.signers().clone();
        // of one revocation, the last receipt counts
        let mut last = BTreeMap::new();
        for bytes in self.state.grants.items().flat_map(|g| &g.receipts) {
            let receipt = Receipt::from_bytes(bytes, &signers).map_err(|_| VaultError::Conflict)?;
            last.insert(receipt.log_index, receipt);
        }
        let open = |receipt: &Receipt| receipt.pinners.iter().any(|p| !p.acknowledged);
        Ok(last.into_values().filter(open).collect())
    }

    /// Issues a receipt that takes the place of `receipt`: `pinners` replaces what that says of
    /// those of the same name. `None` when it changes nothing.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`] when the vault has no such grant.
    pub fn confirm_pinners(
        &mut self,
        receipt: &Receipt,
        pinners: &[PinnerAck],
    ) -> Result<Option<Receipt>, VaultError> {
        let mut all = receipt.pinners.clone();
        for pinner in &mut all {
            if let Some(new) = pinners.iter().find(|new| new.name == pinner.name) {
                pinner.clone_from(new);
            }
        }
        if all == receipt.pinners {
            return Ok(None);
        }
        self.transact(|tx| {
            if !tx.grants()?.iter().any(|grant| grant.id == receipt.grant) {
                return Err(VaultError::NoGrant(receipt.grant));
            }
            let draft = ReceiptDraft {
                vault: receipt.vault,
                grant: receipt.grant,
                readers: receipt.readers.clone(),
                time: tx.now,
                level: receipt.level,
                could_have_opened: receipt.could_have_opened,
                index: receipt.index,
                rekeyed: receipt.rekeyed,
                pinners: all,
                log_index: receipt.log_index,
                opened: Opened::of_receipt(receipt),
            };
            Ok(Some(tx.write_receipt(draft)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::tests::{node, record, world};
    use super::*;
    use crate::RevokeLevel;
    use crate::grant::{Extent, Scope};
    use crate::pinning::{PinService, TokenSource};
    use crate::record::Category;
    use crate::vault::{RevokeTarget, ShareRequest};

    fn ack(acknowledged: bool) -> PinnerAck {
        PinnerAck {
            name: "clinic".into(),
            deleted: 0,
            acknowledged,
        }
    }

    #[test]
    fn a_receipt_waits_for_its_pinners_and_a_later_one_takes_its_place() {
        let mut w = world("Pat");
        let card = world("Dr. A").vault.device().card("Dr. A").unwrap();
        w.vault.add_contact("doctor", &card).unwrap();
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let mut revoked = Vec::new();
        for _ in 0..2 {
            let request = ShareRequest {
                readers: vec!["doctor".into()],
                scope: Scope {
                    categories: [Category::Lab].into(),
                    ..Scope::default()
                },
                extent: Extent::Standing,
                purpose: None,
                expires: None,
            };
            let grant = w.vault.share(request, &node()).unwrap().grant.id;
            let target = RevokeTarget::Grant(grant);
            w.vault.revoke(&target, RevokeLevel::Rekey).unwrap();
            assert!(matches!(
                w.vault.finish_rekey(&grant, &[]),
                Err(VaultError::Conflict)
            ));
            let done = w
                .vault
                .rekey_blocks(&grant, &mut |_| ControlFlow::Continue(()))
                .unwrap();
            assert_eq!((done.left, done.count), (0, 1));
            // a kill in between: nothing is left to seal, the receipt is
            let again = w
                .vault
                .rekey_blocks(&grant, &mut |_| ControlFlow::Continue(()))
                .unwrap();
            assert_eq!(again.deleted, done.deleted);
            revoked.push(grant);
        }
        let first = w.vault.finish_rekey(&revoked[0], &[ack(false)]).unwrap();
        w.vault.finish_rekey(&revoked[1], &[ack(true)]).unwrap();
        assert_eq!(
            w.vault.unconfirmed_receipts().unwrap(),
            std::slice::from_ref(&first)
        );
        let seq = w.vault.head().seq();
        assert_eq!(
            w.vault.confirm_pinners(&first, &[ack(false)]).unwrap(),
            None
        );
        assert_eq!(w.vault.head().seq(), seq, "nothing new, no new head");
        let second = w
            .vault
            .confirm_pinners(&first, &[ack(true)])
            .unwrap()
            .unwrap();
        assert_eq!(second.log_index, first.log_index);
        assert!(second.pinners.iter().all(|pinner| pinner.acknowledged));
        assert_eq!(w.vault.unconfirmed_receipts().unwrap(), []);
        assert_eq!(w.vault.verify_audit().unwrap().bad, None);
    }

    #[test]
    fn services_are_noted_in_the_log() {
        let mut w = world("Pat");
        let token = TokenSource::Command("true".into());
        let service = PinService::new("clinic".parse().unwrap(), "https://a".into(), token);
        w.vault.note_pinned(&service).unwrap();
        w.vault.note_unpinned(&service.name, false).unwrap();
        let log = w.vault.audit_log().unwrap();
        let names: Vec<&str> = log.iter().map(|entry| entry.act.name()).collect();
        assert_eq!(names, ["vault-created", "pinned", "unpinned"]);
    }
}
