//! Makes the summary of one resource after the other.

use std::collections::BTreeMap;

use serde_json::Value;
use vault_core::{Category, RecordId};

use super::about::About;
use super::dosage::dosage;
use super::facts::{
    Absence, absence, denied, has_other_focus, is_active_allergy, is_active_problem,
    is_current_medication, is_not_confirmed, is_not_done, is_past, is_visit_diagnosis, is_wrong,
    medication_end, reactions, status,
};
use super::page::spaced;
use super::read::{any, choice, code_key, date, has_code, items, string};
use super::reference::{UNCERTAIN, drug};
use super::show_care::care_team_rows;
use super::statements::{Known, Standing, Statements};
use super::summary::Summary;
use super::summary_parts::{Entry, Merged, people};
use super::text::clean_line;
use super::trend::Series;
use crate::Person;
use crate::export::Resource;

/// Most allergies that are held against records of none.
const MAX_ALLERGIES: usize = 1000;

/// Makes a [`Summary`] of one resource after the other. What it needs of them is kept as text until
/// all are known.
#[derive(Debug, Default)]
pub struct SummaryBuilder {
    today: String,
    resources: usize,
    owner: Option<Person>,
    statements: Statements,
}

impl SummaryBuilder {
    /// For a day, `YYYY-MM-DD`: what is past is judged by it.
    pub fn new(today: &str) -> Self {
        Self {
            today: today.to_owned(),
            ..Self::default()
        }
    }

    /// Says whose records these are: among several Patient records the one of this name is meant.
    pub fn owned_by(mut self, owner: Option<Person>) -> Self {
        self.owner = owner;
        self
    }

    /// Adds the newest version of one record. Where records contradict each other and none says when
    /// it was updated, the one that is added later counts.
    pub fn add(&mut self, resource: &Resource) {
        self.resources += 1;
        let kind = string(&resource.json, "resourceType").unwrap_or_default();
        let listed = matches!(
            kind,
            "Condition"
                | "AllergyIntolerance"
                | "MedicationRequest"
                | "MedicationOrder"
                | "MedicationPrescription"
                | "MedicationStatement"
                | "MedicationUsage"
                | "Immunization"
                | "Observation"
                | "Procedure"
                | "Appointment"
                | "CareTeam"
        );
        self.statements
            .add(resource, listed || is_wrong(&resource.json));
    }

    /// The page.
    pub fn finish(self) -> Summary {
        let mut sections = Sections {
            today: self.today,
            results: Series::by_site(),
            observations: Series::by_site(),
            ..Sections::default()
        };
        let known = self
            .statements
            .finish(None, self.owner.as_ref(), |known, standing| {
                sections.add(known, &standing);
            });
        sections.page(self.resources, &known)
    }
}

/// The sections while they are filled.
#[derive(Debug, Default)]
struct Sections {
    today: String,
    problems: Merged,
    visit_diagnoses: Merged,
    allergies: Merged,
    none_known: BTreeMap<&'static str, Merged>,
    medications: Merged,
    immunizations: Merged,
    procedures: Merged,
    appointments: Merged,
    care_team: Merged,
    results: Series,
    vitals: Series,
    observations: Series,
    withdrawn: Vec<RecordId>,
    not_about_patient: Vec<RecordId>,
    /// Allergies that are current, to be held against records of none.
    allergic: Vec<Value>,
    none_allergic: Vec<Resource>,
    /// What an older version of the record at hand says.
    older: Option<String>,
}

impl Sections {
    fn add(&mut self, known: &Known, standing: &Standing) {
        let resource = &standing.resource;
        let json = &resource.json;
        let kind = string(json, "resourceType").unwrap_or_default();
        if standing.about != About::Patient || (kind == "Observation" && has_other_focus(json)) {
            self.not_about_patient.push(resource.record);
            return;
        }
        if standing.in_error || is_wrong(json) {
            self.withdrawn.push(resource.record);
            return;
        }
        self.older.clone_from(&standing.older);
        match kind {
            "Condition" => self.problem(resource),
            "AllergyIntolerance" => self.allergy(resource),
            "Immunization" => self.immunization(resource),
            "Observation" => self.observation(resource, standing.isolate.as_ref()),
            "Procedure" => self.procedure(resource),
            "Appointment" => self.appointment(resource),
            "CareTeam" => self.team(resource),
            _ => self.medication(resource, known),
        }
    }

