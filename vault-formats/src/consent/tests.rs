//! What is written is read again as the same; what is foreign never opens more than it says.

use serde_json::{Value, json};
use vault_core::{Category, Condition, Conditions, Digest, PublicKey, Scope, Terms};

use super::names::X_OPENS;
use super::{Agreement, ConsentDraft, ConsentError, Reader, Status, read, to_r4};

pub(super) fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

pub(super) fn terms(scope: Scope) -> Terms {
    let mut terms: Terms = serde_json::from_value(json!({
        "v": 1, "vault": vec![1; 32], "grant": vec![2; 16], "signer": vec![3; 32], "delivery": "on-request",
        "extent": "standing",
        "scope": {"all": true}, "purpose": null, "created": 1_790_000_000, "expires": null,
        "recipients": [],
    }))
    .unwrap();
    terms.scope = scope;
    terms
}

pub(super) fn reader(byte: u8) -> Reader {
    Reader {
        name: format!("Dr <Lind> {byte}"),
        key: key(byte),
        signed: Some(1_790_000_100),
    }
}

pub(super) fn written(terms: &Terms, readers: &[Reader]) -> Value {
    to_r4(&Agreement {
        patient: "Mira & Co",
        terms,
        digest: Digest::of(b"terms"),
        readers,
        status: Status::InForce,
        signed: 1_790_000_050,
    })
}

pub(super) fn read_value(value: &Value) -> Result<ConsentDraft, ConsentError> {
    read(&serde_json::to_vec(value).unwrap())
}

pub(super) fn all() -> Scope {
    Scope {
        all: true,
        ..Scope::default()
    }
}

#[test]
fn a_consent_says_what_the_terms_say() {
    let mut terms = terms(Scope {
        categories: [Category::Lab].into(),
        codes: ["loinc|4548-4".parse().unwrap()].into(),
        since: Some("2024".parse().unwrap()),
        without_labels: ["PSY".parse().unwrap()].into(),
        ..Scope::default()
    });
    terms.purpose = Some("TREAT".parse().unwrap());
    terms.expires = Some(1_800_000_000);
    terms.conditions = Conditions::default()
        .with(Condition::Opens(3))
        .with(Condition::Unknown("weather".into()));
    let consent = written(&terms, &[reader(7)]);
    assert_eq!(consent["status"], "active");
    let root = &consent["provision"];
    assert_eq!(root["type"], Value::Null);
    assert_eq!(root["period"], json!({"end": "2027-01-15T07:59:59Z"}));
    assert_eq!(root["modifierExtension"][0]["url"], X_OPENS);
    assert_eq!(root["modifierExtension"][0]["valueUnsignedInt"], 3);
    let permits = root["provision"].as_array().unwrap();
    let selectors = |permit: &Value| {
        let all = ["class", "code", "data"];
        all.map(|name| permit.get(name).is_some())
    };
    assert_eq!(permits.len(), 2);
    assert_eq!(selectors(&permits[0]), [true, false, false]);
    assert_eq!(selectors(&permits[1]), [false, true, false]);
    for permit in permits {
        assert_eq!(permit["type"], "permit");
        assert_eq!(permit["purpose"][0]["code"], "TREAT");
        assert_eq!(permit["dataPeriod"], json!({"start": "2024"}));
        assert_eq!(permit["securityLabel"][0]["code"], "N");
        assert_eq!(permit["provision"][0]["type"], "deny");
        assert_eq!(permit["provision"][0]["securityLabel"][0]["code"], "PSY");
        let who = &permit["actor"][0]["reference"];
        assert_eq!(who["identifier"]["value"], key(7).to_string());
    }
    let div = consent["text"]["div"].as_str().unwrap();
    for sentence in [
        "Mira &amp; Co lets Dr &lt;Lind&gt; 7 read",
        "Purpose: treatment.",
        "At most 3 opens in all",
        "does not know: weather.",
        "Only what is certainly dated from 2024 to the end",
        "Closed whatever else holds: records labelled PSY (psychiatry).",
    ] {
        assert!(div.contains(sentence), "{sentence}: {div}");
    }
}

#[test]
fn nothing_selected_permits_nothing() {
    let consent = written(&terms(Scope::default()), &[reader(7)]);
    assert_eq!(consent["provision"].get("provision"), None);
    let refused = read_value(&consent).unwrap_err();
    assert_eq!(refused, ConsentError::NothingPermitted(vec![]));
    // neither do labels or dates alone
    let dated = Scope {
        since: Some("2024".parse().unwrap()),
        ..Scope::default()
    };
    assert!(read_value(&written(&terms(dated), &[])).is_err());
}

