//! Whole files, good and bad.

use std::io::{Cursor, Read, Write};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use vault_core::{Category, Digest};

use super::testing::{Build, part10};
use super::*;
use crate::Moment;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// A made-up slice of a made-up person.
fn slice(mut set: Build) -> Build {
    let code = |set: &Build, value: &str, scheme: &str, meaning: &str| {
        set.item(|item| {
            item.text(tags::CODE_VALUE, VR::SH, value)
                .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme)
                .text(tags::CODE_MEANING, VR::LO, meaning);
        })
    };
    let procedure = code(&set, "24627-2", "LN", "CT Chest");
    let region = code(&set, "51185008", "SCT", "Thorax");
    set.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100")
        .text(tags::SOP_CLASS_UID, VR::UI, CT)
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4.12")
        .text(tags::STUDY_DATE, VR::DA, "20240301")
        .text(tags::SERIES_DATE, VR::DA, "20240301")
        .text(tags::CONTENT_DATE, VR::DA, "20240302")
        .text(tags::STUDY_TIME, VR::TM, "1015")
        .text(tags::CONTENT_TIME, VR::TM, "101530.5")
        .text(tags::ACCESSION_NUMBER, VR::SH, "A-77")
        .text(tags::MODALITY, VR::CS, "CT")
        .text(tags::INSTITUTION_NAME, VR::LO, "North Clinic")
        .text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "Okafor^Ada^^Dr")
        .text(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, "+0100")
        .text(tags::STUDY_DESCRIPTION, VR::LO, "Chest")
        .sequence(tags::PROCEDURE_CODE_SEQUENCE, &[procedure], false)
        .text(tags::SERIES_DESCRIPTION, VR::LO, "axial")
        .sequence(tags::ANATOMIC_REGION_SEQUENCE, &[region], true);
    // nobody wants this one
    let inner = set.item(|item| {
        item.raw(Tag(0x0008, 0x1155), VR::UI, b"1.2.3");
    });
    let private = set.item(|item| {
        item.sequence(Tag(0x0009, 0x1010), &[inner], false);
    });
    set.sequence(Tag(0x0009, 0x1001), &[private], false)
        .raw(tags::PATIENT_NAME, VR::PN, b"Lindstr\xf6m^Mira^Jane")
        .text(tags::PATIENT_ID, VR::LO, "P1")
        .text(tags::PATIENT_BIRTH_DATE, VR::DA, "19800506")
        .text(tags::PATIENT_SEX, VR::CS, "F")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4")
        .text(tags::SERIES_NUMBER, VR::IS, "2")
        .text(tags::INSTANCE_NUMBER, VR::IS, "12");
    set
}

fn read_bytes(bytes: &[u8]) -> (Understood, Option<Instance>) {
    read(&mut Cursor::new(bytes), "folder/IM000012")
}

fn is_the_slice((understood, instance): (Understood, Option<Instance>)) {
    assert_eq!(understood.problems, []);
    let meta = understood.meta;
    assert_eq!(meta.title, "CT: Chest, axial, image 12");
    assert_eq!(meta.media_type, "application/dicom");
    assert_eq!(meta.category, Category::Imaging);
    let date = meta.date.map(String::from);
    assert_eq!(date.as_deref(), Some("2024-03-02T10:15:30.5+01:00"));
    assert_eq!(meta.source_id.as_deref(), Some("1.2.3.4.12"));
    assert_eq!(meta.author.as_deref(), Some("North Clinic"));
    assert!(meta.labels.is_empty());
    let codes: Vec<_> = meta.codes.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes, ["dcm|CT", "loinc|24627-2", "snomed|51185008"]);
    assert_eq!(understood.about.len(), 1);
    assert_eq!(
        understood.about[0].shown(),
        "Mira Jane Lindström (1980-05-06)"
    );
    let instance = instance.unwrap();
    assert_eq!(instance.study_uid, "1.2.3");
    assert_eq!(instance.series_uid, "1.2.3.4");
    assert_eq!(instance.sop_class, CT);
    assert_eq!(
        (instance.series_number, instance.number),
        (Some(2), Some(12))
    );
    assert_eq!(instance.referrer.as_deref(), Some("Dr Ada Okafor"));
    assert_eq!(instance.accession.as_deref(), Some("A-77"));
    let started = instance.study_started.map(String::from);
    assert_eq!(started.as_deref(), Some("2024-03-01T10:15+01:00"));
    let started = instance.series_started.map(String::from);
    assert_eq!(started.as_deref(), Some("2024-03-01"));
}

