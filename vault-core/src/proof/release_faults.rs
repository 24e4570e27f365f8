//! No key leaves before its entry is durable: every writing operation behind an answer fails, in
//! every way, and what the answer said is held against what the disk has.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::faulty::{Fault, FaultyStorage, Unsynced};
use super::on_request::{Clinic, opens};
use super::practice::Practice;
use super::support::{all_blocks, head, now};
use crate::access::{AccessMessage, AccessReply, Released, RequestDraft, moment, open_keys};
use crate::audit::Act;
use crate::grant::Conditions;
use crate::ids::{GrantId, VersionId};
use crate::keys::SecretKey;
use crate::vault::tests::{World, clock};
use crate::vault::{Charge, Vault, VaultError, VaultStorage};
use crate::{Block, Device, Digest, IdentityKey, RefusalCode};

const UNSYNCED: [Unsynced; 4] = [
    Unsynced::Lost,
    Unsynced::Kept,
    Unsynced::EveryOther,
    Unsynced::LinksOnly,
];

/// Something done to a vault: whether it came to what the other side can rely on.
type Deed<'a> = &'a dyn Fn(&mut Vault) -> bool;

/// A vault before an act, ready to be set up again and again.
struct Scene {
    blocks: Vec<Block>,
    head: Vec<u8>,
    device: Arc<Device>,
    time: Arc<AtomicU64>,
}

impl Scene {
    fn of(world: &World) -> Self {
        Self {
            blocks: all_blocks(&*world.storage),
            head: head(world),
            device: world.vault.device.clone(),
            time: world.time.clone(),
        }
    }

    fn open(&self, storage: Arc<dyn VaultStorage>) -> Vault {
        Vault::open(storage, self.device.clone(), clock(&self.time)).unwrap()
    }

    /// Lets the act fail at each of its writing operations in every way. `act` says whether it
    /// promised something, `found` how often the promised is in the vault. Returns how many
    /// operations it has.
    fn every_fault(&self, act: Deed<'_>, found: &dyn Fn(&mut Vault) -> usize) -> usize {
        for at in 0.. {
            for fault in [Fault::DiesBefore, Fault::DiesWithin, Fault::Fails] {
                let head = Some(self.head.clone());
                let storage = Arc::new(FaultyStorage::new(&self.blocks, head, at, fault));
                let mut vault = self.open(storage.clone());
                let promised = act(&mut vault);
                if !storage.struck() {
                    assert!(promised && found(&mut vault) == 1);
                    return at;
                }
                if fault == Fault::Fails {
                    goes_on(&mut vault, promised, act, found);
                    continue;
                }
                drop(vault);
                let outcomes = match storage.unsynced() {
                    0 => &UNSYNCED[..1],
                    _ => &UNSYNCED,
                };
                for unsynced in outcomes {
                    let mut again = self.open(storage.remains(*unsynced));
                    goes_on(&mut again, promised, act, found);
                }
            }
        }
        0
    }
}

/// What was promised is there; the same message gets its answer, and is counted once.
fn goes_on(vault: &mut Vault, promised: bool, act: Deed<'_>, found: &dyn Fn(&mut Vault) -> usize) {
    let there = found(vault);
    assert!(there == 1 || there == 0 && !promised, "{promised}: {there}");
    assert!(act(vault), "the same message again gets its answer");
    assert_eq!(found(vault), 1, "once");
    assert_eq!(vault.verify_audit().unwrap().bad, None);
}

/// A request, and what opens its answer.
pub(super) struct Sent {
    pub(super) message: Vec<u8>,
    digest: Digest,
    key: IdentityKey,
    versions: Vec<VersionId>,
}

impl Sent {
    pub(super) fn new(clinic: &mut Clinic, versions: &[VersionId]) -> Self {
        let (key, public) = moment();
        let view = clinic.view();
        let vault = clinic.patient.vault.id();
        let draft = RequestDraft {
            vault,
            grant: clinic.grant,
            terms: view.agreement.unwrap().terms,
            versions: versions.to_vec(),
            purpose: None,
            key: public,
            log: vault,
            seen: Some(clinic.patient.vault.head().checkpoint_bytes().to_vec()),
        };
        let bytes = draft.sign(clinic.doctor.world.vault.device(), now(&clinic.patient));
        Self {
            digest: Digest::of(&bytes),
            message: AccessMessage::Request(bytes).to_bytes(),
            key,
            versions: versions.to_vec(),
        }
    }

    pub(super) fn keys(&self, released: &Released) -> Vec<SecretKey> {
        open_keys(&self.key, &self.digest, released, self.versions.len()).unwrap()
    }
}

/// The content keys of these versions, as the patient has them.
pub(super) fn content_keys(vault: &mut Vault, versions: &[VersionId]) -> Vec<SecretKey> {
    let all = super::support::catalogue(vault);
    let key = |version: &VersionId| {
        let entry = all.iter().find(|entry| entry.version == *version);
        entry.unwrap().cek.plain().unwrap().clone()
    };
    versions.iter().map(key).collect()
}

