//! Where the data set of a file begins, and how it is written.

use std::io::{Cursor, Read};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use flate2::read::DeflateDecoder;

use super::header::{Broken, Syntax, fill, is_long};

/// As many first bytes as decide: the preamble, its signature and a first element.
const PREFIX_LEN: usize = 160;
/// Where the signature stands.
const PREAMBLE_LEN: usize = 128;
/// Most bytes of the file meta information.
const MAX_META_LEN: u64 = 1 << 20;
/// How many bytes too late a data set may begin.
const MAX_LATE: usize = 16;
/// Storage class of a directory. Source: DICOM PS3.4, annex B.
const DIRECTORY_CLASS: &str = "1.2.840.10008.1.3.10";

/// A file up to its data set.
pub(super) struct Start<'a> {
    /// The data set.
    pub body: Box<dyn Read + 'a>,
    /// How it is written.
    pub syntax: Syntax,
    /// SOP class of the file meta information.
    pub class: Option<String>,
    /// SOP instance UID of the file meta information.
    pub instance: Option<String>,
    /// The first element.
    first: Tag,
}

impl Start<'_> {
    /// Whether this is a directory of files.
    pub(super) fn is_directory(&self) -> bool {
        self.class.as_deref() == Some(DIRECTORY_CLASS) || self.first.0 == 0x0004
    }
}

/// Whether a file that begins with these bytes is DICOM: the signature after 128 bytes, or a first
/// element of group 0002 or 0008. In implicit encoding that element says little, so its value or the
/// file's name must agree. Some bytes may stand before it.
///
/// Source: DICOM PS3.10, section 7.1, and PS3.5, section 7.1.
pub fn looks_like(prefix: &[u8], name: &str) -> bool {
    data_set_at(prefix, name).is_some()
}

