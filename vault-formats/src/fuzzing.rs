//! One entry for every parser of files that come from outside. Built only with the feature
//! `fuzzing` and for tests. An entry takes any bytes and must return; a panic is a fault.

use std::io::Cursor;

use vault_core::record::Sensitivity;
use vault_core::{Added, Content, Digest, RecordId, RecordMeta, VaultError, VersionId};

use crate::container::Archive;
use crate::{Door, InMemory, IssuerKeys, Moment, Person, Shelf};
use crate::{apple, cda, consent, dicom, fhir, health_card, hl7v2, overview};

/// An entry and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every entry.
pub const TARGETS: &[Target] = &[
    ("apple", apple),
    ("cda", cda),
    ("consent", consent),
    ("dicom", dicom),
    ("door", door),
    ("fhir_xml", fhir_xml),
    ("health_card", health_card),
    ("hl7v2", hl7v2),
    ("show", show),
    ("zip", zip),
];

/// Runs the entry of this name.
pub fn run(name: &str, bytes: &[u8]) {
    if let Some((_, entry)) = TARGETS.iter().find(|(known, _)| *known == name) {
        entry(bytes);
    }
}

const WHEN: Moment = Moment(1_790_000_000);

fn apple(bytes: &[u8]) {
    apple::looks_like(bytes);
    apple::understand(&mut &bytes[..], "export.xml", WHEN);
    apple::describe_member("apple_health_export/workout-routes/a.gpx", bytes);
    apple::describe_member("apple_health_export/electrocardiograms/a.csv", bytes);
}

fn cda(bytes: &[u8]) {
    cda::understand(bytes, "a.xml", WHEN);
}

fn consent(bytes: &[u8]) {
    drop(consent::read(bytes));
}

fn dicom(bytes: &[u8]) {
    dicom::looks_like(bytes, "a.dcm");
    dicom::read(&mut &bytes[..], "a.dcm");
    drop(dicom::directory_files(&mut &bytes[..]));
}

fn fhir_xml(bytes: &[u8]) {
    fhir::xml::looks_like(bytes);
    fhir::xml::understand(bytes, "a.xml", WHEN);
}

fn health_card(bytes: &[u8]) {
    health_card::looks_like(bytes);
    health_card::is_health_link(bytes);
    health_card::understand(bytes, "a.smart-health-card", &IssuerKeys::default(), WHEN);
    drop(IssuerKeys::from_jwks(bytes, None));
}

fn hl7v2(bytes: &[u8]) {
    hl7v2::looks_like(bytes);
    hl7v2::understand(bytes, "a.hl7", WHEN);
}

fn show(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice(bytes) {
        overview::show(&value, &RecordMeta::default()).to_text(80);
    }
}

fn zip(bytes: &[u8]) {
    let Ok(mut archive) = Archive::open(Cursor::new(bytes)) else {
        return;
    };
    for index in 0..archive.entries().len().min(16) {
        if let Ok(reader) = archive.read(index) {
            let mut reader = std::io::Read::take(reader, 1 << 20);
            drop(std::io::copy(&mut reader, &mut std::io::sink()));
        }
    }
}

/// Keeps nothing.
struct Nowhere;

impl Shelf for Nowhere {
    type Error = VaultError;

    fn known(&self, _: &Digest) -> Option<RecordId> {
        None
    }

    fn may_know(&self, _: u64) -> bool {
        true
    }

    fn has_derived(&self, _: &RecordId) -> bool {
        false
    }

    fn add(&mut self, _: RecordMeta, _: &str, content: Content<'_>) -> Result<Added, VaultError> {
        if let Content::Stream(stream) = content {
            std::io::copy(stream, &mut std::io::sink()).map_err(vault_core::BodyError::Io)?;
        }
        Ok(Added::New(RecordId::random(), VersionId::random()))
    }

    fn breathe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

fn door(bytes: &[u8]) {
    let (keys, sensitivity) = (IssuerKeys::default(), Sensitivity::standard());
    let patient = vec![Person {
        family: vec!["Lind".to_owned()],
        ..Person::default()
    }];
    let mut door = Door::new(&keys, &sensitivity, WHEN, patient);
    if door
        .take(&mut Nowhere, &mut InMemory(bytes), "file")
        .is_ok()
    {
        drop(door.finish(&mut Nowhere));
    }
}
