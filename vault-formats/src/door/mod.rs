//! The one door: a file of any format becomes records.
//!
//! A file is recognised by its content, understood as far as that goes, and put on a [`Shelf`]: the
//! original byte for byte, and what was derived from it beside it. What cannot be taken is told and
//! the rest goes on. Memory is bounded whatever comes: what must be read in one piece is at most
//! [`MAX_WHOLE`], everything else is streamed.

mod archive;
mod json;
mod original;
mod recognise;
mod report;
mod shelf;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read as _;

use vault_core::record::{SNIFF_LEN, Sensitivity};
use vault_core::{Content, Kind, Label, RecordId, RecordMeta};
use zeroize::Zeroizing;

pub use recognise::{Format, recognise};
pub use report::{Counts, Remark, Report, Stranger};
pub use shelf::{DryShelf, Shelf, VaultShelf};
pub use source::{InMemory, OnDisk, Once, ReadSeek, Source};

use crate::dicom::Studies;
use crate::health_card::IssuerKeys;
use crate::{Moment, Person, SamePerson, apple, cda, dicom, fhir, health_card, hl7v2};

/// Longest file that is read in one piece to be understood, in bytes (32 MiB). Longer ones of such a
/// format are kept, unread.
pub const MAX_WHOLE: usize = 32 << 20;

/// How much of a DICOM file is read to understand it, in bytes (4 MiB): all before the pixels.
const DICOM_FRONT: usize = 4 << 20;

/// What a door needs to know.
#[derive(Debug)]
pub struct Door<'a> {
    /// Keys of issuers of health cards.
    pub keys: &'a IssuerKeys,
    /// Which codes make a record sensitive.
    pub sensitivity: &'a Sensitivity,
    /// The time.
    pub when: Moment,
    /// Keep every file whole, as one document that is not read.
    pub as_documents: bool,
    /// The name that the vault was made under.
    pub owner: Option<Person>,
    /// The patient, as the vault knows them so far.
    patient: Vec<Person>,
    studies: Studies,
    /// The first image of each study.
    first_images: BTreeMap<String, RecordId>,
    report: Report,
}

/// The file that is under way.
pub(crate) struct Current<'a> {
    /// As the person named it, with the member of an archive behind.
    shown: &'a str,
    /// The name to keep: never a path.
    name: &'a str,
    format: Format,
    /// How deep in archives.
    nesting: usize,
    /// Whom it is from, where an index beside it says so.
    author: Option<&'a str>,
}

