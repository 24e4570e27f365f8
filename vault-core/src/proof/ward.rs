//! A patient with any number of readers under one agreement in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::support::{Reader, head, now, request};
use crate::access::AccessReply;
use crate::audit::{Act, Asked};
use crate::grant::Conditions;
use crate::ids::GrantId;
use crate::vault::tests::{World, node, record, world};
use crate::vault::{Charge, OnRequestTerms, Vault, VaultStorage};
use crate::{AskError, Asking, Given, GrantView};

/// A patient and readers with one agreement in force.
pub(super) struct Ward {
    pub(super) patient: World,
    pub(super) readers: Vec<Reader>,
    pub(super) grant: GrantId,
}

impl Ward {
    pub(super) fn new(readers: usize, conditions: Conditions, agents: &[String]) -> Self {
        Self::of(world("Pat"), readers, conditions, agents)
    }

    pub(super) fn of(
        mut patient: World,
        readers: usize,
        conditions: Conditions,
        agents: &[String],
    ) -> Self {
        let names: Vec<String> = (0..readers).map(|i| format!("reader {i}")).collect();
        let mut readers: Vec<Reader> = names
            .iter()
            .map(|name| Reader::befriended(&mut patient, name))
            .collect();
        let records = (0..4).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
        patient.vault.add_all(records).unwrap();
        let terms = OnRequestTerms {
            conditions,
            agents: agents.to_vec(),
            ..OnRequestTerms::default()
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let shared = patient.vault.offer(request(&names, None), terms, &node());
        let shared = shared.unwrap();
        let (grant, time) = (shared.grant.id, now(&patient));
        let mut messages = Vec::new();
        for reader in &mut readers {
            reader.accept(&shared, time);
            let device = reader.world.vault.device.clone();
            let following = reader.following.as_mut().unwrap();
            messages.push(following.countersign(&grant, &device, time).unwrap());
        }
        for reply in patient.vault.answer(&messages, &[]).replies {
            assert_eq!(reply, AccessReply::Noted {});
        }
        let mut ward = Self {
            patient,
            readers,
            grant,
        };
        (0..ward.readers.len()).for_each(|at| ward.sync(at));
        ward
    }

    pub(super) fn sync(&mut self, at: usize) {
        let (head, time) = (head(&self.patient), now(&self.patient));
        let blocks = self.patient.storage.blocks();
        let following = self.readers[at].following.as_mut().unwrap();
        // keys that came since may have moved the memory beyond this head, never away from it
        following.advance(&head, &*blocks, time).unwrap();
    }

    /// The reader's grant by the head that it has seen; none when its blocks are gone already.
    pub(super) fn view(&self, at: usize) -> Option<GrantView> {
        let reader = &self.readers[at];
        let blocks = self.patient.storage.blocks();
        let device = reader.world.vault.device();
        let following = reader.following.as_ref().unwrap();
        let views = following
            .grants(device, &*blocks, now(&self.patient))
            .ok()?;
        views.into_iter().next()
    }

    pub(super) fn asking(&mut self, at: usize, number: usize) -> Asking {
        self.sync(at);
        let view = self.view(at).unwrap();
        self.ask(at, &view, number, false).unwrap()
    }

    pub(super) fn ask(
        &self,
        at: usize,
        view: &GrantView,
        number: usize,
        agent: bool,
    ) -> Option<Asking> {
        let reader = &self.readers[at];
        let versions = [view.entries[number].version];
        let agents = &view.agreement.as_ref()?.agents;
        let agent = match agent {
            true => Some(agents.first()?),
            false => None,
        };
        let device = reader.world.vault.device();
        let following = reader.following.as_ref().unwrap();
        let time = now(&self.patient);
        following
            .ask(view, &versions, None, agent, device, time)
            .ok()
    }

    pub(super) fn take(
        &mut self,
        at: usize,
        asking: Asking,
        reply: &[u8],
    ) -> Result<Given, AskError> {
        asking.take(self.readers[at].following.as_mut().unwrap(), reply)
    }
}

pub(super) fn answer(vault: &mut Vault, message: &[u8], charges: &[Arc<Charge>]) -> AccessReply {
    let answers = vault.answer(&[message.to_vec()], charges);
    assert!(answers.error.is_none(), "{:?}", answers.error);
    answers.replies.into_iter().next().unwrap()
}

/// Every release in a log: what was asked, by its place.
pub(super) fn releases(vault: &mut Vault) -> BTreeMap<u64, Asked> {
    let entries = vault.audit_log().unwrap().into_iter();
    let released = entries.filter_map(|entry| match entry.act {
        Act::Released(asked) => Some((entry.index, asked)),
        _ => None,
    });
    released.collect()
}

pub(super) fn denied(outcome: Result<Given, AskError>) -> (String, u64) {
    match outcome.map(drop) {
        Err(AskError::Denied { reason, index }) => (reason, index),
        other => panic!("{other:?}"),
    }
}
