//! Archives, good and hostile.

use std::io::{self, Cursor, Read, Seek, Write};

use proptest::prelude::*;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::*;

pub(super) fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
}

pub(super) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let deflated = options(CompressionMethod::Deflated);
        writer.start_file(*name, deflated).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// One member as it is written by hand.
#[derive(Clone)]
pub(super) struct Raw<'a> {
    pub name: &'a [u8],
    pub method: u16,
    pub flags: u16,
    pub attributes: u32,
    pub crc: u32,
    pub packed: &'a [u8],
    pub size: u32,
    /// Where its local header is said to be; its own place if not given.
    pub offset: Option<u32>,
    /// Extra fields in the list.
    pub extra: &'a [u8],
}

pub(super) fn raw<'a>(name: &'a [u8], content: &'a [u8]) -> Raw<'a> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    Raw {
        name,
        method: 0,
        flags: 0,
        attributes: 0,
        crc: crc.sum(),
        packed: content,
        size: content.len() as u32,
        offset: None,
        extra: b"",
    }
}

/// Writes an archive after APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
pub(super) fn by_hand(members: &[Raw<'_>]) -> Vec<u8> {
    let (mut file, mut list) = (Vec::new(), Vec::new());
    for member in members {
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend(member.flags.to_le_bytes());
        common.extend(member.method.to_le_bytes());
        common.extend([0, 0, 0x21, 0]);
        common.extend(member.crc.to_le_bytes());
        common.extend((member.packed.len() as u32).to_le_bytes());
        common.extend(member.size.to_le_bytes());
        common.extend((member.name.len() as u16).to_le_bytes());
        let offset = member.offset.unwrap_or(file.len() as u32);
        list.extend(b"PK\x01\x02");
        list.extend([20, 3]);
        list.extend(&common);
        list.extend((member.extra.len() as u16).to_le_bytes());
        list.extend([0; 6]);
        list.extend(member.attributes.to_le_bytes());
        list.extend(offset.to_le_bytes());
        list.extend(member.name);
        list.extend(member.extra);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend([0, 0]);
        file.extend(member.name);
        file.extend(member.packed);
    }
    let (start, len) = (file.len() as u32, list.len() as u32);
    file.extend(list);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((members.len() as u16).to_le_bytes());
    file.extend((members.len() as u16).to_le_bytes());
    file.extend(len.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

pub(super) fn open(bytes: &[u8]) -> Archive<Cursor<&[u8]>> {
    Archive::open(Cursor::new(bytes)).unwrap()
}

pub(super) fn names<R: Read + Seek>(archive: &Archive<R>) -> Vec<&str> {
    archive.entries().iter().map(|e| e.name.as_str()).collect()
}

pub(super) fn problems<R: Read + Seek>(archive: &Archive<R>) -> Vec<String> {
    archive.problems().iter().map(ToString::to_string).collect()
}

pub(super) fn content<R: Read + Seek>(archive: &mut Archive<R>, at: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut member = archive.read(at).map_err(io::Error::other)?;
    member.read_to_end(&mut out)?;
    Ok(out)
}

/// Reads to the end or the first error in pieces, as an importer does; how much came.
pub(super) fn drain(member: &mut impl Read) -> (u64, Option<io::Error>) {
    let mut piece = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        match member.read(&mut piece) {
            Ok(0) => return (total, None),
            Ok(got) => total += got as u64,
            Err(error) => return (total, Some(error)),
        }
    }
}

#[test]
fn signatures() {
    assert!(looks_like_zip(b"PK\x03\x04\x14\0"));
    assert!(looks_like_zip(b"PK\x05\x06\0\0"));
    assert!(!looks_like_zip(b"PK\x01\x02"));
    assert!(!looks_like_zip(b"PK"));
}

#[test]
fn members_come_out_as_they_went_in() {
    let long = b"a line of text\n".repeat(10_000);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_directory("folder", options(CompressionMethod::Stored))
        .unwrap();
    for (name, method, bytes) in [
        ("folder/long.txt", CompressionMethod::Deflated, &long[..]),
        ("stored.bin", CompressionMethod::Stored, b"\0\x01\x02"),
        ("empty", CompressionMethod::Deflated, b""),
        ("žluť/日本.txt", CompressionMethod::Stored, b"x"),
    ] {
        writer.start_file(name, options(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert!(looks_like_zip(&bytes));
    let mut archive = open(&bytes);
    assert_eq!(problems(&archive), Vec::<String>::new());
    assert_eq!(
        names(&archive),
        ["folder/long.txt", "stored.bin", "empty", "žluť/日本.txt"]
    );
    assert_eq!(archive.entries()[0].size, 150_000);
    assert!(archive.entries()[0].compressed_size < 2_000);
    // in any order, and twice
    for (at, expected) in [
        (3, &b"x"[..]),
        (1, b"\0\x01\x02"),
        (0, &long),
        (2, b""),
        (0, &long),
    ] {
        assert_eq!(content(&mut archive, at).unwrap(), expected);
    }
    assert!(matches!(archive.read(4), Err(ContainerError::NoSuchMember)));
    // an archive behind a program that unpacks it
    let mut behind = b"#!/bin/sh\nexit\n".to_vec();
    behind.extend(&bytes);
    assert_eq!(content(&mut open(&behind), 1).unwrap(), b"\0\x01\x02");
    // more members than 16 bits count: the list in its 64-bit form
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..65_600 {
        let stored = options(CompressionMethod::Stored);
        writer.start_file(number.to_string(), stored).unwrap();
    }
    let many = writer.finish().unwrap().into_inner();
    for before in [&b""[..], b"something before"] {
        let bytes = [before, &many].concat();
        let mut archive = open(&bytes);
        assert_eq!(archive.entries().len(), 65_600);
        assert_eq!(archive.entries()[65_599].name, "65599");
        assert_eq!(content(&mut archive, 65_599).unwrap(), b"");
    }
    let empty = ZipWriter::new(Cursor::new(Vec::new())).finish().unwrap();
    assert_eq!(open(&empty.into_inner()).entries(), []);
}

fn read_everything(bytes: &[u8]) {
    let Ok(mut archive) = Archive::open(Cursor::new(bytes)) else {
        return;
    };
    for at in 0..archive.entries().len() {
        if let Ok(mut member) = archive.read(at) {
            drain(&mut member);
        }
    }
    kind_of(archive.entries());
}

/// Sizes in 64 bits, a name in UTF-8 and times.
fn with_extra_fields() -> Vec<u8> {
    let mut wide = b"\x01\0\x10\0".to_vec();
    wide.extend(7_u64.to_le_bytes());
    wide.extend(0_u64.to_le_bytes());
    wide.extend(b"\x0a\0\x20\0\0\0\0\0\x01\0\x18\0");
    wide.extend([1; 24]);
    wide.extend(b"\x55\x54\x05\0\x03\x01\x02\x03\x04");
    let mut crc = flate2::Crc::new();
    crc.update(b"b.txt");
    let mut unicode = b"\x75\x70\x0b\0\x01".to_vec();
    unicode.extend(crc.sum().to_le_bytes());
    unicode.extend("ö.txt".as_bytes());
    by_hand(&[
        Raw {
            extra: &wide,
            size: u32::MAX,
            offset: Some(u32::MAX),
            ..raw(b"a.txt", b"content")
        },
        Raw {
            extra: &unicode,
            ..raw(b"b.txt", b"b")
        },
    ])
}

#[test]
fn extra_fields_are_understood() {
    let bytes = with_extra_fields();
    let mut archive = open(&bytes);
    assert_eq!(names(&archive), ["a.txt", "ö.txt"]);
    assert_eq!(content(&mut archive, 0).unwrap(), b"content");
}

#[test]
fn the_library_alone_sees_the_same() {
    let bytes = archive(&[("a/b.txt", b"hello, hello, hello"), ("c", b"x"), ("d", b"")]);
    let mut theirs = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut ours = open(&bytes);
    assert_eq!(ours.entries().len(), theirs.len());
    for at in 0..theirs.len() {
        let mut member = theirs.by_index(at).unwrap();
        assert_eq!(ours.entries()[at].name, member.name().unwrap());
        assert_eq!(ours.entries()[at].size, member.size());
        assert_eq!(ours.entries()[at].compressed_size, member.compressed_size());
        let mut expected = Vec::new();
        member.read_to_end(&mut expected).unwrap();
        assert_eq!(content(&mut ours, at).unwrap(), expected);
    }
}

#[test]
fn cut_off_anywhere() {
    let bytes = archive(&[("a/b.txt", b"hello, hello, hello"), ("c", b"x"), ("d", b"")]);
    for len in 0..bytes.len() {
        read_everything(&bytes[..len]);
    }
    assert!(Archive::open(Cursor::new(&bytes[..bytes.len() - 1])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let plain = archive(&[("a/b.txt", b"hello, hello, hello"), ("c", b"x")]);
        for mut bytes in [plain, with_extra_fields()] {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            read_everything(&bytes);
        }
    }
}
