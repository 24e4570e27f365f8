//! Records by type in NDJSON files, with a manifest, as bulk data servers hand them out.
//!
//! Source: HL7 FHIR Bulk Data Access 2.0, "Bulk Data Output File Organization" and the response of a
//! finished export.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use vault_core::Kind;

use super::minify;
use crate::Moment;

/// Most files that are open at a time.
const MAX_OPEN: usize = 32;

/// Where files are made: a folder, or something like it.
pub trait Folder {
    /// Makes a file of this name, which has only ASCII letters, digits and dots.
    ///
    /// # Errors
    /// Those of the place.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn Write>>;
}

/// Writes `Type.000.ndjson`, `Type.001.ndjson`, … and at last `manifest.json`.
///
/// A resource takes one line. Where its record has it on several, white space between tokens goes; no
/// digit and no string changes, but the bytes are not those of the record.
pub struct Bulk<F: Folder> {
    folder: F,
    when: Moment,
    request: String,
    max_len: u64,
    types: BTreeMap<String, Files>,
    output: Vec<Value>,
    turn: u64,
}

/// The files of one type.
#[derive(Default)]
struct Files {
    open: Option<Part>,
    parts: usize,
}

struct Part {
    writer: Box<dyn Write>,
    kind: Kind,
    name: String,
    len: u64,
    count: u64,
    used: u64,
}

impl<F: Folder> Bulk<F> {
    /// Begins. `request` is what the manifest names as the request; a file that has reached
    /// `max_len` bytes is followed by another.
    pub fn new(folder: F, when: Moment, request: &str, max_len: u64) -> Self {
        Self {
            folder,
            when,
            request: request.to_owned(),
            max_len,
            types: BTreeMap::new(),
            output: Vec::new(),
            turn: 0,
        }
    }

