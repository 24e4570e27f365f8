//! Results: OBR and OBX as DiagnosticReport and Observations.
//!
//! Sources: HL7 v2.5.1 chapter 7, tables 0085 and 0123; HL7 "V2-to-FHIR" for the correspondence.

use serde_json::{Map, Value, json};
use vault_core::Category;
use vault_core::record::clean_title;

use super::changes::{Change, Numbers};
use super::embedded::embedded_file;
use super::fields::Segment;
use super::isolates::is_organism;
use super::numbers::{self, FILLER, PLACER};
use super::output::{Context, MAX_STRING, Output, named, set, set_list};
use super::reports::Group;
use super::values::{Unit, looks_like_number, reference_range, value};
use crate::fhir::reference;

/// Most values of one Observation.
const MAX_VALUES: usize = 20;

/// LOINC codes of vital signs. Source: FHIR R4, profile "Vital Signs".
const VITALS: &[&str] = &[
    "85353-1", "9279-1", "8867-4", "2708-6", "59408-5", "8310-5", "8302-2", "9843-4", "29463-7",
    "39156-5", "85354-9", "8480-6", "8462-4", "8287-5", "3141-9", "8289-1",
];

/// An Observation while lines of text and notes may follow.
struct Open {
    resource: Map<String, Value>,
    /// OBX-3 and OBX-4 of a text, which may go on in the next segment.
    key: Option<String>,
    text: String,
    /// Whether the last line of the text looks like a number.
    is_number: bool,
    /// OBX-6, OBX-8 and OBX-14 of a text: its lines have them in common.
    about: [Option<String>; 3],
    notes: Vec<String>,
    identity: Identity,
}

/// By what a result is known again.
struct Identity {
    /// The sender, OBX-3, OBX-4 and OBX-14.
    detail: String,
    code: Option<String>,
    sub_id: String,
    is_organism: bool,
    /// What an isolate is called to which this belongs.
    isolate: Option<String>,
}

/// All results of a message.
pub(super) fn results(context: Context<'_>, out: &mut Output) {
    let mut group = Group::default();
    let mut open: Option<Open> = None;
    let mut order: Option<(Numbers, Vec<Value>)> = None;
    for segment in context.message.segments() {
        if out.is_full() {
            break;
        }
        match segment.name() {
            "OBR" => {
                close(&mut open, &mut group, out);
                let mut before = std::mem::take(&mut group);
                let mut isolates = std::mem::take(&mut before.isolates);
                before.finish(out);
                isolates.begin_group(&segment);
                group = Group::begin(&segment, order.take().unwrap_or_default(), context, out);
                group.isolates = isolates;
            }
            "OBX" => observation(&segment, context, &mut group, &mut open, out),
            "NTE" => {
                let notes = match &mut open {
                    Some(open) => &mut open.notes,
                    None => &mut group.notes,
                };
                notes.extend(segment.whole(3).filter(|text| text.len() <= MAX_STRING));
            }
            "SPM" => {
                close(&mut open, &mut group, out);
                group.take_specimen(&segment);
            }
            // what follows is about something else
            "ORC" => {
                close(&mut open, &mut group, out);
                // the numbers of an OBR that has none
                let ids = numbers::identifiers(&segment, PLACER, FILLER);
                order = Some((numbers::numbers(&segment, PLACER, FILLER), ids));
            }
            "TXA" | "PID" | "PV1" => close(&mut open, &mut group, out),
            _ => {}
        }
    }
    close(&mut open, &mut group, out);
    group.finish(out);
}

/// Table 0085: the status, and whether the value may be shown as one.
fn observation_status(code: &str) -> (&'static str, bool) {
    match code {
        "F" | "U" | "V" => ("final", true),
        "C" => ("corrected", true),
        "A" | "B" => ("amended", true),
        "P" | "R" | "S" => ("preliminary", true),
        // pending, or a description of the order: what stands there is no result yet
        "I" | "O" => ("registered", false),
        "X" | "N" => ("cancelled", false),
        // deleted, or posted to the wrong patient
        "D" | "W" => ("entered-in-error", false),
        _ => ("unknown", true),
    }
}

