//! Wycheproof: ML-KEM-768, as X-Wing uses it (keys from seeds, given randomness).

use libcrux_ml_kem::mlkem768::{
    MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey, decapsulate, encapsulate,
    generate_key_pair, validate_private_key, validate_public_key,
};
use wycheproof::TestResult;
use wycheproof::mlkem::{Test, TestName, TestSet};

fn for_each(name: TestName, count: usize, mut check: impl FnMut(&Test) -> bool) {
    let set = TestSet::load(name).unwrap();
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let valid = test.result == TestResult::Valid;
        assert_eq!(check(test), valid, "{}: {}", test.tc_id, test.comment);
        run += 1;
    }
    assert_eq!(run, count);
}

fn field(bytes: &Option<wycheproof::ByteString>) -> &[u8] {
    bytes.as_deref().unwrap()
}

#[test]
fn keys_from_seeds() {
    for_each(TestName::MlKem768KeyGenSeed, 100, |test| {
        let pair = generate_key_pair(field(&test.seed).try_into().unwrap());
        pair.pk()[..] == *field(&test.encaps_key) && pair.sk()[..] == *field(&test.decaps_key)
    });
}

#[test]
fn encapsulation() {
    for_each(TestName::MlKem768Encaps, 265, |test| {
        let Ok(public) = MlKem768PublicKey::try_from(field(&test.encaps_key)) else {
            return false;
        };
        if !validate_public_key(&public) {
            return false;
        }
        let (ct, secret) = encapsulate(&public, field(&test.msg).try_into().unwrap());
        ct.as_slice()[..] == *field(&test.ct) && secret[..] == *field(&test.shared_secret)
    });
}

#[test]
fn decapsulation_from_seeds() {
    for_each(TestName::MlKem768, 201, |test| {
        let (Ok(seed), Ok(ct)) = (
            field(&test.seed).try_into(),
            MlKem768Ciphertext::try_from(field(&test.ct)),
        ) else {
            return false;
        };
        let pair = generate_key_pair(seed);
        let secret = decapsulate(pair.private_key(), &ct);
        test.encaps_key
            .as_deref()
            .is_none_or(|public| pair.pk()[..] == *public)
            && secret[..] == *field(&test.shared_secret)
    });
}

#[test]
fn decapsulation_keys_are_checked() {
    for_each(TestName::MlKem768SemiExpandedDecaps, 9, |test| {
        let (Ok(secret_key), Ok(ct)) = (
            MlKem768PrivateKey::try_from(field(&test.decaps_key)),
            MlKem768Ciphertext::try_from(field(&test.ct)),
        ) else {
            return false;
        };
        validate_private_key(&secret_key, &ct)
            && decapsulate(&secret_key, &ct)[..] == *field(&test.shared_secret)
    });
}
