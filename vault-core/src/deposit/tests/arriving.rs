//! Announcements, the waiting room, and what a kill leaves.

use std::io::Write as _;

use super::*;
use crate::audit::Act;
use crate::vault::Admission;

impl Scene {
    fn announce(&self, deposit: &Outgoing) -> Vec<u8> {
        sign_announcement(
            self.lab.vault.device(),
            deposit,
            Some(&ENDS),
            now(&self.lab),
        )
    }

    /// Delivers a deposit as a connection would, and gives the answer.
    fn deliver(&mut self, deposit: &Outgoing) -> Result<DepositReceipt, DeliveryError> {
        let announcement = self.announce(deposit);
        let answer = match self
            .pat
            .vault
            .admit_deposit(&announcement, &ENDS, &self.waiting)
        {
            Admission::Answer(answer) => answer,
            Admission::Take(mut incoming) => {
                assert_eq!(incoming.len(), deposit.bytes);
                incoming.write_all(&self.file(deposit)).unwrap();
                self.pat.vault.finish_deposit(*incoming, &self.waiting)
            }
        };
        deposit.read_answer(&answer)
    }

    fn refusal(&mut self, deposit: &Outgoing) -> DepositRefusal {
        match self.deliver(deposit) {
            Err(DeliveryError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn logged(&mut self) -> usize {
        let log = self.pat.vault.audit_log().unwrap();
        let hit = |e: &crate::AuditEntry| matches!(e.act, Act::Deposited { .. });
        log.iter().filter(|e| hit(e)).count()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self._folder.path().join("home/deposits"))
            .unwrap()
            .filter(|f| f.as_ref().unwrap().file_name() != "list")
            .count()
    }

    fn reopened(&self) -> WaitingDeposits {
        let home = Home::open(&self._folder.path().join("home")).unwrap();
        WaitingDeposits::open(Arc::new(home), self.pat.vault.device()).unwrap()
    }
}

#[test]
fn a_delivered_deposit_waits_until_it_is_taken() {
    let mut s = scene();
    let deposit = s.deposit(3, 300_000);
    let receipt = s.deliver(&deposit).unwrap();
    assert_eq!(
        (receipt.deposit, receipt.digest),
        (deposit.deposit, deposit.digest)
    );
    assert_eq!(s.logged(), 1);
    let waiting = s.waiting.list().unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].bytes, deposit.bytes);
    assert!(s.pat.vault.records().unwrap().is_empty(), "quarantined");
    for cid in deposit.cids() {
        assert!(
            !crate::vault::VaultStorage::blocks(&*s.pat.storage)
                .has(&cid)
                .unwrap()
        );
    }
    // once more: the same receipt, and nothing is added
    assert_eq!(s.deliver(&deposit).unwrap(), receipt);
    assert_eq!((s.waiting.list().unwrap().len(), s.logged()), (1, 1));

    let id = deposit.deposit;
    let taken = s
        .pat
        .vault
        .accept_waiting(&id, &s.waiting, &standard())
        .unwrap();
    assert_eq!(taken.records, 4);
    assert!(s.waiting.list().unwrap().is_empty());
    assert_eq!(s.files(), 0);
    assert_eq!(s.deliver(&deposit).unwrap(), receipt, "still remembered");
    let again = s.pat.vault.accept_waiting(&id, &s.waiting, &standard());
    assert!(matches!(
        again,
        Err(DepositError::Waiting(WaitingError::NotFound(_)))
    ));
}

#[test]
fn a_declined_deposit_is_gone_and_logged() {
    let mut s = scene();
    let deposit = s.deposit(1, 0);
    s.deliver(&deposit).unwrap();
    s.pat
        .vault
        .decline_deposit(&deposit.deposit, &s.waiting)
        .unwrap();
    assert_eq!((s.waiting.list().unwrap().len(), s.files()), (0, 0));
    let last = s.pat.vault.audit_log().unwrap().pop().unwrap();
    assert!(matches!(last.act, Act::DepositDeclined { .. }));
    // its sender cannot bring it back, the patient can
    assert!(s.deliver(&deposit).is_ok());
    assert!(s.waiting.list().unwrap().is_empty());
    let parcel = s.parcel(&deposit);
    s.pat.vault.add_deposit(parcel, &s.waiting).unwrap();
    assert_eq!(s.waiting.list().unwrap().len(), 1);
}

