//! Who may fetch blocks from the patient's own node.

use super::state::GrantStatus;
use super::{Vault, VaultError};
use crate::grant::{BlockReaders, Terms};

impl Vault {
    /// The members of all grants in force now, the agents who answer for them, and the owner. To be
    /// asked again whenever the head changes, and from time to time, for grants end by themselves.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn block_readers(&mut self) -> Result<BlockReaders, VaultError> {
        self.reading(|vault| {
            let blocks = vault.storage.blocks();
            vault.state.contacts.load(&*blocks)?;
            Ok(vault.state.grants.load(&*blocks)?)
        })?;
        let mut readers = BlockReaders::new(self.id());
        readers.admit(self.head.signers());
        let now = self.now();
        for grant in self.state.grants.items() {
            let terms = Terms::from_bytes(&grant.terms, self.head.signers())?;
            if grant.status != GrantStatus::Active || terms.has_expired(now) {
                continue;
            }
            let agents = grant
                .on_request
                .iter()
                .flat_map(|on_request| &on_request.agents);
            let agents = agents.filter(|agent| !agent.withdrawn && now < agent.until);
            let agents = agents.map(|agent| agent.contact);
            for id in grant
                .members
                .iter()
                .map(|member| member.contact)
                .chain(agents)
            {
                let mut contacts = self.state.contacts.items();
                if let Some(contact) = contacts.find(|contact| contact.id == id) {
                    readers.admit(contact.card()?.signers());
                }
            }
        }
        Ok(readers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::grant::{Ends, Extent, Scope, sign_block_access};
    use crate::keys::PublicKey;
    use crate::vault::tests::{World, node, record, world};
    use crate::{RevokeLevel, RevokeTarget, ShareRequest};

    const ENDS: Ends = Ends {
        server: PublicKey::from_bytes([4; 32]),
        client: PublicKey::from_bytes([5; 32]),
    };

    fn may_read(patient: &mut World, who: &World) -> bool {
        let now = patient.time.load(Ordering::Relaxed);
        let statement = sign_block_access(who.vault.device(), &patient.vault.id(), &ENDS, now);
        let readers = patient.vault.block_readers().unwrap();
        readers.check(&statement, &ENDS, now).is_ok()
    }

    fn share(patient: &mut World, with: &str, expires: Option<u64>) -> crate::GrantId {
        let request = ShareRequest {
            readers: vec![with.into()],
            scope: Scope {
                all: true,
                ..Scope::default()
            },
            extent: Extent::Standing,
            purpose: None,
            expires,
        };
        patient.vault.share(request, &node()).unwrap().grant.id
    }

    #[test]
    fn readers_are_the_owner_and_those_with_a_grant_in_force() {
        let mut pat = world("Pat");
        let (doctor, nurse, eve) = (world("Dr. A"), world("Nurse B"), world("Eve"));
        for (name, other) in [("doctor", &doctor), ("nurse", &nurse), ("eve", &eve)] {
            let card = other.vault.device().card(other.vault.name()).unwrap();
            pat.vault.add_contact(name, &card).unwrap();
        }
        pat.vault.add_all([record("a", b"aaa")]).unwrap();
        assert_eq!(pat.vault.block_readers().unwrap().count(), 1);
        assert!(!may_read(&mut pat, &doctor));

        let first = share(&mut pat, "doctor", None);
        let second = share(&mut pat, "doctor", None);
        let soon = pat.time.load(Ordering::Relaxed) + 100;
        share(&mut pat, "nurse", Some(soon));
        assert!(may_read(&mut pat, &doctor) && may_read(&mut pat, &nurse));
        assert!(!may_read(&mut pat, &eve), "a contact is not yet a reader");

        let target = RevokeTarget::Grant(first);
        pat.vault.revoke(&target, RevokeLevel::Stop).unwrap();
        assert!(may_read(&mut pat, &doctor), "there is another grant");
        let target = RevokeTarget::Grant(second);
        pat.vault.revoke(&target, RevokeLevel::Stop).unwrap();
        assert!(!may_read(&mut pat, &doctor));

        pat.time.fetch_add(101, Ordering::Relaxed);
        assert!(!may_read(&mut pat, &nurse), "the time is over");
        assert_eq!(pat.vault.block_readers().unwrap().count(), 1);
    }

    #[test]
    fn the_owner_reads_from_the_own_node() {
        let mut pat = world("Pat");
        let now = pat.time.load(Ordering::Relaxed);
        let own = pat.vault.id();
        let statement = sign_block_access(pat.vault.device(), &own, &ENDS, now);
        let readers = pat.vault.block_readers().unwrap();
        assert!(readers.check(&statement, &ENDS, now).is_ok());
    }
}
