//! What a resource says about itself: whether it stands, whether it is current, or whether it only
//! says that there is nothing.
//!
//! Sources: FHIR DSTU2 to R5, the status value sets; HL7 IPS, code system absent-unknown-uv-ips;
//! SNOMED CT for the situations "no known …".

use serde_json::Value;

use super::read::{choice, concept, has_code, string};

/// A record that says that there is nothing to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It was asked, and there is none.
    NoneKnown,
    /// It is not known whether there is any.
    NoInformation,
}

/// Whether the record was withdrawn, entered in error, or says that something is not so.
pub(crate) fn is_wrong(resource: &Value) -> bool {
    let wrong = &["entered-in-error", "refuted"];
    [
        "status",
        "verificationStatus",
        "docStatus",
        "clinicalStatus",
    ]
    .iter()
    .any(|key| has_code(resource.get(key), wrong))
}

/// Whether it says that something was not done, not given or is not taken.
pub(crate) fn is_not_done(resource: &Value) -> bool {
    let flag = |key: &str| resource.get(key) == Some(&Value::Bool(true));
    has_code(
        resource.get("status"),
        &["not-done", "not-taken", "declined", "not-given"],
    ) || flag("notGiven")
        || flag("wasNotGiven")
        || flag("notDone")
        || flag("notPerformed")
        || flag("wasNotTaken")
        || flag("doNotPerform")
        || has_code(resource.get("taken"), &["n"])
}

/// Whether a resource of this kind only says that there is nothing, or that nothing is known.
pub(crate) fn absence(resource: &Value) -> Option<Absence> {
    let what = choice(resource, "code")
        .or_else(|| choice(resource, "substance"))
        .or_else(|| choice(resource, "medication"))
        .or_else(|| resource.get("vaccineCode"))
        .or_else(|| resource.get("type"))?;
    let known = [
        "no-known-allergies",
        "no-known-medication-allergies",
        "no-known-environmental-allergies",
        "no-known-food-allergies",
        "no-known-problems",
        "no-known-medications",
        "no-known-immunizations",
        "no-known-procedures",
        "no-known-devices",
        "716186003", // no known allergy
        "409137002", // no known drug allergy
        "429625007", // no known food allergy
        "428607008", // no known environmental allergy
        "428197003", // no known insect allergy
        "716184000", // no known latex allergy
        "160245001", // no current problems or disability
    ];
    let unknown = [
        "no-allergy-info",
        "no-problem-info",
        "no-medication-info",
        "no-immunization-info",
        "no-procedure-info",
        "no-device-info",
    ];
    if has_code(Some(what), &known) {
        return Some(Absence::NoneKnown);
    }
    if has_code(Some(what), &unknown) {
        return Some(Absence::NoInformation);
    }
    // whole phrases only: what follows "no known" may be an exception
    let text = concept(what)?.to_lowercase();
    let text = text.trim().trim_end_matches('.');
    NONE_KNOWN.contains(&text).then_some(Absence::NoneKnown)
}

/// Phrases that say that nothing is known of a kind.
const NONE_KNOWN: &[&str] = &[
    "nka",
    "nkda",
    "nkfa",
    "no known allergies",
    "no known allergy",
    "no known drug allergies",
    "no known drug allergy",
    "no known medication allergies",
    "no known medication allergy",
    "no known food allergies",
    "no known food allergy",
    "no known environmental allergies",
    "no known environmental allergy",
    "no known problems",
    "no known active problems",
    "no known medications",
    "no known immunizations",
    "no known procedures",
    "no known devices",
];

/// Which sort of allergy a record of none rules out: a category, or `None` for all of them.
fn sort_ruled_out(resource: &Value) -> Option<&'static str> {
    let what = choice(resource, "code").or_else(|| choice(resource, "substance"))?;
    let text = concept(what).unwrap_or_default().to_lowercase();
    let is = |codes: &[&str], words: &[&str]| {
        has_code(Some(what), codes) || words.iter().any(|word| text.contains(word))
    };
    if is(
        &["409137002", "no-known-medication-allergies"],
        &["drug", "medication", "nkda"],
    ) {
        Some("medication")
    } else if is(&["429625007", "no-known-food-allergies"], &["food", "nkfa"]) {
        Some("food")
    } else if is(
        &[
            "428607008",
            "428197003",
            "716184000",
            "no-known-environmental-allergies",
        ],
        &["environment", "insect", "latex"],
    ) {
        Some("environment")
    } else {
        None
    }
}

