//! Wycheproof vectors for chunked encryption ("Cobblestone"), through the code the vault uses.

use std::io::Read as _;

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use flate2::read::ZlibDecoder;
use hmac::Hmac;
use sha2::{Digest as _, Sha512};
use wycheproof::chunked_encryption::{ChunkedEncryptionAead, TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

use super::stream::Suite;

macro_rules! suite {
    ($name:ident, $aead:ty, $iana:literal) => {
        enum $name {}
        impl Suite for $name {
            const AEAD_NAME: &str = $iana;
            type Aead = $aead;
            type Prf = Hmac<Sha512>;
        }
    };
}

suite!(Aes128, Aes128Gcm, "AEAD_AES_128_GCM");
suite!(Aes256, Aes256Gcm, "AEAD_AES_256_GCM");

#[test]
fn cobblestone() {
    let mut run = 0;
    for name in [TestName::Cobblestone128, TestName::Cobblestone256] {
        for group in TestSet::load(name).unwrap().test_groups {
            assert_eq!(group.hash, HashFunction::Sha2_512);
            let open = match group.aead {
                ChunkedEncryptionAead::Aes128Gcm => super::open_all::<Aes128>,
                ChunkedEncryptionAead::Aes256Gcm => super::open_all::<Aes256>,
            };
            for test in group.tests {
                let mut sealed = Vec::new();
                ZlibDecoder::new(&test.ct[..])
                    .read_to_end(&mut sealed)
                    .unwrap();
                let opened = open(&test.key, &test.ctx, &sealed);
                assert_eq!(
                    opened.is_ok(),
                    test.result == TestResult::Valid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
                if let Ok(plain) = opened {
                    assert_eq!(Some(plain.len()), test.msg_length);
                    let hash = test.msg_sha512.unwrap();
                    assert_eq!(Sha512::digest(&plain)[..], hash[..]);
                }
                run += 1;
            }
        }
    }
    assert_eq!(run, 70);
}
