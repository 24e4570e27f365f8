//! AL1 and IAM: allergies.
//!
//! Sources: HL7 v2.5.1 sections 3.4.6 (AL1) and 3.4.7 (IAM), tables 0127 (type), 0128 (severity), 0206
//! (action), 0436 (sensitivity) and 0438 (clinical status); FHIR R4, AllergyIntolerance with ait-1
//! and ait-2.

use serde_json::{Map, Value, json};

use super::changes::{Change, Numbers};
use super::fields::{Choice, Coded, Segment};
use super::output::{Context, MAX_STRING, Output, named, set, set_list};

/// Words and codes for "no known allergy" of any sort.
const NONE: &[&str] = &["NKA", "NO KNOWN ALLERGIES", "NO KNOWN ALLERGY", "716186003"];

/// AL1 and IAM as AllergyIntolerances. "No known allergy" is one of SNOMED CT's where it is all that
/// the message says; that there is none of one sort is left to the original, and told.
pub(super) fn allergies(context: Context<'_>, out: &mut Output) {
    let message = context.message;
    let segments = || message.named("AL1").chain(message.named("IAM"));
    let alone = segments().nth(1).is_none();
    for segment in segments() {
        if out.is_full() {
            break;
        }
        if let Err(what) = allergy(&segment, alone, context, out) {
            out.report(message.place(&segment), what);
        }
    }
}

/// One allergy; the reason when there is none in it.
fn allergy(
    segment: &Segment<'_>,
    alone: bool,
    context: Context<'_>,
    out: &mut Output,
) -> Result<(), &'static str> {
    let mut coded = segment.coded(3).ok_or("an allergy without a substance")?;
    let upper = coded.words().unwrap_or_default().to_uppercase();
    let code = coded.code().unwrap_or_default().to_uppercase();
    let says_none = NONE.contains(&code.as_str()) || NONE.contains(&upper.as_str());
    if says_none {
        // of one sort only, or beside an allergy, it says less than "no known allergy"
        let general = matches!(segment.text(2).as_deref(), None | Some("MA" | "MC"));
        if !general || !alone {
            return Err("\"no known allergy\" of one sort or beside others; see the original");
        }
        coded = Coded {
            choices: vec![Choice {
                code: Some("716186003".to_owned()),
                text: Some("No known allergy".to_owned()),
                system: Some("SCT".to_owned()),
            }],
            original: None,
        };
    } else if ["NKDA", "NKFA", "NONE"].contains(&code.as_str()) || upper.starts_with("NO KNOWN") {
        return Err("no known allergy of one sort; see the original");
    }
    let mut made = Map::new();
    let code = coded.concept().ok_or("an allergy without a substance")?;
    made.insert("code".into(), code);
    made.insert("patient".into(), context.subject());
    let is_iam = segment.name() == "IAM";
    let (clinical, verification) = match is_iam {
        true => states(segment),
        false => (Some("active"), None),
    };
    set(
        &mut made,
        "clinicalStatus",
        clinical.map(|code| state("clinical", code)),
    );
    set(
        &mut made,
        "verificationStatus",
        verification.map(|code| state("verification", code)),
    );
    // MA and MC are "miscellaneous": of what sort is not said
    let category = match segment.text(2).as_deref() {
        _ if says_none => None,
        Some("DA") => Some("medication"),
        Some("FA") => Some("food"),
        Some("EA" | "AA" | "PA" | "LA") => Some("environment"),
        _ => None,
    };
    set_list(
        &mut made,
        "category",
        category.map(Value::from).into_iter().collect(),
    );
    if is_iam {
        details(segment, &mut made);
    } else {
        let onset = segment.time(6).map(|time| time.date_time());
        set(&mut made, "onsetDateTime", onset);
    }
    reaction(segment, &mut made);
    // what it was about, for when it is taken back
    let numbers = Numbers {
        placer: coded.code().map(str::to_owned).or_else(|| coded.words()),
        filler: None,
    };
    let detail = context.patient.unwrap_or_default();
    if verification == Some("entered-in-error") {
        let wrong = || Change::wrong_allergy(state("verification", "entered-in-error"));
        out.change_earlier("AllergyIntolerance", &numbers, detail, wrong);
    }
    if let Some(made) = out.add("AllergyIntolerance", made) {
        out.remember("AllergyIntolerance", &numbers, detail, &made);
    }
    Ok(())
}

fn state(which: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/allergyintolerance-{which}");
    json!({"coding": [{"system": system, "code": code}]})
}

/// Clinical and verification status by IAM-6 and IAM-17.
fn states(iam: &Segment<'_>) -> (Option<&'static str>, Option<&'static str>) {
    match (iam.text(6).as_deref(), iam.text(17).as_deref()) {
        (Some("D"), _) | (_, Some("E")) => (None, Some("entered-in-error")),
        (_, Some("I")) => (Some("inactive"), Some("confirmed")),
        (_, Some("C")) => (Some("active"), Some("confirmed")),
        (_, Some("D" | "P" | "S" | "U")) => (Some("active"), Some("unconfirmed")),
        _ => (Some("active"), None),
    }
}

/// What only IAM has.
fn details(iam: &Segment<'_>, made: &mut Map<String, Value>) {
    let id = iam.rep(7).and_then(|rep| rep.identifier(true));
    set_list(made, "identifier", id.into_iter().collect());
    let kind = match iam.text(9).as_deref() {
        Some("AL") => Some("allergy"),
        Some("IN") => Some("intolerance"),
        _ => None,
    };
    set(made, "type", kind);
    let words = iam.whole(12).filter(|text| text.len() <= MAX_STRING);
    match (iam.time(11), words) {
        (Some(time), _) => set(made, "onsetDateTime", Some(time.date_time())),
        (None, words) => set(made, "onsetString", words),
    }
    let reported = iam.time(13).map(|time| time.date_time());
    set(made, "recordedDate", reported);
    set(made, "asserter", named(iam.person(14)));
}

