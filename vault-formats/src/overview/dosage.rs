//! How a medicine is taken, in words.
//!
//! Source: FHIR R4, data types Dosage and Timing; DSTU2 and STU3 where they differ.

use serde_json::Value;

use super::read::{any, choice, concept, date, items, period, quantity, range, string, words};
use super::text::clean_line;

/// A Dosage, or the `dosage` of an administration: the prescriber's own words where there are any,
/// else what the parts say.
pub(crate) fn dosage(root: &Value, dosage: &Value) -> Option<String> {
    let mut most = Vec::new();
    most.extend(any(root, dosage, "maxDosePerPeriod").map(|most| format!("at most {most}")));
    let at_once = any(root, dosage, "maxDosePerAdministration");
    most.extend(at_once.map(|most| format!("at most {most} at once")));
    if let Some(text) = string(dosage, "text") {
        let mut parts = vec![clean_line(text)];
        // words without numbers leave the amount to the other parts
        if !text.contains(char::is_numeric) {
            let timing = dosage.get("timing").and_then(timing);
            let given: Vec<String> = amount(dosage).into_iter().chain(timing).collect();
            parts.push(given.join(" "));
        }
        parts.extend(most);
        parts.retain(|part| !part.is_empty());
        return Some(clean_line(&parts.join("; ")));
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(amount(dosage));
    if let Some(route) = dosage.get("route").and_then(concept) {
        parts.push(format!("({route})"));
    }
    parts.extend(dosage.get("timing").and_then(timing));
    match choice(dosage, "asNeeded") {
        Some(Value::Bool(true)) => parts.push("as needed".into()),
        Some(reason @ Value::Object(_)) => {
            parts.push(match concept(reason) {
                Some(reason) => format!("as needed for {reason}"),
                None => "as needed".into(),
            });
        }
        _ => {}
    }
    if let Some(reason) = any(root, dosage, "asNeededFor") {
        parts.push(format!("as needed for {reason}"));
    }
    let extra = dosage
        .get("additionalInstruction")
        .or_else(|| dosage.get("additionalInstructions"));
    parts.extend(extra.and_then(concept));
    parts.extend(string(dosage, "patientInstruction").map(clean_line));
    parts.extend(most);
    let text = clean_line(&parts.join(" "));
    (!text.is_empty()).then_some(text)
}

/// The dose and the rate.
fn amount(dosage: &Value) -> Option<String> {
    let of = |holder: &Value| -> Option<String> {
        let dose = choice(holder, "dose").or_else(|| choice(holder, "quantity"));
        let dose = dose.and_then(|dose| words(&Value::Null, dose));
        let rate = choice(holder, "rate").and_then(|rate| words(&Value::Null, rate));
        match (dose, rate) {
            (Some(dose), Some(rate)) => Some(format!("{dose} at {rate}")),
            (dose, rate) => dose.or(rate),
        }
    };
    items(dosage, "doseAndRate")
        .iter()
        .find_map(of)
        .or_else(|| of(dosage))
}

/// A Timing in words, for example `3 times every 2 days, in the morning, until 2024-05-01`.
pub(crate) fn timing(timing: &Value) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let code = timing.get("code");
    let coded = code.and_then(|code| {
        string(code, "text").map(clean_line).or_else(|| {
            let known = items(code, "coding")
                .iter()
                .find_map(|c| common(string(c, "code")?));
            known.map(str::to_owned).or_else(|| concept(code))
        })
    });
    if let Some(repeat) = timing.get("repeat") {
        // without a frequency the code says how often
        if repeat.get("frequency").is_none() {
            parts.extend(coded);
            parts.extend(often(repeat).filter(|often| !parts.contains(often)));
        } else {
            parts.extend(often(repeat).or(coded));
        }
        let days: Vec<String> = list(repeat, "dayOfWeek", weekday);
        if !days.is_empty() {
            parts.push(format!("on {}", days.join(", ")));
        }
        let moments = list(repeat, "when", when);
        parts.extend(moments);
        let times: Vec<String> = list(repeat, "timeOfDay", |time| {
            time.get(..5).unwrap_or(time).to_owned()
        });
        if !times.is_empty() {
            parts.push(format!("at {}", times.join(", ")));
        }
        parts.extend(bounds(repeat));
        let count = repeat.get("count").filter(|count| count.is_number());
        parts.extend(count.map(|count| match count.to_string().as_str() {
            "1" => "once in all".to_owned(),
            count => format!("{count} times in all"),
        }));
    } else {
        parts.extend(coded);
    }
    parts.extend(list(timing, "event", date));
    (!parts.is_empty()).then(|| clean_line(&parts.join(", ")))
}

fn list(holder: &Value, key: &str, shown: impl Fn(&str) -> String) -> Vec<String> {
    let texts = items(holder, key).iter().filter_map(Value::as_str).take(20);
    texts.map(shown).collect()
}

