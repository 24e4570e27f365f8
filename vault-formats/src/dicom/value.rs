//! Dates, times and names of people, as DICOM writes them.

use serde_json::{Map, Value, json};
use vault_core::ClinicalDate;
use vault_core::record::clean_field;

/// A date and a time (value representations DA and TM) at the precision both have. The time counts
/// only with an offset from UTC, as a clinical date knows no other.
///
/// Dates with dots and times with colons are those of before DICOM 3. Source: DICOM PS3.5, table
/// 6.2-1.
pub(super) fn date_and_time(
    date: &str,
    time: Option<&str>,
    offset: Option<&str>,
) -> Option<ClinicalDate> {
    let date: String = date.trim().chars().filter(|c| *c != '.').collect();
    let time: String = time
        .unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| *c != ':')
        .collect();
    if !date.bytes().all(|b| b.is_ascii_digit()) || !matches!(date.len(), 4 | 6 | 8) {
        return None;
    }
    let mut day = date.get(..4)?.to_owned();
    for part in [date.get(4..6), date.get(6..8)].into_iter().flatten() {
        day.push('-');
        day.push_str(part);
    }
    let clock = clock(&time).zip(offset.and_then(utc_offset));
    if date.len() == 8
        && let Some((clock, offset)) = clock
        && let Ok(instant) = ClinicalDate::new(&format!("{day}T{clock}{offset}"))
    {
        return Some(instant);
    }
    ClinicalDate::new(&day).ok()
}

/// A date with time in one value (DT); its own offset comes before that of the data set.
pub(super) fn date_time(value: &str, offset: Option<&str>) -> Option<ClinicalDate> {
    let value = value.trim();
    let (value, own) = match value.find(['+', '-']) {
        Some(at) => (value.get(..at)?, value.get(at..)),
        None => (value, None),
    };
    let date = value.get(..8.min(value.len()))?;
    date_and_time(date, value.get(8..), own.or(offset))
}

/// `HHMM`, `HHMMSS` or `HHMMSS.F` as the clock of a clinical date; hours alone are none.
fn clock(time: &str) -> Option<String> {
    let (whole, fraction) = match time.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (time, None),
    };
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut clock = format!("{}:{}", whole.get(..2)?, whole.get(2..4)?);
    match whole.len() {
        4 => {}
        6 => {
            clock.push(':');
            clock.push_str(whole.get(4..)?);
            if let Some(fraction) = fraction.filter(|f| !f.is_empty()) {
                clock.push('.');
                clock.push_str(fraction);
            }
        }
        _ => return None,
    }
    Some(clock)
}

/// `+HHMM` as `+HH:MM`.
fn utc_offset(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = (text.get(..1)?, text.get(1..)?);
    let fits = matches!(sign, "+" | "-")
        && digits.len() == 4
        && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| Some(format!("{sign}{}:{}", digits.get(..2)?, digits.get(2..)?)))?
}

/// A clinical date as a FHIR `dateTime`: with seconds, which R4 wants even where they are not known.
///
/// Source: FHIR R4, data type dateTime ("may be zero-filled").
pub(super) fn fhir_date_time(date: &ClinicalDate) -> String {
    let text = date.as_str();
    let Some((day, time)) = text.split_once('T') else {
        return text.to_owned();
    };
    let clock_end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(clock_end);
    if clock.len() == 5 {
        format!("{day}T{clock}:00{offset}")
    } else {
        text.to_owned()
    }
}

/// One way to write a person's name: alphabetic, ideographic or phonetic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonName {
    /// Family name.
    pub family: Option<String>,
    /// Given and middle names.
    pub given: Vec<String>,
    /// Titles before it.
    pub prefix: Option<String>,
    /// What stands after it.
    pub suffix: Option<String>,
}

