//! Clinical dates: whole, partial, or full instants, kept as they were written.
//!
//! Source: FHIR R4, data types `date`, `dateTime` and `instant`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a clinical date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date: YYYY, YYYY-MM, YYYY-MM-DD or a date and time with its offset is expected")]
pub struct ParseDateError;

/// A date as clinicians write it: `2024`, `2024-03`, `2024-03-09` or `2024-03-09T10:15:00+01:00`.
///
/// The text is kept unchanged. Dates sort by the first moment they can mean (partial dates in UTC),
/// the coarser first. Range tests go by calendar and clock as written, unless both sides are
/// instants, which are compared as points in time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClinicalDate(String);

/// A date taken apart. `month`, `day` and `time` are only ever absent from the right.
#[derive(Clone, Copy)]
struct Parts {
    year: i64,
    month: Option<u8>,
    day: Option<u8>,
    /// Seconds since the start of the day as written, nanoseconds, offset from UTC in seconds.
    time: Option<(i64, u32, i64)>,
}

impl ClinicalDate {
    /// Checks a text and wraps it.
    ///
    /// A time of day needs an offset (`Z` or `+hh:mm`); its seconds may be left out, as DSTU2 allows.
    ///
    /// # Errors
    /// [`ParseDateError`] for any other form and for days that do not exist.
    pub fn new(text: &str) -> Result<Self, ParseDateError> {
        match parse(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(ParseDateError),
        }
    }

    /// The text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether all of this date lies between `since` and `until`, both inclusive.
    ///
    /// `2024` is within `since = 2024`, but not within `since = 2024-06`: it may lie before. Use this
    /// to decide what a reader gets.
    pub fn is_within(&self, since: Option<&Self>, until: Option<&Self>) -> bool {
        since.is_none_or(|bound| self.first(bound) >= bound.first(self))
            && until.is_none_or(|bound| self.last(bound) <= bound.last(self))
    }

    /// Whether any of this date may lie between `since` and `until`, both inclusive.
    ///
    /// Use this to search.
    pub fn overlaps(&self, since: Option<&Self>, until: Option<&Self>) -> bool {
        since.is_none_or(|bound| self.last(bound) >= bound.first(self))
            && until.is_none_or(|bound| self.first(bound) <= bound.last(self))
    }

    /// The date without its time of day.
    #[must_use]
    pub fn to_day(&self) -> Self {
        Self(self.0.chars().take(10).collect())
    }

    /// The same day so many years before, without a time of day; in a year without that day, the one
    /// before it. Never before year 1.
    #[must_use]
    pub fn years_before(&self, years: u16) -> Self {
        let parts = self.parts();
        let year = (parts.year - i64::from(years)).max(1);
        let mut text = format!("{year:04}");
        if let Some(month) = parts.month {
            text += &format!("-{month:02}");
            if let Some(day) = parts.day {
                text += &format!("-{:02}", day.min(days_in_month(year, month)));
            }
        }
        Self(text)
    }

    /// First moment, on the scale that suits a comparison with `other`.
    fn first(&self, other: &Self) -> (i64, u32) {
        self.parts().moment(other.parts().time.is_some(), true)
    }

    /// Last moment, on the scale that suits a comparison with `other`.
    fn last(&self, other: &Self) -> (i64, u32) {
        self.parts().moment(other.parts().time.is_some(), false)
    }

    fn parts(&self) -> Parts {
        // the text was checked when it came in; year 0 is unreachable
        parse(&self.0).unwrap_or(Parts {
            year: 0,
            month: None,
            day: None,
            time: None,
        })
    }

    fn sort_key(&self) -> (i64, u32, u8, &str) {
        let parts = self.parts();
        let (seconds, nanos) = parts.moment(true, true);
        let precision = u8::from(parts.month.is_some())
            + u8::from(parts.day.is_some())
            + u8::from(parts.time.is_some());
        (seconds, nanos, precision, &self.0)
    }
}

