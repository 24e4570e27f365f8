//! Reads the XML of an export, one tag at a time.
//!
//! Source: the document type definition that every export carries, HealthKit Export Version 11 to
//! 14. It is skipped; no entity but those predefined in XML 1.0 is ever expanded.

use std::borrow::Cow;
use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use vault_core::record::clean_field;
use vault_core::{ClinicalDate, Digest, Label};

use super::clinical::ClinicalRecords;
use super::decimal::Decimal;
use super::source::{Source, Stop};
use super::stamp::Stamp;
use super::totals::{Sample, Totals};
use super::types::{self, PRESSURE};
use super::units;

/// The root element.
pub(super) const ROOT: &str = "HealthData";
const NOT_ONE: &str = "not one Apple Health export and nothing else";
/// Deepest nesting; Apple writes four levels.
const MAX_DEPTH: usize = 32;
/// Most names of elements that are only counted.
const MAX_OTHERS: usize = 8;

/// Everything read from one export.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) totals: Totals,
    pub(super) clinical: ClinicalRecords,
    pub(super) labels: BTreeSet<Label>,
    pub(super) exported: Option<Stamp>,
    pub(super) born: Option<ClinicalDate>,
    /// `male`, `female` or `other`, as FHIR calls them.
    pub(super) gender: Option<&'static str>,
    /// Records without a type, a date or a value that can be read.
    pub(super) unreadable: u64,
    /// Elements that are only counted, and some of their names.
    pub(super) others: u64,
    pub(super) other_names: BTreeSet<String>,
    /// Where reading stopped before the end, and why.
    pub(super) broken: Option<(u64, String)>,
    correlation: Option<Correlation>,
}

/// A correlation that is open.
#[derive(Debug)]
struct Correlation {
    is_pressure: bool,
    at: Option<Stamp>,
    source: String,
    unit: Option<String>,
    systolic: Option<Decimal>,
    diastolic: Option<Decimal>,
}

/// The attributes that matter of one element.
#[derive(Debug, Default)]
struct Fields<'a> {
    kind: Cow<'a, str>,
    unit: Cow<'a, str>,
    value: Cow<'a, str>,
    start: Cow<'a, str>,
    source: Cow<'a, str>,
    well_formed: bool,
}

impl<'a> Fields<'a> {
    fn of(tag: &'a BytesStart<'a>) -> Self {
        let mut fields = Self {
            well_formed: true,
            ..Self::default()
        };
        each_attribute(tag, |name, raw| {
            let field = match name {
                "type" | "workoutActivityType" => &mut fields.kind,
                "unit" | "durationUnit" => &mut fields.unit,
                "value" | "duration" => &mut fields.value,
                "startDate" => &mut fields.start,
                "sourceName" => &mut fields.source,
                _ => return,
            };
            match unescaped(raw) {
                Some(value) => *field = value,
                None => fields.well_formed = false,
            }
        });
        fields
    }
}

/// Calls `with` for each attribute, its value as it is written. What follows a malformed attribute
/// is not seen.
fn each_attribute<'a>(tag: &'a BytesStart<'a>, mut with: impl FnMut(&str, Cow<'a, str>)) {
    let mut attributes = tag.attributes();
    // comparing each name with all before takes time that grows with their square
    for attribute in attributes.with_checks(false) {
        let Ok(attribute) = attribute else {
            return;
        };
        with(attribute.key.into_inner(), attribute.value);
    }
}

/// A value with its entities replaced; `None` when one is not predefined.
fn unescaped(raw: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if !raw.contains('&') {
        return Some(raw);
    }
    let text = unescape(&raw).ok()?.into_owned();
    Some(Cow::Owned(text))
}

/// Reads an export to its end, and hashes it whatever is in it.
///
/// # Errors
/// [`Stop::Unreadable`] when the source fails.
pub(super) fn scan(source: Source<'_>, max_groups: usize) -> Result<(Scan, Digest), Stop> {
    let mut scan = Scan {
        totals: Totals::new(max_groups),
        clinical: ClinicalRecords::default(),
        labels: BTreeSet::new(),
        exported: None,
        born: None,
        gender: None,
        unreadable: 0,
        others: 0,
        other_names: BTreeSet::new(),
        broken: None,
        correlation: None,
    };
    let mut reader = Reader::from_reader(source);
    let mut buffer = Vec::new();
    let mut depth = 0usize;
    let mut rooted = false;
    let broken = loop {
        buffer.clear();
        reader.get_mut().next_event();
        let begin = reader.get_ref().offset();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => {
                if depth == 0 && (rooted || tag.name().into_inner() != ROOT) {
                    break Some((begin, NOT_ONE.to_owned()));
                }
                rooted = true;
                scan.open(&tag, depth, false);
                depth += 1;
                if depth > MAX_DEPTH {
                    break Some((begin, "elements are nested too deep".to_owned()));
                }
            }
            Ok(Event::Empty(tag)) => {
                if depth == 0 && (rooted || tag.name().into_inner() != ROOT) {
                    break Some((begin, NOT_ONE.to_owned()));
                }
                rooted = true;
                scan.open(&tag, depth, true);
            }
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    scan.close_correlation();
                }
            }
            Ok(Event::Eof) if depth > 0 || !rooted => {
                break Some((begin, "the XML ends too early".to_owned()));
            }
            Ok(Event::Eof) => break None,
            Ok(_) => {}
            Err(_) => {
                let why = match reader.get_ref().stopped() {
                    Some(stop) => stop.to_string(),
                    // the reader's own words may quote the file
                    None => "the XML is malformed".to_owned(),
                };
                break Some((begin, why));
            }
        }
    };
    scan.broken = broken;
    let digest = reader.into_inner().finish()?;
    Ok((scan, digest))
}

