//! Archives that lie, written by hand.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use super::tests::{Raw, archive, by_hand, content, drain, names, open, problems, raw};
use super::*;

/// What an error while reading holds.
fn cause(error: &io::Error) -> String {
    error.get_ref().unwrap().to_string()
}

#[test]
pub(super) fn names_that_lead_out_and_what_cannot_be_read() {
    let link = Raw {
        attributes: 0o120_777 << 16,
        ..raw(b"link", b"/etc/passwd")
    };
    let encrypted = Raw {
        flags: 1,
        ..raw(b"secret.txt", b"xxxx")
    };
    let unknown = Raw {
        method: 97,
        ..raw(b"wavpack.bin", b"xxxx")
    };
    let bytes = by_hand(&[
        raw(b"../evil", b"a"),
        raw(b"/etc/passwd", b"a"),
        raw(b"C:/x", b"a"),
        raw(b"a\\b", b"a"),
        raw(b"a\0b", b"a"),
        raw(&[b'a'; 1025], b"a"),
        link,
        encrypted,
        unknown,
        raw(b"good.txt", b"good"),
        raw(b"./good.txt", b"other"),
        // the code page of DOS
        raw(b"M\x81ller.txt", b"b"),
        raw(b"folder/", b""),
    ]);
    let mut archive = open(&bytes);
    assert_eq!(names(&archive), ["good.txt", "Müller.txt"]);
    assert_eq!(
        problems(&archive),
        [
            "member 1: unsafe name",
            "member 2: unsafe name",
            "member 3: unsafe name",
            "member 4: unsafe name",
            "member 5: unsafe name",
            "member 6: unsafe name",
            "member 7 (link): a symbolic link",
            "member 8 (secret.txt): encrypted",
            "member 9 (wavpack.bin): packed in a way that is not known",
            "member 11 (good.txt): a name that was there before",
        ]
    );
    assert_eq!(content(&mut archive, 0).unwrap(), b"good");
}

#[test]
fn members_that_share_their_bytes() {
    // the same kernel three times, and one that begins inside another
    let bytes = by_hand(&[
        raw(b"a", b"kernel"),
        Raw {
            offset: Some(0),
            ..raw(b"b", b"kernel")
        },
        Raw {
            offset: Some(0),
            ..raw(b"c", b"kernel")
        },
        Raw {
            offset: Some(33),
            ..raw(b"d", b"nel")
        },
        raw(b"e", b"apart"),
    ]);
    let mut archive = open(&bytes);
    assert_eq!(names(&archive), ["a", "e"]);
    assert_eq!(
        problems(&archive),
        [
            "member 2 (b): shares its bytes with another member",
            "member 3 (c): shares its bytes with another member",
            "member 4 (d): shares its bytes with another member",
        ]
    );
    assert_eq!(content(&mut archive, 1).unwrap(), b"apart");
    let beyond = by_hand(&[Raw {
        offset: Some(1 << 30),
        ..raw(b"a", b"x")
    }]);
    assert_eq!(
        problems(&open(&beyond)),
        ["member 1 (a): lies beyond the end of the archive"]
    );
}

#[test]
fn bombs_stop_at_the_limit() {
    // 100 MiB of zeros: about 1:1000
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let mut crc = flate2::Crc::new();
    for _ in 0..100 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
        crc.update(&[0; 1 << 20]);
    }
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 110_000);
    // a size that is too small for it ends it even before
    for (size, most, why) in [
        (
            100 << 20,
            64 << 20,
            "the member unpacks to more than is accepted",
        ),
        (10, 10, "the member is damaged"),
    ] {
        let bytes = by_hand(&[Raw {
            method: 8,
            crc: crc.sum(),
            packed: &packed,
            size,
            ..raw(b"bomb", b"")
        }]);
        let mut archive = open(&bytes);
        let (came, error) = drain(&mut archive.read(0).unwrap());
        assert!(came <= most, "{came}");
        assert_eq!(cause(&error.unwrap()), why);
    }
}

