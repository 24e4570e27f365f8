//! A patient with one reader and one agent, for the proofs of what agents may do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::support::{Reader, head, now, request};
use crate::access::{AccessReply, AgentReport};
use crate::grant::{Conditions, Ticket};
use crate::ids::{GrantId, VersionId};
use crate::vault::tests::{World, node, record, world};
use crate::vault::{
    AgentRequest, Charge, OnRequestTerms, ReportError, Vault, VaultError, VaultStorage,
};
use crate::{AgentInfo, AskError, Asking, Following, Given, GrantView, PublicKey};

pub(super) const DAY: u64 = 24 * 3600;

/// A patient, a doctor with an agreement in force, and someone who may answer under it.
pub(super) struct Practice {
    pub(super) patient: World,
    pub(super) doctor: Reader,
    pub(super) agent: Reader,
    pub(super) grant: GrantId,
}

impl Practice {
    pub(super) fn new(conditions: Conditions) -> Self {
        let mut patient = world("Pat");
        let mut doctor = Reader::befriended(&mut patient, "doctor");
        let agent = Reader::befriended(&mut patient, "agent");
        let records = (0..4).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
        patient.vault.add_all(records).unwrap();
        let terms = OnRequestTerms {
            conditions,
            agents: vec!["agent".into()],
            ..OnRequestTerms::default()
        };
        let request = request(&["doctor"], None);
        let shared = patient.vault.offer(request, terms, &node()).unwrap();
        doctor.accept(&shared, now(&patient));
        let mut practice = Self {
            patient,
            doctor,
            agent,
            grant: shared.grant.id,
        };
        let device = practice.doctor.world.vault.device.clone();
        let time = now(&practice.patient);
        let following = practice.doctor.following.as_mut().unwrap();
        let message = following.countersign(&practice.grant, &device, time);
        let answers = practice.patient.vault.answer(&[message.unwrap()], &[]);
        assert_eq!(answers.replies, [AccessReply::Noted {}]);
        practice
    }

    /// The same, with an agent that may give so many opens for ten days, and has its ticket.
    pub(super) fn with_agent(conditions: Conditions, allowance: Option<u64>) -> Self {
        let mut practice = Self::new(conditions);
        practice.add_agent(allowance).unwrap();
        practice.admit_agent();
        practice
    }

    pub(super) fn add_agent(&mut self, allowance: Option<u64>) -> Result<AgentInfo, VaultError> {
        let until = now(&self.patient) + 10 * DAY;
        let request = AgentRequest {
            contact: "agent".into(),
            node: node(),
            opens: allowance,
            until,
        };
        self.patient.vault.add_agent(&self.grant, &request)
    }

    pub(super) fn admit_agent(&mut self) {
        let tickets = self.patient.vault.tickets(&self.grant, &node()).unwrap();
        let (_, text) = tickets.iter().find(|(name, _)| name == "agent").unwrap();
        let time = now(&self.patient);
        let ticket = Ticket::open(text, self.agent.world.vault.device(), time).unwrap();
        assert!(ticket.offered().is_none(), "an agent has nothing to sign");
        self.agent.following = Some(Following::accept(&ticket, "pat", time));
    }

