//! Points in time and durations, as people write them.

use jiff::civil::Date;
use jiff::{Span, Timestamp, Zoned};
pub use vault_app::time::{day, minute, now, rfc3339, today};

use crate::error::{Error, Result};

/// A moment to come: a duration from now (`12h`, `30d`, `6w`, `3m`, `1y`) or the end of a day
/// (`2026-12-31`). In seconds since 1970-01-01 UTC.
pub fn parse_end(text: &str) -> Result<u64> {
    end_after(&Zoned::now(), text)
}

/// A moment in the past or to come, for filters: a day, its start, or a moment in RFC 3339.
pub fn parse_start(text: &str) -> Result<u64> {
    start(&Zoned::now(), text)
}

/// The end of a day, or a moment in RFC 3339, for filters.
pub fn parse_until(text: &str) -> Result<u64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return seconds(time);
    }
    end_of_day(&Zoned::now(), text).ok_or_else(|| not_a_time(text))
}

fn start(now: &Zoned, text: &str) -> Result<u64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return seconds(time);
    }
    let day: Date = text.parse().map_err(|_| not_a_time(text))?;
    let start = day.to_zoned(now.time_zone().clone());
    seconds(start.map_err(|_| not_a_time(text))?.timestamp())
}

fn end_after(now: &Zoned, text: &str) -> Result<u64> {
    if let Some(span) = span(text) {
        let end = now.checked_add(span).map_err(|_| not_a_time(text))?;
        return seconds(end.timestamp());
    }
    end_of_day(now, text).ok_or_else(|| not_a_time(text))
}

fn end_of_day(now: &Zoned, text: &str) -> Option<u64> {
    let day: Date = text.parse().ok()?;
    let next = day
        .tomorrow()
        .ok()?
        .to_zoned(now.time_zone().clone())
        .ok()?;
    seconds(next.timestamp()).ok()
}

fn span(text: &str) -> Option<Span> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number.parse().ok().filter(|n| (1..=100_000).contains(n))?;
    let span = Span::new();
    match unit {
        "h" => span.try_hours(number).ok(),
        "d" => span.try_days(number).ok(),
        "w" => span.try_weeks(number).ok(),
        "m" => span.try_months(number).ok(),
        "y" => span.try_years(number).ok(),
        _ => None,
    }
}

fn seconds(time: Timestamp) -> Result<u64> {
    u64::try_from(time.as_second()).map_err(|_| Error::usage("a time after 1970 is expected"))
}

fn not_a_time(text: &str) -> Error {
    Error::usage(format!("`{text}` is not a time that fits here"))
        .hint("write a duration such as 12h, 30d, 6w, 3m, 1y or a day such as 2026-12-31")
}

/// How long until `end`, in rough words.
pub fn left(now: u64, end: u64) -> String {
    let left = end.saturating_sub(now);
    match left {
        0 => "over".to_owned(),
        1..7200 => format!("{} min left", left.div_ceil(60)),
        7200..172_800 => format!("{} h left", left / 3600),
        _ => format!("{} days left", (left + 43_200) / 86_400),
    }
}

/// A length of time in seconds, in rough words.
pub fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_durations_or_days() {
        let now: Zoned = "2026-01-31T10:00:00[UTC]".parse().unwrap();
        let at = |text: &str| end_after(&now, text).map(rfc3339);
        assert_eq!(at("12h").unwrap(), "2026-01-31T22:00:00Z");
        assert_eq!(at("30d").unwrap(), "2026-03-02T10:00:00Z");
        assert_eq!(at("1m").unwrap(), "2026-02-28T10:00:00Z");
        assert_eq!(at("2026-12-31").unwrap(), "2027-01-01T00:00:00Z");
        for bad in [
            "",
            "d",
            "30",
            "0d",
            "-1d",
            "30x",
            "2026-02-30",
            "999999999999d",
            "é",
        ] {
            assert!(at(bad).is_err(), "{bad}");
        }
        assert_eq!(
            rfc3339(start(&now, "2026-01-02").unwrap()),
            "2026-01-02T00:00:00Z"
        );
    }
}
