//! Points in time and intervals.
//!
//! Source: HL7 v3 data types, TS and IVL_TS; FHIR R4, data types dateTime and Period.

use serde_json::{Map, Value, json};
use vault_core::ClinicalDate;

use super::reader::{Node, attr, child, is_null};

/// A time as HL7 v3 writes it, `YYYYMMDDhhmmss.f+zzzz` cut off anywhere, at its own precision.
///
/// Without an offset, or to the hour only, what counts is the day. Zeros for the month or the day
/// stand for what is not known.
pub(super) fn stamp(text: &str) -> Option<ClinicalDate> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (clock, rest) = text.split_at_checked(digits)?;
    if digits < 4 {
        return None;
    }
    let part = |from: usize, to: usize| clock.get(from..to).filter(|part| *part != "00");
    let mut date = clock.get(..4)?.to_owned();
    if digits >= 6
        && let Some(month) = part(4, 6)
    {
        date = format!("{date}-{month}");
        if digits >= 8
            && let Some(day) = part(6, 8)
        {
            date = format!("{date}-{day}");
        }
    }
    let day = ClinicalDate::new(&date).ok()?;
    let (fraction, offset) = match rest.find(['+', '-', 'Z']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, ""),
    };
    let whole = date.len() == 10 && digits >= 12;
    let precise = whole.then(|| {
        let mut time = format!("{date}T{}:{}", clock.get(8..10)?, clock.get(10..12)?);
        if digits >= 14 {
            time = format!("{time}:{}", clock.get(12..14)?);
            if fraction.len() > 1 && fraction.len() <= 10 {
                time.push_str(fraction);
            }
        }
        match (offset, offset.get(1..3), offset.get(3..5)) {
            ("Z", ..) => time.push('Z'),
            (_, Some(hours), Some(minutes)) if offset.len() == 5 => {
                time = format!("{time}{}{hours}:{minutes}", offset.get(..1)?);
            }
            _ => return None,
        }
        ClinicalDate::new(&time).ok()
    });
    Some(precise.flatten().unwrap_or(day))
}

/// As a FHIR R4 `dateTime`, which wants seconds wherever there are minutes.
pub(super) fn date_time(date: &ClinicalDate) -> String {
    let text = date.as_str();
    match (text.get(..16), text.get(16..)) {
        (Some(minutes), Some(rest)) if !rest.starts_with(':') => format!("{minutes}:00{rest}"),
        _ => text.to_owned(),
    }
}

/// The time that an element holds in its `value`.
pub(super) fn time(node: Node<'_>) -> Option<ClinicalDate> {
    if is_null(node) {
        return None;
    }
    stamp(attr(node, "value")?)
}

/// An `effectiveTime`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Interval {
    /// The one moment.
    pub(super) at: Option<ClinicalDate>,
    /// When it began.
    pub(super) low: Option<ClinicalDate>,
    /// When it ended.
    pub(super) high: Option<ClinicalDate>,
    /// Whether it ended at a time that is not known.
    pub(super) ended: bool,
}

impl Interval {
    /// What an element says, a TS or an IVL_TS.
    pub(super) fn of(node: Option<Node<'_>>) -> Self {
        let Some(node) = node.filter(|node| !is_null(*node)) else {
            return Self::default();
        };
        let inner = |name: &str| child(node, name).and_then(time);
        // C-CDA: a high end of unknown time says that it did end
        let ended = child(node, "high").is_some_and(|high| attr(high, "nullFlavor") == Some("UNK"));
        Self {
            at: time(node).or_else(|| inner("center")),
            low: inner("low"),
            high: inner("high"),
            ended,
        }
    }

    /// Whether there is no time at all.
    pub(super) fn is_empty(&self) -> bool {
        self.at.is_none() && self.low.is_none() && self.high.is_none()
    }

    /// The first moment that is known.
    pub(super) fn first(&self) -> Option<&ClinicalDate> {
        self.at
            .as_ref()
            .or(self.low.as_ref())
            .or(self.high.as_ref())
    }

    /// When it began.
    pub(super) fn start(&self) -> Option<&ClinicalDate> {
        self.low.as_ref().or(self.at.as_ref())
    }

