//! Pages of care: procedures, visits, plans, goals, appointments, images.

use serde_json::Value;

use super::page::Page;
use super::read::{any, concept, items, reference, string};

pub(super) fn procedure(page: &mut Page<'_>) {
    page.code("Status", "status");
    page.fields(&[
        ("When", "performed"),
        ("When", "occurrence"),
        ("Body site", "bodySite"),
        ("Outcome", "outcome"),
        ("Complication", "complication"),
        ("Reason", "reason"),
        ("Reason", "reasonCode"),
        ("Reason", "reasonReference"),
        ("Where", "location"),
        ("Follow-up", "followUp"),
        ("Report", "report"),
        ("Category", "category"),
    ]);
    people(page, "performer", "actor", "By");
    let root = page.root;
    let devices = items(root, "focalDevice").iter();
    let devices: Vec<String> = devices
        .filter_map(|d| any(root, d, "manipulated"))
        .collect();
    page.field("Device", Some(devices.join("; ")));
}

/// The persons of a list, with what they did.
fn people(page: &mut Page<'_>, list: &str, member: &str, label: &str) {
    let root = page.root;
    let shown: Vec<String> = items(root, list)
        .iter()
        .filter_map(|one| {
            let who = any(root, one, member).or_else(|| reference(root, one))?;
            let role = ["function", "role", "type"]
                .iter()
                .find_map(|key| one.get(key).and_then(concept));
            Some(match role {
                Some(role) => format!("{who} ({role})"),
                None => who,
            })
        })
        .collect();
    page.field(label, Some(shown.join("; ")));
}

pub(super) fn encounter(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.fields(&[
        ("Type", "type"),
        ("Service", "serviceType"),
        ("When", "period"),
        ("When", "actualPeriod"),
        ("Length", "length"),
        ("Priority", "priority"),
    ]);
    let class = any(root, root, "class");
    page.field(
        "Class",
        class.map(|class| class_words(&class).map_or(class, str::to_owned)),
    );
    people(page, "participant", "individual", "With");
    people(page, "participant", "actor", "With");
    page.fields(&[
        ("Reason", "reasonCode"),
        ("Reason", "reasonReference"),
        ("Clinic", "serviceProvider"),
    ]);
    for reason in items(root, "reason") {
        let text = any(root, reason, "value").or_else(|| concept(reason));
        page.field("Reason", text.or_else(|| reference(root, reason)));
    }
    for diagnosis in items(root, "diagnosis") {
        page.field("Diagnosis", any(root, diagnosis, "condition"));
    }
    for place in items(root, "location") {
        page.field("Where", any(root, place, "location"));
    }
    for key in ["hospitalization", "admission"] {
        let Some(stay) = root.get(key) else { continue };
        page.field("Admitted from", any(root, stay, "admitSource"));
        page.field("Discharged to", any(root, stay, "dischargeDisposition"));
    }
}

/// Classes of visits that came as a code only. Source: HL7 v3 ActEncounterCode.
fn class_words(code: &str) -> Option<&'static str> {
    Some(match code {
        "AMB" => "ambulatory",
        "EMER" => "emergency",
        "FLD" => "in the field",
        "HH" => "at home",
        "IMP" | "ACUTE" | "NONAC" => "inpatient",
        "OBSENC" => "observation",
        "PRENC" => "before admission",
        "SS" => "short stay",
        "VR" => "virtual",
        _ => return None,
    })
}

pub(super) fn care_plan(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.fields(&[
        ("Category", "category"),
        ("When", "period"),
        ("For", "addresses"),
        ("Goals", "goal"),
        ("By", "author"),
        ("By", "contributor"),
        ("Care team", "careTeam"),
    ]);
    if let Some(text) = string(root, "description") {
        page.long("Description", text);
    }
    let mut rows = Vec::new();
    for activity in items(root, "activity") {
        let detail = activity.get("detail").unwrap_or(&Value::Null);
        let what = any(root, detail, "code")
            .or_else(|| any(root, detail, "description"))
            .or_else(|| any(root, activity, "plannedActivityReference"))
            .or_else(|| any(root, activity, "reference"))
            .or_else(|| any(root, activity, "performedActivity"));
        let Some(what) = what else { continue };
        let status = string(detail, "status")
            .map(super::page::spaced)
            .unwrap_or_default();
        rows.push(vec![
            what,
            status,
            any(root, detail, "scheduled").unwrap_or_default(),
        ]);
    }
    page.table(&["Activity", "Status", "When"], rows);
    page.narrative("Text", root);
}

pub(super) fn care_team(page: &mut Page<'_>) {
    page.code("Status", "status");
    page.fields(&[
        ("Category", "category"),
        ("When", "period"),
        ("Clinic", "managingOrganization"),
    ]);
    let rows = care_team_rows(page.root)
        .into_iter()
        .map(|(who, role)| vec![who, role]);
    page.table(&["Who", "Role"], rows.collect());
}

/// The members of a care team and their roles.
pub(super) fn care_team_rows(team: &Value) -> Vec<(String, String)> {
    let rows = items(team, "participant").iter().filter_map(|one| {
        let who = any(team, one, "member").or_else(|| any(team, one, "onBehalfOf"));
        let role = any(team, one, "role");
        match (who, role) {
            (None, None) => None,
            (who, role) => Some((who.unwrap_or_default(), role.unwrap_or_default())),
        }
    });
    rows.collect()
}

pub(super) fn goal(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "lifecycleStatus");
    page.code("Status", "status");
    page.fields(&[
        ("Goal", "description"),
        ("Achievement", "achievementStatus"),
        ("Priority", "priority"),
        ("Since", "start"),
        ("Status of", "statusDate"),
        ("Set by", "expressedBy"),
        ("Set by", "source"),
        ("For", "addresses"),
        ("Outcome", "outcome"),
        ("Outcome", "outcomeCode"),
        ("Category", "category"),
    ]);
    let rows = items(root, "target").iter().map(|target| {
        ["measure", "detail", "due"]
            .iter()
            .map(|key| any(root, target, key).unwrap_or_default())
            .collect()
    });
    page.table(&["Measure", "Target", "Due"], rows.collect());
}

pub(super) fn appointment(page: &mut Page<'_>) {
    page.code("Status", "status");
    page.fields(&[
        ("From", "start"),
        ("To", "end"),
        ("Wished", "requestedPeriod"),
        ("Type", "appointmentType"),
        ("Service", "serviceType"),
        ("Specialty", "specialty"),
        ("Reason", "reason"),
        ("Reason", "reasonCode"),
        ("Reason", "reasonReference"),
    ]);
    people(page, "participant", "actor", "With");
    for key in ["description", "patientInstruction"] {
        if let Some(text) = string(page.root, key) {
            page.long(
                if key == "description" {
                    "Description"
                } else {
                    "Instructions"
                },
                text,
            );
        }
    }
}

pub(super) fn imaging_study(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.fields(&[
        ("Description", "description"),
        ("When", "started"),
        ("Procedure", "procedureCode"),
        ("Reason", "reasonCode"),
        ("Series", "numberOfSeries"),
        ("Images", "numberOfInstances"),
        ("By", "interpreter"),
        ("Ordered by", "referrer"),
        ("Where", "location"),
    ]);
    let rows = items(root, "series").iter().map(|series| {
        [
            "description",
            "modality",
            "bodySite",
            "started",
            "numberOfInstances",
        ]
        .iter()
        .map(|key| any(root, series, key).unwrap_or_default())
        .collect()
    });
    page.table(
        &["Series", "Modality", "Body site", "When", "Images"],
        rows.collect(),
    );
}