impl<'a> Door<'a> {
    /// A door to the vault of `patient`; empty when nothing is known of them.
    pub fn new(
        keys: &'a IssuerKeys,
        sensitivity: &'a Sensitivity,
        when: Moment,
        patient: Vec<Person>,
    ) -> Self {
        Self {
            keys,
            sensitivity,
            when,
            as_documents: false,
            owner: None,
            patient,
            studies: Studies::new(),
            first_images: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Takes one file in. `shown` is how the person named it; the last part of it is kept as its
    /// name.
    ///
    /// # Errors
    /// Only when the shelf fails. A file that cannot be taken is a refusal in the report.
    pub fn take<S: Shelf>(
        &mut self,
        shelf: &mut S,
        source: &mut dyn Source,
        shown: &str,
    ) -> Result<(), S::Error> {
        self.take_nested(shelf, source, shown, 0, None)
    }

    /// What is known only when all files are in: studies of images.
    ///
    /// # Errors
    /// When the shelf fails.
    pub fn finish<S: Shelf>(mut self, shelf: &mut S) -> Result<Report, S::Error> {
        let studies = std::mem::replace(&mut self.studies, Studies::new());
        let current = Current {
            shown: "",
            name: "",
            format: Format::Dicom,
            nesting: 0,
            author: None,
        };
        if studies.left_out() > 0 {
            let what = format!(
                "{} images are in no study: there are too many",
                studies.left_out()
            );
            self.note(&current, None, &what);
        }
        for (study, derived) in studies.finish(self.when) {
            let origin = self.first_images.get(&study).copied();
            self.add_derived(shelf, &current, derived, origin)?;
            shelf.breathe()?;
        }
        Ok(self.report)
    }

    /// Notes a file that could not even be opened.
    pub fn refuse_unread(&mut self, shown: &str, error: &std::io::Error) {
        let remark = Remark {
            file: shown.to_owned(),
            at: None,
            what: format!("cannot be read: {}", reason(error)),
        };
        self.report.refuse(Format::Other, remark);
    }

    /// What became of the files so far.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    fn take_nested<S: Shelf>(
        &mut self,
        shelf: &mut S,
        source: &mut dyn Source,
        shown: &str,
        nesting: usize,
        author: Option<&str>,
    ) -> Result<(), S::Error> {
        let name = shown.rsplit(['/', '\\', '!']).next().unwrap_or(shown);
        let mut current = Current {
            shown,
            name,
            format: Format::Other,
            nesting,
            author,
        };
        let front = match source.front(SNIFF_LEN) {
            Ok(front) => Zeroizing::new(front),
            Err(error) => return self.unreadable(&current, &error),
        };
        current.format = recognise(&front, name);
        let format = current.format;
        self.report.counts(format).files += 1;
        if front.is_empty() {
            self.refuse(&current, None, "the file is empty");
            return Ok(());
        }
        if self.as_documents && format != Format::Zip {
            let meta = self.unread(&current, &front);
            self.original(shelf, &current, meta, source)?;
            return shelf.breathe();
        }
        match format {
            Format::Zip => self.archive(shelf, &current, source, &front)?,
            Format::Json => self.json(shelf, &current, source, &front)?,
            Format::Dicom => self.dicom(shelf, &current, source)?,
            Format::AppleHealth => drop(self.apple(shelf, &current, source)?),
            Format::Hl7v2 | Format::Cda | Format::FhirXml | Format::HealthCard => {
                self.whole(shelf, &current, source, &front)?;
            }
            Format::Other => {
                let meta = describe(&front, current.name, source.length());
                self.original(shelf, &current, meta, source)?;
            }
        }
        shelf.breathe()
    }

    /// A format that is understood in one piece.
    fn whole<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
        front: &[u8],
    ) -> Result<(), S::Error> {
        let bytes = match read_whole(source, MAX_WHOLE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                self.note(current, None, "too long to be understood; it is kept whole");
                let meta = self.unread(current, front);
                return self.original(shelf, current, meta, source).map(drop);
            }
            Err(error) => return self.unreadable(current, &error),
        };
        let understood = match current.format {
            Format::Cda => cda::understand(&bytes, current.name, self.when),
            Format::FhirXml => fhir::xml::understand(&bytes, current.name, self.when),
            Format::Hl7v2 => hl7v2::understand(&bytes, current.name, self.when),
            _ => health_card::understand(&bytes, current.name, self.keys, self.when),
        };
        match understood {
            Some(understood) => self
                .understood(shelf, current, understood, source)
                .map(drop),
            None => {
                self.note(current, None, "not understood; it is kept whole");
                let meta = self.unread(current, front);
                self.original(shelf, current, meta, source).map(drop)
            }
        }
    }

    fn dicom<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
    ) -> Result<(), S::Error> {
        let front = match source.front(DICOM_FRONT) {
            Ok(front) => Zeroizing::new(front),
            Err(error) => return self.unreadable(current, &error),
        };
        let (understood, instance) = dicom::read(&mut &front[..], current.name);
        if instance.is_none() {
            // a directory is no image
            self.missing_members(current, source);
        }
        let kept = self.understood(shelf, current, understood, source)?;
        let (Some(instance), Some(record)) = (instance, kept.record()) else {
            return Ok(());
        };
        match hash(source) {
            Ok(Some(digest)) => {
                self.studies.add(&instance, &digest);
                let study = self.first_images.entry(instance.study_uid);
                study.or_insert(record);
            }
            Ok(None) => {}
            Err(error) => return self.unreadable(current, &error),
        }
        Ok(())
    }

    /// Says which files a DICOM directory lists that are not there.
    fn missing_members(&mut self, current: &Current<'_>, source: &mut dyn Source) {
        let folder = source
            .path()
            .and_then(|path| path.parent())
            .map(ToOwned::to_owned);
        let Some(folder) = folder else { return };
        let Ok(mut reader) = source.open() else {
            return;
        };
        let listed = dicom::directory_files(&mut reader).unwrap_or_default();
        let missing = listed.iter().filter(|file| !folder.join(file).is_file());
        let count = missing.count();
        if count > 0 {
            self.note(
                current,
                None,
                &format!("{count} of the files that it lists are not there"),
            );
        }
    }

    fn apple<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
    ) -> Result<apple::ClinicalRecords, S::Error> {
        if !source.reopens() {
            self.note(
                current,
                None,
                "kept, not understood: name the file itself, not a stream of it",
            );
            let meta = RecordMeta {
                title: "Apple Health export".to_owned(),
                media_type: "application/xml".to_owned(),
                labels: [Label::unclear()].into(),
                ..RecordMeta::default()
            };
            self.original(shelf, current, meta, source)?;
            return Ok(apple::ClinicalRecords::default());
        }
        let understood = match source.open() {
            Ok(mut reader) => apple::understand(&mut reader, current.name, self.when),
            Err(error) => {
                self.unreadable::<S::Error>(current, &error)?;
                return Ok(apple::ClinicalRecords::default());
            }
        };
        self.understood(shelf, current, understood.understood, source)?;
        Ok(understood.clinical_records)
    }

    /// The summary of a file that is kept without being read: nobody knows what it says.
    fn unread(&self, current: &Current<'_>, front: &[u8]) -> RecordMeta {
        let described = describe(front, current.name, None);
        RecordMeta {
            kind: Kind::document(),
            category: described.category,
            title: described.title,
            media_type: match current.format {
                Format::Json => "application/json".to_owned(),
                _ => described.media_type,
            },
            labels: [Label::unclear()].into(),
            ..RecordMeta::default()
        }
    }

    /// Compares a person that a file is about with the vault's patient.
    fn meet(&mut self, current: &Current<'_>, person: &Person) {
        let verdicts = self.patient.iter().map(|patient| patient.compare(person));
        let best = verdicts.fold(SamePerson::Other, |best, verdict| match (best, verdict) {
            (SamePerson::Same, _) | (_, SamePerson::Same) => SamePerson::Same,
            (SamePerson::Unclear, _) | (_, SamePerson::Unclear) => SamePerson::Unclear,
            _ => SamePerson::Other,
        });
        if best == SamePerson::Same {
            return;
        }
        let owner = self.owner.as_ref();
        let is_owner = |person: &Person| owner.is_some_and(|owner| owner.has_name_of(person));
        let first = self.patient.is_empty();
        let same = if is_owner(person) && !self.patient.iter().any(is_owner) {
            // whoever came before was somebody else
            self.patient.push(person.clone());
            return;
        } else if first && owner.is_some() {
            SamePerson::Unclear
        } else {
            best
        };
        if first {
            self.patient.push(person.clone());
            if self.owner.is_none() {
                return;
            }
        }
        self.report.stranger(Stranger {
            file: current.shown.to_owned(),
            person: person.clone(),
            same,
        });
    }

    fn refuse(&mut self, current: &Current<'_>, at: Option<String>, why: &str) {
        let remark = current.remark(at, why);
        self.report.refuse(current.format, remark);
    }

    fn note(&mut self, current: &Current<'_>, at: Option<String>, what: &str) {
        self.report.note(current.remark(at, what));
    }

    /// A file that cannot be read is refused; never an error of the import.
    fn unreadable<E>(&mut self, current: &Current<'_>, error: &std::io::Error) -> Result<(), E> {
        self.refuse(current, None, &format!("cannot be read: {}", reason(error)));
        Ok(())
    }
}

