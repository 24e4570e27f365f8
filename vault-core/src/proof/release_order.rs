//! The order of things: an answer with keys is made after the head that logs it was replaced.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::on_request::{Clinic, opens};
use super::release_faults::{Sent, content_keys, holds};
use super::support::{all_blocks, head, storage_of};
use crate::access::AccessReply;
use crate::vault::tests::clock;
use crate::vault::{Desk, MemoryStorage, NoCharges, StorageError, Vault, VaultStorage, WriteGuard};
use crate::{BlockStore, RefusalCode};

/// Waits in the middle of replacing the head until it is let through, or told to fail.
struct Gate {
    inner: Arc<MemoryStorage>,
    lock: Mutex<()>,
    reached: Mutex<Sender<()>>,
    go: Mutex<Receiver<bool>>,
    returned: AtomicBool,
}

impl VaultStorage for Gate {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        self.inner.blocks()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.head()
    }

    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
        self.reached.lock().unwrap().send(()).unwrap();
        if !self.go.lock().unwrap().recv().unwrap() {
            return Err(StorageError::InUse);
        }
        self.inner.replace_head(head)?;
        self.returned.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        Ok(Box::new(self.lock.lock().unwrap()))
    }
}

#[test]
fn the_answer_is_made_after_the_head_was_replaced() {
    let mut clinic = Clinic::in_force(opens(1));
    let version = clinic.view().entries[0].version;
    let sent = Sent::new(&mut clinic, &[version]);
    let key = content_keys(&mut clinic.patient.vault, &[version]).remove(0);
    let inner = storage_of(
        &all_blocks(&*clinic.patient.storage),
        Some(&head(&clinic.patient)),
    );
    let ((reached, at_gate), (go, gate)) = (channel(), channel());
    let storage = Arc::new(Gate {
        inner: inner.clone(),
        lock: Mutex::new(()),
        reached: Mutex::new(reached),
        go: Mutex::new(gate),
        returned: AtomicBool::new(false),
    });
    let device = clinic.patient.vault.device.clone();
    let vault = Vault::open(storage.clone(), device, clock(&clinic.patient.time)).unwrap();
    let desk = Desk::open(vault, Box::new(NoCharges), false, Box::new(|_| {}));
    let before = inner.head().unwrap();
    for lets_through in [false, true] {
        let (reply, answer) = channel();
        std::thread::scope(|scope| {
            let (desk, message, returned) = (&desk, &sent.message, &storage.returned);
            scope.spawn(move || {
                let bytes = desk.answer(message);
                let durable = returned.load(Ordering::SeqCst);
                reply.send((bytes, durable)).unwrap();
            });
            at_gate.recv().unwrap();
            // the change is decided and sealed, and the head not replaced: nothing is said
            let early = answer.recv_timeout(Duration::from_millis(100));
            assert!(early.is_err(), "an answer before the head was replaced");
            assert_eq!(inner.head().unwrap(), before);
            go.send(lets_through).unwrap();
        });
        let (bytes, durable) = answer.recv().unwrap();
        assert!(!holds(&bytes, &key));
        let reply = AccessReply::from_bytes(&bytes).unwrap();
        assert_eq!(durable, lets_through);
        match (lets_through, reply) {
            (false, reply) => assert_eq!(reply, AccessReply::Refused(RefusalCode::Busy)),
            (true, AccessReply::Released(released)) => {
                assert!(sent.keys(&released) == [key.clone()]);
                let durable = crate::Head::from_bytes(&inner.head().unwrap().unwrap()).unwrap();
                assert_eq!(released.logged.checkpoint, durable.checkpoint_bytes());
            }
            (true, reply) => panic!("{reply:?}"),
        }
    }
}