#[test]
fn one_file_in_every_encoding() {
    let explicit = slice(Build::explicit()).bytes;
    let implicit = slice(Build::new(false, false)).bytes;
    let big_endian = slice(Build::new(true, true)).bytes;
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&explicit).unwrap();
    let deflated = encoder.finish().unwrap();
    let mut encapsulated = slice(Build::explicit());
    encapsulated.header(tags::PIXEL_DATA, VR::OB, u32::MAX);
    encapsulated.bytes.extend(b"whatever follows is not read");
    for (transfer, data_set) in [
        (EXPLICIT, &explicit),
        ("1.2.840.10008.1.2", &implicit),
        ("1.2.840.10008.1.2.2", &big_endian),
        ("1.2.840.10008.1.2.1.99", &deflated),
        ("1.2.840.10008.1.2.4.50", &encapsulated.bytes),
        // wrong about itself
        (EXPLICIT, &implicit),
        ("1.2.840.10008.1.2", &explicit),
    ] {
        is_the_slice(read_bytes(&part10(CT, transfer, data_set)));
    }
    for data_set in [&explicit, &implicit, &big_endian, &encapsulated.bytes] {
        assert!(looks_like(data_set, "a"));
        is_the_slice(read_bytes(data_set));
    }
}

#[test]
fn nothing_is_read_after_the_pixel_data_begins() {
    struct Image;
    impl Read for Image {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("the image is not wanted");
        }
    }
    let mut set = slice(Build::explicit());
    set.header(tags::PIXEL_DATA, VR::OW, 0x7fff_fff0);
    // the header of the last element is read in two steps
    let file = part10(CT, EXPLICIT, &set.bytes);
    is_the_slice(read(&mut Cursor::new(file).chain(Image), "IM000012"));
}

#[test]
fn a_file_cut_off_anywhere_gives_what_was_before() {
    let file = part10(CT, EXPLICIT, &slice(Build::explicit()).bytes);
    let mut titled = 0;
    for len in 0..file.len() {
        let (understood, _) = read_bytes(&file[..len]);
        assert!(understood.problems.len() <= 1, "{len}");
        titled += usize::from(understood.meta.title.starts_with("CT"));
    }
    assert!(titled > 200);
    // in the middle of the patient's name
    let at = file.windows(4).position(|w| w == b"Mira").unwrap();
    let (understood, instance) = read_bytes(&file[..at]);
    assert_eq!(instance, None);
    assert_eq!(understood.meta.title, "CT: Chest, axial");
    assert_eq!(understood.problems.len(), 1);
    assert_eq!(
        understood.problems[0].to_string(),
        "element (0010,0010): cut off here"
    );
    assert_eq!(understood.about, []);
}

#[test]
fn lengths_that_lie_cost_nothing() {
    for vr in [VR::UN, VR::OB, VR::UT] {
        let mut set = slice(Build::explicit());
        set.header(Tag(0x0021, 0x1001), vr, 0xffff_fff0);
        set.bytes.extend([0; 100]);
        let (understood, instance) = read_bytes(&set.bytes);
        assert!(instance.is_some());
        assert_eq!(understood.problems.len(), 1);
        assert_eq!(understood.problems[0].at, "element (0021,1001)");
    }
    // an item longer than its sequence, an element longer than its item
    let mut set = slice(Build::explicit());
    set.header(Tag(0x0040, 0xa043), VR::SQ, 16)
        .header(Tag(0xfffe, 0xe000), VR::UN, 100);
    set.bytes.extend([0; 200]);
    let (understood, instance) = read_bytes(&set.bytes);
    assert!(instance.is_some());
    assert_eq!(
        understood.problems[0].to_string(),
        "element (0040,A043): malformed; the rest was not read"
    );
}