impl Parts {
    /// Days since 1970-01-01 of the first or last day.
    fn day_number(self, first: bool) -> i64 {
        let month = self.month.unwrap_or(if first { 1 } else { 12 });
        let day = self.day.unwrap_or(if first {
            1
        } else {
            days_in_month(self.year, month)
        });
        days_from_civil(self.year, month, day)
    }

    /// Seconds and nanoseconds since 1970 of the first or last moment meant: in UTC when `utc`, else
    /// by the clock on the wall where it was written.
    fn moment(self, utc: bool, first: bool) -> (i64, u32) {
        let start = self.day_number(first) * 86_400;
        match self.time {
            Some((seconds, nanos, offset)) if utc => (start + seconds - offset, nanos),
            // a leap second still belongs to its day
            Some((seconds, nanos, _)) => (start + seconds.min(86_399), nanos),
            None if first => (start, 0),
            None => (start + 86_399, 999_999_999),
        }
    }
}

fn parse(text: &str) -> Option<Parts> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut fields = date.split('-');
    let year = i64::from(number(fields.next()?, 4)?);
    let two = |field: Option<&str>| field.map(|f| number(f, 2).and_then(|n| u8::try_from(n).ok()));
    let (month, day) = (two(fields.next()), two(fields.next()));
    if fields.next().is_some() || year == 0 {
        return None;
    }
    // an absent field is fine, a malformed one is not
    let month = month.map_or(Some(None), |m| m.map(Some))?;
    let day = day.map_or(Some(None), |d| d.map(Some))?;
    if month.is_some_and(|m| !(1..=12).contains(&m)) {
        return None;
    }
    if let (Some(m), Some(d)) = (month, day)
        && !(1..=days_in_month(year, m)).contains(&d)
    {
        return None;
    }
    let time = match time {
        Some(time) if day.is_some() => Some(parse_time(time)?),
        Some(_) => return None,
        None => None,
    };
    Some(Parts {
        year,
        month,
        day,
        time,
    })
}

fn parse_time(text: &str) -> Option<(i64, u32, i64)> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (hours, minutes) = text.get(at + 1..)?.split_once(':')?;
        let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
        if hours > 14 || minutes > 59 {
            return None;
        }
        let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
        let negative = text.as_bytes().get(at) == Some(&b'-');
        (text.get(..at)?, if negative { -seconds } else { seconds })
    };
    let (clock, nanos) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, parse_fraction(fraction)?),
        None => (clock, 0),
    };
    let mut fields = clock.split(':');
    let hours = number(fields.next()?, 2)?;
    let minutes = number(fields.next()?, 2)?;
    let seconds = match fields.next() {
        Some(seconds) => number(seconds, 2)?,
        None if nanos == 0 => 0,
        None => return None,
    };
    // 60 is a leap second
    if fields.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let of_day = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    Some((of_day, nanos, offset))
}

