//! VXU: vaccinations as Immunizations.
//!
//! Sources: HL7 v2.5.1 section 4.14 (RXA, RXR) and the CDC "Implementation Guide for Immunization
//! Messaging" 1.5 for the observations that belong to a vaccination.

use serde_json::{Map, Value, json};
use vault_core::record::clean_title;

use super::dosage::route;
use super::fields::Segment;
use super::observations::annotations;
use super::output::{Context, Output, named, set, set_list};
use super::systems::TABLES;
use super::values::Unit;

/// All vaccinations of a message. Observations of no meaning to a vaccination are left out: the
/// forecast in such messages is not what was done.
pub(super) fn immunizations(context: Context<'_>, out: &mut Output) {
    let mut order: Option<Map<String, Value>> = None;
    let mut open: Option<Map<String, Value>> = None;
    let mut notes: Vec<String> = Vec::new();
    for segment in context.message.segments() {
        match segment.name() {
            "ORC" => {
                close(&mut open, &mut notes, out);
                let mut made = Map::new();
                let ids = [3, 2]
                    .into_iter()
                    .filter_map(|f| segment.rep(f)?.identifier(true));
                set_list(&mut made, "identifier", ids.collect());
                order = Some(made);
            }
            "RXA" => {
                close(&mut open, &mut notes, out);
                // an order with several doses: the number is that of all of them
                let order = order.clone().unwrap_or_default();
                open = immunization(&segment, order, context, out);
            }
            "RXR" => {
                if let Some(open) = &mut open {
                    set(open, "route", route(&segment, 1, "0162"));
                    set(open, "site", route(&segment, 2, "0163"));
                }
            }
            "OBX" => {
                if let Some(open) = &mut open {
                    about(&segment, open);
                }
            }
            "NTE" if open.is_some() => notes.extend(segment.whole(3)),
            _ => {}
        }
    }
    close(&mut open, &mut notes, out);
}

fn close(open: &mut Option<Map<String, Value>>, notes: &mut Vec<String>, out: &mut Output) {
    let notes = std::mem::take(notes);
    if let Some(mut immunization) = open.take() {
        set_list(&mut immunization, "note", annotations(&notes));
        out.add("Immunization", immunization);
    }
}

fn immunization(
    rxa: &Segment<'_>,
    mut made: Map<String, Value>,
    context: Context<'_>,
    out: &mut Output,
) -> Option<Map<String, Value>> {
    let place = context.message.place(rxa);
    let Some(vaccine) = rxa.coded(5) else {
        out.report(place, "a vaccination without a vaccine");
        return None;
    };
    // CVX 998, "no vaccine administered": a forecast or a history of none
    if vaccine.is("998") {
        return None;
    }
    made.insert("vaccineCode".into(), vaccine.concept()?);
    made.insert("patient".into(), context.subject());
    let status = match (rxa.text(21).as_deref(), rxa.text(20).as_deref()) {
        (Some("D"), _) => "entered-in-error",
        (_, Some("RE" | "NA")) => "not-done",
        // partly given counts as not done: it does not protect
        (_, Some("PA")) => "not-done",
        // who gives a reason for a refusal did not vaccinate
        (_, None) if rxa.rep(18).is_some() => "not-done",
        _ => "completed",
    };
    made.insert("status".into(), json!(status));
    if status == "not-done" {
        let code = rxa.text(20).unwrap_or_default();
        let words = match code.as_str() {
            "RE" => "Refused",
            "PA" => "Partially administered",
            _ => "Not administered",
        };
        let refusal = rxa
            .coded(18)
            .and_then(|c| c.concept_in(Some(&format!("{TABLES}0064"))));
        let mut stated = json!({ "text": words });
        if !code.is_empty() {
            stated["coding"] = json!([{"system": format!("{TABLES}0322"), "code": code}]);
        }
        made.insert("statusReason".into(), refusal.unwrap_or(stated));
    }
    let given = rxa.time(3).map(|time| time.date_time());
    match given {
        Some(time) => set(&mut made, "occurrenceDateTime", Some(time)),
        None => set(&mut made, "occurrenceString", Some("date not known")),
    }
    // CVX and NIP use 999 for a dose that is not known
    let dose = rxa.text(6).filter(|dose| dose != "999");
    let dose = dose.and_then(|dose| Unit::read(rxa, 7).quantity(&dose));
    set(&mut made, "doseQuantity", dose);
    for source in rxa.reps(9).filter_map(|rep| rep.coded()) {
        let historical = source
            .code()
            .is_some_and(|c| c.len() == 2 && c.starts_with('0'));
        if historical {
            let is_new = source.is("00");
            set(&mut made, "primarySource", Some(is_new));
            if !is_new {
                set(&mut made, "reportOrigin", source.concept());
            }
        }
    }
    let performer = named(rxa.person(10)).map(|actor| json!({ "actor": actor }));
    set_list(&mut made, "performer", performer.into_iter().collect());
    let place = rxa
        .rep(11)
        .and_then(|rep| rep.comp(4).or_else(|| rep.comp(1)));
    set(
        &mut made,
        "location",
        named(place.map(|place| clean_title(&place))),
    );
    let lot = rxa.text(15).map(|lot| clean_title(&lot));
    set(&mut made, "lotNumber", lot);
    let expires = rxa.time(16).map(|time| time.date().to_owned());
    set(&mut made, "expirationDate", expires);
    if let Some(maker) = rxa.coded(17) {
        let mut reference = Map::new();
        set(&mut reference, "display", maker.words());
        if let Some(code) = maker.codes().find(|code| code.system() == "mvx") {
            let identifier = json!({"system": code.system_uri(), "value": code.code()});
            reference.insert("identifier".into(), identifier);
        }
        made.insert("manufacturer".into(), Value::Object(reference));
    }
    set_list(
        &mut made,
        "reasonCode",
        rxa.concept(19).into_iter().collect(),
    );
    Some(made)
}