fn observation(
    obx: &Segment<'_>,
    context: Context<'_>,
    group: &mut Group,
    open: &mut Option<Open>,
    out: &mut Output,
) {
    let kind = obx.text(2).unwrap_or_default().to_uppercase();
    let is_text = matches!(kind.as_str(), "ST" | "TX" | "FT" | "");
    let key = obx
        .whole(3)
        .map(|code| format!("{code}\n{}", obx.whole(4).unwrap_or_default()));
    let key = key.filter(|_| is_text);
    let (status, shown) = observation_status(&obx.text(11).unwrap_or_default().to_uppercase());
    let line = obx.whole(5).unwrap_or_default();
    let about = [6, 8, 14].map(|field| obx.whole(field));
    if let (Some(open), Some(key)) = (open.as_mut(), &key)
        && open.key.as_ref() == Some(key)
        && open.notes.is_empty()
        && open.resource.get("status") == Some(&json!(status))
        // another time, unit or flag is another result, and so is another number
        && about.iter().zip(&open.about).all(|(own, first)| own.is_none() || own == first)
        && !(open.is_number && looks_like_number(&line))
    {
        // an empty line is a line too
        open.text.push('\n');
        open.text.push_str(&line);
        open.is_number = looks_like_number(&line);
        return;
    }
    close(open, group, out);
    let place = context.message.place(obx);
    if kind == "ED" && shown {
        match embedded_file(obx, place, group.category.unwrap_or(Category::Lab), out) {
            Some(file) => group.files.push(file),
            None if obx.coded(3).is_none() => {}
            None => *open = begin_observation(obx, status, context, group, out),
        }
        return;
    }
    let Some(mut begun) = begin_observation(obx, status, context, group, out) else {
        return;
    };
    if is_text && shown {
        begun.is_number = looks_like_number(&line);
        (begun.text, begun.about, begun.key) = (line, about, key);
    } else if shown {
        set_values(&mut begun.resource, obx, &kind, &place, out);
    }
    if status == "registered" {
        let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
        let reason = json!({"coding": [{"system": system, "code": "temp-unknown"}]});
        begun.resource.insert("dataAbsentReason".into(), reason);
    }
    *open = Some(begun);
}

fn begin_observation(
    obx: &Segment<'_>,
    status: &str,
    context: Context<'_>,
    group: &Group,
    out: &mut Output,
) -> Option<Open> {
    let Some(coded) = obx.coded(3) else {
        out.report(context.message.place(obx), "a result without a code");
        return None;
    };
    let mut resource = Map::new();
    resource.insert("status".into(), json!(status));
    resource.insert("code".into(), coded.concept()?);
    let is_vital = VITALS.iter().any(|code| coded.is(code));
    let category = match group.category {
        _ if is_vital => "vital-signs",
        Some(Category::Imaging) => "imaging",
        Some(Category::Procedure) => "procedure",
        Some(Category::Note) => "exam",
        _ => "laboratory",
    };
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    let category = json!([{"coding": [{"system": system, "code": category}]}]);
    resource.insert("category".into(), category);
    set(&mut resource, "subject", context.patient.map(reference));
    match (obx.time(14), &group.effective) {
        (Some(time), _) => set(&mut resource, "effectiveDateTime", Some(time.date_time())),
        (None, Some((key, value))) => set(&mut resource, key, Some(value.clone())),
        (None, None) => {}
    }
    set(
        &mut resource,
        "issued",
        obx.time(19).and_then(|time| time.instant(None)),
    );
    let unit = Unit::read(obx, 6);
    if let Some(range) = obx.whole(7).filter(|text| text.len() <= MAX_STRING) {
        let range = reference_range(&range, &unit);
        resource.insert("referenceRange".into(), json!([range]));
    }
    // not of a value that must not be shown
    if !matches!(status, "entered-in-error" | "cancelled" | "registered") {
        set_list(&mut resource, "interpretation", interpretation(obx));
    }
    set(&mut resource, "method", obx.concept(17));
    let performer = obx.text(23).or_else(|| obx.person(16));
    let performer = performer.or_else(|| group.performer.clone());
    let performer = named(performer.map(|name| clean_title(&name)));
    set_list(&mut resource, "performer", performer.into_iter().collect());
    set(&mut resource, "specimen", named(group.specimen.clone()));
    let kind = obx.text(2).unwrap_or_default().to_uppercase();
    let code = coded.code().map(str::to_owned).or_else(|| coded.words());
    let sub_id = obx.whole(4).unwrap_or_default();
    let time = obx.text(14);
    let is_organism = is_organism(&coded, &kind);
    let isolate = group.isolates.of(obx).filter(|_| !is_organism);
    if let Some(isolate) = isolate {
        let from = reference(&isolate.reference);
        resource.insert("derivedFrom".into(), json!([from]));
    }
    let isolate = isolate.map(|isolate| isolate.name.clone());
    let parts = [code.as_deref(), Some(&sub_id), time.as_deref()];
    if let Some(order) = &group.number {
        let id = numbers::of_result(order, &parts);
        set_list(&mut resource, "identifier", id.into_iter().collect());
    }
    let parts = [context.patient, context.sender].into_iter().chain(parts);
    let parts: Vec<&str> = parts.map(Option::unwrap_or_default).collect();
    let detail = parts.join("\n");
    Some(Open {
        resource,
        key: None,
        text: String::new(),
        is_number: false,
        about: [None, None, None],
        notes: Vec::new(),
        identity: Identity {
            detail,
            code,
            sub_id,
            is_organism,
            isolate,
        },
    })
}

