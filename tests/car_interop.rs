//! Another implementation of CAR reads what we write, and we read what it writes.
//!
//! The npm package `@ipld/car`, from the public registry at the version in `tests/interop/car`. It
//! is installed into the build folder once. Without `npm` the test is skipped, except where `CI` is
//! set.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{env, fs, thread};

use vault_core::{
    Block, CarReader, CarSection, Codec, Content, Device, MemoryStorage, NewRecord, RecoveryWords,
    Vault, VaultStorage as _, record, system_clock,
};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/car");

/// Whether `program` is there; without it a test is skipped, but fails where `CI` is set.
fn available(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    assert!(found || env::var_os("CI").is_none(), "{program} is missing");
    if !found {
        println!("skipped: no {program}");
    }
    found
}

/// Installs the package beside the build's own output; the folder.
fn install() -> Option<PathBuf> {
    if !available("npm") || !available("node") {
        return None;
    }
    let test_binary = env::current_exe().unwrap();
    let target = test_binary.ancestors().nth(3).unwrap();
    let folder = target.join("interop-tools/npm-car");
    fs::create_dir_all(&folder).unwrap();
    let sources = Path::new(SOURCES);
    fs::copy(sources.join("car_tool.mjs"), folder.join("car_tool.mjs")).unwrap();
    let lock = fs::read(sources.join("package-lock.json")).unwrap();
    if fs::read(folder.join("installed.json")).ok().as_ref() != Some(&lock) {
        for file in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(sources.join(file), folder.join(file)).unwrap();
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        let output = install.current_dir(&folder).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
        fs::write(folder.join("installed.json"), &lock).unwrap();
    }
    Some(folder)
}

fn run(folder: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("node")
        .arg("car_tool.mjs")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // a tool that fails early stops reading; its exit status says why
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {err}");
    output.stdout
}

#[test]
fn npm_ipld_car_reads_a_backup_and_we_read_what_it_writes() {
    let Some(folder) = install() else { return };
    let storage = Arc::new(MemoryStorage::new());
    let device = Arc::new(Device::for_new_vault(&RecoveryWords::generate(), 1));
    let mut vault = Vault::create(storage.clone(), device.clone(), "Mira", system_clock()).unwrap();
    let file = br#"{"resourceType": "Observation", "code": {"text": "Pulse"}}"#;
    let import = record::read(file, "pulse.json");
    let records = import.items.into_iter().map(|item| NewRecord {
        content: Content::Bytes(vec![5; 900_000].into()),
        meta: item.meta,
        source: None,
        replaces: None,
    });
    vault.add_all(records).unwrap();
    let mut car = Vec::new();
    vault
        .backup()
        .unwrap()
        .write(&mut car, &mut |_| {})
        .unwrap();

    let listed = String::from_utf8(run(&folder, &["list"], &car)).unwrap();
    let mut lines = listed.lines();
    let root = format!("root {}", vault.head().block().cid());
    assert_eq!(lines.next(), Some(root.as_str()));
    let mut found: Vec<&str> = lines.collect();
    found.sort_unstable();
    let store = storage.blocks();
    let blocks = store.list().unwrap().into_iter().map(|cid| {
        let block = store.get(&cid).unwrap().unwrap();
        format!("block {cid} {}", block.data().len())
    });
    let mut blocks: Vec<String> = blocks.collect();
    blocks.sort_unstable();
    assert_eq!(found, blocks);
    assert!(blocks.len() > 8);

    // what it makes of the file is the same file, and it restores
    let copied = run(&folder, &["copy"], &car);
    assert!(copied == car);
    let all = store.list().unwrap();
    store.remove(&all).unwrap();
    let reader = CarReader::new(&copied[..]).unwrap();
    let restored = Vault::restore(storage, device, system_clock(), reader, &mut |_| {}).unwrap();
    assert_eq!(restored.restored, all.len() as u64);

    let written = run(&folder, &["write", "hello", "there"], &[]);
    let reader = CarReader::new(&written[..]).unwrap();
    let blocks = ["hello", "there"].map(|text| Block::new(Codec::Raw, text.into()).unwrap());
    assert_eq!(reader.roots(), [blocks[0].cid()]);
    let sections: Vec<CarSection> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(sections, blocks.map(CarSection::Block));
}
