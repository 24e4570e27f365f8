//! ADT: visits and diagnoses.
//!
//! Sources: HL7 v2.5.1 chapters 3 and 6, tables 0003 (events), 0004 (class), 0052 (diagnosis type).

use serde_json::{Map, Value, json};
use vault_core::record::clean_title;

use super::fields::Segment;
use super::output::{Context, Output, named, set, set_list};
use super::systems::TABLES;
use crate::fhir::reference;

/// What an event of ADT is called, for people. Source: table 0003.
pub(super) fn event_words(event: &str) -> &'static str {
    match event {
        "A01" => "Admission",
        "A02" => "Transfer",
        "A03" => "Discharge",
        "A04" => "Registration",
        "A05" => "Pre-admission",
        "A06" | "A07" => "Change of patient class",
        "A08" | "A31" => "Update of patient information",
        "A11" => "Cancelled admission",
        "A12" => "Cancelled transfer",
        "A13" => "Cancelled discharge",
        "A14" => "Pending admission",
        "A18" | "A30" | "A34" | "A35" | "A36" | "A39" | "A40" | "A41" | "A42" => {
            "Merge of patient records"
        }
        "A23" => "Deleted visit",
        "A27" | "A38" => "Cancelled pre-admission",
        "A28" => "New patient information",
        "A29" => "Deleted patient information",
        "A60" => "Allergies",
        _ => "Patient information",
    }
}

/// Whether an event merges the records of two patients.
pub(super) fn is_merge(event: &str) -> bool {
    event_words(event) == "Merge of patient records"
}

/// The visit of a message, as an Encounter.
pub(super) fn encounter(context: Context<'_>, out: &mut Output) {
    let message = context.message;
    let Some(pv1) = message.first("PV1") else {
        return;
    };
    let mut made = Map::new();
    let (start, end) = (pv1.time(44), pv1.time(45));
    let status = match context.event {
        "A05" | "A14" => "planned",
        "A11" | "A27" | "A38" => "cancelled",
        "A23" => "entered-in-error",
        "A03" => "finished",
        _ if end.is_some() => "finished",
        "A01" | "A02" | "A04" | "A06" | "A07" | "A12" | "A13" => "in-progress",
        _ => "unknown",
    };
    made.insert("status".into(), json!(status));
    made.insert("class".into(), class(&pv1));
    set(&mut made, "subject", context.patient.map(reference));
    let ids = pv1.reps(19).filter_map(|rep| rep.identifier(false));
    set_list(&mut made, "identifier", ids.collect());
    let mut period = Map::new();
    set(&mut period, "start", start.map(|time| time.date_time()));
    set(&mut period, "end", end.map(|time| time.date_time()));
    if !period.is_empty() {
        made.insert("period".into(), Value::Object(period));
    }
    set(
        &mut made,
        "serviceType",
        pv1.coded(10)
            .and_then(|c| c.concept_in(Some(&table("0069")))),
    );
    let roles = [(7, "ATND"), (8, "REF"), (9, "CON"), (17, "ADM")];
    let participants = roles.into_iter().filter_map(|(field, role)| {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
        let individual = named(pv1.person(field))?;
        let role = json!([{"coding": [{"system": system, "code": role}]}]);
        Some(json!({"type": role, "individual": individual}))
    });
    set_list(&mut made, "participant", participants.collect());
    if let Some(rep) = pv1.rep(3) {
        // PL: the smallest place first
        let parts = [4, 1, 2, 3]
            .into_iter()
            .filter_map(|component| rep.comp(component));
        let name: Vec<String> = parts.collect();
        let location = named(Some(clean_title(&name.join(", "))).filter(|n| !n.is_empty()));
        let location = location.map(|location| json!({ "location": location }));
        set_list(&mut made, "location", location.into_iter().collect());
    }
    let mut stay = Map::new();
    let source = pv1
        .coded(14)
        .and_then(|c| c.concept_in(Some(&table("0023"))));
    set(&mut stay, "admitSource", source);
    let disposition = pv1
        .coded(36)
        .and_then(|c| c.concept_in(Some(&table("0112"))));
    set(&mut stay, "dischargeDisposition", disposition);
    if !stay.is_empty() {
        made.insert("hospitalization".into(), Value::Object(stay));
    }
    let reason = message.first("PV2").and_then(|pv2| pv2.concept(3));
    set_list(&mut made, "reasonCode", reason.into_iter().collect());
    out.add("Encounter", made);
}

fn table(number: &str) -> String {
    format!("{TABLES}{number}")
}