    fn page(mut self, resources: usize, known: &Known) -> Summary {
        for none in std::mem::take(&mut self.none_allergic) {
            if !self.allergic.iter().any(|some| denied(&none.json, some)) {
                self.none("allergies", &none);
            }
        }
        let merged = [
            &self.problems,
            &self.visit_diagnoses,
            &self.allergies,
            &self.medications,
            &self.immunizations,
            &self.procedures,
            &self.appointments,
            &self.care_team,
        ];
        let series = [&self.results, &self.vitals, &self.observations];
        let left_out = merged.iter().map(|m| m.left_out).sum::<usize>()
            + series.iter().map(|s| s.left_out).sum::<usize>();
        let mut appointments = self.appointments.newest_first();
        appointments.reverse();
        let none_known = self.none_known.into_iter();
        Summary {
            today: self.today,
            resources,
            patients: people(known),
            problems: self.problems.newest_first(),
            visit_diagnoses: self.visit_diagnoses.newest_first(),
            allergies: self.allergies.newest_first(),
            none_known: none_known
                .map(|(key, of)| (key, of.newest_first()))
                .collect(),
            medications: self.medications.newest_first(),
            immunizations: self.immunizations.newest_first(),
            results: self.results.newest_first(),
            vitals: self.vitals.newest_first(),
            observations: self.observations.newest_first(),
            procedures: self.procedures.newest_first(),
            appointments,
            care_team: self.care_team.newest_first(),
            not_about_patient: self.not_about_patient,
            left_out,
            withdrawn: self.withdrawn,
        }
    }

    fn problem(&mut self, resource: &Resource) {
        if self.says_nothing("problems", resource) {
            return;
        }
        let json = &resource.json;
        let active = is_active_problem(json);
        let said = status(json.get("clinicalStatus"));
        let mut entry = entry(resource, active);
        entry.status = said;
        let mut detail: Vec<String> = any(json, json, "severity").into_iter().collect();
        // a left side is another thing than a right one
        detail.extend(any(json, json, "bodySite"));
        if !active && let Some(until) = choice(json, "abatement").filter(|until| until.is_string())
        {
            detail.extend(
                super::read::words(json, until)
                    .map(|until| format!("until {}", super::facts::day(&until))),
            );
        }
        if !says_not_confirmed(resource) && is_not_confirmed(json) {
            detail.push("not confirmed".into());
        }
        detail.extend(self.older.take());
        entry.detail = joined(detail);
        let section = match is_visit_diagnosis(json) {
            true => &mut self.visit_diagnoses,
            false => &mut self.problems,
        };
        section.add(key(json, "code", &entry), entry);
    }

    fn allergy(&mut self, resource: &Resource) {
        if self.says_nothing("allergies", resource) {
            return;
        }
        let json = &resource.json;
        let said = json.get("clinicalStatus").or_else(|| json.get("status"));
        let active = is_active_allergy(json);
        if active && self.allergic.len() < MAX_ALLERGIES {
            self.allergic
                .push(serde_json::json!({"category": json.get("category")}));
        }
        let mut entry = entry(resource, active);
        entry.status = status(said);
        let mut detail = Vec::new();
        match string(json, "criticality") {
            Some("high" | "CRITH") => detail.push("high risk".to_owned()),
            Some("low" | "CRITL") => detail.push("low risk".to_owned()),
            _ => {}
        }
        detail.extend(joined(reactions(json)));
        if !says_not_confirmed(resource) && is_not_confirmed(json) {
            detail.push("not confirmed".into());
        }
        detail.extend(self.older.take());
        entry.detail = joined(detail);
        let code = if json.get("code").is_some() {
            "code"
        } else {
            "substance"
        };
        self.allergies.add(key(json, code, &entry), entry);
    }

    fn medication(&mut self, resource: &Resource, known: &Known) {
        let json = &resource.json;
        if !is_current_medication(json) || self.says_nothing("medications", resource) {
            return;
        }
        let ended = medication_end(json).filter(|end| is_past(end, &self.today));
        let mut entry = entry(resource, ended.is_none());
        entry.status = string(json, "status").map(|status| match status {
            "unknown" => "status unknown".to_owned(),
            status => clean_line(&spaced(status)),
        });
        let doses = ["dosageInstruction", "dosage"];
        let doses = doses.iter().flat_map(|key| items(json, key));
        let mut detail: Vec<String> = doses
            .filter_map(|given| dosage(json, given))
            .take(5)
            .collect();
        if let Some(end) = ended {
            detail.push(format!("was to end {}", date(super::facts::day(end))));
            entry.status = entry.status.filter(|status| status != "active");
        }
        detail.extend(self.older.take());
        entry.detail = joined(detail);
        let key = match drug(resource, &known.names) {
            Some(named) => {
                entry.text = named.text;
                named.key
            }
            // two that are not certain need not be the same
            None => {
                entry.text = UNCERTAIN.to_owned();
                resource.record.to_string()
            }
        };
        let key = format!("{key}|{}", tail(&entry));
        self.medications.add(key, entry);
    }

    fn immunization(&mut self, resource: &Resource) {
        let json = &resource.json;
        if is_not_done(json) || self.says_nothing("immunizations", resource) {
            return;
        }
        let mut entry = entry(resource, true);
        entry.detail = self.older.take();
        let vaccine = json.get("vaccineCode").and_then(code_key);
        let key = vaccine.unwrap_or_else(|| entry.text.to_lowercase());
        self.immunizations.add(key, entry);
    }