impl Current<'_> {
    fn remark(&self, at: Option<String>, what: &str) -> Remark {
        Remark {
            file: self.shown.to_owned(),
            at: at.filter(|at| at != "file"),
            what: what.to_owned(),
        }
    }
}

/// What went wrong, in words, without the numbers of the system.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or_default()
                .to_owned()
        }
    }
}

/// The summary of a document by its first bytes.
fn describe(front: &[u8], name: &str, len: Option<u64>) -> RecordMeta {
    vault_core::record::describe(front, name, len)
}

/// All bytes of a source; `None` when there are more than `most`.
fn read_whole(source: &mut dyn Source, most: usize) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    if source.length().is_some_and(|len| len > most as u64)
        || (source.length().is_none() && !source.reopens())
    {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = most as u64 + 1;
    source.open()?.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

/// SHA-256 of a source; `None` when it can be read only once.
fn hash(source: &mut dyn Source) -> std::io::Result<Option<vault_core::Digest>> {
    use sha2::Digest as _;
    if !source.reopens() {
        return Ok(None);
    }
    let mut hash = sha2::Sha256::new();
    let reader = source.open()?;
    std::io::copy(
        &mut std::io::BufReader::with_capacity(1 << 20, reader),
        &mut hash,
    )?;
    Ok(Some(vault_core::Digest::from_bytes(hash.finalize().into())))
}

/// A content for the shelf.
fn bytes(content: &[u8]) -> Content<'static> {
    Content::Bytes(Zeroizing::new(content.to_vec()))
}