/// Nanoseconds of a decimal fraction; digits beyond the ninth are ignored.
fn parse_fraction(digits: &str) -> Option<u32> {
    if digits.is_empty() || digits.len() > 24 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine = digits.get(..9).unwrap_or(digits);
    let scale = 9 - u32::try_from(nine.len()).ok()?;
    Some(nine.parse::<u32>().ok()? * 10u32.pow(scale))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days of a month in the proleptic Gregorian calendar.
pub(crate) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted from 1 March 0000 so that the
/// leap day ends the year.
pub(crate) fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

impl Ord for ClinicalDate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for ClinicalDate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ClinicalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ClinicalDate {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Self, ParseDateError> {
        Self::new(text)
    }
}

impl TryFrom<String> for ClinicalDate {
    type Error = ParseDateError;

    fn try_from(text: String) -> Result<Self, ParseDateError> {
        Self::new(&text)
    }
}

impl From<ClinicalDate> for String {
    fn from(date: ClinicalDate) -> Self {
        date.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> ClinicalDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_four_forms_are_kept_as_written() {
        for text in [
            "2024",
            "2024-02",
            "2024-02-29",
            "2024-02-29T23:59:60Z",
            "2015-02-07T13:28:17.239+02:00",
            "2015-02-07T13:28-05:00",
        ] {
            assert_eq!(date(text).to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "24",
            "0000",
            "2024-13",
            "2024-00",
            "2023-02-29",
            "2024-2-1",
            "2024-02-30",
            "2024-02-29T10:00:00",
            "2024-02T10:00:00Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T10Z",
            "2024-02-29T10:00:00.Z",
            "2024-02-29T10:00:00+1:00",
            "2024-01-01 ",
            "+024",
            "20240101",
            "2024-",
            "2024-01-01-01",
            "2024-02-29T10:00:00+\u{e9}",
            "\u{661}\u{662}",
            "2024T",
        ] {
            assert_eq!(text.parse::<ClinicalDate>(), Err(ParseDateError), "{text}");
        }
    }

    #[test]
    fn order_goes_by_first_moment_then_precision() {
        let mut dates = [
            "2024-03-01T00:30:00+01:00", // 29 February, 23:30 UTC
            "2024-03-01",
            "2024-03",
            "2024",
            "2023-12-31",
            "2024-02-29T23:29:59Z",
            "2024-03-01T00:00:00.5Z",
        ]
        .map(date);
        dates.sort();
        let sorted: Vec<_> = dates.iter().map(ClinicalDate::as_str).collect();
        assert_eq!(
            sorted,
            [
                "2023-12-31",
                "2024",
                "2024-02-29T23:29:59Z",
                "2024-03-01T00:30:00+01:00",
                "2024-03",
                "2024-03-01",
                "2024-03-01T00:00:00.5Z",
            ]
        );
    }

    #[test]
    fn ranges_are_inclusive() {
        let (since, until) = (date("2024-03"), date("2024-05-10"));
        let within = |text: &str| date(text).is_within(Some(&since), Some(&until));
        for text in [
            "2024-03-01",
            "2024-05-10",
            "2024-05-10T23:59:59-11:00",
            "2024-04",
        ] {
            assert!(within(text), "{text}");
        }
        for text in ["2024-02-29", "2024-05-11", "2024", "2024-05"] {
            assert!(!within(text), "{text}");
        }
        // a coarse date may lie in the range, so a search finds it
        assert!(date("2024").overlaps(Some(&since), Some(&until)));
        assert!(date("2024-05").overlaps(Some(&since), Some(&until)));
        assert!(!date("2023").overlaps(Some(&since), None));
        assert!(!date("2025").overlaps(None, Some(&until)));
        assert!(date("1900").is_within(None, None));
    }

    #[test]
    fn two_instants_compare_as_points_in_time() {
        let noon = date("2024-03-01T12:00:00Z");
        assert!(date("2024-03-01T13:00:00+02:00").is_within(None, Some(&noon)));
        assert!(!date("2024-03-01T13:00:00+02:00").is_within(Some(&noon), None));
        assert!(date("2024-03-01T14:00:00+02:00").is_within(Some(&noon), Some(&noon)));
        // a day against an instant: only days that lie wholly after it are within
        assert!(!date("2024-03-01").is_within(Some(&noon), None));
        assert!(date("2024-03-02").is_within(Some(&noon), None));
    }

    #[test]
    fn day_numbers_agree_with_the_calendar() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 3, 1), 11_017);
        assert_eq!(days_from_civil(1969, 12, 31), -1);
        assert_eq!(days_from_civil(2024, 12, 31), 20_088);
        // every day is one after the day before it
        let mut expected = days_from_civil(1, 1, 1);
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_civil(year, month, day), expected);
                    expected += 1;
                }
            }
        }
    }
}
