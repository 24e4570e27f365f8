//! Telling the world where the newest head is, while a node serves.
//!
//! A [`Publisher`] is one way to do so. Each runs on a thread of its own, so that a slow or dead
//! one holds up nobody: on every new head, again before what it published expires, and after a
//! pause when it failed. Publishing is a courtesy; readers believe the signature and their memory.

mod dht;
mod kubo;
mod routing;
mod schedule;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vault_core::{Clock, Head, SigningKey};

use crate::error::Result;
pub use dht::Dht;
pub use kubo::Kubo;
pub use routing::Routing;
use schedule::Schedule;

/// One way to publish the vault's head.
pub trait Publisher: Send {
    /// A short name for logs and status, such as `ipns`.
    fn name(&self) -> &'static str;

    /// Publishes `head`, under the name that `key` stands for ([`vault_core::Device::ipns_key`])
    /// where the way has names. May block for as long as its own time limits allow.
    ///
    /// # Errors
    /// Whatever hinders it. It is tried again later, less and less often.
    fn publish(&self, head: &Head, key: &SigningKey) -> Result<Published>;
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Until when it is good without being published again, in seconds since 1970-01-01 UTC.
    pub valid_until: u64,
}

/// How one publisher stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: &'static str,
    /// Number of the head that is out.
    pub published: Option<u64>,
    /// When it was published last, in seconds since 1970-01-01 UTC.
    pub last: Option<u64>,
    /// When it is due again.
    pub next: u64,
    /// Failures since the last success.
    pub failures: u32,
    /// Code of the last failure, if that was the last attempt.
    pub error: Option<&'static str>,
}

/// How an attempt ended, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The head with this number is out.
    Published {
        /// The publisher.
        by: &'static str,
        /// Number of the head.
        seq: u64,
        /// Until when it is good.
        valid_until: u64,
    },
    /// It failed and is tried again later.
    Failed {
        /// The publisher.
        by: &'static str,
        /// Number of the head.
        seq: u64,
        /// Code of the error.
        error: &'static str,
        /// When it is tried again, in seconds since 1970-01-01 UTC.
        again: u64,
    },
}

/// The publishers of a running node.
pub struct Publishing {
    heads: Vec<Sender<Head>>,
    standings: Arc<Mutex<Vec<Standing>>>,
}

impl Publishing {
    /// Starts publishers; they wait for a head. `report` hears of every attempt.
    pub fn start(
        publishers: Vec<Box<dyn Publisher>>,
        key: &SigningKey,
        clock: &Clock,
        report: &Arc<dyn Fn(Attempt) + Send + Sync>,
    ) -> Self {
        let standings = publishers.iter().map(|publisher| Standing {
            name: publisher.name(),
            published: None,
            last: None,
            next: 0,
            failures: 0,
            error: None,
        });
        let standings = Arc::new(Mutex::new(standings.collect::<Vec<_>>()));
        let mut heads = Vec::new();
        for (place, publisher) in publishers.into_iter().enumerate() {
            let (sender, newest) = channel();
            let worker = Worker {
                publisher,
                key: key.clone(),
                clock: clock.clone(),
                report: report.clone(),
                standings: standings.clone(),
                place,
            };
            // not joined: one that hangs in the network must not hold up the end of the process
            std::thread::spawn(move || worker.run(&newest));
            heads.push(sender);
        }
        Self { heads, standings }
    }

    /// There is a new head to publish.
    pub fn head(&self, head: &Head) {
        for sender in &self.heads {
            let _ = sender.send(head.clone()); // a worker ends only when we drop the sender
        }
    }

    /// How the publishers stand; a handle that outlives this.
    pub fn standings(&self) -> impl Fn() -> Vec<Standing> + Send + Sync + 'static {
        let standings = self.standings.clone();
        move || lock(&standings).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    publisher: Box<dyn Publisher>,
    key: SigningKey,
    clock: Clock,
    report: Arc<dyn Fn(Attempt) + Send + Sync>,
    standings: Arc<Mutex<Vec<Standing>>>,
    place: usize,
}

