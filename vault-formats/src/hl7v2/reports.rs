//! OBR as DiagnosticReport.
//!
//! Sources: HL7 v2.5.1 section 7.4.1, tables 0074 and 0123.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use vault_core::Category;
use vault_core::record::clean_title;

use super::changes::Numbers;
use super::fields::Segment;
use super::isolates::Isolates;
use super::numbers::{self, FILLER, PLACER};
use super::observations::annotations;
use super::output::{Context, Output, named, set, set_list};
use super::systems::{TABLES, section};
use super::time::Time;
use super::values::Element;
use crate::fhir::{coding, concept, reference};

/// A group of an OBR and what belongs to it, while it is read.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The report so far; `None` before the first OBR.
    report: Option<Map<String, Value>>,
    /// The date of the OBR, for observations without their own.
    pub(super) effective: Option<Element>,
    /// When the specimen was taken, where OBR does not say.
    collected: Option<Element>,
    pub(super) category: Option<Category>,
    pub(super) specimen: Option<String>,
    pub(super) performer: Option<String>,
    pub(super) results: Vec<Value>,
    pub(super) files: Vec<Value>,
    pub(super) notes: Vec<String>,
    /// The numbers of the order, to know its results again.
    pub(super) numbers: Numbers,
    /// The filler's number, else the placer's, as an Identifier.
    pub(super) number: Option<Value>,
    /// The results so far, by what they are known by.
    pub(super) stated: HashMap<String, String>,
    /// The organisms of the whole message.
    pub(super) isolates: Isolates,
}

impl Group {
    /// Begins with an OBR. `order` is what ORC says of its numbers.
    pub(super) fn begin(
        obr: &Segment<'_>,
        order: (Numbers, Vec<Value>),
        context: Context<'_>,
        out: &mut Output,
    ) -> Self {
        let own = numbers::identifiers(obr, PLACER, FILLER);
        let (mut known, ids) = match own.is_empty() {
            true => order,
            false => (numbers::numbers(obr, PLACER, FILLER), own),
        };
        if known.is_empty() {
            // inside one file, what was ordered and when may do
            let parts = obr.text(4).zip(obr.text(7));
            known.filler = parts.map(|(code, time)| format!("\n{code}\n{time}"));
        }
        let mut group = Self {
            numbers: known,
            number: ids.last().cloned(),
            category: obr.text(24).and_then(|code| section(&code)),
            specimen: specimen(obr),
            performer: context.sender.map(clean_title),
            ..Self::default()
        };
        group.effective = effective(obr.time(7), obr.time(8));
        let mut report = Map::new();
        let Some(code) = obr.concept(4) else {
            out.report(context.message.place(obr), "a report without a code");
            return group;
        };
        report.insert("code".into(), code);
        let status = obr.text(25).unwrap_or_default();
        report.insert("status".into(), json!(report_status(&status)));
        report.insert("category".into(), json!([report_category(obr)]));
        set(&mut report, "subject", context.patient.map(reference));
        set_list(&mut report, "identifier", ids);
        set(
            &mut report,
            "issued",
            obr.time(22).and_then(|time| time.instant(None)),
        );
        // NDL: the name is one component of several parts
        let interpreter = obr.rep(32).and_then(|rep| {
            let parts = [rep.sub(1, 6), rep.sub(1, 3), rep.sub(1, 2)];
            let name: Vec<String> = parts.into_iter().flatten().collect();
            if name.is_empty() {
                rep.comp(1)
            } else {
                Some(name.join(" "))
            }
        });
        let interpreter = named(interpreter.map(|name| clean_title(&name)));
        set_list(
            &mut report,
            "resultsInterpreter",
            interpreter.into_iter().collect(),
        );
        group.report = Some(report);
        group
    }

    /// Takes what SPM says: the specimen and when it was taken.
    pub(super) fn take_specimen(&mut self, spm: &Segment<'_>) {
        let specimen = spm.coded(4).and_then(|coded| coded.words());
        self.specimen = specimen.or(self.specimen.take());
        let end = spm.comp(17, 2).and_then(|text| Time::parse(&text));
        self.collected = self.collected.take().or(effective(spm.time(17), end));
    }

    /// Writes the report. There is none before the first OBR.
    pub(super) fn finish(self, out: &mut Output) {
        let group = self;
        let Some(mut report) = group.report else {
            return;
        };
        if let Some((key, value)) = group.effective.or(group.collected) {
            report.insert(key.to_owned(), value);
        }
        set_list(&mut report, "result", group.results);
        set_list(&mut report, "presentedForm", group.files);
        let specimen = named(group.specimen);
        set_list(&mut report, "specimen", specimen.into_iter().collect());
        let performer = named(group.performer.map(|name| clean_title(&name)));
        set_list(&mut report, "performer", performer.into_iter().collect());
        // R4 gives reports no `note`; the standard extension has the place for comments
        let url = "http://hl7.org/fhir/StructureDefinition/note";
        let comments = annotations(&group.notes);
        let comments = comments
            .into_iter()
            .map(|note| json!({"url": url, "valueAnnotation": note}));
        set_list(&mut report, "extension", comments.collect());
        out.add("DiagnosticReport", report);
    }
}

/// A point in time or a period, as an element of a resource.
fn effective(start: Option<Time>, end: Option<Time>) -> Option<Element> {
    match (start, end) {
        (Some(start), Some(end)) if start != end => {
            let period = json!({"start": start.date_time(), "end": end.date_time()});
            Some(("effectivePeriod", period))
        }
        (Some(time), _) | (None, Some(time)) => {
            Some(("effectiveDateTime", json!(time.date_time())))
        }
        _ => None,
    }
}

/// The words of OBR-15: the specimen's source as code or text.
fn specimen(obr: &Segment<'_>) -> Option<String> {
    let rep = obr.rep(15)?;
    let text = rep
        .sub(1, 2)
        .or_else(|| rep.comp(1))
        .or_else(|| rep.comp(3));
    text.map(|text| clean_title(&text))
}

/// The section of OBR-24, or the laboratory's shelf.
fn report_category(obr: &Segment<'_>) -> Value {
    let code = obr.text(24).filter(|code| section(code).is_some());
    let code = code.map_or_else(|| "LAB".to_owned(), |code| code.to_uppercase());
    let system = format!("{TABLES}0074");
    let coding = coding(Some(&system), &code, None);
    concept(coding.into_iter().collect(), None).unwrap_or_default()
}

/// Table 0123.
fn report_status(code: &str) -> &'static str {
    match code {
        "F" => "final",
        "C" => "corrected",
        "P" | "M" | "N" | "R" => "preliminary",
        "A" => "partial",
        "I" | "O" | "S" => "registered",
        "X" => "cancelled",
        _ => "unknown",
    }
}
