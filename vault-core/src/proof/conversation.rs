//! The conversation between a patient, an agent and several readers, over a network that drops,
//! repeats, delays and reorders, with sides that are killed and start again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use super::on_request::{Clinic, opens};
use super::support::{Reader, head, now};
use super::ward::{Ward, answer, releases};
use crate::access::AccessReply;
use crate::audit::{Act, Asked};
use crate::grant::{Conditions, Ticket};
use crate::ids::VaultId;
use crate::vault::tests::{node, world};
use crate::vault::{AgentRequest, Charge, VaultStorage};
use crate::{AskError, Asking, Digest, Following, PublicKey, codec};

/// Cases when `MEDVAULT_PROOF_CASES` does not say otherwise.
const CASES: u32 = 8;
const STEPS: usize = 32;
const READERS: usize = 3;
const LIMIT: u64 = 5;
const ALLOWANCE: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    Patient,
    Agent,
    Reader(usize),
}

/// A message on its way. `ask` is the number of the request that it is or answers.
#[derive(Debug, Clone)]
struct Letter {
    from: Party,
    to: Party,
    ask: Option<usize>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Step {
    Ask {
        reader: usize,
        version: usize,
        agent: bool,
    },
    Deliver {
        letter: Index,
        repeat: bool,
        /// Whether a reader stores what it has learnt before it is killed.
        stores: bool,
        kill: bool,
    },
    Drop(Index),
    Kill(usize),
    Pass(u64),
    Sync(usize),
    Report,
}

fn step() -> impl Strategy<Value = Step> {
    let deliver = (
        any::<Index>(),
        prop::bool::weighted(0.25),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        6 => (0..READERS, 0..4usize, prop::bool::weighted(0.4))
            .prop_map(|(reader, version, agent)| Step::Ask { reader, version, agent }),
        10 => deliver.prop_map(|(letter, repeat, stores, kill)| Step::Deliver { letter, repeat, stores, kill }),
        1 => any::<Index>().prop_map(Step::Drop),
        1 => (0..READERS + 2).prop_map(Step::Kill),
        1 => (1..700u64).prop_map(Step::Pass),
        2 => (0..READERS).prop_map(Step::Sync),
        1 => Just(Step::Report),
    ]
}

struct Network {
    ward: Ward,
    agent: Reader,
    letters: Vec<Letter>,
    /// Requests that their reader still has the key for.
    open: BTreeMap<usize, Asking>,
    asked: usize,
    /// Each reader's memory as it is stored.
    stored: Vec<Vec<u8>>,
    /// What keys came with: reader, log, place, request.
    given: Vec<(PublicKey, VaultId, u64, Digest)>,
}

impl Network {
    fn new() -> Self {
        let mut patient = world("Pat");
        let mut agent = Reader::befriended(&mut patient, "agent");
        let mut ward = Ward::of(patient, READERS, opens(LIMIT), &["agent".into()]);
        let time = now(&ward.patient);
        let request = AgentRequest {
            contact: "agent".into(),
            node: node(),
            opens: Some(ALLOWANCE),
            until: time + 1_000_000,
        };
        let vault = &mut ward.patient.vault;
        vault.add_agent(&ward.grant, &request).unwrap();
        let tickets = vault.tickets(&ward.grant, &node()).unwrap();
        let (_, text) = tickets.iter().find(|(name, _)| name == "agent").unwrap();
        let ticket = Ticket::open(text, agent.world.vault.device(), time).unwrap();
        agent.following = Some(Following::accept(&ticket, "pat", time));
        let mut network = Self {
            agent,
            letters: Vec::new(),
            open: BTreeMap::new(),
            asked: 0,
            stored: vec![Vec::new(); READERS],
            given: Vec::new(),
            ward,
        };
        for at in 0..READERS {
            network.ward.sync(at);
            network.store(at);
        }
        network
    }

    fn store(&mut self, at: usize) {
        self.stored[at] = codec::encode(self.ward.readers[at].following.as_ref().unwrap());
    }

    fn charges(&mut self) -> Vec<Arc<Charge>> {
        let (head, time) = (head(&self.ward.patient), now(&self.ward.patient));
        let blocks = self.ward.patient.storage.blocks();
        let following = self.agent.following.as_mut().unwrap();
        following.advance(&head, &*blocks, time).unwrap();
        let device = self.agent.world.vault.device();
        let views = following.grants(device, &*blocks, time).unwrap();
        let charges = views
            .iter()
            .filter_map(|view| following.charge(view, device));
        charges.map(Arc::new).collect()
    }

