//! What a phone does to an app: locks, kills, suspends, cuts the network, fills the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vault_ffi::{
    CallbackError, GrantStatus, MedVaultError, MemoryLog, NetworkUse, NodeOptions, Platform,
    ProgressListener, RecordFilter, RevokeLevel, RevokeWork, Unlock, fixed_network, open_vault,
};

use crate::support::{Someone, acquaint, everything_for, observation, platform, wait};

#[test]
fn a_locked_vault_gives_nothing_and_opens_again() {
    let mira = Someone::new("Mira");
    mira.add(&observation("Glucose"));
    mira.serve();
    wait(mira.vault.lock()).unwrap();
    assert!(mira.vault.is_locked());
    let locked = wait(mira.vault.records(RecordFilter::default()));
    assert!(matches!(locked, Err(MedVaultError::Locked { code, .. }) if code == "locked"));
    assert!(mira.vault.backup("x".into(), None).is_err());
    wait(mira.vault.lock()).unwrap();
    wait(mira.vault.unlock(Unlock::KeyStore)).unwrap();
    assert_eq!(mira.titles(), ["Glucose"]);
    assert_eq!(
        wait(mira.vault.node_status()).unwrap(),
        None,
        "the node was stopped"
    );
    mira.serve();
}

#[test]
fn locking_while_it_unlocks_leaves_it_locked() {
    let mira = Someone::new("Mira");
    wait(mira.vault.change_passphrase("horse".into())).unwrap();
    wait(mira.vault.lock()).unwrap();
    let vault = mira.vault.clone();
    let unlocking = std::thread::spawn(move || {
        wait_here(vault.unlock(Unlock::Passphrase {
            passphrase: "horse".into(),
        }))
    });
    // the passphrase takes some hundred milliseconds
    std::thread::sleep(Duration::from_millis(50));
    wait(mira.vault.lock()).unwrap();
    let ended = unlocking.join().unwrap();
    assert!(
        matches!(ended, Err(MedVaultError::Cancelled { .. })),
        "{ended:?}"
    );
    assert!(mira.vault.is_locked());
}

#[test]
fn locking_ends_a_long_work_and_nothing_half_done_stays() {
    let mira = Someone::new("Mira");
    let big = mira.path("big.bin");
    let file = std::fs::File::create(&big).unwrap();
    // long enough to be under way for minutes
    file.set_len(64 << 30).unwrap();
    let work = mira
        .vault
        .add_file(big.display().to_string(), None)
        .unwrap();
    while work.progress().done < 8 << 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // what comes after it waits, and what only reads does not
    let vault = mira.vault.clone();
    let waiting = std::thread::spawn(move || wait_here(vault.add(b"x".to_vec(), "x.txt".into())));
    assert_eq!(mira.titles(), Vec::<String>::new());
    assert!(!work.is_finished());
    wait(mira.vault.lock()).unwrap();
    let ended = wait(work.result());
    assert!(
        matches!(ended, Err(MedVaultError::Cancelled { .. })),
        "{ended:?}"
    );
    assert!(waiting.join().unwrap().is_err());
    wait(mira.vault.unlock(Unlock::KeyStore)).unwrap();
    assert_eq!(mira.titles(), Vec::<String>::new());
    assert!(wait(mira.vault.verify_audit()).unwrap().intact);
}

#[test]
fn a_writer_that_is_kept_keeps_no_key_and_holds_nobody_up() {
    let mira = Someone::new("Mira");
    let writers: Vec<_> = (0..40)
        .map(|number| mira.vault.add_stream(format!("{number}.bin")).unwrap())
        .collect();
    for (number, writer) in writers.iter().enumerate() {
        writer.write(&[number as u8; 100]).unwrap();
    }
    mira.add(&observation("Glucose"));
    assert_eq!(wait(writers[3].finish()).unwrap().added, 1);
    assert_eq!(
        wait(writers[3].finish()).unwrap().added,
        1,
        "the same answer"
    );
    wait(mira.vault.lock()).unwrap();
    let late = writers[4].write(&[1; 10]);
    assert!(matches!(late, Err(MedVaultError::Cancelled { .. })));
    let late = wait(writers[5].finish());
    assert!(
        matches!(late, Err(MedVaultError::Locked { .. })),
        "{late:?}"
    );
    wait(mira.vault.unlock(Unlock::KeyStore)).unwrap();
    assert_eq!(mira.titles().len(), 2);
}

struct Heard(Mutex<Vec<(u64, u64)>>);

impl ProgressListener for Heard {
    fn progress(&self, done: u64, total: u64) -> Result<(), CallbackError> {
        self.0.lock().unwrap().push((done, total));
        Err(CallbackError::Failed)
    }
}