    pub(super) fn pass(&self, seconds: u64) {
        for world in [&self.patient, &self.doctor.world, &self.agent.world] {
            world.time.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    pub(super) fn owner(&self) -> PublicKey {
        *self.agent.world.vault.device().signers().owner()
    }

    /// What the agent answers for by the newest head that it can get.
    pub(super) fn charge(&mut self) -> Option<Arc<Charge>> {
        self.patient.vault.tend().unwrap();
        let (head, time) = (head(&self.patient), now(&self.patient));
        let blocks = self.patient.storage.blocks();
        let following = self.agent.following.as_mut().unwrap();
        following.advance(&head, &*blocks, time).unwrap();
        let device = self.agent.world.vault.device();
        let views = following.grants(device, &*blocks, time).ok()?;
        views
            .iter()
            .find_map(|view| following.charge(view, device))
            .map(Arc::new)
    }

    pub(super) fn view(&mut self) -> GrantView {
        self.patient.vault.tend().unwrap();
        let (head, time) = (head(&self.patient), now(&self.patient));
        let blocks = self.patient.storage.blocks();
        let following = self.doctor.following.as_mut().unwrap();
        following.advance(&head, &*blocks, time).unwrap();
        let device = self.doctor.world.vault.device();
        following.grants(device, &*blocks, time).unwrap().remove(0)
    }

    /// A request for versions by their numbers, to the patient or to the agent.
    pub(super) fn asking(&mut self, of_agent: bool, numbers: &[usize]) -> Asking {
        let view = self.view();
        let versions: Vec<VersionId> = numbers.iter().map(|i| view.entries[*i].version).collect();
        let agents = &view.agreement.as_ref().unwrap().agents;
        let agent = of_agent.then(|| &agents[0]);
        let device = self.doctor.world.vault.device();
        let following = self.doctor.following.as_ref().unwrap();
        let time = now(&self.patient);
        following
            .ask(&view, &versions, None, agent, device, time)
            .unwrap()
    }

    pub(super) fn ask_patient(&mut self, numbers: &[usize]) -> Result<Given, AskError> {
        let asking = self.asking(false, numbers);
        let reply = answer(&mut self.patient.vault, asking.message(), None);
        asking.take(self.doctor.following.as_mut().unwrap(), &reply.to_bytes())
    }

    pub(super) fn ask_agent(&mut self, numbers: &[usize]) -> Result<Given, AskError> {
        let charge = self.charge();
        self.ask_agent_of(charge, numbers)
    }

    /// The agent answers by what it knew of its patient at some time.
    pub(super) fn ask_agent_of(
        &mut self,
        charge: Option<Arc<Charge>>,
        numbers: &[usize],
    ) -> Result<Given, AskError> {
        let asking = self.asking(true, numbers);
        let reply = answer(&mut self.agent.world.vault, asking.message(), charge);
        asking.take(self.doctor.following.as_mut().unwrap(), &reply.to_bytes())
    }

    pub(super) fn question(&mut self, close: bool) -> Vec<u8> {
        let owner = self.owner();
        let vault = &mut self.patient.vault;
        vault.agent_question(&self.grant, &owner, close).unwrap()
    }

    pub(super) fn reported(&mut self, close: bool) -> AgentReport {
        let question = self.question(close);
        let charge = self.charge();
        match answer(&mut self.agent.world.vault, &question, charge) {
            AccessReply::Report(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn take(&mut self, report: AgentReport) -> Result<bool, VaultError> {
        let bytes = AccessReply::Report(Box::new(report)).to_bytes();
        let owner = self.owner();
        self.patient.vault.take_report(&self.grant, &owner, &bytes)
    }

    pub(super) fn report(&mut self, close: bool) {
        let report = self.reported(close);
        assert!(!self.take(report).unwrap());
    }

    pub(super) fn info(&mut self) -> AgentInfo {
        let grants = self.patient.vault.grants().unwrap();
        grants[0].agreement.as_ref().unwrap().agents[0].clone()
    }

    /// Opens that count against the limit.
    pub(super) fn counted(&mut self) -> u64 {
        let grants = self.patient.vault.grants().unwrap();
        grants[0].agreement.as_ref().unwrap().opens
    }

    /// Names of the last acts in the patient's log.
    pub(super) fn log(&mut self, count: usize) -> Vec<&'static str> {
        let log = self.patient.vault.audit_log().unwrap();
        let tail = &log[log.len() - count..];
        tail.iter().map(|entry| entry.act.name()).collect()
    }

    pub(super) fn verify(&mut self) {
        for vault in [&mut self.patient.vault, &mut self.agent.world.vault] {
            assert_eq!(vault.verify_audit().unwrap().bad, None);
        }
    }
}

pub(super) fn answer(
    vault: &mut Vault,
    message: &[u8],
    charge: Option<Arc<Charge>>,
) -> AccessReply {
    let charges: Vec<Arc<Charge>> = charge.into_iter().collect();
    let answers = vault.answer(&[message.to_vec()], &charges);
    assert!(answers.error.is_none(), "{:?}", answers.error);
    answers.replies.into_iter().next().unwrap()
}

/// The reason for which keys were not given.
pub(super) fn why(outcome: Result<Given, AskError>) -> String {
    match outcome.map(drop) {
        Ok(()) => "given".into(),
        Err(AskError::Denied { reason, .. }) => reason,
        Err(AskError::Refused(code)) => format!("{code:?}"),
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn proof_error(outcome: Result<bool, VaultError>) -> &'static str {
    match outcome {
        Err(VaultError::Report(ReportError::Proof(what))) => what,
        other => panic!("{other:?}"),
    }
}
