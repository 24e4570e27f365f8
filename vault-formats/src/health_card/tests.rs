use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use super::*;
use crate::Person;

const PAYLOAD: &str = include_str!("../../samples/card/immunization.json");
const ISSUER: &str = "https://lab.example.org/issuer";
/// 2026-09-21.
pub(super) const NOW: Moment = Moment(1_790_000_000);

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

/// The keys of an issuer that signs with this key.
fn keys(seed: u8, issuer: Option<&str>) -> IssuerKeys {
    let (_, jwk) = keys::published(&signing_key(seed));
    IssuerKeys::from_jwks(json!({ "keys": [jwk] }).to_string().as_bytes(), issuer).unwrap()
}

fn sign(payload: &[u8], seed: u8) -> String {
    let key = signing_key(seed);
    let header = json!({"zip": "DEF", "alg": "ES256", "kid": keys::published(&key).0});
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(payload).unwrap();
    signed(&key, &header, &deflate.finish().unwrap())
}

fn signed(key: &SigningKey, header: &Value, packed: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let message = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(packed)
    );
    let signature: Signature = key.sign(message.as_bytes());
    format!("{message}.{}", encode(&signature.to_bytes()))
}

fn file(cards: &[String]) -> String {
    json!({ "verifiableCredential": cards }).to_string()
}

pub(super) fn read(text: &str, keys: &IssuerKeys) -> Understood {
    assert!(looks_like(text.as_bytes()));
    understand(text.as_bytes(), "card.txt", keys, NOW).unwrap()
}

