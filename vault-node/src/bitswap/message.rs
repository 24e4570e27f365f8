//! Bitswap 1.2.0 messages: what peers ask for, send, and say they have.
//!
//! Source: the Bitswap protocol specification (specs.ipfs.tech/bitswap-protocol), its protobuf
//! schema. The older `blocks` field (bare CIDv0 blocks) is stepped over: no such block is ours.

use vault_core::{Block, Cid, Codec, MAX_BLOCK_LEN};

use super::wire::{Reader, WireError, put_bytes, put_number, put_varint, varint};

/// Longest message that is read, in bytes (4 MiB, as in other implementations).
pub(crate) const MAX_MESSAGE_LEN: usize = 4 << 20;
/// Most wants, blocks or presences in one message that is read.
pub(crate) const MAX_ENTRIES: usize = 16 * 1024;
/// Longest CID that is looked at, in bytes. Ours have 36.
const MAX_CID_LEN: usize = 128;

/// What a want asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantKind {
    /// The block itself.
    Block,
    /// Whether the peer has it.
    Have,
}

/// One line of a peer's want list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    /// The CID as the peer wrote it; it need not be one that we know.
    pub(crate) cid: Vec<u8>,
    pub(crate) kind: WantKind,
    pub(crate) cancel: bool,
    /// Whether the peer wants to hear that we do not have it.
    pub(crate) send_dont_have: bool,
}

impl Want {
    /// Asks for a block, and to be told when it is not there.
    pub(crate) fn block(cid: &Cid) -> Self {
        Self {
            cid: cid.to_bytes().to_vec(),
            kind: WantKind::Block,
            cancel: false,
            send_dont_have: true,
        }
    }

    /// Takes an earlier want back.
    pub(crate) fn cancel(cid: &Cid) -> Self {
        Self {
            cancel: true,
            send_dont_have: false,
            ..Self::block(cid)
        }
    }
}

/// Whether a peer has a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) cid: Vec<u8>,
    pub(crate) have: bool,
}

/// Foreign bytes with the CID prefix (version, codec, hash function, hash length) they came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) prefix: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Payload {
    /// Names the bytes by hashing them. `None` for a kind of CID or a length that is never ours.
    pub(crate) fn into_block(self) -> Option<Block> {
        let codec = match self.prefix.as_slice() {
            [1, 0x55, 0x12, 32] => Codec::Raw,
            [1, 0x71, 0x12, 32] => Codec::DagCbor,
            _ => return None,
        };
        Block::new(codec, self.data).ok()
    }
}

impl From<Block> for Payload {
    fn from(block: Block) -> Self {
        Self {
            prefix: block.cid().to_bytes()[..4].to_vec(),
            data: block.into_data(),
        }
    }
}

/// A bitswap message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The wants replace all earlier ones.
    pub(crate) full: bool,
    pub(crate) wants: Vec<Want>,
    pub(crate) payload: Vec<Payload>,
    pub(crate) presences: Vec<Presence>,
}