#[test]
fn sizes_and_checksums_that_lie() {
    let good = archive(&[("a.txt", b"some text, some text, some text")]);
    let list = good.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    // a size after unpacking is a limit, and no more
    let mut larger = good.clone();
    larger[list + 24..list + 28].copy_from_slice(&(1_u32 << 31).to_le_bytes());
    assert_eq!(
        content(&mut open(&larger), 0).unwrap(),
        b"some text, some text, some text"
    );
    // one that is too small, a checksum, a packed size, a local header
    for (at, value) in [
        (list + 24, 30),
        (list + 16, 0xff),
        (list + 20, 3),
        (0, b'X'),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        let error = content(&mut open(&bytes), 0).unwrap_err();
        assert_eq!(cause(&error), "the member is damaged");
    }
}

#[test]
fn many_members_and_many_problems() {
    let names: Vec<String> = (0..3000).map(|n| format!("../{n}")).collect();
    let members: Vec<Raw<'_>> = names.iter().map(|n| raw(n.as_bytes(), b"")).collect();
    let archive = Archive::open(Cursor::new(by_hand(&members))).unwrap();
    assert_eq!(archive.problems().len(), 1001);
    assert_eq!(
        archive.problems()[1000].to_string(),
        "archive: 2000 more members were left out"
    );
}

#[test]
fn more_members_than_are_accepted() {
    // by hand, as the list counts them in 16 bits only
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        let members: Vec<Raw<'_>> = names.iter().map(|n| raw(n.as_bytes(), b"")).collect();
        Archive::open(Cursor::new(by_hand(&members)))
    };
    assert_eq!(with(MAX_ENTRIES).unwrap().entries().len(), MAX_ENTRIES);
    assert!(matches!(
        with(MAX_ENTRIES + 1),
        Err(ContainerError::TooMany)
    ));
    // long comments and extra fields fill the list
    let extra = [b"\xff\xff\xfb\xff", &vec![0; 65_531][..]].concat();
    let wide = Raw {
        extra: &extra,
        ..raw(b"../x", b"")
    };
    let members = vec![wide; 1025];
    assert!(matches!(
        Archive::open(Cursor::new(by_hand(&members))),
        Err(ContainerError::TooMany)
    ));
}

#[test]
fn what_the_source_says_is_not_hidden() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::PermissionDenied))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(1000)
        }
    }
    assert!(matches!(
        Archive::open(Broken),
        Err(ContainerError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied
    ));
    assert!(matches!(
        Archive::open(Cursor::new(b"PK\x03\x04 and nothing")),
        Err(ContainerError::NotAnArchive)
    ));
}

#[test]
fn a_search_for_the_list_has_an_end() {
    // every place where the end of the list may be looks like it
    let mut bytes = b"PK\x01\x02".repeat(1 << 18);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0".repeat(3300));
    let before = std::time::Instant::now();
    let _ = Archive::open(Cursor::new(bytes));
    assert!(before.elapsed().as_secs() < 5);
}

#[test]
fn names_and_numbers_in_extra_fields() {
    let mut crc = flate2::Crc::new();
    crc.update(b"M?ller.txt");
    let unicode = |sum: u32| {
        let name = "Müller.txt".as_bytes();
        let mut extra = b"\x75\x70".to_vec();
        extra.extend((5 + name.len() as u16).to_le_bytes());
        extra.push(1);
        extra.extend(sum.to_le_bytes());
        extra.extend(name);
        extra
    };
    let (right, wrong) = (unicode(crc.sum()), unicode(1));
    // size and offset in 64 bits
    let mut wide = b"\x01\0\x10\0".to_vec();
    wide.extend(7_u64.to_le_bytes());
    wide.extend(0_u64.to_le_bytes());
    let members = [
        Raw {
            extra: &wide,
            size: u32::MAX,
            offset: Some(u32::MAX),
            ..raw(b"a.txt", b"content")
        },
        Raw {
            extra: &right,
            ..raw(b"M?ller.txt", b"b")
        },
        Raw {
            extra: &wrong,
            ..raw(b"M?ller.txt", b"c")
        },
    ];
    let bytes = by_hand(&members);
    let mut archive = open(&bytes);
    assert_eq!(names(&archive), ["a.txt", "Müller.txt", "M?ller.txt"]);
    assert_eq!(archive.entries()[0].size, 7);
    assert_eq!(content(&mut archive, 0).unwrap(), b"content");
    // numbers that are promised and missing
    let short = [b"\x01\0\x08\0", &wide[4..12]].concat();
    let bytes = by_hand(&[Raw {
        extra: &short,
        ..members[0].clone()
    }]);
    assert!(matches!(
        Archive::open(Cursor::new(bytes)),
        Err(ContainerError::NotAnArchive)
    ));
}

