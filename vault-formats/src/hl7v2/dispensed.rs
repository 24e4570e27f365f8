//! What was dispensed and given: RXD as MedicationDispense, RXA as MedicationAdministration.
//!
//! Sources: HL7 v2.5.1 sections 4.14.5 (RXD) and 4.14.7 (RXA), HL7 "V2-to-FHIR".

use serde_json::{Map, json};

use super::changes::Numbers;
use super::fields::Segment;
use super::medications::{Open, Order};
use super::output::{Context, Output, named, set, set_list};
use super::values::Unit;
use crate::fhir::reference;

/// RXD.
pub(super) fn dispense(
    rxd: &Segment<'_>,
    order: &Order,
    context: Context<'_>,
    out: &mut Output,
) -> Option<Open> {
    let Some(code) = rxd.concept(2) else {
        out.report(
            context.message.place(rxd),
            "a dispense without a medication",
        );
        return None;
    };
    let mut made = Map::new();
    made.insert("status".into(), json!("completed"));
    made.insert("medicationCodeableConcept".into(), code);
    made.insert("subject".into(), context.subject());
    set(
        &mut made,
        "identifier",
        order.common.get("identifier").cloned(),
    );
    let amount = rxd
        .text(4)
        .and_then(|text| Unit::read(rxd, 5).quantity(&text));
    set(&mut made, "quantity", amount);
    set(
        &mut made,
        "whenHandedOver",
        rxd.time(3).map(|time| time.date_time()),
    );
    let by = named(rxd.person(10)).map(|actor| json!({ "actor": actor }));
    set_list(&mut made, "performer", by.into_iter().collect());
    if let Some((_, request)) = &order.requested {
        made.insert(
            "authorizingPrescription".into(),
            json!([reference(request)]),
        );
    }
    Some(Open {
        kind: "MedicationDispense",
        resource: made,
        dosage: Map::new(),
        older: Map::new(),
        numbers: Numbers::default(),
        notes: rxd.whole(9).into_iter().collect(),
    })
}

/// RXA outside vaccination messages.
pub(super) fn administration(
    rxa: &Segment<'_>,
    order: &Order,
    context: Context<'_>,
    out: &mut Output,
) -> Option<Open> {
    let place = context.message.place(rxa);
    let (Some(code), Some(given)) = (rxa.concept(5), rxa.time(3)) else {
        out.report(place, "an administration without a medication or a time");
        return None;
    };
    let status = match (rxa.text(21).as_deref(), rxa.text(20).as_deref()) {
        (Some("D"), _) => "entered-in-error",
        (_, Some("RE" | "NA")) => "not-done",
        (_, Some("PA")) => "stopped",
        // who gives a reason for a refusal did not give it
        (_, None) if rxa.rep(18).is_some() => "not-done",
        _ => "completed",
    };
    let mut made = Map::new();
    made.insert("status".into(), json!(status));
    made.insert("medicationCodeableConcept".into(), code);
    made.insert("subject".into(), context.subject());
    made.insert("effectiveDateTime".into(), json!(given.date_time()));
    set(
        &mut made,
        "identifier",
        order.common.get("identifier").cloned(),
    );
    if status == "not-done" {
        set_list(
            &mut made,
            "statusReason",
            rxa.concept(18).into_iter().collect(),
        );
    }
    let by = named(rxa.person(10)).map(|actor| json!({ "actor": actor }));
    set_list(&mut made, "performer", by.into_iter().collect());
    let mut dosage = Map::new();
    let dose = rxa
        .text(6)
        .and_then(|dose| Unit::read(rxa, 7).quantity(&dose));
    set(&mut dosage, "dose", dose);
    Some(Open {
        kind: "MedicationAdministration",
        resource: made,
        dosage,
        older: Map::new(),
        numbers: Numbers::default(),
        notes: Vec::new(),
    })
}
