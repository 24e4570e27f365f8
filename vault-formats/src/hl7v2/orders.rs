//! Orders: ORC and OBR as ServiceRequests.
//!
//! Sources: HL7 v2.5.1 section 4.5, tables 0119 (order control), 0038 (order status), 0485
//! (priority).

use serde_json::{Map, Value, json};

use super::changes::{Change, Numbers};
use super::fields::Segment;
use super::numbers::{self, FILLER, PLACER, identifiers};
use super::observations::annotations;
use super::output::{Context, Output, named, set, set_list};
use super::systems::{TABLES, section};
use crate::fhir::{coding, concept};

/// The state of an order by ORC-1 and ORC-5; `None` when neither says.
pub(super) fn order_status(control: Option<&str>, status: Option<&str>) -> Option<&'static str> {
    let by_status = match status {
        Some("CM") => Some("completed"),
        Some("CA" | "DC" | "RP") => Some("revoked"),
        Some("HD") => Some("on-hold"),
        Some("ER") => Some("entered-in-error"),
        Some("A" | "IP" | "SC") => Some("active"),
        _ => None,
    };
    let by_control = match control {
        Some("CA" | "CR" | "DC" | "DR" | "OC" | "OD" | "RP") => return Some("revoked"),
        Some("HD" | "HR" | "OH") => Some("on-hold"),
        Some("NW" | "OK" | "RE" | "RL" | "XO" | "SC" | "SN" | "NA" | "RO") => Some("active"),
        _ => None,
    };
    by_status.or(by_control)
}

/// The state of a prescription by ORC-1 and ORC-5. FHIR has other words for it than for an order:
/// cancelled before it was begun, or stopped.
pub(super) fn request_status(control: Option<&str>, status: Option<&str>) -> Option<&'static str> {
    let state = order_status(control, status)?;
    if state != "revoked" {
        return Some(state);
    }
    Some(match (control, status) {
        (Some("CA" | "CR" | "OC"), _) => "cancelled",
        (Some("DC" | "DR" | "OD" | "RP"), _) => "stopped",
        (_, Some("CA")) => "cancelled",
        _ => "stopped",
    })
}

/// Table 0485, and table 0027 before it.
pub(super) fn priority(code: &str) -> Option<&'static str> {
    Some(match code {
        "S" => "stat",
        "A" => "asap",
        "R" => "routine",
        "U" => "urgent",
        _ => return None,
    })
}

/// All orders of a message.
pub(super) fn orders(context: Context<'_>, out: &mut Output) {
    let mut order: Map<String, Value> = Map::new();
    let mut urgency: Option<&str> = None;
    let mut known = Numbers::default();
    let mut open: Option<Open> = None;
    for segment in context.message.segments() {
        match segment.name() {
            "ORC" => {
                close(&mut open, context, out);
                (order, urgency) = (common(&segment), None);
                known = numbers::numbers(&segment, PLACER, FILLER);
                end_earlier("ServiceRequest", &segment, order_status, context, out);
            }
            "OBR" => {
                close(&mut open, context, out);
                let own = numbers::numbers(&segment, PLACER, FILLER);
                let numbers = if own.is_empty() { known.clone() } else { own };
                let made = request(&segment, &order, context, out);
                open = made.map(|made| Open {
                    made,
                    notes: Vec::new(),
                    numbers,
                });
                if let (Some(open), Some(urgency)) = (&mut open, urgency) {
                    open.made.insert("priority".into(), json!(urgency));
                }
            }
            "TQ1" => {
                urgency = segment.text(9).and_then(|code| priority(&code));
                if let Some(open) = &mut open {
                    set(&mut open.made, "priority", urgency);
                }
            }
            "NTE" => {
                if let Some(open) = &mut open {
                    open.notes.extend(segment.whole(3));
                }
            }
            "DG1" => {
                if let (Some(open), Some(reason)) = (&mut open, segment.concept(3)) {
                    let list = open.made.entry("reasonCode").or_insert_with(|| json!([]));
                    if let Some(list) = list.as_array_mut() {
                        list.push(reason);
                    }
                }
            }
            _ => {}
        }
    }
    close(&mut open, context, out);
}