    /// Adds a resource of this type; `text` is the content of the record.
    ///
    /// # Errors
    /// `InvalidData`, with nothing written, when it is not one JSON value; those of the folder.
    pub fn add(&mut self, kind: &Kind, text: &str) -> io::Result<()> {
        let line = minify(text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        // where names differ by case only, some file systems hold one file
        let key = kind.as_str().to_ascii_lowercase();
        self.turn += 1;
        let full = self.types.get(&key).and_then(|files| files.open.as_ref());
        let full = full.is_some_and(|part| {
            part.kind != *kind || (part.count > 0 && part.len + line.len() as u64 > self.max_len)
        });
        if full {
            self.close(&key)?;
        }
        if self
            .types
            .get(&key)
            .is_none_or(|files| files.open.is_none())
        {
            self.make_room()?;
            let files = self.types.entry(key.clone()).or_default();
            let name = format!("{kind}.{:03}.ndjson", files.parts);
            files.open = Some(Part {
                writer: self.folder.create(&name)?,
                kind: kind.clone(),
                name,
                len: 0,
                count: 0,
                used: 0,
            });
            files.parts += 1;
        }
        if let Some(part) = self
            .types
            .get_mut(&key)
            .and_then(|files| files.open.as_mut())
        {
            part.writer.write_all(line.as_bytes())?;
            part.writer.write_all(b"\n")?;
            part.len += line.len() as u64 + 1;
            part.count += 1;
            part.used = self.turn;
        }
        Ok(())
    }

    /// Ends all files, writes the manifest and returns it.
    ///
    /// # Errors
    /// Those of the folder.
    pub fn finish(mut self) -> io::Result<Value> {
        let keys: Vec<String> = self.types.keys().cloned().collect();
        for key in keys {
            self.close(&key)?;
        }
        self.output
            .sort_by_key(|file| file["url"].as_str().map(str::to_owned));
        let manifest = json!({
            "transactionTime": self.when.instant(),
            "request": self.request,
            "requiresAccessToken": false,
            "output": self.output,
            "error": [],
        });
        let mut out = self.folder.create("manifest.json")?;
        out.write_all(serde_json::to_string_pretty(&manifest)?.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()?;
        Ok(manifest)
    }

    /// Ends the file of a type, if one is open.
    fn close(&mut self, key: &str) -> io::Result<()> {
        if let Some(mut part) = self.types.get_mut(key).and_then(|files| files.open.take()) {
            part.writer.flush()?;
            self.output.push(json!({
                "type": part.kind.as_str(),
                "url": part.name,
                "count": part.count,
            }));
        }
        Ok(())
    }

    /// Ends the file that was not written to for the longest time, when there are too many.
    fn make_room(&mut self) -> io::Result<()> {
        let open = self
            .types
            .iter()
            .filter_map(|(key, files)| Some((key, files.open.as_ref()?)));
        let open: Vec<(u64, &String)> = open.map(|(key, part)| (part.used, key)).collect();
        if open.len() >= MAX_OPEN
            && let Some((_, key)) = open.into_iter().min()
        {
            let key = key.clone();
            self.close(&key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    type Made = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;

    #[derive(Default, Clone)]
    struct Memory(Made);

    struct File(Made, String);

    impl Folder for Memory {
        fn create(&mut self, name: &str) -> io::Result<Box<dyn Write>> {
            let known = self.0.borrow_mut().insert(name.to_owned(), Vec::new());
            assert_eq!(known, None, "{name} was made twice");
            Ok(Box::new(File(self.0.clone(), name.to_owned())))
        }
    }

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().get_mut(&self.1).unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn by_type_split_by_size_with_a_manifest() {
        let folder = Memory::default();
        let mut bulk = Bulk::new(folder.clone(), Moment(0), "medvault export", 30);
        let kind = |name: &str| Kind::new(name).unwrap();
        for number in ["1.50", "2.0", "3"] {
            bulk.add(
                &kind("Basic"),
                &format!("{{\n  \"a\": {number}, \"b\": \"x y\"\n}}"),
            )
            .unwrap();
        }
        bulk.add(&kind("Patient"), "{}").unwrap();
        bulk.add(&kind("patient"), "{}").unwrap();
        assert!(bulk.add(&kind("Patient"), "{").is_err());
        let manifest = bulk.finish().unwrap();
        let made = folder.0.borrow();
        let text = |name: &str| String::from_utf8(made[name].clone()).unwrap();
        assert_eq!(text("Basic.000.ndjson"), "{\"a\":1.50,\"b\":\"x y\"}\n");
        assert_eq!(text("Basic.002.ndjson"), "{\"a\":3,\"b\":\"x y\"}\n");
        let names: Vec<_> = made.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "Basic.000.ndjson",
                "Basic.001.ndjson",
                "Basic.002.ndjson",
                "Patient.000.ndjson",
                "manifest.json",
                "patient.001.ndjson"
            ]
        );
        assert_eq!(
            manifest,
            json!({"transactionTime": "1970-01-01T00:00:00Z", "request": "medvault export", "requiresAccessToken": false, "error": [], "output": [
                {"type": "Basic", "url": "Basic.000.ndjson", "count": 1},
                {"type": "Basic", "url": "Basic.001.ndjson", "count": 1},
                {"type": "Basic", "url": "Basic.002.ndjson", "count": 1},
                {"type": "Patient", "url": "Patient.000.ndjson", "count": 1},
                {"type": "patient", "url": "patient.001.ndjson", "count": 1},
            ]})
        );
        assert_eq!(
            serde_json::from_str::<Value>(&text("manifest.json")).unwrap(),
            manifest
        );
    }

    #[test]
    fn any_number_of_types_keeps_few_files_open() {
        let folder = Memory::default();
        let mut bulk = Bulk::new(folder.clone(), Moment(0), "", 1000);
        for _ in 0..2 {
            for n in 0..100 {
                bulk.add(&Kind::new(&format!("T{n}")).unwrap(), "{}")
                    .unwrap();
            }
        }
        assert!(
            bulk.types
                .values()
                .filter(|files| files.open.is_some())
                .count()
                <= MAX_OPEN
        );
        let manifest = bulk.finish().unwrap();
        let counted: u64 = manifest["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["count"].as_u64().unwrap())
            .sum();
        assert_eq!(counted, 200);
    }
}
