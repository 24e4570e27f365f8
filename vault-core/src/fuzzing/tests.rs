//! The entries fed with seeds and mutations of them, on a stable compiler, for a short while.
//! `fuzz/` has the same entries for libFuzzer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::samples;

/// What each entry starts from: bytes that it accepts.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let signed_payload = |wire: &[u8]| {
        let map: std::collections::BTreeMap<String, ipld_core::ipld::Ipld> =
            serde_ipld_dagcbor::from_slice(wire).unwrap();
        match map.get("p") {
            Some(ipld_core::ipld::Ipld::Bytes(payload)) => payload.clone(),
            _ => panic!("not a signed structure"),
        }
    };
    let with_choice = |choice: u8, bytes: &[u8]| [&[choice], bytes].concat();
    match target {
        "head" => vec![
            samples::head().block().data().to_vec(),
            codec::encode(&samples::head_body()),
        ],
        "signers" => {
            let wire = known_signers().as_bytes().to_vec();
            vec![signed_payload(&wire), wire]
        }
        "card" => {
            let card = samples::card();
            let wire = card.as_bytes().to_vec();
            vec![card.to_text().into_bytes(), signed_payload(&wire), wire]
        }
        "agent_address" => {
            let text = samples::agent_address().to_text();
            let body = text.split_once(':').unwrap().1;
            let body = data_encoding::BASE64URL_NOPAD.decode(body.as_bytes());
            vec![body.unwrap(), text.into_bytes()]
        }
        "identity" => {
            let text = samples::identity_text();
            let line = text.trim_end().rsplit(' ').next().unwrap();
            let secrets = data_encoding::BASE64_NOPAD.decode(line.as_bytes());
            vec![secrets.unwrap(), text.into_bytes()]
        }
        "texts" => [
            "2024-02-03T10:00:00.123+02:00",
            "2024-02",
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
             abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
             abandon abandon abandon art",
            &RecordId::from_bytes([7; 16]).to_string(),
            &Cid::raw(Digest::of(b"x")).to_string(),
            &reader().recipient().to_string(),
        ]
        .map(|text| text.as_bytes().to_vec())
        .into(),
        "ticket" => {
            let wire = samples::ticket().payload(&device()).to_vec();
            vec![signed_payload(&wire), wire]
        }
        "terms" => {
            let wire = samples::terms().1;
            vec![signed_payload(&wire), wire]
        }
        "receipt" => vec![samples::receipt()],
        "block_access" => {
            let wire = crate::grant::block_access_sample();
            vec![signed_payload(&wire), wire]
        }
        "access_message" => {
            let messages = samples::access::messages().into_iter().map(|(_, wire)| wire);
            let parts = [
                samples::access::acceptance(),
                samples::access::request(),
                samples::access::receipt(),
                samples::access::question(),
            ];
            messages.chain(parts.iter().map(|wire| signed_payload(wire))).collect()
        }
        "access_reply" => {
            let replies = samples::access::replies().into_iter();
            replies.map(|(_, wire)| wire).collect()
        }
        "agent_certificate" => {
            let wire = samples::access::certificate();
            vec![signed_payload(&wire), wire]
        }
        "deposit_note" => {
            let note = samples::deposit_note();
            let sealed = note.seal(&device(), &reader().recipient()).unwrap();
            vec![
                signed_payload(&note.signed(&device())),
                sealed.data().to_vec(),
            ]
        }
        "deposit_parcel" => vec![samples::deposit_parcel()],
        "deposit_words" => {
            let words = samples::deposit_words();
            let receipt = crate::deposit::answer_taken(words[2].clone());
            let refused = crate::deposit::answer_refused(crate::DepositRefusal::Quota);
            let mut seeds: Vec<_> = words.iter().map(|wire| signed_payload(wire)).collect();
            seeds.extend(words);
            seeds.extend([receipt, refused, samples::deposit_ticket()]);
            seeds
        }
        "grant_key" => {
            let payload = samples::envelope_payload();
            let signed = Signed::raw(&payload, Namespace::Envelope, &device());
            vec![
                payload,
                seal_envelope(&reader().recipient(), &signed).unwrap(),
            ]
        }
        "grant_root" => vec![
            codec::encode(&samples::grant_root()),
            codec::encode(&samples::pointer()),
        ],
        "directory" => vec![vec![7; 280 * 8], vec![7; 281]],
        "index_page" => vec![samples::index_page()],
        "audit_entry" => samples::audit_entries()
            .iter()
            .map(AuditEntry::to_bytes)
            .collect(),
        "following" => {
            let followed = Following::accept(&samples::ticket(), "pat", samples::TIME);
            vec![codec::encode(&followed)]
        }
        "pin_set" => {
            let live = [Digest::of(b"a"), Digest::of(b"b")].into();
            let blocks = crate::pins::write(&live).unwrap();
            let parts: Vec<u8> = blocks.iter().rev().flat_map(|b| b.data().to_vec()).collect();
            vec![parts, blocks[0].data().to_vec()]
        }
        "envelope" => {
            let to = reader().recipient();
            let passphrase = "words".into();
            vec![
                seal_envelope(&to, b"payload").unwrap(),
                crate::envelope::encrypt_to(&[to], b"payload", true).unwrap(),
                crate::envelope::encrypt_with_passphrase(b"payload", &passphrase, 2).unwrap(),
            ]
        }
        "stream" => vec![seal(&KEY, CONTEXT, b"plain"), seal(&KEY, CONTEXT, &[1; 17_000])],
        "body" => {
            let header = samples::record_header();
            let mut plain = (header.len() as u32).to_be_bytes().to_vec();
            plain.extend_from_slice(&(8 + header.len() as u32).to_be_bytes());
            plain.extend_from_slice(&header);
            plain.extend_from_slice(b"content");
            vec![signed_payload(&header), plain]
        }
        "long_body" => vec![
            [&(1_u64 << 30).to_be_bytes()[..], &[1, 2], &[5; 40_000]].concat(),
            [&100_u64.to_be_bytes()[..], &[0, 1], &[5; 300]].concat(),
        ],
        "checkpoint" => vec![samples::checkpoint()],
        "car" => {
            let blocks = [b"first", b"other"].map(|d| Block::new(Codec::Raw, d.to_vec()).unwrap());
            let mut writer = CarWriter::new(Vec::new(), &[blocks[0].cid()]).unwrap();
            blocks.iter().for_each(|block| writer.put(block).unwrap());
            let mut foreign = CarWriter::new(Vec::new(), &[]).unwrap().finish().unwrap();
            foreign.extend([&[35, 0x12, 0x20][..], &[7; 32], b"x"].concat());
            foreign.extend([&[38, 1, 0x55, 0x12, 32][..], &[7; 32], b"xy"].concat());
            vec![writer.finish().unwrap(), foreign]
        }
        "car_store" => {
            let dir = tempfile::tempdir().unwrap();
            let store = CarStore::open(dir.path()).unwrap();
            let blocks = [1, 2, 3].map(|n| Block::new(Codec::Raw, vec![n; 40]).unwrap());
            store.put(&blocks).unwrap();
            store.sync().unwrap();
            store.remove(&[blocks[1].cid()]).unwrap();
            let segment = std::fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.extension().is_some_and(|ext| ext == "car"));
            let segment = std::fs::read(segment.unwrap()).unwrap();
            vec![with_choice(0, &segment), with_choice(1, &segment[18..])]
        }
        "ipns_record" => {
            let head = samples::head().block().cid();
            let record = IpnsRecord::sign(&owner(), head, 9, samples::TIME);
            let name = IpnsName::new(owner().public());
            vec![record.data(), record.as_bytes().to_vec(), name.to_string().into_bytes()]
        }
        "record" => vec![
            with_choice(
                0,
                br#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Observation","id":"1","effectiveDateTime":"2024-02-03","code":{"text":"Hb"},"meta":{"security":[{"code":"HIV"}]}}},{"resource":3}]}"#,
            ),
            with_choice(
                1,
                b"{\"resourceType\":\"Patient\",\"id\":\"1\"}\n{\"resourceType\":\"Patient\",\"id\":\"2\"}\n",
            ),
            with_choice(2, b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><title>x</title></ClinicalDocument>"),
            with_choice(4, b"%PDF-1.7\n"),
        ],
        "log_proof" => vec![samples::entry_proof().to_text().unwrap().into_bytes()],
        "logged_entry" => vec![codec::encode(&samples::logged())],
        "log_statement" => {
            let wire = samples::statement();
            vec![signed_payload(&wire), wire]
        }
        "evidence" => {
            let bare = samples::evidence();
            let stated = bare.clone().with_statement(&samples::statement()).unwrap();
            vec![
                bare.to_text().unwrap().into_bytes(),
                stated.to_text().unwrap().into_bytes(),
            ]
        }
        other => panic!("no seeds for {other}"),
    }
}

