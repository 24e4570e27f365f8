//! Access on request, from the offer to the receipt, with everything that goes wrong in between.

use std::sync::Arc;

use super::support::{Reader, head, now, request};
use crate::access::{AccessReply, RequestDraft};
use crate::grant::{Condition, Conditions};
use crate::ids::{GrantId, VersionId};
use crate::vault::tests::{World, node, record, world};
use crate::vault::{OnRequestTerms, OpenRecord, VaultStorage};
use crate::{
    AskError, Asking, FollowError, Following, Given, GrantView, IndexEntry, RefusalCode,
    RevokeLevel, RevokeTarget, VaultError,
};

/// A patient, an agreement, and a doctor to whom it was offered.
pub(super) struct Clinic {
    pub(super) patient: World,
    pub(super) doctor: Reader,
    pub(super) grant: GrantId,
}

pub(super) fn opens(count: u64) -> Conditions {
    Conditions::default().with(Condition::Opens(count))
}

impl Clinic {
    pub(super) fn new(conditions: Conditions) -> Self {
        let mut patient = world("Pat");
        let mut doctor = Reader::befriended(&mut patient, "doctor");
        let records = (0..4).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
        patient.vault.add_all(records).unwrap();
        let terms = OnRequestTerms {
            conditions,
            ..OnRequestTerms::default()
        };
        let request = request(&["doctor"], None);
        let shared = patient.vault.offer(request, terms, &node()).unwrap();
        doctor.accept(&shared, now(&patient));
        Self {
            patient,
            doctor,
            grant: shared.grant.id,
        }
    }

    /// The same, in force and synced.
    pub(super) fn in_force(conditions: Conditions) -> Self {
        let mut clinic = Self::new(conditions);
        clinic.countersign();
        clinic.sync().unwrap();
        clinic
    }

    pub(super) fn following(&mut self) -> &mut Following {
        self.doctor.following.as_mut().unwrap()
    }

    pub(super) fn countersign(&mut self) {
        let time = now(&self.patient);
        let grant = self.grant;
        let device = self.doctor.world.vault.device.clone();
        let message = self.following().countersign(&grant, &device, time).unwrap();
        assert_eq!(self.answer(&message), AccessReply::Noted {});
    }

    pub(super) fn sync(&mut self) -> Result<(), FollowError> {
        let (head, time) = (head(&self.patient), now(&self.patient));
        let blocks = self.patient.storage.blocks();
        self.following().advance(&head, &*blocks, time).map(drop)
    }

    pub(super) fn answer(&mut self, message: &[u8]) -> AccessReply {
        let answers = self.patient.vault.answer(&[message.to_vec()], &[]);
        assert!(answers.error.is_none(), "{:?}", answers.error);
        answers.replies.into_iter().next().unwrap()
    }

    pub(super) fn view(&mut self) -> GrantView {
        self.sync().unwrap();
        let time = now(&self.patient);
        let blocks = self.patient.storage.blocks();
        let device = self.doctor.world.vault.device.clone();
        let views = self.following().grants(&device, &*blocks, time).unwrap();
        views.into_iter().next().unwrap()
    }

    pub(super) fn asking(&mut self, versions: &[VersionId]) -> Asking {
        let (view, time) = (self.view(), now(&self.patient));
        let device = self.doctor.world.vault.device.clone();
        let following = self.following();
        following
            .ask(&view, versions, None, None, &device, time)
            .unwrap()
    }

    /// A request for the first record, made by hand: anyone may sign it, and it says of the log
    /// what it is told.
    fn draft(&mut self, seen: Option<Vec<u8>>) -> RequestDraft {
        let view = self.view();
        RequestDraft {
            vault: self.patient.vault.id(),
            grant: self.grant,
            terms: view.agreement.unwrap().terms,
            versions: vec![view.entries[0].version],
            purpose: None,
            key: crate::IdentityKey::generate().recipient(),
            log: self.patient.vault.id(),
            seen,
        }
    }

    pub(super) fn ask(&mut self, versions: &[VersionId]) -> Result<Given, AskError> {
        let asking = self.asking(versions);
        let reply = self.answer(asking.message()).to_bytes();
        asking.take(self.following(), &reply)
    }

    /// The content of an entry with a key that came.
    pub(super) fn read(&mut self, given: &Given, entry: &IndexEntry) -> Vec<u8> {
        let entry = given.unlock(entry).unwrap();
        let blocks = self.patient.storage.blocks();
        let mut out = Vec::new();
        let open: OpenRecord = self.following().open_record(&entry, blocks).unwrap();
        open.copy_to(&mut out).unwrap();
        out
    }

