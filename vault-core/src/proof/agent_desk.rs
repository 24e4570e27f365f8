//! What an agent reports, to whom, and what its desk passes on.

use std::sync::{Arc, Mutex};

use super::support::{Reader, head, now, request};
use crate::access::AccessReply;
use crate::grant::Conditions;
use crate::vault::tests::{World, clock, node, record, world};
use crate::vault::{Charge, ChargeSource, Desk, OnRequestTerms, VaultStorage};
use crate::{AgentInfo, AgentRequest, Following, GrantId, GrantView, RefusalCode, Vault, VaultId};

/// A patient, a doctor whose agreement is in force, and Gran, who answers for the patient.
struct Family {
    patient: World,
    doctor: Reader,
    gran: Reader,
    grant: GrantId,
    /// What Gran answers for, and what the doctor sees.
    charge: Vec<Arc<Charge>>,
    view: GrantView,
}

fn sync(patient: &World, reader: &mut Reader) -> GrantView {
    let (head, time) = (head(patient), now(patient));
    let blocks = patient.storage.blocks();
    let following = reader.following.as_mut().unwrap();
    following.advance(&head, &*blocks, time).unwrap();
    let device = reader.world.vault.device.clone();
    let views = following.grants(&device, &*blocks, time).unwrap();
    views.into_iter().next().unwrap()
}

fn following(reader: &mut Reader) -> &mut Following {
    reader.following.as_mut().unwrap()
}

fn family() -> Family {
    let mut patient = world("Pat");
    let mut doctor = Reader::befriended(&mut patient, "doctor");
    let mut gran = Reader::befriended(&mut patient, "gran");
    patient.vault.add_all([record("r", b"content")]).unwrap();
    let terms = OnRequestTerms {
        conditions: Conditions::default(),
        agents: vec!["gran".into()],
        ..OnRequestTerms::default()
    };
    let mut shared = patient
        .vault
        .offer(request(&["doctor"], None), terms, &node())
        .unwrap();
    let (grant, time) = (shared.grant.id, now(&patient));
    doctor.accept(&shared, time);
    let device = doctor.world.vault.device.clone();
    let message = following(&mut doctor).countersign(&grant, &device, time);
    let replies = patient.vault.answer(&[message.unwrap()], &[]).replies;
    assert_eq!(replies, [AccessReply::Noted {}]);
    let agent = AgentRequest {
        contact: "gran".into(),
        node: node(),
        opens: None,
        until: time + 3600,
    };
    patient.vault.add_agent(&grant, &agent).unwrap();
    shared.tickets = patient.vault.tickets(&grant, &node()).unwrap();
    gran.accept(&shared, time);
    let view = sync(&patient, &mut gran);
    let device = gran.world.vault.device.clone();
    let charge = following(&mut gran).charge(&view, &device).unwrap();
    let view = sync(&patient, &mut doctor);
    Family {
        patient,
        doctor,
        gran,
        grant,
        charge: vec![Arc::new(charge)],
        view,
    }
}

impl Family {
    /// The doctor's next message to Gran.
    fn asking(&mut self) -> Vec<u8> {
        let time = now(&self.patient);
        let certificate = self.view.agreement.as_ref().unwrap().agents[0].clone();
        let versions = [self.view.entries[0].version];
        let device = self.doctor.world.vault.device.clone();
        let asking = following(&mut self.doctor)
            .ask(
                &self.view,
                &versions,
                None,
                Some(&certificate),
                &device,
                time,
            )
            .unwrap();
        asking.message().to_vec()
    }

    fn ask(&mut self) -> AccessReply {
        let message = self.asking();
        let answers = self.gran.world.vault.answer(&[message], &self.charge);
        assert!(answers.error.is_none());
        answers.replies.into_iter().next().unwrap()
    }

    /// One question and its answer; whether there is more.
    fn question(&mut self, close: bool) -> bool {
        let gran = *self.gran.world.vault.device().signers().owner();
        let vault = &mut self.patient.vault;
        let question = vault.agent_question(&self.grant, &gran, close).unwrap();
        let answers = self.gran.world.vault.answer(&[question], &self.charge);
        let answer = answers.replies[0].to_bytes();
        vault.take_report(&self.grant, &gran, &answer).unwrap()
    }

