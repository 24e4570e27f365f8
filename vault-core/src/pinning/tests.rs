//! The plan against a service that does as it likes, and a process that is killed anywhere.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::block::{Block, Cid, Codec};
use crate::store::{BlockStore, MemoryStore, StoreError};

/// A service that finishes, or fails, when the test says so.
#[derive(Default)]
struct Model {
    pins: BTreeMap<u32, (Cid, PinStatus)>,
    next: u32,
    /// Calls until the process is killed: before the call, or just after it took effect.
    left: Option<usize>,
    ever_pinned: bool,
}

#[derive(Debug)]
struct Killed;

impl std::fmt::Display for Killed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("killed")
    }
}

impl std::error::Error for Killed {}

impl Model {
    fn count_down(&mut self) -> Result<(), Killed> {
        match &mut self.left {
            Some(0) => Err(Killed),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What must hold at every moment: once the vault was held, some root of it still is.
    fn check(&mut self) {
        let pinned = self.pins.values().any(|pin| pin.1 == PinStatus::Pinned);
        assert!(pinned || !self.ever_pinned, "nothing is pinned any more");
        self.ever_pinned |= pinned;
    }

    fn progress(&mut self, to: PinStatus) {
        for pin in self.pins.values_mut() {
            if matches!(pin.1, PinStatus::Queued | PinStatus::Pinning) {
                pin.1 = to;
            }
        }
        self.check();
    }
}

impl PinApi for Model {
    type Error = Killed;

    fn list(&mut self, roots: &[Cid]) -> Result<Vec<ListedPin>, Killed> {
        self.count_down()?;
        let of_ours = self.pins.iter().filter(|(_, pin)| roots.contains(&pin.0));
        let listed = of_ours.map(|(id, pin)| ListedPin {
            request: id.to_string().parse().unwrap(),
            root: pin.0,
            status: pin.1,
        });
        Ok(listed.collect())
    }

    fn ask(&mut self, root: &Cid) -> Result<(), Killed> {
        self.count_down()?;
        self.pins.insert(self.next, (*root, PinStatus::Queued));
        self.next += 1;
        self.count_down()
    }

    fn drop_request(&mut self, request: &RequestId) -> Result<(), Killed> {
        self.count_down()?;
        self.pins.remove(&request.as_str().parse().unwrap());
        self.check();
        self.count_down()
    }
}

fn head(number: u8) -> Cid {
    Block::new(Codec::DagCbor, vec![number]).unwrap().cid()
}

fn service() -> PinService {
    let token = TokenSource::Command("true".into());
    PinService::new("s".parse().unwrap(), "http://127.0.0.1:1".into(), token)
}

/// A process: it works on a copy of what is on disk, and what it saves stays.
fn run(
    disk: &mut PinService,
    canaries: &MemoryStore,
    model: &mut Model,
    wanted: Wanted,
) -> Result<SyncOutcome, SyncError<Killed>> {
    let mut memory = disk.clone();
    let mut save = |service: &PinService| {
        *disk = service.clone();
        Ok(())
    };
    sync(&mut memory, &mut save, canaries, model, wanted)
}

#[derive(Debug, Clone)]
enum Event {
    /// A sync, killed after some calls.
    Sync(usize),
    /// The vault changes.
    Change,
    Progress(bool),
    /// The same request a second time, as after a lost answer.
    Double,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0usize..12).prop_map(Event::Sync),
        2 => Just(Event::Change),
        2 => any::<bool>().prop_map(Event::Progress),
        1 => Just(Event::Double),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_happens_one_pin_of_the_newest_head_is_left(
        events in prop::collection::vec(event(), 0..40)
    ) {
        let (mut disk, canaries, mut model) = (service(), MemoryStore::new(), Model::default());
        let mut at = 0;
        for event in events {
            match event {
                Event::Sync(calls) => {
                    model.left = Some(calls);
                    let _ = run(&mut disk, &canaries, &mut model, wanted(at));
                    model.left = None;
                }
                Event::Change => at += 1,
                Event::Progress(good) => {
                    model.progress(if good { PinStatus::Pinned } else { PinStatus::Failed });
                }
                Event::Double => {
                    if let Some(pin) = model.pins.values().next().copied() {
                        model.pins.insert(model.next, (pin.0, PinStatus::Queued));
                        model.next += 1;
                    }
                }
            }
        }
        // and now it is left in peace
        for _ in 0..3 {
            run(&mut disk, &canaries, &mut model, wanted(at)).unwrap();
            model.progress(PinStatus::Pinned);
        }
        let last = run(&mut disk, &canaries, &mut model, wanted(at)).unwrap();
        prop_assert!(last.settled);
        prop_assert_eq!(last.steps, 0, "a second sync does nothing");
        prop_assert_eq!(model.pins.len(), 1);
        prop_assert_eq!(disk.roots.len(), 1);
        prop_assert_eq!(disk.held().unwrap().head(), head(at));
        prop_assert_eq!(canaries.list().unwrap().len(), 0, "canaries are forgotten");
    }

    #[test]
    fn a_plan_is_the_same_when_it_is_made_twice(count in 1u8..5, statuses in any::<u32>()) {
        let roots: Vec<GivenRoot> = (0..count)
            .map(|number| GivenRoot::make(&head(number)).unwrap().given)
            .collect();
        let all = [PinStatus::Queued, PinStatus::Pinning, PinStatus::Pinned, PinStatus::Failed];
        let listed: Vec<ListedPin> = (0..).zip(&roots)
            .map(|(place, root)| ListedPin {
                request: place.to_string().parse().unwrap(),
                root: root.root(),
                status: all[(statuses >> (2 * place)) as usize & 3],
            })
            .collect();
        let once = plan(&roots, &listed, &head(count - 1), false);
        prop_assert_eq!(&once, &plan(&roots, &listed, &head(count - 1), false));
        // the newest pinned root goes only if the target is pinned
        let newest = listed.iter().rev().find(|pin| pin.status == PinStatus::Pinned);
        let target = listed.last().unwrap();
        if let Some(newest) = newest {
            let drops = once.contains(&Step::Drop(newest.request.clone()));
            prop_assert!(!drops, "{:?} of {:?}", once, listed);
        }
        if target.status == PinStatus::Pinned {
            prop_assert_eq!(once.iter().filter(|s| matches!(s, Step::Drop(_))).count(), listed.len() - 1);
        }
    }
}

fn wanted(number: u8) -> Wanted {
    Wanted {
        head: head(number),
        fresh: false,
    }
}

#[test]
fn withdrawing_leaves_nothing_and_can_be_repeated() {
    let (mut disk, canaries, mut model) = (service(), MemoryStore::new(), Model::default());
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    assert_eq!(canaries.list().unwrap().len(), CANARIES + 1);
    let mut service = disk.clone();
    let mut save = |_: &PinService| Ok(());
    for _ in 0..2 {
        let outcome = withdraw(&mut service, &mut save, &canaries, &mut model).unwrap();
        assert!(outcome.settled);
        assert!(model.pins.is_empty() && service.roots.is_empty());
        assert_eq!(canaries.list().unwrap().len(), 0);
    }
}

#[test]
fn a_service_that_keeps_failing_is_given_up_for_now() {
    struct Failing(Model);
    impl PinApi for Failing {
        type Error = Killed;
        fn list(&mut self, roots: &[Cid]) -> Result<Vec<ListedPin>, Killed> {
            self.0.progress(PinStatus::Failed);
            self.0.list(roots)
        }
        fn ask(&mut self, root: &Cid) -> Result<(), Killed> {
            self.0.ask(root)
        }
        fn drop_request(&mut self, request: &RequestId) -> Result<(), Killed> {
            self.0.drop_request(request)
        }
    }
    let (mut service, mut save) = (service(), |_: &PinService| Ok(()));
    let mut api = Failing(Model::default());
    let error = sync(
        &mut service,
        &mut save,
        &MemoryStore::new(),
        &mut api,
        wanted(0),
    );
    assert!(matches!(error, Err(SyncError::GaveUp)));
}

#[test]
fn a_fresh_root_makes_the_service_look_again() {
    let (mut disk, canaries, mut model) = (service(), MemoryStore::new(), Model::default());
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    model.progress(PinStatus::Pinned);
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    let before = disk.held().unwrap().root();
    let again = Wanted {
        head: head(0),
        fresh: true,
    };
    let outcome = run(&mut disk, &canaries, &mut model, again).unwrap();
    assert_eq!(outcome.status, Some(PinStatus::Queued));
    assert_eq!(
        model.pins.len(),
        2,
        "the old one stays until the new one is held"
    );
    model.progress(PinStatus::Pinned);
    let outcome = run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    assert!(outcome.settled && outcome.dropped == 1);
    assert_ne!(disk.held().unwrap().root(), before);
}

#[test]
fn a_root_that_was_held_and_is_gone_is_made_anew() {
    let (mut disk, canaries, mut model) = (service(), MemoryStore::new(), Model::default());
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    model.progress(PinStatus::Pinned);
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    let lost = disk.held().unwrap().root();
    assert!(canaries.list().unwrap().is_empty(), "nobody else has them");
    model = Model::default(); // the account ran out, and everything with it
    run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    model.progress(PinStatus::Pinned);
    let outcome = run(&mut disk, &canaries, &mut model, wanted(0)).unwrap();
    assert!(outcome.settled);
    assert_ne!(disk.held().unwrap().root(), lost);
    assert_eq!(model.pins.len(), 1);
}

/// A service that has some blocks.
struct Keeps(MemoryStore);

impl BlockFetch for Keeps {
    fn fetch_present(&self, cids: &[Cid]) -> Result<Vec<Block>, crate::store::SourceError> {
        let found: Result<Vec<_>, StoreError> = cids.iter().map(|cid| self.0.get(cid)).collect();
        Ok(found?.into_iter().flatten().collect())
    }
}

#[test]
fn a_check_finds_what_is_gone_and_what_was_only_lent() {
    let patient = crate::vault::tests::world("ada");
    let store = patient.vault.storage().blocks();
    let head = patient.vault.head().block().cid();
    let made = GivenRoot::make(&head).unwrap();
    let service = Keeps(MemoryStore::new());
    let all: Vec<Block> = store
        .list()
        .unwrap()
        .iter()
        .map(|cid| store.get(cid).unwrap().unwrap())
        .collect();
    service.0.put(&all).unwrap();
    let size = SampleSize::new(0.99, 0.001).unwrap();

    // a service that would fetch from us what it is asked for has no canaries
    let found = verify(&service, &made.given, size).unwrap();
    let mut expected = made.given.own_blocks();
    let mut missing = found.missing.clone();
    expected.sort_unstable();
    missing.sort_unstable();
    assert_eq!(missing, expected);

    service.0.put(&made.blocks).unwrap();
    let found = verify(&service, &made.given, size).unwrap();
    assert_eq!(found.missing, []);
    assert!(found.live > 0);
    // root, canaries, head, pin set's root and its one shard, every live block
    assert_eq!(found.sampled, 1 + CANARIES as u64 + 3 + found.live);
    assert_eq!(found.canaries, CANARIES as u64);

    let gone = all
        .iter()
        .map(Block::cid)
        .find(|cid| cid.codec() == Codec::Raw)
        .unwrap();
    service.0.remove(&[gone]).unwrap();
    assert_eq!(verify(&service, &made.given, size).unwrap().missing, [gone]);
}
