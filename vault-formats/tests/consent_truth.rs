//! Consents and audit trails are what other people's models of FHIR take them for.
//!
//! The validators of `tests/truth` run in a Python with the packages that are pinned there, installed
//! into the build folder once. Without `python3` the tests are skipped, except where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests

#[path = "../../tests/peers/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use vault_core::{
    Act, Asked, AuditEntry, Category, Condition, Conditions, Delivery, DepositId, DeviceId, Digest,
    Extent, GrantId, PublicKey, RecordId, RevokeLevel, Scope, Terms, VaultId, VersionId, Via,
};
use vault_formats::Moment;
use vault_formats::consent::{self, Agreement, ConsentError, Reader, Release, Status};
use vault_formats::trail::Trail;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/truth");

fn python() -> Option<PathBuf> {
    tools::python(&Path::new(SCRIPTS).join("requirements.txt"), "truth")
}

/// What a script prints about files; it must find no error.
fn valid(python: &Path, script: &str, files: &[PathBuf]) -> Value {
    let mut command = Command::new(python);
    command.arg("-B").arg(Path::new(SCRIPTS).join(script));
    let output = command.args(files).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{said:#}");
    said
}

fn key(byte: u8) -> PublicKey {
    PublicKey::from_bytes([byte; 32])
}

fn terms(scope: Scope) -> Terms {
    let mut terms: Terms = serde_json::from_value(json!({
        "v": 1, "vault": vec![1; 32], "grant": vec![2; 16], "signer": vec![3; 32],
        "delivery": "on-request", "extent": "standing", "scope": {}, "purpose": null,
        "created": 1_790_000_000, "expires": null, "recipients": [],
    }))
    .unwrap();
    terms.scope = scope;
    terms
}

fn reader(byte: u8, name: &str) -> Reader {
    Reader {
        name: name.to_owned(),
        key: key(byte),
        signed: (byte == 7).then_some(1_790_000_100),
    }
}

fn render(terms: &Terms, readers: &[Reader], status: Status) -> Value {
    consent::to_r4(&Agreement {
        patient: "Mira \"<&>\" Sand",
        terms,
        digest: Digest::of(b"terms"),
        readers,
        status,
        signed: 1_790_000_050,
    })
}

/// Every mix of ways to select, bounds and conditions.
fn variants() -> Vec<Terms> {
    let bit = |number: u32, bit: u32| number >> bit & 1 == 1;
    let variant = |number: u32| {
        let scope = Scope {
            all: bit(number, 0),
            records: BTreeSet::from([RecordId::from_bytes([4; 16])])
                .into_iter()
                .filter(|_| bit(number, 1))
                .collect(),
            kinds: ["Observation", "Document"]
                .into_iter()
                .filter(|_| bit(number, 2))
                .map(|kind| kind.parse().unwrap())
                .collect(),
            categories: [Category::Lab]
                .into_iter()
                .filter(|_| bit(number, 3))
                .collect(),
            codes: ["loinc|4548-4", "4548-4", "1.2.3|x y"]
                .into_iter()
                .filter(|_| bit(number, 4))
                .map(|code| code.parse().unwrap())
                .collect(),
            since: bit(number, 5).then(|| "2024-03-01T10:15+01:00".parse().unwrap()),
            // before `since`, so that nothing lies between them
            until: bit(number, 6).then(|| "2023-12".parse().unwrap()),
            with_labels: ["HIV", "R", "LOCAL-1"]
                .into_iter()
                .filter(|_| bit(number, 7))
                .map(|label| label.parse().unwrap())
                .collect(),
            without_labels: ["PSY", "UNCLEAR"]
                .into_iter()
                .filter(|_| bit(number, 8))
                .map(|label| label.parse().unwrap())
                .collect(),
        };
        let mut terms = terms(scope);
        // odd ones have a known purpose, an end before the start, and other odd things
        if number % 3 == 1 {
            terms.purpose = Some("HRESCH".parse().unwrap());
            terms.expires = Some(1_800_000_000);
            terms.conditions = Conditions::default()
                .with(Condition::From(1_795_000_000))
                .with(Condition::Opens(u64::MAX))
                .with(Condition::OpensPerDay(2));
            terms.agents = vec![key(9)];
            terms.may_deposit = true;
        } else if number % 3 == 2 {
            terms.purpose = Some("because <b>I</b> want & \"need\" it".parse().unwrap());
            terms.expires = Some(5);
            terms.conditions = Conditions::default()
                .with(Condition::From(u64::MAX))
                .with(Condition::Unknown("<weather> & \u{7}\u{202e}".into()))
                .with(Condition::Unknown(String::new()));
            terms.extent = Extent::Snapshot;
        } else {
            terms.delivery = Delivery::Carried;
        }
        terms
    };
    (0..512).map(variant).collect()
}

#[test]
fn every_consent_is_valid() {
    let Some(python) = python() else {
        return;
    };
    let readers = [reader(7, "Dr <Lind> & Sons"), reader(8, "")];
    let mut lines = String::new();
    for (number, terms) in variants().iter().enumerate() {
        let status = [Status::Offered, Status::InForce, Status::Ended][number % 3];
        lines += &render(terms, &readers, status).to_string();
        lines.push('\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Consent.ndjson");
    fs::write(&file, lines).unwrap();
    let said = valid(&python, "validate.py", &[file]);
    assert_eq!(said["counts"], json!({"Consent": 512}));
}

#[test]
fn a_stranger_reads_what_was_agreed() {
    let Some(python) = python() else {
        return;
    };
    let mut terms = terms(Scope {
        records: [RecordId::from_bytes([4; 16])].into(),
        categories: [Category::Lab].into(),
        codes: ["loinc|4548-4".parse().unwrap()].into(),
        since: Some("2024".parse().unwrap()),
        without_labels: ["PSY".parse().unwrap()].into(),
        ..Scope::default()
    });
    terms.purpose = Some("TREAT".parse().unwrap());
    terms.expires = Some(1_800_000_000);
    let consent = render(&terms, &[reader(7, "Dr Lind")], Status::InForce);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("consent.json");
    fs::write(&file, consent.to_string()).unwrap();
    let said = valid(&python, "consent.py", &[file]);
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|N";
    let permit = |way: &str, value: &str, labels: &[&str]| {
        let mut permit = json!({
            "classes": [], "codes": [], "records": [],
            "labels": labels,
            "denied": ["http://terminology.hl7.org/CodeSystem/v3-ActCode|PSY"],
            "period": [null, "2027-01-15T07:59:59+00:00"],
            "dataPeriod": ["2024", null],
            "purpose": ["http://terminology.hl7.org/CodeSystem/v3-ActReason|TREAT"],
            "actors": [key(7).to_string()],
            "modifiers": [],
        });
        permit[way] = json!([value]);
        permit
    };
    let record = RecordId::from_bytes([4; 16]).to_string();
    assert_eq!(
        said["consent.json"]["permits"],
        json!([
            permit("classes", "urn:medvault:category|lab", &[confidentiality]),
            permit("codes", "http://loinc.org|4548-4", &[confidentiality]),
            permit("records", &record, &[]),
        ])
    );
}

fn sample(name: &str) -> Result<consent::ConsentDraft, ConsentError> {
    let file = Path::new(SCRIPTS).join("consents").join(name);
    consent::read(&fs::read(file).unwrap())
}

#[test]
fn consents_of_others_are_valid_samples() {
    let Some(python) = python() else {
        return;
    };
    let all = fs::read_dir(Path::new(SCRIPTS).join("consents")).unwrap();
    let files: Vec<PathBuf> = all.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 8);
    valid(&python, "consent.py", &files);
}

#[test]
fn consents_of_others_open_no_more_than_they_say() {
    let labels = |codes: &[&str]| codes.iter().map(|code| code.parse().unwrap()).collect();
    let kinds = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();

    let draft = sample("r4-root-permit.json").unwrap();
    assert_eq!(draft.release, Release::R4);
    assert_eq!(draft.patient.as_deref(), Some("Ines Farkas"));
    let scope = Scope {
        kinds: kinds(&["Observation", "DiagnosticReport"]),
        since: Some("2020".parse().unwrap()),
        without_labels: labels(&["PSY"]),
        ..Scope::default()
    };
    assert_eq!(draft.scope, scope);
    assert_eq!(draft.purpose, Some("TREAT".parse().unwrap()));
    // from the morning of 2026-02-03 to the last evening of 2027
    let from = Condition::From(1_770_076_800);
    assert_eq!(draft.conditions.iter().collect::<Vec<_>>(), [from]);
    assert_eq!(draft.expires, Some(1_830_297_600));
    let [reader] = &draft.readers[..] else {
        panic!("one reader");
    };
    assert_eq!(reader.name.as_deref(), Some("Birch Street clinic"));
    assert_eq!((reader.key, draft.delivery), (None, Delivery::OnRequest));

    let draft = sample("r5-exceptions.json").unwrap();
    assert_eq!(draft.release, Release::R5);
    let scope = Scope {
        kinds: kinds(&["MedicationRequest"]),
        codes: ["loinc|4548-4".parse().unwrap()].into(),
        with_labels: labels(&["R"]),
        without_labels: labels(&["HIV"]),
        ..Scope::default()
    };
    assert_eq!(draft.scope, scope);
    assert_eq!(draft.expires, Some(1_788_220_800));
    assert_eq!(draft.readers[0].name.as_deref(), Some("Harbour practice"));
    assert_eq!(
        draft.warnings,
        [
            "left out: a permission with an element of a provision (documentType) that is not understood"
        ]
    );

    let draft = sample("r5-all-but.json").unwrap();
    let scope = Scope {
        all: true,
        without_labels: labels(&["SUD", "SEX"]),
        ..Scope::default()
    };
    assert_eq!(draft.scope, scope);
    assert!(draft.readers.is_empty());
    assert_eq!(draft.warnings.len(), 2);

    let draft = sample("r5-policy.json").unwrap();
    let never = Condition::Unknown("fhir:regulatoryBasis".into());
    assert_eq!(draft.conditions.iter().collect::<Vec<_>>(), [never]);

    for (name, refused) in [
        ("r4-treatment.json", ConsentError::NotPrivacy),
        (
            "r4-deny-person.json",
            ConsentError::NotUnderstood("a prohibition by something else than labels".into()),
        ),
        (
            "r4-two-ways-at-once.json",
            ConsentError::NothingPermitted(vec![
                "left out: a permission with a provision that selects in several ways at once that \
                 is not understood"
                    .into(),
            ]),
        ),
        (
            "r5-expression.json",
            ConsentError::NothingPermitted(vec![
                "left out: a permission with an element of a provision (expression) that is not \
                 understood"
                    .into(),
            ]),
        ),
    ] {
        assert_eq!(sample(name).unwrap_err(), refused, "{name}");
    }
}

/// One of every act.
fn acts() -> Vec<Act> {
    let grant = GrantId::from_bytes([2; 16]);
    let deposit = DepositId::from_bytes([3; 16]);
    let digest = Digest::of(b"x");
    let (reader, agent, contact) = (key(7), key(8), key(7));
    let asked = |purpose: Option<&str>, via: bool| Asked {
        vault: via.then(|| VaultId::from_bytes([5; 32])),
        grant,
        reader,
        versions: vec![
            VersionId::from_bytes([4; 16]),
            VersionId::from_bytes([6; 16]),
        ],
        purpose: purpose.map(|text| text.parse().unwrap()),
        request: digest,
        via: via.then_some(Via {
            agent,
            index: 5,
            time: 1_790_000_000,
        }),
    };
    let readers = vec![key(7), key(8)];
    vec![
        Act::VaultCreated { serial: 0 },
        Act::VaultRecovered {
            serial: 1,
            from_seq: 2,
        },
        Act::ContactAdded {
            contact,
            name: "\u{7} <Lind>".into(),
        },
        Act::ContactVerified { contact },
        Act::Published {
            count: 3,
            versions: digest,
        },
        Act::Removed {
            records: vec![RecordId::from_bytes([1; 16])],
        },
        Act::Granted {
            grant,
            readers: readers.clone(),
            terms: digest,
            count: 3,
        },
        Act::Joined { grant, count: 1 },
        Act::Revoked {
            grant,
            readers,
            level: RevokeLevel::Rekey,
        },
        Act::Expired { grant },
        Act::Rekeyed {
            grant,
            count: 2,
            done: true,
        },
        Act::Receipt {
            grant,
            receipt: digest,
        },
        Act::Pinned {
            service: String::new(),
            endpoint: String::new(),
        },
        Act::Unpinned {
            service: "pins <a>".into(),
            confirmed: false,
        },
        Act::PinVerified {
            service: "pins".into(),
            sampled: 9,
            missing: 1,
            canaries: 2,
            confidence: 990,
        },
        Act::Agreed {
            grant,
            reader,
            terms: digest,
            acceptance: digest,
        },
        Act::Released(asked(Some("TREAT"), false)),
        Act::Released(asked(None, true)),
        Act::Denied {
            asked: asked(Some("a <second> opinion"), false),
            reason: String::new(),
        },
        Act::Denied {
            asked: asked(None, true),
            reason: "expired".into(),
        },
        Act::Receipted {
            release: 16,
            reader,
            receipt: digest,
            opened: false,
        },
        Act::AgentAdded {
            grant,
            agent,
            opens: None,
            until: u64::MAX,
        },
        Act::AgentRemoved { grant, agent },
        Act::AgentReported {
            grant,
            agent,
            opens: 4,
            closed: true,
        },
        Act::DepositLimit { contact, bytes: 0 },
        Act::Deposited {
            contact,
            deposit,
            bytes: 100,
        },
        Act::DepositAccepted {
            contact,
            deposit,
            count: 1,
        },
        Act::DepositDeclined { contact, deposit },
    ]
}

#[test]
fn every_act_is_a_valid_event() {
    let Some(python) = python() else {
        return;
    };
    let entries: Vec<AuditEntry> = (0..)
        .zip(acts())
        .map(|(index, act)| AuditEntry {
            index,
            time: 1_790_000_000 + index,
            device: DeviceId::from_bytes([9; 16]),
            act,
        })
        .collect();
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.act.name()).collect();
    assert_eq!(names.len(), 26, "an act is missing");
    let name_of = |who: &PublicKey| (*who == key(7)).then(|| "Dr <Lind>".to_owned());
    let record_of =
        |version: &VersionId| (version.as_bytes()[0] == 4).then(|| RecordId::from_bytes([1; 16]));
    let vault = VaultId::from_bytes([1; 32]);
    let trail = Trail::new(vault, "Mira", &name_of).with_records(&record_of);
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("trail.json");
    let all = trail.bundle(&entries, Moment(1_790_000_000));
    fs::write(&bundle, all.to_string()).unwrap();
    let lines = folder.path().join("trail.ndjson");
    let mut out = Vec::new();
    let results = entries.iter().cloned().map(Ok::<_, std::io::Error>);
    assert_eq!(trail.write_lines(results, &mut out).unwrap(), 30);
    fs::write(&lines, out).unwrap();
    let expected = json!({"AuditEvent": 28, "Provenance": 2});
    for file in [bundle, lines] {
        assert_eq!(valid(&python, "validate.py", &[file])["counts"], expected);
    }
}
