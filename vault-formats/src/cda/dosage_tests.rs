//! Tests of doses, and of whether a medication is over.

use serde_json::{Value, json};

use super::testing::{PATIENT, of_kind, reported, with_entries, with_header};

fn drug(inside: &str) -> String {
    format!(
        "<substanceAdministration classCode='SBADM' moodCode='EVN'><statusCode code='active'/>{inside}
         <consumable><manufacturedProduct><manufacturedMaterial><code code='8640'/></manufacturedMaterial>
         </manufacturedProduct></consumable></substanceAdministration>"
    )
}

/// The dosages as text, so that every digit is compared, and what was reported.
fn dosages(inside: &str) -> (String, Vec<String>) {
    let found = with_entries("10160-0", &[&drug(inside)]);
    let dosage = of_kind(&found, "MedicationStatement")[0]["dosage"].clone();
    let reported = reported(&found).into_iter().map(str::to_owned).collect();
    (dosage.to_string(), reported)
}

fn step(number: &str, inside: &str) -> String {
    format!(
        "<entryRelationship typeCode='COMP'>{number}<substanceAdministration classCode='SBADM' moodCode='EVN'>
         {inside}<consumable><manufacturedProduct><manufacturedMaterial nullFlavor='NA'/></manufacturedProduct>
         </consumable></substanceAdministration></entryRelationship>"
    )
}

const SEE: &str = "see the original for the dose";

#[test]
fn steps_of_a_dose_are_dosages_of_their_own() {
    let route = "<routeCode code='C38288' displayName='ORAL'/>";
    let days = "<effectiveTime xsi:type='IVL_TS'><low value='20240301'/><high value='20240303'/></effectiveTime>";
    let first = step(
        "<sequenceNumber value='1'/>",
        &format!("{days}<doseQuantity value='40.0' unit='mg'/>"),
    );
    let second = step(
        "<sequenceNumber value='2'/>",
        "<doseQuantity value='20' unit='mg'/>",
    );
    let found = with_entries("10160-0", &[&drug(&format!("{route}{first}{second}"))]);
    assert_eq!(reported(&found), [""; 0]);
    let statement = &of_kind(&found, "MedicationStatement")[0];
    let oral = json!({"coding": [{"code": "C38288", "display": "ORAL"}], "text": "ORAL"});
    let mg = |value: &str| -> Value {
        serde_json::from_str(&format!(
            r#"[{{"doseQuantity":{{"value":{value},"unit":"mg","code":"mg","system":"http://unitsofmeasure.org"}}}}]"#
        ))
        .unwrap()
    };
    assert_eq!(
        statement["dosage"],
        json!([
            {"sequence": 1, "route": oral, "doseAndRate": mg("40.0"),
             "timing": {"repeat": {"boundsPeriod": {"start": "2024-03-01", "end": "2024-03-03"}}}},
            {"sequence": 2, "route": oral, "doseAndRate": mg("20")},
        ])
    );
    // as an order, with from when to when
    let outer = "<effectiveTime xsi:type='IVL_TS'><low value='2024'/></effectiveTime>";
    let order = drug(&format!("{outer}{second}")).replacen("EVN", "INT", 1);
    let found = with_entries("10160-0", &[&order]);
    assert_eq!(
        of_kind(&found, "MedicationRequest")[0]["dosageInstruction"],
        json!([{"timing": {"repeat": {"boundsPeriod": {"start": "2024"}}}},
            {"sequence": 2, "doseAndRate": mg("20")}])
    );
}

