//! Dates and times as Apple Health writes them.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use vault_core::ClinicalDate;

/// A date and time with its offset from UTC: `2024-01-01 01:01:36 +0200`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// Minutes east of UTC.
    offset: i16,
    /// Seconds since 1970.
    instant: i64,
}

impl Stamp {
    /// Reads exactly that form; `None` for any other and for days that do not exist.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 25] = text.as_bytes().try_into().ok()?;
        let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
        let [.., sign, h1, h2, m1, m2] = *bytes;
        let separated = separators.iter().all(|(at, b)| bytes.get(*at) == Some(b));
        if !separated || bytes.get(19) != Some(&b' ') {
            return None;
        }
        let number = |from: usize, len: usize| -> Option<u16> {
            bytes.get(from..from + len)?.iter().try_fold(0u16, |n, b| {
                b.is_ascii_digit().then(|| n * 10 + u16::from(b - b'0'))
            })
        };
        let two = |from: usize| number(from, 2).and_then(|n| u8::try_from(n).ok());
        if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (hours, minutes) = (number(21, 2)?, number(23, 2)?);
        // FHIR allows offsets of up to fourteen hours
        if hours > 14 || minutes > 59 || (hours == 14 && minutes > 0) {
            return None;
        }
        let offset = i16::try_from(hours * 60 + minutes).ok()?;
        let offset = match sign {
            b'+' => offset,
            b'-' => -offset,
            _ => return None,
        };
        let (year, month, day) = (number(0, 4)?, two(5)?, two(8)?);
        let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
        if year == 0 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let small = |n: u8| i8::try_from(n).ok();
        let local = DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            0,
        );
        let offset_of_clock = Offset::from_seconds(i32::from(offset) * 60).ok()?;
        let instant = offset_of_clock.to_timestamp(local.ok()?).ok()?;
        Some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            offset,
            instant: instant.as_second(),
        })
    }

    /// Seconds since 1970-01-01 UTC.
    pub(super) fn instant(self) -> i64 {
        self.instant
    }

    /// The day on the wall where it was written, as the number `20240101`.
    pub(super) fn day(self) -> u32 {
        self.month() * 100 + u32::from(self.day)
    }

    /// The month there, as the number `202401`.
    pub(super) fn month(self) -> u32 {
        u32::from(self.year) * 100 + u32::from(self.month)
    }

    /// As a FHIR `dateTime`.
    pub(super) fn date_time(self) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            minutes / 60,
            minutes % 60
        )
    }

    /// As a clinical date.
    pub(super) fn clinical(self) -> Option<ClinicalDate> {
        ClinicalDate::new(&self.date_time()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_apple_writes() {
        let stamp = Stamp::parse("2024-01-01 01:01:36 +0200").unwrap();
        assert_eq!(stamp.date_time(), "2024-01-01T01:01:36+02:00");
        assert_eq!((stamp.day(), stamp.month()), (20_240_101, 202_401));
        // 2023-12-31T23:01:36Z
        assert_eq!(stamp.instant(), 1_704_063_696);
        let west = Stamp::parse("2024-02-29 23:59:59 -0330").unwrap();
        assert_eq!(west.date_time(), "2024-02-29T23:59:59-03:30");
        assert_eq!(
            west.clinical().unwrap().as_str(),
            "2024-02-29T23:59:59-03:30"
        );
    }

    #[test]
    fn nothing_else() {
        for bad in [
            "",
            "2024-01-01",
            "2024-01-01T01:01:36+02:00",
            "2024-01-01 01:01:36 +02:00",
            "2024-01-01 01:01:36 0200 ",
            "2023-02-29 01:01:36 +0200",
            "2024-13-01 01:01:36 +0200",
            "2024-01-01 24:01:36 +0200",
            "2024-01-01 01:01:60 +0200",
            "2024-01-01 01:01:36 +1500",
            "2024-01-01 01:01:36 +1430",
            "0000-01-01 01:01:36 +0000",
            "2024-01-01 01:01:36 +02\u{e9}",
            "2024/01/01 01:01:36 +0200",
        ] {
            assert_eq!(Stamp::parse(bad), None, "{bad}");
        }
    }
}
