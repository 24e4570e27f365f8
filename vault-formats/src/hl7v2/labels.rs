//! What a message says about its own sensitivity.
//!
//! Sources: HL7 v2.5.1 tables 0099 (VIP), 0136, 0177 and 0272 (confidentiality), 0498 (consent), HL7
//! v2.8 section 3.4.12 (ARV) with tables 0717 (restricted data) and 0719 (reasons); HL7 Terminology,
//! code systems v3-ActCode and v3-Confidentiality.

use std::collections::BTreeSet;

use vault_core::Label;

use super::fields::Segment;
use super::frames::Message;

/// The labels of a message. Unclear means sensitive.
pub(super) fn labels(message: &Message, found: &mut BTreeSet<Label>) {
    let mut add = |code: &str| match Label::new(code) {
        Ok(label) => found.insert(label),
        Err(_) => found.insert(Label::unclear()),
    };
    for segment in message.segments() {
        match segment.name() {
            // protection indicator
            "PD1" => yes_is_restricted(&segment, 12, &mut add),
            "PV1" if segment.rep(16).is_some() => {
                add("VIP");
            }
            "PV2" => yes_is_restricted(&segment, 22, &mut add),
            "DG1" => yes_is_restricted(&segment, 18, &mut add),
            "ORC" => confidentiality(&segment, 28, &mut add),
            "TXA" => confidentiality(&segment, 18, &mut add),
            // codes for access checks, whose meaning only the two systems know
            "OBX" if segment.rep(13).is_some() => {
                add("UNCLEAR");
            }
            "CON" => consent(&segment, &mut add),
            "ARV" => restriction(&segment, &mut add),
            _ => {}
        }
    }
}

fn yes_is_restricted(segment: &Segment<'_>, field: usize, add: &mut impl FnMut(&str) -> bool) {
    match segment
        .text(field)
        .map(|text| text.to_uppercase())
        .as_deref()
    {
        None | Some("N" | "NO") => {}
        Some("Y" | "YES") => {
            add("R");
        }
        Some(_) => {
            add("UNCLEAR");
        }
    }
}

/// Tables 0177 and 0272.
fn confidentiality(segment: &Segment<'_>, field: usize, add: &mut impl FnMut(&str) -> bool) {
    for code in segment.reps(field).filter_map(|rep| rep.comp(1)) {
        let code = code.to_uppercase();
        match code.as_str() {
            // usual control
            "U" | "N" => {}
            "R" | "V" | "EMP" | "VIP" | "PSY" | "HIV" | "ETH" => {
                add(&code);
            }
            "AID" => {
                add("HIV");
            }
            _ => {
                add("UNCLEAR");
            }
        }
    }
}

/// CON-9: limits that the patient sets; CON-11: whether consent was given.
fn consent(con: &Segment<'_>, add: &mut impl FnMut(&str) -> bool) {
    if con.whole(9).is_some() {
        add("UNCLEAR");
    }
    match con.text(11).as_deref() {
        None | Some("A") => {}
        // limited, refused, taken back
        Some("L" | "R" | "X") => {
            add("R");
        }
        Some(_) => {
            add("UNCLEAR");
        }
    }
}

/// ARV-2: what becomes of the restriction; ARV-3: of what; ARV-4: why.
fn restriction(arv: &Segment<'_>, add: &mut impl FnMut(&str) -> bool) {
    // one that ends restricts nothing
    if arv.text(2).as_deref() == Some("D") {
        return;
    }
    let reasons: Vec<String> = arv.reps(4).filter_map(|rep| rep.comp(1)).collect();
    for code in arv.reps(3).filter_map(|rep| rep.comp(1)) {
        match code.to_uppercase().as_str() {
            // no restriction
            "NO" | "OI" => continue,
            "HIV" => add("HIV"),
            "PSY" => add("PSY"),
            "STD" => add("STD"),
            "DRG" => add("DRGIS"),
            "DEM" => add("DEMO"),
            "ALL" | "OO" | "LOC" | "SMD" | "PID-7" | "PID-17" => false,
            _ => add("UNCLEAR"),
        };
        add("R");
    }
    for reason in reasons {
        match reason.to_uppercase().as_str() {
            "VIP" => add("VIP"),
            "EMP" => add("EMP"),
            "DIA" => add("DIA"),
            "PHY" => add("PHY"),
            // asked for by the patient, the organisation, a parent, or for protection
            "PAT" | "ORG" | "PAR" | "PRO" | "LST" => add("R"),
            _ => add("UNCLEAR"),
        };
    }
    if arv.rep(3).is_none() && arv.rep(4).is_none() {
        add("UNCLEAR");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::message;

    fn of(segment: &str) -> String {
        let text = format!("MSH|^~\\&|A\r{segment}\r");
        let message = message(text.as_bytes(), 1, &mut Vec::new()).unwrap();
        let mut found = BTreeSet::new();
        labels(&message, &mut found);
        let found: Vec<&str> = found.iter().map(Label::as_str).collect();
        found.join(" ")
    }

    #[test]
    fn every_place_of_a_label() {
        let at =
            |name: &str, field: usize, value: &str| format!("{name}{}{value}", "|".repeat(field));
        for (segment, expected) in [
            (at("PD1", 12, "Y"), "R"),
            (at("PD1", 12, "N"), ""),
            (at("PD1", 12, "\"\""), ""),
            (at("PD1", 12, "maybe"), "UNCLEAR"),
            (at("PV1", 16, "1"), "VIP"),
            (at("PV2", 22, "Y"), "R"),
            (at("DG1", 18, "Y"), "R"),
            (at("ORC", 28, "U"), ""),
            (at("ORC", 28, "AID^AIDS patient^HL70177~PSY"), "HIV PSY"),
            (at("ORC", 28, "UWM"), "UNCLEAR"),
            (at("TXA", 18, "V"), "V"),
            (at("OBX", 13, "x"), "UNCLEAR"),
            (at("CON", 11, "A"), ""),
            (at("CON", 11, "R"), "R"),
            (at("CON", 9, "not to my employer"), "UNCLEAR"),
            ("ARV|1|A|ALL|VIP".into(), "R VIP"),
            ("ARV|1|A|HIV~PSY|PAT".into(), "HIV PSY R"),
            ("ARV|1|D|ALL|VIP".into(), ""),
            ("ARV|1|A|XYZ|".into(), "R UNCLEAR"),
            ("ARV|1|A|OI|".into(), ""),
            ("ARV|1|A||".into(), "UNCLEAR"),
        ] {
            assert_eq!(of(&segment), expected, "{segment}");
        }
    }
}
