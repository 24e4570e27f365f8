//! Dates and times.
//!
//! Source: HL7 v2.5.1 section 2.A.22 (DTM): `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`; FHIR R4,
//! data types date, dateTime, instant and time.

use vault_core::ClinicalDate;

/// A point in time as a message writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    /// Year, month or day: `2024`, `2024-03` or `2024-03-09`.
    date: String,
    /// Clock to the minute, seconds with their fraction.
    clock: Option<(String, Option<String>)>,
    /// `+01:00`.
    offset: Option<String>,
}

impl Time {
    /// Reads a time; `None` when it is none or no such day exists.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (rest, offset) = match text.find(['+', '-']) {
            Some(at) => (text.get(..at)?, Some(offset(text.get(at..)?)?)),
            None => (text, None),
        };
        let (digits, fraction) = match rest.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (rest, None),
        };
        let numeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !numeric(digits) || !fraction.is_none_or(|f| numeric(f) && f.len() <= 9) {
            return None;
        }
        let part = |from: usize, to: usize| digits.get(from..to);
        // some write zeros for what they do not know
        let known = |part: Option<&str>| part.filter(|part| *part != "00").map(str::to_owned);
        let mut date = part(0, 4)?.to_owned();
        let (month, day) = (known(part(4, 6)), known(part(6, 8)));
        let whole = month.is_some() && day.is_some();
        if let Some(month) = month {
            date = format!("{date}-{month}");
            if let Some(day) = day {
                date = format!("{date}-{day}");
            }
        }
        ClinicalDate::new(&date).ok()?;
        let clock = match (part(8, 10), part(10, 12)) {
            (Some(hour), Some(minute)) if whole => {
                let seconds = part(12, 14).map(|seconds| match fraction {
                    Some(fraction) if !fraction.is_empty() => format!("{seconds}.{fraction}"),
                    _ => seconds.to_owned(),
                });
                Some((format!("{hour}:{minute}"), seconds))
            }
            _ => None,
        };
        let time = Self {
            date,
            clock,
            offset,
        };
        let odd = !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14);
        (!odd && ClinicalDate::new(&time.date_time()).is_ok()).then_some(time)
    }

    /// The year, month or day, without a time: FHIR date.
    pub(super) fn date(&self) -> &str {
        &self.date
    }

    /// FHIR dateTime. A time without an offset is only a day: which moment it was, nobody knows.
    /// Seconds that are not given are zeros, as FHIR wants them.
    pub(super) fn date_time(&self) -> String {
        self.instant(None).unwrap_or_else(|| self.date.clone())
    }

    /// FHIR instant; `None` without a time or an offset. `default` is the offset of times that have
    /// none.
    pub(super) fn instant(&self, default: Option<&str>) -> Option<String> {
        let (minute, seconds) = self.clock.as_ref()?;
        let offset = self.offset.as_deref().or(default)?;
        let seconds = seconds.as_deref().unwrap_or("00");
        Some(format!("{}T{minute}:{seconds}{offset}", self.date))
    }

    /// FHIR instant, where every part of it is in the message: with seconds and an offset.
    pub(super) fn exact(&self) -> Option<String> {
        let (_, seconds) = self.clock.as_ref()?;
        seconds.as_ref()?;
        self.instant(None)
    }

    /// The offset from UTC, `+01:00`.
    pub(super) fn offset(&self) -> Option<&str> {
        self.offset.as_deref()
    }

    /// For a summary: as precise as it was written, to the day where there is no offset.
    pub(super) fn clinical(&self) -> Option<ClinicalDate> {
        let text = match (&self.clock, &self.offset) {
            (Some((minute, None)), Some(offset)) => format!("{}T{minute}{offset}", self.date),
            _ => self.date_time(),
        };
        ClinicalDate::new(&text).ok()
    }
}

fn offset(text: &str) -> Option<String> {
    let (sign, digits) = text.split_at_checked(1)?;
    let (hours, minutes) = digits.split_at_checked(2)?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    (two(hours) && two(minutes)).then(|| format!("{sign}{hours}:{minutes}"))
}

/// A FHIR time, `10:15:00`, from `HH[MM[SS[.S…]]]`. A whole hour alone is not precise enough.
pub(super) fn time_of_day(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split(['+', '-']).next().unwrap_or(text);
    // the clock of any day
    let time = Time::parse(&format!("20000101{text}+0000"))?;
    let (minute, seconds) = time.clock?;
    Some(format!("{minute}:{}", seconds.as_deref().unwrap_or("00")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_at_their_own_precision() {
        for (text, date_time, clinical) in [
            ("2024", "2024", "2024"),
            ("202403", "2024-03", "2024-03"),
            ("20240309", "2024-03-09", "2024-03-09"),
            ("2024030910+0100", "2024-03-09", "2024-03-09"),
            (
                "202403091015+0100",
                "2024-03-09T10:15:00+01:00",
                "2024-03-09T10:15+01:00",
            ),
            (
                "20240309101530.1250-0530",
                "2024-03-09T10:15:30.1250-05:30",
                "2024-03-09T10:15:30.1250-05:30",
            ),
            ("20240309101530", "2024-03-09", "2024-03-09"),
            ("20240000", "2024", "2024"),
            ("20240300", "2024-03", "2024-03"),
        ] {
            let time = Time::parse(text).unwrap();
            assert_eq!(time.date_time(), date_time, "{text}");
            assert_eq!(time.clinical().unwrap().as_str(), clinical, "{text}");
        }
        for bad in [
            "",
            "\"\"",
            "99",
            "20240230",
            "2024-03-09",
            "20241",
            "yesterday",
            "202403091015+1",
            "202403092515+0100",
            "202403091015+2500",
            "ä",
            "20240309101530.x",
        ] {
            assert_eq!(Time::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn instants_and_times_of_day() {
        let time = Time::parse("202403091015").unwrap();
        assert_eq!(time.instant(None), None);
        let known = time.instant(Some("+01:00"));
        assert_eq!(known.unwrap(), "2024-03-09T10:15:00+01:00");
        let exact = |text: &str| Time::parse(text).unwrap().exact();
        let full = "2024-03-09T10:15:30+01:00";
        assert_eq!(exact("20240309101530+0100").as_deref(), Some(full));
        assert_eq!(exact("202403091015+0100"), None);
        assert_eq!(exact("20240309101530"), None);
        assert_eq!(time_of_day("1015").unwrap(), "10:15:00");
        assert_eq!(time_of_day("101530.5").unwrap(), "10:15:30.5");
        assert_eq!(time_of_day("2515"), None);
        assert_eq!(time_of_day("10"), None);
    }
}