impl Message {
    /// A message that only asks.
    pub(crate) fn of_wants(wants: Vec<Want>) -> Self {
        Self {
            wants,
            ..Self::default()
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        !self.full && self.wants.is_empty() && self.payload.is_empty() && self.presences.is_empty()
    }

    /// The message as it travels: a varint length, then protobuf.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(
            self.payload
                .iter()
                .map(|p| p.data.len() + 32)
                .sum::<usize>()
                + 64,
        );
        if self.full || !self.wants.is_empty() {
            let mut list = Vec::new();
            for want in &self.wants {
                let mut entry = Vec::new();
                put_bytes(&mut entry, 1, &want.cid);
                put_number(&mut entry, 2, 1);
                put_number(&mut entry, 3, want.cancel.into());
                put_number(&mut entry, 4, (want.kind == WantKind::Have).into());
                put_number(&mut entry, 5, want.send_dont_have.into());
                put_bytes(&mut list, 1, &entry);
            }
            put_number(&mut list, 2, self.full.into());
            put_bytes(&mut body, 1, &list);
        }
        for payload in &self.payload {
            let mut head = Vec::with_capacity(16);
            put_bytes(&mut head, 1, &payload.prefix);
            put_varint(&mut head, 2 << 3 | 2);
            put_varint(&mut head, payload.data.len() as u64);
            put_varint(&mut body, 3 << 3 | 2);
            put_varint(&mut body, (head.len() + payload.data.len()) as u64);
            body.extend_from_slice(&head);
            body.extend_from_slice(&payload.data);
        }
        for presence in &self.presences {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, &presence.cid);
            put_number(&mut entry, 2, (!presence.have).into());
            put_bytes(&mut body, 4, &entry);
        }
        let mut out = Vec::with_capacity(body.len() + 4);
        put_varint(&mut out, body.len() as u64);
        out.extend_from_slice(&body);
        out
    }

    /// Reads a message without its length prefix.
    ///
    /// # Errors
    /// Malformed bytes; more than [`MAX_ENTRIES`] of anything. Blocks over 1 MiB and CIDs that are
    /// too long are left out silently, since the rest of the message may be of use.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut message = Self::default();
        let mut reader = Reader(bytes);
        let mut seen = 0;
        while let Some((field, value)) = reader.field()? {
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(WireError::TooMany);
            }
            match field {
                1 => message.decode_wants(value.bytes()?)?,
                3 => {
                    let (prefix, data) = decode_pair(value.bytes()?)?;
                    if data.len() <= MAX_BLOCK_LEN && prefix.len() <= MAX_CID_LEN {
                        let (prefix, data) = (prefix.to_vec(), data.to_vec());
                        message.payload.push(Payload { prefix, data });
                    }
                }
                4 => message.decode_presence(value.bytes()?)?,
                _ => {}
            }
        }
        Ok(message)
    }

    fn decode_wants(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut reader = Reader(bytes);
        while let Some((field, value)) = reader.field()? {
            match field {
                1 => {
                    if self.wants.len() == MAX_ENTRIES {
                        return Err(WireError::TooMany);
                    }
                    self.wants.extend(decode_want(value.bytes()?)?);
                }
                2 => self.full = value.number()? != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn decode_presence(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut presence = Presence {
            cid: Vec::new(),
            have: true,
        };
        let mut reader = Reader(bytes);
        while let Some((field, value)) = reader.field()? {
            match field {
                1 => presence.cid = value.bytes()?.to_vec(),
                2 => presence.have = value.number()? == 0,
                _ => {}
            }
        }
        if presence.cid.len() <= MAX_CID_LEN {
            self.presences.push(presence);
        }
        Ok(())
    }
}

fn decode_want(bytes: &[u8]) -> Result<Option<Want>, WireError> {
    let mut want = Want {
        cid: Vec::new(),
        kind: WantKind::Block,
        cancel: false,
        send_dont_have: false,
    };
    let mut reader = Reader(bytes);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => {
                let cid = value.bytes()?;
                if cid.len() > MAX_CID_LEN {
                    return Ok(None);
                }
                want.cid = cid.to_vec();
            }
            3 => want.cancel = value.number()? != 0,
            4 if value.number()? != 0 => want.kind = WantKind::Have,
            5 => want.send_dont_have = value.number()? != 0,
            _ => {}
        }
    }
    Ok(Some(want))
}

/// Fields 1 and 2, both bytes.
fn decode_pair(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let mut pair: (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader(bytes);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => pair.0 = value.bytes()?,
            2 => pair.1 = value.bytes()?,
            _ => {}
        }
    }
    Ok(pair)
}

