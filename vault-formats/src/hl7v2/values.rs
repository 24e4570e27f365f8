//! The values of observations: OBX-2, OBX-5, OBX-6 and OBX-7.
//!
//! Sources: HL7 v2.5.1 section 7.4.2 and chapter 2.A, table 0125 (value types).

use serde_json::{Map, Value, json};

use super::fields::{Rep, Segment};
use super::output::{MAX_STRING, set};
use super::time::{Time, time_of_day};
use crate::fhir::{decimal, quantity};

/// Units of ISO+ and ANSI+ that UCUM writes the same way.
///
/// Source: HL7 v2.5.1 table "Common ISO derived units and ISO+ extensions"; UCUM 2.1.
const SAME_IN_UCUM: &[&str] = &[
    "%", "cm", "dl", "g", "g/dl", "g/l", "kg", "l", "m", "meq/l", "mg", "mg/dl", "mg/l", "min",
    "ml", "ml/min", "mm", "mmol/l", "mol/l", "ng", "ng/l", "ng/ml", "nmol/l", "pg", "pg/ml",
    "pmol/l", "s", "ug", "ug/dl", "ug/l", "ug/ml", "umol/l",
];

/// A unit as it was written, and its UCUM code where that is certain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    written: Option<String>,
    ucum: Option<String>,
}

impl Unit {
    /// The unit in a coded field.
    pub(super) fn read(segment: &Segment<'_>, field: usize) -> Self {
        let Some(coded) = segment.coded(field) else {
            return Self::default();
        };
        let first = coded.choices.first();
        // a number of a site's own list is no unit, its meaning is
        let is_number = |code: &String| code.bytes().all(|b| b.is_ascii_digit());
        let written = first.and_then(|choice| match (&choice.code, &choice.text) {
            (Some(code), Some(text)) if is_number(code) => Some(text.clone()),
            (code, text) => code.clone().or_else(|| text.clone()),
        });
        let ucum = coded.choices.iter().find_map(|choice| {
            let code = choice.code.as_deref()?;
            let certain = match choice.system.as_deref()? {
                "UCUM" | "http://unitsofmeasure.org" | "2.16.840.1.113883.6.8" => true,
                "ISO+" | "ANSI+" => SAME_IN_UCUM.contains(&code),
                _ => false,
            };
            (certain && !code.contains(char::is_whitespace)).then(|| code.to_owned())
        });
        Self { written, ucum }
    }

    /// A Quantity with this unit; `None` when `value` is no number.
    pub(super) fn quantity(&self, value: &str) -> Option<Value> {
        let mut made = quantity(value, self.written.as_deref(), false)?;
        if let Some(ucum) = &self.ucum {
            made["system"] = json!("http://unitsofmeasure.org");
            made["code"] = json!(ucum);
        }
        Some(made)
    }

    /// A Quantity with a comparator before its number: `<5`, `>= 10`.
    fn compared(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        let (comparator, rest) = comparator(text);
        let mut made = self.quantity(rest)?;
        if let Some(comparator) = comparator {
            made["comparator"] = json!(comparator);
        }
        Some(made)
    }
}

/// A comparator of FHIR before a number, and what follows. An equals sign says nothing.
fn comparator(text: &str) -> (Option<&'static str>, &str) {
    for (sign, code) in [
        ("<=", "<="),
        (">=", ">="),
        ("≤", "<="),
        ("≥", ">="),
        ("<", "<"),
        (">", ">"),
    ] {
        if let Some(rest) = text.strip_prefix(sign) {
            return (Some(code), rest);
        }
    }
    (None, text.strip_prefix('=').unwrap_or(text))
}

