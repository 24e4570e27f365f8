//! Placer and filler numbers as Identifiers, by which statements about one thing are found across
//! messages.
//!
//! Source: HL7 v2.5.1 sections 4.5.1, 7.4.1 and 10.6.1; table 0203 (types of identifiers).

use serde_json::{Value, json};
use vault_core::record::{MAX_TITLE_CHARS, clean_title};

use super::changes::Numbers;
use super::fields::Segment;
use super::systems::TABLES;

/// Where the numbers stand in ORC and OBR.
pub(super) const PLACER: usize = 2;
pub(super) const FILLER: usize = 3;

/// The numbers in two fields, to know a thing again.
pub(super) fn numbers(segment: &Segment<'_>, placer: usize, filler: usize) -> Numbers {
    Numbers {
        placer: segment.text(placer),
        filler: segment.text(filler),
    }
}

/// The numbers in two fields as Identifiers, the placer's first.
pub(super) fn identifiers(segment: &Segment<'_>, placer: usize, filler: usize) -> Vec<Value> {
    let fields = [(placer, "PLAC"), (filler, "FILL")];
    let ids = fields.into_iter().filter_map(|(field, kind)| {
        let mut id = segment.rep(field)?.identifier(true)?;
        id["type"] = json!({"coding": [{"system": format!("{TABLES}0203"), "code": kind}]});
        Some(id)
    });
    ids.collect()
}

/// The Identifier of one result: `order` is that of its order; the code, the sub-identifier and the
/// time tell it from the others of that order: `F1/2823-3/1/202403090800`. `None` when that is too
/// long to be kept whole: half of a number is another number.
pub(super) fn of_result(order: &Value, parts: &[Option<&str>; 3]) -> Option<Value> {
    let number = order.get("value")?.as_str()?;
    let parts: Vec<&str> = parts.iter().map(|part| part.unwrap_or_default()).collect();
    let value = [&[number], parts.as_slice()].concat().join("/");
    let value = value.trim_end_matches('/');
    if value.chars().count() > MAX_TITLE_CHARS {
        return None;
    }
    let mut made = order.clone();
    made["value"] = json!(clean_title(value));
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::message;

    #[test]
    fn numbers_of_orders_and_results() {
        let text = "MSH|^~\\&|A\rOBR|1|P1|F1^LAB^1.9.8^ISO\r";
        let message = message(text.as_bytes(), 1, &mut Vec::new()).unwrap();
        let obr = message.first("OBR").unwrap();
        let ids = identifiers(&obr, PLACER, FILLER);
        assert_eq!((&ids[0]["value"], ids.len()), (&json!("P1"), 2));
        assert_eq!(ids[1]["type"]["coding"][0]["code"], "FILL");
        let made = of_result(&ids[1], &[Some("2823-3"), None, Some("2024")]).unwrap();
        assert_eq!(made["value"], "F1/2823-3//2024");
        assert_eq!(made["system"], "urn:oid:1.9.8");
        let made = of_result(&ids[1], &[Some("2823-3"), None, None]).unwrap();
        assert_eq!(made["value"], "F1/2823-3");
        let long = "x".repeat(300);
        assert_eq!(of_result(&ids[1], &[Some(&long), None, None]), None);
    }
}