/// Where the first element is.
fn data_set_at(prefix: &[u8], name: &str) -> Option<usize> {
    if prefix.get(PREAMBLE_LEN..PREAMBLE_LEN + 4) == Some(b"DICM") {
        return Some(PREAMBLE_LEN + 4);
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let named = extension.is_some_and(|extension| {
        ["dcm", "dicom", "ima"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    if begins_data_set(prefix, named) {
        return Some(0);
    }
    (1..=MAX_LATE).find(|&late| {
        prefix
            .get(late..)
            .is_some_and(|rest| rest.starts_with(b"\x08\0\x05\0CS"))
    })
}

/// Whether these bytes are a plausible first element.
fn begins_data_set(bytes: &[u8], named: bool) -> bool {
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.first_chunk::<8>() else {
        return false;
    };
    let explicit = VR::from_binary([e, f]).is_some();
    match [a, b, c, d] {
        [0x02 | 0x08, 0, element, 0] if element < 0x20 => {
            explicit || implicit_first(element, [e, f, g, h], bytes, named)
        }
        [0, 0x02 | 0x08, 0, element] if element < 0x20 => explicit,
        _ => false,
    }
}

/// Whether an element of group 0002 or 0008 in implicit encoding is one: a group length of four
/// bytes, a character set or a UID; under a name that says DICOM, any short one.
fn implicit_first(element: u8, len: [u8; 4], bytes: &[u8], named: bool) -> bool {
    let value = bytes.get(8..).unwrap_or_default();
    match (element, u32::from_le_bytes(len)) {
        (_, len) if len > 0xffff => false,
        _ if named => true,
        (0x00 | 0x01, 4) => bytes.len() >= 12,
        (0x05, 6..=128) => value.starts_with(b"ISO") || value.starts_with(b"GB"),
        (0x16 | 0x18, 8..=64) => value.starts_with(b"1.2.") || value.starts_with(b"1.3."),
        _ => false,
    }
}

/// Reads up to the first element of the data set; `None` when the file is no DICOM.
pub(super) fn open<'a>(source: &'a mut dyn Read, name: &str) -> Result<Option<Start<'a>>, Broken> {
    let mut prefix = vec![0; PREFIX_LEN];
    let got = fill(source, &mut prefix)?;
    prefix.truncate(got);
    let Some(at) = data_set_at(&prefix, name) else {
        return Ok(None);
    };
    let mut rest: Box<dyn Read + 'a> = Box::new(Cursor::new(prefix.split_off(at)).chain(source));
    let meta = Meta::read(&mut rest)?;
    let rest: Box<dyn Read + 'a> = Box::new(Cursor::new(meta.ahead.clone()).chain(rest));
    let mut body: Box<dyn Read + 'a> = if meta.is_deflated() {
        Box::new(DeflateDecoder::new(rest))
    } else {
        rest
    };
    let mut first = [0; 8];
    let got = fill(&mut body, &mut first)?;
    let syntax = meta.syntax(first);
    let ahead = first.get(..got).unwrap_or_default().to_vec();
    Ok(Some(Start {
        body: Box::new(Cursor::new(ahead).chain(body)),
        syntax,
        class: meta.class,
        instance: meta.instance,
        first: syntax.tag(first),
    }))
}

/// What the file meta information says.
#[derive(Default)]
struct Meta {
    transfer: Option<String>,
    class: Option<String>,
    instance: Option<String>,
    /// Bytes that were read and do not belong to it.
    ahead: Vec<u8>,
}

impl Meta {
    /// Reads the elements of group 0002, which are always explicit and little endian.
    fn read(source: &mut dyn Read) -> Result<Self, Broken> {
        let mut meta = Self::default();
        let mut left = MAX_META_LEN;
        loop {
            let mut header = [0; 8];
            let got = fill(source, &mut header)?;
            let [group @ .., e, f, g, h] = header;
            let tag = Tag(
                u16::from_le_bytes([group[0], group[1]]),
                u16::from_le_bytes([group[2], group[3]]),
            );
            if got < header.len() || tag.0 != 0x0002 {
                meta.ahead = header.get(..got).unwrap_or_default().to_vec();
                return Ok(meta);
            }
            let len = match VR::from_binary([e, f]) {
                Some(vr) if is_long(vr) => {
                    let mut long = [0; 4];
                    source.read_exact(&mut long)?;
                    u32::from_le_bytes(long)
                }
                Some(_) => u32::from(u16::from_le_bytes([g, h])),
                None => u32::from_le_bytes([e, f, g, h]),
            };
            left = left.checked_sub(u64::from(len)).ok_or(Broken::Malformed)?;
            let mut value = Vec::new();
            let got = source.take(u64::from(len)).read_to_end(&mut value)?;
            if got < usize::try_from(len).unwrap_or(usize::MAX) {
                return Err(Broken::CutOff);
            }
            let text = || {
                let text = String::from_utf8_lossy(&value);
                Some(text.trim_matches([' ', '\0']).to_owned())
            };
            match tag {
                tags::TRANSFER_SYNTAX_UID => meta.transfer = text(),
                tags::MEDIA_STORAGE_SOP_CLASS_UID => meta.class = text(),
                tags::MEDIA_STORAGE_SOP_INSTANCE_UID => meta.instance = text(),
                _ => {}
            }
        }
    }

    /// Deflated as a whole. Source: DICOM PS3.5, annex A.5, and PS3.6, annex A.
    fn is_deflated(&self) -> bool {
        let deflated = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"];
        self.transfer
            .as_deref()
            .is_some_and(|transfer| deflated.contains(&transfer))
    }

    /// How the data set is written, from its first bytes: the transfer syntax is missing in some
    /// files and wrong in others.
    fn syntax(&self, first: [u8; 8]) -> Syntax {
        let [a, b, c, d, e, f, ..] = first;
        let named = self.transfer.as_deref();
        let big_endian = match named {
            Some("1.2.840.10008.1.2.2") => true,
            Some(_) => false,
            None => [a, c] == [0, 0] && [b, d] != [0, 0],
        };
        let explicit = VR::from_binary([e, f]).is_some();
        Syntax {
            explicit,
            big_endian: big_endian && explicit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_begin() {
        let mut preamble = b"II*\0".to_vec();
        preamble.resize(128, 0);
        preamble.extend(b"DICM");
        for (prefix, name, expected) in [
            (&preamble[..], "a", true),
            (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "a", true),
            (b" \x08\0\x05\0CS\x0a\0ISO_IR 100", "a", true),
            (b"\x02\0\0\0UL\x04\0\0\0\0\0", "a", true),
            (b"\0\x08\0\x05CS\0\x0aISO_IR 100", "a", true),
            (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", "a", true),
            (b"\x08\0\0\0\x04\0\0\0\x10\0\0\0", "a", true),
            (b"\x08\0\x16\0\x1a\0\0\x001.2.840", "a", true),
            (b"\x08\0\x08\0\x0a\0\0\0ORIGINAL", "x.DCM", true),
            (b"\x08\0\x08\0\x0a\0\0\0ORIGINAL", "a", false),
            (b"\x08\0\x08\0\xff\xff\xff\xff", "x.dcm", false),
            (b"\x08\0\x05\0xx\x0a\0", "a", false),
            (b"\x08\0\x05\0C", "a", false),
            (&preamble[..131], "a.dcm", false),
            (b"%PDF-1.7 and more", "a.dcm", false),
            (b"", "a.dcm", false),
        ] {
            assert_eq!(looks_like(prefix, name), expected, "{prefix:?} {name}");
        }
    }
}
