//! What every [`BlockStore`] must do, as one test that each implementation runs.
#![allow(clippy::unwrap_used)] // a test, of other crates too

use std::collections::HashSet;

use super::{BlockStore, StoreError};
use crate::block::{Block, Cid, Codec, Digest, MAX_BLOCK_LEN};

/// A block of `len` bytes that differs for every `seed`; `len` of at least 8.
pub fn block(seed: u64, len: usize) -> Block {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut data = Vec::with_capacity(len + 8);
    data.extend_from_slice(&(seed + 1).to_le_bytes());
    while data.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    data.truncate(len);
    Block::new(Codec::Raw, data).unwrap()
}

/// A dag-cbor block with 62 bytes that differ for every `seed`, and the same bytes as a raw block.
fn twins(seed: u64) -> (Block, Block) {
    // a byte string of 62 bytes
    let data = [&[0x58, 62][..], block(seed, 62).data()].concat();
    let twin = |codec| Block::new(codec, data.clone()).unwrap();
    (twin(Codec::DagCbor), twin(Codec::Raw))
}

/// Runs every rule of the [`BlockStore`] contract, each on a fresh store from `make`.
///
/// # Panics
/// When a rule is broken.
pub fn conformance(make: impl Fn() -> Box<dyn BlockStore>) {
    empty_store(&*make());
    blocks_come_back(&*make());
    both_codecs_are_apart(&*make());
    put_is_idempotent(&*make());
    removal(&*make());
    zeros_are_refused(&*make());
    threads(&*make());
}

fn empty_store(store: &dyn BlockStore) {
    let cid = Cid::raw(Digest::of(b"absent"));
    assert_eq!(store.get(&cid).unwrap(), None);
    assert!(!store.has(&cid).unwrap());
    assert_eq!(store.remove(&[cid]).unwrap(), 0);
    assert!(store.list().unwrap().is_empty());
    store.put(&[]).unwrap();
    store.sync().unwrap();
}

fn blocks_come_back(store: &dyn BlockStore) {
    let lengths = [8, 9, 91, 92, 127, 128, 16_384, 262_400, MAX_BLOCK_LEN];
    let blocks: Vec<Block> = lengths.iter().map(|len| block(7, *len)).collect();
    store.put(&blocks).unwrap();
    for turn in 0..2 {
        for block in &blocks {
            assert!(store.has(&block.cid()).unwrap(), "turn {turn}");
            assert_eq!(store.get(&block.cid()).unwrap().as_ref(), Some(block));
        }
        store.sync().unwrap();
    }
    let listed: HashSet<Cid> = store.list().unwrap().into_iter().collect();
    assert_eq!(listed, blocks.iter().map(Block::cid).collect());
}

fn both_codecs_are_apart(store: &dyn BlockStore) {
    let (cbor, raw) = twins(1);
    store.put(std::slice::from_ref(&cbor)).unwrap();
    assert!(!store.has(&raw.cid()).unwrap());
    store.put(std::slice::from_ref(&raw)).unwrap();
    assert_eq!(store.remove(&[cbor.cid()]).unwrap(), 1);
    assert_eq!(store.get(&raw.cid()).unwrap(), Some(raw));
    assert_eq!(store.get(&cbor.cid()).unwrap(), None);
}

fn put_is_idempotent(store: &dyn BlockStore) {
    let one = block(1, 100);
    store.put(&[one.clone(), one.clone()]).unwrap();
    store.put(std::slice::from_ref(&one)).unwrap();
    assert_eq!(store.list().unwrap(), [one.cid()]);
    assert_eq!(store.remove(&[one.cid()]).unwrap(), 1);
    assert!(!store.has(&one.cid()).unwrap());
}

fn removal(store: &dyn BlockStore) {
    let blocks: Vec<Block> = (0..50).map(|seed| block(seed, 1000)).collect();
    store.put(&blocks).unwrap();
    let unknown = block(99, 1000).cid();
    let doomed: Vec<Cid> = blocks.iter().step_by(2).map(Block::cid).collect();
    let mut asked = doomed.clone();
    asked.extend([unknown, doomed[0]]);
    assert_eq!(store.remove(&asked).unwrap(), doomed.len());
    for (at, block) in blocks.iter().enumerate() {
        let kept = at % 2 == 1;
        assert_eq!(store.has(&block.cid()).unwrap(), kept);
        assert_eq!(store.get(&block.cid()).unwrap().is_some(), kept);
    }
    // a removed block can come back
    store.put(&blocks[..1]).unwrap();
    assert_eq!(store.get(&doomed[0]).unwrap().as_ref(), Some(&blocks[0]));
    assert_eq!(store.list().unwrap().len(), 26);
    let all: Vec<Cid> = blocks.iter().map(Block::cid).collect();
    assert_eq!(store.remove(&all).unwrap(), 26);
    assert!(store.list().unwrap().is_empty());
}

fn zeros_are_refused(store: &dyn BlockStore) {
    for len in [0, 1, 1000] {
        let zeros = Block::new(Codec::Raw, vec![0; len]).unwrap();
        let put = store.put(&[block(1, 50), zeros.clone()]);
        assert!(matches!(put, Err(StoreError::ZeroBlock)), "{len}");
        assert!(!store.has(&zeros.cid()).unwrap());
    }
    assert!(store.list().unwrap().is_empty());
    // the dag-cbor integer 0 is a proper block
    let zero = Block::new(Codec::DagCbor, vec![0]).unwrap();
    store.put(std::slice::from_ref(&zero)).unwrap();
    assert_eq!(store.get(&zero.cid()).unwrap(), Some(zero));
}

fn threads(store: &dyn BlockStore) {
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            scope.spawn(move || {
                for turn in 0..25 {
                    let one = block(worker * 1000 + turn, 5000);
                    store.put(std::slice::from_ref(&one)).unwrap();
                    assert_eq!(store.get(&one.cid()).unwrap(), Some(one.clone()));
                    if turn % 2 == 0 {
                        assert_eq!(store.remove(&[one.cid()]).unwrap(), 1);
                    }
                    assert!(!store.has(&block(worker, 6000).cid()).unwrap());
                }
            });
        }
    });
    assert_eq!(store.list().unwrap().len(), 4 * 12);
}
