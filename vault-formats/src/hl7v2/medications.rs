//! Medication: RXO and RXE as MedicationRequest, and what was dispensed and given.
//!
//! Sources: HL7 v2.5.1 chapter 4 (RXO, RXE, RXR, TQ1), HL7 "V2-to-FHIR".

use serde_json::{Map, Value, json};

use super::changes::Numbers;
use super::dispensed::{administration, dispense};
use super::dosage::{quantity_timing, route, timing};
use super::fields::{Coded, Segment};
use super::numbers::{self, FILLER, PLACER};
use super::observations::annotations;
use super::orders::{self, end_earlier, priority, request_status};
use super::output::{Context, MAX_STRING, Output, named, set, set_list};
use super::values::Unit;
use crate::fhir::{decimal, reference};

/// One resource while the segments that belong to it are read.
pub(super) struct Open {
    pub(super) kind: &'static str,
    pub(super) resource: Map<String, Value>,
    pub(super) dosage: Map<String, Value>,
    /// What the older TQ says, for where no TQ1 does.
    pub(super) older: Map<String, Value>,
    pub(super) notes: Vec<String>,
    pub(super) numbers: Numbers,
}

/// What ORC says for the segments after it.
#[derive(Default)]
pub(super) struct Order {
    pub(super) common: Map<String, Value>,
    status: Option<&'static str>,
    /// TQ1 before any medication.
    timing: Map<String, Value>,
    priority: Option<&'static str>,
    /// ORC-7, a TQ.
    pub(super) older: Map<String, Value>,
    pub(super) numbers: Numbers,
    /// The requested medication and its reference, once RXO is written.
    pub(super) requested: Option<(Coded, String)>,
}

