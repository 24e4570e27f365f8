//! Reading FHIR elements of any release for people: codes, values, dates, names and references as
//! words.
//!
//! Lenient: what has another shape than expected gives nothing. Source: FHIR R4, "Data Types"; the
//! other releases where they differ.

use serde_json::Value;
use vault_core::Code;

use super::text::clean_line;
use super::values::ratio;
pub(crate) use super::values::{date, period, quantity, range};

/// Most items of a list that are read.
const MAX_ITEMS: usize = 200;

/// A member that is a string and not blank.
pub(crate) fn string<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    let text = value.get(key)?.as_str()?;
    (!text.trim().is_empty()).then_some(text)
}

/// The items of a member; one that is no list counts as one item.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        Some(Value::Array(items)) => items.get(..MAX_ITEMS).unwrap_or(items),
        Some(Value::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

/// The value of a choice element: `value` finds `valueQuantity`, and `value` itself.
pub(crate) fn choice<'a>(value: &'a Value, base: &str) -> Option<&'a Value> {
    if let Some(found) = value.get(base) {
        return Some(found);
    }
    let members = value.as_object()?.iter();
    let mut found = members.filter_map(|(key, value)| {
        let rest = key.strip_prefix(base)?;
        let typed = rest.starts_with(|c: char| c.is_ascii_uppercase());
        (typed && is_type(rest)).then_some(value)
    });
    found.next()
}

/// The name of an element without the type that a choice element ends with: `occurrence` for
/// `occurrenceDateTime`.
pub(super) fn base_name(key: &str) -> &str {
    let ends = key
        .char_indices()
        .skip(1)
        .filter(|(_, c)| c.is_ascii_uppercase());
    let mut bases = ends.map(|(at, _)| key.split_at(at));
    bases
        .find(|(_, end)| is_type(end))
        .map_or(key, |(base, _)| base)
}

/// Whether this is how the name of a choice element may end.
fn is_type(name: &str) -> bool {
    matches!(
        name,
        "Boolean"
            | "Integer"
            | "Integer64"
            | "Decimal"
            | "String"
            | "Code"
            | "Markdown"
            | "Uri"
            | "DateTime"
            | "Date"
            | "Time"
            | "Instant"
            | "Period"
            | "Timing"
            | "Age"
            | "Range"
            | "Quantity"
            | "SimpleQuantity"
            | "Duration"
            | "Ratio"
            | "Money"
            | "Count"
            | "CodeableConcept"
            | "Coding"
            | "Reference"
            | "CodeableReference"
            | "SampledData"
            | "Attachment"
            | "Identifier"
            | "HumanName"
            | "Address"
            | "Base64Binary"
            | "PositiveInt"
            | "UnsignedInt"
            | "ContactPoint"
            | "Annotation"
    )
}