pub(super) fn holds(bytes: &[u8], key: &SecretKey) -> bool {
    bytes.windows(32).any(|window| window == key.expose())
}

fn count(vault: &mut Vault, wanted: impl Fn(&Act) -> bool) -> usize {
    let log = vault.audit_log().unwrap();
    log.iter().filter(|entry| wanted(&entry.act)).count()
}

fn released(vault: &mut Vault, request: &Digest) -> usize {
    count(
        vault,
        |act| matches!(act, Act::Released(asked) if asked.request == *request),
    )
}

fn counted(vault: &mut Vault) -> u64 {
    let grants = vault.grants().unwrap();
    grants[0].agreement.as_ref().unwrap().opens
}

/// Whether all of these messages got keys, and the right ones; if not, none did and none is in the
/// answer.
fn asks(
    vault: &mut Vault,
    sent: &[Sent],
    keys: &[Vec<SecretKey>],
    charges: &[Arc<Charge>],
) -> bool {
    let messages: Vec<Vec<u8>> = sent.iter().map(|sent| sent.message.clone()).collect();
    let answers = vault.answer(&messages, charges);
    let mut given = 0;
    for ((reply, sent), keys) in answers.replies.iter().zip(sent).zip(keys) {
        let bytes = reply.to_bytes();
        assert!(
            !keys.iter().any(|key| holds(&bytes, key)),
            "a key in the clear"
        );
        match reply {
            AccessReply::Released(released) => {
                given += 1;
                assert!(sent.keys(released) == *keys, "other keys");
                let proven = released.logged.verify(vault.head().signers()).unwrap();
                let Act::Released(asked) = proven.entry.act else {
                    panic!()
                };
                assert_eq!(asked.request, sent.digest);
            }
            reply => assert_eq!(*reply, AccessReply::Refused(RefusalCode::Busy)),
        }
    }
    assert_eq!(given == 0, answers.error.is_some());
    assert!(given == 0 || given == sent.len());
    given > 0
}

#[test]
fn killed_while_giving_keys() {
    let mut clinic = Clinic::in_force(opens(3));
    let versions: Vec<VersionId> = clinic.view().entries.iter().map(|e| e.version).collect();
    // two requests in one change, one of them for two keys
    let sent = [
        Sent::new(&mut clinic, &versions[..2]),
        Sent::new(&mut clinic, &versions[2..3]),
    ];
    let keys: Vec<Vec<SecretKey>> = sent
        .iter()
        .map(|sent| content_keys(&mut clinic.patient.vault, &sent.versions))
        .collect();
    let found = |vault: &mut Vault| {
        let entries = sent.each_ref().map(|sent| released(vault, &sent.digest));
        assert!(entries[0] == entries[1], "both or neither");
        assert_eq!(counted(vault), 3 * entries[0] as u64);
        entries[0]
    };
    let operations =
        Scene::of(&clinic.patient).every_fault(&|vault| asks(vault, &sent, &keys, &[]), &found);
    assert!(operations >= 6, "{operations}");
}

#[test]
fn killed_while_turning_down() {
    let mut clinic = Clinic::in_force(opens(0));
    let version = clinic.view().entries[0].version;
    let sent = Sent::new(&mut clinic, &[version]);
    let act = |vault: &mut Vault| {
        let answers = vault.answer(std::slice::from_ref(&sent.message), &[]);
        match &answers.replies[0] {
            AccessReply::Denied(denied) => {
                let proven = denied.logged.verify(vault.head().signers()).unwrap();
                assert!(matches!(proven.entry.act, Act::Denied { .. }));
                true
            }
            reply => {
                assert_eq!(*reply, AccessReply::Refused(RefusalCode::Busy));
                false
            }
        }
    };
    let denied = |vault: &mut Vault| {
        count(
            vault,
            |act| matches!(act, Act::Denied { asked, .. } if asked.request == sent.digest),
        )
    };
    assert!(Scene::of(&clinic.patient).every_fault(&act, &denied) >= 6);
}

fn notes(vault: &mut Vault, message: &[u8]) -> bool {
    let answers = vault.answer(&[message.to_vec()], &[]);
    match &answers.replies[0] {
        AccessReply::Noted {} => true,
        reply => {
            assert_eq!(*reply, AccessReply::Refused(RefusalCode::Busy));
            false
        }
    }
}

#[test]
fn killed_while_taking_a_countersignature() {
    let mut clinic = Clinic::new(Conditions::default());
    let (grant, time) = (clinic.grant, now(&clinic.patient));
    let device = clinic.doctor.world.vault.device.clone();
    let message = clinic.following().countersign(&grant, &device, time);
    let message = message.unwrap();
    let agreed = |vault: &mut Vault| {
        let entries = count(vault, |act| matches!(act, Act::Agreed { .. }));
        let grants = vault.grants().unwrap();
        let info = grants[0].agreement.as_ref().unwrap();
        assert_eq!(
            (grants[0].readers.len(), info.accepted.len()),
            (entries, entries)
        );
        assert_eq!(info.offered.len(), 1 - entries);
        entries
    };
    let act = |vault: &mut Vault| notes(vault, &message);
    assert!(Scene::of(&clinic.patient).every_fault(&act, &agreed) >= 6);
}