fn often(repeat: &Value) -> Option<String> {
    let number = |key: &str| {
        repeat
            .get(key)
            .filter(|n| n.is_number())
            .map(Value::to_string)
    };
    let frequency = match (number("frequency"), number("frequencyMax")) {
        (Some(low), Some(high)) if low != high => format!("{low} to {high} times"),
        (Some(n), _) if n != "1" => format!("{n} times"),
        (Some(_), _) => "once".to_owned(),
        (None, _) => String::new(),
    };
    let every = number("period").map(|length| {
        let length = match number("periodMax") {
            Some(most) => format!("{length} to {most}"),
            None => length,
        };
        let unit = string(repeat, "periodUnit").or_else(|| string(repeat, "periodUnits"));
        let unit = unit_word(unit.unwrap_or_default());
        if length == "1" {
            match unit.as_str() {
                "day" => "daily".to_owned(),
                "" => String::new(),
                unit => format!("every {unit}"),
            }
        } else {
            format!("every {length} {unit}s")
        }
    });
    let text = clean_line(&format!("{frequency} {}", every.unwrap_or_default()));
    (!text.is_empty()).then_some(text)
}

fn bounds(repeat: &Value) -> Option<String> {
    let bounds = choice(repeat, "bounds")?;
    if bounds.get("value").is_some() {
        return quantity(bounds).map(|length| format!("for {length}"));
    }
    period(bounds).or_else(|| range(bounds).map(|length| format!("for {length}")))
}

/// UCUM units of time.
fn unit_word(unit: &str) -> String {
    match unit {
        "s" => "second",
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "wk" => "week",
        "mo" => "month",
        "a" => "year",
        other => return clean_line(other),
    }
    .to_owned()
}

fn weekday(code: &str) -> String {
    match code {
        "mon" => "Monday",
        "tue" => "Tuesday",
        "wed" => "Wednesday",
        "thu" => "Thursday",
        "fri" => "Friday",
        "sat" => "Saturday",
        "sun" => "Sunday",
        other => return clean_line(other),
    }
    .to_owned()
}

/// Codes of event timings. Source: HL7 EventTiming and v3-TimingEvent.
fn when(code: &str) -> String {
    match code {
        "MORN" => "in the morning",
        "MORN.early" => "early in the morning",
        "MORN.late" => "late in the morning",
        "NOON" => "at noon",
        "AFT" => "in the afternoon",
        "EVE" => "in the evening",
        "NIGHT" => "at night",
        "PHS" | "HS" => "before sleep",
        "WAKE" => "after waking",
        "C" => "with meals",
        "CM" => "with breakfast",
        "CD" => "with lunch",
        "CV" => "with dinner",
        "AC" => "before meals",
        "ACM" => "before breakfast",
        "ACD" => "before lunch",
        "ACV" => "before dinner",
        "PC" => "after meals",
        "PCM" => "after breakfast",
        "PCD" => "after lunch",
        "PCV" => "after dinner",
        other => return clean_line(other),
    }
    .to_owned()
}

/// Codes of whole timings. Source: HL7 v3 GTSAbbreviation.
fn common(code: &str) -> Option<&'static str> {
    Some(match code {
        "QD" => "daily",
        "BID" => "2 times daily",
        "TID" => "3 times daily",
        "QID" => "4 times daily",
        "QOD" => "every 2 days",
        "AM" => "every morning",
        "PM" => "every afternoon",
        "Q4H" => "every 4 hours",
        "Q6H" => "every 6 hours",
        "Q12H" => "every 12 hours",
        "Q8H" => "every 8 hours",
        "BED" => "before sleep",
        "WK" => "every week",
        "MO" => "every month",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn doses_in_words() {
        for (given, expected) in [
            (
                json!({"text": "one in the\nmorning", "doseQuantity": {"value": 9}}),
                "one in the morning; 9",
            ),
            (
                json!({"text": "Take as directed", "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}],
                    "maxDosePerPeriod": {"numerator": {"value": 20, "unit": "mg"}, "denominator": {"value": 1, "unit": "d"}}}),
                "Take as directed; 5 mg; at most 20 mg per 1 d",
            ),
            (
                json!({"doseAndRate": [{"doseQuantity": {"value": 10, "unit": "mg"}}], "timing": {"repeat": {"boundsPeriod": {"start": "2024-01-01"}},
                    "code": {"coding": [{"code": "Q12H", "display": "every 12 hours"}]}}}),
                "10 mg every 12 hours, since 2024-01-01",
            ),
            (
                json!({"doseAndRate": [{"doseQuantity": {"value": 2, "unit": "tablets"}}], "route": {"text": "by mouth"},
                    "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d", "when": ["PC"]}}, "asNeededBoolean": true}),
                "2 tablets (by mouth) 3 times daily, after meals as needed",
            ),
            (
                json!({"doseQuantity": {"value": 5, "unit": "mg"}, "timing": {"repeat": {"frequency": 1, "period": 8, "periodUnits": "h",
                    "boundsPeriod": {"end": "2024-05-01"}}}, "asNeededCodeableConcept": {"text": "pain"}}),
                "5 mg once every 8 hours, until 2024-05-01 as needed for pain",
            ),
            (
                json!({"timing": {"code": {"coding": [{"code": "BID"}]}}}),
                "2 times daily",
            ),
            (
                json!({"timing": {"repeat": {"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "thu"],
                    "timeOfDay": ["08:00:00"]}}, "rateRatio": {"numerator": {"value": 1, "unit": "mL"}, "denominator": {"value": 1, "unit": "h"}}}),
                "1 mL per 1 h 1 to 2 times every week, on Monday, Thursday, at 08:00",
            ),
        ] {
            assert_eq!(dosage(&Value::Null, &given).as_deref(), Some(expected));
        }
        assert_eq!(dosage(&Value::Null, &json!({"sequence": 1})), None);
    }
}
