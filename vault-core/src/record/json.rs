//! Reading JSON without changing it: members and elements as slices of the text they came from.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest nesting accepted; what common readers, `serde_json` among them, can open again.
pub(super) const MAX_DEPTH: usize = 127;

/// The members of one JSON object, in order, duplicates included.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// Takes `text`, which must be one JSON object, apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value of `key`; of several, the last, as most readers have it.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.all(key).last()
    }

    /// Every value of `key`.
    pub(super) fn all<'s>(&'s self, key: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.iter()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Every member.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_ref(), value.get()))
    }

    /// Whether there is a member of this name.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// The value of `key`, when it is a string.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &RawValue>()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The elements of `text`, when it is a JSON array.
pub(super) fn elements(text: &str) -> Option<Vec<&str>> {
    if !text.starts_with('[') {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The string that `text` holds, when it is a JSON string.
pub(super) fn text(text: &str) -> Option<Cow<'_, str>> {
    let Key(value) = serde_json::from_str(text).ok()?;
    Some(value)
}

/// Whether arrays and objects nest deeper than [`MAX_DEPTH`]. `text` must be well-formed JSON.
pub(super) fn too_deep(text: &str) -> bool {
    // most texts have too few brackets at all, and counting is quick
    let open = |byte: &u8| matches!(byte, b'{' | b'[');
    if text.as_bytes().iter().filter(|b| open(b)).count() <= MAX_DEPTH {
        return false;
    }
    let mut depth = 0usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_exact_slices_in_order() {
        let members = Members::parse(r#" {"a": 1.50 , "\u0062":"\u00e9","a":[ ]} "#).unwrap();
        let all: Vec<_> = members.iter().collect();
        assert_eq!(all, [("a", "1.50"), ("b", r#""\u00e9""#), ("a", "[ ]")]);
        assert_eq!(members.get("a"), Some("[ ]"));
        assert_eq!(members.text("b").as_deref(), Some("\u{e9}"));
        assert_eq!(members.text("a"), None);
        assert!(Members::parse("[]").is_err() && Members::parse("{} x").is_err());
    }

    #[test]
    fn elements_only_of_arrays() {
        assert_eq!(elements("[1, {\"a\" :2}]"), Some(vec!["1", "{\"a\" :2}"]));
        assert_eq!(elements("{}"), None);
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(!too_deep(&nested(127)));
        assert!(too_deep(&nested(128)));
        assert!(!too_deep(&format!("{{\"a\\\"\":\"{}\"}}", "[".repeat(500))));
        // the limit is the one of the usual reader
        assert!(serde_json::from_str::<serde_json::Value>(&nested(127)).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&nested(128)).is_err());
    }
}
