//! Vaults whose blocks live in a real Kubo.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

#[path = "../../tests/peers/kubo.rs"]
mod kubo;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use kubo::Kubo;
use vault_core::conformance::{block, conformance};
use vault_core::{
    Block, BlockStore, CarReader, CarSection, Category, Cid, Clock, Codec, Content, Device, Extent,
    Following, Home, IpnsRecord, NewRecord, NodeAddress, PublicKey, RecordMeta, RecoveryWords,
    RevokeLevel, RevokeTarget, Scope, ShareRequest, StoreError, Ticket, Vault, VaultError, VaultId,
};
use vault_http::{KuboNode, KuboStore};

const NOW: u64 = 1_790_000_000;

fn clock() -> Clock {
    Arc::new(|| NOW)
}

/// A store of a vault that no other test has.
fn fresh_store(kubo: &Kubo) -> KuboStore {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let vault = VaultId::from_bytes([NEXT.fetch_add(1, Ordering::Relaxed); 32]);
    KuboStore::new(&kubo.api(), None, &vault).unwrap()
}

/// Blocks in Kubo's repository, whoever put them there.
fn repository(kubo: &Kubo) -> usize {
    kubo.run(&["refs", "local"]).lines().count()
}

/// Kubo's collector takes everything that no pin holds.
fn collect(kubo: &Kubo) {
    kubo.run(&["repo", "gc", "--quiet"]);
}

/// Our pins that are none of a head's.
fn leftovers(kubo: &Kubo) -> String {
    let pins = kubo.run(&["pin", "ls", "--names", "--name=medvault-"]);
    let left = pins
        .lines()
        .filter(|pin| pin.contains("-new") || pin.contains("-gone"));
    left.collect::<Vec<_>>().join("\n")
}

/// A patient with a home, and blocks in Kubo.
struct Patient {
    words: RecoveryWords,
    device: Arc<Device>,
    home: Home,
    api: String,
    _folder: tempfile::TempDir,
}

impl Patient {
    fn new(kubo: &Kubo) -> (Self, Vault) {
        let words = RecoveryWords::generate();
        let device = Arc::new(Device::for_new_vault(&words, NOW));
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(KuboStore::new(&kubo.api(), None, &device.vault()).unwrap());
        let path = folder.path().join("home");
        let made = Home::create(&path, |home| {
            let storage = home.storage_with(store.clone());
            Vault::create(storage, device.clone(), "Pat", clock()).map(drop)
        });
        let this = Self {
            words,
            device,
            home: made.unwrap().0,
            api: kubo.api(),
            _folder: folder,
        };
        let vault = this.open().unwrap();
        (this, vault)
    }

    fn store(&self) -> Arc<KuboStore> {
        Arc::new(KuboStore::new(&self.api, None, &self.device.vault()).unwrap())
    }

    /// As another process opens it.
    fn open(&self) -> Result<Vault, VaultError> {
        let storage = self.home.storage_with(self.store());
        Vault::open(storage, self.device.clone(), clock())
    }
}

fn record(title: &str, content: &[u8]) -> NewRecord<'static> {
    NewRecord {
        meta: RecordMeta {
            kind: "Observation".parse().unwrap(),
            category: Category::Lab,
            date: None,
            title: title.into(),
            labels: Default::default(),
            media_type: "application/fhir+json".into(),
            source_id: None,
            ..RecordMeta::default()
        },
        source: None,
        content: Content::Bytes(content.to_vec().into()),
        replaces: None,
    }
}

/// The content of the record that was added at this place.
fn content(vault: &mut Vault, at: usize) -> Vec<u8> {
    let entry = vault_records(vault).swap_remove(at);
    let mut out = Vec::new();
    vault
        .open_record(&entry)
        .unwrap()
        .copy_to(&mut out)
        .unwrap();
    out
}

/// Everything opens, and the store has what the head names and nothing else.
fn check(vault: &mut Vault) {
    let report = vault.verify_blocks(true).unwrap();
    assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
    assert_eq!(vault.verify_audit().unwrap().bad, None);
    let blocks = vault.storage().blocks();
    assert_eq!(blocks.list().unwrap().len(), report.blocks);
}

fn node() -> NodeAddress {
    let key = PublicKey::from_bytes([4; 32]);
    NodeAddress {
        peer: key,
        addrs: vec![],
        endpoint: key,
        endpoint_addrs: vec![],
        relays: vec![],
    }
}

#[test]
fn conforms() {
    let Some(kubo) = Kubo::start() else { return };
    conformance(|| Box::new(fresh_store(&kubo)));
    // and when every block goes to Kubo by itself
    conformance(|| Box::new(fresh_store(&kubo).with_batch(1)));
    collect(&kubo);
}

