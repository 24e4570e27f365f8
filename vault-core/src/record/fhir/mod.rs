//! Reading the header summary out of one FHIR resource in JSON, of any release.
//!
//! Lenient on purpose: a field that is missing, odd or of another release's shape is passed over.
//! Sources: FHIR DSTU2, STU3, R4, R4B and R5, the resource definitions.

mod author;
mod category;
mod codes;
mod date;
mod fields;
mod labels;
mod standing;
mod title;

use super::json::{Members, too_deep};
use super::meta::clean_field;
use super::{Kind, RecordMeta};
use fields::Fields;

/// Media type of a FHIR resource in JSON. Source: FHIR R4, section "Resource formats".
pub const FHIR_JSON: &str = "application/fhir+json";

/// Why a piece of JSON is not a FHIR resource that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FhirError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// No `resourceType`.
    #[error("a resource without resourceType")]
    NoResourceType,
    /// `resourceType` is not the name of a type.
    #[error("resourceType is not the name of a resource type")]
    BadResourceType,
    /// Nested deeper than 127 levels.
    #[error("nested more than 127 levels deep")]
    TooDeep,
}

/// The summary of one resource. `text` is the JSON of that resource alone.
///
/// # Errors
/// [`FhirError`] when it is no resource, or one that other readers could not open.
pub fn summary(text: &str) -> Result<RecordMeta, FhirError> {
    let members = Members::parse(text).map_err(|_| FhirError::NotAnObject)?;
    summary_of(text, &members)
}

/// [`summary`] of a resource that is already taken apart.
pub(super) fn summary_of(text: &str, members: &Members<'_>) -> Result<RecordMeta, FhirError> {
    if !members.has("resourceType") {
        return Err(FhirError::NoResourceType);
    }
    let kind = members
        .text("resourceType")
        .and_then(|name| Kind::new(&name).ok())
        .ok_or(FhirError::BadResourceType)?;
    if too_deep(text) {
        return Err(FhirError::TooDeep);
    }
    let source_id = members
        .text("id")
        .map(|id| clean_field(&format!("{kind}/{id}")));
    let fields = Fields::new(members);
    Ok(RecordMeta {
        category: category::category(&kind, &fields),
        date: date::date(&fields),
        title: title::title(&kind, &fields),
        labels: labels::labels(members),
        codes: codes::codes(&kind, &fields),
        author: author::author(&fields),
        media_type: FHIR_JSON.to_owned(),
        source_id,
        kind,
        ..RecordMeta::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Category, Label};
    use super::*;

    fn of(text: &str) -> RecordMeta {
        summary(text).unwrap()
    }

    #[test]
    fn a_laboratory_result() {
        let meta = of(
            r#"{"resourceType":"Observation","id":"123","status":"final",
            "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},
            "category":[{"coding":[{"code":"laboratory"}]}],
            "code":{"coding":[{"system":"http://loinc.org","code":"718-7","display":"Haemoglobin"}]},
            "effectiveDateTime":"2024-03-01T08:00:00Z","issued":"2024-03-02T08:00:00Z"}"#,
        );
        assert_eq!(meta.kind.as_str(), "Observation");
        assert_eq!(meta.category, Category::Lab);
        assert_eq!(meta.date.unwrap().as_str(), "2024-03-01T08:00:00Z");
        assert_eq!(meta.title, "Haemoglobin");
        assert_eq!(meta.labels, [Label::new("HIV").unwrap()].into());
        assert_eq!(meta.media_type, FHIR_JSON);
        assert_eq!(meta.source_id.as_deref(), Some("Observation/123"));
    }

    #[test]
    fn what_is_no_resource_says_so() {
        assert_eq!(summary("[]"), Err(FhirError::NotAnObject));
        assert_eq!(summary("{}"), Err(FhirError::NoResourceType));
        let odd = r#"{"resourceType":"Pat ient"}"#;
        assert_eq!(summary(odd), Err(FhirError::BadResourceType));
    }

    #[test]
    fn odd_fields_never_fail() {
        let odd = r#"{"resourceType":"Observation","id":7,"meta":5,"category":9,"code":[[]],
            "effectiveDateTime":{"a":[]},"contained":{},"securityLabel":[]}"#;
        let meta = of(odd);
        assert_eq!(meta.title, "Observation");
        assert_eq!(meta.source_id, None);
    }
}
