//! Another implementation of CAR reads what we write, and we read what it writes.
//!
//! The npm package `@ipld/car`, from the public registry at the version in `tests/interop/car`. It
//! is installed into the build folder once. Without `npm` the test is skipped, except where `CI` is
//! set.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

#[path = "peers/tools.rs"]
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use vault_core::{
    Block, CarReader, CarSection, Codec, Content, Device, MemoryStorage, NewRecord, RecoveryWords,
    Vault, VaultStorage as _, record, system_clock,
};

/// Installs the package and the program that drives it; the folder.
fn install() -> Option<PathBuf> {
    let sources = Path::new(tools::SOURCES).join("car");
    let folder = tools::npm(&sources, "npm-car")?;
    std::fs::copy(sources.join("car_tool.mjs"), folder.join("car_tool.mjs")).unwrap();
    Some(folder)
}

fn run(folder: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("node");
    command.arg("car_tool.mjs").args(args).current_dir(folder);
    tools::run(&mut command, input).unwrap_or_else(|error| panic!("{args:?}: {error}"))
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
