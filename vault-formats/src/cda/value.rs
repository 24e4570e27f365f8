//! The values of observations.
//!
//! Source: HL7 v3 data types; FHIR R4, Observation.value\[x\] and code system data-absent-reason.

use serde_json::{Map, Value, json};

use super::reader::{Node, attr, child, children, data_type, fixed, is_null};
use super::time::{Interval, date_time, time};
use super::work::Work;
use crate::fhir;

/// Longest text that is a value, in bytes; more is a document, not a value.
const MAX_TEXT: usize = 32 << 10;

/// Writes the value of an observation, or why there is none.
pub(super) fn put_value<'a>(
    work: &mut Work<'a>,
    resource: &mut Map<String, Value>,
    node: Node<'a>,
) {
    let mut values = children(node, "value");
    let Some(value) = values.next() else {
        resource.insert("dataAbsentReason".into(), absent("unknown"));
        return;
    };
    if values.next().is_some() {
        work.report("an observation with several values: only the first was taken");
    }
    match read(work, value) {
        Ok((key, read)) => {
            resource.insert(format!("value{key}"), read);
        }
        Err(reason) => {
            resource.insert("dataAbsentReason".into(), absent(reason));
        }
    }
}

/// The value, with the end of its name in FHIR.
///
/// # Errors
/// The code of the reason why there is none.
fn read<'a>(work: &mut Work<'a>, value: Node<'a>) -> Result<(&'static str, Value), &'static str> {
    let kind = data_type(value).unwrap_or_else(|| likely_type(value));
    if matches!(kind, "CD" | "CE" | "CO" | "CV" | "CS" | "SC") {
        let coded = work.anchors.coded(Some(value));
        let concept = coded.and_then(|coded| coded.concept());
        return match concept {
            Some(concept) => Ok(("CodeableConcept", concept)),
            None => Err(null_reason(value)),
        };
    }
    if is_null(value) {
        return Err(null_reason(value));
    }
    let written = attr(value, "value");
    let read = match kind {
        "PQ" => simple_quantity(value, None).map(|value| ("Quantity", value)),
        "REAL" => written
            .and_then(|text| fhir::quantity(text, None, false))
            .map(|value| ("Quantity", value)),
        "INT" => written.and_then(integer),
        "BL" => match written {
            Some("true" | "1") => Some(("Boolean", json!(true))),
            Some("false" | "0") => Some(("Boolean", json!(false))),
            _ => None,
        },
        "ST" | "ED" => return words(work, value),
        "TS" => time(value).map(|time| ("DateTime", json!(date_time(&time)))),
        "IVL_TS" => Interval::of(Some(value))
            .period()
            .map(|period| ("Period", period)),
        "IVL_PQ" | "IVL_REAL" | "IVL_INT" => interval(value),
        "RTO" | "RTO_PQ_PQ" | "RTO_INT_INT" | "RTO_QTY_QTY" | "RTO_REAL_REAL" => ratio(value),
        _ => {
            work.report("a value of a type that is not understood was left out");
            return Err("unsupported");
        }
    };
    read.ok_or_else(|| {
        if written.is_some() || value.has_children() {
            work.report("a value that does not read as its type was left out");
            "error"
        } else {
            "unknown"
        }
    })
}

/// What a value that does not name its type looks like.
fn likely_type(value: Node<'_>) -> &'static str {
    if attr(value, "code").is_some() || child(value, "translation").is_some() {
        "CD"
    } else if attr(value, "value").is_some() {
        "PQ"
    } else if child(value, "low").is_some() || child(value, "high").is_some() {
        "IVL_PQ"
    } else {
        "ST"
    }
}

fn integer(text: &str) -> Option<(&'static str, Value)> {
    match text.parse::<i32>() {
        Ok(number) => Some(("Integer", json!(number))),
        // too large for FHIR's integer
        Err(_) => Some(("Quantity", fhir::quantity(text, None, false)?)),
    }
}

fn words<'a>(work: &mut Work<'a>, value: Node<'a>) -> Result<(&'static str, Value), &'static str> {
    let plain = attr(value, "mediaType").is_none_or(|kind| kind.starts_with("text/plain"));
    if !plain || attr(value, "representation") == Some("B64") {
        work.report("a value that is a file was left out");
        return Err("unsupported");
    }
    if child(value, "reference").is_some() {
        let words = work.anchors.words(value).ok_or("unknown")?;
        return Ok(("String", json!(words)));
    }
    let mut whole = String::new();
    for part in value.descendants().filter(|part| part.is_text()) {
        whole.push_str(part.text().unwrap_or_default());
        if whole.len() > MAX_TEXT {
            work.report("a value that is longer than 32 KiB was left out");
            return Err("unsupported");
        }
    }
    let whole = whole.trim();
    // some write the text into the attribute
    let whole = if whole.is_empty() {
        attr(value, "value").unwrap_or_default()
    } else {
        whole
    };
    if whole.is_empty() {
        return Err("unknown");
    }
    let printable = whole
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    Ok(("String", json!(printable.collect::<String>())))
}