impl Scan {
    /// One start tag, or one element without content when `empty`.
    fn open(&mut self, tag: &BytesStart<'_>, depth: usize, empty: bool) {
        match (depth, tag.name().into_inner()) {
            (1, "Record") => self.record(tag),
            (1, "Correlation") => {
                let fields = Fields::of(tag);
                self.note_label(&fields.kind);
                self.correlation = Some(Correlation {
                    is_pressure: fields.kind == PRESSURE,
                    at: Stamp::parse(&fields.start),
                    source: fields.source.to_string(),
                    unit: None,
                    systolic: None,
                    diastolic: None,
                });
                if empty {
                    self.close_correlation();
                }
            }
            (2, "Record") => self.part_of_correlation(tag),
            (1, "Workout") => self.workout(tag),
            (1, "ClinicalRecord") => self.clinical_record(tag),
            (1, "ExportDate") => each_attribute(tag, |name, value| {
                if name == "value" {
                    self.exported = Stamp::parse(&value);
                }
            }),
            (1, "Me") => each_attribute(tag, |name, value| self.characteristic(name, &value)),
            // the rings of a day, which say nothing that the records do not say
            (1, "ActivitySummary") => {}
            (1, name) => {
                self.others += 1;
                self.note_label(name);
                self.note_label(&Fields::of(tag).kind);
                if self.other_names.len() < MAX_OTHERS {
                    self.other_names.insert(clean_field(name));
                }
            }
            _ => {}
        }
    }

    fn note_label(&mut self, name: &str) {
        self.labels.extend(types::label(name));
    }

    fn characteristic(&mut self, name: &str, value: &str) {
        match name {
            // a date without a time; it is empty where nothing was entered
            "HKCharacteristicTypeIdentifierDateOfBirth" if value.len() <= 10 => {
                self.born = ClinicalDate::new(value).ok();
            }
            "HKCharacteristicTypeIdentifierBiologicalSex" => {
                self.gender = match value {
                    "HKBiologicalSexMale" => Some("male"),
                    "HKBiologicalSexFemale" => Some("female"),
                    "HKBiologicalSexOther" => Some("other"),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    fn record(&mut self, tag: &BytesStart<'_>) {
        let fields = Fields::of(tag);
        if self.totals.types.known(&fields.kind).is_none() {
            self.note_label(&fields.kind);
        }
        let stamp = Stamp::parse(&fields.start);
        let (Some(at), true) = (stamp, fields.well_formed && !fields.kind.is_empty()) else {
            self.unreadable += 1;
            return;
        };
        let sample = Sample {
            at,
            source: &fields.source,
        };
        let (kind, unit) = (&fields.kind, &fields.unit);
        let is_quantity = kind.starts_with("HKQuantityTypeIdentifier") || !unit.is_empty();
        if !is_quantity {
            self.totals.category(kind, sample, &fields.value);
            return;
        }
        let value = Decimal::parse(&fields.value);
        match value.and_then(|value| units::in_ucum(value, unit)) {
            Some(value) => self.totals.quantity(kind, unit, sample, value),
            None => self.unreadable += 1,
        }
    }

    /// Samples of a correlation are listed a second time as records of their own, which is where
    /// all but those of a blood pressure are taken from.
    fn part_of_correlation(&mut self, tag: &BytesStart<'_>) {
        let Some(open) = self.correlation.as_mut().filter(|open| open.is_pressure) else {
            return;
        };
        let fields = Fields::of(tag);
        let value = Decimal::parse(&fields.value);
        let same_unit = open.unit.as_deref().is_none_or(|unit| unit == fields.unit);
        match (types::bare(&fields.kind), same_unit) {
            ("BloodPressureSystolic", true) => open.systolic = value,
            ("BloodPressureDiastolic", true) => open.diastolic = value,
            _ => return,
        }
        open.unit = Some(fields.unit.into_owned());
    }

    fn close_correlation(&mut self) {
        let Some(open) = self.correlation.take().filter(|open| open.is_pressure) else {
            return;
        };
        match (open.at, open.unit, open.systolic.or(open.diastolic)) {
            (Some(at), Some(unit), Some(_)) => {
                let sample = Sample {
                    at,
                    source: &open.source,
                };
                let pair = (open.systolic, open.diastolic);
                self.totals.pressure(&unit, sample, pair);
            }
            _ => self.unreadable += 1,
        }
    }

    fn workout(&mut self, tag: &BytesStart<'_>) {
        let fields = Fields::of(tag);
        self.note_label(&fields.kind);
        let unit = match fields.unit.as_ref() {
            "" => "min",
            unit => unit,
        };
        let (at, length) = (Stamp::parse(&fields.start), Decimal::parse(&fields.value));
        match (at, length, fields.well_formed && !fields.kind.is_empty()) {
            (Some(at), Some(length), true) => {
                let sample = Sample {
                    at,
                    source: &fields.source,
                };
                self.totals.workout(&fields.kind, unit, sample, length);
            }
            _ => self.unreadable += 1,
        }
    }

    fn clinical_record(&mut self, tag: &BytesStart<'_>) {
        let (mut path, mut source, mut version, mut received) = Default::default();
        each_attribute(tag, |name, raw| {
            let field: &mut Cow<'_, str> = match name {
                "resourceFilePath" => &mut path,
                "sourceName" => &mut source,
                "fhirVersion" => &mut version,
                "receivedDate" => &mut received,
                _ => return,
            };
            *field = unescaped(raw).unwrap_or_default();
        });
        let received = Stamp::parse(&received).and_then(Stamp::clinical);
        self.clinical.add(&path, &source, &version, received);
    }
}
