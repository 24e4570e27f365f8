//! The protobuf around a record, strict: known fields only, each at most once.

use super::record::IpnsError;

/// Fields of `IpnsEntry` by their numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) value: Option<&'a [u8]>,
    pub(super) signature_v1: Option<&'a [u8]>,
    pub(super) validity_type: Option<u64>,
    pub(super) validity: Option<&'a [u8]>,
    pub(super) sequence: Option<u64>,
    pub(super) ttl: Option<u64>,
    pub(super) public_key: Option<&'a [u8]>,
    pub(super) signature_v2: Option<&'a [u8]>,
    pub(super) data: Option<&'a [u8]>,
}

const VARINT: u64 = 0;
const BYTES: u64 = 2;

impl<'a> Entry<'a> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, 1, self.value);
        put_bytes(&mut out, 2, self.signature_v1);
        put_number(&mut out, 3, self.validity_type);
        put_bytes(&mut out, 4, self.validity);
        put_number(&mut out, 5, self.sequence);
        put_number(&mut out, 6, self.ttl);
        put_bytes(&mut out, 7, self.public_key);
        put_bytes(&mut out, 8, self.signature_v2);
        put_bytes(&mut out, 9, self.data);
        out
    }

    pub(super) fn from_bytes(mut bytes: &'a [u8]) -> Result<Self, IpnsError> {
        let mut entry = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            match (tag >> 3, tag & 7) {
                (1, BYTES) => set(&mut entry.value, slice(&mut bytes)?),
                (2, BYTES) => set(&mut entry.signature_v1, slice(&mut bytes)?),
                (3, VARINT) => set(&mut entry.validity_type, varint(&mut bytes)?),
                (4, BYTES) => set(&mut entry.validity, slice(&mut bytes)?),
                (5, VARINT) => set(&mut entry.sequence, varint(&mut bytes)?),
                (6, VARINT) => set(&mut entry.ttl, varint(&mut bytes)?),
                (7, BYTES) => set(&mut entry.public_key, slice(&mut bytes)?),
                (8, BYTES) => set(&mut entry.signature_v2, slice(&mut bytes)?),
                (9, BYTES) => set(&mut entry.data, slice(&mut bytes)?),
                _ => Err(IpnsError::Malformed),
            }?;
        }
        Ok(entry)
    }
}

fn set<T>(field: &mut Option<T>, value: T) -> Result<(), IpnsError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(IpnsError::Malformed),
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u64, value: Option<&[u8]>) {
    if let Some(value) = value {
        put_varint(out, field << 3 | BYTES);
        put_varint(out, value.len() as u64);
        out.extend_from_slice(value);
    }
}

fn put_number(out: &mut Vec<u8>, field: u64, value: Option<u64>) {
    if let Some(value) = value {
        put_varint(out, field << 3 | VARINT);
        put_varint(out, value);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// An unsigned LEB128 number in its shortest form.
fn varint(bytes: &mut &[u8]) -> Result<u64, IpnsError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(IpnsError::Malformed)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part || (*byte == 0 && shift > 0) {
            return Err(IpnsError::Malformed);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(IpnsError::Malformed)
}

fn slice<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], IpnsError> {
    let len = usize::try_from(varint(bytes)?).map_err(|_| IpnsError::Malformed)?;
    let (value, rest) = bytes.split_at_checked(len).ok_or(IpnsError::Malformed)?;
    *bytes = rest;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn looser_forms_are_refused() {
        let good = [0x28, 1, 0x4a, 2, 7, 7];
        assert_eq!(Entry::from_bytes(&good).unwrap().to_bytes(), good);
        for bad in [
            &[0x28][..],
            &[0x28, 0x81, 0],    // 1 in two bytes
            &[0x28, 1, 0x28, 1], // twice
            &[0x2a, 1, 1],       // another type
            &[0x50, 1],          // an unknown field
            &[0x4a, 3, 7, 7],    // cut off
            &[0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], // over 64 bits
            &[0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert!(Entry::from_bytes(bad).is_err(), "{bad:02x?}");
        }
        let largest = [0x28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let entry = Entry::from_bytes(&largest).unwrap();
        assert_eq!(entry.sequence, Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(entry) = Entry::from_bytes(&bytes) {
                let again = entry.to_bytes();
                prop_assert_eq!(Entry::from_bytes(&again).unwrap(), entry);
            }
        }
    }
}
