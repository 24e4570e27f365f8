//! DICOMDIR: the directory of the files on a disc.
//!
//! Source: DICOM PS3.3, annex F, and PS3.10, section 8.

use std::io::Read;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::{Collected, Elements};
use super::instance::person;
use super::scan::{Scanner, Want};
use super::start::{self, Start};
use crate::Understood;

/// Most bytes of a directory that are read: about a hundred thousand records.
const MAX_LEN: u64 = 64 << 20;
/// Most files that are listed.
pub const MAX_DIRECTORY_FILES: usize = 100_000;
/// Most persons that are named.
const MAX_PERSONS: usize = 16;

/// Why no files could be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Not DICOM, or no directory.
    #[error("not a DICOM directory")]
    NotADirectory,
    /// The source failed, or the file ends before its first record.
    #[error("the DICOM directory cannot be read")]
    Unreadable,
}

/// The files that a DICOMDIR names, with `/` between folders, in its order.
///
/// Names that lead out of the disc are left out. A directory that is cut off gives what it has up
/// to there; at most 64 MiB and [`MAX_DIRECTORY_FILES`] names are read.
///
/// # Errors
/// [`DirectoryError`] when it is no directory or cannot be read.
pub fn directory_files(source: &mut dyn Read) -> Result<Vec<String>, DirectoryError> {
    let start = start::open(source, "DICOMDIR").map_err(|_| DirectoryError::Unreadable)?;
    let start = start
        .filter(Start::is_directory)
        .ok_or(DirectoryError::NotADirectory)?;
    let mut files = Vec::new();
    walk(start, &mut |record| {
        if let Some(Ok(file)) = record.file()
            && files.len() < MAX_DIRECTORY_FILES
        {
            files.push(file);
        }
    });
    Ok(files)
}

/// Fills what is known about a directory: how many records, whose.
pub(super) fn describe(start: Start<'_>, understood: &mut Understood) {
    let (mut records, mut unsafe_names) = (0_usize, 0_usize);
    let mut about = Vec::new();
    let collected = walk(start, &mut |record| {
        records += 1;
        unsafe_names += usize::from(matches!(record.file(), Some(Err(UnsafeName))));
        if about.len() < MAX_PERSONS
            && let Some(person) = person(record.0)
            && !about.contains(&person)
        {
            about.push(person);
        }
    });
    understood.about = about;
    let plural = if records == 1 { "" } else { "s" };
    understood.meta.title = format!("DICOM directory, {records} record{plural}");
    understood.meta.source_id = None;
    if unsafe_names > 0 {
        understood.report("file names", format!("{unsafe_names} lead out of the disc"));
    }
    super::report(&collected, understood);
}

/// One record of the directory.
struct Record<'a>(&'a Elements);

/// A name that leads out of the disc, or is none.
struct UnsafeName;

impl Record<'_> {
    /// The file it names, if any.
    fn file(&self) -> Option<Result<String, UnsafeName>> {
        let parts = self.0.texts(tags::REFERENCED_FILE_ID);
        if parts.is_empty() {
            return None;
        }
        let plain = |part: &String| {
            part != "."
                && part != ".."
                && part.len() <= 64
                && !part.contains(|c: char| c.is_control() || matches!(c, '/' | ':' | '\u{fffd}'))
        };
        let fits = parts.len() <= 16 && parts.iter().all(plain);
        Some(if fits {
            Ok(parts.join("/"))
        } else {
            Err(UnsafeName)
        })
    }
}

/// Shows every record and keeps none.
fn walk(start: Start<'_>, each: &mut dyn FnMut(&Record<'_>)) -> Collected {
    let mut scanner = Scanner::new(start.body, start.syntax, MAX_LEN);
    Elements::collect(&mut scanner, &wanted, &mut |_, record| {
        each(&Record(record));
        false
    })
}

fn wanted(depth: usize, tag: Tag) -> Want {
    match (depth, tag) {
        (0, tags::DIRECTORY_RECORD_SEQUENCE) => Want::Items,
        (0, tags::SPECIFIC_CHARACTER_SET)
        | (
            1,
            tags::REFERENCED_FILE_ID
            | tags::SPECIFIC_CHARACTER_SET
            | tags::PATIENT_NAME
            | tags::PATIENT_BIRTH_DATE,
        ) => Want::Value,
        _ => Want::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use dicom_core::VR;

    use super::super::testing::{Build, part10};
    use super::*;

    const CLASS: &str = "1.2.840.10008.1.3.10";
    const EXPLICIT: &str = "1.2.840.10008.1.2.1";

    fn directory(files: &[&str]) -> Vec<u8> {
        let mut set = Build::explicit();
        let mut records = vec![set.item(|item| {
            item.text(tags::DIRECTORY_RECORD_TYPE, VR::CS, "PATIENT")
                .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100")
                .raw(tags::PATIENT_NAME, VR::PN, b"Lindstr\xf6m^Mira")
                .text(tags::PATIENT_BIRTH_DATE, VR::DA, "19800506");
        })];
        records.extend(files.iter().map(|file| {
            set.item(|item| {
                item.text(tags::DIRECTORY_RECORD_TYPE, VR::CS, "IMAGE")
                    .text(tags::REFERENCED_FILE_ID, VR::CS, file);
            })
        }));
        set.text(tags::FILE_SET_ID, VR::CS, "DISC").sequence(
            tags::DIRECTORY_RECORD_SEQUENCE,
            &records,
            true,
        );
        part10(CLASS, EXPLICIT, &set.bytes)
    }

    #[test]
    fn files_that_stay_on_the_disc() {
        let bytes = directory(&[
            r"DICOM\IM000001",
            "IM2",
            r"..\..\SECRET",
            r"C:\WINDOWS",
            "/ETC/PASSWD",
            r"A\.\B",
        ]);
        let files = directory_files(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!(files, ["DICOM/IM000001", "IM2"]);
        let (understood, instance) = super::super::read(&mut Cursor::new(&bytes), "DICOMDIR");
        assert_eq!(instance, None);
        assert_eq!(understood.meta.title, "DICOM directory, 7 records");
        assert_eq!(understood.meta.media_type, "application/dicom");
        let about: Vec<_> = understood.about.iter().map(crate::Person::shown).collect();
        assert_eq!(about, ["Mira Lindström (1980-05-06)"]);
        assert_eq!(
            understood.problems[0].to_string(),
            "file names: 4 lead out of the disc"
        );
    }

    #[test]
    fn many_records_cut_off_anywhere() {
        let names: Vec<String> = (0..40).map(|n| format!(r"D\IM{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bytes = directory(&names);
        assert_eq!(directory_files(&mut Cursor::new(&bytes)).unwrap().len(), 40);
        let mut before = 0;
        for len in 400..bytes.len() {
            let files = directory_files(&mut Cursor::new(&bytes[..len])).unwrap_or_default();
            assert!(files.len() >= before && files.len() < 40, "{len}");
            before = files.len();
        }
        assert_eq!(before, 39);
        let not = |bytes: &[u8]| directory_files(&mut Cursor::new(bytes)).unwrap_err();
        assert_eq!(not(b"hello"), DirectoryError::NotADirectory);
        assert_eq!(not(&bytes[..134]), DirectoryError::NotADirectory);
        assert_eq!(not(&bytes[..170]), DirectoryError::Unreadable);
        let image = part10("1.2.840.10008.5.1.4.1.1.2", EXPLICIT, &[]);
        assert_eq!(not(&image), DirectoryError::NotADirectory);
    }
}
