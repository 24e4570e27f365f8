//! Measures the CAR store against the bare file system:
//! `cargo test --release -p vault-core store::figures -- --ignored --nocapture`.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use super::BlockStore as _;
use super::car::CarStore;
use super::car_tests::files;
use super::conformance::block;
use crate::block::{Block, Cid};

const COUNT: usize = 4096;
const BATCH: usize = 64;
/// A block of sixteen sealed chunks.
const LEN: usize = 262_400;

fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

fn plain(path: &Path, blocks: &[Block]) {
    let mut file = File::create(path).unwrap();
    for block in blocks {
        file.write_all(block.data()).unwrap();
    }
    file.sync_data().unwrap();
}

#[test]
#[ignore = "writes 6 GiB to measure; wants a release build"]
fn against_the_file_system() {
    let base = std::env::var_os("MEDVAULT_BENCH_DIR").unwrap_or_else(|| ".".into());
    let blocks: Vec<Block> = (0..COUNT as u64).map(|seed| block(seed, LEN)).collect();
    for run in 0..3 {
        let dir = tempfile::tempdir_in(&base).unwrap();
        let file = dir.path().join("plain");
        let folder = dir.path().join("store");
        let bare = milliseconds(|| plain(&file, &blocks));
        std::fs::remove_file(&file).unwrap();
        let store = CarStore::open(&folder).unwrap();
        let put = milliseconds(|| {
            for batch in blocks.chunks(BATCH) {
                store.put(batch).unwrap();
            }
            store.sync().unwrap();
        });
        drop(store);
        let open = milliseconds(|| drop(CarStore::open(&folder).unwrap()));
        for path in files(&folder, "idx").iter().take(4) {
            std::fs::remove_file(path).unwrap();
        }
        let scan = milliseconds(|| drop(CarStore::open(&folder).unwrap()));
        let store = CarStore::open(&folder).unwrap();
        let get = milliseconds(|| {
            for block in &blocks[..1000] {
                assert!(store.get(&block.cid()).unwrap().is_some());
            }
        });
        let doomed: Vec<Cid> = blocks.iter().step_by(4).map(Block::cid).collect();
        let remove = milliseconds(|| {
            assert_eq!(store.remove(&doomed[..1000]).unwrap(), 1000);
        });
        println!(
            "run {run}: plain {bare:.0} ms, put and sync {put:.0} ms, ratio {:.2}; \
             open {open:.1} ms, without indexes {scan:.1} ms; get 1000 {get:.0} ms; \
             remove 1000 {remove:.0} ms",
            bare / put
        );
    }
}
