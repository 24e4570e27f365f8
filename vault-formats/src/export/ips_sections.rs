//! Which record belongs to which section of a patient summary, and what the section says in words.
//!
//! Source: HL7 International Patient Summary Implementation Guide 2.0, the Composition profile.

use serde_json::{Value, json};
use vault_core::Category;

use super::Resource;
use crate::overview::{
    UNCERTAIN, absence, any, choice, clean_line, code_key, concept, dosage, escape, flagged,
    has_code, is_active_problem, is_current_medication, is_not_confirmed, is_not_done, items,
    not_final, reactions, sampled, spaced, string,
};

/// A section of the document.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// Its LOINC code.
    pub(super) code: &'static str,
    /// Whether it is there when it has no entries, with the reason.
    pub(super) always: bool,
    /// Whether only the newest of each code counts.
    pub(super) newest: bool,
}

const fn section(title: &'static str, code: &'static str, always: bool, newest: bool) -> Section {
    Section {
        title,
        code,
        always,
        newest,
    }
}

pub(super) const PROBLEMS: usize = 0;
pub(super) const ALLERGIES: usize = 1;
pub(super) const MEDICATIONS: usize = 2;
const IMMUNIZATIONS: usize = 3;
const PROCEDURES: usize = 4;
pub(super) const DEVICES: usize = 5;
const RESULTS: usize = 6;
const VITALS: usize = 7;
const PAST: usize = 8;
const SOCIAL: usize = 9;
const PLAN: usize = 10;
pub(super) const PREGNANCY: usize = 11;

/// All sections, in their order.
pub(super) const SECTIONS: [Section; 12] = [
    section("Problems", "11450-4", true, false),
    section("Allergies and intolerances", "48765-2", true, false),
    section("Medication", "10160-0", true, false),
    section("Immunizations", "11369-6", true, false),
    section("Procedures", "47519-4", true, false),
    section("Medical devices", "46264-8", true, false),
    section("Results", "30954-2", true, true),
    section("Vital signs", "8716-3", false, true),
    section("Past illnesses", "11348-0", false, false),
    section("Social history", "29762-2", false, true),
    section("Plan of care", "18776-5", false, false),
    section("Pregnancy", "10162-6", false, true),
];

/// The types that sections are made of.
pub(super) const SECTION_KINDS: &[&str] = &[
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationOrder",
    "MedicationStatement",
    "Immunization",
    "Procedure",
    "DeviceUseStatement",
    "DiagnosticReport",
    "Observation",
    "CarePlan",
];

/// What a row needs to know beside its record.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    /// When a medicine was to end, if that is over.
    pub(super) ended: Option<String>,
    /// What an older version says.
    pub(super) older: Option<String>,
    /// The isolate that was tested, and what tells it from others.
    pub(super) isolate: Option<(String, String)>,
    /// For a medicine: what it is called, if that is certain.
    pub(super) drug: Option<Option<String>>,
}

/// Observations about a pregnancy: status, expected date, numbers of pregnancies and births.
const PREGNANCY_CODES: &[&str] = &[
    "82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2",
    "11640-0", "11612-9", "11613-7", "11614-5", "33065-4",
];

/// The section that a record belongs to; `None` for what the document has no section for. The
/// record must stand: not refuted, not entered in error.
pub(super) fn section_of(resource: &Resource) -> Option<usize> {
    let json = &resource.json;
    let status = json.get("status");
    match string(json, "resourceType")? {
        "Condition" if is_active_problem(json) => Some(PROBLEMS),
        "Condition" => Some(PAST),
        "AllergyIntolerance" => Some(ALLERGIES),
        "MedicationRequest" | "MedicationOrder" | "MedicationStatement" => {
            is_current_medication(json).then_some(MEDICATIONS)
        }
        "Immunization" => (!is_not_done(json)).then_some(IMMUNIZATIONS),
        "Procedure" => {
            let done = has_code(status, &["completed", "in-progress", "on-hold", "unknown"]);
            (done && !is_not_done(json)).then_some(PROCEDURES)
        }
        "DeviceUseStatement" => {
            has_code(status, &["active", "intended", "on-hold"]).then_some(DEVICES)
        }
        "DiagnosticReport" => {
            let told = has_code(status, &["final", "amended", "corrected", "appended"]);
            let results = matches!(resource.meta.category, Category::Lab | Category::Imaging);
            (told && results).then_some(RESULTS)
        }
        "Observation" => observation(resource),
        "CarePlan" => has_code(status, &["active"]).then_some(PLAN),
        _ => None,
    }
}

fn observation(resource: &Resource) -> Option<usize> {
    let json = &resource.json;
    if !has_code(
        json.get("status"),
        &["final", "amended", "corrected", "preliminary"],
    ) {
        return None;
    }
    if has_code(json.get("code"), PREGNANCY_CODES) {
        return Some(PREGNANCY);
    }
    if has_code(json.get("category"), &["social-history"]) {
        return Some(SOCIAL);
    }
    match resource.meta.category {
        Category::Vitals => Some(VITALS),
        Category::Lab | Category::Imaging => Some(RESULTS),
        _ => None,
    }
}

