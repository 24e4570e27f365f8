//! The built-in rules, as they are published in the terminologies' own chapters.
//!
//! Sources: ICD-10, ICD-10-CM and ICD-10-PCS, ICD-9-CM, ICD-11 MMS, SNOMED CT (International and US
//! Edition), LOINC, RxNorm (ingredients and some products), WHO ATC, CPT. Labels: HL7 v3 ActCode,
//! InformationSensitivityPolicy; `ETH` stands for alcohol and for drugs.

mod infections;
mod mind;
mod others;
mod reproduction;
mod substances;

use super::SensitivityRule;
use crate::record::Label;

/// A label, what its codes tell, and the codes: system and patterns.
type Group = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

pub(super) fn standard() -> impl Iterator<Item = SensitivityRule> {
    GROUPS
        .iter()
        .copied()
        .flatten()
        .flat_map(|(label, why, systems)| {
            let label = Label::new(label).ok();
            systems.iter().flat_map(move |(system, patterns)| {
                let label = label.clone();
                patterns.iter().filter_map(move |pattern| {
                    SensitivityRule::new(system, pattern, label.clone()?, why)
                })
            })
        })
}

const GROUPS: &[&[Group]] = &[
    infections::GROUPS,
    substances::GROUPS,
    mind::GROUPS,
    reproduction::GROUPS,
    others::GROUPS,
];
