//! TQ1, the older TQ, and RXR: when, how often and by which way.
//!
//! Source: HL7 v2.5.1 sections 4.5.4 and 4.14.2, HL7 v2.3 section 4.4 (TQ), tables 0162, 0163, 0165 and 0335.

use serde_json::{Map, Value, json};
use vault_core::record::clean_title;

use super::fields::{Rep, Segment};
use super::orders::priority;
use super::output::{MAX_STRING, set};
use super::systems::TABLES;
use super::time::{Time, time_of_day};
use crate::fhir::{concept, decimal};

/// Frequencies of table 0335 that have a code of HL7 v3.
const FREQUENCIES: &[&str] = &[
    "AM", "BED", "BID", "PM", "Q1H", "Q2H", "Q3H", "Q4H", "Q6H", "Q8H", "QD", "QID", "QOD", "TID",
];

/// A coded field, whose codes without a system belong to an HL7 table.
pub(super) fn route(rxr: &Segment<'_>, field: usize, table: &str) -> Option<Value> {
    let coded = rxr.coded(field)?;
    coded.concept_in(Some(&format!("{TABLES}{table}")))
}

/// TQ1: when and how often, as parts of a Dosage.
pub(super) fn timing(tq1: &Segment<'_>) -> Map<String, Value> {
    let mut dosage = Map::new();
    let mut timing = Map::new();
    let mut bounds = Map::new();
    set(
        &mut bounds,
        "start",
        tq1.time(7).map(|time| time.date_time()),
    );
    set(&mut bounds, "end", tq1.time(8).map(|time| time.date_time()));
    if !bounds.is_empty() {
        timing.insert("repeat".into(), json!({ "boundsPeriod": bounds }));
    }
    // RPT: its first component is a code with its meaning, or a code alone
    if let Some(rep) = tq1.rep(3)
        && let Some(code) = rep.sub(1, 1)
    {
        let system = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation";
        let upper = code.to_uppercase();
        let known = FREQUENCIES.contains(&upper.as_str());
        let codings = known.then(|| json!({"system": system, "code": upper}));
        let words = rep.sub(1, 2).unwrap_or(code);
        set(
            &mut timing,
            "code",
            concept(codings.into_iter().collect(), Some(&words)),
        );
    }
    if !timing.is_empty() {
        dosage.insert("timing".into(), Value::Object(timing));
    }
    let texts: Vec<String> = [10, 11]
        .into_iter()
        .filter_map(|field| tq1.whole(field))
        .collect();
    set(
        &mut dosage,
        "text",
        Some(texts.join("\n")).filter(|text| !text.is_empty() && text.len() <= MAX_STRING),
    );
    // a quantity per time is the dose where nothing else says it
    if let Some(rep) = tq1.rep(2)
        && let Some(value) = rep.comp(1).and_then(|text| decimal(&text))
    {
        let mut dose = json!({ "value": value });
        if let Some(unit) = rep.sub(2, 1).or_else(|| rep.sub(2, 2)) {
            dose["unit"] = json!(clean_title(&unit));
        }
        dosage.insert("doseAndRate".into(), json!([{ "doseQuantity": dose }]));
    }
    dosage
}

/// A field of type TQ (to v2.4): timing, dose and words as parts of a Dosage, and a `priority`.
/// What cannot be read as a time is in its words, so that nothing of it is lost.
pub(super) fn quantity_timing(segment: &Segment<'_>, field: usize) -> Map<String, Value> {
    let mut dosage = Map::new();
    let mut texts: Vec<String> = Vec::new();
    let mut reps = segment.reps(field);
    let Some(first) = reps.next() else {
        return dosage;
    };
    // R and the like alone say nothing about a dose
    set(
        &mut dosage,
        "priority",
        first.comp(6).and_then(|code| priority(&code)),
    );
    if first.comp(6).is_some_and(|code| code.starts_with("PRN")) {
        dosage.insert("asNeededBoolean".into(), json!(true));
    }
    amount(&first, &mut dosage, &mut texts);
    let mut timing = Map::new();
    let mut repeat = Map::new();
    interval(&first, &mut timing, &mut repeat, &mut dosage, &mut texts);
    bounds(&first, &mut repeat, &mut texts);
    if !repeat.is_empty() {
        timing.insert("repeat".into(), Value::Object(repeat));
    }
    if !timing.is_empty() {
        dosage.insert("timing".into(), Value::Object(timing));
    }
    for (component, name) in [
        (7, "Condition: "),
        (8, ""),
        (11, "Each for: "),
        (12, "Times: "),
    ] {
        texts.extend(first.comp(component).map(|text| format!("{name}{text}")));
    }
    // how several follow each other is for people to read
    texts.extend(reps.filter_map(|rep| Some(format!("Also: {}", rep.joined()?))));
    let text = Some(texts.join("\n"));
    let text = text.filter(|text| !text.is_empty() && text.len() <= MAX_STRING);
    set(&mut dosage, "text", text);
    dosage
}

