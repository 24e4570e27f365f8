//! Wycheproof: X25519, Ed25519, ChaCha20-Poly1305, HKDF.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use sha2::{Sha256, Sha512};
use wycheproof::{TestResult, aead, eddsa, hkdf as hkdf_vectors, xdh};
use x25519_dalek::{PublicKey, StaticSecret};

#[test]
fn x25519() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut run = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let private: [u8; 32] = test.private_key[..].try_into().unwrap();
        let public: [u8; 32] = test.public_key[..].try_into().unwrap();
        let shared = StaticSecret::from(private).diffie_hellman(&PublicKey::from(public));
        assert_eq!(
            shared.as_bytes()[..],
            test.shared_secret[..],
            "{}",
            test.tc_id
        );
        // what our code refuses is exactly what yields a zero secret
        let zero = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
        assert_eq!(shared.was_contributory(), !zero, "{}", test.tc_id);
        run += 1;
    }
    assert_eq!(run, 518);
}

#[test]
fn ed25519_strict() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut run = 0;
    for group in set.test_groups {
        let key: [u8; 32] = group.key.pk[..].try_into().unwrap();
        let key = VerifyingKey::from_bytes(&key).unwrap();
        for test in group.tests {
            let verified = Signature::from_slice(&test.sig)
                .and_then(|signature| key.verify_strict(&test.msg, &signature));
            let valid = test.result == TestResult::Valid;
            assert_eq!(verified.is_ok(), valid, "{}: {}", test.tc_id, test.comment);
            run += 1;
        }
    }
    assert_eq!(run, 151);
}

#[test]
fn chacha20_poly1305() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    let mut run = 0;
    for group in set.test_groups {
        for test in group.tests {
            run += 1;
            let cipher = ChaCha20Poly1305::new_from_slice(&test.key).unwrap();
            if test.nonce.len() != 12 {
                assert_eq!(test.result, TestResult::Invalid); // not expressible: a type of 12 bytes
                continue;
            }
            let nonce = Nonce::from_slice(&test.nonce);
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let with_aad = |msg| Payload {
                msg,
                aad: &test.aad,
            };
            let opened = cipher.decrypt(nonce, with_aad(&sealed));
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap(), test.pt[..], "{}", test.tc_id);
                let made = cipher.encrypt(nonce, with_aad(&test.pt)).unwrap();
                assert_eq!(made, sealed, "{}", test.tc_id);
            } else {
                assert!(opened.is_err(), "{}", test.tc_id);
            }
        }
    }
    assert_eq!(run, 325);
}

macro_rules! hkdf_test {
    ($name:ident, $hash:ty, $vectors:ident, $count:literal) => {
        #[test]
        fn $name() {
            let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::$vectors).unwrap();
            let mut run = 0;
            for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
                let mut okm = vec![0; test.size];
                let expanded =
                    Hkdf::<$hash>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
                let valid = test.result == TestResult::Valid;
                assert_eq!(expanded.is_ok(), valid, "{}", test.tc_id);
                if valid {
                    assert_eq!(okm, test.okm[..], "{}", test.tc_id);
                }
                run += 1;
            }
            assert_eq!(run, $count);
        }
    };
}

hkdf_test!(hkdf_sha256, Sha256, HkdfSha256, 86);
hkdf_test!(hkdf_sha512, Sha512, HkdfSha512, 83);
