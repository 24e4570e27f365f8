//! RFC 6962 tree hashes and the verification of proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The largest tree this crate reads or builds, in leaves: 2^63 - 1, the limit other
/// implementations of C2SP tlog-checkpoint share.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// Root of the tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
pub const EMPTY_ROOT: TreeHash = TreeHash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// A SHA-256 hash of a leaf, an inner node or a root. Shown as standard padded base64.
///
/// Hashes of a log are public to its readers, so equality is not constant-time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeHash(#[serde(with = "serde_bytes")] [u8; 32]);

impl TreeHash {
    /// Length of the binary form, in bytes.
    pub const LEN: usize = 32;

    /// Wraps the binary form.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The binary form.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads standard padded base64, exactly 44 characters; nothing looser. `None` otherwise.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The concatenation of hashes: the content of a tile (C2SP tlog-tiles, "Merkle Tree").
    pub fn concat(hashes: &[Self]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// Splits a concatenation of hashes. `None` if its length is not a multiple of 32 bytes.
    pub fn split(bytes: &[u8]) -> Option<Vec<Self>> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        rest.is_empty()
            .then(|| hashes.iter().map(|hash| Self(*hash)).collect())
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

/// Why a proof was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf index lies outside the tree.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexOutOfRange {
        /// Zero-based leaf index.
        index: u64,
        /// Number of leaves.
        size: u64,
    },
    /// The tree is said to have become smaller.
    #[error("tree shrank from {old} to {new} leaves")]
    Shrunk {
        /// Number of leaves known before.
        old: u64,
        /// Number of leaves claimed now.
        new: u64,
    },
    /// The proof has more or fewer hashes than these sizes call for.
    #[error("proof has a wrong number of hashes")]
    WrongLength,
    /// The proof does not lead to the root.
    #[error("proof does not match the root")]
    RootMismatch,
    /// The proof does not lead to the older root: the log was rewritten, or forked.
    #[error("proof does not match the older root")]
    OldRootMismatch,
}

/// Sibling hashes from a leaf up to the root (RFC 9162 section 2.1.3), lowest first; at most 63.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InclusionProof(pub Vec<TreeHash>);

/// Hashes that show a tree to be the extension of an older one (RFC 9162 section 2.1.4); at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsistencyProof(pub Vec<TreeHash>);

/// Hash of a leaf: SHA-256 over 0x00 and the leaf's bytes (RFC 6962 section 2.1).
pub fn leaf_hash(data: &[u8]) -> TreeHash {
    let hash = Sha256::new().chain_update([0]).chain_update(data);
    TreeHash(hash.finalize().into())
}

/// Hash of an inner node: SHA-256 over 0x01 and both children (RFC 6962 section 2.1).
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    TreeHash(Sha256::digest(bytes).into())
}