/// A Quantity with exactly the digits of a PQ; its unit is a code only where it is one of UCUM.
/// `unit` is what is counted where the quantity has none.
pub(super) fn simple_quantity(node: Node<'_>, unit: Option<&str>) -> Option<Value> {
    if is_null(node) {
        return None;
    }
    let value = attr(node, "value")?;
    match attr(node, "unit") {
        Some(unit) => fhir::quantity(value, Some(unit), fhir::is_ucum(unit)),
        None => fhir::quantity(value, unit, false),
    }
}

/// A Range with both of its ends or one; `None` when an end that is given is no number, since a range
/// without it would say something else.
pub(super) fn range(node: Node<'_>) -> Option<Value> {
    if is_null(node) {
        return None;
    }
    let mut range = Map::new();
    for bound in ["low", "high"] {
        let given = child(node, bound).filter(|bound| !is_null(*bound));
        if let Some(given) = given.filter(|given| attr(*given, "value").is_some()) {
            range.insert(bound.into(), simple_quantity(given, None)?);
        }
    }
    (!range.is_empty()).then_some(Value::Object(range))
}

/// An interval: open on one side it is a quantity with a comparator.
fn interval(value: Node<'_>) -> Option<(&'static str, Value)> {
    let bound = |name: &str| child(value, name).filter(|bound| !is_null(*bound));
    let inclusive = |bound: Node<'_>| !matches!(attr(bound, "inclusive"), Some("false" | "0"));
    let (bound, comparator) = match (bound("low"), bound("high")) {
        (Some(low), Some(high)) => {
            let mut range = Map::new();
            range.insert("low".into(), simple_quantity(low, None)?);
            range.insert("high".into(), simple_quantity(high, None)?);
            return Some(("Range", Value::Object(range)));
        }
        (Some(low), None) => (low, if inclusive(low) { ">=" } else { ">" }),
        (None, Some(high)) => (high, if inclusive(high) { "<=" } else { "<" }),
        (None, None) => {
            let middle = child(value, "center").unwrap_or(value);
            return Some(("Quantity", simple_quantity(middle, None)?));
        }
    };
    let mut quantity = simple_quantity(bound, None)?;
    if let Value::Object(quantity) = &mut quantity {
        quantity.insert("comparator".into(), json!(comparator));
    }
    Some(("Quantity", quantity))
}

fn ratio(value: Node<'_>) -> Option<(&'static str, Value)> {
    let part = |name: &str| child(value, name).and_then(|node| simple_quantity(node, None));
    let (numerator, denominator) = (part("numerator")?, part("denominator")?);
    Some((
        "Ratio",
        json!({"numerator": numerator, "denominator": denominator}),
    ))
}

fn null_reason(value: Node<'_>) -> &'static str {
    match attr(value, "nullFlavor") {
        Some("ASKU") => "asked-unknown",
        Some("NAV") => "temp-unknown",
        Some("NASK") => "not-asked",
        Some("MSK") => "masked",
        Some("NA") => "not-applicable",
        Some("NINF") => "negative-infinity",
        Some("PINF") => "positive-infinity",
        _ => "unknown",
    }
}

fn absent(reason: &str) -> Value {
    let display = match reason {
        "asked-unknown" => "Asked But Unknown",
        "temp-unknown" => "Temporarily Unknown",
        "not-asked" => "Not Asked",
        "masked" => "Masked",
        "not-applicable" => "Not Applicable",
        "negative-infinity" => "Negative Infinity (NINF)",
        "positive-infinity" => "Positive Infinity (PINF)",
        "unsupported" => "Unsupported",
        "error" => "Error",
        _ => "Unknown",
    };
    fixed("data-absent-reason", reason, display)
}