#[test]
fn steps_that_are_not_understood_are_told() {
    let good = step("", "<doseQuantity value='20'/>");
    for bad in [
        step("", ""),
        step("", &good),
        good.replace(
            "nullFlavor='NA'/>",
            "><code code='1'/></manufacturedMaterial>",
        ),
        good.replace(
            "<substanceAdministration",
            "<substanceAdministration negationInd='true'",
        ),
        good.replace(
            "<substanceAdministration",
            "<substanceAdministration nullFlavor='NI'",
        ),
        good.replace("<doseQuantity", "<statusCode code='aborted'/><doseQuantity"),
    ] {
        let (found, problems) = dosages(&format!("<text>by mouth</text>{good}{bad}"));
        let expected = format!(
            r#"[{{"text":"by mouth; {SEE}"}},{{"doseAndRate":[{{"doseQuantity":{{"value":20}}}}]}}]"#
        );
        assert_eq!((found, problems.len()), (expected, 1), "{bad}");
    }
    let many = good.repeat(51);
    let (found, problems) = dosages(&many);
    assert_eq!(found.matches("doseQuantity").count(), 50);
    assert!(found.contains(SEE) && problems.len() == 1);
    // the same medication again is no other
    let same = good.replace(
        "nullFlavor='NA'/>",
        "><code code='8640'/></manufacturedMaterial>",
    );
    assert_eq!(dosages(&same).1.len(), 0);
}