/// Checks that the leaf with hash `leaf` is number `index` (from zero) of the tree of `size` leaves
/// with root `root` (RFC 9162 section 2.1.3.2).
///
/// `size` and `root` must come from one verified checkpoint: a root alone does not fix the size, and
/// a proof may hold for several sizes.
///
/// # Errors
/// [`ProofError`]; a proof for a tree of another shape is refused, as is one with spare hashes.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &TreeHash,
    proof: &InclusionProof,
    root: &TreeHash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut position = index;
    let mut last = size - 1;
    let mut hash = *leaf;
    for sibling in &proof.0 {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            skip_lone_levels(&mut position, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash != *root {
        return Err(ProofError::RootMismatch);
    }
    Ok(())
}

/// Checks that the tree `(new_size, new_root)` begins with all leaves of `(old_size, old_root)`, in
/// their order (RFC 9162 section 2.1.4.2).
///
/// Equal sizes need equal roots and an empty proof. An old size of zero needs the empty root and an
/// empty proof, and then says nothing about the new root: every tree extends the empty one. Each
/// size must come from the same verified checkpoint as its root.
///
/// # Errors
/// [`ProofError`]; [`ProofError::OldRootMismatch`] and [`ProofError::Shrunk`] are what a rewritten
/// or rolled back log looks like.
pub fn verify_consistency(
    old_size: u64,
    old_root: &TreeHash,
    new_size: u64,
    new_root: &TreeHash,
    proof: &ConsistencyProof,
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Shrunk {
            old: old_size,
            new: new_size,
        });
    }
    if old_size == 0 || old_size == new_size {
        if !proof.0.is_empty() {
            return Err(ProofError::WrongLength);
        }
        if old_size == 0 && *old_root != EMPTY_ROOT {
            return Err(ProofError::OldRootMismatch);
        }
        if old_size == new_size && old_root != new_root {
            return Err(ProofError::RootMismatch);
        }
        return Ok(());
    }

    // An old tree of 2^k leaves is itself a node of the new one, so its root is not sent.
    let (start, path) = if old_size.is_power_of_two() {
        (old_root, proof.0.as_slice())
    } else {
        proof.0.split_first().ok_or(ProofError::WrongLength)?
    };
    let shift = (old_size - 1).trailing_ones();
    let mut position = (old_size - 1) >> shift;
    let mut last = (new_size - 1) >> shift;
    let mut old_hash = *start;
    let mut new_hash = *start;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if position & 1 == 1 || position == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            skip_lone_levels(&mut position, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if old_hash != *old_root {
        return Err(ProofError::OldRootMismatch);
    }
    if new_hash != *new_root {
        return Err(ProofError::RootMismatch);
    }
    Ok(())
}

