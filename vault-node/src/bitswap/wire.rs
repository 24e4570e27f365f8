//! The part of the protocol buffers wire format that bitswap uses: varints, length-delimited
//! fields, and stepping over everything else. Source: protobuf.dev, "Encoding".

/// A message that is not well-formed or breaks one of our limits. The peer is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Bytes end in the middle of a field, or a field claims an impossible form.
    #[error("malformed message")]
    Malformed,
    /// More entries than [`super::message::MAX_ENTRIES`].
    #[error("too many entries in one message")]
    TooMany,
    /// Longer than [`super::message::MAX_MESSAGE_LEN`].
    #[error("message is too long")]
    TooLong,
}

/// One field's content. Fixed-width fields are passed over by the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Value<'a> {
    /// The bytes of a length-delimited field.
    pub(crate) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Malformed),
        }
    }

    /// The number of a varint field.
    pub(crate) fn number(self) -> Result<u64, WireError> {
        match self {
            Value::Varint(number) => Ok(number),
            _ => Err(WireError::Malformed),
        }
    }
}

/// Reads fields one after the other.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next field's number and content; `None` at the end.
    pub(crate) fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| WireError::Malformed)?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(WireError::Malformed),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let (number, len) = varint(self.0)?.ok_or(WireError::Malformed)?;
        self.take(len)?;
        Ok(number)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }
}

/// Reads a varint at the start of `bytes`: the number and how many bytes it took, or `None` when
/// more bytes are needed.
pub(crate) fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, WireError> {
    let mut number = 0u64;
    for (i, &byte) in bytes.iter().enumerate() {
        if i == 9 && byte > 1 {
            return Err(WireError::Malformed);
        }
        number |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((number, i + 1)));
        }
    }
    Ok(None)
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a varint field; nothing for zero, which is the default.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        put_varint(out, field << 3);
        put_varint(out, number);
    }
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_have_an_end() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(varint(&out), Ok(Some((number, out.len()))));
            assert_eq!(varint(&out[..out.len() - 1]), Ok(None));
        }
        assert_eq!(varint(&[0xff; 10]), Err(WireError::Malformed));
    }

    #[test]
    fn every_wire_type_is_read_or_stepped_over() {
        // field 1 = varint 5, field 2 = fixed64, field 3 = fixed32, field 4 = "ab"
        let bytes = [
            0x08, 5, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0x1d, 0, 0, 0, 0, 0x22, 2, b'a', b'b',
        ];
        let mut reader = Reader(&bytes);
        assert_eq!(reader.field(), Ok(Some((1, Value::Varint(5)))));
        assert_eq!(reader.field(), Ok(Some((2, Value::Fixed))));
        assert_eq!(reader.field(), Ok(Some((3, Value::Fixed))));
        assert_eq!(reader.field(), Ok(Some((4, Value::Bytes(b"ab")))));
        assert_eq!(reader.field(), Ok(None));
    }

    #[test]
    fn truncated_and_group_fields_are_refused() {
        for bytes in [&[0x22, 3, b'a'][..], &[0x11, 0], &[0x0b], &[0x08], &[0x80]] {
            assert_eq!(Reader(bytes).field(), Err(WireError::Malformed));
        }
    }
}