impl Worker {
    /// Works until nobody sends heads any more.
    fn run(self, newest: &Receiver<Head>) {
        let Ok(mut head) = newest.recv() else { return };
        let mut schedule = Schedule::default();
        loop {
            let now = (self.clock)();
            let due = schedule.due(head.seq(), now);
            if due <= now {
                self.attempt(&head, &mut schedule);
                continue;
            }
            // in short steps, for the clock may be set meanwhile
            let wait = Duration::from_secs((due - now).min(60));
            match newest.recv_timeout(wait) {
                Ok(next) => head = newest.try_iter().last().unwrap_or(next),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn attempt(&self, head: &Head, schedule: &mut Schedule) {
        let seq = head.seq();
        let by = self.publisher.name();
        let outcome = self.publisher.publish(head, &self.key);
        let now = (self.clock)();
        let (attempt, error) = match outcome {
            Ok(Published { valid_until }) => {
                schedule.succeeded(seq, valid_until, now);
                let done = Attempt::Published {
                    by,
                    seq,
                    valid_until,
                };
                (done, None)
            }
            Err(error) => {
                schedule.failed(now);
                let again = schedule.due(seq, now);
                let failed = Attempt::Failed {
                    by,
                    seq,
                    error: error.code,
                    again,
                };
                (failed, Some(error.code))
            }
        };
        {
            let mut all = lock(&self.standings);
            let standing = &mut all[self.place];
            standing.published = schedule.published();
            standing.next = schedule.due(seq, now);
            standing.failures = schedule.failures();
            standing.error = error;
            if error.is_none() {
                standing.last = Some(now);
            }
        }
        (self.report)(attempt);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use vault_core::{Device, MemoryStorage, RecoveryWords, Vault};

    use super::*;
    use crate::error::{Error, Exit};

    /// Fails as often as it is told to, then publishes for a day.
    struct Fake {
        failures: AtomicU64,
        clock: Clock,
    }

    impl Publisher for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn publish(&self, head: &Head, _: &SigningKey) -> Result<Published> {
            let left = self.failures.load(Ordering::Relaxed);
            self.failures
                .store(left.saturating_sub(1), Ordering::Relaxed);
            match left {
                0 => Ok(Published {
                    valid_until: (self.clock)() + 86_400 + head.seq(),
                }),
                _ => Err(Error::new(Exit::Network, "offline", "nobody is there")),
            }
        }
    }

    #[test]
    fn a_publisher_that_fails_is_asked_again_and_gets_each_new_head() {
        let now = Arc::new(AtomicU64::new(1_790_000_000));
        // every look at the clock is five seconds later: nothing here waits for real
        let clock: Clock = Arc::new(move || now.fetch_add(5, Ordering::Relaxed));
        let device = Device::for_new_vault(&RecoveryWords::generate(), clock());
        let key = device.ipns_key();
        let storage = Arc::new(MemoryStorage::new());
        let vault = Vault::create(storage, Arc::new(device), "Mira", clock.clone()).unwrap();
        let head = vault.head();
        let (sender, attempts) = channel();
        let sender = Mutex::new(sender);
        let report = move |attempt| lock(&sender).send(attempt).unwrap();
        let fake = Fake {
            failures: AtomicU64::new(0),
            clock: clock.clone(),
        };
        let report: Arc<dyn Fn(Attempt) + Send + Sync> = Arc::new(report);
        let publishing = Publishing::start(vec![Box::new(fake)], &key, &clock, &report);
        let standings = publishing.standings();
        assert_eq!(standings()[0].published, None);
        publishing.head(head);
        let wait = Duration::from_secs(10);
        let attempt = attempts.recv_timeout(wait).unwrap();
        assert!(matches!(attempt, Attempt::Published { by: "fake", seq, .. } if seq == head.seq()));
        let standing = standings().remove(0);
        assert_eq!(standing.published, Some(head.seq()));
        assert!(standing.next > standing.last.unwrap());
        assert_eq!((standing.failures, standing.error), (0, None));
    }

    #[test]
    fn one_that_fails_holds_up_nobody() {
        let now = Arc::new(AtomicU64::new(1_790_000_000));
        // every look at the clock is a minute later
        let clock: Clock = Arc::new(move || now.fetch_add(60, Ordering::Relaxed));
        let device = Device::for_new_vault(&RecoveryWords::generate(), clock());
        let key = device.ipns_key();
        let storage = Arc::new(MemoryStorage::new());
        let vault = Vault::create(storage, Arc::new(device), "Mira", clock.clone()).unwrap();
        let (sender, attempts) = channel();
        let sender = Mutex::new(sender);
        let report = move |attempt| {
            let _ = lock(&sender).send(attempt); // the test may be over
        };
        let fake = |failures| {
            let clock = clock.clone();
            let failures = AtomicU64::new(failures);
            Box::new(Fake { failures, clock }) as Box<dyn Publisher>
        };
        let report: Arc<dyn Fn(Attempt) + Send + Sync> = Arc::new(report);
        let publishing = Publishing::start(vec![fake(1), fake(0)], &key, &clock, &report);
        publishing.head(vault.head());
        let wait = Duration::from_secs(10);
        let mut seen: Vec<_> = (0..3)
            .map(|_| attempts.recv_timeout(wait).unwrap())
            .collect();
        seen.sort_by_key(|attempt| matches!(attempt, Attempt::Published { .. }));
        let [failed, published @ ..] = &seen[..] else {
            panic!("three attempts")
        };
        assert!(matches!(failed, Attempt::Failed { error: "offline", again, .. } if *again > 0));
        let out = |attempt: &Attempt| matches!(attempt, Attempt::Published { .. });
        assert!(published.iter().all(out), "{published:?}");
        assert_eq!(
            publishing.standings()()[0].error,
            None,
            "the failure is over"
        );
    }
}