/// Whether the allergy `known`, which is current, speaks against the record `none` of no allergy of
/// its sort. One without a category may be of any sort.
pub(crate) fn denied(none: &Value, known: &Value) -> bool {
    let Some(sort) = sort_ruled_out(none) else {
        return true;
    };
    let sorts = known.get("category");
    let any_sort = super::read::items(known, "category").is_empty();
    any_sort
        || has_code(sorts, &[sort])
        || (sort == "environment" && has_code(sorts, &["biologic"]))
}

/// Whether an allergy is current.
pub(crate) fn is_active_allergy(allergy: &Value) -> bool {
    let over = &["inactive", "resolved"];
    !has_code(allergy.get("clinicalStatus"), over) && !has_code(allergy.get("status"), over)
}

/// The reactions of an allergy, each with its severity.
pub(crate) fn reactions(allergy: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for reaction in super::read::items(allergy, "reaction") {
        let what = super::read::any(allergy, reaction, "manifestation")
            .or_else(|| super::read::any(allergy, reaction, "description"));
        let severity = string(reaction, "severity").map(super::text::clean_line);
        let text = match (what, severity) {
            (Some(what), Some(severity)) => format!("{what} ({severity})"),
            (Some(what), None) => what,
            (None, Some(severity)) => format!("{severity} reaction"),
            (None, None) => continue,
        };
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Whether it is suspected only.
pub(crate) fn is_not_confirmed(resource: &Value) -> bool {
    let doubted = &["unconfirmed", "provisional", "differential", "presumed"];
    has_code(resource.get("verificationStatus"), doubted)
}

/// Whether a Condition is what a visit was filed under, and nothing says whether it is a problem.
pub(crate) fn is_visit_diagnosis(condition: &Value) -> bool {
    has_code(condition.get("category"), &["encounter-diagnosis"])
        && condition.get("clinicalStatus").and_then(concept).is_none()
}

/// Whether a Condition is active: by its clinical status, or because nothing says that it ended.
pub(crate) fn is_active_problem(condition: &Value) -> bool {
    if is_visit_diagnosis(condition) {
        return false;
    }
    match condition.get("clinicalStatus") {
        Some(status) if concept(status).is_some() => {
            has_code(Some(status), &["active", "recurrence", "relapse"])
        }
        _ => match choice(condition, "abatement") {
            None | Some(Value::Bool(false)) => true,
            Some(_) => false,
        },
    }
}

/// Whether a prescription or statement is about a medicine that is taken now, or paused.
pub(crate) fn is_current_medication(resource: &Value) -> bool {
    if is_wrong(resource) || is_not_done(resource) {
        return false;
    }
    match string(resource, "resourceType") {
        // plans and proposals are no prescriptions
        Some("MedicationRequest")
            if matches!(string(resource, "intent"), Some("proposal" | "option")) =>
        {
            false
        }
        Some("MedicationRequest" | "MedicationOrder" | "MedicationPrescription") => {
            has_code(resource.get("status"), &["active", "on-hold", "unknown"])
        }
        // `recorded` is all that R5 says; its adherence says the rest
        Some("MedicationStatement" | "MedicationUsage") => {
            let stopped = [
                "not-taking",
                "stopped",
                "stopped-completed-treatment",
                "not-taken",
            ];
            let adherence = resource.get("adherence").and_then(|a| a.get("code"));
            has_code(
                resource.get("status"),
                &["active", "on-hold", "intended", "recorded", "unknown"],
            ) && !has_code(adherence, &stopped)
        }
        _ => false,
    }
}

/// When a medicine was to end, where it says: the day or what is known of it.
pub(crate) fn medication_end(resource: &Value) -> Option<&str> {
    let taken = choice(resource, "effective").and_then(|period| string(period, "end"));
    taken.or_else(|| {
        let mut ends = Vec::new();
        for key in ["dosageInstruction", "dosage"] {
            for dosage in super::read::items(resource, key) {
                let repeat = dosage.get("timing")?.get("repeat")?;
                ends.push(string(choice(repeat, "bounds")?, "end")?);
            }
        }
        // the course ends with its last part
        ends.into_iter().max()
    })
}

/// Whether an Observation is about something else than its subject: a fetus, a device, a relative.
pub(crate) fn has_other_focus(observation: &Value) -> bool {
    let to = |value: &Value| string(value, "reference").and_then(super::reference::target);
    let subject = observation.get("subject").and_then(to);
    let focus = super::read::items(observation, "focus");
    focus
        .iter()
        .any(|focus| subject.is_none() || to(focus) != subject)
}

/// A status as a word, the same whether it came as a code or as a concept with a text of its own.
pub(crate) fn status(value: Option<&Value>) -> Option<String> {
    let value = value?;
    let code = super::read::items(value, "coding")
        .iter()
        .find_map(|coding| string(coding, "code"));
    let text = code.map(super::text::clean_line).or_else(|| concept(value));
    text.map(|text| super::page::spaced(&text))
}

/// The day of a date, or what it says of it.
pub(crate) fn day(text: &str) -> &str {
    text.get(..10).unwrap_or(text)
}

/// Whether all of `date` lies before the day `today`.
pub(crate) fn is_past(date: &str, today: &str) -> bool {
    let length = day(date).len().min(today.len());
    match (date.get(..length), today.get(..length)) {
        (Some(date), Some(today)) => date < today,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn none_known_is_not_the_same_as_nothing_known() {
        let allergy = |code: &str| json!({"code": {"coding": [{"code": code}]}});
        assert_eq!(absence(&allergy("716186003")), Some(Absence::NoneKnown));
        assert_eq!(
            absence(&allergy("no-allergy-info")),
            Some(Absence::NoInformation)
        );
        assert_eq!(absence(&allergy("91936005")), None);
        assert_eq!(
            absence(&json!({"code": {"text": "No known drug allergies"}})),
            Some(Absence::NoneKnown)
        );
        let except = json!({"code": {"text": "No known food allergies, except severe shellfish anaphylaxis"}});
        assert_eq!(absence(&except), None);
        let penicillin = json!({"category": ["medication"]});
        for (none, expected) in [
            ("716186003", true),
            ("409137002", true),
            ("429625007", false),
        ] {
            assert_eq!(denied(&allergy(none), &penicillin), expected, "{none}");
        }
        assert!(denied(&allergy("429625007"), &json!({})));
        let medicine =
            json!({"medicationCodeableConcept": {"coding": [{"code": "no-known-medications"}]}});
        assert_eq!(absence(&medicine), Some(Absence::NoneKnown));
    }

    #[test]
    fn what_stands_in_every_release() {
        let concept = |code: &str| json!({"coding": [{"code": code}]});
        assert!(is_wrong(&json!({"verificationStatus": concept("refuted")})));
        assert!(is_wrong(&json!({"verificationStatus": "entered-in-error"})));
        assert!(is_wrong(&json!({"status": "entered-in-error"})));
        assert!(!is_wrong(&json!({"status": "final"})));
        assert!(is_active_problem(
            &json!({"clinicalStatus": concept("recurrence")})
        ));
        assert!(is_active_problem(&json!({"clinicalStatus": "active"})));
        assert!(is_active_problem(&json!({})));
        assert!(!is_active_problem(&json!({"clinicalStatus": "resolved"})));
        assert!(!is_active_problem(&json!({"abatementDateTime": "2020"})));
        assert!(is_not_done(&json!({"wasNotGiven": true})));
        let order = |status: &str| json!({"resourceType": "MedicationRequest", "status": status});
        assert!(is_current_medication(&order("active")));
        assert!(is_current_medication(&order("unknown")));
        assert!(!is_current_medication(&order("stopped")));
        let visit = json!({"category": [concept("encounter-diagnosis")]});
        assert!(!is_active_problem(&visit) && is_visit_diagnosis(&visit));
        let not_taken =
            json!({"resourceType": "MedicationStatement", "status": "active", "taken": "n"});
        assert!(!is_current_medication(&not_taken));
    }

    #[test]
    fn past_means_wholly_past() {
        assert!(is_past("2024-05-01", "2024-05-02"));
        assert!(is_past("2024-05-01T23:00:00Z", "2024-05-02"));
        assert!(is_past("2023", "2024-05-02"));
        assert!(!is_past("2024", "2024-05-02"));
        assert!(!is_past("2024-05-02", "2024-05-02"));
        assert!(!is_past("", "2024-05-02"));
        let course = json!({"dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2024-03-09"}}}}]});
        assert_eq!(medication_end(&course), Some("2024-03-09"));
    }
}