/// A member or choice element in words; several are joined.
pub(crate) fn any(root: &Value, holder: &Value, key: &str) -> Option<String> {
    let value = choice(holder, key)?;
    let texts: Vec<String> = match value {
        Value::Array(items) => {
            let mut texts = Vec::new();
            for text in items
                .iter()
                .take(MAX_ITEMS)
                .filter_map(|item| words(root, item))
            {
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            texts
        }
        one => words(root, one).into_iter().collect(),
    };
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Any data type in words, recognised by its shape. `root` is the resource that may contain what a
/// reference points to.
pub(crate) fn words(root: &Value, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(date(text)),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => {
            let has = |key: &str| object.contains_key(key);
            if has("numerator") || has("denominator") {
                ratio(value)
            } else if has("low") || has("high") {
                range(value)
            } else if has("origin") && has("period") {
                Some("a recorded curve".to_owned())
            } else if value.get("value").is_some_and(Value::is_number) {
                quantity(value)
            } else if has("start") || has("end") {
                period(value)
            } else if has("family") || has("given") {
                name(value)
            } else if has("line") || has("city") || has("postalCode") {
                address(value)
            } else if has("reference") || has("concept") {
                reference(root, value).or_else(|| value.get("concept").and_then(concept))
            } else if has("repeat") || has("event") {
                super::dosage::timing(value)
            } else if has("contentType") || has("data") {
                attachment(value)
            } else if has("time") && has("text") {
                string(value, "text").map(clean_line)
            } else if has("value") {
                string(value, "value").map(clean_line)
            } else {
                concept(value).or_else(|| reference(root, value))
            }
        }
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

/// A CodeableConcept, Coding or CodeableReference in words: its text, else a display, else a code.
pub(crate) fn concept(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => Some(text.as_str()),
        Value::Array(items) => return items.iter().find_map(concept),
        Value::Object(_) => {
            if let Some(inner) = value.get("concept") {
                return concept(inner);
            }
            let codings = items(value, "coding");
            string(value, "text")
                .or_else(|| string(value, "display"))
                .or_else(|| codings.iter().find_map(|coding| string(coding, "display")))
                .or_else(|| codings.iter().find_map(|coding| string(coding, "code")))
                .or_else(|| string(value, "code"))
        }
        _ => None,
    };
    text.map(clean_line).filter(|text| !text.is_empty())
}

/// The codings of a concept, or a Coding itself.
pub(super) fn codings(value: &Value) -> &[Value] {
    let inner = value.get("concept").unwrap_or(value);
    match inner.get("coding") {
        Some(_) => items(inner, "coding"),
        None if inner.get("code").is_some_and(Value::is_string) => std::slice::from_ref(inner),
        None => &[],
    }
}

/// Whether a concept, a list of these or a plain code has one of these codes, in any system and
/// case.
pub(crate) fn has_code(value: Option<&Value>, codes: &[&str]) -> bool {
    let is = |text: &str| {
        codes
            .iter()
            .any(|code| code.eq_ignore_ascii_case(text.trim()))
    };
    match value {
        Some(Value::String(text)) => is(text),
        Some(Value::Array(list)) => list
            .iter()
            .take(MAX_ITEMS)
            .any(|item| !item.is_array() && has_code(Some(item), codes)),
        Some(concept) => codings(concept)
            .iter()
            .any(|coding| string(coding, "code").is_some_and(is)),
        None => false,
    }
}

/// What tells two concepts apart: the code of an international system before any other code, else
/// the words.
pub(crate) fn code_key(value: &Value) -> Option<String> {
    let all: Vec<Code> = codings(value)
        .iter()
        .filter_map(|coding| Code::from_coding(string(coding, "system"), string(coding, "code")?))
        .collect();
    let known = ["loinc", "snomed", "rxnorm", "cvx", "icd10cm", "icd10"];
    let best = known
        .iter()
        .find_map(|system| all.iter().find(|code| code.system() == *system));
    match best.or(all.first()) {
        Some(code) => Some(code.to_string()),
        None => concept(value).map(|text| text.to_lowercase()),
    }
}

/// A HumanName: as it is displayed, else its parts.
pub(crate) fn name(value: &Value) -> Option<String> {
    if let Some(text) = string(value, "text") {
        return Some(clean_line(text));
    }
    let mut parts: Vec<&str> = Vec::new();
    for key in ["prefix", "given", "family", "suffix"] {
        parts.extend(items(value, key).iter().filter_map(Value::as_str));
    }
    let text = clean_line(&parts.join(" "));
    (!text.is_empty()).then_some(text)
}

fn address(value: &Value) -> Option<String> {
    if let Some(text) = string(value, "text") {
        return Some(clean_line(text));
    }
    let mut parts: Vec<&str> = Vec::new();
    for key in ["line", "postalCode", "city", "state", "country"] {
        parts.extend(items(value, key).iter().filter_map(Value::as_str));
    }
    let text = clean_line(&parts.join(", "));
    (!text.is_empty()).then_some(text)
}

fn attachment(value: &Value) -> Option<String> {
    string(value, "title")
        .or_else(|| string(value, "contentType"))
        .map(clean_line)
}

/// A Reference in words: its display, what it contains, its identifier, or its name at the source.
pub(crate) fn reference(root: &Value, value: &Value) -> Option<String> {
    let value = match value.get("reference") {
        Some(inner @ Value::Object(_)) => inner,
        _ => value,
    };
    if let Some(display) = string(value, "display") {
        return Some(clean_line(display));
    }
    let target = string(value, "reference").unwrap_or_default();
    if let Some(id) = target.strip_prefix('#') {
        let contained = items(root, "contained")
            .iter()
            .find(|resource| string(resource, "id") == Some(id))?;
        return title(contained);
    }
    if let Some(number) = value.get("identifier").and_then(|id| string(id, "value")) {
        return Some(clean_line(number));
    }
    if let Some((kind, query)) = target.split_once('?') {
        let number = query.rsplit(['|', '=']).next().unwrap_or_default();
        return Some(clean_line(&format!("{kind} {number}")));
    }
    if target.is_empty() || target.starts_with("urn:") {
        return None;
    }
    let mut from_end = target.rsplit('/');
    let (id, kind) = (from_end.next()?, from_end.next()?);
    Some(clean_line(&format!("{kind} {id}")))
}

/// What a small resource is called: a contained practitioner, drug or organisation.
pub(crate) fn title(resource: &Value) -> Option<String> {
    let named = match resource.get("name") {
        Some(Value::String(text)) => Some(clean_line(text)),
        Some(Value::Array(names)) => names.iter().find_map(name),
        Some(one) => name(one),
        None => None,
    };
    let device = || {
        items(resource, "deviceName")
            .iter()
            .find_map(|n| string(n, "name"))
    };
    named
        .or_else(|| device().map(clean_line))
        .or_else(|| {
            ["code", "type"]
                .iter()
                .find_map(|key| concept(resource.get(key)?))
        })
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn data_types_by_their_shape() {
        let root = json!({"contained": [{"resourceType": "Practitioner", "id": "p",
            "name": [{"given": ["Mira"], "family": "Lind", "prefix": ["Dr"]}]}]});
        let exact: Value = serde_json::from_str(r#"{"value":1.50,"unit":"mg/L"}"#).unwrap();
        for (value, expected) in [
            (exact, "1.50 mg/L"),
            (
                json!({"value": 54, "unit": "mL/min/{1.73_m2}"}),
                "54 mL/min/1.73 m2",
            ),
            (
                json!({"value": 5, "comparator": "<", "code": "mg"}),
                "< 5 mg",
            ),
            (
                json!({"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}}),
                "1 to 2 g",
            ),
            (json!({"low": {"value": 1, "unit": "g"}}), "at least 1 g"),
            (
                json!({"numerator": {"value": 1}, "denominator": {"value": 160}}),
                "1:160",
            ),
            (
                json!({"start": "2024-01-02", "end": "2024-01-05T10:20:30Z"}),
                "2024-01-02 to 2024-01-05 10:20",
            ),
            (
                json!({"coding": [{"code": "x"}, {"display": "Iron"}]}),
                "Iron",
            ),
            (json!({"concept": {"text": "Cough"}}), "Cough"),
            (json!({"reference": {"display": "A clinic"}}), "A clinic"),
            (json!({"reference": "#p"}), "Dr Mira Lind"),
            (
                json!({"reference": "http://h/fhir/Practitioner/7"}),
                "Practitioner 7",
            ),
            (
                json!({"reference": "Practitioner?identifier=npi|99"}),
                "Practitioner 99",
            ),
            (json!({"line": ["Way 1"], "city": "Lund"}), "Way 1, Lund"),
            (json!(true), "yes"),
            (json!("2024-03-01T08:15:00+01:00"), "2024-03-01 08:15"),
        ] {
            assert_eq!(words(&root, &value).as_deref(), Some(expected), "{value}");
        }
        for nothing in [
            json!({"reference": "#gone"}),
            json!({"reference": "urn:uuid:1"}),
            json!({}),
            json!(null),
        ] {
            assert_eq!(words(&root, &nothing), None, "{nothing}");
        }
    }

    #[test]
    fn keys_prefer_international_codes_and_one_name_for_a_system() {
        let by_uri = json!({"coding": [{"system": "urn:x", "code": "1"}, {"system": "http://loinc.org", "code": "718-7"}]});
        let by_oid =
            json!({"coding": [{"system": "urn:oid:2.16.840.1.113883.6.1", "code": "718-7"}]});
        assert_eq!(code_key(&by_uri).as_deref(), Some("loinc|718-7"));
        assert_eq!(code_key(&by_uri), code_key(&by_oid));
        assert_eq!(code_key(&json!({"text": "Iron"})).as_deref(), Some("iron"));
        assert!(has_code(
            Some(&json!([{"coding": [{"code": "Active"}]}])),
            &["active"]
        ));
        assert!(has_code(Some(&json!("active")), &["active"]));
        assert!(!has_code(None, &["active"]));
    }

    #[test]
    fn choices_end_with_a_type() {
        let value = json!({"valueSet": "x", "valueQuantity": {"value": 1}});
        assert_eq!(choice(&value, "value"), Some(&json!({"value": 1})));
        assert_eq!(choice(&json!({"onsetting": 1}), "onset"), None);
        let names = [
            "occurrenceDateTime",
            "quantityQuantity",
            "dateTime",
            "reasonCode",
            "status",
        ];
        assert_eq!(
            names.map(base_name),
            ["occurrence", "quantity", "date", "reason", "status"]
        );
    }
}