/// TQ.1: how much each time. A 1 without a unit is what everybody writes.
fn amount(tq: &Rep<'_>, dosage: &mut Map<String, Value>, texts: &mut Vec<String>) {
    let Some(text) = tq.sub(1, 1).filter(|text| !text.is_empty()) else {
        return;
    };
    let unit = tq.sub(1, 2);
    match (decimal(&text), &unit) {
        (Some(_), None) if text == "1" => {}
        (Some(value), Some(unit)) => {
            let dose = json!({"value": value, "unit": clean_title(unit)});
            dosage.insert("doseAndRate".into(), json!([{ "doseQuantity": dose }]));
        }
        _ => {
            let unit = unit.unwrap_or_default();
            texts.push(format!("Quantity: {text} {unit}").trim_end().to_owned());
        }
    }
}

/// TQ.2: the repeat pattern, and times of day.
fn interval(
    tq: &Rep<'_>,
    timing: &mut Map<String, Value>,
    repeat: &mut Map<String, Value>,
    dosage: &mut Map<String, Value>,
    texts: &mut Vec<String>,
) {
    if let Some(pattern) = tq.sub(2, 1) {
        let upper = pattern.to_uppercase();
        let system = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation";
        let every = upper.strip_prefix('Q').and_then(|rest| {
            let at = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, unit) = rest.split_at_checked(at)?;
            Some((positive(number)?, ucum_time(unit)?))
        });
        let times = upper.strip_suffix("ID").and_then(positive);
        if FREQUENCIES.contains(&upper.as_str()) {
            let coding = json!({"system": system, "code": upper});
            set(timing, "code", concept(vec![coding], Some(&pattern)));
        } else if let Some((number, unit)) = every {
            repeat.insert("frequency".into(), json!(1));
            repeat.insert("period".into(), json!(number));
            repeat.insert("periodUnit".into(), json!(unit));
        } else if let Some(times) = times {
            repeat.insert("frequency".into(), json!(times));
            repeat.insert("period".into(), json!(1));
            repeat.insert("periodUnit".into(), json!("d"));
        } else if upper == "PRN" {
            dosage.insert("asNeededBoolean".into(), json!(true));
        } else {
            texts.push(format!("Interval: {pattern}"));
        }
    }
    if let Some(written) = tq.sub(2, 2) {
        let times: Option<Vec<Value>> = written
            .split(',')
            .map(|time| time_of_day(time).map(Value::from))
            .collect();
        match times {
            Some(times) => {
                repeat.insert("timeOfDay".into(), Value::Array(times));
            }
            None => texts.push(format!("At: {written}")),
        }
    }
}

/// TQ.3, TQ.4 and TQ.5: for how long, from when and until when.
fn bounds(tq: &Rep<'_>, repeat: &mut Map<String, Value>, texts: &mut Vec<String>) {
    let mut period = Map::new();
    for (component, key) in [(4, "start"), (5, "end")] {
        let Some(text) = tq.comp(component) else {
            continue;
        };
        match Time::parse(&text) {
            Some(time) => set(&mut period, key, Some(time.date_time())),
            None => texts.push(format!("{key}: {text}")),
        }
    }
    let dated = !period.is_empty();
    if dated {
        repeat.insert("boundsPeriod".into(), Value::Object(period));
    }
    let Some(text) = tq.comp(3) else { return };
    let (unit, number) = text.split_at_checked(1).unwrap_or(("", &text));
    match (positive(number), ucum_time(unit)) {
        (Some(number), Some(unit)) if !dated => {
            let system = "http://unitsofmeasure.org";
            let duration = json!({"value": number, "unit": unit, "system": system, "code": unit});
            repeat.insert("boundsDuration".into(), duration);
        }
        // X: so many times in all
        (Some(number), _) if unit == "X" => {
            repeat.insert("count".into(), json!(number));
        }
        _ => texts.push(format!("Duration: {text}")),
    }
}