/// Climbs past the levels at which the last node has no sibling and is carried up unchanged.
fn skip_lone_levels(position: &mut u64, last: &mut u64) {
    while *position & 1 == 0 && *position != 0 {
        *position >>= 1;
        *last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::naive_root;
    use super::*;
    use data_encoding::HEXLOWER;

    fn hash(hex: &str) -> TreeHash {
        let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
        TreeHash::from_bytes(bytes.try_into().unwrap())
    }

    /// The leaves of the test vectors of the Certificate Transparency reference implementation.
    fn leaves() -> Vec<TreeHash> {
        [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|hex| leaf_hash(&HEXLOWER.decode(hex.as_bytes()).unwrap()))
        .collect()
    }

    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const NODE_2_4: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const NODE_4_8: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const LEAF_2: &str = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7";
    const LEAF_3: &str = "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7";
    const NODE_0_2: &str = ROOTS[2];
    const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const NODE_4_6: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    const NODE_6_8: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";

    #[test]
    fn roots_of_the_known_trees() {
        let leaves = leaves();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(naive_root(&leaves[..size]), hash(root), "{size} leaves");
        }
        assert_eq!(EMPTY_ROOT.as_bytes()[..], Sha256::digest(b"")[..]);
    }

    #[test]
    fn known_inclusion_proofs() {
        let leaves = leaves();
        let cases: [(u64, u64, &[&str]); 5] = [
            (0, 1, &[]),
            (0, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
            (5, 8, &[LEAF_4, NODE_6_8, ROOTS[4]]),
            (2, 3, &[NODE_0_2]),
            (1, 5, &[ROOTS[1], NODE_2_4, LEAF_4]),
        ];
        for (index, size, path) in cases {
            let proof = InclusionProof(path.iter().map(|hex| hash(hex)).collect());
            let root = hash(ROOTS[size as usize]);
            let leaf = leaves[index as usize];
            assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
            assert!(verify_inclusion(index, size, &hash(LEAF_3), &proof, &root).is_err());
        }
    }

    #[test]
    fn known_consistency_proofs() {
        let cases: [(usize, usize, &[&str]); 5] = [
            (1, 1, &[]),
            (1, 8, &[LEAF_1, NODE_2_4, NODE_4_8]),
            (6, 8, &[NODE_4_6, NODE_6_8, ROOTS[4]]),
            (2, 5, &[NODE_2_4, LEAF_4]),
            (3, 4, &[LEAF_2, LEAF_3, NODE_0_2]),
        ];
        for (old, new, path) in cases {
            let proof = ConsistencyProof(path.iter().map(|hex| hash(hex)).collect());
            let (old_root, new_root) = (hash(ROOTS[old]), hash(ROOTS[new]));
            let verify = |old_root: &TreeHash, new_root: &TreeHash| {
                verify_consistency(old as u64, old_root, new as u64, new_root, &proof)
            };
            assert_eq!(verify(&old_root, &new_root), Ok(()), "{old} to {new}");
            assert!(verify(&hash(ROOTS[7]), &new_root).is_err());
            assert!(verify(&old_root, &hash(ROOTS[7])).is_err());
        }
    }

    #[test]
    fn sizes_without_a_proof() {
        let (one, two) = (hash(ROOTS[1]), hash(ROOTS[2]));
        let none = ConsistencyProof(vec![]);
        let some = ConsistencyProof(vec![one]);
        let verify = verify_consistency;
        assert_eq!(verify(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &none), Ok(()));
        assert_eq!(verify(0, &EMPTY_ROOT, 2, &two, &none), Ok(()));
        assert_eq!(verify(2, &two, 2, &two, &none), Ok(()));
        let wrong_old = Err(ProofError::OldRootMismatch);
        assert_eq!(verify(0, &one, 2, &two, &none), wrong_old);
        assert_eq!(verify(0, &one, 0, &one, &none), wrong_old);
        let wrong_root = Err(ProofError::RootMismatch);
        assert_eq!(verify(0, &EMPTY_ROOT, 0, &one, &none), wrong_root);
        assert_eq!(verify(2, &one, 2, &two, &none), wrong_root);
        let wrong_length = Err(ProofError::WrongLength);
        assert_eq!(verify(0, &EMPTY_ROOT, 2, &two, &some), wrong_length);
        assert_eq!(verify(2, &two, 2, &two, &some), wrong_length);
        assert_eq!(verify(1, &one, 2, &two, &none), wrong_length);
        let shrunk = Err(ProofError::Shrunk { old: 2, new: 1 });
        assert_eq!(verify(2, &two, 1, &one, &none), shrunk);

        let path = InclusionProof(vec![]);
        let outside = ProofError::IndexOutOfRange { index: 0, size: 0 };
        let empty = verify_inclusion(0, 0, &one, &path, &EMPTY_ROOT);
        assert_eq!(empty, Err(outside));
        assert!(verify_inclusion(1, 1, &one, &path, &one).is_err());
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        let (one, two) = (hash(ROOTS[1]), hash(ROOTS[2]));
        for size in [1 << 63, u64::MAX - 1, u64::MAX] {
            for len in [0, 1, 62, 63, 64, 65, 200] {
                let path = vec![one; len];
                let inclusion = InclusionProof(path.clone());
                assert!(verify_inclusion(size - 1, size, &one, &inclusion, &two).is_err());
                assert!(verify_inclusion(0, size, &one, &inclusion, &two).is_err());
                let consistency = ConsistencyProof(path);
                for old in [1, (1 << 62) + 1, size - 1] {
                    assert!(verify_consistency(old, &one, size, &two, &consistency).is_err());
                }
            }
        }
    }

    #[test]
    fn forms_of_a_hash() {
        let one = hash(ROOTS[1]);
        assert_eq!(
            one.to_string(),
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
        );
        assert_eq!(TreeHash::from_base64(&one.to_string()), Some(one));
        for text in [
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0", // no padding
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB1=", // spare bits set
            "bjQLnP+zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB0=", // another alphabet
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoA==", // 31 bytes
        ] {
            assert_eq!(TreeHash::from_base64(text), None, "{text}");
        }
        let both = TreeHash::concat(&[one, EMPTY_ROOT]);
        assert_eq!(TreeHash::split(&both), Some(vec![one, EMPTY_ROOT]));
        assert_eq!(TreeHash::split(&both[1..]), None);

        let proof = InclusionProof(vec![one]);
        let bytes = crate::codec::encode(&proof);
        assert_eq!(bytes[..3], [0x81, 0x58, 32], "an array of byte strings");
        assert_eq!(crate::codec::decode(&bytes, 64), Ok(proof));
    }
}