#[test]
fn the_highest_dose_is_kept() {
    let most = |inside: &str| format!("<maxDoseQuantity>{inside}</maxDoseQuantity>");
    let per_day = most("<numerator value='10' unit='mg'/><denominator value='1' unit='d'/>");
    let found = with_entries("10160-0", &[&drug(&per_day)]);
    let unit = |value: u8, unit: &str| json!({"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"});
    assert_eq!(
        of_kind(&found, "MedicationStatement")[0]["dosage"],
        json!([{"maxDosePerPeriod": {"numerator": unit(10, "mg"), "denominator": unit(1, "d")}}])
    );
    let told = format!(r#"[{{"text":"{SEE}"}}]"#);
    for (inside, expected, problems) in [
        (most("<numerator value='10'/>"), told.as_str(), 1),
        (
            most("<numerator value='ten'/><denominator value='1'/>"),
            told.as_str(),
            1,
        ),
        (
            most("<numerator nullFlavor='UNK'/><denominator nullFlavor='UNK'/>"),
            "null",
            0,
        ),
        ("<maxDoseQuantity nullFlavor='UNK'/>".into(), "null", 0),
        ("<doseQuantity value='some'/>".into(), told.as_str(), 1),
        ("<doseQuantity nullFlavor='UNK'/>".into(), "null", 0),
        ("<doseQuantity> </doseQuantity>".into(), "null", 0),
        ("<rateQuantity value='fast'/>".into(), told.as_str(), 1),
    ] {
        let (found, reported) = dosages(&inside);
        assert_eq!(
            (found.as_str(), reported.len()),
            (expected, problems),
            "{inside}"
        );
    }
}

#[test]
fn every_time_of_a_dose_is_told() {
    let every = |value: &str, unit: &str| {
        format!(
            "<effectiveTime xsi:type='PIVL_TS' operator='A'><period value='{value}' unit='{unit}'/></effectiveTime>"
        )
    };
    let at = |code: &str, operator: &str, offset: &str| {
        format!(
            "<effectiveTime xsi:type='EIVL_TS' operator='{operator}'><event code='{code}'/>{offset}</effectiveTime>"
        )
    };
    let half = "<offset><low value='30' unit='min'/></offset>";
    let repeat = |inside: &str| format!(r#"[{{"timing":{{"repeat":{{{inside}}}}}}}]"#);
    let text = |words: &str| format!(r#"[{{"text":"{words}"}}]"#);
    for (times, expected, problems) in [
        (at("ACM", "A", "") + &at("HS", "I", ""), repeat(r#""when":["ACM","HS"]"#), 0),
        (
            every("24", "h") + &at("HS", "A", ""),
            repeat(r#""frequency":1,"period":24,"periodUnit":"h","when":["HS"]"#),
            0,
        ),
        (
            every("24", "h") + &at("HS", "I", ""),
            text("every 24 h and at bedtime"),
            0,
        ),
        (every("8", "h") + &every("2.0", "wk"), text("every 8 h and every 2.0 wk"), 0),
        (at("AC", "A", half), repeat(r#""offset":30,"when":["AC"]"#), 0),
        (
            at("ACM", "A", half) + &at("HS", "I", ""),
            text("30 min before breakfast and at bedtime"),
            0,
        ),
        (
            every("1", "fortnight") + &at("HS", "I", ""),
            format!(r#"[{{"text":"{SEE}","timing":{{"repeat":{{"when":["HS"]}}}}}}]"#),
            1,
        ),
        (at("HS", "E", ""), text(SEE), 1),
        (at("C", "A", half), text(SEE), 1),
        (
            "<effectiveTime xsi:type='SXPR_TS'><comp xsi:type='PIVL_TS'/></effectiveTime>".into(),
            text(SEE),
            1,
        ),
        (
            "<effectiveTime xsi:type='PIVL_TS'><period><low value='4' unit='h'/><high value='6' unit='h'/>
             </period></effectiveTime>".to_owned() + &every("1", "d"),
            text("every 4 to 6 h and every 1 d"),
            0,
        ),
    ] {
        let (found, reported) = dosages(&times);
        assert_eq!((found, reported.len()), (expected, problems), "{times}");
    }
}

#[test]
fn completed_is_over_only_where_it_had_ended() {
    let low = "<low value='20230101'/>";
    for (written, time, expected) in [
        (
            "20240401",
            low.to_owned() + "<high nullFlavor='NI'/>",
            "unknown",
        ),
        (
            "20240401",
            low.to_owned() + "<high nullFlavor='UNK'/>",
            "unknown",
        ),
        ("20240401", String::new(), "unknown"),
        (
            "20240401",
            low.to_owned() + "<high value='20990101'/>",
            "unknown",
        ),
        (
            "20240401",
            low.to_owned() + "<high value='2024'/>",
            "unknown",
        ),
        (
            "20240401",
            low.to_owned() + "<high value='20240402'/>",
            "unknown",
        ),
        (
            "20240401",
            low.to_owned() + "<high value='20240401'/>",
            "completed",
        ),
        (
            "20240401",
            low.to_owned() + "<high value='20230201'/>",
            "completed",
        ),
        ("", low.to_owned() + "<high value='20230201'/>", "unknown"),
    ] {
        let header = format!("<effectiveTime value='{written}'/>{PATIENT}");
        let entry = drug(&format!(
            "<effectiveTime xsi:type='IVL_TS'>{time}</effectiveTime>"
        ))
        .replace("'active'", "'completed'");
        let body = format!(
            "<component><structuredBody><component><section><code code='10160-0'/><entry>{entry}</entry></section>
             </component></structuredBody></component>"
        );
        let found = with_header(&header, &body);
        let statement = &of_kind(&found, "MedicationStatement")[0];
        assert_eq!(statement["status"], expected, "{written} {time}");
    }
    // once, on a day that is past
    let once = drug("<effectiveTime value='20240301'/>").replace("'active'", "'completed'");
    let body = format!(
        "<component><structuredBody><component><section><code code='10160-0'/><entry>{once}</entry></section>
         </component></structuredBody></component>"
    );
    let found = with_header(
        &format!("<effectiveTime value='20240401'/>{PATIENT}"),
        &body,
    );
    assert_eq!(
        of_kind(&found, "MedicationStatement")[0]["status"],
        "completed"
    );
}

#[test]
fn damaged_doses_never_panic() {
    let inside = "<effectiveTime xsi:type='PIVL_TS' operator='A'><period><low value='4' unit='h'/><high value='6'
        unit='h'/></period></effectiveTime><effectiveTime xsi:type='EIVL_TS' operator='A'><event code='AC'/>
        <offset value='30' unit='min'/></effectiveTime><doseQuantity value='1' unit='mg'/><maxDoseQuantity>
        <numerator value='10' unit='mg'/><denominator value='1' unit='d'/></maxDoseQuantity>";
    let whole = drug(&format!(
        "{inside}{}",
        step("<sequenceNumber value='1'/>", inside)
    ));
    for at in 0..whole.len() {
        for flip in ["<", "9", "'", "-"] {
            let damaged = format!("{}{flip}{}", &whole[..at], &whole[at + 1..]);
            let _ = with_entries("10160-0", &[&damaged]);
        }
    }
}
