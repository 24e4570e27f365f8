//! Another implementation of IPNS takes our records, and we take its.
//!
//! The npm package `ipns` at the version in `tests/interop/ipns`, installed into the build folder
//! once. Without `npm` the test is skipped, except where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

#[path = "peers/tools.rs"]
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;

use vault_core::{Device, Head, IpnsError, IpnsName, IpnsRecord, PublicKey, RecoveryWords};
use vault_core::{MemoryStorage, Vault, system_clock};

/// The seed of the specification's example.
const SEED: &str = "0303030303030303030303030303030303030303030303030303030303030303";
/// Its public key.
const KEY: [u8; 32] = [
    0xed, 0x49, 0x28, 0xc6, 0x28, 0xd1, 0xc2, 0xc6, 0xea, 0xe9, 0x03, 0x38, 0x90, 0x59, 0x95, 0x61,
    0x29, 0x59, 0x27, 0x3a, 0x5c, 0x63, 0xf9, 0x36, 0x36, 0xc1, 0x46, 0x14, 0xac, 0x87, 0x37, 0xd1,
];
const HEAD: &str = "bafyreif7d5rucbzxkmeuyfxvmhcd7r56koeb4jvyutlc4enmbvzpdapwxm";
const NOW: u64 = 1_790_000_000;

struct Tool(PathBuf);

impl Tool {
    fn found() -> Option<Self> {
        let sources = Path::new(tools::SOURCES).join("ipns");
        tools::npm(&sources, "npm-ipns").map(Self)
    }

    fn try_run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("node");
        command
            .arg(Path::new(tools::SOURCES).join("ipns/ipns_tool.mjs"))
            .args(args)
            .env("IPNS_TOOL_PACKAGES", &self.0);
        tools::run(&mut command, input)
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        self.try_run(args, input)
            .unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }
}

#[test]
fn npm_ipns() {
    let Some(tool) = Tool::found() else { return };
    their_records_are_read(&tool);
    our_records_are_taken(&tool);
}

fn their_records_are_read(tool: &Tool) {
    let name = IpnsName::new(PublicKey::from_bytes(KEY));
    let theirs = String::from_utf8(tool.run(&["name", SEED], b"")).unwrap();
    assert_eq!(theirs, name.to_peer_id());
    assert_eq!(theirs.parse(), Ok(name));
    for versions in ["both", "newest"] {
        let value = format!("/ipfs/{HEAD}");
        let sign = |until: &str| ["sign", SEED, &value, "9", until, versions].map(str::to_owned);
        let run = |until: &str| {
            let args = sign(until);
            tool.run(&args.each_ref().map(String::as_str), b"")
        };
        let bytes = run("2026-09-21T14:13:20.123456789Z");
        let record = IpnsRecord::from_bytes(&bytes, &name, NOW).unwrap();
        assert_eq!(record.head().to_string(), HEAD);
        assert_eq!((record.sequence(), record.ttl()), (9, 7));
        assert_eq!(record.valid_until(), NOW);
        let later = IpnsRecord::from_bytes(&bytes, &name, NOW + 1);
        assert_eq!(later, Err(IpnsError::Expired(NOW)));
        let other = IpnsName::new(PublicKey::from_bytes([7; 32]));
        assert!(IpnsRecord::from_bytes(&bytes, &other, NOW).is_err());
    }
}

fn our_records_are_taken(tool: &Tool) {
    let words = RecoveryWords::generate();
    let device = std::sync::Arc::new(Device::for_new_vault(&words, NOW));
    let storage = std::sync::Arc::new(MemoryStorage::new());
    let vault = Vault::create(storage, device.clone(), "Ada", system_clock()).unwrap();
    let head: &Head = vault.head();
    let record = IpnsRecord::for_head(&device, head, head.time());
    let name = device.ipns_name();
    let key: String = name
        .key()
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let said = tool.run(&["verify", &key], record.as_bytes());
    let said = String::from_utf8(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("/ipfs/{}", head.block().cid()));
    assert_eq!(lines[1], head.seq().to_string());
    assert!(lines[2].ends_with(".000000000Z"), "{said}");
    assert_eq!(lines[3], "300000000000");

    let again = IpnsRecord::for_head(&device, head, head.time() + 60);
    assert!(again.supersedes(&record));
    let at = record.as_bytes().len().to_string();
    let both = [record.as_bytes(), again.as_bytes()].concat();
    assert_eq!(tool.run(&["select", &key, &at], &both), b"1");

    for at in [20, 150, record.as_bytes().len() - 20] {
        let mut altered = record.as_bytes().to_vec();
        altered[at] ^= 1;
        assert!(tool.try_run(&["verify", &key], &altered).is_err(), "{at}");
    }
    let other = "ab".repeat(32);
    assert!(
        tool.try_run(&["verify", &other], record.as_bytes())
            .is_err()
    );
}