    pub(super) fn receipt(&mut self, given: &Given) -> AccessReply {
        let time = now(&self.patient);
        let device = self.doctor.world.vault.device.clone();
        let receipt = given.receipt(true, &device, time).unwrap();
        self.answer(&receipt)
    }

    pub(super) fn log(&mut self) -> Vec<&'static str> {
        let entries = self.patient.vault.audit_log().unwrap();
        entries.iter().map(|entry| entry.act.name()).collect()
    }
}

#[test]
fn from_the_offer_to_the_receipt() {
    let mut clinic = Clinic::new(opens(3));
    clinic.sync().unwrap();
    let blocks = clinic.patient.storage.blocks();
    let device = clinic.doctor.world.vault.device.clone();
    let time = now(&clinic.patient);
    let before = clinic.following().grants(&device, &*blocks, time);
    assert!(
        matches!(before, Err(FollowError::NothingShared)),
        "not even the index shows before both have signed"
    );
    assert_eq!(clinic.following().agreements()[0].accepted, None);

    clinic.countersign();
    clinic.countersign();
    clinic.sync().unwrap();
    let view = clinic.view();
    assert_eq!(view.entries.len(), 4);
    let entry = view.entries[1].clone();
    assert!(!entry.opens());
    let closed = clinic.following().open_record(&entry, blocks.clone());
    assert!(closed.is_err(), "the key is not in the index");

    let given = clinic.ask(&[entry.version]).unwrap();
    assert_eq!(clinic.read(&given, &entry), b"content 1");
    assert!(given.unlock(&view.entries[0]).is_none());
    let proof = given.proof().to_text().unwrap();
    let proof = crate::EntryProof::parse(&proof).unwrap();
    proof.verify(&clinic.patient.vault.id()).unwrap();
    assert_eq!(clinic.receipt(&given), AccessReply::Noted {});
    assert_eq!(clinic.receipt(&given), AccessReply::Noted {});
    clinic.sync().unwrap();

    let both = [view.entries[0].version, view.entries[2].version];
    let given = clinic.ask(&both).unwrap();
    assert_eq!(clinic.read(&given, &view.entries[2]), b"content 2");
    let denied = clinic.ask(&both[..1]).map(drop).unwrap_err();
    assert!(matches!(denied, AskError::Denied { reason, .. } if reason == "no-opens-left"));
    let log = clinic.log();
    let tail = &log[log.len() - 5..];
    assert_eq!(
        tail,
        ["agreed", "released", "receipted", "released", "denied"]
    );
    assert_eq!(clinic.patient.vault.verify_audit().unwrap().bad, None);
}

#[test]
fn the_same_message_again_is_answered_and_counted_once() {
    let mut clinic = Clinic::in_force(opens(1));
    let version = clinic.view().entries[0].version;
    let asking = clinic.asking(&[version]);
    let message = asking.message().to_vec();
    let first = clinic.answer(&message);
    let size = clinic.patient.vault.head().checkpoint().size;
    // in one change, in the next, and by a process that has just begun
    let twice = vec![message.clone(), message.clone()];
    for reply in clinic.patient.vault.answer(&twice, &[]).replies {
        assert!(matches!(reply, AccessReply::Released(_)));
    }
    clinic.patient.vault.reload().unwrap();
    let again = clinic.answer(&message).to_bytes();
    assert!(matches!(first, AccessReply::Released(_)));
    assert_eq!(clinic.patient.vault.head().checkpoint().size, size);
    asking.take(clinic.following(), &again).unwrap();

    let denied = clinic.asking(&[version]);
    let twice = vec![denied.message().to_vec(), denied.message().to_vec()];
    for reply in clinic.patient.vault.answer(&twice, &[]).replies {
        assert!(matches!(reply, AccessReply::Denied(_)));
    }
    assert_eq!(
        clinic.log().iter().filter(|act| **act == "denied").count(),
        1
    );
}

#[test]
fn one_open_left_and_ten_who_ask_at_once() {
    let mut clinic = Clinic::in_force(opens(1));
    let entries = clinic.view().entries;
    let asking: Vec<Asking> = (0..10)
        .map(|i| clinic.asking(&[entries[i % 4].version]))
        .collect();
    let messages: Vec<Vec<u8>> = asking.iter().map(|one| one.message().to_vec()).collect();
    let replies = clinic.patient.vault.answer(&messages, &[]).replies;
    let released = replies
        .iter()
        .filter(|reply| matches!(reply, AccessReply::Released(_)));
    assert_eq!(released.count(), 1);
    let denied = replies
        .iter()
        .filter(|reply| matches!(reply, AccessReply::Denied(_)));
    assert_eq!(denied.count(), 9);
    for (asking, reply) in asking.into_iter().zip(replies) {
        let reply = reply.to_bytes();
        let taken = asking.take(clinic.following(), &reply);
        assert!(matches!(taken, Ok(_) | Err(AskError::Denied { .. })));
    }
}