#[test]
fn what_nobody_understands_stays_a_condition_that_never_holds() {
    let mut terms = terms(all());
    terms.conditions = Conditions::default()
        .with(Condition::Unknown("opens".into()))
        .with(Condition::Unknown(String::new()));
    let draft = read_value(&written(&terms, &[reader(7)])).unwrap();
    let names: Vec<Condition> = draft.conditions.iter().collect();
    assert_eq!(
        names,
        [
            Condition::Unknown("(no name)".into()),
            Condition::Unknown("opens".into())
        ]
    );
}

#[test]
fn a_change_that_is_not_understood_is_refused() {
    let consent = written(&terms(all()), &[reader(7)]);
    assert!(read_value(&consent).is_ok());
    let odd = json!([{"url": "https://clinic.example/never", "valueBoolean": true}]);
    for (pointer, name, value) in [
        ("", "modifierExtension", odd.clone()),
        ("", "implicitRules", json!("https://clinic.example/rules")),
        ("", "status", json!("inactive")),
        ("", "decision", json!("permit")),
        ("/provision", "modifierExtension", odd.clone()),
        ("/provision", "type", json!("maybe")),
        ("/provision/provision/0", "modifierExtension", odd.clone()),
        ("/provision/provision/0", "expression", json!({})),
        ("/provision/provision/0", "type", json!("deny")),
        (
            "/provision/provision/0",
            "class",
            json!([{"system": "x", "code": "y"}]),
        ),
        (
            "/provision/provision/0",
            "purpose",
            json!([{"system": "x", "code": "y"}]),
        ),
        ("/provision/provision/0", "period", json!({"end": "soon"})),
        (
            "/provision/provision/0",
            "provision",
            json!([{"type": "deny", "class": []}]),
        ),
        (
            "/provision/provision/0",
            "provision",
            json!([{"type": "permit"}]),
        ),
        (
            "/provision/provision/0",
            "action",
            json!([{"coding": [{"code": "collect"}]}]),
        ),
    ] {
        let mut consent = consent.clone();
        let at = consent.pointer_mut(pointer).unwrap();
        at[name] = value;
        assert!(read_value(&consent).is_err(), "{pointer}/{name}");
    }
    // an elsewhere that nobody has read closes it, but can be struck out
    let mut policy = consent;
    policy["policy"] = json!([{"uri": "https://clinic.example/policy"}]);
    let draft = read_value(&policy).unwrap();
    let never = Condition::Unknown("fhir:policy".into());
    assert_eq!(draft.conditions.iter().collect::<Vec<_>>(), [never]);
}

#[test]
fn permits_that_differ_are_not_joined() {
    let mut scope = all();
    scope.with_labels = ["HIV".parse().unwrap()].into();
    let mut consent = written(&terms(scope), &[reader(7)]);
    let mut second = consent["provision"]["provision"][0].clone();
    second["class"] =
        json!([{"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}]);
    second["securityLabel"] =
        json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}]);
    let permits = consent["provision"]["provision"].as_array_mut().unwrap();
    permits.push(second);
    let draft = read_value(&consent).unwrap();
    assert_eq!(draft.scope.with_labels, ["HIV".parse().unwrap()].into());
    assert!(draft.scope.kinds.is_empty());
    assert_eq!(draft.warnings.len(), 1);
}

#[test]
fn long_lists_are_refused_and_not_cut() {
    let labels: Vec<Value> = (0..600)
        .map(|n| json!({"system": super::names::LABEL, "code": format!("L{n}")}))
        .collect();
    let mut consent = written(&terms(all()), &[reader(7)]);
    consent["provision"]["provision"][0]["provision"] =
        json!([{"type": "deny", "securityLabel": labels}]);
    let refused = read_value(&consent).unwrap_err();
    assert!(matches!(refused, ConsentError::NothingPermitted(_)));
    let many = vec![json!({"type": "permit"}); 300];
    consent["provision"]["provision"] = json!(many);
    let refused = read_value(&consent).unwrap_err();
    assert!(matches!(refused, ConsentError::NotUnderstood(_)));
    let long = vec![b' '; super::MAX_CONSENT_LEN + 1];
    assert_eq!(read(&long), Err(ConsentError::TooLong));
}

#[test]
fn people_without_a_name_are_named_by_their_key() {
    let nameless = Reader {
        name: " \u{7}".into(),
        ..reader(7)
    };
    let consent = written(&terms(all()), &[nameless]);
    let div = consent["text"]["div"].as_str().unwrap();
    let expected = format!("lets the holder of the key {} read", key(7));
    assert!(div.contains(&expected), "{div}");
    let draft = read_value(&consent).unwrap();
    assert_eq!(
        (draft.readers[0].name.clone(), draft.readers[0].key),
        (None, Some(key(7)))
    );
}