/// The element of an Observation that holds a value, for example `valueQuantity`, and the value.
pub(super) type Element = (&'static str, Value);

/// One repetition of OBX-5 as the value of an Observation. ED and text are read elsewhere.
pub(super) fn value(kind: &str, rep: &Rep<'_>, unit: &Unit) -> Option<Element> {
    let known = match kind {
        "NM" => rep
            .comp(1)
            .and_then(|text| unit.compared(&text))
            .map(|q| ("valueQuantity", q)),
        "SN" => structured(rep, unit),
        "CE" | "CWE" | "CNE" | "CF" | "IS" | "ID" => {
            let concept = rep.coded().and_then(|coded| coded.concept());
            concept.map(|concept| ("valueCodeableConcept", concept))
        }
        "DT" | "TS" | "DTM" => {
            let time = rep.comp(1).and_then(|text| Time::parse(&text));
            time.map(|time| ("valueDateTime", json!(time.date_time())))
        }
        "TM" => {
            let time = rep.comp(1).and_then(|text| time_of_day(&text));
            time.map(|time| ("valueTime", json!(time)))
        }
        "RP" => rep.comp(1).map(|pointer| ("valueString", json!(pointer))),
        _ => rep.joined().map(|text| ("valueString", json!(text))),
    };
    // what is not as its type says is still something to read
    let known = known.or_else(|| rep.whole().map(|text| ("valueString", json!(text))));
    known.filter(|(_, value)| value.as_str().is_none_or(|text| text.len() <= MAX_STRING))
}

/// SN: comparator, number, separator, number.
fn structured(rep: &Rep<'_>, unit: &Unit) -> Option<Element> {
    let sign = rep.comp(1).unwrap_or_default();
    let (first, second) = (rep.comp(2), rep.comp(4));
    let separator = rep.comp(3).unwrap_or_default();
    match (first, separator.as_str(), second) {
        (Some(number), "", None) if sign != "<>" => {
            let made = unit.compared(&format!("{sign}{number}"))?;
            Some(("valueQuantity", made))
        }
        (Some(low), "-", Some(high)) if sign.is_empty() => {
            let range = json!({"low": unit.quantity(&low)?, "high": unit.quantity(&high)?});
            Some(("valueRange", range))
        }
        (Some(one), ":" | "/", Some(other)) => {
            let bare = Unit::default();
            let mut numerator = bare.compared(&format!("{sign}{one}"))?;
            // a unit belongs to the ratio as a whole
            if let (Some(unit), "/") = (&unit.written, separator.as_str()) {
                numerator["unit"] = json!(unit);
            }
            let ratio = json!({"numerator": numerator, "denominator": bare.quantity(&other)?});
            Some(("valueRatio", ratio))
        }
        (first, separator, second) => {
            let parts = [Some(sign), first, Some(separator.to_owned()), second];
            let text: String = parts.into_iter().flatten().collect();
            (!text.is_empty()).then(|| ("valueString", json!(text)))
        }
    }
}

/// Whether a text is a number in any of the ways people write one, with a comparator, as a range or
/// as a ratio.
pub(super) fn looks_like_number(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || " .,<>=≤≥+-:/%".contains(c);
    text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(plain)
}

/// A reference range: the text, and its bounds when it is `a-b`, `<a` or `>a`.
pub(super) fn reference_range(text: &str, unit: &Unit) -> Value {
    let mut range = Map::new();
    let text = text.trim();
    if let Some((low, high)) = bounds(text) {
        set(&mut range, "low", low.and_then(|n| unit.quantity(n)));
        set(&mut range, "high", high.and_then(|n| unit.quantity(n)));
    }
    range.insert("text".into(), json!(text));
    Value::Object(range)
}

fn bounds(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    let number = |text: &str| decimal(text).is_some();
    match comparator(text) {
        (Some("<" | "<="), rest) => number(rest).then_some((None, Some(rest))),
        (Some(_), rest) => number(rest).then_some((Some(rest), None)),
        (None, _) => {
            // a minus sign may stand before either number
            let dashes = text
                .char_indices()
                .skip(1)
                .filter(|(_, c)| matches!(c, '-' | '–'));
            let mut halves = dashes.filter_map(|(at, dash)| {
                let (low, high) = (
                    text.get(..at)?.trim(),
                    text.get(at + dash.len_utf8()..)?.trim(),
                );
                (number(low) && number(high)).then_some((Some(low), Some(high)))
            });
            halves.next()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::message;

    fn of(kind: &str, value_text: &str, unit: &str) -> String {
        let text = format!("MSH|^~\\&|A\rOBX|1|{kind}|X||{value_text}|{unit}\r");
        let message = message(text.as_bytes(), 1, &mut Vec::new()).unwrap();
        let obx = message.first("OBX").unwrap();
        let unit = Unit::read(&obx, 6);
        let made = obx.rep(5).and_then(|rep| value(kind, &rep, &unit));
        made.map_or_else(String::new, |(key, value)| format!("{key} {value}"))
    }

    #[test]
    fn values_of_every_type() {
        for (kind, text, expected) in [
            ("NM", "4.060", r#"valueQuantity {"unit":"u","value":4.060}"#),
            (
                "NM",
                "<0.10",
                r#"valueQuantity {"comparator":"<","unit":"u","value":0.10}"#,
            ),
            ("NM", "positive", r#"valueString "positive""#),
            ("SN", "^100", r#"valueQuantity {"unit":"u","value":100}"#),
            (
                "SN",
                ">=^1.50",
                r#"valueQuantity {"comparator":">=","unit":"u","value":1.50}"#,
            ),
            ("SN", "=^7", r#"valueQuantity {"unit":"u","value":7}"#),
            (
                "SN",
                "^10^-^20.0",
                r#"valueRange {"high":{"unit":"u","value":20.0},"low":{"unit":"u","value":10}}"#,
            ),
            (
                "SN",
                ">^1^:^128",
                r#"valueRatio {"denominator":{"value":128},"numerator":{"comparator":">","value":1}}"#,
            ),
            ("SN", "^2^+", r#"valueString "2+""#),
            ("SN", "<>^5", r#"valueString "<>5""#),
            ("DT", "20240309", r#"valueDateTime "2024-03-09""#),
            (
                "TS",
                "202403091015+0100",
                r#"valueDateTime "2024-03-09T10:15:00+01:00""#,
            ),
            ("TS", "soon", r#"valueString "soon""#),
            ("TM", "1015", r#"valueTime "10:15:00""#),
            (
                "RP",
                "https://a.example^^image^PNG",
                r#"valueString "https://a.example""#,
            ),
            ("XCN", "1^Lind^Ann", r#"valueString "1 Lind Ann""#),
            ("NM", "\"\"", ""),
        ] {
            assert_eq!(of(kind, text, "u"), expected, "{kind} {text}");
        }
        assert_eq!(
            of("CWE", "27268008^Salmonella^SCT", ""),
            r#"valueCodeableConcept {"coding":[{"code":"27268008","display":"Salmonella","system":"http://snomed.info/sct"}],"text":"Salmonella"}"#
        );
    }

    #[test]
    fn units_are_ucum_only_when_that_is_certain() {
        let ucum = |unit: &str| of("NM", "1", unit).contains("unitsofmeasure");
        assert!(ucum("mmol/L^^UCUM"));
        assert!(ucum("mg/dl^^ISO+"));
        assert!(ucum("Gramm^^L^g^gram^UCUM"));
        assert!(!ucum("mmol/L"));
        assert!(!ucum("mm(hg)^^ISO+"));
        assert!(!ucum("beats/min^^ISO"));
        assert_eq!(
            of("NM", "1", "Gramm^^L^g^gram^UCUM"),
            r#"valueQuantity {"code":"g","system":"http://unitsofmeasure.org","unit":"Gramm","value":1}"#
        );
    }

    #[test]
    fn reference_ranges() {
        for (text, expected) in [
            (
                "3.50-5.10",
                r#"{"high":{"value":5.10},"low":{"value":3.50},"text":"3.50-5.10"}"#,
            ),
            (
                "-2 - +2",
                r#"{"high":{"value":2},"low":{"value":-2},"text":"-2 - +2"}"#,
            ),
            (
                "-5--1",
                r#"{"high":{"value":-1},"low":{"value":-5},"text":"-5--1"}"#,
            ),
            ("<5", r#"{"high":{"value":5},"text":"<5"}"#),
            (">= 60", r#"{"low":{"value":60},"text":">= 60"}"#),
            ("negative", r#"{"text":"negative"}"#),
            ("A-B", r#"{"text":"A-B"}"#),
        ] {
            assert_eq!(
                reference_range(text, &Unit::default()).to_string(),
                expected
            );
        }
    }
}