/// What tells two records of a section apart: code, status, day and details; the code and the site
/// of the body where only the newest counts.
pub(super) fn key(
    resource: &Resource,
    newest: bool,
    beside: &Beside,
    drug: Option<String>,
) -> String {
    let json = &resource.json;
    let kind = string(json, "resourceType").unwrap_or_default();
    let mut code = drug;
    if code.is_none() && beside.drug.is_some() {
        // two that are not certain need not be the same
        code = Some(resource.record.to_string());
    }
    for key in ["code", "vaccineCode", "substance", "category"] {
        code = code.or_else(|| json.get(key).and_then(code_key));
    }
    let code = code.unwrap_or_else(|| resource.meta.title.to_lowercase());
    if newest {
        let site = json.get("bodySite").and_then(code_key).unwrap_or_default();
        let isolate = beside.isolate.as_ref().map_or("", |(_, key)| key.as_str());
        return format!("{kind}|{code}|{site}|{isolate}");
    }
    let mut status = String::new();
    for key in ["clinicalStatus", "status"] {
        status.push_str(&json.get(key).and_then(concept).unwrap_or_default());
    }
    let day = resource
        .meta
        .date
        .as_ref()
        .map(vault_core::ClinicalDate::to_day);
    let day = day.map(|day| day.to_string()).unwrap_or_default();
    // two devices or plans may share all of that
    let own = match kind {
        "DeviceUseStatement" | "CarePlan" => resource.record.to_string(),
        _ => String::new(),
    };
    // another dose or reaction is another thing
    let [_, detail, _] = row(resource, None, beside);
    format!("{kind}|{code}|{status}|{day}|{own}|{detail}")
}

/// One row of a section in words: what, more about it, when.
pub(super) fn row(resource: &Resource, name: Option<String>, beside: &Beside) -> [String; 3] {
    let json = &resource.json;
    let mut detail: Vec<String> = Vec::new();
    match string(json, "resourceType").unwrap_or_default() {
        "Observation" => {
            detail.extend(flagged(json, json));
            for part in items(json, "component") {
                let name = part.get("code").and_then(concept).unwrap_or_default();
                detail.extend(flagged(json, part).map(|value| format!("{name} {value}")));
            }
            detail.extend(any(json, json, "bodySite"));
            detail.extend(not_final(json));
            detail.extend(sampled(json));
            detail.extend((beside.isolate.as_ref()).map(|(germ, _)| format!("isolate: {germ}")));
        }
        "AllergyIntolerance" => {
            detail.extend(string(json, "criticality").map(|c| format!("criticality {c}")));
            detail.extend(reactions(json));
            detail.extend(json.get("clinicalStatus").and_then(concept));
        }
        "Condition" => {
            detail.extend(json.get("severity").and_then(concept));
            detail.extend(any(json, json, "bodySite"));
            detail.extend(json.get("clinicalStatus").and_then(concept));
        }
        "MedicationRequest" | "MedicationOrder" | "MedicationStatement" => {
            for key in ["dosage", "dosageInstruction"] {
                let doses = items(json, key).iter();
                detail.extend(doses.filter_map(|dose| dosage(json, dose)));
            }
            detail.extend(match (&beside.ended, string(json, "status")) {
                (Some(end), _) => Some(format!("was to end {end}")),
                (None, Some("unknown")) => Some("status unknown".to_owned()),
                (None, status) => status.map(str::to_owned),
            });
        }
        "Immunization" => detail.extend(string(json, "lotNumber").map(|lot| format!("lot {lot}"))),
        "DiagnosticReport" => {
            detail.extend(string(json, "conclusion").map(str::to_owned));
            detail.extend(not_final(json));
        }
        "CarePlan" => detail.extend(any(json, json, "addresses")),
        "Procedure" => detail.extend(any(json, json, "bodySite")),
        _ => {}
    }
    if is_not_confirmed(json) {
        detail.push("not confirmed".into());
    }
    detail.extend(beside.older.clone());
    let detail = clean_line(&detail.join("; "));
    let date = resource
        .meta
        .date
        .as_ref()
        .map(|date| date.to_day().to_string());
    let drug = match &beside.drug {
        Some(None) => Some(UNCERTAIN.to_owned()),
        Some(drug) => drug.clone().filter(|_| absence(json).is_none()),
        None => None,
    };
    [
        drug.or(name).unwrap_or_else(|| titled(resource)),
        detail,
        date.unwrap_or_default(),
    ]
}

/// What a record is called. One that says that there is nothing may have a code only.
fn titled(resource: &Resource) -> String {
    match absence(&resource.json) {
        Some(_) => spaced(&resource.meta.title),
        None => resource.meta.title.clone(),
    }
}

/// The narrative of a section.
pub(super) fn narrative(rows: &[[String; 3]]) -> Value {
    let mut table = String::from(
        "<table><thead><tr><th>What</th><th>Details</th><th>Date</th></tr></thead><tbody>",
    );
    for row in rows {
        table.push_str("<tr>");
        for cell in row {
            table.push_str(&format!("<td>{}</td>", escape(cell)));
        }
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table>");
    div(&table)
}

/// A narrative of one sentence.
pub(super) fn sentence(text: &str) -> Value {
    div(&format!("<p>{}</p>", escape(text)))
}

fn div(inner: &str) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
    json!({ "status": "generated", "div": div })
}

/// Whether a record says that there is nothing of its kind.
pub(super) fn says_none(resource: &Value) -> bool {
    absence(resource) == Some(crate::overview::Absence::NoneKnown)
}

/// Whether an Observation has anything to tell.
pub(super) fn tells(resource: &Value) -> bool {
    string(resource, "resourceType") != Some("Observation")
        || choice(resource, "value").is_some()
        || !items(resource, "component").is_empty()
        || !items(resource, "hasMember").is_empty()
}
