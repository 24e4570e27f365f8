//! The shelf that a resource belongs on.

use super::fields::Fields;
use crate::record::{Category, Kind};
use serde_json::Value;

/// By its type, and by its own category codes where the type does not tell.
pub(super) fn category(kind: &Kind, fields: &Fields<'_, '_>) -> Category {
    match kind.as_str() {
        "Observation" | "DiagnosticReport" => by_tags(fields).unwrap_or(Category::Other),
        "Specimen" => Category::Lab,
        "Medication"
        | "MedicationRequest"
        | "MedicationOrder"
        | "MedicationPrescription"
        | "MedicationStatement"
        | "MedicationUsage"
        | "MedicationDispense"
        | "MedicationAdministration" => Category::Medication,
        "Immunization" | "ImmunizationRecommendation" | "ImmunizationEvaluation" => {
            Category::Immunization
        }
        "Condition" => Category::Condition,
        "AllergyIntolerance" => Category::Allergy,
        "Procedure" | "ProcedureRequest" | "ServiceRequest" => Category::Procedure,
        "ImagingStudy"
        | "ImagingSelection"
        | "ImagingObjectSelection"
        | "ImagingManifest"
        | "Media" => Category::Imaging,
        "DocumentReference" | "DocumentManifest" | "Composition" | "ClinicalImpression" => {
            Category::Note
        }
        "Coverage"
        | "Claim"
        | "ClaimResponse"
        | "ExplanationOfBenefit"
        | "InsurancePlan"
        | "CoverageEligibilityRequest"
        | "CoverageEligibilityResponse"
        | "EligibilityRequest"
        | "EligibilityResponse" => Category::Coverage,
        "Patient" | "Person" | "RelatedPerson" => Category::Identity,
        _ => Category::Other,
    }
}

/// The category that an Observation's or report's own `category` codes say.
fn by_tags(fields: &Fields<'_, '_>) -> Option<Category> {
    let mut found: Vec<Category> = Vec::new();
    let value = fields.get("category")?;
    let concepts = match &*value {
        Value::Array(concepts) => concepts.as_slice(),
        one => std::slice::from_ref(one),
    };
    for concept in concepts {
        let codings = concept.get("coding").and_then(Value::as_array);
        let codes = codings.into_iter().flatten().map(|c| c.get("code"));
        for code in codes.chain([concept.get("text")]).flatten() {
            found.extend(code.as_str().and_then(tag));
        }
    }
    // a report may be filed under several; the most telling wins
    [
        Category::Imaging,
        Category::Lab,
        Category::Vitals,
        Category::Procedure,
        Category::Note,
    ]
    .into_iter()
    .find(|category| found.contains(category))
}

/// Observation category codes, HL7 v2 table 0074 (diagnostic service sections), and the LOINC codes
/// that US Core uses for reports.
fn tag(code: &str) -> Option<Category> {
    let category = match code.to_ascii_lowercase().as_str() {
        "laboratory" | "lab" | "hm" | "ch" | "mb" | "sp" | "cg" | "ge" | "pat" | "blb" | "bg"
        | "cp" | "imm" | "mcb" | "myc" | "par" | "sr" | "tx" | "vr" | "lp7839-6" | "lp29693-6"
        | "26436-6" => Category::Lab,
        "vital-signs" | "vital-sign" | "vital signs" | "vitals" => Category::Vitals,
        "imaging" | "radiology" | "rad" | "rx" | "rus" | "ct" | "nmr" | "nms" | "mri" | "cus"
        | "ous" | "vus" | "xrc" | "lp29684-5" | "18748-4" => Category::Imaging,
        "procedure" => Category::Procedure,
        // notes: history and physical, evaluation and plan, progress, consultation, discharge
        "34117-2" | "51847-2" | "11506-3" | "11488-4" | "18842-5" | "28570-0" | "clinical-note" => {
            Category::Note
        }
        _ => return None,
    };
    Some(category)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::summary;

    #[test]
    fn categories_by_type_and_by_tag() {
        use Category::*;
        for (rest, expected) in [
            (
                r#""Observation","category":{"coding":[{"code":"vital-signs"}]}"#,
                Vitals,
            ),
            (r#""Observation","category":[{"text":"Laboratory"}]"#, Lab),
            (
                r#""Observation","category":[{"coding":[{"code":"survey"}]}]"#,
                Other,
            ),
            (r#""Observation""#, Other),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"LAB"}]}]"#,
                Lab,
            ),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"LP29684-5"}]}]"#,
                Imaging,
            ),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"34117-2"}]}]"#,
                Note,
            ),
            (r#""MedicationOrder""#, Medication),
            (r#""Immunization""#, Immunization),
            (r#""ExplanationOfBenefit""#, Coverage),
            (r#""Patient""#, Identity),
            (r#""Somethingnew""#, Other),
        ] {
            let text = format!(r#"{{"resourceType":{rest}}}"#);
            assert_eq!(summary(&text).unwrap().category, expected, "{text}");
        }
    }
}
