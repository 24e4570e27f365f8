//! One record for a person: which page for which type, and the pages of findings.
//!
//! Source: the resource definitions of FHIR DSTU2 to R5.

use serde_json::Value;
use vault_core::{Label, RecordMeta};

use super::page::{Page, spaced, spelled};
use super::read::{any, choice, concept, items, range, reference, string, words};
use super::text::clean_line;
use super::{Shown, generic, show_care, show_medication, show_other, show_person};

/// Renders one FHIR resource of any release for a person. `meta` is its summary.
pub fn show(resource: &Value, meta: &RecordMeta) -> Shown {
    let kind = string(resource, "resourceType").unwrap_or(meta.kind.as_str());
    let title = match meta.title.as_str() {
        "" => spelled(kind),
        title if title == kind => spelled(kind),
        title => format!("{}: {title}", kind_words(kind)),
    };
    let mut page = Page::new(resource, clean_line(&title));
    page.warnings();
    match kind {
        "Observation" => observation(&mut page),
        "DiagnosticReport" => report(&mut page),
        "Condition" => condition(&mut page),
        "AllergyIntolerance" => allergy(&mut page),
        "MedicationRequest"
        | "MedicationOrder"
        | "MedicationPrescription"
        | "MedicationStatement"
        | "MedicationUsage"
        | "MedicationDispense"
        | "MedicationAdministration" => show_medication::medication(&mut page),
        "Immunization" => show_medication::immunization(&mut page),
        "Procedure" => show_care::procedure(&mut page),
        "Encounter" => show_care::encounter(&mut page),
        "CarePlan" => show_care::care_plan(&mut page),
        "CareTeam" => show_care::care_team(&mut page),
        "Goal" => show_care::goal(&mut page),
        "Appointment" => show_care::appointment(&mut page),
        "ImagingStudy" => show_care::imaging_study(&mut page),
        "DocumentReference" => show_other::document(&mut page),
        "Composition" => show_other::composition(&mut page),
        "QuestionnaireResponse" => show_other::answers(&mut page),
        "FamilyMemberHistory" => show_other::family(&mut page),
        "Device" => show_other::device(&mut page),
        "Coverage" => show_other::coverage(&mut page),
        "Claim" | "ExplanationOfBenefit" | "ClaimResponse" => show_other::claim(&mut page),
        "Patient" | "Practitioner" | "RelatedPerson" | "Person" | "Organization" | "Location" => {
            show_person::person(&mut page);
        }
        _ => generic::generic(&mut page),
    }
    page.notes();
    if page.is_empty() {
        page.narrative("Text", resource);
    }
    let sensitive: Vec<&str> = meta
        .labels
        .iter()
        .filter(|label| label.is_sensitive())
        .map(|label| label.meaning().unwrap_or(Label::as_str(label)))
        .collect();
    page.field("Sensitive", Some(sensitive.join("; ")));
    page.field(
        "Derived from",
        meta.origin.map(|origin| format!("record {origin}")),
    );
    page.finish()
}

/// What people call a type.
fn kind_words(kind: &str) -> String {
    match kind {
        "Observation" => "Result".into(),
        "DiagnosticReport" => "Report".into(),
        "Condition" => "Problem".into(),
        "AllergyIntolerance" => "Allergy or intolerance".into(),
        "MedicationRequest" | "MedicationOrder" | "MedicationPrescription" => "Prescription".into(),
        "MedicationStatement" | "MedicationUsage" => "Medication".into(),
        "MedicationDispense" => "Dispensed medication".into(),
        "MedicationAdministration" => "Given medication".into(),
        "Encounter" => "Visit".into(),
        "DocumentReference" | "Composition" => "Document".into(),
        "FamilyMemberHistory" => "Family history".into(),
        "ExplanationOfBenefit" => "Statement of benefit".into(),
        other => spelled(other),
    }
}

/// What an interpretation code says. Source: HL7 v3 ObservationInterpretation, v2 table 0078.
pub(super) fn flag(code: &str) -> Option<&'static str> {
    Some(match code {
        "H" | "HU" => "high",
        "L" | "LU" => "low",
        "HH" | "HH*" => "critically high",
        "LL" | "LL*" => "critically low",
        "A" => "abnormal",
        "AA" => "critically abnormal",
        "N" => "normal",
        "POS" => "positive",
        "NEG" => "negative",
        "IND" => "indeterminate",
        "E" => "equivocal",
        "DET" => "detected",
        "ND" => "not detected",
        "RR" => "reactive",
        "NR" => "not reactive",
        "WR" => "weakly reactive",
        "R" => "resistant",
        "S" => "susceptible",
        "I" => "intermediate",
        ">" => "above the scale",
        "<" => "below the scale",
        "U" => "significantly up",
        "D" => "significantly down",
        "B" => "better",
        "W" => "worse",
        _ => return None,
    })
}