/// Reads a message's length prefix: the length and how many bytes it took, or `None` when more
/// bytes are needed.
///
/// # Errors
/// A length over [`MAX_MESSAGE_LEN`].
pub(crate) fn decode_len(bytes: &[u8]) -> Result<Option<(usize, usize)>, WireError> {
    match varint(bytes)? {
        Some((len, _)) if len > MAX_MESSAGE_LEN as u64 => Err(WireError::TooLong),
        Some((len, taken)) => Ok(Some((len as usize, taken))),
        None if bytes.len() > 4 => Err(WireError::TooLong),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(message: &Message) -> Message {
        let bytes = message.encode();
        let (len, taken) = decode_len(&bytes).unwrap().unwrap();
        assert_eq!(len + taken, bytes.len());
        Message::decode(&bytes[taken..]).unwrap()
    }

    #[test]
    fn every_part_round_trips() {
        let block = Block::new(Codec::DagCbor, vec![0xa0]).unwrap();
        let message = Message {
            full: true,
            wants: vec![
                Want::block(&block.cid()),
                Want::cancel(&block.cid()),
                Want {
                    kind: WantKind::Have,
                    ..Want::block(&block.cid())
                },
            ],
            payload: vec![block.clone().into()],
            presences: vec![
                Presence {
                    cid: vec![1, 2],
                    have: true,
                },
                Presence {
                    cid: vec![3],
                    have: false,
                },
            ],
        };
        let back = round_trip(&message);
        assert_eq!(back, message);
        assert_eq!(back.payload[0].clone().into_block(), Some(block));
        assert!(round_trip(&Message::default()).is_empty());
    }

    #[test]
    fn bytes_from_another_implementation_are_read() {
        // a want list of one CIDv0 as go-bitswap writes it: priority 2147483647, want-have
        let mut bytes = vec![0x0a, 0x2e, 0x0a, 0x2c, 0x0a, 0x22, 0x12, 0x20];
        bytes.extend([7; 32]);
        bytes.extend([0x10, 0xff, 0xff, 0xff, 0xff, 0x07, 0x20, 0x01]);
        let message = Message::decode(&bytes).unwrap();
        assert_eq!(message.wants.len(), 1);
        assert_eq!(message.wants[0].kind, WantKind::Have);
        assert_eq!(message.wants[0].cid.len(), 34);
        assert!(!message.wants[0].send_dont_have);
    }

    #[test]
    fn foreign_kinds_of_block_are_not_taken() {
        let odd = |prefix: &[u8]| Payload {
            prefix: prefix.to_vec(),
            data: vec![1],
        };
        assert!(odd(&[1, 0x70, 0x12, 32]).into_block().is_none());
        assert!(odd(&[0, 0x70, 0x12, 32]).into_block().is_none());
        assert!(odd(&[]).into_block().is_none());
        let large = Payload {
            prefix: vec![1, 0x55, 0x12, 32],
            data: vec![0; MAX_BLOCK_LEN + 1],
        };
        assert!(large.clone().into_block().is_none());
        let message = Message {
            payload: vec![large],
            ..Message::default()
        };
        assert!(round_trip(&message).payload.is_empty());
    }

    #[test]
    fn limits_hold() {
        let many = Message {
            presences: vec![
                Presence {
                    cid: vec![1],
                    have: true
                };
                MAX_ENTRIES + 1
            ],
            ..Message::default()
        };
        let bytes = many.encode();
        let (_, taken) = decode_len(&bytes).unwrap().unwrap();
        assert_eq!(Message::decode(&bytes[taken..]), Err(WireError::TooMany));
        let mut len = Vec::new();
        put_varint(&mut len, MAX_MESSAGE_LEN as u64 + 1);
        assert_eq!(decode_len(&len), Err(WireError::TooLong));
        assert_eq!(decode_len(&[0xff; 5]), Err(WireError::TooLong));
        assert_eq!(decode_len(&[0x80]), Ok(None));
        let want = Want {
            cid: vec![1; MAX_CID_LEN + 1],
            ..Want::block(&Block::new(Codec::Raw, vec![]).unwrap().cid())
        };
        assert!(round_trip(&Message::of_wants(vec![want])).wants.is_empty());
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 1u64;
        for len in 0..2000usize {
            let bytes: Vec<u8> = (0..len % 97)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                    (state >> 33) as u8
                })
                .collect();
            let _ = Message::decode(&bytes);
            let _ = decode_len(&bytes);
        }
    }
}
