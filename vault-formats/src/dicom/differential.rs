//! The walk over elements against `dicom-object`, which reads whole files that are sound.

use dicom_core::header::Header as _;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, OpenFileOptions};

use super::samples::sample;
use super::scan::{Event, Scanner, Want};
use super::testing::{Build, part10};
use super::{MAX_LEN, start};

/// What a reader saw: how many items are around an element, its tag, and its value where that is
/// text in ASCII. A sequence has a line for itself and one for each item.
type Seen = Vec<(usize, Tag, Option<String>)>;

fn text(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let is_text = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    is_text.then(|| text.trim_matches(' ').to_owned())
}

/// What the other reader sees, and the tags of its sequences.
fn theirs(object: &InMemDicomObject, depth: usize, seen: &mut Seen, sequences: &mut Vec<Tag>) {
    for element in object {
        if let Some(items) = element.items() {
            sequences.push(element.tag());
            seen.push((depth, element.tag(), None));
            for item in items {
                seen.push((depth + 1, Tag(0xfffe, 0xe000), None));
                theirs(item, depth + 1, seen, sequences);
            }
            continue;
        }
        let value = match element.vr() {
            VR::AE | VR::CS | VR::DA | VR::DS | VR::IS | VR::LO | VR::PN | VR::SH | VR::TM => {
                let value = element.to_str().unwrap();
                text(value.as_bytes())
            }
            VR::UI => text(element.to_str().unwrap().trim_matches('\0').as_bytes()),
            _ => None,
        };
        seen.push((depth, element.tag(), value));
    }
}

fn ours(file: &[u8], sequences: &[Tag]) -> Seen {
    let mut source = file;
    let start = start::open(&mut source, "x.dcm").unwrap().unwrap();
    let mut scanner = Scanner::new(start.body, start.syntax, MAX_LEN);
    let (mut seen, mut depth) = (Vec::new(), 0);
    let want = |_, tag| match sequences.contains(&tag) {
        true => Want::Items,
        false => Want::Value,
    };
    while let Some(event) = scanner.next(&want).unwrap() {
        match event {
            Event::Value(tag, value) => {
                let value = match value.as_slice() {
                    [rest @ .., 0] => text(rest),
                    value => text(value),
                };
                seen.push((depth, tag, value));
            }
            Event::TooLong(tag) => seen.push((depth, tag, None)),
            Event::Sequence(tag) => seen.push((depth, tag, None)),
            Event::Item => {
                depth += 1;
                seen.push((depth, Tag(0xfffe, 0xe000), None));
            }
            Event::ItemEnd => depth -= 1,
            Event::SequenceEnd => {}
        }
    }
    seen
}

/// Compares what both see in a file; how many lines it was.
fn compare(file: &[u8]) -> usize {
    let object = OpenFileOptions::new()
        .read_until(tags::PIXEL_DATA)
        .from_reader(file)
        .unwrap();
    let (mut expected, mut sequences) = (Vec::new(), Vec::new());
    theirs(&object, 0, &mut expected, &mut sequences);
    let seen = ours(file, &sequences);
    assert_eq!(seen.len(), expected.len());
    for (ours, theirs) in seen.iter().zip(&expected) {
        assert_eq!((ours.0, ours.1), (theirs.0, theirs.1));
        // only text is compared
        if theirs.2.is_some() {
            assert_eq!(ours.2, theirs.2, "{}", ours.1);
        }
    }
    let values = expected.iter().filter(|line| line.2.is_some());
    assert!(values.count() > 5);
    seen.len()
}

/// Sequences in sequences, with and without lengths, with and without items.
fn nested(mut set: Build, defined: bool) -> Build {
    let code = set.item(|item| {
        item.text(tags::CODE_VALUE, VR::SH, "T-D3000")
            .text(tags::CODE_MEANING, VR::LO, "Chest");
    });
    let outer = set.item(|item| {
        item.text(tags::CODE_VALUE, VR::SH, "1")
            .sequence(
                tags::CONCEPT_NAME_CODE_SEQUENCE,
                std::slice::from_ref(&code),
                !defined,
            )
            .text(tags::TEXT_VALUE, VR::UT, "some text");
    });
    set.text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .text(tags::STUDY_DATE, VR::DA, "20240301")
        .text(tags::MODALITY, VR::CS, "CT")
        .text(tags::PATIENT_ID, VR::LO, "")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .raw(tags::ROWS, VR::US, &[0, 2])
        .raw(Tag(0x0029, 0x1010), VR::UN, b"\x01\x02\x03\x04")
        .sequence(tags::CONCEPT_CODE_SEQUENCE, &[code, outer], defined)
        .sequence(tags::CONTENT_SEQUENCE, &[], defined);
    set
}

#[test]
fn made_up_files() {
    for (transfer, explicit, big_endian) in [
        ("1.2.840.10008.1.2.1", true, false),
        ("1.2.840.10008.1.2", false, false),
        ("1.2.840.10008.1.2.2", true, true),
    ] {
        for defined in [true, false] {
            let set = nested(Build::new(explicit, big_endian), defined);
            let file = part10("1.2.840.10008.5.1.4.1.1.2", transfer, &set.bytes);
            // nine elements, two items, and in them two and five with an item
            assert_eq!(compare(&file), 9 + 2 + 2 + 3 + 3, "{transfer} {defined}");
        }
    }
}

#[test]
fn sample_files() {
    for name in [
        "pydicom-CT_small.dcm",
        "pydicom-SC_rgb_jpeg_dcmtk.dcm",
        "pydicom-reportsi.dcm",
    ] {
        let Some(bytes) = sample(name) else { return };
        assert!(compare(&bytes) > 20, "{name}");
    }
}