pub(super) fn problems(understood: &Understood) -> Vec<String> {
    understood
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn labels(understood: &Understood) -> Vec<&str> {
    understood.meta.labels.iter().map(Label::as_str).collect()
}

/// The types of what is derived.
pub(super) fn kinds(understood: &Understood) -> Vec<&str> {
    understood
        .derived
        .iter()
        .map(|d| d.meta.kind.as_str())
        .collect()
}

#[test]
fn a_verified_card_in_every_form() {
    let jws = sign(PAYLOAD.as_bytes(), 1);
    let keys = keys(1, Some(ISSUER));
    for text in [
        jws.clone(),
        format!("\u{feff}{jws}\r\n"),
        file(std::slice::from_ref(&jws)),
        format!("shc:/{}", qr::digits(&jws)),
    ] {
        let card = read(&text, &keys);
        assert_eq!(problems(&card), [""; 0]);
        assert_eq!(
            card.meta.title,
            "Immunization card, verified (lab.example.org)"
        );
        assert_eq!(card.meta.kind.as_str(), "Document");
        assert_eq!(card.meta.category, Category::Immunization);
        assert_eq!(card.meta.media_type, "application/smart-health-card");
        assert_eq!(card.meta.date, "2026-03-02".parse().ok());
        assert_eq!(card.meta.author.as_deref(), Some("lab.example.org"));
        assert_eq!(labels(&card), ["R"]);
        let about: Vec<_> = card.about.iter().map(Person::shown).collect();
        assert_eq!(about, ["Mira Lind (1980-05-06)"]);
        assert_eq!(kinds(&card), ["Patient", "Immunization", "Provenance"]);
        let parse =
            |at: usize| -> Value { serde_json::from_slice(&card.derived[at].content).unwrap() };
        let (patient, mut shot, provenance) = (parse(0), parse(1), parse(2));
        let reference = format!("Patient/{}", patient["id"].as_str().unwrap());
        assert_eq!(shot["patient"]["reference"], reference);
        assert_eq!(
            provenance["activity"]["text"],
            "derived from a SMART Health Card, verified"
        );
        // everything else is as it was
        let source: Value = serde_json::from_str(PAYLOAD).unwrap();
        let mut source =
            source["vc"]["credentialSubject"]["fhirBundle"]["entry"][1]["resource"].clone();
        source["patient"]["reference"] = json!(reference);
        shot.as_object_mut().unwrap().remove("id");
        assert_eq!(shot, source);
        assert!(String::from_utf8_lossy(&card.derived[1].content).contains("\"value\":0.50"));
        // no label of one resource spreads to others
        assert!(card.derived[0].meta.labels.is_empty());
    }
}

#[test]
fn without_any_key_a_card_is_taken_as_not_verified() {
    let jws = sign(PAYLOAD.as_bytes(), 1);
    let card = read(&jws, &IssuerKeys::default());
    assert_eq!(
        card.meta.title,
        "Immunization card, not verified (lab.example.org)"
    );
    assert_eq!(problems(&card), [""; 0]);
    assert_eq!(card.derived.len(), 3);
    let provenance: Value = serde_json::from_slice(&card.derived[2].content).unwrap();
    assert_eq!(
        provenance["activity"]["text"],
        "derived from a SMART Health Card, not verified"
    );
}

#[test]
fn keys_of_others_verify_nothing() {
    let jws = sign(PAYLOAD.as_bytes(), 1);
    for keys in [
        keys(2, Some(ISSUER)),
        keys(1, Some("https://other.example.org")),
    ] {
        let card = read(&jws, &keys);
        assert_eq!(
            card.meta.title,
            "Immunization card, not verified (lab.example.org)"
        );
        assert_eq!(
            problems(&card),
            ["card 1: none of the given keys is its issuer's"]
        );
        assert!(card.derived.is_empty());
        assert_eq!(labels(&card), ["R"]);
    }
}

#[test]
fn a_signature_that_does_not_hold_is_said_and_nothing_derived() {
    let other = PAYLOAD.replace("2026-03-02", "2026-03-03");
    let (jws, forged) = (sign(PAYLOAD.as_bytes(), 1), sign(other.as_bytes(), 1));
    let (_, signature) = jws.rsplit_once('.').unwrap();
    let (message, _) = forged.rsplit_once('.').unwrap();
    let forged = format!("{message}.{signature}");
    let card = read(&forged, &keys(1, Some(ISSUER)));
    assert_eq!(problems(&card), ["card 1: the signature does not hold"]);
    assert_eq!(
        card.meta.title,
        "Immunization card, not verified (lab.example.org)"
    );
    assert_eq!(labels(&card), ["R", "UNCLEAR"]);
    assert!(card.derived.is_empty());
    // of two cards only the good one is taken
    let two = read(&file(&[forged, jws]), &keys(1, None));
    assert_eq!(
        two.meta.title,
        "2 health cards, not verified (lab.example.org)"
    );
    assert_eq!(two.derived.len(), 3);
    assert!(two.derived[0].meta.labels.contains(&Label::unclear()));
}

#[test]
fn times_of_validity_are_said() {
    let with = |json: &str| {
        let payload = PAYLOAD.replace("\"nbf\": 1780000000.5", json);
        read(&sign(payload.as_bytes(), 1), &keys(1, None))
    };
    let expired = with("\"exp\": 1767225600");
    assert_eq!(problems(&expired), ["card 1: expired on 2026-01-01"]);
    assert_eq!(
        expired.meta.title,
        "Immunization card, verified (lab.example.org)"
    );
    assert_eq!(expired.derived.len(), 3);
    assert_eq!(problems(&with("\"exp\": 1798761600.5")), [""; 0]);
    assert_eq!(
        problems(&with("\"nbf\": 1798761600")),
        ["card 1: not valid before 2027-01-01"]
    );
}

#[test]
fn codes_in_any_order_and_a_missing_one() {
    let jws = sign(PAYLOAD.as_bytes(), 1);
    let (first, rest) = jws.split_at(jws.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let code = |number: usize, text: &str| format!("shc:/{number}/3/{}", qr::digits(text));
    let keys = keys(1, None);
    let whole = [code(3, third), code(1, first), code(2, second)].join("\n");
    assert_eq!(read(&whole, &keys).derived.len(), 3);
    let missing = read(&[code(3, third), code(1, first)].join("\n"), &keys);
    assert_eq!(problems(&missing), ["card 1: QR code 2 of 3 is missing"]);
    assert_eq!(missing.meta.title, "card.txt");
    assert_eq!(labels(&missing), ["UNCLEAR"]);
}

#[test]
fn cards_that_cannot_be_read() {
    let key = signing_key(1);
    let header = json!({"zip": "DEF", "alg": "ES256", "kid": "k"});
    let bomb = |len: usize| sign(&vec![b' '; len], 1);
    let values = format!("{}[{}0]", " ".repeat(9), "0,".repeat(250_000));
    let other_algorithm = json!({"zip": "DEF", "alg": "none"});
    for (jws, what) in [
        (
            bomb(64 << 20),
            "the payload inflates to more than a health card holds",
        ),
        (
            bomb(1 << 20),
            "the payload inflates to more than a health card holds",
        ),
        (bomb(1 << 10), "the payload is not that of a health card"),
        (
            sign(values.as_bytes(), 1),
            "the payload inflates to more than a health card holds",
        ),
        (
            signed(&key, &header, &[0xff; 9]),
            "the payload does not inflate",
        ),
        (
            signed(&key, &json!({"zip": "GZ", "alg": "ES256"}), &[0; 9]),
            "the payload does not inflate",
        ),
        (
            signed(&key, &other_algorithm, &[3, 0]),
            "signed with another algorithm than ES256",
        ),
        (
            sign(b"{\"iss\":\"a\"}", 1),
            "the payload is not that of a health card",
        ),
    ] {
        let card = read(&file(&[jws]), &keys(1, None));
        assert_eq!(problems(&card), [format!("card 1: {what}")]);
        assert_eq!(labels(&card), ["UNCLEAR"]);
        assert!(card.derived.is_empty());
        assert_eq!(card.meta.media_type, "application/smart-health-card");
    }
    let many = read(&file(&vec!["a.b".to_owned(); 500]), &keys(1, None));
    assert_eq!(many.problems.len(), MAX_CARDS + 1);
    let cut = read("{\"verifiableCredential\": [\"", &keys(1, None));
    assert_eq!(problems(&cut), ["card 1: not valid JSON"]);
}

#[test]
fn files_in_other_forms() {
    let none = IssuerKeys::default();
    for other in [
        "",
        "text",
        "a.b.c",
        "{}",
        r#"{"resourceType":"Parameters","parameter":[{"name":"verifiableCredential","valueString":"a"}]}"#,
    ] {
        assert!(!looks_like(other.as_bytes()), "{other}");
        assert!(
            understand(other.as_bytes(), "", &none, NOW).is_none(),
            "{other}"
        );
    }
    for credentials in ["[]", "[{}]", "{}", "7"] {
        let other = format!("{{\"verifiableCredential\": {credentials}}}");
        assert!(understand(other.as_bytes(), "", &none, NOW).is_none());
    }
    let jwe = format!(
        "{}..iv.text.tag",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#)
    );
    let jwe = read(&jwe, &none);
    assert_eq!(jwe.meta.title, "Encrypted health file (JWE)");
    assert!(jwe.meta.is_sensitive() && jwe.derived.is_empty());
    let large = format!("{}.{}", sign(b"{}", 1), "A".repeat(MAX_LEN)).replace(".A", "A");
    assert_eq!(
        problems(&read(&large, &none)),
        ["card 1: larger than 4 MiB"]
    );
}

#[test]
fn never_panics() {
    let jws = sign(PAYLOAD.as_bytes(), 1);
    let keys = keys(1, None);
    let file = file(std::slice::from_ref(&jws));
    let code = format!("shc:/1/1/{}", qr::digits(&jws));
    // the signature byte by byte, what it is wrapped in here and there
    for (text, step) in [(jws, 1), (file, 7), (code, 7)] {
        for at in (0..text.len()).step_by(step) {
            let _ = looks_like(&text.as_bytes()[..at]);
            let _ = understand(&text.as_bytes()[..at], "", &keys, NOW);
            for flip in [0x01, 0x04, 0x80] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                let changed = understand(&bytes, "", &keys, NOW);
                // nothing that was changed passes as the issuer's
                let title = changed.map(|understood| understood.meta.title);
                assert!(!title.unwrap_or_default().contains(", verified"), "{at}");
            }
        }
    }
}