#[test]
fn strangers_and_those_without_leave_send_nothing() {
    let mut s = scene();
    let deposit = s.deposit(1, 0);
    s.pat.vault.set_deposit_limit("lab", None).unwrap();
    assert_eq!(s.refusal(&deposit), DepositRefusal::NotAllowed);
    let stranger = world("Eve");
    let announcement =
        sign_announcement(stranger.vault.device(), &deposit, Some(&ENDS), now(&s.lab));
    let admission = s.pat.vault.admit_deposit(&announcement, &ENDS, &s.waiting);
    let Admission::Answer(answer) = admission else {
        panic!("a stranger was let in")
    };
    let refused = Err(DeliveryError::Refused(DepositRefusal::Stranger));
    assert_eq!(deposit.read_answer(&answer), refused);
    assert_eq!((s.files(), s.logged()), (0, 0));
}

#[test]
fn quota_and_rate_hold() {
    let mut s = scene();
    let limit = |bytes, per_day| Some(DepositLimit { bytes, per_day });
    let deposit = s.deposit(1, 0);
    let one = deposit.bytes;
    s.pat
        .vault
        .set_deposit_limit("lab", limit(2 * one, 3))
        .unwrap();
    let large = s.deposit(0, 400_000);
    assert_eq!(s.refusal(&large), DepositRefusal::TooLarge);
    s.deliver(&deposit).unwrap();
    let (second, third, fourth) = (s.deposit(1, 0), s.deposit(1, 0), s.deposit(1, 0));
    s.deliver(&second).unwrap();
    assert_eq!(s.refusal(&third), DepositRefusal::Quota);
    s.pat
        .vault
        .accept_waiting(&second.deposit, &s.waiting, &standard())
        .unwrap();
    s.deliver(&third).unwrap();
    s.pat
        .vault
        .decline_deposit(&third.deposit, &s.waiting)
        .unwrap();
    assert_eq!(s.refusal(&fourth), DepositRefusal::Rate);
    for world in [&s.pat, &s.lab] {
        world.time.fetch_add(24 * 3600, Ordering::Relaxed);
    }
    s.deliver(&fourth).unwrap();
    // two at once: what is under way counts
    s.pat
        .vault
        .decline_deposit(&fourth.deposit, &s.waiting)
        .unwrap();
    s.pat
        .vault
        .set_deposit_limit("lab", limit(2 * one, 30))
        .unwrap();
    let (fifth, sixth) = (s.deposit(1, 0), s.deposit(1, 0));
    let announcement = s.announce(&fifth);
    let under_way = s.pat.vault.admit_deposit(&announcement, &ENDS, &s.waiting);
    assert!(matches!(under_way, Admission::Take(_)));
    assert_eq!(s.refusal(&fifth), DepositRefusal::Busy);
    assert_eq!(s.refusal(&sixth), DepositRefusal::Quota);
    drop(under_way);
    s.deliver(&sixth).unwrap();
}

#[test]
fn the_terms_of_a_grant_may_allow_deposits() {
    let mut s = scene();
    s.pat.vault.set_deposit_limit("lab", None).unwrap();
    assert_eq!(s.pat.vault.deposit_limit("lab").unwrap(), None);
    let grant = s.pat.vault.grants().unwrap()[0].id;
    s.pat.vault.allow_deposits_for_tests(&grant);
    let limit = s.pat.vault.deposit_limit("lab").unwrap();
    assert_eq!(limit, Some(DepositLimit::OF_A_GRANT));
    let deposit = s.deposit(1, 0);
    s.deliver(&deposit).unwrap();
    let target = crate::RevokeTarget::Grant(grant);
    s.pat
        .vault
        .revoke(&target, crate::RevokeLevel::Stop)
        .unwrap();
    let deposit = s.deposit(1, 0);
    assert_eq!(s.refusal(&deposit), DepositRefusal::NotAllowed);
}