/// Where the committed seeds lie.
fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target)
}

/// A small generator (xorshift64*), so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }

    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.below(256) as u8),
                2 if !bytes.is_empty() => {
                    bytes.remove(at);
                }
                3 if !bytes.is_empty() => bytes[at] = [0, 0x7f, 0x80, 0xff][self.below(4)],
                4 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let len = self.below(64).min(other.len() - from);
                    bytes.splice(at..at, other[from..from + len].iter().copied());
                }
                5 => bytes.extend((0..self.below(20)).map(|i| i as u8)),
                _ if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        bytes
    }
}

/// Seconds for each target: `MEDVAULT_FUZZ_SECONDS`, or half a second.
fn time_for_each() -> Duration {
    let seconds = std::env::var("MEDVAULT_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.5))
}

#[test]
fn no_decoder_panics() {
    for (name, target) in TARGETS {
        let mut inputs = seeds(name);
        let committed = std::fs::read_dir(folder(name))
            .unwrap_or_else(|error| panic!("seeds of {name}: {error}"));
        for entry in committed {
            inputs.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let mut dice = Dice(u64::from_be_bytes(crate::random::array()) | 1);
        let start = Instant::now();
        let mut runs = 0;
        let run = |input: &[u8]| {
            let result = catch_unwind(AssertUnwindSafe(|| target(input)));
            let hex = data_encoding::HEXLOWER.encode(input);
            assert!(result.is_ok(), "{name} panics on {hex}");
        };
        for input in &inputs {
            run(input);
        }
        while start.elapsed() < time_for_each() {
            run(&dice.mutate(&inputs));
            runs += 1;
        }
        println!("{name}: {} seeds, {runs} mutations", inputs.len());
    }
}

#[test]
fn every_target_has_a_fuzzing_program() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(folder.join(format!("fuzz_targets/{name}.rs")).exists());
    }
}

/// Writes the seeds into the repository: `cargo test -p vault-core write_seeds -- --ignored`.
#[test]
#[ignore = "writes into the repository"]
fn write_seeds() {
    for (name, _) in TARGETS {
        let folder = folder(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}
