//! Tests only: the tree as RFC 6962 defines it, recursively, and proofs held against it.

use proptest::prelude::*;

use super::append::{Appender, MemoryTiles};
use super::merkle::{
    EMPTY_ROOT, TreeHash, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
use super::tiles::{prove_consistency, prove_inclusion, root};

pub(super) fn leaf(index: u64) -> TreeHash {
    leaf_hash(&index.to_be_bytes())
}

/// RFC 6962 section 2.1, word for word.
pub(super) fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962 section 2.1.1, word for word.
fn naive_path(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = match index.checked_sub(left.len()) {
        None => (naive_path(index, left), right),
        Some(index) => (naive_path(index, right), left),
    };
    path.push(naive_root(sibling));
    path
}

/// RFC 6962 section 2.1.2, word for word.
fn naive_subproof(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return if whole {
            vec![]
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = match old.checked_sub(left.len()) {
        None | Some(0) => (naive_subproof(old, left, whole), right),
        Some(old) => (naive_subproof(old, right, false), left),
    };
    path.push(naive_root(sibling));
    path
}

pub(super) fn tree(size: u64) -> (Vec<TreeHash>, MemoryTiles, Appender) {
    let leaves: Vec<_> = (0..size).map(leaf).collect();
    let mut appender = Appender::new();
    for leaf in &leaves {
        appender.append(*leaf).unwrap();
    }
    let mut tiles = MemoryTiles::default();
    tiles.store(&mut appender);
    (leaves, tiles, appender)
}

fn flip(hash: &mut TreeHash, bit: usize) {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    *hash = TreeHash::from_bytes(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn inclusion_holds_and_no_alteration_does(
        size in 1_u64..700, pick: u64, which: usize, bit in 0_usize..256, other: u64,
    ) {
        let index = pick % size;
        let (leaves, tiles, appender) = tree(size);
        let top = appender.root();
        let proof = prove_inclusion(&tiles, size, index).unwrap();
        prop_assert_eq!(&proof.0, &naive_path(index as usize, &leaves));
        prop_assert!(verify_inclusion(index, size, &leaf(index), &proof, &top).is_ok());

        let (mut bad_leaf, mut bad_root) = (leaf(index), top);
        flip(&mut bad_leaf, bit);
        flip(&mut bad_root, bit);
        prop_assert!(verify_inclusion(index, size, &bad_leaf, &proof, &top).is_err());
        prop_assert!(verify_inclusion(index, size, &leaf(index), &proof, &bad_root).is_err());
        for wrong in (0..size).filter(|wrong| *wrong != index) {
            prop_assert!(verify_inclusion(wrong, size, &leaf(index), &proof, &top).is_err());
        }
        let mut longer = proof.clone();
        longer.0.insert(which % (proof.0.len() + 1), leaf(other));
        prop_assert!(verify_inclusion(index, size, &leaf(index), &longer, &top).is_err());
        if !proof.0.is_empty() {
            let at = which % proof.0.len();
            let mut bad = proof.clone();
            flip(&mut bad.0[at], bit);
            prop_assert!(verify_inclusion(index, size, &leaf(index), &bad, &top).is_err());
            let mut shorter = proof.clone();
            shorter.0.remove(at);
            prop_assert!(verify_inclusion(index, size, &leaf(index), &shorter, &top).is_err());
        }
    }

    #[test]
    fn consistency_holds_and_no_alteration_does(
        new in 2_u64..700, pick: u64, which: usize, bit in 0_usize..256, other: u64,
    ) {
        let old = 1 + pick % (new - 1);
        let (leaves, tiles, appender) = tree(new);
        let (before, after) = (root(&tiles, old).unwrap(), appender.root());
        let proof = prove_consistency(&tiles, old, new).unwrap();
        prop_assert_eq!(&proof.0, &naive_subproof(old as usize, &leaves, true));
        prop_assert!(verify_consistency(old, &before, new, &after, &proof).is_ok());

        let (mut bad_before, mut bad_after) = (before, after);
        flip(&mut bad_before, bit);
        flip(&mut bad_after, bit);
        prop_assert!(verify_consistency(old, &bad_before, new, &after, &proof).is_err());
        prop_assert!(verify_consistency(old, &before, new, &bad_after, &proof).is_err());
        for wrong in (1..=new).filter(|wrong| *wrong != old) {
            prop_assert!(verify_consistency(wrong, &before, new, &after, &proof).is_err());
        }
        let mut longer = proof.clone();
        longer.0.insert(which % (proof.0.len() + 1), leaf(other));
        prop_assert!(verify_consistency(old, &before, new, &after, &longer).is_err());
        let at = which % proof.0.len();
        let mut bad = proof.clone();
        flip(&mut bad.0[at], bit);
        prop_assert!(verify_consistency(old, &before, new, &after, &bad).is_err());
        let mut shorter = proof.clone();
        shorter.0.remove(at);
        prop_assert!(verify_consistency(old, &before, new, &after, &shorter).is_err());
    }
}
