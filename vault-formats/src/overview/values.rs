//! Dates, periods and quantities in words. Numbers keep their digits.
//!
//! Source: FHIR R4, "Data Types".

use serde_json::Value;

use super::read::string;
use super::text::clean_line;

/// A date as people write it: the day, and the time on the clock where it was written.
pub(crate) fn date(text: &str) -> String {
    let is_instant = text.len() >= 16
        && text.len() < 40
        && text.as_bytes().get(10) == Some(&b'T')
        && text.starts_with(|c: char| c.is_ascii_digit());
    if is_instant && let (Some(day), Some(time)) = (text.get(..10), text.get(11..16)) {
        return clean_line(&format!("{day} {time}"));
    }
    clean_line(text)
}

/// A Period in words.
pub(crate) fn period(value: &Value) -> Option<String> {
    let bound = |key: &str| string(value, key).map(date);
    match (bound("start"), bound("end")) {
        (Some(start), Some(end)) if start == end => Some(start),
        (Some(start), Some(end)) => Some(format!("{start} to {end}")),
        (Some(start), None) => Some(format!("since {start}")),
        (None, Some(end)) => Some(format!("until {end}")),
        (None, None) => None,
    }
}

/// A number as it is written; numbers that came as text are taken too.
fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(clean_line(text)),
        _ => None,
    }
}

/// The unit of a Quantity. Annotations of UCUM, as in `mL/min/{1.73_m2}`, lose their braces.
pub(crate) fn unit(value: &Value) -> Option<String> {
    let unit = string(value, "unit")
        .or_else(|| string(value, "code"))
        .or_else(|| string(value, "currency"))
        .map(clean_line)
        .filter(|unit| unit != "1")?;
    if !unit.contains(['{', '}']) {
        return Some(unit);
    }
    Some(unit.replace(['{', '}'], "").replace('_', " "))
}

/// A Quantity, with its own digits.
pub(crate) fn quantity(value: &Value) -> Option<String> {
    let number = number(value.get("value")?)?;
    let comparator = string(value, "comparator").map(clean_line);
    let mut text = comparator.map_or(String::new(), |sign| format!("{sign} "));
    text.push_str(&number);
    if let Some(unit) = unit(value) {
        text.push(' ');
        text.push_str(&unit);
    }
    Some(text)
}

/// A Ratio: a titre, or an amount per another.
pub(super) fn ratio(value: &Value) -> Option<String> {
    let part = |key: &str| value.get(key).and_then(quantity);
    match (part("numerator"), part("denominator")) {
        (Some(above), Some(below)) if value.get("numerator").and_then(unit).is_none() => {
            Some(format!("{above}:{below}"))
        }
        (Some(above), Some(below)) => Some(format!("{above} per {below}")),
        (above, below) => above.or(below),
    }
}

/// A Range in words.
pub(crate) fn range(value: &Value) -> Option<String> {
    let (low, high) = (value.get("low"), value.get("high"));
    match (low.and_then(quantity), high.and_then(quantity)) {
        (Some(low_text), Some(high_text)) => {
            let same = low.and_then(unit) == high.and_then(unit);
            let bare = low.and_then(|low| number(low.get("value")?));
            match bare {
                Some(bare) if same => Some(format!("{bare} to {high_text}")),
                _ => Some(format!("{low_text} to {high_text}")),
            }
        }
        (Some(low), None) => Some(format!("at least {low}")),
        (None, Some(high)) => Some(format!("at most {high}")),
        (None, None) => None,
    }
}