    fn kill(&mut self, party: Party) {
        match party {
            Party::Patient => self.ward.patient.vault.reload().unwrap(),
            Party::Agent => self.agent.world.vault.reload().unwrap(),
            Party::Reader(at) => {
                let stored = codec::decode(&self.stored[at], 1 << 20).unwrap();
                self.ward.readers[at].following = Some(stored);
                let letters = &self.letters;
                // the keys of the moment are gone
                let owner = |ask: &usize| {
                    letters
                        .iter()
                        .any(|l| l.ask == Some(*ask) && (l.from == party || l.to == party))
                };
                self.open.retain(|ask, _| !owner(ask));
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Ask {
                reader,
                version,
                agent,
            } => {
                let Some(view) = self.ward.view(*reader) else {
                    return self.ward.sync(*reader);
                };
                let Some(asking) = self.ward.ask(*reader, &view, *version, *agent) else {
                    return self.ward.sync(*reader);
                };
                self.letters.push(Letter {
                    from: Party::Reader(*reader),
                    to: if *agent { Party::Agent } else { Party::Patient },
                    ask: Some(self.asked),
                    bytes: asking.message().to_vec(),
                });
                self.open.insert(self.asked, asking);
                self.asked += 1;
            }
            Step::Deliver {
                letter,
                repeat,
                stores,
                kill,
            } if !self.letters.is_empty() => {
                let at = letter.index(self.letters.len());
                let letter = match repeat {
                    true => self.letters[at].clone(),
                    false => self.letters.swap_remove(at),
                };
                self.deliver(&letter, *stores);
                if *kill {
                    self.kill(letter.to);
                }
            }
            Step::Drop(letter) if !self.letters.is_empty() => {
                let at = letter.index(self.letters.len());
                self.letters.swap_remove(at);
            }
            Step::Kill(who) => self.kill(match who {
                0 => Party::Patient,
                1 => Party::Agent,
                reader => Party::Reader(reader - 2),
            }),
            Step::Pass(seconds) => {
                let readers = self.ward.readers.iter().map(|reader| &reader.world);
                for world in readers.chain([&self.ward.patient, &self.agent.world]) {
                    world.time.fetch_add(*seconds, Ordering::Relaxed);
                }
            }
            Step::Sync(reader) => {
                self.ward.sync(*reader);
                self.store(*reader);
            }
            Step::Report => {
                let owner = *self.agent.world.vault.device().signers().owner();
                let vault = &mut self.ward.patient.vault;
                let bytes = vault.agent_question(&self.ward.grant, &owner, false);
                self.letters.push(Letter {
                    from: Party::Patient,
                    to: Party::Agent,
                    ask: None,
                    bytes: bytes.unwrap(),
                });
            }
            Step::Deliver { .. } | Step::Drop(_) => {}
        }
    }

    fn deliver(&mut self, letter: &Letter, stores: bool) {
        let reply = match letter.to {
            Party::Patient if letter.from == Party::Agent => {
                let owner = *self.agent.world.vault.device().signers().owner();
                let (vault, grant) = (&mut self.ward.patient.vault, self.ward.grant);
                // what came late or twice is refused, and changes nothing
                drop(vault.take_report(&grant, &owner, &letter.bytes));
                return;
            }
            Party::Patient => answer(&mut self.ward.patient.vault, &letter.bytes, &[]),
            Party::Agent => {
                let charges = self.charges();
                answer(&mut self.agent.world.vault, &letter.bytes, &charges)
            }
            Party::Reader(at) => return self.hear(at, letter, stores),
        };
        assert!(
            !matches!(reply, AccessReply::Diverged(_)),
            "nobody rolled back"
        );
        self.letters.push(Letter {
            from: letter.to,
            to: letter.from,
            ask: letter.ask,
            bytes: reply.to_bytes(),
        });
    }

    fn hear(&mut self, at: usize, letter: &Letter, stores: bool) {
        // an answer to a receipt, or one that came before, or to one who has forgotten
        let Some(asking) = letter.ask.and_then(|ask| self.open.remove(&ask)) else {
            return;
        };
        let reader = &mut self.ward.readers[at];
        let following = reader.following.as_mut().unwrap();
        let before = following.checkpoint().0;
        let taken = asking.take(following, &letter.bytes);
        assert!(following.checkpoint().0 >= before, "the memory moved back");
        match taken {
            Ok(given) => {
                let Act::Released(asked) = &given.entry().act else {
                    panic!()
                };
                let device = reader.world.vault.device();
                let owner = *device.signers().owner();
                let seen = (owner, *given.log(), given.entry().index, asked.request);
                self.given.push(seen);
                let receipt = given.receipt(true, device, now(&self.ward.patient));
                self.letters.push(Letter {
                    from: letter.to,
                    to: letter.from,
                    ask: None,
                    bytes: receipt.unwrap(),
                });
            }
            Err(AskError::Denied { reason, .. }) => {
                let expected = ["no-opens-left", "clock"];
                assert!(expected.contains(&reason.as_str()), "{reason}");
            }
            Err(error) => panic!("{error}"),
        }
        if stores {
            self.store(at);
        }
    }

    fn check(&mut self) {
        let patient = self.ward.patient.vault.id();
        let agent = self.agent.world.vault.id();
        let own = releases(&mut self.ward.patient.vault);
        let by_agent = releases(&mut self.agent.world.vault);
        let (told, own): (BTreeMap<u64, Asked>, BTreeMap<u64, Asked>) =
            own.into_iter().partition(|(_, asked)| asked.via.is_some());
        let count = |log: &BTreeMap<u64, Asked>| {
            log.values()
                .map(|asked| asked.versions.len() as u64)
                .sum::<u64>()
        };
        assert!(count(&by_agent) <= ALLOWANCE);
        assert!(count(&own) + count(&by_agent) <= LIMIT);
        let requests = |log: &BTreeMap<u64, Asked>| {
            log.values()
                .map(|asked| asked.request)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(requests(&own).len(), own.len(), "answered once");
        assert_eq!(requests(&by_agent).len(), by_agent.len(), "answered once");
        assert!(own.len() + by_agent.len() <= self.asked);
        assert_eq!(requests(&told).len(), told.len(), "told of once");
        assert!(requests(&told).is_subset(&requests(&by_agent)));
        for (reader, log, place, request) in &self.given {
            let entry = match *log {
                log if log == patient => &own[place],
                log if log == agent => &by_agent[place],
                _ => panic!(),
            };
            assert_eq!((&entry.reader, &entry.request), (reader, request));
        }
        for vault in [&mut self.ward.patient.vault, &mut self.agent.world.vault] {
            assert_eq!(vault.verify_audit().unwrap().bad, None);
        }
    }
}

#[test]
fn whatever_the_network_does_the_agreement_holds() {
    let cases = std::env::var("MEDVAULT_PROOF_CASES").ok();
    let config = Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let schedules = prop::collection::vec(step(), STEPS / 2..=STEPS);
    let outcome = TestRunner::new(config).run(&schedules, |steps| {
        let mut network = Network::new();
        steps.iter().for_each(|step| network.step(step));
        network.check();
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn clocks_that_are_far_apart_are_turned_down_and_logged() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let version = clinic.view().entries[0].version;
    let minutes = 60;
    for (ahead, given) in [
        (10 * minutes, true),
        (10 * minutes + 1, false),
        (11 * minutes, false),
        (300 * minutes, false),
    ] {
        for reader_is_ahead in [true, false] {
            let (view, time) = (clinic.view(), now(&clinic.patient));
            let time = match reader_is_ahead {
                true => time + ahead,
                false => time - ahead,
            };
            let device = clinic.doctor.world.vault.device.clone();
            let following = clinic.following();
            let asking = following.ask(&view, &[version], None, None, &device, time);
            let asking = asking.unwrap();
            let before = clinic.log().len();
            let reply = clinic.answer(asking.message()).to_bytes();
            let taken = asking.take(clinic.following(), &reply).map(drop);
            let log = clinic.log();
            assert_eq!(log.len(), before + 1);
            match given {
                true => assert_eq!((taken, log[before]), (Ok(()), "released")),
                false => {
                    let Err(AskError::Denied { reason, index }) = taken else {
                        panic!("{taken:?}")
                    };
                    assert_eq!((reason.as_str(), index), ("clock", before as u64));
                }
            }
        }
    }
}