impl PersonName {
    /// Every way in which a value of representation PN writes the name.
    ///
    /// Source: DICOM PS3.5, section 6.2.1.2.
    pub(super) fn parse(value: &str) -> Vec<Self> {
        let groups = value.split('=').take(3).map(|group| {
            let mut parts = group.split('^').map(clean_field);
            let mut next = || parts.next().filter(|part| !part.is_empty());
            let family = next();
            let given = [next(), next()].into_iter().flatten().collect();
            Self {
                family,
                given,
                prefix: next(),
                suffix: next(),
            }
        });
        groups.filter(|name| !name.is_empty()).collect()
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In the order of speech: `Dr Mira Jane Lind MD`.
    pub(super) fn shown(&self) -> String {
        let words = self.prefix.iter().chain(&self.given);
        let words: Vec<&str> = words
            .chain(&self.family)
            .chain(&self.suffix)
            .map(String::as_str)
            .collect();
        clean_field(&words.join(" "))
    }

    /// As a FHIR HumanName.
    pub(super) fn to_fhir(&self) -> Value {
        let mut name = Map::new();
        if let Some(family) = &self.family {
            name.insert("family".into(), json!(family));
        }
        if !self.given.is_empty() {
            name.insert("given".into(), json!(self.given));
        }
        if let Some(prefix) = &self.prefix {
            name.insert("prefix".into(), json!([prefix]));
        }
        if let Some(suffix) = &self.suffix {
            name.insert("suffix".into(), json!([suffix]));
        }
        Value::Object(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(date: &str, time: &str, offset: &str) -> Option<String> {
        let offset = Some(offset).filter(|offset| !offset.is_empty());
        date_and_time(date, Some(time), offset).map(String::from)
    }

    #[test]
    fn dates_keep_their_precision() {
        for (date, time, offset, expected) in [
            ("20240229", "", "", Some("2024-02-29")),
            ("20240229", "101500", "", Some("2024-02-29")),
            (
                "20240229",
                "101500",
                "+0100",
                Some("2024-02-29T10:15:00+01:00"),
            ),
            (
                "20240229",
                "101500.25",
                "-0530",
                Some("2024-02-29T10:15:00.25-05:30"),
            ),
            ("20240229", "1015", "+0000", Some("2024-02-29T10:15+00:00")),
            ("20240229", "10", "+0000", Some("2024-02-29")),
            (
                "20240229",
                "10:15:01",
                "+0000",
                Some("2024-02-29T10:15:01+00:00"),
            ),
            ("1997.04.24", "", "", Some("1997-04-24")),
            ("1997", "", "", Some("1997")),
            ("199704", "1015", "+0000", Some("1997-04")),
            ("20240229", "256199", "+0000", Some("2024-02-29")),
            ("20240229", "101500", "+9900", Some("2024-02-29")),
            ("20230229", "", "", None),
            ("", "101500", "+0000", None),
            ("2024022\u{661}", "", "", None),
            ("20240101-20240201", "", "", None),
        ] {
            assert_eq!(
                both(date, time, offset).as_deref(),
                expected,
                "{date} {time}"
            );
        }
    }

    #[test]
    fn dates_and_times_in_one() {
        for (value, offset, expected) in [
            (
                "20240229101500.5+0200",
                None,
                Some("2024-02-29T10:15:00.5+02:00"),
            ),
            (
                "20240229101500+0200",
                Some("-0500"),
                Some("2024-02-29T10:15:00+02:00"),
            ),
            (
                "202402291015",
                Some("-0500"),
                Some("2024-02-29T10:15-05:00"),
            ),
            ("202402", Some("-0500"), Some("2024-02")),
            ("2024", None, Some("2024")),
            ("é0240229", None, None),
            ("", None, None),
        ] {
            let date = date_time(value, offset).map(String::from);
            assert_eq!(date.as_deref(), expected, "{value}");
        }
        let fhir = |text: &str| fhir_date_time(&text.parse().unwrap());
        assert_eq!(fhir("2024-02-29T10:15-05:00"), "2024-02-29T10:15:00-05:00");
        assert_eq!(fhir("2024-02-29T10:15:01Z"), "2024-02-29T10:15:01Z");
        assert_eq!(fhir("2024-02"), "2024-02");
    }

    #[test]
    fn names_in_groups_and_components() {
        let names = PersonName::parse("Adams^John Robert^Quincy^Rev.^B.A. M.Div.=王^小東");
        assert_eq!(names.len(), 2);
        assert_eq!(names[0].family.as_deref(), Some("Adams"));
        assert_eq!(names[0].given, ["John Robert", "Quincy"]);
        assert_eq!(
            names[0].shown(),
            "Rev. John Robert Quincy Adams B.A. M.Div."
        );
        assert_eq!(names[1].shown(), "小東 王");
        assert_eq!(
            names[0].to_fhir(),
            json!({"family": "Adams", "given": ["John Robert", "Quincy"],
                "prefix": ["Rev."], "suffix": ["B.A. M.Div."]})
        );
        assert!(PersonName::parse("^^==^").is_empty());
        assert_eq!(PersonName::parse("=王^小東").len(), 1);
    }
}
