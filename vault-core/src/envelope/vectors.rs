//! Published vectors for what cannot be reached from outside: X-Wing and HPKE-PQ.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{hpke, xwing};

/// The vectors of a file under the sample data, or `None` when there is no sample data.
fn load<T: DeserializeOwned>(name: &str) -> Option<Vec<T>> {
    let root = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    if !root.exists() {
        println!("skipped: no sample data");
        return None;
    }
    let text = std::fs::read(root.join("vectors").join(name)).unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    unhex(hex).try_into().unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

#[derive(Deserialize)]
struct XWingVector {
    seed: String,
    eseed: String,
    ss: String,
    pk: String,
    ct: String,
}

#[test]
fn x_wing_draft() {
    let Some(vectors) = load::<XWingVector>("xwing/xwing-draft.json") else {
        return;
    };
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let seed = bytes(&vector.seed);
        let public = xwing::public_key(&seed);
        assert_eq!(public[..], unhex(&vector.pk));
        xwing::check_public_key(&public).unwrap();
        let (enc, secret) = xwing::encapsulate_with(&public, &bytes(&vector.eseed)).unwrap();
        assert_eq!(enc[..], unhex(&vector.ct));
        assert_eq!(*secret, bytes(&vector.ss));
        assert_eq!(xwing::decapsulate(&seed, &enc).unwrap(), secret);
    }
}

#[derive(Deserialize)]
struct HpkeVector {
    mode: u8,
    kem_id: u16,
    kdf_id: u16,
    aead_id: u16,
    info: String,
    #[serde(rename = "ikmE")]
    randomness: String,
    #[serde(rename = "skRm")]
    seed: String,
    #[serde(rename = "pkRm")]
    public: String,
    enc: String,
    shared_secret: String,
    key: String,
    base_nonce: String,
    encryptions: Vec<Encryption>,
}

#[derive(Deserialize)]
struct Encryption {
    aad: String,
    ct: String,
    nonce: String,
    pt: String,
}

#[test]
fn hpke_pq() {
    let Some(vectors) = load::<HpkeVector>("hpke/hpke-pq-go.json") else {
        return;
    };
    let mut whole = 0;
    for vector in vectors {
        assert_eq!((vector.mode, vector.kem_id), (0, 0x647a));
        let (seed, enc) = (bytes(&vector.seed), bytes(&vector.enc));
        let public = xwing::public_key(&seed);
        assert_eq!(public[..], unhex(&vector.public));
        let (made, secret) = xwing::encapsulate_with(&public, &bytes(&vector.randomness)).unwrap();
        assert_eq!(*made, enc);
        assert_eq!(*secret, bytes(&vector.shared_secret));
        assert_eq!(xwing::decapsulate(&seed, &enc).unwrap(), secret);
        if (vector.kdf_id, vector.aead_id) != (1, 3) {
            continue; // the same KEM under a key derivation that is not used here
        }

        let info = unhex(&vector.info);
        let (key, base_nonce) = hpke::key_schedule(&secret, &info);
        assert_eq!(*key, bytes(&vector.key));
        assert_eq!(*base_nonce, bytes(&vector.base_nonce));
        let first = &vector.encryptions[0];
        assert_eq!(*base_nonce, bytes(&first.nonce));
        let opened = hpke::open_base(&seed, &enc, &info, &unhex(&first.aad), &unhex(&first.ct));
        assert_eq!(*opened.unwrap(), unhex(&first.pt));
        whole += 1;
    }
    assert_eq!(whole, 1);
}
