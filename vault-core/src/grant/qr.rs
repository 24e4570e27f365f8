//! Long texts as several QR codes: a ticket is longer than one code holds.
//!
//! Each code holds `NUMBER/COUNT-NAME:PART`: decimal numbers from 1, and as name the first eight
//! hexadecimal digits of the SHA-256 of the whole text, so that parts of two texts are not mixed up
//! (SPEC 10.6). Nothing is protected by this; the text protects itself.

use std::collections::BTreeMap;

use crate::block::Digest;

/// Most parts of one text.
const MOST_PARTS: usize = 99;
/// Longest part that is taken, in bytes: what the largest QR code holds.
const LONGEST: usize = 2953;

/// Why a text is not split, or parts are not put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// Of a length that no code has.
    #[error("a part has 40 to 2900 characters")]
    Length,
    /// Empty, or with something else than printable ASCII.
    #[error("this text cannot be split")]
    Text,
    /// In so small parts.
    #[error("this text takes more than 99 parts")]
    TooMany,
    /// The codes belong to several texts.
    #[error("these codes are of different texts")]
    Mixed,
    /// A code was altered.
    #[error("the codes do not make the text that they are named after")]
    Altered,
}

/// Splits a text of printable ASCII without white space into parts of at most `longest` characters (40 to 2,900), each for one QR code.
///
/// # Errors
/// [`QrError::Length`], [`QrError::Text`], [`QrError::TooMany`].
pub fn qr_parts(text: &str, longest: usize) -> Result<Vec<String>, QrError> {
    if !(40..=2900).contains(&longest) {
        return Err(QrError::Length);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(QrError::Text);
    }
    // as long as the longest number and count with the name
    let room = longest - "99/99-01234567:".len();
    let parts: Vec<&[u8]> = text.as_bytes().chunks(room).collect();
    if parts.len() > MOST_PARTS {
        return Err(QrError::TooMany);
    }
    let (count, name) = (parts.len(), name(text));
    let numbered = parts.iter().zip(1..);
    Ok(numbered
        .map(|(part, number)| format!("{number}/{count}-{name}:{}", String::from_utf8_lossy(part)))
        .collect())
}

/// Puts parts together that were scanned, in any order and any number of times. `None`: some are still
/// missing. What is no such part is passed over.
///
/// # Errors
/// [`QrError::Mixed`], [`QrError::Altered`].
pub fn join_qr_parts<'a>(
    scanned: impl IntoIterator<Item = &'a str>,
) -> Result<Option<String>, QrError> {
    let mut parts: BTreeMap<usize, &str> = BTreeMap::new();
    let mut whole: Option<(usize, &str)> = None;
    for (number, count, name, part) in scanned.into_iter().filter_map(read) {
        if *whole.get_or_insert((count, name)) != (count, name) {
            return Err(QrError::Mixed);
        }
        parts.insert(number, part);
    }
    let Some((count, wanted)) = whole.filter(|(count, _)| parts.len() == *count) else {
        return Ok(None);
    };
    let text: String = parts.into_values().collect();
    match name(&text) == wanted && count > 0 {
        true => Ok(Some(text)),
        false => Err(QrError::Altered),
    }
}

/// Number, count, name and part.
fn read(text: &str) -> Option<(usize, usize, &str, &str)> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let (head, part) = text.split_once(':')?;
    let (numbers, name) = head.split_once('-')?;
    let (number, count) = numbers.split_once('/')?;
    let (number, count) = (number.parse().ok()?, count.parse().ok()?);
    let fits = (1..=MOST_PARTS).contains(&count) && (1..=count).contains(&number);
    (fits && name.len() == 8 && part.is_ascii()).then_some((number, count, name, part))
}

fn name(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    let first = digest.as_bytes().iter().take(4);
    first.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(parts: &[&str]) -> Result<Option<String>, QrError> {
        join_qr_parts(parts.iter().copied())
    }

    #[test]
    fn parts_in_any_order_make_the_text_again() {
        let text = "medvault-ticket:".to_owned() + &"abc".repeat(1500);
        let parts = qr_parts(&text, 1000).unwrap();
        assert_eq!(parts.len(), 5);
        assert!(parts.iter().all(|part| part.len() <= 1000));
        let mut scanned: Vec<&str> = parts.iter().map(String::as_str).collect();
        scanned.reverse();
        scanned.push(scanned[0]);
        scanned.push("https://example.org");
        assert_eq!(join(&scanned).unwrap().as_deref(), Some(&text[..]));
        assert_eq!(join(&scanned[1..4]).unwrap(), None);
        assert_eq!(join(&[]).unwrap(), None);
        assert_eq!(qr_parts("short", 40).unwrap().len(), 1);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let [one, other] = ["a", "b"].map(|c| qr_parts(&c.repeat(60), 50).unwrap());
        assert_eq!(join(&[&one[0], &other[1]]), Err(QrError::Mixed));
        let altered = one[1].replace('a', "b");
        assert_eq!(join(&[&one[0], &altered]), Err(QrError::Altered));
        for rubbish in [
            "0/1-00000000:",
            "2/1-00000000:a",
            "1/100-00000000:a",
            "1/1-0:a",
            "é",
        ] {
            assert_eq!(join(&[rubbish]).unwrap(), None, "{rubbish}");
        }
        for text in ["", "é", "a b", "a\n"] {
            assert_eq!(qr_parts(text, 100), Err(QrError::Text));
        }
        assert!(qr_parts("a", 39).is_err() && qr_parts(&"a".repeat(9000), 40).is_err());
    }
}
