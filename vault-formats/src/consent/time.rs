//! Seconds since 1970 as the ends of a FHIR Period, and back.
//!
//! Source: FHIR R4, data type Period: both ends are part of it, and an end has the precision that it is
//! written with.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use vault_core::ClinicalDate;

/// An instant; `None` beyond the year 9999.
fn instant(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The start of a period that begins at `from`; `None` beyond the year 9999.
pub(super) fn start(from: u64) -> Option<String> {
    instant(i64::try_from(from).ok()?)
}

/// The end of a period that is over at `expires`: its last second. At most the end of the year 9999.
pub(super) fn end(expires: u64) -> String {
    let last = i64::try_from(expires).unwrap_or(i64::MAX).saturating_sub(1);
    instant(last).unwrap_or_else(|| "9999-12-30T00:00:00Z".to_owned())
}

/// First second at which a period with this start has begun. Dates without a time are in UTC.
/// `None` when it is no dateTime.
pub(super) fn read_start(text: &str) -> Option<u64> {
    let (first, _) = bounds(text)?;
    let (second, nanosecond) = (first.as_second(), first.subsec_nanosecond());
    let begun = if nanosecond > 0 { second + 1 } else { second };
    Some(u64::try_from(begun).unwrap_or(0))
}

/// First second at which a period with this end is over. `None` when it is no dateTime.
pub(super) fn read_end(text: &str) -> Option<u64> {
    let (_, over) = bounds(text)?;
    Some(u64::try_from(over).unwrap_or(0))
}

/// The first moment that a dateTime can mean, and the first second after all that it can mean.
fn bounds(text: &str) -> Option<(Timestamp, i64)> {
    ClinicalDate::new(text).ok()?;
    if text.contains('T') {
        let time: Timestamp = text.parse().ok()?;
        // before 1970 the second counts towards zero; a period that ended then is over anyway
        return Some((time, time.as_second().saturating_add(1)));
    }
    let mut fields = text.split('-');
    let year = fields.next()?.parse().ok()?;
    let month: Option<i8> = fields.next().map(str::parse).transpose().ok()?;
    let day: Option<i8> = fields.next().map(str::parse).transpose().ok()?;
    let first = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let span = match (month, day) {
        (_, Some(_)) => 1.day(),
        (Some(_), None) => 1.month(),
        (None, None) => 1.year(),
    };
    let moment = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let start = moment(first)?;
    // the end of time is far enough
    let over = first.checked_add(span).ok().and_then(moment);
    Some((start, over.map_or(i64::MAX, Timestamp::as_second)))
}

/// A clinical date as FHIR R4 writes it: a time of day has seconds.
pub(super) fn date_time(date: &ClinicalDate) -> String {
    let text = date.as_str();
    let Some((day, time)) = text.split_once('T') else {
        return text.to_owned();
    };
    let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at_checked(at).unwrap_or((time, ""));
    if clock.matches(':').count() == 1 {
        format!("{day}T{clock}:00{offset}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_is_part_of_a_period() {
        for expires in [0, 1, 86_400, 1_790_000_000] {
            assert_eq!(read_end(&end(expires)), Some(expires));
        }
        assert_eq!(end(86_400), "1970-01-01T23:59:59Z");
        assert_eq!(read_start(&start(7).unwrap()), Some(7));
        assert_eq!(start(u64::MAX), None);
        assert!(read_end(&end(u64::MAX)).unwrap() < 253_402_300_800);
    }

    #[test]
    fn what_is_not_exact_is_read_with_its_precision() {
        for (text, start, end) in [
            ("1970", 0, 365 * 86_400),
            ("1970-02", 31 * 86_400, 59 * 86_400),
            ("1970-01-02", 86_400, 2 * 86_400),
            ("1970-01-01T01:00:00+01:00", 0, 1),
            ("1970-01-01T00:00:05.5Z", 6, 6),
            ("1960", 0, 0),
        ] {
            assert_eq!(read_start(text), Some(start), "{text}");
            assert_eq!(read_end(text), Some(end), "{text}");
        }
        for bad in ["", "now", "2024-13", "2024-02-30", "2024-01-01T25:00:00Z"] {
            assert_eq!(read_start(bad), None, "{bad}");
        }
        assert!(read_end("9999").is_some());
    }

    #[test]
    fn times_have_seconds() {
        let written = |text: &str| date_time(&text.parse().unwrap());
        assert_eq!(written("2024"), "2024");
        assert_eq!(written("2024-01-02T10:15Z"), "2024-01-02T10:15:00Z");
        assert_eq!(
            written("2024-01-02T10:15-05:00"),
            "2024-01-02T10:15:00-05:00"
        );
        assert_eq!(written("2024-01-02T10:15:09.5Z"), "2024-01-02T10:15:09.5Z");
    }
}