/// PV1-2, table 0004, as a class of HL7 v3 where one means the same.
fn class(pv1: &Segment<'_>) -> Value {
    let code = pv1.text(2).unwrap_or_else(|| "U".to_owned()).to_uppercase();
    let act = match code.as_str() {
        "I" => Some(("IMP", "inpatient encounter")),
        "O" | "R" => Some(("AMB", "ambulatory")),
        "E" => Some(("EMER", "emergency")),
        "P" => Some(("PRENC", "pre-admission")),
        _ => None,
    };
    match act {
        Some((code, display)) => json!({
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": code,
            "display": display,
        }),
        None => json!({"system": table("0004"), "code": clean_title(&code)}),
    }
}

/// DG1 as Conditions.
pub(super) fn diagnoses(context: Context<'_>, out: &mut Output) {
    for dg1 in context.message.named("DG1") {
        let described = || dg1.whole(4).map(|text| json!({"text": text}));
        let Some(code) = dg1.concept(3).or_else(described) else {
            let place = context.message.place(&dg1);
            out.report(place, "a diagnosis without a code");
            continue;
        };
        let mut made = Map::new();
        made.insert("code".into(), code);
        made.insert("subject".into(), context.subject());
        let status = match (dg1.text(21).as_deref(), dg1.text(6).as_deref()) {
            (Some("D"), _) => Some("entered-in-error"),
            (_, Some("F")) => Some("confirmed"),
            (_, Some("W" | "A")) => Some("provisional"),
            _ => None,
        };
        let system = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
        let status = status.map(|code| json!({"coding": [{"system": system, "code": code}]}));
        set(&mut made, "verificationStatus", status);
        let system = "http://terminology.hl7.org/CodeSystem/condition-category";
        let category = json!([{"coding": [{"system": system, "code": "encounter-diagnosis"}]}]);
        made.insert("category".into(), category);
        set(
            &mut made,
            "onsetDateTime",
            dg1.time(5).map(|time| time.date_time()),
        );
        set(
            &mut made,
            "recordedDate",
            dg1.time(19).map(|time| time.date_time()),
        );
        set(&mut made, "asserter", named(dg1.person(16)));
        out.add("Condition", made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::message;
    use crate::{Deriver, Moment};

    /// Kinds and words of what comes of these segments.
    fn of(event: &str, segments: &str) -> Vec<Value> {
        let text = format!("MSH|^~\\&|A\r{segments}\r");
        let message = message(text.as_bytes(), 1, &mut Vec::new()).unwrap();
        let deriver = Deriver::new(vault_core::Digest::of(b"x"), Moment(0), [].into());
        let mut out = Output::new(deriver, Vec::new());
        let context = Context {
            message: &message,
            patient: None,
            kind: "ADT",
            event,
            sender: None,
        };
        encounter(context, &mut out);
        diagnoses(context, &mut out);
        let (mut derived, _) = out.finish("a test");
        derived.pop();
        let parse = |d: &crate::Derived| serde_json::from_slice(&d.content).unwrap();
        derived.iter().map(parse).collect()
    }

    #[test]
    fn the_state_of_a_visit() {
        let status = |event: &str, pv1: &str| of(event, pv1)[0]["status"].clone();
        assert_eq!(status("A01", "PV1|1|I"), "in-progress");
        assert_eq!(status("A03", "PV1|1|I"), "finished");
        assert_eq!(status("A05", "PV1|1|P"), "planned");
        assert_eq!(status("A11", "PV1|1|I"), "cancelled");
        assert_eq!(status("A23", "PV1|1|I"), "entered-in-error");
        assert_eq!(status("A08", "PV1|1|E"), "unknown");
        let discharged = format!("PV1|1|I{}20240309", "|".repeat(43));
        assert_eq!(status("A08", &discharged), "finished");
        assert_eq!(of("A08", "PV1|1|E")[0]["class"]["code"], "EMER");
        assert_eq!(of("A08", "PV1|1|")[0]["class"]["code"], "U");
    }

    /// Nothing in DG1 says whether somebody still has what was found.
    #[test]
    fn a_diagnosis_of_a_visit_has_no_invented_state() {
        let made = of("A03", "DG1|1||K35.80^Acute appendicitis^I10C||20050301|F");
        let found = &made[0];
        assert_eq!(found["resourceType"], "Condition");
        assert_eq!(found.get("clinicalStatus"), None);
        let category = &found["category"][0]["coding"][0]["code"];
        assert_eq!(category, "encounter-diagnosis");
        let status = &found["verificationStatus"]["coding"][0]["code"];
        assert_eq!(status, "confirmed");
    }
}