/// OBX after RXA: eligibility, information sheets, dose number, reaction.
fn about(obx: &Segment<'_>, made: &mut Map<String, Value>) {
    let Some(code) = obx.coded(3) else { return };
    let day = || obx.time(5).map(|time| time.date_time());
    let push = |made: &mut Map<String, Value>, key: &str, value: Value| {
        let list = made.entry(key).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(value);
        }
    };
    match code.code().unwrap_or_default() {
        "64994-7" => {
            if let Some(program) = obx.concept(5) {
                push(made, "programEligibility", program);
            }
        }
        // sheets of a vaccine come as three observations of one number
        "69764-9" | "30956-7" | "29768-9" | "29769-7" => {
            let number = obx.text(4).unwrap_or_default();
            let key = match code.code() {
                Some("29768-9") => "publicationDate",
                Some("29769-7") => "presentationDate",
                _ => "documentType",
            };
            let value = match key {
                "documentType" => obx.coded(5).and_then(|coded| coded.words()),
                _ => day(),
            };
            let Some(value) = value else { return };
            let list = made.entry("education").or_insert_with(|| json!([]));
            let Some(list) = list.as_array_mut() else {
                return;
            };
            // the number tells which parts belong together
            let id = format!("sheet-{}", list.len() + 1);
            let id = match number.bytes().all(|b| b.is_ascii_alphanumeric()) {
                true if !number.is_empty() => format!("sheet-{number}"),
                _ => id,
            };
            match list.iter_mut().find(|sheet| sheet["id"] == json!(id)) {
                Some(sheet) => sheet[key] = json!(value),
                None => list.push(json!({"id": id, key: value})),
            }
        }
        "30973-2" => {
            let dose = obx.text(5).and_then(|dose| dose.parse::<u16>().ok());
            if let Some(dose) = dose.filter(|dose| *dose > 0 && *dose < 900) {
                push(
                    made,
                    "protocolApplied",
                    json!({"doseNumberPositiveInt": dose}),
                );
            }
        }
        "31044-1" => {
            let words = obx.coded(5).and_then(|coded| coded.words());
            let mut notes = Map::new();
            set(
                &mut notes,
                "text",
                words.map(|words| format!("Reaction: {words}")),
            );
            if !notes.is_empty() {
                push(made, "note", Value::Object(notes));
            }
        }
        _ => {}
    }
}
