//! All records in one file: a FHIR Bundle of type collection, written as it goes.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::value::RawValue;
use vault_core::{RecordId, RecordMeta};

use super::links::urn_of;
use crate::Moment;

/// Writes a Bundle of type collection. Each resource is written exactly as its record has it, in the
/// release of FHIR that it is in; nothing is held in memory but the addresses that were given.
///
/// A resource whose id is a UUID is found under that UUID, so that references of the form
/// `urn:uuid:…` lead to it; others get one that follows from the record.
///
/// Source: FHIR R4, resource Bundle.
#[derive(Debug)]
pub struct Collection<W: Write> {
    out: W,
    given: BTreeSet<String>,
}

impl<W: Write> Collection<W> {
    /// Begins the Bundle.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut out: W, when: Moment) -> io::Result<Self> {
        write!(
            out,
            "{{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"{}\"",
            when.instant()
        )?;
        Ok(Self {
            out,
            given: BTreeSet::new(),
        })
    }

    /// Adds a resource; `text` is the content of the record.
    ///
    /// # Errors
    /// `InvalidData`, with nothing written, when it is not one JSON object; those of the writer.
    pub fn add(&mut self, record: RecordId, meta: &RecordMeta, text: &str) -> io::Result<()> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.starts_with('{') || serde_json::from_str::<&RawValue>(text).is_err() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a record that is not one JSON object",
            ));
        }
        let own = meta
            .source_id
            .as_deref()
            .and_then(|source| source.rsplit('/').next());
        let own = own
            .filter(|id| is_uuid(id))
            .map(|id| format!("urn:uuid:{id}"));
        let url = own
            .filter(|url| !self.given.contains(url))
            .unwrap_or_else(|| urn_of("collection", record));
        let before = if self.given.is_empty() {
            ",\"entry\":[\n"
        } else {
            ",\n"
        };
        write!(
            self.out,
            "{before}{{\"fullUrl\":\"{url}\",\"resource\":{text}}}"
        )?;
        self.given.insert(url);
        Ok(())
    }

    /// How many resources were added.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Ends the Bundle and gives the writer back, flushed.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        // a list without items is not allowed in FHIR
        let end = if self.given.is_empty() {
            "}\n"
        } else {
            "\n]}\n"
        };
        self.out.write_all(end.as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A UUID in lower case, as FHIR wants it in `urn:uuid:`.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn texts_stay_as_they_are_and_addresses_are_unique() {
        let mut bundle = Collection::new(Vec::new(), Moment(0)).unwrap();
        let uuid = "3f69e0a5-2177-4540-baab-7a5d0877428f";
        let text =
            format!("{{ \"resourceType\" : \"Basic\",\n \"id\": \"{uuid}\", \"x\": 1.500 }}");
        let meta = vault_core::record::summary(&text).unwrap();
        for n in [1, 2] {
            let record = RecordId::from_bytes([n; 16]);
            bundle
                .add(record, &meta, &format!("\u{feff}{text}\n"))
                .unwrap();
        }
        let record = RecordId::from_bytes([3; 16]);
        assert!(bundle.add(record, &meta, "[1]").is_err());
        assert!(bundle.add(record, &meta, "{\"a\":1").is_err());
        assert_eq!(bundle.len(), 2);
        let written = String::from_utf8(bundle.finish().unwrap()).unwrap();
        assert_eq!(written.matches(&text).count(), 2);
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["type"], "collection");
        assert_eq!(read["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(read["entry"][0]["fullUrl"], format!("urn:uuid:{uuid}"));
        assert_ne!(read["entry"][1]["fullUrl"], read["entry"][0]["fullUrl"]);
    }

    #[test]
    fn an_empty_bundle_has_no_entries() {
        let written = Collection::new(Vec::new(), Moment(0))
            .unwrap()
            .finish()
            .unwrap();
        let read: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(read.get("entry"), None);
    }
}