#[test]
fn announcements_hold_here_and_now_only() {
    let s = scene();
    let deposit = s.deposit(1, 0);
    let (vault, time) = (s.pat.vault.id(), now(&s.pat));
    let bytes = s.announce(&deposit);
    let read = |ends: Option<&Ends>, at| Announcement::read(&bytes, &vault, ends, at);
    assert!(read(Some(&ENDS), time + 600).is_ok());
    assert_eq!(read(Some(&ENDS), time + 601), Err(DepositRefusal::Clock));
    let elsewhere = Ends {
        client: PublicKey::from_bytes([6; 32]),
        ..ENDS
    };
    for ends in [None, Some(&elsewhere)] {
        assert_eq!(read(ends, time), Err(DepositRefusal::Malformed));
    }
    let other = VaultId::from_bytes([1; 32]);
    let refused = Announcement::read(&bytes, &other, Some(&ENDS), time);
    assert_eq!(refused, Err(DepositRefusal::Malformed));
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let refused = Announcement::read(&altered, &vault, Some(&ENDS), time);
        assert_eq!(refused, Err(DepositRefusal::Malformed), "byte {at}");
    }
}

#[test]
fn bytes_that_were_not_announced_are_not_kept() {
    let mut s = scene();
    let deposit = s.deposit(1, 0);
    let file = s.file(&deposit);
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    let more = [&file[..], b"x"].concat();
    for (sent, whole) in [
        (&file[..file.len() - 1], true),
        (&other, true),
        (&more, false),
    ] {
        let announcement = s.announce(&deposit);
        let admission = s.pat.vault.admit_deposit(&announcement, &ENDS, &s.waiting);
        let Admission::Take(mut incoming) = admission else {
            panic!("not let in")
        };
        assert_eq!(incoming.write_all(sent).is_ok(), whole);
        if whole {
            let answer = s.pat.vault.finish_deposit(*incoming, &s.waiting);
            let refused = Err(DeliveryError::Refused(DepositRefusal::Malformed));
            assert_eq!(deposit.read_answer(&answer), refused);
        }
        assert_eq!((s.logged(), s.waiting.list().unwrap().len()), (0, 0));
    }
    assert_eq!(s.files(), 0);
    s.deliver(&deposit).unwrap();
    // another content under the same id
    let mut impostor = deposit.clone();
    impostor.digest = crate::Digest::of(b"other");
    assert_eq!(s.refusal(&impostor), DepositRefusal::Already);
}

