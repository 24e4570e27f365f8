//! Groups of samples as FHIR R4 Observations.
//!
//! Sources: FHIR R4, resource Observation; code systems observation-category and
//! observation-statistics.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use vault_core::Label;
use vault_core::record::clean_field;

use super::decimal::Decimal;
use super::group::{Body, Group, Key, Period, Shape};
use super::scan::Scan;
use super::totals::Totals;
use super::types::{self, DIASTOLIC, Kind, SYSTOLIC};
use super::units;
use crate::Deriver;
use crate::fhir::{coding, concept, quantity, reference};

const LOINC: &str = "http://loinc.org";
const HEALTHKIT: &str = "http://developer.apple.com/documentation/healthkit";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const STATISTICS: &str = "http://terminology.hl7.org/CodeSystem/observation-statistics";

/// Derives the person, and one Observation for each group of samples.
pub(super) fn derive(scan: &mut Scan, deriver: &mut Deriver) {
    let mut patient = Map::new();
    if let Some(born) = &scan.born {
        patient.insert("birthDate".into(), json!(born.as_str()));
    }
    if let Some(gender) = scan.gender {
        patient.insert("gender".into(), json!(gender));
    }
    let subject = (!patient.is_empty()).then(|| deriver.add("Patient", patient, []));
    let groups = scan.totals.take();
    let mut pairs: HashMap<Period, u64> = HashMap::new();
    for (key, group) in &groups {
        if key.shape == Shape::Pressure {
            *pairs.entry(key.period).or_default() += group.count;
        }
    }
    for (key, group) in groups {
        let single = scan.totals.types.text(key.kind);
        let pressure = matches!(
            types::bare(single),
            "BloodPressureSystolic" | "BloodPressureDiastolic"
        );
        // each half of a pair is listed a second time alone; only what has no pair is news
        let paired = pairs.get(&key.period).copied().unwrap_or(0);
        if key.shape == Shape::Quantity && pressure && group.count <= paired {
            continue;
        }
        if let Some((observation, label)) =
            observation(&scan.totals, key, &group, subject.as_deref())
        {
            deriver.add("Observation", observation, label);
        }
    }
}

fn observation(
    totals: &Totals,
    key: Key,
    group: &Group,
    subject: Option<&str>,
) -> Option<(Map<String, Value>, Option<Label>)> {
    let kind = totals.kind(key.kind)?;
    let identifier = totals.types.text(key.kind);
    let unit = units::of_type(identifier, totals.units.text(key.unit));
    let mut out = Map::new();
    out.insert("status".into(), json!("final"));
    let category =
        json!([{"coding": [{"system": CATEGORY, "code": category(key, kind, identifier)}]}]);
    out.insert("category".into(), category);
    out.insert("code".into(), code(key, kind, identifier, unit)?);
    if let Some(subject) = subject {
        out.insert("subject".into(), reference(subject));
    }
    effective(&mut out, key, group);
    let mut parts = Vec::new();
    let several = group.count > 1;
    let mut one_source = Some(group.source);
    match &group.body {
        Body::Quantity {
            latest,
            lowest,
            highest,
            sums,
        } => {
            let value = match sums.as_slice() {
                [] => amount(*latest, unit),
                [(_, sum)] => sum.and_then(|sum| amount(sum, unit)),
                // several devices count the same steps: what they have in common is not known
                _ => {
                    one_source = None;
                    None
                }
            };
            if let Some(value) = value {
                out.insert("valueQuantity".into(), value);
            }
            if sums.len() > 1 {
                for (source, sum) in sums {
                    let name = source_name(totals, *source);
                    let name = name.unwrap_or_else(|| "other sources".to_owned());
                    let text = format!("Sum of {name}");
                    parts.extend(sum.and_then(|sum| statistic(Some("sum"), &text, sum, unit)));
                }
            }
            if several {
                if !sums.is_empty() {
                    parts.extend(statistic(None, "Latest sample", *latest, unit));
                }
                parts.extend(statistic(Some("minimum"), "Lowest", *lowest, unit));
                parts.extend(statistic(Some("maximum"), "Highest", *highest, unit));
            }
        }
        Body::Pressure {
            systolic,
            diastolic,
        } => {
            for (value, (loinc, name)) in [(systolic, SYSTOLIC), (diastolic, DIASTOLIC)] {
                let code = concept(
                    coding(Some(LOINC), loinc, Some(name)).into_iter().collect(),
                    Some(name),
                );
                let value = value.and_then(|value| amount(value, unit));
                parts.extend(component(code, "valueQuantity", value));
            }
        }
        Body::Category(counts) => {
            let mut counts: Vec<(&str, u64)> = counts
                .iter()
                .map(|(id, count)| (totals.values.text(*id), *count))
                .collect();
            counts.sort_unstable();
            for (value, count) in counts {
                let code = value_code(value, identifier);
                parts.extend(component(code, "valueQuantity", samples(count)));
            }
        }
    }
    let is_category = key.shape == Shape::Category;
    // the value is one of many: who reads it must see that
    let is_latest = match &group.body {
        Body::Quantity { sums, .. } => sums.is_empty(),
        Body::Pressure { .. } => true,
        Body::Category(_) => false,
    };
    if several && is_latest {
        let text = format!("latest of {} samples", group.count);
        out.insert("note".into(), json!([{ "text": text }]));
    }
    if several && !is_category {
        let time = Some(json!(group.at.date_time()));
        let code = concept(Vec::new(), Some("Time of the latest sample"));
        parts.extend(component(code, "valueDateTime", time));
    }
    if several {
        let code = statistic_code(Some("count"), "Number of samples");
        parts.extend(component(code, "valueQuantity", samples(group.count)));
    }
    let source = one_source.filter(|_| !is_category);
    if let Some(name) = source.and_then(|source| source_name(totals, source)) {
        out.insert("device".into(), json!({ "display": name }));
    }
    if !parts.is_empty() {
        out.insert("component".into(), Value::Array(parts));
    }
    Some((out, kind.label.clone()))
}

