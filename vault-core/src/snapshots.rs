//! Snapshots of every encoding and of every error's text, so that neither changes unseen.
//!
//! A snapshot that differs is a change of format: give it a new version and a way for old vaults,
//! or do not make it. After a change that is meant: `INSTA_UPDATE=always cargo test -p vault-core`.

use std::fmt::Write as _;
use std::path::Path;

use ipld_core::ipld::Ipld;

use crate::block::Digest;
use crate::fuzzing::{device, known_signers};
use crate::{Device, codec, samples};

/// The bytes in a form for people: SHA-256 and length, then the value; dag-cbor inside byte
/// strings is opened.
fn shown(bytes: &[u8]) -> String {
    let mut out = format!("sha-256 {:?}, {} bytes\n", Digest::of(bytes), bytes.len());
    let value: Ipld = serde_ipld_dagcbor::from_slice(bytes).unwrap();
    show(&value, 0, &mut out);
    out
}

fn show(value: &Ipld, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth + 1);
    match value {
        Ipld::Map(map) => {
            out.push_str("{\n");
            for (key, value) in map {
                write!(out, "{indent}{key}: ").unwrap();
                show(value, depth + 1, out);
            }
            writeln!(out, "{}}}", "  ".repeat(depth)).unwrap();
        }
        Ipld::List(list) => {
            out.push_str("[\n");
            for value in list {
                out.push_str(&indent);
                show(value, depth + 1, out);
            }
            writeln!(out, "{}]", "  ".repeat(depth)).unwrap();
        }
        Ipld::Bytes(bytes) => match serde_ipld_dagcbor::from_slice::<Ipld>(bytes) {
            Ok(inner @ Ipld::Map(_)) => {
                out.push_str("<< ");
                show(&inner, depth, out);
            }
            _ if bytes.len() > 64 => {
                let digest = Digest::of(bytes);
                writeln!(out, "{} bytes, sha-256 {digest:?}", bytes.len()).unwrap();
            }
            _ => writeln!(out, "h'{}'", data_encoding::HEXLOWER.encode(bytes)).unwrap(),
        },
        Ipld::Link(cid) => writeln!(out, "link {cid}").unwrap(),
        other => writeln!(out, "{other:?}").unwrap(),
    }
}

#[test]
fn signed_structures() {
    insta::assert_snapshot!("signers", shown(known_signers().as_bytes()));
    insta::assert_snapshot!("card", shown(samples::card().as_bytes()));
    insta::assert_snapshot!("card_text", samples::card().to_text());
    insta::assert_snapshot!("terms", shown(&samples::terms().1));
    insta::assert_snapshot!("record_header", shown(&samples::record_header()));
    insta::assert_snapshot!("head", shown(samples::head().block().data()));
    insta::assert_snapshot!(
        "checkpoint",
        String::from_utf8(samples::checkpoint()).unwrap()
    );
    insta::assert_snapshot!("ticket", shown(&samples::ticket().payload(&device())));
    insta::assert_snapshot!("log_statement", shown(&samples::statement()));
}

#[test]
fn sealed_structures() {
    insta::assert_snapshot!("grant_root", shown(&codec::encode(&samples::grant_root())));
    insta::assert_snapshot!("pointer", shown(&codec::encode(&samples::pointer())));
    insta::assert_snapshot!("index_page", shown(&samples::index_page()));
    let followed = crate::Following::accept(&samples::ticket(), "pat", samples::TIME);
    insta::assert_snapshot!("following", shown(&codec::encode(&followed)));
}

#[test]
fn deposits() {
    let note = samples::deposit_note().signed(&device());
    insta::assert_snapshot!("deposit_note", shown(&note));
    let [offer, _, receipt] = samples::deposit_words();
    insta::assert_snapshot!("deposit_offer", shown(&offer));
    insta::assert_snapshot!("deposit_receipt", shown(&receipt));
    insta::assert_snapshot!("deposit_ticket", shown(&samples::deposit_ticket()));
}

