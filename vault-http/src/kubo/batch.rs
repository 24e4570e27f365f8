//! Blocks on their way to Kubo: lists that hold them together, and the CAR that carries them.

use std::io;

use ipld_core::cid::Cid as IpldCid;
use ipld_core::ipld::Ipld;
use vault_core::{Block, CarWriter, Cid, Codec};

/// Links in one list, which stays well under 1 MiB.
pub(super) const LIST: usize = 6000;

/// A dag-cbor list of links. Blocks below it stay as long as it is pinned.
pub(super) fn list(cids: &[Cid]) -> Block {
    let links: Vec<IpldCid> = cids.iter().map(link).collect();
    #[allow(clippy::expect_used)] // a list of CIDs is a dag-cbor value
    let bytes = serde_ipld_dagcbor::to_vec(&links).expect("links encode");
    #[allow(clippy::expect_used)] // callers list at most `LIST`
    Block::new(Codec::DagCbor, bytes).expect("a list is short")
}

/// The blocks that a dag-cbor block links, those of our kinds; none from bytes that are no
/// dag-cbor.
pub(super) fn links(block: &Block) -> Vec<Cid> {
    let Ok(value) = serde_ipld_dagcbor::from_slice::<Ipld>(block.data()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    value.references(&mut found);
    let ours = |cid: &IpldCid| Cid::from_bytes(&cid.to_bytes()).ok();
    found.iter().filter_map(ours).collect()
}

/// A CARv1 file of these blocks, without roots.
pub(super) fn car<'a>(blocks: impl Iterator<Item = &'a Block>) -> io::Result<Vec<u8>> {
    let mut writer = CarWriter::new(Vec::new(), &[])?;
    for block in blocks {
        writer.put(block)?;
    }
    writer.finish()
}

fn link(cid: &Cid) -> IpldCid {
    #[allow(clippy::expect_used)] // `Cid` is a CIDv1 by construction
    IpldCid::try_from(&cid.to_bytes()[..]).expect("own CIDs are valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault_core::Digest;

    #[test]
    fn lists_give_back_their_links() {
        let cid = |at: usize| Cid::raw(Digest::of(&at.to_be_bytes()));
        for count in [0, 1, LIST] {
            let cids: Vec<Cid> = (0..count).map(cid).collect();
            assert_eq!(links(&list(&cids)), cids);
        }
    }

    #[test]
    fn links_are_found_at_any_depth_and_strange_bytes_have_none() {
        let cid = Cid::raw(Digest::of(b"x"));
        let inner = Ipld::Map([("b".into(), Ipld::Link(link(&cid)))].into());
        let nested = Ipld::Map([("a".into(), Ipld::List(vec![inner]))].into());
        let bytes = serde_ipld_dagcbor::to_vec(&nested).unwrap();
        assert_eq!(links(&Block::new(Codec::DagCbor, bytes).unwrap()), [cid]);
        for bytes in [&b""[..], b"\xff", &[0x81; 1 << 20], b"\xd8\x2a\x41\x00"] {
            let block = Block::new(Codec::DagCbor, bytes.to_vec()).unwrap();
            assert_eq!(links(&block), []);
        }
    }
}
