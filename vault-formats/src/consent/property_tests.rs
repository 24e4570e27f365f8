//! Rules that hold for all terms: reading gives what was written, and nothing that is added to a
//! provision opens more.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use vault_core::{
    Category, Condition, Conditions, Delivery, Extent, Label, RecordId, RecordMeta, Scope,
};

use super::names::{ACT_CODE, ACT_REASON, CONFIDENTIALITY, RESOURCE_TYPES, X_LABELS, X_OPENS};
use super::tests::{all, key, read_value, reader, terms, written};
use super::{Reader, Release, read};

fn labels() -> impl Strategy<Value = BTreeSet<Label>> {
    let codes = ["N", "R", "V", "HIV", "PSY", "UNCLEAR", "LOCAL-1", "M"];
    let label = prop::sample::select(codes.to_vec()).prop_map(|code| Label::new(code).unwrap());
    prop::collection::btree_set(label, 0..4)
}

fn scopes() -> impl Strategy<Value = Scope> {
    let kinds = ["Observation", "Document", "Condition"];
    let kind = prop::sample::select(kinds.to_vec()).prop_map(|kind| kind.parse().unwrap());
    let codes = [
        "loinc|4548-4",
        "4548-4",
        "1.2.3|x y",
        "https://a.example/b|c",
        "local|7",
        "urn:oid:1.2|3",
    ];
    let code = prop::sample::select(codes.to_vec()).prop_map(|code| code.parse().unwrap());
    let dates = ["2020", "2021-03", "2022-05-06", "2023-01-02T03:04:05+01:00"];
    let date = || {
        let date = prop::sample::select(dates.to_vec()).prop_map(|date| date.parse().unwrap());
        prop::option::of(date)
    };
    let category = prop::sample::select(Category::ALL);
    (
        any::<bool>(),
        prop::collection::btree_set(any::<[u8; 16]>().prop_map(RecordId::from_bytes), 0..3),
        prop::collection::btree_set(kind, 0..3),
        prop::collection::btree_set(category, 0..3),
        prop::collection::btree_set(code, 0..4),
        (date(), date()),
        labels(),
        labels(),
    )
        .prop_map(
            |(
                all,
                records,
                kinds,
                categories,
                codes,
                (since, until),
                with_labels,
                without_labels,
            )| {
                Scope {
                    all,
                    records,
                    kinds,
                    categories,
                    codes,
                    since,
                    until,
                    with_labels,
                    without_labels,
                }
            },
        )
        .prop_filter("selects something", |scope| !scope.is_empty())
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let time = prop_oneof![Just(0), 0..4_000_000_000_u64, Just(u64::MAX)];
    let one = prop_oneof![
        time.prop_map(Condition::From),
        any::<u64>().prop_map(Condition::Opens),
        (0..9_u64).prop_map(Condition::OpensPerDay),
        "[a-z]{1,9}".prop_map(Condition::Unknown),
    ];
    let list = prop::collection::vec(one, 0..4);
    list.prop_map(|list| {
        list.into_iter()
            .fold(Conditions::default(), Conditions::with)
    })
}

/// Records of many kinds, with and without labels, dates and codes.
fn records() -> Vec<(RecordId, RecordMeta)> {
    let mut records = Vec::new();
    for kind in ["Observation", "Condition", "Document"] {
        for label in ["", "N", "R", "V", "HIV", "PSY", "UNCLEAR"] {
            for date in ["", "2020-05", "2022-05-06", "2024"] {
                for code in ["", "loinc|4548-4", "snomed|4548-4"] {
                    let meta = RecordMeta {
                        kind: kind.parse().unwrap(),
                        category: Category::Lab,
                        date: date.parse().ok(),
                        labels: label.parse().into_iter().collect(),
                        codes: code.parse().into_iter().collect(),
                        ..RecordMeta::default()
                    };
                    records.push((RecordId::from_bytes([5; 16]), meta));
                }
            }
        }
    }
    records
}

/// Elements that a provision may have, understood or not.
fn elements() -> Vec<(&'static str, Value)> {
    let one = |system: &str, code: &str| json!([{"system": system, "code": code}]);
    let modifier = |url: &str, name: &str, value: Value| json!([{"url": url, name: value}]);
    let deny = |name: &str, value: Value| json!([{"type": "deny", name: value}]);
    vec![
        ("type", json!("permit")),
        ("type", json!("deny")),
        ("period", json!({"end": "2025"})),
        ("period", json!({"start": "2025-01-01T00:00:00Z"})),
        ("dataPeriod", json!({"start": "2021"})),
        ("dataPeriod", json!({"start": "2021", "end": "2022-12"})),
        ("purpose", one(ACT_REASON, "HRESCH")),
        ("securityLabel", one(CONFIDENTIALITY, "V")),
        ("securityLabel", one(CONFIDENTIALITY, "N")),
        ("securityLabel", one(ACT_CODE, "HIV")),
        ("class", one(RESOURCE_TYPES, "Observation")),
        ("class", one("urn:ietf:bcp:13", "application/pdf")),
        (
            "code",
            json!([{"coding": one("http://loinc.org", "4548-4")}]),
        ),
        ("code", json!([{"coding": [{"code": "4548-4"}]}])),
        (
            "data",
            json!([{"meaning": "instance", "reference": {"display": "x"}}]),
        ),
        ("expression", json!({"expression": "false"})),
        (
            "modifierExtension",
            modifier(X_LABELS, "valueCode", json!("at-most")),
        ),
        (
            "modifierExtension",
            modifier(X_OPENS, "valueUnsignedInt", json!(1)),
        ),
        (
            "modifierExtension",
            modifier("urn:x", "valueBoolean", json!(true)),
        ),
        ("provision", deny("securityLabel", one(ACT_CODE, "PSY"))),
        (
            "provision",
            deny("securityLabel", one(CONFIDENTIALITY, "R")),
        ),
        ("provision", deny("class", one(RESOURCE_TYPES, "Condition"))),
    ]
}