/// All medication of a message.
pub(super) fn medications(context: Context<'_>, out: &mut Output) {
    let mut order = Order::default();
    let mut open: Option<Open> = None;
    // an RXO is left out where the RXE after it says the same in the pharmacy's words
    let mut requested: Option<(Coded, Open)> = None;
    for segment in context.message.segments() {
        match segment.name() {
            "ORC" => {
                close(&mut open, &mut requested, &mut order, context, out);
                keep_requested(&mut requested, &mut order, false, context, out);
                order = begin(&segment, context);
                end_earlier("MedicationRequest", &segment, request_status, context, out);
            }
            "RXO" => {
                close(&mut open, &mut requested, &mut order, context, out);
                open = request(&segment, &RXO, &order, context, out);
                if let (Some(made), Some(code)) = (open.take(), segment.coded(1)) {
                    requested = Some((code, made));
                    order.timing.clear();
                }
            }
            "RXE" => {
                close(&mut open, &mut requested, &mut order, context, out);
                let same = match (&requested, segment.coded(2)) {
                    (Some((asked, _)), Some(given)) => asked.code() == given.code(),
                    _ => false,
                };
                if let (true, Some((_, asked))) = (same, &requested) {
                    // the pharmacy may leave the times to the order
                    let times = asked.dosage.get("timing").cloned();
                    set(&mut order.timing, "timing", times);
                    order.older.clone_from(&asked.older);
                    requested = None;
                }
                keep_requested(&mut requested, &mut order, true, context, out);
                open = request(&segment, &RXE, &order, context, out);
                if let (Some(open), Some((_, before))) = (&mut open, &order.requested) {
                    open.resource.insert("intent".into(), json!("filler-order"));
                    open.resource
                        .insert("basedOn".into(), json!([reference(before)]));
                }
            }
            "RXD" => {
                close(&mut open, &mut requested, &mut order, context, out);
                open = dispense(&segment, &order, context, out);
            }
            "RXA" => {
                close(&mut open, &mut requested, &mut order, context, out);
                open = administration(&segment, &order, context, out);
            }
            "TQ1" | "RXR" | "NTE" => {
                let target = open.as_mut().or(requested.as_mut().map(|(_, open)| open));
                match target {
                    Some(target) => add_to(target, &segment),
                    None if segment.name() == "TQ1" => {
                        order.timing = timing(&segment);
                        order.priority = segment.text(9).and_then(|code| priority(&code));
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }
    close(&mut open, &mut requested, &mut order, context, out);
    keep_requested(&mut requested, &mut order, false, context, out);
}

fn begin(orc: &Segment<'_>, context: Context<'_>) -> Order {
    let mut order = Order {
        status: request_status(orc.text(1).as_deref(), orc.text(5).as_deref()),
        older: quantity_timing(orc, 7),
        numbers: numbers::numbers(orc, PLACER, FILLER),
        ..Order::default()
    };
    let common = &mut order.common;
    set_list(
        common,
        "identifier",
        numbers::identifiers(orc, PLACER, FILLER),
    );
    common.insert("subject".into(), context.subject());
    set(
        common,
        "authoredOn",
        orc.time(9).map(|time| time.date_time()),
    );
    set(common, "requester", named(orc.person(12)));
    order
}

/// Where the same things stand in RXO and RXE.
struct Fields {
    code: usize,
    amount: [usize; 3],
    form: usize,
    instructions: [usize; 2],
    dispense: [usize; 3],
    substitution: usize,
    /// A TQ of its own.
    older: Option<usize>,
}

const RXO: Fields = Fields {
    code: 1,
    amount: [2, 3, 4],
    form: 5,
    instructions: [7, 6],
    dispense: [11, 12, 13],
    substitution: 9,
    older: None,
};
const RXE: Fields = Fields {
    code: 2,
    amount: [3, 4, 5],
    form: 6,
    instructions: [7, 21],
    dispense: [10, 11, 12],
    substitution: 9,
    older: Some(1),
};

fn request(
    segment: &Segment<'_>,
    fields: &Fields,
    order: &Order,
    context: Context<'_>,
    out: &mut Output,
) -> Option<Open> {
    let Some(code) = segment.concept(fields.code) else {
        out.report(
            context.message.place(segment),
            "a prescription without a medication",
        );
        return None;
    };
    let mut made = order.common.clone();
    made.entry("subject").or_insert_with(|| context.subject());
    made.insert("status".into(), json!(order.status.unwrap_or("unknown")));
    made.insert("intent".into(), json!("order"));
    made.insert("medicationCodeableConcept".into(), code);
    set(&mut made, "priority", order.priority);
    let mut dosage = order.timing.clone();
    let [low, high, unit] = fields.amount;
    let unit = Unit::read(segment, unit);
    let quantity = |field: usize| segment.text(field).and_then(|text| unit.quantity(&text));
    let dose = match (quantity(low), quantity(high)) {
        (Some(low), Some(high)) => Some(json!({"doseRange": {"low": low, "high": high}})),
        (Some(dose), None) | (None, Some(dose)) => Some(json!({ "doseQuantity": dose })),
        (None, None) => None,
    };
    // a dose in words, or half of a range
    let unread = [low, high].into_iter().filter_map(|field| {
        let text = segment.whole(field)?;
        quantity(field).is_none().then_some(text)
    });
    let unread: Vec<String> = unread.collect();
    let unread = (!unread.is_empty()).then(|| {
        out.report(
            context.message.place(segment),
            "a dose that is no number; it is in the words of the dosage",
        );
        let unit = segment
            .coded(fields.amount[2])
            .and_then(|unit| unit.words());
        let text = format!("Dose: {} {}", unread.join(" - "), unit.unwrap_or_default());
        text.trim_end().to_owned()
    });
    set_list(&mut dosage, "doseAndRate", dose.into_iter().collect());
    let words = fields
        .instructions
        .into_iter()
        .flat_map(|field| segment.reps(field));
    // as a code, or as words in the second component
    let words: Vec<String> = unread
        .into_iter()
        .chain(words.filter_map(|rep| rep.coded()?.full_words()))
        .filter(|words| words.len() <= MAX_STRING)
        .collect();
    if !words.is_empty() {
        let before = dosage
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let all: Vec<&str> = words.iter().map(String::as_str).collect();
        let all = [all.as_slice(), &[before]].concat().join("\n");
        dosage.insert("text".into(), json!(all.trim()));
    }
    let mut supply = Map::new();
    let [amount, unit, refills] = fields.dispense;
    let unit = Unit::read(segment, unit);
    let amount = segment.text(amount).and_then(|text| unit.quantity(&text));
    set(&mut supply, "quantity", amount);
    let refills = segment
        .text(refills)
        .and_then(|text| text.parse::<u32>().ok());
    set(&mut supply, "numberOfRepeatsAllowed", refills);
    if !supply.is_empty() {
        made.insert("dispenseRequest".into(), Value::Object(supply));
    }
    // table 0167: N, none; G and T, generic or therapeutic substitution
    let substitution = match segment.text(fields.substitution).as_deref() {
        Some("N") => Some(false),
        Some("G" | "T" | "Y") => Some(true),
        _ => None,
    };
    let substitution = substitution.map(|allowed| json!({ "allowedBoolean": allowed }));
    set(&mut made, "substitution", substitution);
    let mut notes = Vec::new();
    let form = segment.coded(fields.form).and_then(|coded| coded.words());
    notes.extend(form.map(|form| format!("Dosage form: {form}")));
    let odd = fields.older.and_then(|field| segment.comp(field, 1));
    if odd.is_some_and(|amount| decimal(&amount).is_none()) {
        let what = "a quantity that is no number; it is in the words of the dosage";
        out.report(context.message.place(segment), what);
    }
    let own = fields.older.map(|field| quantity_timing(segment, field));
    let older = own.filter(|own| !own.is_empty());
    let older = older.unwrap_or_else(|| order.older.clone());
    Some(Open {
        kind: "MedicationRequest",
        resource: made,
        dosage,
        older: if order.timing.is_empty() {
            older
        } else {
            Map::new()
        },
        numbers: order.numbers.clone(),
        notes,
    })
}

fn add_to(open: &mut Open, segment: &Segment<'_>) {
    match segment.name() {
        "TQ1" if open.kind == "MedicationRequest" => {
            open.older.clear();
            let text = open.dosage.remove("text");
            let mut timing = timing(segment);
            let texts = [text, timing.remove("text")].into_iter().flatten();
            let texts: Vec<String> = texts
                .filter_map(|t| t.as_str().map(str::to_owned))
                .collect();
            for (key, value) in timing {
                // what is given at a time says RXO or RXE first
                if key != "doseAndRate" || !open.dosage.contains_key(&key) {
                    open.dosage.insert(key, value);
                }
            }
            set(
                &mut open.dosage,
                "text",
                Some(texts.join("\n")).filter(|t| !t.is_empty()),
            );
            let code = segment.text(9).and_then(|code| priority(&code));
            set(&mut open.resource, "priority", code);
        }
        "RXR" => {
            set(&mut open.dosage, "route", route(segment, 1, "0162"));
            set(&mut open.dosage, "site", route(segment, 2, "0163"));
            set(&mut open.dosage, "method", route(segment, 4, "0165"));
        }
        "NTE" => open.notes.extend(segment.whole(3)),
        _ => {}
    }
}

/// Writes an RXO that is not said again by an RXE. `is_original` when an RXE follows.
fn keep_requested(
    requested: &mut Option<(Coded, Open)>,
    order: &mut Order,
    is_original: bool,
    context: Context<'_>,
    out: &mut Output,
) {
    let Some((code, mut made)) = requested.take() else {
        return;
    };
    if is_original {
        made.resource
            .insert("intent".into(), json!("original-order"));
    }
    if let Some(reference) = write(made, context, out) {
        order.requested = Some((code, reference));
    }
}

fn close(
    open: &mut Option<Open>,
    requested: &mut Option<(Coded, Open)>,
    order: &mut Order,
    context: Context<'_>,
    out: &mut Output,
) {
    let Some(made) = open.take() else { return };
    let is_request = made.kind == "MedicationRequest";
    let reference = write(made, context, out);
    if let (true, Some(reference), None) = (is_request, reference, requested.as_ref()) {
        order.requested = Some((Coded::default(), reference));
    }
}

fn write(made: Open, context: Context<'_>, out: &mut Output) -> Option<String> {
    let Open {
        kind,
        mut resource,
        mut dosage,
        older,
        notes,
        numbers,
    } = made;
    add_older(&mut dosage, older, &mut resource);
    if !dosage.is_empty() {
        let (key, value) = match kind {
            "MedicationAdministration" => ("dosage", Value::Object(dosage)),
            _ => ("dosageInstruction", json!([dosage])),
        };
        // a dosage of an administration needs a dose
        let useless = kind == "MedicationAdministration" && value.get("dose").is_none();
        if !useless {
            resource.insert(key.into(), value);
        }
    }
    set_list(&mut resource, "note", annotations(&notes));
    let made = out.add(kind, resource)?;
    if kind == "MedicationRequest" {
        orders::remember(kind, &numbers, &made, context, out);
    }
    Some(made)
}

/// What TQ says goes where nothing better is known; its words are added.
fn add_older(
    dosage: &mut Map<String, Value>,
    mut older: Map<String, Value>,
    resource: &mut Map<String, Value>,
) {
    if let Some(priority) = older.remove("priority") {
        resource.entry("priority").or_insert(priority);
    }
    let texts = [dosage.remove("text"), older.remove("text")];
    let texts = texts.into_iter().flatten();
    let texts: Vec<String> = texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect();
    for (key, value) in older {
        dosage.entry(key).or_insert(value);
    }
    let text = Some(texts.join("\n")).filter(|text| !text.is_empty());
    set(dosage, "text", text);
}
