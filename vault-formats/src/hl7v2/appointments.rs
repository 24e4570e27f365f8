//! SIU: appointments.
//!
//! Sources: HL7 v2.5.1 chapter 10, table 0278 (filler status).

use serde_json::{Map, Value, json};
use vault_core::record::clean_title;

use super::changes::Change;
use super::fields::Segment;
use super::numbers;
use super::output::{Context, MAX_STRING, Output, named, set, set_list};
use super::time::Time;
use crate::fhir::reference;

/// The appointment of a message.
///
/// FHIR wants the moment of an appointment. A time without an offset is read with that of MSH-7,
/// which HL7 makes the default of a message; without either there is only the original.
pub(super) fn appointment(context: Context<'_>, out: &mut Output) {
    let message = context.message;
    let Some(sch) = message.first("SCH") else {
        return;
    };
    let sent = message.first("MSH").and_then(|msh| msh.time(7));
    let default = sent.as_ref().and_then(Time::offset);
    let mut made = Map::new();
    let state = status(&sch, context.event);
    made.insert("status".into(), json!(state));
    set_list(&mut made, "identifier", numbers::identifiers(&sch, 1, 2));
    // what was said before in the same file stands no longer
    let known = numbers::numbers(&sch, 1, 2);
    let whose = context.patient.unwrap_or_default();
    let ended = match (state, context.event) {
        // moved to another time
        (_, "S13") => Some("cancelled"),
        ("cancelled" | "entered-in-error" | "noshow" | "fulfilled", _) => Some(state),
        _ => None,
    };
    if let Some(ended) = ended {
        let change = || Change::status(ended);
        out.change_earlier("Appointment", &known, whose, change);
    }
    let component = |at| sch.comp(11, at).and_then(|text| Time::parse(&text));
    let details = ["AIS", "AIG", "AIL", "AIP"];
    let resource = details.into_iter().find_map(|name| {
        // the service begins in AIS-4, people and places in field 6 of theirs
        let field = if name == "AIS" { 4 } else { 6 };
        message.first(name).and_then(|segment| segment.time(field))
    });
    let start = component(4)
        .or(resource)
        .and_then(|time| time.instant(default));
    let end = component(5).and_then(|time| time.instant(default));
    let end = end.or_else(|| end_after(start.as_deref()?, &sch));
    match (start, end) {
        (Some(start), Some(end)) => {
            made.insert("start".into(), json!(start));
            made.insert("end".into(), json!(end));
        }
        _ if matches!(state, "cancelled" | "proposed" | "waitlist") => {}
        _ => {
            let place = message.place(&sch);
            out.report(
                place,
                "the time of an appointment is not clear: see the original",
            );
            return;
        }
    }
    let reason = sch.concept(7).or_else(|| sch.concept(6));
    set_list(&mut made, "reasonCode", reason.into_iter().collect());
    set(&mut made, "appointmentType", sch.concept(8));
    let service = message.first("AIS").and_then(|ais| ais.coded(3));
    let service_words = service.as_ref().and_then(|coded| coded.words());
    let service = service.and_then(|coded| coded.concept());
    set_list(&mut made, "serviceType", service.into_iter().collect());
    let words = service_words.or_else(|| sch.coded(7).and_then(|coded| coded.words()));
    set(&mut made, "description", words);
    let accepted = |actor: Value| json!({"actor": actor, "status": "accepted"});
    let mut participants = Vec::new();
    let patient = context
        .patient
        .map(reference)
        .unwrap_or_else(|| context.subject());
    participants.push(accepted(patient));
    for aip in message.named("AIP") {
        participants.extend(named(aip.person(3)).map(accepted));
    }
    for ail in message.named("AIL") {
        let place = ail
            .rep(3)
            .and_then(|rep| rep.joined())
            .map(|place| clean_title(&place));
        participants.extend(named(place).map(accepted));
    }
    set_list(&mut made, "participant", participants);
    let comment = message.first("NTE").and_then(|nte| nte.whole(3));
    let comment = comment.filter(|text| text.len() <= MAX_STRING);
    set(&mut made, "comment", comment);
    if let Some(made) = out.add("Appointment", made) {
        out.remember("Appointment", &known, whose, &made);
    }
}

fn status(sch: &Segment<'_>, event: &str) -> &'static str {
    match event {
        "S15" => return "cancelled",
        "S17" => return "entered-in-error",
        "S26" => return "noshow",
        _ => {}
    }
    match sch.text(25).unwrap_or_default().to_lowercase().as_str() {
        "complete" => "fulfilled",
        "cancelled" | "dc" => "cancelled",
        "deleted" => "entered-in-error",
        "noshow" => "noshow",
        "started" => "arrived",
        "pending" => "pending",
        "waitlist" => "waitlist",
        _ => "booked",
    }
}

/// The end, from the length in SCH-9 and SCH-10. Without a unit it is minutes.
fn end_after(start: &str, sch: &Segment<'_>) -> Option<String> {
    let length: i64 = sch.text(9)?.parse().ok()?;
    let unit = sch.text(10).unwrap_or_default().to_lowercase();
    let seconds = match unit.as_str() {
        "" | "m" | "min" | "minute" | "minutes" => length.checked_mul(60)?,
        "s" | "sec" | "second" | "seconds" => length,
        "h" | "hr" | "hour" | "hours" => length.checked_mul(3600)?,
        _ => return None,
    };
    if !(1..=7 * 86_400).contains(&seconds) {
        return None;
    }
    let (clock, offset) = start.split_at_checked(start.len().checked_sub(6)?)?;
    let offset = if offset.starts_with(['+', '-']) {
        offset
    } else {
        return None;
    };
    let clock: jiff::civil::DateTime = clock.parse().ok()?;
    let end = clock
        .checked_add(jiff::SignedDuration::from_secs(seconds))
        .ok()?;
    Some(format!("{}{offset}", end.strftime("%Y-%m-%dT%H:%M:%S")))
}