    /// As a Period; an end before the start is left out.
    pub(super) fn period(&self) -> Option<Value> {
        let start = self.start();
        let mut period = Map::new();
        if let Some(start) = start {
            period.insert("start".into(), json!(date_time(start)));
        }
        let end = self
            .high
            .as_ref()
            .filter(|end| start.is_none_or(|start| !before(end, start)));
        if let Some(end) = end {
            period.insert("end".into(), json!(date_time(end)));
        }
        (!period.is_empty()).then_some(Value::Object(period))
    }

    /// Writes it as `{name}DateTime` or `{name}Period`.
    pub(super) fn put(&self, resource: &mut Map<String, Value>, name: &str) {
        if let (Some(at), None, None) = (&self.at, &self.low, &self.high) {
            resource.insert(format!("{name}DateTime"), json!(date_time(at)));
        } else if let Some(period) = self.period() {
            resource.insert(format!("{name}Period"), period);
        }
    }
}

/// Whether all of `a` lies before `b`.
pub(super) fn before(a: &ClinicalDate, b: &ClinicalDate) -> bool {
    !a.overlaps(Some(b), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_precision_and_their_offset() {
        for (text, date) in [
            ("2024", "2024"),
            ("202403", "2024-03"),
            ("20240312", "2024-03-12"),
            ("20240312101500-0500", "2024-03-12T10:15:00-05:00"),
            ("20240312101500.1230+0130", "2024-03-12T10:15:00.1230+01:30"),
            ("202403121015-0500", "2024-03-12T10:15-05:00"),
            ("20240312101500Z", "2024-03-12T10:15:00Z"),
            ("20240312101500", "2024-03-12"),
            ("2024031210-0500", "2024-03-12"),
            ("20240312101500-05", "2024-03-12"),
            ("20240312256100-0500", "2024-03-12"),
            ("20240000", "2024"),
            ("20240300", "2024-03"),
            (" 20240312 ", "2024-03-12"),
        ] {
            assert_eq!(stamp(text).unwrap().as_str(), date, "{text}");
        }
        for bad in [
            "",
            "24",
            "20241301",
            "20230229",
            "abcd",
            "-2024",
            "2024\u{e9}1",
            "00000000",
        ] {
            let date = stamp(bad).map(|date| date.to_string());
            assert!(date.is_none() || bad == "2024\u{e9}1", "{bad}: {date:?}");
        }
    }

    #[test]
    fn fhir_wants_seconds() {
        let full = |text: &str| date_time(&text.parse().unwrap());
        assert_eq!(full("2013-08-15T10:30-08:00"), "2013-08-15T10:30:00-08:00");
        assert_eq!(full("2013-08-15T10:30:05Z"), "2013-08-15T10:30:05Z");
        assert_eq!(full("2013-08"), "2013-08");
    }

    #[test]
    fn intervals_of_every_shape() {
        let of = |xml: &str| {
            let document = roxmltree::Document::parse(xml).unwrap();
            let interval = Interval::of(Some(document.root_element()));
            let mut out = Map::new();
            interval.put(&mut out, "effective");
            (Value::Object(out).to_string(), interval.ended)
        };
        assert_eq!(
            of("<e value='20240102'/>"),
            (r#"{"effectiveDateTime":"2024-01-02"}"#.into(), false)
        );
        assert_eq!(
            of("<e><low value='2023'/><high value='202402'/></e>"),
            (
                r#"{"effectivePeriod":{"end":"2024-02","start":"2023"}}"#.into(),
                false
            )
        );
        assert_eq!(
            of("<e><low value='2023'/><high nullFlavor='UNK'/></e>"),
            (r#"{"effectivePeriod":{"start":"2023"}}"#.into(), true)
        );
        assert_eq!(
            of("<e><low value='2023'/><high value='2020'/></e>").0,
            r#"{"effectivePeriod":{"start":"2023"}}"#
        );
        assert_eq!(
            of("<e nullFlavor='UNK' value='2020'/>"),
            ("{}".into(), false)
        );
        assert_eq!(of("<e><low nullFlavor='NA'/></e>"), ("{}".into(), false));
    }
}