#[test]
fn revoked_means_closed_for_good_and_the_receipt_says_what_was_opened() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let entries = clinic.view().entries;
    let given = clinic.ask(&[entries[3].version]).unwrap();
    assert_eq!(clinic.read(&given, &entries[3]), b"content 3");
    let late = clinic.asking(&[entries[0].version]);
    let target = RevokeTarget::Grant(clinic.grant);
    let revoked = clinic
        .patient
        .vault
        .revoke(&target, RevokeLevel::Stop)
        .unwrap();
    let receipt = revoked[0].receipt.clone().unwrap();
    assert_eq!(receipt.opened, Some(1));
    assert_eq!(receipt.opened_versions, [entries[3].version]);
    assert_eq!(receipt.could_have_opened, 1);
    assert_eq!(receipt.never_delivered, 3);
    let reply = clinic.answer(late.message()).to_bytes();
    let denied = late.take(clinic.following(), &reply).map(drop).unwrap_err();
    assert!(matches!(denied, AskError::Denied { reason, .. } if reason == "withdrawn"));
}

#[test]
fn only_what_was_opened_is_sealed_again() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let entries = clinic.view().entries;
    let given = clinic.ask(&[entries[3].version]).unwrap();
    let target = RevokeTarget::Contact("doctor".into());
    clinic
        .patient
        .vault
        .revoke(&target, RevokeLevel::Rekey)
        .unwrap();
    let receipt = clinic
        .patient
        .vault
        .rekey(&clinic.grant, &mut |_| {})
        .unwrap();
    assert_eq!(
        (receipt.opened, receipt.never_delivered, receipt.rekeyed),
        (Some(1), 3, 1)
    );
    let entry = given.unlock(&entries[3]).unwrap();
    let blocks = clinic.patient.storage.blocks();
    assert!(clinic.following().open_record(&entry, blocks).is_err());
}

#[test]
fn a_vault_put_back_to_an_older_copy_is_found_out_and_gives_nothing() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let entries = clinic.view().entries;
    let old = (
        head(&clinic.patient),
        super::support::all_blocks(&*clinic.patient.storage),
    );
    clinic.ask(&[entries[0].version]).unwrap();
    let storage = super::support::storage_of(&old.1, Some(&old.0));
    let device = clinic.patient.vault.device.clone();
    let clock = crate::vault::tests::clock(&clinic.patient.time);
    let mut rolled = crate::Vault::open(storage, device, clock).unwrap();
    let asking = clinic.asking(&[entries[1].version]);
    let answers = rolled.answer(&[asking.message().to_vec()], &[]);
    assert!(answers.diverged.is_some());
    let reply = answers.replies[0].to_bytes();
    assert_eq!(rolled.head().block().data(), old.0, "nothing was written");
    let error = asking
        .take(clinic.following(), &reply)
        .map(drop)
        .unwrap_err();
    let AskError::Diverged { statement, .. } = error else {
        panic!("{error:?}")
    };
    let signers = rolled.head().signers().clone();
    assert!(crate::LogStatement::from_bytes(&statement, &signers).is_ok());
}

#[test]
fn a_reader_who_lies_about_what_it_saw_changes_nothing() {
    let mut clinic = Clinic::in_force(Conditions::default());
    // a checkpoint of the right form, signed by nobody of the vault
    let own = clinic.doctor.world.vault.head().clone();
    let before = head(&clinic.patient);
    let seen = own.checkpoint_bytes().to_vec();
    let (draft, time) = (clinic.draft(Some(seen)), now(&clinic.patient));
    let device = clinic.doctor.world.vault.device.clone();
    let message = crate::access::AccessMessage::Request(draft.sign(&device, time));
    let reply = clinic.answer(&message.to_bytes());
    assert_eq!(reply, AccessReply::Refused(RefusalCode::Malformed));
    assert_eq!(head(&clinic.patient), before);
}

#[test]
fn strangers_and_garbage_leave_no_trace() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let before = head(&clinic.patient);
    let eve = world("Eve");
    let (draft, time) = (clinic.draft(None), now(&clinic.patient));
    let message = crate::access::AccessMessage::Request(draft.sign(&eve.vault.device, time));
    let reply = clinic.answer(&message.to_bytes());
    assert_eq!(reply, AccessReply::Refused(RefusalCode::Stranger));
    for garbage in [&b""[..], b"hello", &[0xff; 100]] {
        let reply = clinic.answer(garbage);
        assert_eq!(reply, AccessReply::Refused(RefusalCode::Malformed));
    }
    assert_eq!(head(&clinic.patient), before);
}

