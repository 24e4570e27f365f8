use std::io;

use serde_json::{Value, json};
use vault_core::{Act, Asked, AuditEntry, DeviceId, Digest, GrantId, PublicKey, VaultId, Via};
use vault_core::{DepositId, RecordId, VersionId};

use super::Trail;
use crate::Moment;

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

fn entry(index: u64, act: Act) -> AuditEntry {
    AuditEntry {
        index,
        time: 1_790_000_000 + index,
        device: DeviceId::from_bytes([9; 16]),
        act,
    }
}

fn asked() -> Asked {
    Asked {
        vault: None,
        grant: GrantId::from_bytes([2; 16]),
        reader: key(7),
        versions: vec![
            VersionId::from_bytes([4; 16]),
            VersionId::from_bytes([5; 16]),
        ],
        purpose: Some("TREAT".parse().unwrap()),
        request: Digest::of(b"request"),
        via: None,
    }
}

fn names(who: &PublicKey) -> Option<String> {
    (*who == key(7)).then(|| "Dr Lind".to_owned())
}

fn vault() -> VaultId {
    VaultId::from_bytes([1; 32])
}

#[test]
fn a_release_says_who_asked_for_what_and_why() {
    let known =
        |version: &VersionId| (version.as_bytes()[0] == 4).then(|| RecordId::from_bytes([6; 16]));
    let trail = Trail::new(vault(), "Mira", &names).with_records(&known);
    let [event] = &trail.resources(&entry(3, Act::Released(asked())))[..] else {
        panic!("one resource");
    };
    assert_eq!(event["type"]["code"], "110106");
    let subtypes: Vec<_> = (event["subtype"].as_array().unwrap().iter())
        .map(|subtype| subtype["code"].as_str().unwrap())
        .collect();
    assert_eq!(subtypes, ["disclose", "released"]);
    assert_eq!(
        (&event["action"], &event["outcome"]),
        (&json!("R"), &json!("0"))
    );
    assert_eq!(event["recorded"], "2026-09-21T14:13:23Z");
    assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    let [patient, reader] = &event["agent"].as_array().unwrap()[..] else {
        panic!("two agents");
    };
    assert_eq!(patient["requestor"], false);
    assert_eq!(patient["who"]["display"], "Mira");
    assert_eq!(reader["requestor"], true);
    assert_eq!(reader["who"]["display"], "Dr Lind");
    assert_eq!(reader["who"]["identifier"]["value"], key(7).to_string());
    let named: Vec<_> = (event["entity"].as_array().unwrap().iter())
        .map(|entity| entity["what"]["identifier"]["system"].as_str().unwrap())
        .collect();
    let ours = ["log-entry", "vault", "grant", "record", "version"];
    assert_eq!(named, ours.map(|name| format!("urn:medvault:{name}")));
    let details = &event["entity"][0]["detail"];
    assert_eq!(details[0], json!({"type": "index", "valueString": "3"}));
    assert_eq!(details[1]["type"], "request-sha256");
    assert_eq!(details[1]["valueString"].as_str().unwrap().len(), 64);
    let version = &event["entity"][3]["detail"][0]["valueString"];
    assert_eq!(*version, VersionId::from_bytes([4; 16]).to_string());
}

#[test]
fn a_denial_is_a_failure_and_an_agent_is_named() {
    let trail = Trail::new(vault(), "Mira", &names);
    let mut asked = asked();
    asked.purpose = Some("second opinion".parse().unwrap());
    asked.vault = Some(VaultId::from_bytes([8; 32]));
    asked.via = Some(Via {
        agent: key(5),
        index: 17,
        time: 1_790_000_000,
    });
    let denied = Act::Denied {
        asked,
        reason: "expired".into(),
    };
    let event = &trail.resources(&entry(4, denied))[0];
    assert_eq!(
        (&event["outcome"], &event["outcomeDesc"]),
        (&json!("4"), &json!("expired"))
    );
    assert_eq!(event["purposeOfEvent"], json!([{"text": "second opinion"}]));
    assert_eq!(event["period"]["start"], "2026-09-21T14:13:20Z");
    let agents = event["agent"].as_array().unwrap();
    assert_eq!(agents[2]["who"]["identifier"]["value"], key(5).to_string());
    let requestors: Vec<_> = agents.iter().map(|a| a["requestor"] == true).collect();
    assert_eq!(requestors, [false, true, false]);
    // the other patient's name is not known here
    assert_eq!(agents[0]["who"].get("display"), None);
}

#[test]
fn what_comes_in_has_a_provenance() {
    let trail = Trail::new(vault(), "", &names);
    let accepted = Act::DepositAccepted {
        contact: key(7),
        deposit: DepositId::from_bytes([3; 16]),
        count: 2,
    };
    let published = Act::Published {
        count: 1,
        versions: Digest::of(b"versions"),
    };
    for (act, people) in [
        (accepted, ["author", "custodian"]),
        (published, ["custodian", "enterer"]),
    ] {
        let resources = trail.resources(&entry(1, act));
        assert_eq!(resources.len(), 2);
        let provenance = &resources[1];
        assert_eq!(provenance["resourceType"], "Provenance");
        for (index, code) in people.into_iter().enumerate() {
            let agent = &provenance["agent"][index]["type"]["coding"][0];
            assert_eq!(agent["code"], code);
        }
    }
}

#[test]
fn the_same_log_gives_the_same_bytes_and_names_are_unique() {
    let trail = Trail::new(vault(), "Mira", &names);
    let published = Act::Published {
        count: 1,
        versions: Digest::of(b"versions"),
    };
    let entries = [
        entry(0, Act::VaultCreated { serial: 1 }),
        entry(u64::MAX - 2_000_000_000, published),
    ];
    let bundle = trail.bundle(&entries, Moment(5));
    assert_eq!(bundle, trail.bundle(&entries, Moment(5)));
    assert_eq!(
        (&bundle["type"], &bundle["timestamp"]),
        (&json!("collection"), &json!("1970-01-01T00:00:05Z"))
    );
    let all = bundle["entry"].as_array().unwrap();
    let mut urls: Vec<_> = all.iter().map(|e| e["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), 3);
    for url in &urls {
        let uuid = url.strip_prefix("urn:uuid:").unwrap();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 3);
    assert!(
        all.iter()
            .all(|e| e["resource"]["id"].as_str().unwrap().len() <= 64)
    );
    assert_eq!(trail.bundle(&[], Moment(5)).get("entry"), None);

    let mut written = Vec::new();
    let results = entries.iter().cloned().map(Ok::<_, io::Error>);
    assert_eq!(trail.write_lines(results, &mut written).unwrap(), 3);
    let lines: Vec<Value> = (written.split(|byte| *byte == b'\n'))
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let resources: Vec<Value> = all.iter().map(|e| e["resource"].clone()).collect();
    assert_eq!(lines, resources);
    let results = entries.iter().cloned().map(Ok::<_, io::Error>);
    let again: Result<Vec<String>, io::Error> = trail.lines(results).collect();
    assert_eq!(
        again.unwrap().join("\n") + "\n",
        String::from_utf8(written).unwrap()
    );
    let broken = [Err(io::Error::other("torn page"))];
    assert!(trail.write_lines(broken, &mut Vec::new()).is_err());
}