/// What the other side writes in these forms is read: the samples are made field by field.
#[test]
fn structures_with_private_fields() {
    use crate::keys::{Namespace, Signed};
    let receipt = samples::receipt();
    let wire = Signed::raw(&receipt, Namespace::Receipt, &device());
    let read = crate::Receipt::from_bytes(&wire, &known_signers()).unwrap();
    assert_eq!(codec::encode(&read), receipt);
    insta::assert_snapshot!("receipt", shown(&receipt));

    let reader = crate::fuzzing::reader();
    let payload = samples::envelope_payload();
    let wire = Signed::raw(&payload, Namespace::Envelope, &device());
    let envelope = crate::seal_envelope(&reader.recipient(), &wire).unwrap();
    let grant = samples::grant();
    let key = crate::grant::open_grant_key(&envelope, &reader, &grant, &known_signers());
    assert_eq!(*key.unwrap().key.expose(), [18; 32]);
    insta::assert_snapshot!("envelope_payload", shown(&payload));
}

#[test]
fn ipns_records() {
    let head = samples::head().block().cid();
    let record = crate::IpnsRecord::sign(&device(), head, 9, samples::TIME);
    insta::assert_snapshot!("ipns_record", shown(&record.data()));
}

#[test]
fn identity_files() {
    let text = samples::identity_text();
    let device = Device::from_identity_text(&text).unwrap();
    assert_eq!(*device.to_identity_text(), text);
    insta::assert_snapshot!("identity_text", text);
}

#[test]
fn every_act() {
    let all: String = samples::audit_entries()
        .iter()
        .map(|entry| format!("{}: {}", entry.act.name(), shown(&entry.to_bytes())))
        .collect();
    insta::assert_snapshot!("audit_entries", all);
}

#[test]
fn proofs_and_evidence() {
    insta::assert_snapshot!("logged", shown(&codec::encode(&samples::logged())));
    insta::assert_snapshot!("entry_proof", samples::entry_proof().to_text().unwrap());
    let evidence = samples::evidence().with_statement(&samples::statement());
    insta::assert_snapshot!("evidence", evidence.unwrap().to_text().unwrap());
}

#[test]
fn access_on_request() {
    insta::assert_snapshot!("terms_on_request", shown(&samples::access::terms().1));
    insta::assert_snapshot!("agent_certificate", shown(&samples::access::certificate()));
    let all = |parts: Vec<(&str, Vec<u8>)>| -> String {
        let parts = parts
            .iter()
            .map(|(name, bytes)| format!("{name}: {}", shown(bytes)));
        parts.collect()
    };
    insta::assert_snapshot!("access_messages", all(samples::access::messages()));
    insta::assert_snapshot!("access_replies", all(samples::access::replies()));
}

#[test]
fn pin_sets() {
    let live = [Digest::of(b"a"), Digest::of(b"b")].into();
    let blocks = crate::pins::write(&live).unwrap();
    let all: String = blocks.iter().map(|block| shown(block.data())).collect();
    insta::assert_snapshot!("pin_set", all);
}

/// Every `#[error(..)]` in a source folder, with the variant it stands on.
fn error_texts(folder: &Path, out: &mut Vec<String>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            error_texts(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let mut owner = String::new();
            let mut text: Option<&str> = None;
            for line in source.lines().map(str::trim) {
                let name = |line: &str| {
                    let end = line.find(|c: char| !c.is_alphanumeric());
                    line[..end.unwrap_or(line.len())].to_owned()
                };
                if let Some(rest) = line.strip_prefix("#[error(") {
                    text = Some(rest.trim_end_matches(")]"));
                } else if text == Some("") {
                    text = Some(line);
                } else if let Some(at) = line.find("enum ").or_else(|| line.find("struct ")) {
                    owner = name(line[at..].split(' ').nth(1).unwrap_or_default());
                    if let Some(text) = text.take() {
                        out.push(format!("{owner}: {text}"));
                    }
                } else if line.starts_with(char::is_alphabetic)
                    && let Some(text) = text.take()
                {
                    out.push(format!("{owner}::{}: {text}", name(line)));
                }
            }
        }
    }
}

#[test]
fn errors_in_words() {
    let mut all = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    error_texts(&source, &mut all);
    all.sort();
    assert!(all.len() > 80, "{} texts", all.len());
    insta::assert_snapshot!("errors", all.join("\n"));
}
