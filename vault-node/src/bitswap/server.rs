//! The answering side of bitswap, without I/O: what a peer still wants, and what it is told.

use std::collections::{BTreeMap, HashMap, VecDeque};

use vault_core::{Block, BlockStore, Cid, MAX_BLOCK_LEN};

use super::message::{Message, Presence, Want, WantKind};

/// Most wants of one peer that are kept at a time.
pub(crate) const MAX_WANTS: usize = 1024;
/// Block bytes after which a message is sent off (1 MiB). One block may be this long.
const PAYLOAD_TARGET: usize = MAX_BLOCK_LEN;
/// Most presences in one of our messages.
const MAX_PRESENCES: usize = 1024;

/// What one peer wants from us and has not been answered, oldest first.
#[derive(Default)]
pub(crate) struct Ledger {
    next: u64,
    wants: BTreeMap<u64, Want>,
    places: HashMap<Vec<u8>, u64>,
}

impl Ledger {
    /// Takes in a want list. Wants over [`MAX_WANTS`] are turned away: the returned message says
    /// so to those that asked to know.
    pub(crate) fn receive(&mut self, wants: Vec<Want>, full: bool) -> Message {
        if full {
            self.wants.clear();
            self.places.clear();
        }
        let mut refused = Message::default();
        for want in wants {
            let place = self.places.get(&want.cid).copied();
            match (want.cancel, place) {
                (true, Some(place)) => {
                    self.wants.remove(&place);
                    self.places.remove(&want.cid);
                }
                (true, None) => {}
                (false, Some(place)) => {
                    if let Some(known) = self.wants.get_mut(&place) {
                        known.send_dont_have |= want.send_dont_have;
                        if want.kind == WantKind::Block {
                            known.kind = WantKind::Block;
                        }
                    }
                }
                (false, None) if self.wants.len() < MAX_WANTS => {
                    self.places.insert(want.cid.clone(), self.next);
                    self.wants.insert(self.next, want);
                    self.next += 1;
                }
                (false, None) => push_dont_have(&mut refused, want),
            }
        }
        refused
    }

    /// Takes out up to `count` of the oldest wants.
    pub(crate) fn take(&mut self, count: usize) -> VecDeque<Want> {
        let mut taken = VecDeque::new();
        while taken.len() < count
            && let Some((_, want)) = self.wants.pop_first()
        {
            self.places.remove(&want.cid);
            taken.push_back(want);
        }
        taken
    }

    /// Whether every want was answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }
}

fn push_dont_have(message: &mut Message, want: Want) {
    if want.send_dont_have {
        message.presences.push(Presence {
            cid: want.cid,
            have: false,
        });
    }
}

/// Wants that are being answered, message by message.
#[derive(Default)]
pub(crate) struct Answer {
    wants: VecDeque<Want>,
    held: Option<Block>,
}

impl Answer {
    /// Starts on wants taken from a ledger.
    pub(crate) fn new(wants: VecDeque<Want>) -> Self {
        Self { wants, held: None }
    }

