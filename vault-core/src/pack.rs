//! Packs: small sealed bodies side by side in shared blocks.
//!
//! A body never straddles blocks. A few packs stay open at once, so that the space that one body
//! does not fit into is filled by a smaller one; each is closed when it is full or the packer is.

use crate::block::{Block, Codec, Digest};
use crate::body::{BodyError, FULL_BLOCK_LEN, Location, pad_to_class};

/// Packs that stay open at once.
const OPEN_PACKS: usize = 4;

/// A pack with less room than this is closed at once, in bytes.
const CLOSE_BELOW: usize = 700;

/// Lays sealed bodies into blocks. `K` is whatever the caller wants back with the location.
pub(crate) struct Packer<K> {
    open: Vec<Open<K>>,
}

struct Open<K> {
    data: Vec<u8>,
    bodies: Vec<(K, u32, u32)>,
}

/// A closed pack: its block, and where each body in it lies.
pub(crate) struct Packed<K> {
    pub(crate) block: Block,
    pub(crate) bodies: Vec<(K, Location)>,
}

impl<K> Packer<K> {
    pub(crate) fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Adds a sealed body of at most [`FULL_BLOCK_LEN`] bytes. Returns a pack when one closed.
    pub(crate) fn add(&mut self, key: K, sealed: &[u8]) -> Result<Vec<Packed<K>>, BodyError> {
        if sealed.len() > FULL_BLOCK_LEN {
            return Err(BodyError::Malformed);
        }
        let fits = |pack: &Open<K>| pack.data.len() + sealed.len() <= FULL_BLOCK_LEN;
        let mut closed = Vec::new();
        let at = match self.open.iter().position(fits) {
            Some(at) => at,
            None => {
                if self.open.len() == OPEN_PACKS {
                    let fullest = (0..OPEN_PACKS)
                        .max_by_key(|i| self.open[*i].data.len())
                        .unwrap_or(0);
                    closed.push(self.open.swap_remove(fullest).close()?);
                }
                self.open.push(Open {
                    data: Vec::with_capacity(FULL_BLOCK_LEN),
                    bodies: Vec::new(),
                });
                self.open.len() - 1
            }
        };
        let pack = &mut self.open[at];
        pack.bodies
            .push((key, pack.data.len() as u32, sealed.len() as u32));
        pack.data.extend_from_slice(sealed);
        if pack.data.len() + CLOSE_BELOW > FULL_BLOCK_LEN {
            closed.push(self.open.swap_remove(at).close()?);
        }
        Ok(closed)
    }

    /// Closes every open pack.
    pub(crate) fn finish(self) -> Result<Vec<Packed<K>>, BodyError> {
        self.open.into_iter().map(Open::close).collect()
    }
}

impl<K> Open<K> {
    fn close(mut self) -> Result<Packed<K>, BodyError> {
        pad_to_class(&mut self.data);
        let block = Block::new(Codec::Raw, self.data).map_err(|_| BodyError::Malformed)?;
        let digest: Digest = block.cid().digest();
        let place = |(key, offset, len)| {
            (
                key,
                Location::Packed {
                    block: digest,
                    offset,
                    len,
                },
            )
        };
        Ok(Packed {
            bodies: self.bodies.into_iter().map(place).collect(),
            block,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::class_len;

    #[test]
    fn every_body_is_found_at_its_place() {
        let bodies: Vec<Vec<u8>> = (0..500u32)
            .map(|i| vec![i as u8; 100 + (i as usize * 7919) % 30_000])
            .collect();
        let mut packer = Packer::new();
        let mut packs = Vec::new();
        for (i, body) in bodies.iter().enumerate() {
            packs.extend(packer.add(i, body).unwrap());
        }
        packs.extend(packer.finish().unwrap());
        let mut seen = 0;
        let mut used = 0;
        for pack in &packs {
            assert_eq!(pack.block.data().len(), class_len(pack.block.data().len()));
            used += pack.block.data().len();
            for (i, location) in &pack.bodies {
                let Location::Packed { block, offset, len } = location else {
                    panic!()
                };
                assert_eq!(*block, pack.block.cid().digest());
                let found = &pack.block.data()[*offset as usize..(*offset + *len) as usize];
                assert_eq!(found, &bodies[*i][..]);
                seen += 1;
            }
        }
        assert_eq!(seen, 500);
        let total: usize = bodies.iter().map(Vec::len).sum();
        assert!((used as f64) < total as f64 * 1.08, "{used} for {total}");
    }
}
