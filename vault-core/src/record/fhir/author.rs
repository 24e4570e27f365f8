//! Who wrote, performed, stated or ordered what a resource tells.
//!
//! A name is taken from a Reference's display or from the contained resource that it points to. A
//! bare reference is no name.

use serde_json::Value;

use super::fields::Fields;
use super::title::words;
use crate::record::clean_field;

/// Where the person or organisation stands: writing and doing come before ordering and keeping.
const FIELDS: &[&str] = &[
    "author",
    "performer",
    "asserter",
    "recorder",
    "agent",
    "practitioner",
    "operator",
    "dispenser",
    "collection",
    "requester",
    "prescriber",
    "orderer",
    "orderingProvider",
    "participant",
    "resultsInterpreter",
    "interpreter",
    "referrer",
    "informationSource",
    "source",
    "serviceProvider",
    "provider",
    "authenticator",
    "attester",
    "custodian",
];

/// Where the Reference stands in an element that has other things to say, too.
const INSIDE: &[&str] = &[
    "actor",
    "individual",
    "agent",
    "who",
    "whoReference",
    "collector",
    "party",
    "practitioner",
    "organization",
    "onBehalfOf",
];

/// Deepest element that a name is looked for in, counted from the field.
const MAX_LEVELS: usize = 5;

/// The first of them who has a name.
pub(super) fn author(fields: &Fields<'_, '_>) -> Option<String> {
    FIELDS
        .iter()
        .filter_map(|key| fields.get(key))
        .find_map(|value| name(&value, fields, MAX_LEVELS))
}

fn name(value: &Value, fields: &Fields<'_, '_>, levels: usize) -> Option<String> {
    let levels = levels.checked_sub(1)?;
    match value {
        Value::Array(items) => items.iter().find_map(|item| name(item, fields, levels)),
        Value::Object(object) => {
            let display = object.get("display").and_then(Value::as_str);
            display
                .and_then(fit)
                .or_else(|| {
                    let resource = fields.contained(value)?;
                    let named = resource.get("name").and_then(words);
                    named
                        .as_deref()
                        .and_then(fit)
                        .or_else(|| inside(&resource, fields, levels))
                })
                .or_else(|| inside(value, fields, levels))
        }
        _ => None,
    }
}

fn inside(value: &Value, fields: &Fields<'_, '_>, levels: usize) -> Option<String> {
    INSIDE
        .iter()
        .filter_map(|key| value.get(*key))
        .find_map(|inner| name(inner, fields, levels))
}

fn fit(text: &str) -> Option<String> {
    Some(clean_field(text)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::record::summary;

    #[test]
    fn names_of_every_release_and_no_bare_reference() {
        for (rest, expected) in [
            (
                r#""performer":[{"reference":"Practitioner/1"},{"display":"Dr Lind"}]"#,
                Some("Dr Lind"),
            ),
            (
                r#""performer":[{"function":{"text":"nurse"},"actor":{"display":"Nurse Joy"}}]"#,
                Some("Nurse Joy"),
            ),
            (
                r##""author":[{"reference":"#p"}],"contained":[{"resourceType":"Practitioner","id":"p",
                    "name":[{"given":["Eva"],"family":"Lind"}]}]"##,
                Some("Eva Lind"),
            ),
            (
                r##""requester":{"reference":"#r"},"contained":[{"resourceType":"PractitionerRole","id":"r",
                    "practitioner":{"display":"Dr Berg"}}]"##,
                Some("Dr Berg"),
            ),
            (
                r##""custodian":{"reference":"#o"},"contained":[{"id":"o","name":"North Clinic"}]"##,
                Some("North Clinic"),
            ),
            (
                r#""requester":{"agent":{"display":"Dr Lind"},"onBehalfOf":{"display":"Clinic"}}"#,
                Some("Dr Lind"),
            ),
            (
                r#""participant":[{"individual":{"display":"Dr Lind"}}],"serviceProvider":{"display":"Clinic"}"#,
                Some("Dr Lind"),
            ),
            (
                r#""participant":[{"actor":{"reference":"Practitioner/1"}}],"serviceProvider":{"display":"Clinic"}"#,
                Some("Clinic"),
            ),
            (
                r#""prescriber":{"display":" "},"recorder":{"display":"A\u001b[1m"}"#,
                Some("A[1m"),
            ),
            (
                r#""asserter":{"display":"Dr A"},"author":{"display":"Dr B"}"#,
                Some("Dr B"),
            ),
            (r#""author":[{"reference":"Practitioner/1"}]"#, None),
            (r##""author":{"reference":"#gone"}"##, None),
            (
                r#""author":7,"performer":[[[[[[[{"display":"deep"}]]]]]]]"#,
                None,
            ),
            (r#""subject":{"display":"Pat"}"#, None),
        ] {
            let text = format!(r#"{{"resourceType":"X",{rest}}}"#);
            let author = summary(&text).unwrap().author;
            assert_eq!(author.as_deref(), expected, "{rest}");
        }
    }

    #[test]
    fn a_circle_of_contained_resources_ends() {
        let text = r##"{"resourceType":"X","author":{"reference":"#a"},
            "contained":[{"id":"a","practitioner":{"reference":"#a"}}]}"##;
        assert_eq!(summary(text).unwrap().author, None);
    }
}