    /// Builds the next message from `store`, or from nothing when the peer may not read it; `None`
    /// when all is answered. A CID that is not ours, a block that is not there or is over 1 MiB,
    /// and a block that the store fails to read are all answered with "don't have".
    pub(crate) fn next(&mut self, store: Option<&dyn BlockStore>) -> Option<Message> {
        let mut message = Message::default();
        let mut size = 0;
        loop {
            if let Some(block) = self.held.take() {
                if size > 0 && size + block.data().len() > PAYLOAD_TARGET {
                    self.held = Some(block);
                    break;
                }
                size += block.data().len();
                message.payload.push(block.into());
            }
            if size >= PAYLOAD_TARGET || message.presences.len() >= MAX_PRESENCES {
                break;
            }
            let Some(want) = self.wants.pop_front() else {
                break;
            };
            let known = Cid::from_bytes(&want.cid).ok().zip(store);
            match want.kind {
                WantKind::Block => {
                    let found = known.and_then(|(cid, store)| store.get(&cid).ok().flatten());
                    match found.filter(|block| block.data().len() <= MAX_BLOCK_LEN) {
                        Some(block) => self.held = Some(block),
                        None => push_dont_have(&mut message, want),
                    }
                }
                WantKind::Have => {
                    if known.is_some_and(|(cid, store)| store.has(&cid).unwrap_or(false)) {
                        let (cid, have) = (want.cid, true);
                        message.presences.push(Presence { cid, have });
                    } else {
                        push_dont_have(&mut message, want);
                    }
                }
            }
        }
        (!message.is_empty()).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use vault_core::{Codec, StoreError};

    struct Map(HashMap<Cid, Block>);

    impl BlockStore for Map {
        fn put(&self, _: &[Block]) -> Result<(), StoreError> {
            Ok(())
        }
        fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
            Ok(self.0.get(cid).cloned())
        }
        fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
            Ok(self.0.contains_key(cid))
        }
        fn sync(&self) -> Result<(), StoreError> {
            Ok(())
        }
        fn remove(&self, _: &[Cid]) -> Result<usize, StoreError> {
            Ok(0)
        }
        fn list(&self) -> Result<Vec<Cid>, StoreError> {
            Ok(self.0.keys().copied().collect())
        }
    }

    fn block(seed: u8, len: usize) -> Block {
        Block::new(Codec::Raw, vec![seed; len]).unwrap()
    }

    fn store(blocks: &[Block]) -> Map {
        Map(blocks.iter().map(|b| (b.cid(), b.clone())).collect())
    }

    #[test]
    fn blocks_are_packed_up_to_the_target_and_none_is_lost() {
        let blocks: Vec<_> = (0..9).map(|i| block(i, 400_000)).collect();
        let store = store(&blocks);
        let mut ledger = Ledger::default();
        let wants = blocks.iter().map(|b| Want::block(&b.cid())).collect();
        assert!(ledger.receive(wants, false).is_empty());
        let mut answer = Answer::new(ledger.take(100));
        assert!(ledger.is_empty());
        let mut sent = Vec::new();
        while let Some(message) = answer.next(Some(&store)) {
            let size: usize = message.payload.iter().map(|p| p.data.len()).sum();
            assert!(size <= PAYLOAD_TARGET);
            sent.extend(message.payload.into_iter().filter_map(|p| p.into_block()));
        }
        assert_eq!(sent, blocks);
    }

    #[test]
    fn unknown_and_forbidden_blocks_are_dont_have() {
        let there = block(1, 10);
        let store = store(std::slice::from_ref(&there));
        let odd = Want {
            cid: vec![0x12, 0x20, 9],
            ..Want::block(&there.cid())
        };
        let silent = Want {
            send_dont_have: false,
            ..Want::block(&block(3, 1).cid())
        };
        let missing = Want::block(&block(2, 1).cid());
        let wants = || VecDeque::from([odd.clone(), silent.clone(), missing.clone()]);
        let message = Answer::new(wants()).next(Some(&store)).unwrap();
        assert!(message.payload.is_empty());
        let cids: Vec<_> = message.presences.iter().map(|p| p.cid.clone()).collect();
        assert_eq!(cids, [odd.cid.clone(), missing.cid.clone()]);
        assert!(message.presences.iter().all(|p| !p.have));

        let forbidden = VecDeque::from([Want::block(&there.cid())]);
        let message = Answer::new(forbidden).next(None).unwrap();
        assert!(message.payload.is_empty() && !message.presences[0].have);
    }

    #[test]
    fn have_is_answered_without_the_block() {
        let there = block(1, 10);
        let want = Want {
            kind: WantKind::Have,
            ..Want::block(&there.cid())
        };
        let message = Answer::new([want].into())
            .next(Some(&store(&[there])))
            .unwrap();
        assert!(message.payload.is_empty());
        assert!(message.presences[0].have);
    }

    #[test]
    fn cancel_full_and_the_limit() {
        let mut ledger = Ledger::default();
        let cids: Vec<_> = (0..=MAX_WANTS)
            .map(|i| Cid::raw(vault_core::Digest::of(&i.to_be_bytes())))
            .collect();
        let refused = ledger.receive(cids.iter().map(Want::block).collect(), false);
        assert_eq!(refused.presences.len(), 1);
        ledger.receive(vec![Want::cancel(&cids[0])], false);
        assert_eq!(ledger.take(1)[0].cid, cids[1].to_bytes());
        // wanting again what is on the list adds nothing
        ledger.receive(vec![Want::block(&cids[2])], false);
        assert_eq!(ledger.take(usize::MAX).len(), MAX_WANTS - 2);
        ledger.receive(vec![Want::block(&cids[0])], false);
        ledger.receive(vec![Want::block(&cids[1])], true);
        assert_eq!(ledger.take(9).len(), 1);
    }
}