#[test]
fn the_whole_life_of_a_vault_beside_the_collector() {
    let Some(kubo) = Kubo::start() else { return };
    let before = repository(&kubo);
    let (patient, mut vault) = Patient::new(&kubo);
    collect(&kubo);
    let long: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 7) as u8).collect();
    let small = (0..50).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
    vault.add_all(small.chain([record("long", &long)])).unwrap();
    collect(&kubo);
    check(&mut vault);

    let reader = Device::for_new_vault(&RecoveryWords::generate(), NOW);
    vault
        .add_contact("bo", &reader.card("Bo").unwrap())
        .unwrap();
    let request = ShareRequest {
        readers: vec!["bo".into()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let shared = vault.share(request, &node()).unwrap();
    collect(&kubo);
    let ticket = Ticket::open(&shared.tickets[0].1, &reader, NOW).unwrap();
    let mut following = Following::accept(&ticket, "pat", NOW);
    let blocks = patient.store();
    let head = vault.head().block().data().to_vec();
    following.advance(&head, &*blocks, NOW).unwrap();
    assert_eq!(content(&mut vault, 50), long);

    let old: HashSet<Cid> = blocks.list().unwrap().into_iter().collect();
    let target = RevokeTarget::Grant(shared.grant.id);
    vault.revoke(&target, RevokeLevel::Rekey).unwrap();
    collect(&kubo);
    vault
        .rekey(&shared.grant.id, &mut |_| collect(&kubo))
        .unwrap();
    check(&mut vault);
    assert_eq!(leftovers(&kubo), "");
    // what was sealed under the old keys has left Kubo's repository, not only the pins
    let now: HashSet<Cid> = blocks.list().unwrap().into_iter().collect();
    let kept: HashSet<String> = kubo
        .run(&["refs", "local"])
        .lines()
        .map(Into::into)
        .collect();
    let gone: Vec<&Cid> = old.difference(&now).collect();
    assert!(gone.len() > 12, "{}", gone.len());
    let raw = |cid: &&&Cid| cid.codec() == Codec::Raw;
    assert!(
        gone.iter()
            .filter(raw)
            .all(|cid| !kept.contains(&cid.to_string()))
    );
    assert_eq!(repository(&kubo), before + now.len());

    // a new device, from the words and what Kubo has
    drop(vault);
    let folder = tempfile::tempdir().unwrap();
    let made = Home::create(&folder.path().join("home"), |home| {
        let vault = Vault::recover(home.storage_with(patient.store()), &patient.words, clock())?;
        Ok::<_, VaultError>(vault.device().to_identity_text())
    });
    let (home, identity) = made.unwrap();
    let device = Arc::new(Device::from_identity_text(&identity).unwrap());
    let mut vault = Vault::open(home.storage_with(patient.store()), device, clock()).unwrap();
    collect(&kubo);
    assert_eq!(vault_records(&mut vault).len(), 51);
    vault.add_all([record("after", b"after")]).unwrap();
    collect(&kubo);
    check(&mut vault);
    assert_eq!(leftovers(&kubo), "");
    assert_eq!(content(&mut vault, 50), long);
}

fn vault_records(vault: &mut Vault) -> Vec<vault_core::IndexEntry> {
    vault.records().unwrap()
}

#[test]
fn what_others_pin_stays() {
    let Some(kubo) = Kubo::start() else { return };
    let theirs = kubo.run(&["add", "--quiet", "--pin", &file("a file of someone else")]);
    let (_patient, mut vault) = Patient::new(&kubo);
    vault.add_all([record("a", &[7; 600_000])]).unwrap();
    let blocks = vault.storage().blocks();
    // somebody keeps one of our blocks, and one of our blocks is somebody's already
    let shared = blocks
        .list()
        .unwrap()
        .into_iter()
        .find(|cid| cid.codec() == Codec::Raw);
    let shared = shared.unwrap();
    kubo.run(&["pin", "add", "--name=cluster", &shared.to_string()]);
    let both = Block::new(Codec::Raw, b"both have this".to_vec()).unwrap();
    let put = kubo.run_with(&["block", "put", "--pin"], both.data());
    assert_eq!(
        String::from_utf8(put).unwrap().trim(),
        both.cid().to_string()
    );
    assert!(!blocks.has(&both.cid()).unwrap(), "it is not ours");
    blocks.put(std::slice::from_ref(&both)).unwrap();
    blocks.sync().unwrap();

    let all = blocks.list().unwrap();
    assert!(all.iter().all(|cid| cid.to_string() != theirs));
    assert_eq!(blocks.remove(&all).unwrap(), all.len());
    assert_eq!(blocks.list().unwrap(), []);
    assert!(!blocks.has(&shared).unwrap());
    collect(&kubo);
    let pins = kubo.run(&["pin", "ls", "--type=recursive", "--names"]);
    for cid in [&shared.to_string(), &both.cid().to_string(), &theirs] {
        assert!(pins.contains(cid), "{pins}");
        kubo.run(&["block", "stat", "--offline", cid]);
    }
    assert!(!pins.contains("medvault-"), "{pins}");
}

/// A file that lasts as long as the test.
fn file(content: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
    file.into_temp_path()
        .keep()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn kubo_is_restarted_under_us() {
    let Some(mut kubo) = Kubo::start() else {
        return;
    };
    let (patient, mut vault) = Patient::new(&kubo);
    vault.add_all([record("before", b"before")]).unwrap();
    let head = vault.head().block().cid();

    kubo.kill();
    let error = vault.add_all([record("lost", b"lost")]).unwrap_err();
    assert!(error.to_string().contains(&kubo.api()), "{error}");
    assert!(patient.open().is_err());

    kubo.resume();
    vault.refresh().unwrap();
    assert_eq!(vault.head().block().cid(), head);
    check(&mut vault);
    vault.add_all([record("after", b"after")]).unwrap();

    // in the middle of one change
    let cut_off = vault.add(|adder| {
        adder.add(record("half", &[7; 600_000]))?;
        kubo.kill();
        Ok::<_, VaultError>(())
    });
    assert!(cut_off.is_err());
    kubo.resume();

    // with blocks in Kubo already and more to come
    let blocks: Vec<Block> = (0..40).map(|seed| block(seed, 100_000)).collect();
    let store = patient.store();
    store.put(&blocks[..20]).unwrap();
    store.sync().unwrap();
    store.put(&blocks[20..]).unwrap();
    kubo.restart();
    store.sync().unwrap();
    for block in &blocks {
        assert_eq!(store.get(&block.cid()).unwrap().as_ref(), Some(block));
    }
    // no head ever named them: the next change sweeps them away
    vault.add_all([record("more", b"more")]).unwrap();
    check(&mut vault);
    assert_eq!(leftovers(&kubo), "");
    let titles = |vault: &mut Vault| -> Vec<String> {
        let records = vault_records(vault).into_iter();
        records.map(|entry| entry.meta.title).collect()
    };
    assert_eq!(titles(&mut vault), ["before", "after", "more"]);
    assert_eq!(
        titles(&mut patient.open().unwrap()),
        ["before", "after", "more"]
    );
}

#[test]
fn a_deletion_that_was_cut_off_is_finished() {
    let Some(kubo) = Kubo::start() else { return };
    let (patient, mut vault) = Patient::new(&kubo);
    vault.add_all([record("a", b"a")]).unwrap();
    // what a kill right after the note of a deletion leaves
    let doomed = block(1, 1000);
    let put = |args: &[&str], data: &[u8]| {
        String::from_utf8(kubo.run_with(args, data))
            .unwrap()
            .trim()
            .to_owned()
    };
    put(&["block", "put"], doomed.data());
    let note = format!(r#"[{{"/": "{}"}}]"#, doomed.cid());
    let note = put(&["dag", "put", "--store-codec=dag-cbor"], note.as_bytes());
    let name = format!("--name=medvault-{}-gone", patient.device.vault());
    kubo.run(&["pin", "add", "--recursive=false", &name, &note]);
    assert!(!leftovers(&kubo).is_empty());

    vault.add_all([record("b", b"b")]).unwrap();
    assert_eq!(leftovers(&kubo), "");
    let local = kubo.run(&["refs", "local"]);
    assert!(!local.contains(&doomed.cid().to_string()));
    check(&mut vault);
}

#[test]
fn a_kubo_without_the_vault_has_none_of_its_blocks() {
    let (Some(kubo), Some(other)) = (Kubo::start(), Kubo::start()) else {
        return;
    };
    let (patient, vault) = Patient::new(&kubo);
    drop(vault);
    let store = KuboStore::new(&other.api(), None, &patient.device.vault()).unwrap();
    let storage = patient.home.storage_with(Arc::new(store));
    assert!(Vault::open(storage, patient.device.clone(), clock()).is_err());
    patient.open().unwrap();
}

#[test]
fn somebody_deletes_a_block_of_ours() {
    let Some(kubo) = Kubo::start() else { return };
    let (patient, mut vault) = Patient::new(&kubo);
    vault.add_all([record("a", &[7; 600_000])]).unwrap();
    let store = patient.store();
    let listed = store.list().unwrap().into_iter();
    let lost: Cid = listed.last().unwrap();
    let head = vault.head().block().cid().to_string();
    kubo.run(&["pin", "rm", &head]);
    kubo.run(&["block", "rm", &lost.to_string()]);
    // the pin is gone, so what is left may go at any time: nothing is in the store any more
    assert_eq!(patient.store().list().unwrap(), []);
    assert!(matches!(
        patient.store().hold(&vault.head().block().cid()),
        Err(StoreError::Remote(_))
    ));
}

#[test]
fn names_are_published_and_found() {
    // two that know each other make a hash table
    let start = || Kubo::start_with("dhtserver", &[]);
    let (Some(kubo), Some(other)) = (start(), start()) else {
        return;
    };
    let first = format!("{}/p2p/{}", other.addrs()[0], other.peer_id());
    kubo.run(&["swarm", "connect", &first]);
    let node = KuboNode::new(&kubo.api(), None).unwrap();
    let asked = KuboNode::new(&other.api(), None).unwrap();
    let (key, addrs) = node.address().unwrap();
    assert_eq!(addrs, kubo.addrs());
    assert_ne!(key.as_bytes(), &[0; 32]);
    let device = Device::for_new_vault(&RecoveryWords::generate(), NOW);
    let (name, patience) = (device.ipns_name(), Duration::from_secs(5));
    assert_eq!(node.resolve(&name, NOW, patience).unwrap(), None);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let heads = [1, 2].map(|seed| Cid::new(Codec::DagCbor, block(seed, 9).cid().digest()));
    for (sequence, head) in (1..).zip(heads) {
        let record = IpnsRecord::sign(&device.ipns_key(), head, sequence, now + 3600);
        // the two need a moment to find out that each serves the table
        let begun = Instant::now();
        loop {
            let published = node.publish(&name, &record);
            let found = asked.resolve(&name, now, patience).unwrap();
            if found.as_ref() == Some(&record) {
                break;
            }
            let late = begun.elapsed() > Duration::from_secs(30);
            assert!(!late, "{published:?} {found:?}");
            thread::sleep(Duration::from_millis(200));
        }
        // Kubo's own resolver agrees
        let path = other.run(&["name", "resolve", "--nocache", &format!("/ipns/{name}")]);
        assert_eq!(path, format!("/ipfs/{head}"));
        kubo.run_with(&["block", "put"], b"something to provide");
    }
    let provided = Block::new(Codec::Raw, b"something to provide".to_vec()).unwrap();
    node.provide(&provided.cid()).unwrap();
    let provider = other.run(&["routing", "findprovs", "-n=1", &provided.cid().to_string()]);
    assert_eq!(provider, kubo.peer_id());
    let later = now + 7200;
    assert_eq!(node.resolve(&name, later, patience).unwrap(), None);
}

#[test]
fn kubo_takes_our_car_files_and_gives_them_back() {
    let Some(kubo) = Kubo::start() else { return };
    let words = RecoveryWords::generate();
    let device = Arc::new(Device::for_new_vault(&words, NOW));
    let folder = tempfile::tempdir().unwrap();
    let made = Home::create(&folder.path().join("home"), |home| {
        Vault::create(home.storage()?, device.clone(), "Pat", clock()).map(drop)
    });
    let home = made.unwrap().0;
    let mut vault = Vault::open(home.storage().unwrap(), device, clock()).unwrap();
    vault.add_all([record("a", &[7; 600_000])]).unwrap();
    vault.add_all([record("b", &[8; 900_000])]).unwrap();
    for file in std::fs::read_dir(home.root().join("blocks")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "car") {
            kubo.run(&["dag", "import", "--pin-roots=false", path.to_str().unwrap()]);
        }
    }
    let head = vault.head().block().cid();
    kubo.run(&["pin", "add", "--timeout=20s", &head.to_string()]);
    let car = kubo.run_with(&["dag", "export", &head.to_string()], b"");
    let reader = CarReader::new(&car[..]).unwrap();
    assert_eq!(reader.roots(), [head]);
    let blocks = reader.map(|section| match section.unwrap() {
        CarSection::Block(block) => block.cid(),
        other => panic!("{other:?}"),
    });
    let all: HashSet<Cid> = vault
        .storage()
        .blocks()
        .list()
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(blocks.collect::<HashSet<Cid>>(), all);
}

#[test]
fn a_token_is_wanted() {
    let authorizations =
        r#"{"medvault": {"AuthSecret": "bearer:let-me-in", "AllowedPaths": ["/api/v0"]}}"#;
    let settings = [("API.Authorizations", authorizations)];
    let Some(kubo) = Kubo::start_with("none", &settings) else {
        return;
    };
    for token in [None, Some("bearer:wrong")] {
        let error = KuboNode::new(&kubo.api(), token)
            .unwrap()
            .address()
            .unwrap_err();
        assert!(error.to_string().contains("token"), "{error}");
    }
    let node = KuboNode::new(&kubo.api(), Some("bearer:let-me-in")).unwrap();
    node.address().unwrap();
}
