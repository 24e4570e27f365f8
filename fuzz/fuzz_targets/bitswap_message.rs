//! The message decoder of `vault-node`, built from its source: the whole node would take minutes.
#![no_main]
#![allow(dead_code)]

#[path = "../../vault-node/src/bitswap/message.rs"]
mod message;
#[path = "../../vault-node/src/bitswap/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = message::decode_len(bytes);
    let Ok(decoded) = message::Message::decode(bytes) else {
        return;
    };
    let wire = decoded.encode();
    if let Ok(Some((_, start))) = message::decode_len(&wire) {
        assert!(message::Message::decode(&wire[start..]).is_ok());
    }
    for payload in decoded.payload {
        let _ = payload.into_block();
    }
});