#[test]
fn killed_while_taking_a_receipt() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let version = clinic.view().entries[0].version;
    let given = clinic.ask(&[version]).unwrap();
    let device = clinic.doctor.world.vault.device.clone();
    let receipt = given.receipt(true, &device, now(&clinic.patient)).unwrap();
    let index = given.entry().index;
    let receipted = |vault: &mut Vault| {
        count(
            vault,
            |act| matches!(act, Act::Receipted { release, .. } if *release == index),
        )
    };
    let act = |vault: &mut Vault| notes(vault, &receipt);
    assert!(Scene::of(&clinic.patient).every_fault(&act, &receipted) >= 6);
}

/// The practice, seen as a clinic whose doctor asks the agent.
fn sent_to_agent(practice: &mut Practice, numbers: &[usize]) -> Sent {
    let view = practice.view();
    let versions: Vec<VersionId> = numbers.iter().map(|i| view.entries[*i].version).collect();
    let (key, public) = moment();
    let draft = RequestDraft {
        vault: practice.patient.vault.id(),
        grant: practice.grant,
        terms: view.agreement.unwrap().terms,
        versions: versions.clone(),
        purpose: None,
        key: public,
        log: practice.agent.world.vault.id(),
        seen: None,
    };
    let device = practice.doctor.world.vault.device();
    let bytes = draft.sign(device, now(&practice.patient));
    Sent {
        digest: Digest::of(&bytes),
        message: AccessMessage::Request(bytes).to_bytes(),
        key,
        versions,
    }
}

#[test]
fn an_agent_killed_while_giving_keys() {
    let mut practice = Practice::with_agent(opens(3), Some(1));
    let sent = [sent_to_agent(&mut practice, &[0])];
    let keys = [content_keys(&mut practice.patient.vault, &sent[0].versions)];
    let charge = [practice.charge().unwrap()];
    let act = |vault: &mut Vault| asks(vault, &sent, &keys, &charge);
    let question = practice.question(false);
    let found = |vault: &mut Vault| {
        let entries = released(vault, &sent[0].digest);
        let answers = vault.answer(std::slice::from_ref(&question), &charge);
        let AccessReply::Report(report) = &answers.replies[0] else {
            panic!("{:?}", answers.replies)
        };
        assert_eq!(report.opens, entries as u64);
        entries
    };
    assert!(Scene::of(&practice.agent.world).every_fault(&act, &found) >= 6);
}

#[test]
fn an_agent_killed_while_closing() {
    let mut practice = Practice::with_agent(opens(3), Some(1));
    practice.pass(1);
    let owner = practice.owner();
    let question = practice
        .patient
        .vault
        .agent_question(&practice.grant, &owner, true);
    let (question, late) = (question.unwrap(), sent_to_agent(&mut practice, &[0]));
    let charge = [practice.charge().unwrap()];
    let act = |vault: &mut Vault| {
        let answers = vault.answer(std::slice::from_ref(&question), &charge);
        match &answers.replies[0] {
            AccessReply::Report(report) => {
                assert!(report.closed.is_some());
                true
            }
            reply => {
                assert_eq!(*reply, AccessReply::Refused(RefusalCode::Busy));
                false
            }
        }
    };
    let closed = |vault: &mut Vault| {
        let closed = count(vault, |act| {
            matches!(act, Act::AgentReported { closed: true, .. })
        });
        if closed == 1 && count(vault, |act| matches!(act, Act::Denied { .. })) == 0 {
            let answers = vault.answer(std::slice::from_ref(&late.message), &charge);
            let reply = &answers.replies[0];
            assert!(answers.error.is_some() || matches!(reply, AccessReply::Denied(_)));
        }
        closed
    };
    assert!(Scene::of(&practice.agent.world).every_fault(&act, &closed) >= 6);
}

#[test]
fn killed_while_taking_a_report() {
    let mut practice = Practice::with_agent(opens(3), Some(1));
    let sent = sent_to_agent(&mut practice, &[0]);
    let charge = [practice.charge().unwrap()];
    let vault = &mut practice.agent.world.vault;
    let reply = vault
        .answer(std::slice::from_ref(&sent.message), &charge)
        .replies
        .remove(0);
    assert!(matches!(reply, AccessReply::Released(_)));
    let report = practice.reported(false);
    let report = AccessReply::Report(Box::new(report)).to_bytes();
    let (grant, owner): (GrantId, _) = (practice.grant, practice.owner());
    let act = |vault: &mut Vault| match vault.take_report(&grant, &owner, &report) {
        Ok(more) => !more,
        // it was taken before
        Err(VaultError::Report(_)) => released(vault, &sent.digest) == 1,
        Err(_) => false,
    };
    let found = |vault: &mut Vault| {
        let entries = released(vault, &sent.digest);
        let info = vault.grants().unwrap().remove(0).agreement.unwrap();
        assert_eq!(info.agents[0].reported, entries as u64);
        entries
    };
    assert!(Scene::of(&practice.patient).every_fault(&act, &found) >= 6);
}