/// OBX-8, table 0078.
fn interpretation(obx: &Segment<'_>) -> Vec<Value> {
    const KNOWN: &[&str] = &[
        "<", ">", "A", "AA", "B", "D", "DET", "E", "H", "HH", "HU", "I", "IND", "L", "LL", "LU",
        "N", "ND", "NEG", "NR", "NS", "POS", "R", "RR", "S", "SDD", "U", "W", "WR",
    ];
    let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    let one = |rep: super::fields::Rep<'_>| {
        let mut coded = rep.coded()?;
        for choice in &mut coded.choices {
            let known = choice
                .code
                .as_deref()
                .is_some_and(|code| KNOWN.contains(&code));
            if known && matches!(choice.system.as_deref(), None | Some("HL70078")) {
                choice.system = Some(system.to_owned());
            }
        }
        coded.concept()
    };
    obx.reps(8).filter_map(one).collect()
}

fn set_values(
    resource: &mut Map<String, Value>,
    obx: &Segment<'_>,
    kind: &str,
    place: &str,
    out: &mut Output,
) {
    let unit = Unit::read(obx, 6);
    let values: Vec<_> = obx
        .reps(5)
        .filter_map(|rep| value(kind, &rep, &unit))
        .collect();
    if obx.rep(5).is_some() && values.is_empty() || values.len() > MAX_VALUES {
        out.report(
            place,
            "a value that is too long; it is in the original only",
        );
    }
    match <[_; 1]>::try_from(values) {
        Ok([(key, value)]) => set(resource, key, Some(value)),
        Err(values) => {
            let code = resource.get("code").cloned().unwrap_or_default();
            let one = |(key, value): (&'static str, Value)| {
                let mut component = Map::new();
                component.insert("code".into(), code.clone());
                component.insert(key.to_owned(), value);
                Value::Object(component)
            };
            let components = values.into_iter().take(MAX_VALUES).map(one);
            set_list(resource, "component", components.collect());
        }
    }
}

fn close(open: &mut Option<Open>, group: &mut Group, out: &mut Output) {
    let Some(Open {
        mut resource,
        text,
        notes,
        identity,
        ..
    }) = open.take()
    else {
        return;
    };
    let text = text.trim_end();
    if text.len() > MAX_STRING {
        out.report("file", "a text over 1 MiB; it is in the original only");
    } else if !text.trim().is_empty() {
        resource.insert("valueString".into(), json!(text));
    }
    let is_wrong = resource.get("status") == Some(&json!("entered-in-error"));
    // a note may tell the value
    if !is_wrong {
        let known = resource.contains_key("identifier") || identity.sub_id.is_empty();
        let part = match &identity.isolate {
            Some(name) => Some(format!("Isolate: {name}")),
            None if !known => Some(format!("Sub-identifier: {}", identity.sub_id)),
            None => None,
        };
        let part = part.map(|text| json!({ "text": text }));
        let all = part.into_iter().chain(annotations(&notes));
        set_list(&mut resource, "note", all.collect());
    }
    // where an order has two results of one name, the number does not tell which one is meant
    let twin = group.stated.get(&identity.detail).cloned();
    if let Some(twin) = &twin {
        resource.remove("identifier");
        out.change(twin, Change::without("identifier"));
    }
    let name = resource
        .get("valueCodeableConcept")
        .and_then(|value| value.get("text"))
        .or_else(|| resource.get("valueString"))
        .and_then(Value::as_str)
        .map(clean_title);
    let Some(made) = out.add("Observation", resource) else {
        return;
    };
    group.results.push(reference(&made));
    if is_wrong {
        let (numbers, detail) = (&group.numbers, &identity.detail);
        out.change_earlier("Observation", numbers, detail, Change::wrong_result);
        return;
    }
    out.remember("Observation", &group.numbers, &identity.detail, &made);
    if let (true, Some(name)) = (identity.is_organism, name) {
        let code = identity.code.as_deref();
        group.isolates.add(code, &identity.sub_id, name, &made);
    }
    if twin.is_none() {
        group.stated.insert(identity.detail, made);
    }
}

/// Comments as one Annotation: they are the lines of one text.
pub(super) fn annotations(notes: &[String]) -> Vec<Value> {
    let text = notes.join("\n");
    if text.trim().is_empty() || text.len() > MAX_STRING {
        return Vec::new();
    }
    vec![json!({ "text": text })]
}