#[test]
fn nesting_and_size_have_an_end() {
    for deep in [30, 1000] {
        let mut set = slice(Build::explicit());
        for _ in 0..deep {
            set.header(Tag(0x0040, 0xa730), VR::SQ, u32::MAX).header(
                Tag(0xfffe, 0xe000),
                VR::UN,
                u32::MAX,
            );
        }
        for _ in 0..deep {
            set.header(Tag(0xfffe, 0xe00d), VR::UN, 0)
                .header(Tag(0xfffe, 0xe0dd), VR::UN, 0);
        }
        let (understood, instance) = read_bytes(&set.bytes);
        assert!(instance.is_some());
        assert_eq!(understood.problems.len(), usize::from(deep == 1000));
    }
    // endless private data after what is wanted is no fault, before it is one
    let endless = |tag| {
        let mut set = slice(Build::explicit());
        set.header(tag, VR::OB, 0x7fff_ff00);
        let mut file = Cursor::new(set.bytes).chain(std::io::repeat(0));
        read(&mut file, "a").0.problems.len()
    };
    assert_eq!(endless(Tag(0x0051, 0x1001)), 0);
    assert_eq!(endless(Tag(0x0021, 0x1001)), 1);
    // a deflated bomb stops at the limit
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let mut set = slice(Build::explicit());
    set.header(Tag(0x0021, 0x1001), VR::OB, 0x7fff_ff00);
    encoder.write_all(&set.bytes).unwrap();
    for _ in 0..64 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    let file = part10(CT, "1.2.840.10008.1.2.1.99", &encoder.finish().unwrap());
    let (understood, instance) = read_bytes(&file);
    assert!(instance.is_some());
    assert!(understood.problems[0].what.starts_with("too much"));
}

#[test]
fn reports_documents_and_confidentiality() {
    let mut set = Build::explicit();
    let title = set.item(|item| {
        item.text(tags::CODE_VALUE, VR::SH, "18748-4")
            .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "LN")
            .text(tags::CODE_MEANING, VR::LO, "Diagnostic Imaging Report");
    });
    set.text(tags::MODALITY, VR::CS, "SR")
        .text(tags::STUDY_DESCRIPTION, VR::LO, "Chest")
        .text(tags::INSTANCE_NUMBER, VR::IS, "1")
        .text(tags::CONFIDENTIALITY_CODE, VR::LO, "VIP")
        .sequence(tags::CONCEPT_NAME_CODE_SEQUENCE, &[title], true);
    let (understood, instance) = read_bytes(&part10(
        "1.2.840.10008.5.1.4.1.1.88.11",
        EXPLICIT,
        &set.bytes,
    ));
    assert_eq!(
        understood.meta.title,
        "SR: Diagnostic Imaging Report, Chest"
    );
    assert_eq!(understood.meta.category, Category::Note);
    let codes: Vec<_> = understood
        .meta
        .codes
        .iter()
        .map(|code| code.as_str())
        .collect();
    assert_eq!(codes, ["dcm|SR", "loinc|18748-4"]);
    let labels: Vec<_> = understood
        .meta
        .labels
        .iter()
        .map(|label| label.as_str())
        .collect();
    assert_eq!(labels, ["UNCLEAR"]);
    // no study: a file of its own
    assert_eq!(instance, None);
    let (understood, instance) = read_bytes(b"%PDF-1.7");
    assert!(instance.is_none() && understood.problems.len() == 1);
    assert_eq!(understood.meta.media_type, "application/octet-stream");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn changed_bytes_never_panic(
        explicit in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = part10(CT, EXPLICIT, &slice(Build::new(explicit, false)).bytes);
        for (at, byte) in changes {
            let at = 128 + at.index(file.len() - 128);
            file[at] = byte;
        }
        let (_, instance) = read_bytes(&file);
        let mut studies = Studies::new();
        if let Some(instance) = &instance {
            studies.add(instance, &Digest::of(&file));
        }
        studies.finish(Moment(0));
        let _ = directory_files(&mut Cursor::new(&file));
    }
}
