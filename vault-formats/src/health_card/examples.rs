//! The examples of the specification and of implementers.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::tests::{NOW, kinds, problems, read};
use super::*;

fn sample(name: &str) -> Option<String> {
    let folder = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let path = folder.join("data/shl-shc").join(name);
    if !path.exists() {
        println!("skipped: no sample data");
        return None;
    }
    Some(std::fs::read_to_string(path).unwrap())
}

/// What is expected was read from their `-b-jws-payload-expanded.json` files.
#[test]
fn the_published_examples() {
    let Some(jwks) = sample("issuer-jwks.json") else {
        return;
    };
    let issuer = Some("https://spec.smarthealth.cards/examples/issuer");
    let keys = IssuerKeys::from_jwks(jwks.as_bytes(), issuer).unwrap();
    let shots = [
        "Patient",
        "Immunization",
        "Immunization",
        "Immunization",
        "Provenance",
    ];
    let summary = [
        "Composition",
        "Patient",
        "Practitioner",
        "Organization",
        "Condition",
        "MedicationStatement",
        "Medication",
        "AllergyIntolerance",
        "Provenance",
    ];
    let short = ["Patient", "Immunization", "Immunization", "Provenance"];
    for (number, date, expected) in [
        ("00", "2022-09-05", &shots[..]),
        ("01", "2022-09-05", &shots[..]),
        ("02", "2020-12-11T14:30:00+01:00", &summary[..]),
        ("03", "2021-03-29", &short[..]),
    ] {
        let part = |name: &str| sample(&format!("example-{number}-{name}")).unwrap();
        let mut codes = part("f-qr-code-numeric-value-0.txt");
        if number == "02" {
            codes = [2, 0, 1]
                .map(|n| part(&format!("f-qr-code-numeric-value-{n}.txt")))
                .join("\n");
        }
        for text in [part("d-jws.txt"), part("e-file.smart-health-card"), codes] {
            let card = read(&text, &keys);
            let title = "Health card, verified (spec.smarthealth.cards)";
            assert_eq!(card.meta.title, title, "{number}");
            assert_eq!(card.meta.date, date.parse().ok(), "{number}");
            assert_eq!(kinds(&card), expected, "{number}");
            let expired = ["card 1: expired on 2025-05-07".to_owned()];
            assert_eq!(
                problems(&card),
                if number == "03" { &expired[..] } else { &[] }
            );
        }
    }
    // a JWS in spite of its name, of an issuer whose key is not there
    let insurance = sample("CARIN_INS_CD-bundle-01-enc.txt").unwrap();
    let card = read(&insurance, &keys);
    assert_eq!(
        card.meta.title,
        "Health card, not verified (raw.githubusercontent.com)"
    );
    assert!(card.derived.is_empty());
    let card = read(&insurance, &IssuerKeys::default());
    let expected = [
        "Coverage",
        "Organization",
        "Patient",
        "Patient",
        "Provenance",
    ];
    assert_eq!(kinds(&card), expected);
    assert_eq!(card.about.len(), 2);
    // a JWE that does not say what is in it
    let jwe = read(&sample("IPS_IG-bundle-01-enc.txt").unwrap(), &keys);
    assert_eq!(jwe.meta.title, "Encrypted health file (JWE)");
}

#[test]
fn the_published_links() {
    for (name, title) in [
        (
            "IPS_IG-bundle-01-shl.txt",
            "SMART Health Link: Demo SHL for IPS_IG-bundle-01",
        ),
        (
            "CARIN_INS_CD-bundle-01-shl.txt",
            "SMART Health Link: Demo SHL for carin-insurance-example",
        ),
    ] {
        let Some(link) = sample(name) else {
            return;
        };
        assert!(is_health_link(link.as_bytes()) && !looks_like(link.as_bytes()));
        let link = understand(link.as_bytes(), name, &IssuerKeys::default(), NOW).unwrap();
        assert_eq!(link.meta.title, title);
        assert!(link.meta.is_sensitive() && link.problems.is_empty());
    }
    // `exp` is a text in milliseconds here, and the label has another name
    let Some(payload) = sample("shl-payload-1.json") else {
        return;
    };
    let link = format!("shlink:/{}", URL_SAFE_NO_PAD.encode(payload));
    let link = understand(link.as_bytes(), "", &IssuerKeys::default(), NOW).unwrap();
    assert_eq!(link.meta.title, "SMART Health Link");
    assert_eq!(problems(&link), ["file: the link expired on 2026-01-01"]);
}
