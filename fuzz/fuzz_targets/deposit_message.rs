//! What stands before an announced deposit, as `vault-node` reads it; built from its source, as
//! the whole node would take minutes.
#![no_main]
#![allow(dead_code)]

#[path = "../../vault-node/src/deposit/message.rs"]
mod message;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = bytes.first_chunk()
        && let Some(decoded) = message::Header::decode(header)
    {
        assert!(decoded.announcement <= message::MAX_DEPOSIT_ANNOUNCEMENT);
        assert_eq!(decoded.encode(), header);
    }
    for byte in bytes {
        if let Some(word) = message::Word::decode(*byte) {
            assert_eq!(word.encode(), *byte);
        }
    }
});