/// A whole number above zero.
fn positive(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

/// The units of TQ: L is a month, since M is a minute.
fn ucum_time(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "S" => "s",
        "M" => "min",
        "H" => "h",
        "D" => "d",
        "W" => "wk",
        "L" => "mo",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::tests::{NOW, all};
    use crate::hl7v2::understand;

    fn dosage(orc: &str, tq: &str, dose: &str, more: &str) -> (Value, usize) {
        let text = format!(
            "MSH|^~\\&|A||||||RDE^O01||P|2.3\rORC|NW|O1|||||{orc}\r\
             RXE|{tq}|6918^Metoprolol^RXNORM|{dose}||mg|TAB\r{more}"
        );
        let read = understand(text.as_bytes(), "", NOW).unwrap();
        let made = &all(&read, "MedicationRequest")[0];
        (made["dosageInstruction"][0].clone(), read.problems.len())
    }

    #[test]
    fn times_of_the_older_kind() {
        let (made, problems) = dosage("1^QD", "1^BID^D10", "50", "");
        assert_eq!(problems, 0);
        assert_eq!(made["timing"]["code"]["coding"][0]["code"], "BID");
        let bounds = &made["timing"]["repeat"]["boundsDuration"];
        assert_eq!(
            (&bounds["value"], &bounds["code"]),
            (&json!(10), &json!("d"))
        );
        assert_eq!(made["doseAndRate"][0]["doseQuantity"]["value"], json!(50));
        assert_eq!(made.get("text"), None);
        // of the order, where the pharmacy says nothing
        let (made, _) = dosage("2&TAB^Q5H^X6^^^PRN^pain^after meals", "", "", "");
        let repeat = &made["timing"]["repeat"];
        let expected = json!({"frequency": 1, "period": 5, "periodUnit": "h", "count": 6});
        assert_eq!(*repeat, expected);
        assert_eq!(made["asNeededBoolean"], true);
        assert_eq!(made["text"], "Condition: pain\nafter meals");
        let dose = &made["doseAndRate"][0]["doseQuantity"];
        assert_eq!(*dose, json!({"value": 2, "unit": "TAB"}));
        let (made, _) = dosage("", "1^5ID&0900,1300^D3^20240309^20240316~1^QHS", "5", "");
        let repeat = &made["timing"]["repeat"];
        assert_eq!(repeat["frequency"], json!(5));
        assert_eq!(repeat["timeOfDay"], json!(["09:00:00", "13:00:00"]));
        assert_eq!(repeat["boundsPeriod"]["end"], "2024-03-16");
        assert_eq!(made["text"], "Duration: D3\nAlso: 1 QHS");
    }

    #[test]
    fn what_cannot_be_read_is_in_the_words() {
        let (made, problems) = dosage("", "2^QSHIFT&noon^INDEF^soon", "one half", "");
        assert_eq!(problems, 1);
        let text = "Dose: one half mg\nQuantity: 2\nInterval: QSHIFT\nAt: noon\nstart: soon\n\
                    Duration: INDEF";
        assert_eq!(made["text"], text);
        assert_eq!(made.get("timing"), None);
    }

    #[test]
    fn a_quantity_in_words_is_told() {
        let (made, problems) = dosage("", "two^BID", "", "");
        assert_eq!((problems, &made["text"]), (1, &json!("Quantity: two")));
    }

    #[test]
    fn the_newer_segment_counts() {
        let (made, _) = dosage("1^QD^D5", "1^BID^D10^^^^^old", "50", "TQ1|1||TID\r");
        assert_eq!(made["timing"]["code"]["coding"][0]["code"], "TID");
        assert_eq!(made["timing"].get("repeat"), None);
        assert_eq!(made.get("text"), None);
    }
}
