//! One page about all records: who, problems, allergies, medicines, results and what comes next.

use std::collections::BTreeMap;

use serde::Serialize;
use vault_core::RecordId;

use super::summary_builder::SummaryBuilder;
use super::summary_parts::{Entry, Who, ids};
use super::trend::Trend;
use crate::export::Resource;

/// One page about all records. What was withdrawn, entered in error or ruled out is not in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The day for which it was made, `YYYY-MM-DD`.
    pub today: String,
    /// How many resources it was made of.
    pub resources: usize,
    /// Whom the records are about; more than one where they do not agree.
    pub patients: Vec<Who>,
    /// Problems, active ones first.
    pub problems: Vec<Entry>,
    /// What visits were filed under, where no record says whether it is a problem.
    pub visit_diagnoses: Vec<Entry>,
    /// Allergies and intolerances.
    pub allergies: Vec<Entry>,
    /// Records that say that nothing is known of a kind, by section: `allergies`, `problems`,
    /// `medications`, `immunizations`, `procedures`. Not the same as an empty section.
    pub none_known: BTreeMap<&'static str, Vec<Entry>>,
    /// Medicines that are taken now or paused.
    pub medications: Vec<Entry>,
    /// The latest of each vaccine, with the number of doses.
    pub immunizations: Vec<Entry>,
    /// Laboratory and other results, by code.
    pub results: Vec<Trend>,
    /// Vital signs and body measures, by code.
    pub vitals: Vec<Trend>,
    /// Social history, surveys and what else was observed, by code.
    pub observations: Vec<Trend>,
    /// Procedures that were done or are under way.
    pub procedures: Vec<Entry>,
    /// Appointments from today on, the next one first.
    pub appointments: Vec<Entry>,
    /// Active care teams.
    pub care_team: Vec<Entry>,
    /// Records that are about somebody or something else, or do not say about whom; nothing else here
    /// rests on them.
    #[serde(serialize_with = "ids")]
    pub not_about_patient: Vec<RecordId>,
    /// How many more there were than could be kept, over all sections.
    pub left_out: usize,
    /// The records that the patients' lines and all others leave out because they are wrong.
    #[serde(serialize_with = "ids")]
    pub withdrawn: Vec<RecordId>,
}

impl Summary {
    /// The summary of these resources, of which each is the newest version. `today` is a day,
    /// `YYYY-MM-DD`.
    pub fn of<R: std::borrow::Borrow<Resource>>(
        resources: impl IntoIterator<Item = R>,
        today: &str,
    ) -> Self {
        let mut builder = SummaryBuilder::new(today);
        for resource in resources {
            builder.add(resource.borrow());
        }
        builder.finish()
    }
}

#[cfg(test)]
#[path = "summary/tests.rs"]
mod tests;
