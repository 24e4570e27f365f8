//! Every sample file goes in, is understood, is found again and comes out whole.
//!
//! What must come out of it is worked out by programs that share nothing with ours
//! (`tests/truth/expect.py`, with the parsers of other people); what we write is read by the models of
//! others and held against the guides (`tests/truth/validate.py`). Without the sample data the tests are
//! skipped; without `python3` too, except where `CI` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::tools;
use crate::world::World;

mod derived;
mod exports;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/truth");

/// The sample data, or nothing, said aloud.
fn samples() -> Option<PathBuf> {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let data = shared.join("data");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no sample data");
    None
}

fn python() -> Option<PathBuf> {
    tools::python(&Path::new(SCRIPTS).join("requirements.txt"), "truth")
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds a file or folder; signatures are checked with the keys among the sample data.
fn add(world: &World, who: &str, path: &Path, data: &Path) -> String {
    let keys = data.join("shl-shc/issuer-jwks.json");
    let [path, keys] = [path, &keys].map(|path| path.to_str().unwrap());
    world.ok(who, &["record", "add", path, "--issuer-keys", keys])
}

/// A script of ours in the Python that has the packages; it leaves nothing beside itself.
fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg("-B").arg(Path::new(SCRIPTS).join(name));
    command
}

fn strings(list: &Value) -> BTreeSet<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.map(|t| t.as_str().unwrap().to_owned()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}

/// The records of one vault after a folder was added to it.
struct Kept<'a> {
    world: &'a World,
    list: Vec<Value>,
    /// The derived resources by the record they come from.
    derived: BTreeMap<String, Vec<(Value, Value)>>,
}

impl<'a> Kept<'a> {
    fn of(world: &'a World, data: &Path, folder: &str) -> Self {
        add(world, "a", &data.join(folder), data);
        let mut kept = Self {
            world,
            list: world.json("a", &["record", "list"]),
            derived: BTreeMap::new(),
        };
        for record in &kept.list {
            let Some(origin) = text(record, "origin") else {
                continue;
            };
            let body = match text(record, "media_type") {
                Some("application/fhir+json") => {
                    serde_json::from_slice(&kept.bytes(record)).unwrap()
                }
                _ => Value::Null,
            };
            let of_origin = kept.derived.entry(origin.to_owned()).or_default();
            of_origin.push((record.clone(), body));
        }
        kept
    }

    fn bytes(&self, record: &Value) -> Vec<u8> {
        let id = text(record, "record").unwrap();
        let path = self.world.path(&format!("got-{id}"));
        let name = path.to_str().unwrap();
        self.world
            .ok("a", &["record", "get", id, "-o", name, "--force"]);
        std::fs::read(path).unwrap()
    }

    fn derived_of(&self, record: &Value) -> &[(Value, Value)] {
        let id = text(record, "record").unwrap();
        self.derived.get(id).map_or(&[], Vec::as_slice)
    }

    /// The record that holds a file as it is; its bytes are the file's.
    fn original(&self, file: &str, expected: &Value) -> &Value {
        let base = file.rsplit('/').next().unwrap();
        let whole = |record: &&Value| {
            record["origin"].is_null()
                && text(record, "file") == Some(base)
                && record["bytes"] == expected["bytes"]
        };
        let found: Vec<_> = self.list.iter().filter(whole).collect();
        let [record] = found[..] else {
            panic!("{file}: {} originals", found.len());
        };
        assert_eq!(sha256(&self.bytes(record)), expected["sha256"], "{file}");
        for key in ["source_id", "category", "media_type"] {
            if let Some(wanted) = text(expected, key) {
                assert_eq!(text(record, key), Some(wanted), "{file}: {key}");
            }
        }
        if let Some(day) = text(expected, "day") {
            assert_eq!(text(record, "date"), Some(day), "{file}");
        }
        if let Some(title) = text(expected, "title") {
            assert!(text(record, "title").unwrap().contains(title), "{file}");
        }
        let codes = strings(&record["codes"]);
        assert!(
            strings(&expected["codes"]).is_subset(&codes),
            "{file}: {codes:?}"
        );
        record
    }

