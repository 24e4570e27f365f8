//! Zip archives as no honest program writes them.

/// A member of a zip archive: name, bytes, method, length that it claims, attributes, and the place
/// of another whose bytes it claims.
pub type Member<'a> = (&'a str, &'a [u8], u16, usize, u32, Option<u32>);

/// A member that is as it says.
pub fn stored<'a>(name: &'a str, bytes: &'a [u8]) -> Member<'a> {
    (name, bytes, 0, bytes.len(), 0, None)
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    !bytes.iter().fold(!0, step)
}

/// A zip archive, written by hand to be able to lie.
pub fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut all, mut list) = (Vec::new(), Vec::new());
    for (name, bytes, method, len, attributes, at) in members {
        let mut fields = vec![20, 0, 0, 0];
        fields.extend(method.to_le_bytes());
        fields.extend([0; 4]);
        fields.extend(crc32(bytes).to_le_bytes());
        fields.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
        fields.extend(u32::try_from(*len).unwrap().to_le_bytes());
        fields.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        fields.extend([0; 2]);
        let place = at.unwrap_or(u32::try_from(all.len()).unwrap());
        if at.is_none() {
            all.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), bytes].concat());
        }
        list.extend([&b"PK\x01\x02\x1e\x03"[..], &fields, &[0; 6]].concat());
        list.extend(attributes.to_le_bytes());
        list.extend(place.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let sizes = [list.len(), all.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes());
    let end = [
        &b"PK\x05\x06\0\0\0\0"[..],
        &count,
        &count,
        &sizes[0],
        &sizes[1],
        &[0; 2],
    ]
    .concat();
    [all, list, end].concat()
}

/// Compressed zeros: a code of one bit each for the longest match and its distance, and then those.
pub fn bomb() -> Vec<u8> {
    let front = b"\xed\xc1\x31\x01\0\0\0\xc2\xa0\xf5\x4f\x6d\x08\x5f\xa0\0";
    [&front[..], &vec![0; 100 << 10]].concat()
}
