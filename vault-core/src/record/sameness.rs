//! When two contents are the same: byte for byte or, for FHIR in JSON, but for white space between
//! tokens, which exporters change and which says nothing.

use sha2::{Digest as _, Sha256};

use super::{FHIR_JSON, RecordMeta};
use crate::block::Digest;

/// SHA-256 of what makes a content the same as another: of all its bytes or, for FHIR in JSON, of all
/// but a byte order mark at the beginning and white space between tokens.
pub fn same_content(meta: &RecordMeta, content: &[u8]) -> Digest {
    SameHash::of(meta, content)
}

/// A hash over what makes a content the same as another.
pub(crate) struct SameHash {
    hash: Sha256,
    json: Option<Json>,
}

/// Where in a JSON text.
#[derive(Default)]
struct Json {
    /// Bytes of a byte order mark that came so far, while nothing else did.
    mark: usize,
    begun: bool,
    within_string: bool,
    escaped: bool,
}

impl SameHash {
    /// For a record of this kind.
    pub(crate) fn new(meta: &RecordMeta) -> Self {
        Self {
            hash: Sha256::new(),
            json: (meta.media_type == FHIR_JSON).then(Json::default),
        }
    }

    /// The hash of a content that is at hand.
    pub(crate) fn of(meta: &RecordMeta, content: &[u8]) -> Digest {
        let mut hash = Self::new(meta);
        hash.update(content);
        hash.finish()
    }

    /// The next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let Some(json) = &mut self.json else {
            return self.hash.update(bytes);
        };
        // runs of what counts are hashed at once
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if !json.counts(*byte) {
                self.hash.update(&bytes[start..at]);
                start = at + 1;
            }
        }
        self.hash.update(&bytes[start..]);
    }

    /// The hash.
    pub(crate) fn finish(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl Json {
    /// Whether the next byte counts.
    fn counts(&mut self, byte: u8) -> bool {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if !self.begun && MARK.get(self.mark) == Some(&byte) {
            self.mark += 1;
            return false;
        }
        if self.within_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.within_string = false,
                _ => {}
            }
            return true;
        }
        self.within_string = byte == b'"';
        let counts = !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.begun |= counts;
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fhir(content: &str) -> Digest {
        let meta = RecordMeta {
            media_type: FHIR_JSON.to_owned(),
            ..RecordMeta::default()
        };
        let whole = SameHash::of(&meta, content.as_bytes());
        let mut parts = SameHash::new(&meta);
        content
            .as_bytes()
            .chunks(1)
            .for_each(|byte| parts.update(byte));
        assert_eq!(parts.finish(), whole);
        whole
    }

    #[test]
    fn white_space_between_tokens_does_not_count_in_fhir() {
        let plain = r#"{"a":"b c\" d","e":[1.50,true]}"#;
        assert_eq!(fhir(plain), Digest::of(plain.as_bytes()));
        for same in [
            "\u{feff}{\"a\":\"b c\\\" d\",\"e\":[1.50,true]}\n",
            " {\r\n\t\"a\" : \"b c\\\" d\",\n \"e\": [ 1.50 , true ] } ",
        ] {
            assert_eq!(fhir(same), fhir(plain), "{same}");
        }
        for other in [
            r#"{"a":"b  c\" d","e":[1.50,true]}"#,
            r#"{"a":"bc\" d","e":[1.50,true]}"#,
            r#"{"a":"b c\" d","e":[1.5,true]}"#,
            r#"{"e":[1.50,true],"a":"b c\" d"}"#,
            "{\"a\":\"b c\\\" d\u{feff}\",\"e\":[1.50,true]}",
        ] {
            assert_ne!(fhir(other), fhir(plain), "{other}");
        }
    }

    #[test]
    fn every_byte_of_anything_else_counts() {
        let meta = RecordMeta::default();
        assert_eq!(SameHash::of(&meta, b" a b "), Digest::of(b" a b "));
    }
}
