//! helia (JavaScript) fetches a grant from our node, and we fetch from helia.
//!
//! The packages come from npm at the versions in `tests/interop/helia` and are installed once
//! beside the build's own output. helia needs Node 22: that of the machine is used when it is new
//! enough, else the one that those packages hold. Without `npm` the tests are skipped, except where
//! `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "../../tests/peers/tools.rs"]
mod tools;

use std::fs::{self};
use std::io::{BufRead as _, BufReader, Write as _};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use common::{Party, blocks, client, fetch_all, first_address};
use serde_json::{Value, json};
use vault_core::{
    Block, BlockStore, Codec, Content, Device, Extent, MemoryStorage, NewRecord, NodeAddress,
    RecordMeta, RecoveryWords, Scope, ShareRequest, Vault, VaultStorage,
};

const NODE_MAJOR: u32 = 22;

/// A helia node that does what it is told, ended when dropped.
struct Helia {
    child: Child,
    tasks: ChildStdin,
    answers: BufReader<ChildStdout>,
    peer: String,
    addrs: Vec<String>,
}

impl Helia {
    /// Starts one; `None` when there is no `npm`.
    fn start() -> Option<Self> {
        let sources = Path::new(tools::SOURCES).join("helia");
        let packages = tools::npm(&sources, "helia")?;
        let mut child = Command::new(node(&packages))
            .arg(sources.join("helia_tool.mjs"))
            .env("HELIA_TOOL_PACKAGES", &packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tasks = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self {
            child,
            tasks,
            answers,
            peer: String::new(),
            addrs: Vec::new(),
        };
        let hello = this.hear();
        this.peer = hello["peer"].as_str().unwrap().into();
        let addrs = hello["addrs"].as_array().unwrap().iter();
        let plain = |addr: &Value| addr.as_str()?.split("/p2p/").next().map(Into::into);
        this.addrs = addrs.filter_map(plain).collect();
        Some(this)
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn ask(&mut self, task: &Value) -> Value {
        writeln!(self.tasks, "{task}").unwrap();
        self.hear()
    }

    fn must(&mut self, task: &Value) -> Value {
        let answer = self.ask(task);
        assert_eq!(answer["error"], Value::Null, "{task}");
        answer
    }

    /// Fetches blocks from a node of ours; helia checks them against their CIDs.
    fn fetch(&mut self, from: &str, wanted: &[Block]) {
        let cids: Vec<_> = wanted.iter().map(|block| block.cid().to_string()).collect();
        let answer = self.must(&json!({"do": "fetch", "from": from, "cids": cids}));
        let bytes: usize = wanted.iter().map(|block| block.data().len()).sum();
        assert_eq!(answer["bytes"], bytes);
        let count = wanted.len();
        println!(
            "helia fetched {count} blocks, {bytes} bytes in {} ms",
            answer["ms"]
        );
    }

    /// Makes blocks in helia; the same ones.
    fn put(&mut self, seed: u32, count: usize, length: usize) -> Vec<Block> {
        let task = json!({"do": "put", "seed": seed, "count": count, "length": length});
        let answer = self.must(&task);
        let seeds = seed..seed + u32::try_from(count).unwrap();
        let blocks = seeds.map(|seed| Block::new(Codec::Raw, fill(seed, length)).unwrap());
        let blocks: Vec<_> = blocks.collect();
        let cids = answer["cids"].as_array().unwrap().iter();
        let ours: Vec<_> = blocks.iter().map(|block| block.cid().to_string()).collect();
        assert!(cids.eq(&ours), "the same bytes have the same name");
        blocks
    }

    fn address(&self) -> NodeAddress {
        let peer: vault_core::IpnsName = self.peer.parse().unwrap();
        NodeAddress {
            peer: *peer.key(),
            addrs: self.addrs.clone(),
            endpoint: *peer.key(),
            endpoint_addrs: Vec::new(),
            relays: Vec::new(),
        }
    }
}

impl Drop for Helia {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// The bytes that `helia_tool.mjs` makes.
fn fill(seed: u32, length: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = iter::successors(next(&seed), next);
    states
        .take(length)
        .map(|state| (state >> 24) as u8)
        .collect()
}

/// A Node that is new enough.
fn node(packages: &Path) -> PathBuf {
    let version = Command::new("node").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let major = |text: &str| {
        text.strip_prefix('v')?
            .split('.')
            .next()?
            .parse::<u32>()
            .ok()
    };
    if version.is_ok_and(|text| major(&text) >= Some(NODE_MAJOR)) {
        return "node".into();
    }
    let modules = fs::read_dir(packages.join("node_modules")).unwrap();
    let held = modules.map(|entry| entry.unwrap().path().join("bin/node"));
    let mut held = held.filter(|path| path.is_file());
    held.next().expect("no Node 22, neither here nor from npm")
}

/// All blocks of a vault with a grant over ordinary records and one of 3 MB.
fn vault_with_a_grant() -> Vec<Block> {
    let now = 1_790_000_000;
    let words = RecoveryWords::generate();
    let device = Arc::new(Device::for_new_vault(&words, now));
    let storage = Arc::new(MemoryStorage::new());
    let clock: vault_core::Clock = Arc::new(move || now);
    let mut vault = Vault::create(storage.clone(), device, "Ada", clock).unwrap();
    let record = |number: usize, content: Vec<u8>| NewRecord {
        meta: RecordMeta {
            kind: "Observation".parse().unwrap(),
            category: vault_core::Category::Lab,
            date: None,
            title: format!("number {number}"),
            labels: Default::default(),
            media_type: "application/fhir+json".into(),
            source_id: None,
            ..RecordMeta::default()
        },
        source: None,
        content: Content::Bytes(content.into()),
        replaces: None,
    };
    let small = (0..500).map(|number| record(number, fill(number as u32, 2000)));
    let large = record(500, fill(500, 3_000_000));
    vault.add_all(small.chain([large])).unwrap();
    let reader = Device::for_new_vault(&RecoveryWords::generate(), now);
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
    vault.share(request, &client().address()).unwrap();
    let store = storage.blocks();
    let cids = store.list().unwrap();
    let all = cids.iter().map(|cid| store.get(cid).unwrap().unwrap());
    all.collect()
}

#[test]
fn helia_fetches_a_grant_and_many_blocks_and_large_ones() {
    let Some(mut helia) = Helia::start() else {
        return;
    };
    let mut party = Party::new(61, &["/ip4/127.0.0.1/tcp/0"]);
    let vault = vault_with_a_grant();
    let many = blocks(1000, 4 << 10);
    let ours = blocks(40, 256 << 10);
    let largest = blocks(8, 1 << 20);
    for part in [&vault, &many, &ours, &largest] {
        party.store.put(part).unwrap();
    }
    let node = party.start();
    let from = first_address(&node);
    assert!(vault.len() > 10);
    helia.fetch(&from, &vault);
    helia.fetch(&from, &many);

    // it hangs up and comes back, more than once
    for part in [&ours, &largest] {
        helia.must(&json!({"do": "leave"}));
        helia.fetch(&from, part);
    }
    // the node goes away and comes back
    let address = node.address();
    party.listen = address.addrs.clone();
    node.stop();
    let late = blocks(3, 5000);
    party.store.put(&late).unwrap();
    let node = party.start_soon();
    helia.must(&json!({"do": "leave"}));
    helia.fetch(&from, &late);
    node.stop();
}

#[test]
fn we_fetch_from_helia() {
    let Some(mut helia) = Helia::start() else {
        return;
    };
    let many = helia.put(1, 1000, 4 << 10);
    let ours = helia.put(5000, 40, 256 << 10);
    let largest = helia.put(6000, 8, 1 << 20);
    let address = helia.address();
    let client = client();
    let fetch = |wanted: &[Block]| {
        let begun = Instant::now();
        let missing = fetch_all(&client, std::slice::from_ref(&address), wanted);
        let took = begun.elapsed();
        println!("we fetched {} blocks in {took:?}", wanted.len());
        missing
    };
    assert_eq!(fetch(&many), []);
    // helia puts all that is asked for into one message, and that into yamux frames as long as the
    // window allows; at one over 1 MiB our yamux closes the connection. Less is asked at a time.
    for part in ours.chunks(3) {
        assert_eq!(fetch(part), []);
    }
    helia.must(&json!({"do": "leave"}));
    for part in largest.chunks(1) {
        assert_eq!(fetch(part), []);
    }
    // what it does not have, it says so
    let strange = blocks(1, 77);
    assert_eq!(fetch(&strange).len(), 1);
}
