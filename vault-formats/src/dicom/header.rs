//! How one element begins: tag, value representation, length.

use std::io::{self, Read};

use dicom_core::{Tag, VR};

/// A length that is not given; a delimiter ends the value.
pub(super) const UNDEFINED: u32 = u32::MAX;
/// The group of item tags and delimiters.
pub(super) const ITEMS: u16 = 0xfffe;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Each element names its value representation.
    pub explicit: bool,
    /// Most significant byte first.
    pub big_endian: bool,
}

impl Syntax {
    pub(super) const IMPLICIT: Self = Self {
        explicit: false,
        big_endian: false,
    };

    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    /// The tag at the start of an element.
    pub(super) fn tag(self, [a, b, c, d, ..]: [u8; 8]) -> Tag {
        Tag(self.u16([a, b]), self.u16([c, d]))
    }
}

/// Why a walk ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("cut off here")]
    CutOff,
    #[error("too much before the image; the rest was not read")]
    TooMuch,
    #[error("nested too deep; the rest was not read")]
    TooDeep,
    #[error("malformed; the rest was not read")]
    Malformed,
    #[error("cannot be read further ({0})")]
    Unreadable(io::ErrorKind),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutOff,
            kind => Self::Unreadable(kind),
        }
    }
}

/// The beginning of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub tag: Tag,
    /// `None` in implicit encoding; UN for a representation that is not known.
    pub vr: Option<VR>,
    /// Of the value, in bytes; may be [`UNDEFINED`], and may lie.
    pub len: u32,
    /// Bytes of the header itself.
    pub own_len: u64,
}

impl Header {
    /// Reads a header; `None` at the end of the source. Source: DICOM PS3.5, section 7.1.
    pub(super) fn read(source: &mut dyn Read, syntax: Syntax) -> Result<Option<Self>, Broken> {
        let mut start = [0; 8];
        let got = fill(source, &mut start)?;
        if got == 0 {
            return Ok(None);
        }
        if got < start.len() {
            return Err(Broken::CutOff);
        }
        let tag = syntax.tag(start);
        let [.., a, b, c, d] = start;
        let implicit = Self {
            tag,
            vr: None,
            len: syntax.u32([a, b, c, d]),
            own_len: 8,
        };
        let vr = VR::from_binary([a, b]);
        // some write single elements in the implicit way
        let is_name = [a, b].iter().all(u8::is_ascii_uppercase);
        if tag.0 == ITEMS || !syntax.explicit || (vr.is_none() && !is_name) {
            return Ok(Some(implicit));
        }
        let short = match vr {
            Some(vr) => !is_long(vr),
            // one of a later edition: these have the long form
            None => [c, d] != [0, 0],
        };
        let (len, own_len) = if short {
            (u32::from(syntax.u16([c, d])), 8)
        } else {
            let mut long = [0; 4];
            source.read_exact(&mut long)?;
            (syntax.u32(long), 12)
        };
        Ok(Some(Self {
            tag,
            vr: vr.or(Some(VR::UN)),
            len,
            own_len,
        }))
    }
}

/// Representations with a length of four bytes. Source: DICOM PS3.5, table 7.1-1.
pub(super) fn is_long(vr: VR) -> bool {
    matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}

/// Reads until the buffer is full or the source ends; how much it was.
pub(super) fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: Syntax = Syntax {
        explicit: true,
        big_endian: false,
    };
    const BIG_ENDIAN: Syntax = Syntax {
        explicit: true,
        big_endian: true,
    };

    #[test]
    fn headers_of_every_form() {
        for (bytes, syntax, vr, len, own_len) in [
            (
                &b"\x10\0\x20\0LO\x04\x01"[..],
                EXPLICIT,
                Some(VR::LO),
                0x104,
                8,
            ),
            (
                b"\x10\0\x20\0OB\0\0\x04\x01\0\0",
                EXPLICIT,
                Some(VR::OB),
                0x104,
                12,
            ),
            (
                b"\0\x10\0\x20LO\x01\x04",
                BIG_ENDIAN,
                Some(VR::LO),
                0x104,
                8,
            ),
            (
                b"\x10\0\x20\0\x04\x01\0\0",
                Syntax::IMPLICIT,
                None,
                0x104,
                8,
            ),
            // an implicit element among explicit ones
            (b"\x10\0\x20\0\x04\x01\0\0", EXPLICIT, None, 0x104, 8),
            // representations of the future, long and short
            (
                b"\x10\0\x20\0ZZ\0\0\x04\x01\0\0",
                EXPLICIT,
                Some(VR::UN),
                0x104,
                12,
            ),
            (b"\x10\0\x20\0ZZ\x04\x01", EXPLICIT, Some(VR::UN), 0x104, 8),
        ] {
            let header = Header::read(&mut &bytes[..], syntax).unwrap().unwrap();
            let expected = Header {
                tag: Tag(0x10, 0x20),
                vr,
                len,
                own_len,
            };
            assert_eq!(header, expected, "{bytes:?}");
            assert_eq!(
                Header::read(&mut &bytes[..bytes.len() - 1], syntax),
                Err(Broken::CutOff)
            );
        }
        assert_eq!(Header::read(&mut &b""[..], EXPLICIT), Ok(None));
        // an item has no representation, whatever its length looks like
        let item = Header::read(&mut &b"\xfe\xff\0\xe0OB\0\0"[..], EXPLICIT).unwrap();
        assert_eq!(item.map(|item| (item.vr, item.len)), Some((None, 0x424f)));
    }
}
