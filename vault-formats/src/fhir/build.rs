//! The pieces that derived resources are made of.

use serde_json::{Map, Number, Value, json};
use vault_core::Code;
use vault_core::record::clean_title;

/// A decimal with exactly the digits of `text`; `None` when it is no number. `+5.0`, `.5` and `007`
/// are written in other formats and lose what JSON does not allow, never a digit that counts.
///
/// Source: FHIR R4, data type decimal ("the precision of the decimal value has significance").
pub(crate) fn decimal(text: &str) -> Option<Value> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let too_long = digits.len() > 64;
    if too_long || digits.is_empty() || digits == "." || !all_digits(whole) || !all_digits(fraction)
    {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let written = if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    };
    let number: Number = serde_json::from_str(&written).ok()?;
    Some(Value::Number(number))
}

/// A Coding. `system` is a URI, an OID or an abbreviation of HL7 v2, as [`Code::from_coding`] takes.
pub(crate) fn coding(system: Option<&str>, code: &str, display: Option<&str>) -> Option<Value> {
    let kept = Code::from_coding(system, code)?;
    let mut coding = Map::new();
    if let Some(system) = kept.system_uri() {
        coding.insert("system".into(), json!(system));
    }
    coding.insert("code".into(), json!(kept.code()));
    if let Some(display) = display.map(clean_title).filter(|text| !text.is_empty()) {
        coding.insert("display".into(), json!(display));
    }
    Some(Value::Object(coding))
}

/// A CodeableConcept; `None` when there is neither a coding nor a text.
pub(crate) fn concept(codings: Vec<Value>, text: Option<&str>) -> Option<Value> {
    let text = text.map(clean_title).filter(|text| !text.is_empty());
    let mut concept = Map::new();
    if !codings.is_empty() {
        concept.insert("coding".into(), Value::Array(codings));
    }
    if let Some(text) = text {
        concept.insert("text".into(), json!(text));
    }
    (!concept.is_empty()).then_some(Value::Object(concept))
}

/// A Quantity with exactly these digits. `ucum` says that the unit is a UCUM code.
pub(crate) fn quantity(value: &str, unit: Option<&str>, ucum: bool) -> Option<Value> {
    let mut quantity = Map::new();
    quantity.insert("value".into(), decimal(value)?);
    if let Some(unit) = unit.map(str::trim).filter(|unit| !unit.is_empty()) {
        quantity.insert("unit".into(), json!(clean_title(unit)));
        if ucum && !unit.contains(char::is_whitespace) {
            quantity.insert("system".into(), json!("http://unitsofmeasure.org"));
            quantity.insert("code".into(), json!(unit));
        }
    }
    Some(Value::Object(quantity))
}

/// A Reference by `Type/id`.
pub(crate) fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        for (text, expected) in [
            ("1.50", "1.50"),
            ("-0.10", "-0.10"),
            ("+5.0", "5.0"),
            (".5", "0.5"),
            ("007", "7"),
            ("0", "0"),
            (" 12 ", "12"),
            ("3.", "3"),
            (
                "123456789012345678901234567890.10",
                "123456789012345678901234567890.10",
            ),
        ] {
            assert_eq!(decimal(text).unwrap().to_string(), expected, "{text}");
        }
        for bad in [
            "",
            ".",
            "-",
            "1e5",
            "1,5",
            "<5",
            "abc",
            "1.2.3",
            &"9".repeat(65),
        ] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn codings_by_any_name_of_their_system() {
        assert_eq!(
            coding(Some("LN"), "718-7", Some("Haemoglobin")).unwrap(),
            json!({"system": "http://loinc.org", "code": "718-7", "display": "Haemoglobin"})
        );
        assert_eq!(coding(Some("LN"), " ", None), None);
        assert_eq!(concept(vec![], None), None);
        assert_eq!(
            quantity("13.50", Some("g/dL"), true).unwrap().to_string(),
            r#"{"code":"g/dL","system":"http://unitsofmeasure.org","unit":"g/dL","value":13.50}"#
        );
    }
}