proptest! {
    #[test]
    fn no_element_of_a_provision_opens_more(
        scope in scopes(),
        added in prop::collection::vec((prop::sample::select(elements()), 0..4_usize), 1..4),
    ) {
        let mut terms = terms(scope);
        terms.expires = Some(1_800_000_000);
        let mut consent = written(&terms, &[reader(7)]);
        for ((name, value), at) in added {
            let pointer = match at {
                0 => "/provision".to_owned(),
                at => format!("/provision/provision/{}", at - 1),
            };
            if let Some(Value::Object(provision)) = consent.pointer_mut(&pointer) {
                provision.entry(name).or_insert(value);
            }
        }
        if let Ok(draft) = read_value(&consent) {
            for (record, meta) in records() {
                let before = terms.scope.includes(&record, &meta);
                let after = draft.scope.includes(&record, &meta);
                prop_assert!(before || !after, "{:?} opens {:?}", draft.scope, meta);
            }
            prop_assert!(draft.scope.records.is_subset(&terms.scope.records));
            prop_assert!(draft.expires.is_some() && draft.expires <= terms.expires);
            let reader = draft.readers.first().and_then(|reader| reader.key);
            prop_assert_eq!(reader, Some(key(7)));
        }
    }

    #[test]
    fn anything_may_come(text in "[\\[\\]{}:,\"a-zA-Z0-9 ]{0,80}") {
        drop(read(text.as_bytes()));
        let provision: Value = serde_json::from_str(&text).unwrap_or(json!(text));
        let mut consent = written(&terms(all()), &[reader(7)]);
        consent["provision"]["provision"] = provision.clone();
        drop(read_value(&consent));
        consent["provision"] = provision;
        drop(read_value(&consent));
    }

    #[test]
    fn reading_gives_the_terms_that_were_written(
        scope in scopes(),
        conditions in conditions(),
        purpose in prop::option::of(prop_oneof![Just("TREAT".to_owned()), "[a-zA-Z<&\"][ -~]{0,20}[a-z]"]),
        expires in prop::option::of(0..4_000_000_000_u64),
        may_deposit in any::<bool>(),
        snapshot in any::<bool>(),
        carried in any::<bool>(),
        agents in 0..3_u8,
        readers in 1..4_u8,
    ) {
        let mut terms = terms(scope);
        terms.conditions = conditions;
        terms.purpose = purpose.map(|text| text.parse().unwrap());
        terms.expires = expires;
        terms.may_deposit = may_deposit;
        terms.agents = (0..agents).map(|n| key(100 + n)).collect();
        if snapshot {
            terms.extent = Extent::Snapshot;
        }
        if carried && terms.conditions.is_empty() && terms.agents.is_empty() {
            terms.delivery = Delivery::Carried;
        }
        let readers: Vec<Reader> = (0..readers).map(reader).collect();
        let draft = read_value(&written(&terms, &readers)).unwrap();
        prop_assert_eq!(draft.release, Release::R4);
        prop_assert_eq!(draft.vault, Some(terms.vault));
        prop_assert_eq!(draft.grant, Some(terms.grant));
        prop_assert_eq!(draft.scope, terms.scope);
        prop_assert_eq!(draft.extent, terms.extent);
        prop_assert_eq!(draft.delivery, terms.delivery);
        prop_assert_eq!(draft.purpose, terms.purpose);
        prop_assert_eq!(draft.expires, terms.expires);
        prop_assert_eq!(
            draft.conditions.iter().collect::<Vec<_>>(),
            terms.conditions.iter().collect::<Vec<_>>()
        );
        prop_assert_eq!(draft.may_deposit, terms.may_deposit);
        prop_assert_eq!(draft.agents, terms.agents);
        let keys: Vec<_> = draft.readers.iter().map(|r| r.key).collect();
        prop_assert_eq!(keys, readers.iter().map(|r| Some(r.key)).collect::<Vec<_>>());
        prop_assert_eq!(draft.readers[0].name.as_deref(), Some("Dr <Lind> 0"));
        prop_assert_eq!(draft.warnings, Vec::<String>::new());
    }
}