#[test]
fn a_list_that_ends_in_the_middle() {
    let mut bytes = by_hand(&[raw(b"a.txt", b"a"), raw(b"b.txt", b"b")]);
    let list = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bytes[list] = b'X';
    let archive = open(&bytes);
    assert_eq!(names(&archive), ["a.txt"]);
    assert_eq!(
        problems(&archive),
        ["archive: the list of members is damaged"]
    );
}

#[test]
fn the_same_name_again_and_again() {
    let bytes = by_hand(&[
        raw(b"a.txt", b"first"),
        raw(b"b.txt", b"b"),
        raw(b"a.txt", b"second"),
        raw(b"a.txt", b"third"),
    ]);
    let mut archive = open(&bytes);
    assert_eq!(names(&archive), ["a.txt", "b.txt"]);
    assert_eq!(
        problems(&archive),
        ["archive: 2 members share a name with another and were passed over"]
    );
    assert_eq!(content(&mut archive, 0).unwrap(), b"third");
}

#[test]
fn records_that_claim_to_end_the_archive() {
    let inner = by_hand(&[raw(b"inner.txt", b"inner")]);
    // an archive in the comment of another: the last record counts, as for other programs
    let mut bytes = by_hand(&[raw(b"outer.txt", b"outer")]);
    let at = bytes.len() - 2;
    bytes[at..].copy_from_slice(&(inner.len() as u16).to_le_bytes());
    bytes.extend(&inner);
    assert_eq!(names(&open(&bytes)), ["inner.txt"]);
    // a record that leads nowhere in a comment
    let mut bytes = by_hand(&[raw(b"outer.txt", b"outer")]);
    bytes[at..].copy_from_slice(&22_u16.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\xff\xff\0\0\xff\0\0\0\0\0");
    assert_eq!(names(&open(&bytes)), ["outer.txt"]);
    // as many members as there are, whatever the count says
    for count in [0_u16, 1, 3, u16::MAX] {
        let mut bytes = by_hand(&[raw(b"a.txt", b"a"), raw(b"b.txt", b"b")]);
        let end = bytes.len() - 22;
        for at in [end + 8, end + 10] {
            bytes[at..at + 2].copy_from_slice(&count.to_le_bytes());
        }
        assert_eq!(names(&open(&bytes)), ["a.txt", "b.txt"], "{count}");
    }
}

#[test]
fn fields_that_grow_in_memory() {
    // 16,000 empty extra fields in each of 400 members: 25 MiB that would become 500 MiB
    let extra = b"\xff\xff\0\0".repeat(16_000);
    let names: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let with = |count: usize| {
        let members: Vec<Raw<'_>> = names
            .iter()
            .take(count)
            .map(|name| Raw {
                extra: &extra,
                ..raw(name.as_bytes(), b"")
            })
            .collect();
        Archive::open(Cursor::new(by_hand(&members)))
    };
    assert!(matches!(with(400), Err(ContainerError::TooMany)));
    assert_eq!(with(100).unwrap().entries().len(), 100);
}

#[test]
fn members_can_be_read_in_another_thread() {
    fn check(_: &mut (impl Read + Send)) {}
    let bytes = archive(&[("a.txt", b"a")]);
    let mut archive = open(&bytes);
    check(&mut archive.read(0).unwrap());
    let boxed: Box<dyn Read + Send + '_> = Box::new(archive.read(0).unwrap());
    std::thread::scope(|scope| {
        let read = scope.spawn(move || {
            let mut boxed = boxed;
            drain(&mut boxed).0
        });
        assert_eq!(read.join().unwrap(), 1);
    });
}