/// Fields 4 and 5: severity and reactions.
fn reaction(segment: &Segment<'_>, made: &mut Map<String, Value>) {
    let severity = match segment.text(4).as_deref() {
        Some("SV") => Some("severe"),
        Some("MO") => Some("moderate"),
        Some("MI") => Some("mild"),
        _ => None,
    };
    let shown: Vec<Value> = segment
        .reps(5)
        .filter_map(|rep| rep.whole())
        .filter(|text| text.len() <= MAX_STRING)
        .map(|text| json!({ "text": text }))
        .collect();
    if shown.is_empty() {
        // FHIR has no place for a severity without a reaction
        let note = severity.map(|severity| json!({"text": format!("Severity: {severity}")}));
        set_list(made, "note", note.into_iter().collect());
        return;
    }
    let mut reaction = Map::new();
    reaction.insert("manifestation".into(), Value::Array(shown));
    set(&mut reaction, "severity", severity);
    made.insert("reaction".into(), json!([reaction]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::tests::{NOW, all};
    use crate::hl7v2::understand;

    /// The allergies of a message of these segments, and the problems.
    fn of(segments: &str) -> (Vec<Value>, Vec<String>) {
        let text = format!("MSH|^~\\&|A||||||ADT^A60\rPID|1||7^^^A||Lind^Mira\r{segments}\r");
        let read = understand(text.as_bytes(), "", NOW).unwrap();
        let problems = read.problems.iter().map(|p| p.at.clone()).collect();
        (all(&read, "AllergyIntolerance"), problems)
    }

    fn status<'a>(allergy: &'a Value, which: &str) -> &'a Value {
        &allergy[which]["coding"][0]["code"]
    }

    #[test]
    fn no_known_allergy_only_where_it_is_all() {
        let codes = |segments: &str| {
            let (made, problems) = of(segments);
            let code = |v: &Value| v["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
            (
                made.iter().map(code).collect::<Vec<_>>().join(" "),
                problems.len(),
            )
        };
        let none = ("716186003".to_owned(), 0);
        assert_eq!(codes("AL1|1||NKA"), none);
        assert_eq!(codes("AL1|1|MA|^No Known Allergies"), none);
        assert_eq!(codes("AL1|1||716186003^No known allergy^SCT"), none);
        assert_eq!(codes("IAM|1||716186003^No known allergy^SCT"), none);
        // nothing is left out without a word
        for less in [
            "AL1|1|FA|NKA",
            "AL1|1||NKDA",
            "AL1|1|DA|^No known drug allergies",
            "IAM|1|DA|^No known drug allergies",
            "IAM|1|DA|",
        ] {
            assert_eq!(codes(less), (String::new(), 1), "{less}");
        }
        let both = codes("AL1|1||NKA\rAL1|2|DA|7980^Penicillin G^RXNORM");
        assert_eq!(both, ("7980".to_owned(), 1));
    }

    #[test]
    fn allergies_of_iam() {
        let (made, problems) =
            of("IAM|1|DA|7980^Penicillin G^RXNORM|SV|Anaphylaxis|A|A1||AL||20010203||2024|||");
        assert_eq!((made.len(), problems.len()), (1, 0));
        let one = &made[0];
        assert_eq!(one["code"]["coding"][0]["code"], "7980");
        assert_eq!(one["category"], json!(["medication"]));
        assert_eq!(one["reaction"][0]["severity"], "severe");
        let shown = &one["reaction"][0]["manifestation"][0]["text"];
        assert_eq!(shown, "Anaphylaxis");
        assert_eq!(one["identifier"][0]["value"], "A1");
        assert_eq!(one["onsetDateTime"], "2001-02-03");
        assert_eq!(one["recordedDate"], "2024");
        assert_eq!(one["type"], "allergy");
        assert_eq!(status(one, "clinicalStatus"), "active");
        let (made, _) = of("IAM|1|FA|^Peanut|MO||A");
        assert_eq!(made[0]["note"][0]["text"], "Severity: moderate");
        let (made, _) = of(&format!("IAM|1|FA|^Peanut|||A{}I", "|".repeat(11)));
        assert_eq!(status(&made[0], "clinicalStatus"), "inactive");
    }

    #[test]
    fn an_allergy_that_is_deleted() {
        let (made, _) = of("IAM|1|DA|7980^Penicillin G^RXNORM|SV|Rash|D|A1");
        assert_eq!(made[0].get("clinicalStatus"), None);
        assert_eq!(status(&made[0], "verificationStatus"), "entered-in-error");
        // and what was said before in the same file
        let (made, _) = of("AL1|1|DA|7980^Penicillin G^RXNORM|SV|Rash\r\
             AL1|1|DA|723^Amoxicillin^RXNORM\rIAM|1|DA|7980^Penicillin G^RXNORM|||D|A1");
        let wrong: Vec<_> = made
            .iter()
            .map(|one| status(one, "verificationStatus") == "entered-in-error")
            .collect();
        assert_eq!(wrong, [true, false, true]);
        assert_eq!(made[0].get("clinicalStatus"), None);
    }

    #[test]
    fn miscellaneous_is_no_category() {
        for kind in ["MA", "MC"] {
            let (made, _) = of(&format!("AL1|1|{kind}|^Nickel"));
            assert_eq!(made[0].get("category"), None, "{kind}");
        }
    }
}