    /// FHIR in JSON: one record for each resource, whichever files of the folder hold it.
    fn resources(&self, expected: &BTreeMap<String, Value>) {
        let mut wanted: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for resource in expected
            .values()
            .filter_map(|file| file["resources"].as_array())
            .flatten()
        {
            if seen.insert(text(resource, "sha256").unwrap()) {
                wanted.entry(key(resource)).or_default().push(resource);
            }
        }
        let mut got: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        // what lies in a document bundle is there as it came, and names the bundle as its origin
        let bundles: BTreeSet<&str> = (self.list.iter())
            .filter(|record| text(record, "kind") == Some("Bundle"))
            .filter_map(|record| text(record, "record"))
            .collect();
        let in_fhir = |record: &&Value| {
            text(record, "origin").is_none_or(|origin| bundles.contains(origin))
                && text(record, "media_type") == Some("application/fhir+json")
        };
        for record in self.list.iter().filter(in_fhir) {
            got.entry(key(record)).or_default().push(record);
        }
        let keys = |map: &BTreeMap<String, Vec<&Value>>| -> Vec<(String, usize)> {
            map.iter().map(|(k, v)| (k.clone(), v.len())).collect()
        };
        let (all_wanted, all_got) = (keys(&wanted), keys(&got));
        assert!(
            all_wanted == all_got,
            "missing {:?}, too many {:?}",
            all_wanted.iter().find(|k| !all_got.contains(k)),
            all_got.iter().find(|k| !all_wanted.contains(k))
        );
        let mut kinds_read = BTreeSet::new();
        for (key, wanted) in &wanted {
            let record = got[key][0];
            // several of one kind, name and length: the bytes decide, and nothing else is compared
            let first_of_kind = kinds_read.insert(text(record, "kind").unwrap());
            if first_of_kind || wanted.len() > 1 {
                let hash = sha256(&self.bytes(record));
                assert!(wanted.iter().any(|w| w["sha256"] == hash), "{key}");
            }
            if let [wanted] = wanted[..] {
                if let Some(day) = wanted.get("day") {
                    assert_eq!(&record["date"], day, "{key}");
                }
                if wanted.get("codes").is_some() {
                    let (codes, own) = (strings(&wanted["codes"]), strings(&record["codes"]));
                    assert_eq!(codes, own, "{key}");
                }
            }
        }
    }
}

/// What tells two records of a list apart without opening them.
fn key(record: &Value) -> String {
    let name = text(record, "source_id").unwrap_or("-");
    let kind = text(record, "kind").unwrap();
    format!("{kind} {name} {} bytes", record["bytes"])
}

/// Adds a folder of the sample data to a new vault and holds all of it against what is expected.
fn check_folder(folder: &str) {
    let Some((data, python)) = samples().zip(python()) else {
        return;
    };
    let mut expect = script(&python, "expect.py");
    let expected = tools::run(expect.arg(&data).args(["--folder", folder]), b"").unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let files: BTreeMap<String, Value> = serde_json::from_value(expected["files"].clone()).unwrap();
    assert!(!files.is_empty());

    let world = World::of(&["a"]);
    let kept = Kept::of(&world, &data, folder);
    kept.resources(&files);

    let mut originals: BTreeMap<&str, &Value> = BTreeMap::new();
    for (name, file) in &files {
        for original in file["originals"].as_array().unwrap() {
            originals.insert(name, kept.original(name, original));
        }
    }
    for (name, original) in &originals {
        let file = &files[*name];
        let derived = kept.derived_of(original);
        let twin_has_it = file["group"].is_string()
            && originals.iter().any(|(other, original)| {
                other != name
                    && files[*other]["group"] == file["group"]
                    && !kept.derived_of(original).is_empty()
            });
        let elsewhere = derived.is_empty() && twin_has_it;
        derived::check(name, file, derived, elsewhere);
        for inside in file["files"].as_array().into_iter().flatten() {
            let is_it = |(record, _): &(Value, Value)| {
                record["bytes"] == inside["bytes"]
                    && record["media_type"] == inside["media_type"]
                    && sha256(&kept.bytes(record)) == inside["sha256"]
            };
            assert!(derived.iter().any(is_it), "{name}: {inside}");
        }
    }
    check_studies(&kept, &expected["folders"][folder], &files);
}

/// One ImagingStudy for each study of a folder, and the people in it.
fn check_studies(kept: &Kept<'_>, folder: &Value, files: &BTreeMap<String, Value>) {
    let derived: Vec<_> = kept.derived.values().flatten().collect();
    for study in strings(&folder["studies"]) {
        let uid = format!("urn:oid:{study}");
        let is_it = |body: &Value| {
            let mut identifiers = body["identifier"].as_array().into_iter().flatten();
            body["resourceType"] == "ImagingStudy" && identifiers.any(|i| i["value"] == uid)
        };
        let count = derived.iter().filter(|(_, body)| is_it(body)).count();
        assert_eq!(count, 1, "study {study}");
    }
    let people = files.values().filter(|file| file["study"].is_string());
    for person in people.filter_map(|file| text(file, "person")) {
        let named = |body: &Value| body.to_string().contains(person);
        assert!(derived.iter().any(|(_, b)| named(b)), "nobody is {person}");
    }
}

macro_rules! folders {
    ($($test:ident = $folder:literal;)*) => {$(
        #[test]
        fn $test() {
            check_folder($folder);
        }
    )*};
}

folders! {
    apple_health = "apple-health";
    bulk_ndjson = "bulk-ndjson";
    ccda = "ccda";
    dicom = "dicom";
    fhir_of_older_releases = "fhir-old";
    synthea = "fhir-r4-synthea";
    synthea_2020 = "fhir-r4-synthea-2020";
    hl7v2 = "hl7v2";
    patient_summaries = "ips";
    health_cards = "shl-shc";
    us_core = "us-core-9";
}