/// When: the moment of a sample that is alone, the day or the month of several.
fn effective(out: &mut Map<String, Value>, key: Key, group: &Group) {
    let (month, day) = match key.period {
        Period::Day(day) => (day / 100, Some(day % 100)),
        Period::Month(month) => (month, None),
    };
    let period = month_text(month);
    if group.count == 1 {
        out.insert("effectiveDateTime".into(), json!(group.at.date_time()));
    } else if let Some(day) = day {
        let day = format!("{period}-{day:02}");
        out.insert("effectiveDateTime".into(), json!(day));
    } else {
        // an end of a month means all of it
        let period = json!({"start": period, "end": period});
        out.insert("effectivePeriod".into(), period);
    }
}

/// `202401` as `2024-01`.
pub(super) fn month_text(month: u32) -> String {
    format!("{:04}-{:02}", month / 100, month % 100)
}

fn category(key: Key, kind: &Kind, identifier: &str) -> &'static str {
    match key.shape {
        Shape::Pressure => "vital-signs",
        Shape::Quantity if kind.daily => "vital-signs",
        Shape::Quantity | Shape::Workout => "activity",
        Shape::Category => match types::bare(identifier) {
            "HighHeartRateEvent"
            | "LowHeartRateEvent"
            | "IrregularHeartRhythmEvent"
            | "LowCardioFitnessEvent" => "vital-signs",
            "SleepAnalysis"
            | "AppleStandHour"
            | "MindfulSession"
            | "HandwashingEvent"
            | "ToothbrushingEvent"
            | "AudioExposureEvent"
            | "EnvironmentalAudioExposureEvent"
            | "HeadphoneAudioExposureEvent" => "activity",
            // the others are what people note about themselves
            _ => "survey",
        },
    }
}

fn code(key: Key, kind: &Kind, identifier: &str, unit: &str) -> Option<Value> {
    let loinc = match key.shape {
        Shape::Pressure => &[("85354-9", "Blood pressure panel with all children optional")],
        Shape::Quantity | Shape::Category => kind.codes(identifier, units::ucum(unit)),
        Shape::Workout => &[],
    };
    let mut codings: Vec<Value> = loinc
        .iter()
        .filter_map(|(code, name)| coding(Some(LOINC), code, Some(name)))
        .collect();
    codings.extend(coding(Some(HEALTHKIT), identifier, None));
    let text = match key.shape {
        Shape::Workout => format!("Workout: {}", kind.name),
        _ => kind.name.clone(),
    };
    let text = Some(text).filter(|text| !text.is_empty());
    concept(codings, Some(text.as_deref().unwrap_or(identifier)))
}

/// `HKCategoryValueSleepAnalysisInBed` of `HKCategoryTypeIdentifierSleepAnalysis` is `In bed`.
fn value_code(value: &str, identifier: &str) -> Option<Value> {
    let short = value.strip_prefix("HKCategoryValue").unwrap_or(value);
    let short = short
        .strip_prefix(types::bare(identifier))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(short);
    let text = match short {
        "" => "Other or no value".to_owned(),
        short => types::words(short),
    };
    let coded = Some(value).filter(|value| value.starts_with("HK"));
    let codings = coded.and_then(|value| coding(Some(HEALTHKIT), value, None));
    concept(codings.into_iter().collect(), Some(&text))
}

/// A value in UCUM where its unit is known there, else in the unit as written.
fn amount(value: Decimal, unit: &str) -> Option<Value> {
    let ucum = units::ucum(unit);
    quantity(&value.to_string(), ucum.or(Some(unit)), ucum.is_some())
}

fn samples(count: u64) -> Option<Value> {
    quantity(&count.to_string(), Some("{count}"), true)
}

fn statistic_code(code: Option<&str>, text: &str) -> Option<Value> {
    let codings = code.and_then(|code| coding(Some(STATISTICS), code, None));
    concept(codings.into_iter().collect(), Some(text))
}

fn statistic(code: Option<&str>, text: &str, value: Decimal, unit: &str) -> Option<Value> {
    component(
        statistic_code(code, text),
        "valueQuantity",
        amount(value, unit),
    )
}

fn component(code: Option<Value>, key: &str, value: Option<Value>) -> Option<Value> {
    let mut component = Map::new();
    component.insert("code".into(), code?);
    component.insert(key.into(), value?);
    Some(Value::Object(component))
}

fn source_name(totals: &Totals, id: u32) -> Option<String> {
    Some(clean_field(totals.sources.text(id))).filter(|name| !name.is_empty())
}