#[test]
fn receipts_of_others_do_not_count() {
    let mut s = scene();
    let (deposit, second) = (s.deposit(1, 0), s.deposit(1, 0));
    s.deliver(&deposit).unwrap();
    let announcement = s.announce(&deposit);
    let Admission::Answer(answer) = s.pat.vault.admit_deposit(&announcement, &ENDS, &s.waiting)
    else {
        panic!("it is known")
    };
    assert!(deposit.read_answer(&answer).is_ok());
    assert_eq!(second.read_answer(&answer), Err(DeliveryError::NoReceipt));
    for at in 0..answer.len() {
        let mut altered = answer.clone();
        altered[at] ^= 1;
        assert!(deposit.read_answer(&altered).is_err(), "byte {at}");
    }
    let eve = world("Eve");
    let receipt = Receipt {
        vault: deposit.vault,
        deposit: deposit.deposit,
        digest: deposit.digest,
        time: 1,
    };
    let forged = receipt.sign(eve.vault.device().signers(), eve.vault.device().signing());
    let forged = deposit.read_answer(&answer_taken(forged));
    assert_eq!(forged, Err(DeliveryError::NoReceipt));
    assert_eq!(deposit.read_answer(b"\xa0"), Err(DeliveryError::NoReceipt));
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_that_counts() {
    let mut s = scene();
    let deposit = s.deposit(2, 0);
    let file = s.file(&deposit);
    let announcement = s.announce(&deposit);
    let Admission::Take(mut incoming) = s.pat.vault.admit_deposit(&announcement, &ENDS, &s.waiting)
    else {
        panic!("not let in")
    };
    incoming.write_all(&file[..1000]).unwrap();
    // another process sweeps while this one writes
    assert!(s.reopened().list().unwrap().is_empty());
    assert_eq!(s.files(), 1, "what is being written stays");
    // a kill: the file stays, its lock does not
    incoming.forget_for_tests();
    assert_eq!(s.files(), 1);
    s.waiting = s.reopened();
    assert_eq!((s.files(), s.logged()), (0, 0));

    // named but not listed
    let stray = s
        ._folder
        .path()
        .join("home/deposits")
        .join(format!("{}.car", deposit.deposit));
    std::fs::write(&stray, &file).unwrap();
    s.waiting = s.reopened();
    assert_eq!(s.files(), 0);

    // listed but not logged
    let owner = *s.lab.vault.device().signers().owner();
    let mut incoming = s
        .waiting
        .begin(owner, deposit.deposit, deposit.bytes, Some(deposit.digest))
        .unwrap();
    incoming.write_all(&file).unwrap();
    s.waiting.keep(incoming, Some(&LIMIT), now(&s.pat)).unwrap();
    s.waiting = s.reopened();
    assert_eq!((s.files(), s.logged()), (1, 0));
    assert_eq!(s.pat.vault.note_arrivals(&s.waiting).unwrap(), 1);
    assert_eq!(s.pat.vault.note_arrivals(&s.waiting).unwrap(), 0);
    assert_eq!(s.logged(), 1);

    // taken, and killed before the parcel was deleted
    let parcel = s.waiting.parcel(&deposit.deposit).unwrap();
    s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    let id = deposit.deposit;
    let again = s.pat.vault.accept_waiting(&id, &s.waiting, &standard());
    assert!(matches!(again, Err(DepositError::Known(_))));
    assert_eq!((s.files(), s.pat.vault.records().unwrap().len()), (0, 2));
}

#[test]
fn a_ticket_leads_to_the_deposit_within_its_announced_length() {
    let mut s = scene();
    let deposit = s.deposit(30, 2_500_000);
    let device = s.lab.vault.device();
    let text = DepositTicket::seal(device, &deposit, &s.target(), &node(), 1).unwrap();
    assert!(DepositTicket::may_be(&text));
    let ticket = s.pat.vault.open_deposit_ticket(&text).unwrap();
    assert_eq!((ticket.root, &ticket.node), (deposit.root(), &node()));
    let eve = world("Eve");
    let refused = eve.vault.open_deposit_ticket(&text);
    assert_eq!(refused, Err(DepositTicketError::ForSomeoneElse));

    let mut short = ticket.clone();
    short.announced.bytes = 1_000_000;
    let fetch = |s: &mut Scene, ticket: &DepositTicket| {
        let scratch = MemoryStore::new();
        s.pat
            .vault
            .fetch_deposit(ticket, &s.store, &scratch, &s.waiting)
    };
    assert!(fetch(&mut s, &short).is_err());
    assert_eq!(s.files(), 0);
    s.pat.vault.set_deposit_limit("lab", None).unwrap();
    let refused = fetch(&mut s, &ticket);
    let not_allowed = WaitingError::Refused(DepositRefusal::NotAllowed);
    assert_eq!(refused.unwrap_err().to_string(), not_allowed.to_string());
    s.pat.vault.set_deposit_limit("lab", Some(LIMIT)).unwrap();
    let fetched = fetch(&mut s, &ticket).unwrap();
    assert_eq!(
        (fetched.deposit, fetched.digest),
        (deposit.deposit, deposit.digest)
    );
    let id = deposit.deposit;
    let taken = s
        .pat
        .vault
        .accept_waiting(&id, &s.waiting, &standard())
        .unwrap();
    assert_eq!(taken.records, 31);
}

/// What was announced is what the quota and the log know; nothing else may be taken in its place.
#[test]
fn a_parcel_of_somebody_else_or_with_another_id_is_not_taken() {
    let mut s = scene();
    let deposit = s.deposit(1, 0);
    let other = world("Other");
    befriend(&mut s.pat, "other", &other);
    s.pat.vault.set_deposit_limit("other", Some(LIMIT)).unwrap();
    for (world, id) in [
        (&other, deposit.deposit),
        (&s.lab, crate::DepositId::random()),
    ] {
        let device = world.vault.device();
        let announced = delivery::Announcement {
            vault: deposit.vault,
            deposit: id,
            bytes: deposit.bytes,
            digest: deposit.digest,
            time: now(&s.lab),
            signers: device.signers().clone(),
        };
        let announced = announced.sign(device.signing(), Some(&ENDS));
        let vault = &mut s.pat.vault;
        let Admission::Take(mut incoming) = vault.admit_deposit(&announced, &ENDS, &s.waiting)
        else {
            panic!("it looks as it should")
        };
        let mut file = Vec::new();
        deposit.write(&s.store, &mut file).unwrap();
        incoming.write_all(&file).unwrap();
        vault.finish_deposit(*incoming, &s.waiting);
        let taken = vault.accept_waiting(&id, &s.waiting, &standard());
        assert!(matches!(taken, Err(DepositError::NotAParcel(_))));
        vault.decline_deposit(&id, &s.waiting).unwrap();
    }
    assert!(s.pat.vault.records().unwrap().is_empty());
}