/// Whoever is not known here must not be able to keep other commands from the vault.
#[test]
fn strangers_do_not_take_the_lock() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let eve = world("Eve");
    let (draft, time) = (clinic.draft(None), now(&clinic.patient));
    let stranger = crate::access::AccessMessage::Request(draft.sign(&eve.vault.device, time));
    let messages = vec![stranger.to_bytes(), b"garbage".to_vec()];
    let storage = clinic.patient.storage.clone();
    let held = storage.lock().unwrap();
    let (done, answered) = std::sync::mpsc::channel();
    let mut vault = clinic.patient.vault;
    let asking = std::thread::spawn(move || {
        let replies = vault.answer(&messages, &[]).replies;
        done.send(replies).unwrap();
    });
    let replies = answered.recv_timeout(std::time::Duration::from_secs(20));
    drop(held);
    asking.join().unwrap();
    let refused = |code| AccessReply::Refused(code);
    let expected = [
        refused(RefusalCode::Stranger),
        refused(RefusalCode::Malformed),
    ];
    assert_eq!(replies.unwrap(), expected);
}

#[test]
fn times_purposes_and_clocks_are_kept() {
    let start = 1_790_000_000 + 3600;
    let mut clinic = Clinic::in_force(Conditions::default().with(Condition::From(start)));
    let version = clinic.view().entries[0].version;
    let reason = |clinic: &mut Clinic| match clinic.ask(&[version]).map(drop) {
        Ok(()) => "given".to_owned(),
        Err(AskError::Denied { reason, .. }) => reason,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(reason(&mut clinic), "too-early");
    let asking = clinic.asking(&[version]);
    let time = clinic.patient.time.clone();
    time.fetch_add(3600, std::sync::atomic::Ordering::Relaxed);
    let reply = clinic.answer(asking.message()).to_bytes();
    let late = asking
        .take(clinic.following(), &reply)
        .map(drop)
        .unwrap_err();
    assert!(matches!(late, AskError::Denied { reason, .. } if reason == "clock"));
    assert_eq!(reason(&mut clinic), "given");
}

#[test]
fn a_grant_on_request_does_not_go_as_a_file() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let made = clinic
        .patient
        .vault
        .grant_archive(&clinic.grant, "doctor", &node());
    assert!(matches!(made, Err(VaultError::CarriedOnly)));
}

#[test]
fn a_standing_grant_takes_in_new_records_with_their_keys_sealed() {
    let mut clinic = Clinic::in_force(Conditions::default());
    clinic
        .patient
        .vault
        .add_all([record("new", b"new content")])
        .unwrap();
    clinic.sync().unwrap();
    let entry = clinic.view().entries.last().unwrap().clone();
    assert!(!entry.opens());
    let given = clinic.ask(&[entry.version]).unwrap();
    assert_eq!(clinic.read(&given, &entry), b"new content");
    let blocks = clinic.patient.storage.blocks();
    assert!(Arc::strong_count(&blocks) > 0);
}

/// Whoever found a lost device can sign any log with it, and may know a reader: the patient's node
/// does not stop for that.
#[test]
fn a_log_that_a_lost_device_signed_stops_nothing() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let version = clinic.view().entries[0].version;
    let lost = super::support::lose_device(&mut clinic.patient);
    let origin = crate::head::log_origin(&lost.vault());
    let forged = crate::log::Checkpoint {
        origin: origin.clone(),
        size: 1_000_000,
        root: crate::log::leaf_hash(b"anything"),
    };
    let forged = forged.sign(&origin, lost.signing().dalek()).unwrap();
    let request = RequestDraft {
        vault: lost.vault(),
        grant: clinic.grant,
        terms: crate::Digest::of(b"terms"),
        versions: vec![version],
        purpose: None,
        key: crate::access::moment().1,
        log: lost.vault(),
        seen: Some(forged.as_bytes().to_vec()),
    };
    let request = request.sign(&clinic.doctor.world.vault.device, now(&clinic.patient));
    let message = crate::access::AccessMessage::Request(request).to_bytes();
    let answers = clinic.patient.vault.answer(&[message], &[]);
    let malformed = AccessReply::Refused(RefusalCode::Malformed);
    assert_eq!(answers.replies, [malformed]);
    assert!(answers.diverged.is_none());
    clinic.ask(&[version]).unwrap();
}
