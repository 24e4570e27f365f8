//! DICOM files made byte by byte, for tests.

use dicom_core::{Tag, VR};

use super::header::{Syntax, is_long};

/// A data set in the making.
#[derive(Clone)]
pub(super) struct Build {
    pub syntax: Syntax,
    pub bytes: Vec<u8>,
}

impl Build {
    pub(super) fn new(explicit: bool, big_endian: bool) -> Self {
        let syntax = Syntax {
            explicit,
            big_endian,
        };
        Self {
            syntax,
            bytes: Vec::new(),
        }
    }

    /// Explicit, little endian.
    pub(super) fn explicit() -> Self {
        Self::new(true, false)
    }

    fn u16(&mut self, number: u16) {
        let bytes = match self.syntax.big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        };
        self.bytes.extend(bytes);
    }

    fn u32(&mut self, number: u32) {
        let bytes = match self.syntax.big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        };
        self.bytes.extend(bytes);
    }

    pub(super) fn header(&mut self, tag: Tag, vr: VR, len: u32) -> &mut Self {
        self.u16(tag.0);
        self.u16(tag.1);
        if !self.syntax.explicit || tag.0 == 0xfffe {
            self.u32(len);
        } else {
            self.bytes.extend(vr.to_bytes());
            if is_long(vr) {
                self.bytes.extend([0, 0]);
                self.u32(len);
            } else {
                self.u16(len.try_into().unwrap());
            }
        }
        self
    }

    pub(super) fn raw(&mut self, tag: Tag, vr: VR, value: &[u8]) -> &mut Self {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == VR::UI { 0 } else { b' ' });
        }
        self.header(tag, vr, value.len().try_into().unwrap());
        self.bytes.extend(value);
        self
    }

    pub(super) fn text(&mut self, tag: Tag, vr: VR, value: &str) -> &mut Self {
        self.raw(tag, vr, value.as_bytes())
    }

    /// A sequence; `defined` says whether it and its items have lengths.
    pub(super) fn sequence(&mut self, tag: Tag, items: &[Build], defined: bool) -> &mut Self {
        let mut inside = Self {
            bytes: Vec::new(),
            ..*self
        };
        for item in items {
            let len = item.bytes.len().try_into().unwrap();
            let item_tag = Tag(0xfffe, 0xe000);
            inside.header(item_tag, VR::UN, if defined { len } else { u32::MAX });
            inside.bytes.extend(&item.bytes);
            if !defined {
                inside.header(Tag(0xfffe, 0xe00d), VR::UN, 0);
            }
        }
        let len = inside.bytes.len().try_into().unwrap();
        self.header(tag, VR::SQ, if defined { len } else { u32::MAX });
        self.bytes.extend(inside.bytes);
        if !defined {
            self.header(Tag(0xfffe, 0xe0dd), VR::UN, 0);
        }
        self
    }

    /// Another data set of the same kind, for an item.
    pub(super) fn item(&self, fill: impl FnOnce(&mut Self)) -> Self {
        let mut item = Self {
            bytes: Vec::new(),
            ..*self
        };
        fill(&mut item);
        item
    }
}

/// The preamble and meta information for a data set in a transfer syntax.
pub(super) fn part10(class: &str, transfer: &str, data_set: &[u8]) -> Vec<u8> {
    let mut meta = Build::explicit();
    meta.raw(Tag(2, 1), VR::OB, &[0, 1])
        .text(Tag(2, 2), VR::UI, class)
        .text(Tag(2, 3), VR::UI, "1.2.3.4.5")
        .text(Tag(2, 0x10), VR::UI, transfer);
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let mut length = Build::explicit();
    let len = u32::try_from(meta.bytes.len()).unwrap();
    length.raw(Tag(2, 0), VR::UL, &len.to_le_bytes());
    file.extend(length.bytes);
    file.extend(meta.bytes);
    file.extend(data_set);
    file
}