/// An order while the segments that belong to it are read.
struct Open {
    made: Map<String, Value>,
    notes: Vec<String>,
    numbers: Numbers,
}

fn close(open: &mut Option<Open>, context: Context<'_>, out: &mut Output) {
    if let Some(mut open) = open.take() {
        set_list(&mut open.made, "note", annotations(&open.notes));
        if let Some(made) = out.add("ServiceRequest", open.made) {
            remember("ServiceRequest", &open.numbers, &made, context, out);
        }
    }
}

/// What ORC says of the orders after it.
fn common(orc: &Segment<'_>) -> Map<String, Value> {
    let mut order = Map::new();
    let status = order_status(orc.text(1).as_deref(), orc.text(5).as_deref());
    set(&mut order, "status", status);
    set_list(&mut order, "identifier", identifiers(orc, PLACER, FILLER));
    set(
        &mut order,
        "authoredOn",
        orc.time(9).map(|time| time.date_time()),
    );
    set(&mut order, "requester", named(orc.person(12)));
    order
}

/// When ORC says that an order has ended or was replaced, what earlier messages of the file said of
/// it stands no longer. `status` reads the state from ORC-1 and ORC-5.
pub(super) fn end_earlier(
    kind: &str,
    orc: &Segment<'_>,
    status: impl Fn(Option<&str>, Option<&str>) -> Option<&'static str>,
    context: Context<'_>,
    out: &mut Output,
) {
    let control = orc.text(1);
    let state = match control.as_deref() {
        // the new version of an order takes the place of the old one
        Some("XO" | "XR" | "XX") => status(Some("RP"), None),
        control => status(control, orc.text(5).as_deref()),
    };
    let Some(state) = state.filter(|state| *state != "active") else {
        return;
    };
    let numbers = numbers::numbers(orc, PLACER, FILLER).of_order();
    let change = || Change::status(state);
    out.change_earlier(kind, &numbers, context.patient.unwrap_or_default(), change);
}

/// Keeps an order with the numbers of its ORC, for what later messages say of it.
pub(super) fn remember(
    kind: &str,
    numbers: &Numbers,
    made: &str,
    context: Context<'_>,
    out: &mut Output,
) {
    let numbers = numbers.clone().of_order();
    let patient = context.patient.unwrap_or_default();
    out.remember(kind, &numbers, patient, made);
}

fn request(
    obr: &Segment<'_>,
    order: &Map<String, Value>,
    context: Context<'_>,
    out: &mut Output,
) -> Option<Map<String, Value>> {
    let Some(code) = obr.concept(4) else {
        out.report(context.message.place(obr), "an order without a code");
        return None;
    };
    let mut made = order.clone();
    made.entry("status").or_insert_with(|| json!("unknown"));
    made.insert("intent".into(), json!("order"));
    made.insert("code".into(), code);
    made.insert("subject".into(), context.subject());
    let own = identifiers(obr, PLACER, FILLER);
    if !own.is_empty() {
        set_list(&mut made, "identifier", own);
    }
    let planned = obr.time(36).or_else(|| obr.time(7)).or_else(|| obr.time(6));
    set(
        &mut made,
        "occurrenceDateTime",
        planned.map(|time| time.date_time()),
    );
    set(
        &mut made,
        "priority",
        obr.text(5).and_then(|code| priority(&code)),
    );
    if let Some(requester) = named(obr.person(16)) {
        made.insert("requester".into(), requester);
    }
    let section = obr.text(24).filter(|code| section(code).is_some());
    let section = section.and_then(|code| {
        let code = coding(Some(&format!("{TABLES}0074")), &code.to_uppercase(), None)?;
        concept(vec![code], None)
    });
    set_list(&mut made, "category", section.into_iter().collect());
    let reasons = obr.reps(31).filter_map(|rep| rep.coded()?.concept());
    set_list(&mut made, "reasonCode", reasons.collect());
    Some(made)
}