    fn observation(&mut self, resource: &Resource, isolate: Option<&(String, String)>) {
        if has_code(resource.json.get("status"), &["cancelled", "registered"]) {
            return;
        }
        let filed = !items(&resource.json, "category").is_empty();
        match resource.meta.category {
            Category::Vitals => self.vitals.add(resource, isolate),
            Category::Other if filed => self.observations.add(resource, isolate),
            _ => self.results.add(resource, isolate),
        }
    }

    fn procedure(&mut self, resource: &Resource) {
        let json = &resource.json;
        let said = json.get("status");
        if is_not_done(json)
            || has_code(said, &["preparation", "stopped", "aborted", "suspended"])
            || self.says_nothing("procedures", resource)
        {
            return;
        }
        let mut entry = entry(resource, true);
        entry.status = status(said);
        let mut detail: Vec<String> = any(json, json, "bodySite").into_iter().collect();
        detail.extend(self.older.take());
        entry.detail = joined(detail);
        self.procedures.add(key(json, "code", &entry), entry);
    }

    fn appointment(&mut self, resource: &Resource) {
        let json = &resource.json;
        let start = string(json, "start").unwrap_or_default();
        let expected = [
            "proposed",
            "pending",
            "booked",
            "waitlist",
            "checked-in",
            "arrived",
        ];
        let wanted = has_code(json.get("status"), &expected);
        if !wanted || start.is_empty() || is_past(start, &self.today) {
            return;
        }
        let mut entry = entry(resource, true);
        let what = [
            "serviceType",
            "appointmentType",
            "description",
            "reasonCode",
            "specialty",
        ];
        let what = what.iter().find_map(|key| any(json, json, key));
        entry.text = what.unwrap_or_else(|| "Appointment".to_owned());
        entry.status = string(json, "status").map(spaced);
        let with = items(json, "participant")
            .iter()
            .filter_map(|p| any(json, p, "actor"));
        let mut detail = vec![date(start)];
        detail.extend(with.take(10));
        entry.detail = joined(detail);
        let key = format!("{}|{start}", entry.text);
        self.appointments.add(key, entry);
    }

    fn team(&mut self, resource: &Resource) {
        let status = resource.json.get("status");
        if status.is_some() && !has_code(status, &["active", "proposed"]) {
            return;
        }
        for (who, role) in care_team_rows(&resource.json) {
            let mut entry = entry(resource, true);
            let key = format!("{who}|{role}");
            entry.text = if who.is_empty() { role.clone() } else { who };
            entry.detail = Some(role).filter(|role| !role.is_empty() && *role != entry.text);
            entry.date = None;
            self.care_team.add(key, entry);
        }
    }

    /// Files a record that only says that there is nothing; true when it was one.
    fn says_nothing(&mut self, section: &'static str, resource: &Resource) -> bool {
        let absence = absence(&resource.json);
        if absence == Some(Absence::NoneKnown) {
            match section {
                // until it is known whether an allergy speaks against it
                "allergies" if self.none_allergic.len() < MAX_ALLERGIES => {
                    self.none_allergic.push(resource.clone());
                }
                section => self.none(section, resource),
            }
        }
        absence.is_some()
    }

    fn none(&mut self, section: &'static str, resource: &Resource) {
        let mut entry = entry(resource, true);
        // some have a code only
        entry.text = spaced(&entry.text);
        let key = format!("{}|{}", entry.text, tail(&entry));
        self.none_known.entry(section).or_default().add(key, entry);
    }
}

/// An entry for a record, as far as its summary goes.
fn entry(resource: &Resource, active: bool) -> Entry {
    Entry {
        text: resource.meta.title.clone(),
        detail: None,
        status: None,
        date: resource
            .meta
            .date
            .as_ref()
            .map(vault_core::ClinicalDate::to_day),
        active,
        count: 1,
        records: vec![resource.record],
    }
}

/// What makes two entries the same: code, status, day and details.
fn key(json: &Value, code: &str, entry: &Entry) -> String {
    let code = json.get(code).and_then(code_key);
    format!(
        "{}|{}",
        code.unwrap_or_else(|| entry.text.to_lowercase()),
        tail(entry)
    )
}

fn tail(entry: &Entry) -> String {
    let day = entry.date.as_ref().map_or("", |date| date.as_str());
    let status = entry.status.as_deref().unwrap_or_default();
    // another dose, reaction or side is another thing
    format!(
        "{status}|{day}|{}",
        entry.detail.as_deref().unwrap_or_default()
    )
}

fn joined(parts: Vec<String>) -> Option<String> {
    let text = clean_line(&parts.join("; "));
    (!text.is_empty()).then_some(text)
}

/// Whether the title says so already.
fn says_not_confirmed(resource: &Resource) -> bool {
    resource.meta.title.starts_with("Not confirmed")
}
