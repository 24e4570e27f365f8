//! Health cards as the text of QR codes.
//!
//! Source: SMART Health Cards Framework, "Encoding chunks as QR codes": `shc:/` and two digits
//! for each character, 45 less than its code; a card in several codes has `number/count/` before.

use std::collections::BTreeMap;

/// What a text of a QR code begins with.
pub(super) const SCHEME: &str = "shc:/";
/// Most codes of one card.
const MAX_CHUNKS: usize = 100;

/// Why the texts of QR codes do not make a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum QrError {
    #[error("not the text of a health card's QR code")]
    NotNumeric,
    #[error("QR code {0} of {1} is missing")]
    Missing(usize, usize),
    #[error("two different QR codes are number {0} of {1}")]
    Twice(usize, usize),
}

/// The cards (JWS in compact form) in texts of QR codes, one a line and in any order.
///
/// Codes that say they are of the same number of codes belong together.
pub(super) fn cards(text: &str) -> Vec<Result<String, QrError>> {
    let mut cards = Vec::new();
    let mut parts: BTreeMap<usize, BTreeMap<usize, String>> = BTreeMap::new();
    for line in text.split_whitespace() {
        match chunk(line) {
            None => cards.push(Err(QrError::NotNumeric)),
            Some((1, 1, text)) => cards.push(Ok(text)),
            Some((number, count, text)) => {
                let chunks = parts.entry(count).or_default();
                if chunks.get(&number).is_some_and(|other| *other != text) {
                    cards.push(Err(QrError::Twice(number, count)));
                }
                chunks.insert(number, text);
            }
        }
    }
    for (count, chunks) in parts {
        let missing = (1..=count).find(|number| !chunks.contains_key(number));
        cards.push(match missing {
            Some(number) => Err(QrError::Missing(number, count)),
            None => Ok(chunks.into_values().collect()),
        });
    }
    cards
}

/// One code: its number, of how many, and its characters.
fn chunk(line: &str) -> Option<(usize, usize, String)> {
    let scheme = line.get(..SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    let rest = line.get(SCHEME.len()..)?;
    let mut fields = rest.split('/');
    let (number, count, digits) = match (fields.next()?, fields.next(), fields.next()) {
        (digits, None, None) => (1, 1, digits),
        (number, Some(count), Some(digits)) => (small(number)?, small(count)?, digits),
        _ => return None,
    };
    let known = fields.next().is_none() && (1..=count).contains(&number) && count <= MAX_CHUNKS;
    known.then_some((number, count, characters(digits)?))
}

fn small(text: &str) -> Option<usize> {
    let plain = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn characters(digits: &str) -> Option<String> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
    pairs
        .iter()
        .map(|[tens, ones]| Some(char::from(digit(*tens)? * 10 + digit(*ones)? + 45)))
        .collect()
}

/// The text of a QR code for these characters, for tests.
#[cfg(test)]
pub(super) fn digits(text: &str) -> String {
    text.bytes().map(|b| format!("{:02}", b - 45)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_digits_are_characters() {
        // 'e' is 101, 'y' 121, '.' 46
        assert_eq!(cards("shc:/567601"), [Ok("ey.".to_owned())]);
        assert_eq!(cards("SHC:/5676"), [Ok("ey".to_owned())]);
        for bad in [
            "shc:/",
            "shc:/5",
            "shc:/567",
            "shc:/5a",
            "shc:/1/5676",
            "shx:/5676",
            "shc:/0/2/56",
            "shc:/3/2/56",
            "shc:/1/2/56/",
            "shc:/1/101/56",
            "shc",
            "shc:é",
        ] {
            assert_eq!(cards(bad), [Err(QrError::NotNumeric)], "{bad}");
        }
    }

    #[test]
    fn chunks_come_in_any_order_and_none_may_be_missing() {
        let together = "shc:/3/3/58\nshc:/1/3/56\r\n shc:/2/3/57 shc:/1/3/56";
        assert_eq!(cards(together), [Ok("efg".to_owned())]);
        assert_eq!(
            cards("shc:/3/3/58\nshc:/1/3/56"),
            [Err(QrError::Missing(2, 3))]
        );
        let two = cards("shc:/1/2/56\nshc:/76\nshc:/2/2/57");
        assert_eq!(two, [Ok("y".to_owned()), Ok("ef".to_owned())]);
        let twice = cards("shc:/1/2/56\nshc:/1/2/57\nshc:/2/2/57");
        assert_eq!(twice[0], Err(QrError::Twice(1, 2)));
    }
}
