//! Points in time as IPNS writes them: RFC 3339 in UTC, with up to nine digits of a second.

use crate::record::{days_from_civil, days_in_month};

const DAY: i64 = 24 * 3600;

/// Seconds since 1970-01-01 UTC of the last moment that has a form of four digits for the year.
pub(super) const LAST: u64 = 253_402_300_799;

/// A time in the form that Go and JavaScript write: nine digits of a second, and `Z`.
pub(super) fn to_text(seconds: u64) -> String {
    let seconds = seconds.min(LAST) as i64;
    let (day, second) = (seconds / DAY, seconds % DAY);
    // years of 365 days never come out too late, and at most one too early
    let mut year = 1970 + day / 366;
    while days_from_civil(year + 1, 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days_from_civil(year, *month, 1) <= day)
        .unwrap_or(1);
    let day = day - days_from_civil(year, month, 1) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000000Z")
}

/// Whole seconds since 1970-01-01 UTC; `None` for anything but a time of that form, or earlier.
pub(super) fn from_text(text: &[u8]) -> Option<u64> {
    let (whole, rest) = text.split_at_checked(19)?;
    match rest.strip_suffix(b"Z")? {
        [] => {}
        [b'.', digits @ ..] => {
            let fine = (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
            fine.then_some(())?;
        }
        _ => return None,
    }
    let number = |from: usize, len: usize| {
        let digits = &whole[from..from + len];
        let plain = digits.iter().all(u8::is_ascii_digit);
        let value = digits.iter().fold(0, |n, c| n * 10 + i64::from(*c & 15));
        plain.then_some(value)
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, c)| whole[*at] != *c) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)? as u8, number(8, 2)? as u8);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let exists = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = exists.then(|| days_from_civil(year, month, day))?;
    u64::try_from(days * DAY + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (951_868_799, "2000-02-29T23:59:59.000000000Z"),
            (1_790_000_000, "2026-09-21T14:13:20.000000000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000000000Z"),
            (LAST, "9999-12-31T23:59:59.000000000Z"),
        ] {
            assert_eq!(to_text(seconds), text);
        }
        assert_eq!(to_text(u64::MAX), to_text(LAST));
        let short = |text: &str| from_text(text.as_bytes());
        assert_eq!(short("2026-09-21T14:13:20Z"), Some(1_790_000_000));
        assert_eq!(short("2026-09-21T14:13:20.999Z"), Some(1_790_000_000));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2026-09-21",
            "2026-09-21T14:13:20",
            "2026-09-21T14:13:20.Z",
            "2026-09-21T14:13:20.1234567890Z",
            "2026-09-21T14:13:20+00:00",
            "2026-09-21t14:13:20Z",
            "2026-02-29T14:13:20Z",
            "2026-13-01T14:13:20Z",
            "2026-00-01T14:13:20Z",
            "2026-09-21T24:13:20Z",
            "2026-09-21T14:60:20Z",
            "2026-09-21T14:13:60Z",
            "1969-12-31T23:59:59Z",
            "+026-09-21T14:13:20Z",
            "2026-09-21T14:13:20ZZ",
        ] {
            assert_eq!(from_text(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_comes_back(seconds in 0..=LAST) {
            prop_assert_eq!(from_text(to_text(seconds).as_bytes()), Some(seconds));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = from_text(&bytes);
        }
    }
}