    fn agent(&mut self) -> AgentInfo {
        let grant = self.patient.vault.grants().unwrap().remove(0);
        grant.agreement.unwrap().agents.remove(0)
    }

    fn released(&mut self) -> usize {
        let log = self.patient.vault.audit_log().unwrap();
        log.iter()
            .filter(|entry| entry.act.name() == "released")
            .count()
    }
}

#[test]
fn an_agent_is_closed_only_when_it_has_told_everything() {
    let mut family = family();
    for _ in 0..40 {
        assert!(matches!(family.ask(), AccessReply::Released(_)));
    }
    assert!(family.question(true), "a report has 32 entries at most");
    let agent = family.agent();
    assert_eq!((agent.reported, agent.closed), (40, false));
    assert_eq!(family.released(), 32);
    assert!(
        matches!(family.ask(), AccessReply::Denied(_)),
        "it gives no more already"
    );
    assert!(!family.question(true));
    assert!(family.agent().closed);
    assert_eq!(family.released(), 40);
    assert_eq!(family.patient.vault.verify_audit().unwrap().bad, None);
}

#[test]
fn the_same_report_again_changes_nothing() {
    let mut family = family();
    family.ask();
    assert!(!family.question(false));
    let before = family.patient.vault.head().checkpoint().size;
    assert!(!family.question(false));
    assert_eq!(family.patient.vault.head().checkpoint().size, before);
    assert_eq!(family.released(), 1);
}

/// What Gran's desk goes by; hears for whom somebody asked in vain.
struct Source {
    charges: Vec<Arc<Charge>>,
    followed: Vec<VaultId>,
    missed: Arc<Mutex<Vec<VaultId>>>,
}

impl ChargeSource for Source {
    fn charges(&mut self) -> Vec<Arc<Charge>> {
        self.charges.clone()
    }

    fn follows(&mut self, vault: &VaultId) -> bool {
        self.followed.contains(vault)
    }

    fn missed(&mut self, vault: &VaultId) {
        self.missed.lock().unwrap().push(*vault);
    }
}

impl Family {
    fn desk(&self, charges: Vec<Arc<Charge>>, followed: Vec<VaultId>) -> (Desk, Source) {
        let gran = &self.gran.world;
        let device = gran.vault.device.clone();
        let vault = Vault::open(gran.storage.clone(), device, clock(&gran.time)).unwrap();
        let missed = Arc::default();
        let source = |missed: &Arc<_>| Source {
            charges: charges.clone(),
            followed: followed.clone(),
            missed: Arc::clone(missed),
        };
        let desk = Desk::open(vault, Box::new(source(&missed)), false, Box::new(|_| ()));
        (desk, source(&missed))
    }
}

#[test]
fn a_desk_says_who_was_asked_for_in_vain_and_looks_at_no_strangers_question() {
    let mut family = family();
    let pat = family.patient.vault.id();
    let before = head(&family.gran.world);
    let message = family.asking();
    let (desk, heard) = family.desk(Vec::new(), Vec::new());
    let refused = |code| AccessReply::Refused(code).to_bytes();
    assert_eq!(desk.answer(&message), refused(RefusalCode::NotHere));
    assert_eq!(*heard.missed.lock().unwrap(), [pat]);
    let gran = *family.gran.world.vault.device().signers().owner();
    let vault = &mut family.patient.vault;
    let question = vault.agent_question(&family.grant, &gran, true).unwrap();
    assert_eq!(desk.answer(&question), refused(RefusalCode::Stranger));
    drop(desk);
    assert_eq!(head(&family.gran.world), before, "nothing was written");

    let (desk, heard) = family.desk(family.charge.clone(), vec![pat]);
    let answer = AccessReply::from_bytes(&desk.answer(&message)).unwrap();
    assert!(matches!(answer, AccessReply::Released(_)));
    assert!(heard.missed.lock().unwrap().is_empty());
    let answer = AccessReply::from_bytes(&desk.answer(&question)).unwrap();
    assert!(matches!(answer, AccessReply::Report(_)));
}