#[test]
fn an_import_tells_how_far_it_is_and_can_be_cancelled() {
    let mira = Someone::new("Mira");
    let big = mira.file("big.bin", &vec![5; 40 << 20]);
    let heard = Arc::new(Heard(Mutex::default()));
    let work = mira
        .vault
        .add_file(big.clone(), Some(heard.clone()))
        .unwrap();
    wait(work.result()).unwrap();
    let all = heard.0.lock().unwrap().clone();
    assert_eq!(all.last(), Some(&(40 << 20, 40 << 20)));
    assert!(all.is_sorted_by(|a, b| a.0 <= b.0 || b.0 == 0), "{all:?}");

    std::fs::write(&big, vec![6; 60 << 20]).unwrap();
    let work = mira.vault.add_file(big, None).unwrap();
    work.cancel();
    let ended = wait(work.result());
    assert!(matches!(ended, Err(MedVaultError::Cancelled { .. })));
    assert!(work.is_finished());
    assert_eq!(mira.titles().len(), 1);
}

#[test]
fn two_handles_on_one_vault_see_each_others_changes() {
    let mira = Someone::new("Mira");
    let other = wait(open_vault(
        mira.home(),
        Unlock::KeyStore,
        platform(&mira.key_store),
    ))
    .unwrap();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let vault = if number % 2 == 0 {
                mira.vault.clone()
            } else {
                other.clone()
            };
            std::thread::spawn(move || {
                for each in 0..3 {
                    let text = observation(&format!("{number}.{each}"));
                    wait_here(vault.add(text.into_bytes(), "x.json".into())).unwrap();
                    wait_here(vault.records(RecordFilter::default())).unwrap();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(mira.titles().len(), 24);
    let seen = wait(other.records(RecordFilter::default())).unwrap();
    assert_eq!(seen.len(), 24);
    assert!(wait(other.verify_audit()).unwrap().intact);
}

/// Each thread drives its own future.
fn wait_here<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

#[test]
fn a_policy_without_network_is_obeyed() {
    let asked = Arc::new(AtomicU64::new(0));
    let mira = Someone::with("Mira", |platform| Platform {
        network: Some(Arc::new(Counting(asked.clone()))),
        ..platform
    });
    let refused = wait(mira.vault.start_node(NodeOptions {
        local_only: true,
        private: true,
    }));
    let Err(MedVaultError::Network { code, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(code, "network-not-allowed");
    assert!(asked.load(Ordering::Relaxed) > 0);
    let small = Someone::with("Bo", |platform| Platform {
        network: Some(fixed_network(NetworkUse::SmallOnly)),
        ..platform
    });
    let refused = wait(small.vault.start_node(NodeOptions {
        local_only: true,
        private: true,
    }));
    assert!(
        matches!(refused, Err(MedVaultError::Network { code, .. }) if code == "network-small-only")
    );
}

#[test]
fn what_the_policy_forbids_is_not_done_and_what_is_here_is_read() {
    let (mira, clinic) = (Someone::new("Mira"), Arc::new(Switch::default()));
    let there = clinic.clone();
    let clinic = Someone::with("Clinic", |platform| Platform {
        network: Some(there.clone()),
        ..platform
    });
    acquaint(&mira, &clinic);
    let glucose = mira.add(&observation("Glucose"));
    let sodium = mira.file("sodium.bin", &vec![1; 1 << 20]);
    let sodium = wait(mira.vault.add_file(sodium, None).unwrap().result()).unwrap();
    mira.serve();
    let shared = wait(mira.vault.share(everything_for("Clinic"))).unwrap();
    let ticket = shared.tickets[0].ticket.clone();
    wait(clinic.vault.accept_ticket(ticket, None)).unwrap();
    let refused = |outcome: Result<Vec<u8>, MedVaultError>| {
        let Err(MedVaultError::Network { code, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        code
    };
    there.set(NetworkUse::Nothing);
    let sync = wait(clinic.vault.sync_sender("Mira".into(), false));
    assert!(matches!(sync, Err(MedVaultError::Network { .. })));
    let report = wait(clinic.vault.sync(5_000)).unwrap();
    assert_eq!((report.senders.len(), report.problems.len()), (0, 1));
    assert_eq!(
        wait(mira.vault.node_status()).unwrap().unwrap().heads_sent,
        0
    );
    there.set(NetworkUse::SmallOnly);
    wait(clinic.vault.sync_sender("Mira".into(), false)).unwrap();
    let of = |id: &str| {
        wait(
            clinic
                .vault
                .shared_content("Mira".into(), id.to_owned(), None),
        )
    };
    assert_eq!(refused(of(&glucose)), "network-small-only");
    there.set(NetworkUse::Everything);
    assert_eq!(of(&glucose).unwrap(), observation("Glucose").as_bytes());
    // it is here now
    there.set(NetworkUse::Nothing);
    assert_eq!(of(&glucose).unwrap(), observation("Glucose").as_bytes());
    assert_eq!(refused(of(&sodium.records[0])), "network-not-allowed");

    there.set(NetworkUse::Everything);
    clinic.serve();
    there.set(NetworkUse::Nothing);
    let begun = Instant::now();
    while wait(clinic.vault.node_status()).unwrap().is_some() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the node goes on"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A policy that a test changes.
struct Switch(Mutex<NetworkUse>);

impl Default for Switch {
    fn default() -> Self {
        Self(Mutex::new(NetworkUse::Everything))
    }
}

impl Switch {
    fn set(&self, allowed: NetworkUse) {
        *self.0.lock().unwrap() = allowed;
    }
}

impl vault_ffi::NetworkPolicy for Switch {
    fn allowed(&self) -> Result<NetworkUse, CallbackError> {
        Ok(*self.0.lock().unwrap())
    }
}

struct Counting(Arc<AtomicU64>);

impl vault_ffi::NetworkPolicy for Counting {
    fn allowed(&self) -> Result<NetworkUse, CallbackError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(CallbackError::Failed)
    }
}

#[test]
fn sync_returns_by_its_deadline() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    acquaint(&mira, &clinic);
    mira.add(&observation("Glucose"));
    mira.serve();
    let shared = wait(mira.vault.share(everything_for("Clinic"))).unwrap();
    let ticket = shared.tickets[0].ticket.clone();
    wait(clinic.vault.accept_ticket(ticket, None)).unwrap();
    let report = wait(clinic.vault.sync(20_000)).unwrap();
    assert!(report.finished, "{report:?}");
    assert_eq!(report.senders[0].records, 1);

    // the node is gone, and a connection to where it was takes its time
    wait(mira.vault.stop_node()).unwrap();
    let begun = Instant::now();
    let report = wait(clinic.vault.sync(1_500)).unwrap();
    assert!(
        begun.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        begun.elapsed()
    );
    assert!(report.senders.is_empty());
    let report = wait(clinic.vault.sync(0)).unwrap();
    assert!(!report.finished);
}

#[test]
fn a_log_has_no_names_in_it() {
    let log = MemoryLog::new();
    let mira = Someone::with("Mira", |platform| Platform {
        log: Some(log.sink()),
        ..platform
    });
    mira.add(&observation("Glucose"));
    mira.serve();
    wait(mira.vault.stop_node()).unwrap();
    let lines = log.lines();
    assert!(
        lines.iter().any(|line| line.event == "serving"),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.event == "stopped"),
        "{lines:?}"
    );
    let all = format!("{lines:?}");
    assert!(!all.contains("Mira") && !all.contains("Glucose"));
}

#[test]
fn a_revocation_that_is_cancelled_shuts_out_all_the_same_and_goes_on_later() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    acquaint(&mira, &clinic);
    // two batches of a re-key
    for number in 0..2u8 {
        let path = mira.file("scan.bin", &vec![number; 70 << 20]);
        wait(mira.vault.add_file(path, None).unwrap().result()).unwrap();
    }
    let shared = wait(mira.vault.share(everything_for("Clinic"))).unwrap();
    let heard = Arc::new(Cancelling::default());
    let work = mira
        .vault
        .revoke(shared.grant, RevokeLevel::Rekey, Some(heard.clone()))
        .unwrap();
    *heard.0.lock().unwrap() = Some(work.clone());
    let ended = wait(work.result());
    assert!(
        matches!(ended, Err(MedVaultError::Cancelled { .. })),
        "{ended:?}"
    );
    let grants = wait(mira.vault.grants()).unwrap();
    assert_eq!(grants[0].status, GrantStatus::Rekeying);
    let rest = mira.vault.finish_revocations(None).unwrap();
    let receipts = wait(rest.result()).unwrap();
    assert_eq!((receipts.len(), receipts[0].rekeyed), (1, 2));
    assert_eq!(
        wait(mira.vault.grants()).unwrap()[0].status,
        GrantStatus::Revoked
    );
    assert!(
        wait(mira.vault.verify_blocks(true))
            .unwrap()
            .unreadable
            .is_empty()
    );
}

#[test]
fn a_word_to_stop_after_the_last_batch_loses_no_receipt() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    acquaint(&mira, &clinic);
    mira.add(&observation("Glucose"));
    let shared = wait(mira.vault.share(everything_for("Clinic"))).unwrap();
    let heard = Arc::new(Cancelling::default());
    let work = mira
        .vault
        .revoke(shared.grant, RevokeLevel::Rekey, Some(heard.clone()))
        .unwrap();
    *heard.0.lock().unwrap() = Some(work.clone());
    assert_eq!(wait(work.result()).unwrap()[0].rekeyed, 1);
}

/// Cancels the work as soon as it hears of it.
#[derive(Default)]
struct Cancelling(Mutex<Option<Arc<RevokeWork>>>);

impl ProgressListener for Cancelling {
    fn progress(&self, _: u64, _: u64) -> Result<(), CallbackError> {
        // the handle may not be here yet
        for _ in 0..1000 {
            if let Some(work) = &*self.0.lock().unwrap() {
                work.cancel();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