/// The interpretation of an Observation or one of its components.
pub(super) fn interpretation(observation: &Value) -> Option<String> {
    let mut found = Vec::new();
    for concept_value in items(observation, "interpretation") {
        let codes = items(concept_value, "coding");
        let known = codes.iter().find_map(|c| flag(string(c, "code")?));
        found.extend(known.map(str::to_owned).or_else(|| concept(concept_value)));
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// The value of an Observation or component, or why there is none.
pub(super) fn value(root: &Value, observation: &Value) -> Option<String> {
    let value = choice(observation, "value").and_then(|value| words(root, value));
    value.or_else(|| {
        let reason = observation.get("dataAbsentReason").and_then(concept)?;
        Some(format!("no value ({})", spaced(&reason)))
    })
}

/// The value with its interpretation, in one text.
pub(crate) fn flagged(root: &Value, observation: &Value) -> Option<String> {
    let value = value(root, observation)?;
    Some(match interpretation(observation) {
        Some(flag) => format!("{value} ({flag})"),
        None => value,
    })
}

/// The reference ranges of an Observation or component.
pub(super) fn reference_range(observation: &Value) -> Option<String> {
    let texts: Vec<String> = items(observation, "referenceRange")
        .iter()
        .filter_map(|given| {
            let text = string(given, "text")
                .map(clean_line)
                .or_else(|| range(given))?;
            let who = given.get("appliesTo").and_then(concept);
            Some(match who {
                Some(who) => format!("{text} ({who})"),
                None => text,
            })
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn observation(page: &mut Page<'_>) {
    let root = page.root;
    match root.get("valueString") {
        Some(Value::String(text)) => page.long("Value", text),
        _ => page.field("Value", value(root, root)),
    }
    page.field("Interpretation", interpretation(root));
    page.field("Reference range", reference_range(root));
    let rows = items(root, "component").iter().map(|part| {
        let cell = |text: Option<String>| text.unwrap_or_default();
        vec![
            cell(part.get("code").and_then(concept)),
            cell(value(root, part)),
            cell(interpretation(part)),
            cell(reference_range(part)),
        ]
    });
    page.table(
        &["Part", "Value", "Interpretation", "Reference range"],
        rows.collect(),
    );
    if string(root, "status").is_some_and(|status| status != "final") {
        page.code("Status", "status");
    }
    page.fields(&[
        ("When", "effective"),
        ("Reported", "issued"),
        ("By", "performer"),
        ("Method", "method"),
        ("Body site", "bodySite"),
        ("Specimen", "specimen"),
        ("Device", "device"),
        ("About", "focus"),
        ("Includes", "hasMember"),
        ("From", "derivedFrom"),
        ("Category", "category"),
    ]);
}

fn report(page: &mut Page<'_>) {
    let root = page.root;
    if let Some(text) = string(root, "conclusion") {
        page.long("Conclusion", text);
    }
    page.fields(&[
        ("Diagnosis", "conclusionCode"),
        ("Diagnosis", "codedDiagnosis"),
    ]);
    if string(root, "status").is_some_and(|status| status != "final") {
        page.code("Status", "status");
    }
    page.fields(&[
        ("When", "effective"),
        ("Reported", "issued"),
        ("By", "performer"),
        ("Interpreted by", "resultsInterpreter"),
        ("Specimen", "specimen"),
        ("Images", "imagingStudy"),
    ]);
    let shown = |one: &Value| reference(root, one).map(|text| vec![text]);
    let results: Vec<_> = items(root, "result").iter().filter_map(shown).collect();
    page.table(&["Results"], results);
    for form in items(root, "presentedForm") {
        show_other::attachment(page, form);
    }
}

fn condition(page: &mut Page<'_>) {
    page.code("Status", "clinicalStatus");
    page.code("Certainty", "verificationStatus");
    page.fields(&[
        ("Severity", "severity"),
        ("Since", "onset"),
        ("Until", "abatement"),
        ("Body site", "bodySite"),
        ("Recorded", "recordedDate"),
        ("Recorded", "assertedDate"),
        ("Recorded", "dateRecorded"),
        ("Recorded by", "recorder"),
        ("According to", "asserter"),
        ("Category", "category"),
        ("Seen at", "encounter"),
    ]);
    let root = page.root;
    let stages = items(root, "stage").iter();
    let stages: Vec<String> = stages
        .filter_map(|stage| any(root, stage, "summary"))
        .collect();
    page.field("Stage", Some(stages.join("; ")));
}

fn allergy(page: &mut Page<'_>) {
    let root = page.root;
    let criticality = string(root, "criticality").map(|code| match code {
        "high" | "CRITH" => "high: may be life-threatening".to_owned(),
        "low" | "CRITL" => "low".to_owned(),
        "unable-to-assess" | "CRITU" => "could not be assessed".to_owned(),
        other => clean_line(other),
    });
    page.field("Criticality", criticality);
    page.code("Status", "clinicalStatus");
    page.code("Certainty", "verificationStatus");
    if root.get("clinicalStatus").is_none() {
        page.code("Status", "status");
    }
    page.code("Kind", "type");
    page.code("Category", "category");
    let rows = items(root, "reaction").iter().map(|reaction| {
        [
            "manifestation",
            "severity",
            "substance",
            "exposureRoute",
            "onset",
            "description",
        ]
        .iter()
        .map(|key| any(root, reaction, key).unwrap_or_default())
        .collect()
    });
    page.table(
        &["Reaction", "Severity", "To", "Route", "When", "Description"],
        rows.collect(),
    );
    page.fields(&[
        ("Since", "onset"),
        ("Last occurrence", "lastOccurrence"),
        ("Last occurrence", "lastOccurence"),
        ("Recorded", "recordedDate"),
        ("Recorded", "assertedDate"),
        ("Recorded by", "recorder"),
        ("According to", "asserter"),
        ("According to", "reporter"),
    ]);
}

#[cfg(test)]
mod tests;
