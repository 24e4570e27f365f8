//! Tests of what entries say: values, codes, times, doses.

use serde_json::{Value, json};

use super::testing::{SUMMARY, count, of_kind, reported, with_entries};
use super::understand;
use crate::Moment;

fn observation(value: &str) -> String {
    format!(
        "<observation classCode='OBS' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.2'/>
         <code code='718-7' codeSystem='2.16.840.1.113883.6.1' displayName='Hemoglobin'/>
         <statusCode code='completed'/><effectiveTime value='20240312101500-0500'/>{value}</observation>"
    )
}

/// The value of an observation with its name, as text, so that every digit is compared.
fn value(xml: &str) -> (String, usize) {
    let found = with_entries("30954-2", &[&observation(xml)]);
    let observation = &of_kind(&found, "Observation")[0];
    let members = observation.as_object().unwrap();
    let mut values = members.iter().filter(|(key, _)| key.starts_with("value"));
    let shown = match values.next() {
        Some((key, value)) => format!("{key} {value}"),
        None => format!(
            "absent {}",
            observation["dataAbsentReason"]["coding"][0]["code"]
                .as_str()
                .unwrap()
        ),
    };
    assert!(values.next().is_none());
    assert_eq!(
        shown.starts_with("absent"),
        members.contains_key("dataAbsentReason")
    );
    (shown, found.problems.len())
}

#[test]
fn values_of_every_type() {
    let ucum = |unit: &str, value: &str| {
        format!(
            r#"{{"code":"{unit}","system":"http://unitsofmeasure.org","unit":"{unit}","value":{value}}}"#
        )
    };
    for (xml, expected) in [
        ("<value xsi:type='PQ' value='13.50' unit='g/dL'/>", format!("valueQuantity {}", ucum("g/dL", "13.50"))),
        ("<value xsi:type='PQ' value='7.0'/>", r#"valueQuantity {"value":7.0}"#.into()),
        ("<value xsi:type='REAL' value='0.10'/>", r#"valueQuantity {"value":0.10}"#.into()),
        ("<value xsi:type='INT' value='42'/>", "valueInteger 42".into()),
        ("<value xsi:type='INT' value='4294967296'/>", r#"valueQuantity {"value":4294967296}"#.into()),
        ("<value xsi:type='BL' value='false'/>", "valueBoolean false".into()),
        ("<value xsi:type='ST'> no growth </value>", r#"valueString "no growth""#.into()),
        ("<value xsi:type='ED'><reference value='#n1'/></value>", r#"valueString "words of the narrative""#.into()),
        ("<value xsi:type='TS' value='20240102'/>", r#"valueDateTime "2024-01-02""#.into()),
        (
            "<value xsi:type='IVL_TS'><low value='2023'/><high value='2024'/></value>",
            r#"valuePeriod {"end":"2024","start":"2023"}"#.into(),
        ),
        (
            "<value xsi:type='IVL_PQ'><low value='1.0' unit='mg'/><high value='2.0' unit='mg'/></value>",
            format!(r#"valueRange {{"high":{},"low":{}}}"#, ucum("mg", "2.0"), ucum("mg", "1.0")),
        ),
        (
            "<value xsi:type='IVL_PQ'><high value='0.5' unit='mg' inclusive='false'/></value>",
            r#"valueQuantity {"code":"mg","comparator":"<","system":"http://unitsofmeasure.org","unit":"mg","value":0.5}"#.into(),
        ),
        ("<value xsi:type='IVL_PQ'><low value='9'/></value>", r#"valueQuantity {"comparator":">=","value":9}"#.into()),
        (
            "<value xsi:type='RTO_INT_INT'><numerator value='1'/><denominator value='128'/></value>",
            r#"valueRatio {"denominator":{"value":128},"numerator":{"value":1}}"#.into(),
        ),
        (
            "<value xsi:type='CO' code='260385009' codeSystem='2.16.840.1.113883.6.96' displayName='Negative'/>",
            r#"valueCodeableConcept {"coding":[{"code":"260385009","display":"Negative","system":"http://snomed.info/sct"}],"text":"Negative"}"#.into(),
        ),
        (
            "<value xsi:type='CD' nullFlavor='OTH'><translation code='X1'/></value>",
            r#"valueCodeableConcept {"coding":[{"code":"X1"}]}"#.into(),
        ),
        (
            "<value xsi:type='CD' nullFlavor='OTH'><originalText>x</originalText></value>",
            r#"valueCodeableConcept {"text":"x"}"#.into(),
        ),
        ("<value xsi:type='PQ' value='98.6' unit='F'/>", r#"valueQuantity {"unit":"F","value":98.6}"#.into()),
        ("<value xsi:type='PQ' value='2' unit='Puffs'/>", r#"valueQuantity {"unit":"Puffs","value":2}"#.into()),
        // no type: what it looks like
        ("<value value='5' unit='mm'/>", format!("valueQuantity {}", ucum("mm", "5"))),
    ] {
        assert_eq!(value(xml), (expected, 0), "{xml}");
    }
}

#[test]
fn values_that_are_not_there_are_not_made_up() {
    for (xml, reason, problems) in [
        ("", "unknown", 0),
        (
            "<value xsi:type='PQ' nullFlavor='NAV' value='7' unit='mg'/>",
            "temp-unknown",
            0,
        ),
        (
            "<value xsi:type='PQ' nullFlavor='NA'/>",
            "not-applicable",
            0,
        ),
        (
            "<value xsi:type='CD' nullFlavor='MSK' code='1' displayName='x'/>",
            "masked",
            0,
        ),
        (
            "<value xsi:type='CD' nullFlavor='UNK'><originalText>x</originalText></value>",
            "unknown",
            0,
        ),
        ("<value xsi:type='CD' nullFlavor='OTH'/>", "unknown", 0),
        (
            "<value xsi:type='ST' nullFlavor='ASKU'>x</value>",
            "asked-unknown",
            0,
        ),
        ("<value xsi:type='ST'/>", "unknown", 0),
        (
            "<value xsi:type='PQ' value='about 7' unit='mg'/>",
            "error",
            1,
        ),
        ("<value xsi:type='PQ' value='1e3' unit='mg'/>", "error", 1),
        ("<value xsi:type='INT' value='few'/>", "error", 1),
        (
            "<value xsi:type='IVL_PQ'><low value='1'/><high value='many'/></value>",
            "error",
            1,
        ),
        ("<value xsi:type='MO' value='5'/>", "unsupported", 1),
        (
            "<value xsi:type='ED' mediaType='image/png' representation='B64'>AAAA</value>",
            "unsupported",
            1,
        ),
    ] {
        assert_eq!(value(xml), (format!("absent {reason}"), problems), "{xml}");
    }
    let (first, problems) =
        value("<value xsi:type='INT' value='1'/><value xsi:type='INT' value='2'/>");
    assert_eq!((first.as_str(), problems), ("valueInteger 1", 1));
}

#[test]
fn observations_denied_or_given_up_are_left_out() {
    let good = observation("<value xsi:type='INT' value='1'/>");
    for (from, to) in [
        ("moodCode='EVN'", "moodCode='EVN' negationInd='true'"),
        ("'completed'", "'nullified'"),
        ("'completed'", "'aborted'"),
        ("'completed'", "'cancelled'"),
        ("code='718-7'", "nullFlavor='UNK'"),
    ] {
        let found = with_entries("30954-2", &[&good.replace(from, to)]);
        assert_eq!((count(&found), found.problems.len()), (0, 1), "{to}");
    }
    let pending = good.replace("'completed'", "'active'");
    let found = with_entries("30954-2", &[&pending]);
    assert_eq!(of_kind(&found, "Observation")[0]["status"], "preliminary");
    let empty = pending.replace("<value xsi:type='INT' value='1'/>", "");
    let found = with_entries("30954-2", &[&empty]);
    assert_eq!(of_kind(&found, "Observation")[0]["status"], "registered");
    // an organizer with nothing left in it is no report
    let organizer = format!(
        "<organizer classCode='BATTERY' moodCode='EVN'><code code='58410-2'/><statusCode code='completed'/>
         <component>{}</component></organizer>",
        good.replace("moodCode='EVN'", "moodCode='EVN' negationInd='true'")
    );
    let found = with_entries("30954-2", &[&organizer]);
    assert_eq!(count(&found), 0);
    assert_eq!(reported(&found).len(), 2);
}

#[test]
fn the_sample_says_what_it_says() {
    let summary = understand(SUMMARY.as_bytes(), "s.xml", Moment(0)).unwrap();
    let one = |kind: &str| of_kind(&summary, kind).remove(0);
    let allergy = one("AllergyIntolerance");
    assert_eq!(
        allergy["code"],
        json!({"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "723",
            "display": "amoxicillin"}], "text": "Amoxicillin"})
    );
    assert_eq!(allergy["onsetDateTime"], "2011-07");
    assert_eq!(allergy["category"], json!(["medication"]));
    assert_eq!(
        allergy["reaction"],
        json!([{"manifestation": [{"coding": [{"system": "http://snomed.info/sct", "code": "247472004"}],
            "text": "Wheals"}], "severity": "severe"}])
    );
    let conditions = of_kind(&summary, "Condition");
    assert_eq!(
        conditions[0]["code"]["coding"][0]["system"],
        "http://hl7.org/fhir/sid/icd-10-cm"
    );
    assert_eq!(conditions[0]["abatementDateTime"], "2021-03-04");
    assert_eq!(
        conditions[0]["clinicalStatus"]["coding"][0]["code"],
        "resolved"
    );
    let encounter = one("Encounter");
    assert_eq!(encounter["class"]["code"], "AMB");
    assert_eq!(encounter["status"], "finished");
    assert_eq!(
        conditions[1]["category"][0]["coding"][0]["code"],
        "encounter-diagnosis"
    );
    let link = format!("Encounter/{}", encounter["id"].as_str().unwrap());
    assert_eq!(conditions[1]["encounter"]["reference"], json!(link));
    let statement = one("MedicationStatement");
    assert_eq!(statement["effectivePeriod"], json!({"start": "2023-01-02"}));
    let dosage = &statement["dosage"][0];
    assert_eq!(dosage["text"], "One tablet twice a day");
    assert_eq!(
        dosage["timing"]["repeat"].to_string(),
        r#"{"frequency":1,"period":12,"periodUnit":"h"}"#
    );
    assert_eq!(
        dosage["doseAndRate"][0]["doseQuantity"]["value"].to_string(),
        "2.50"
    );
    let results = of_kind(&summary, "Observation");
    assert_eq!(results[0]["effectiveDateTime"], "2024-03-11T08:30:00+01:00");
    assert_eq!(results[0]["valueQuantity"]["value"].to_string(), "13.50");
    assert_eq!(
        results[0]["referenceRange"][0]["low"]["value"].to_string(),
        "12.0"
    );
    assert_eq!(results[0]["referenceRange"][0]["text"], "12.0 to 15.5");
    assert_eq!(
        results[0]["interpretation"][0]["coding"][0]["system"],
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    );
    assert_eq!(
        results[1]["dataAbsentReason"]["coding"][0]["code"],
        "temp-unknown"
    );
    assert_eq!(
        results[1]["effectivePeriod"],
        json!({"start": "2024-03-11", "end": "2024-03-11"})
    );
    let report = one("DiagnosticReport");
    assert_eq!(report["result"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["status"], "final");
}

#[test]
fn a_range_with_an_end_that_does_not_read_is_no_range() {
    let range = |high: &str| {
        let range = format!(
            "<referenceRange><observationRange><text>words</text><value xsi:type='IVL_PQ'><low value='1'/>
             <high {high}/></value></observationRange></referenceRange>"
        );
        let found = with_entries("30954-2", &[&observation(&range)]);
        of_kind(&found, "Observation")[0]["referenceRange"].clone()
    };
    assert_eq!(range("value='many'"), json!([{"text": "words"}]));
    assert_eq!(
        range("nullFlavor='PINF'"),
        json!([{"text": "words", "low": {"value": 1}}])
    );
    let dose = "<substanceAdministration classCode='SBADM' moodCode='INT'><effectiveTime xsi:type='IVL_TS'>
        <low value='2020'/></effectiveTime><effectiveTime xsi:type='EIVL_TS'><event code='HS'/></effectiveTime>
        <doseQuantity><low value='1'/><high value='2 or so'/></doseQuantity><consumable><manufacturedProduct>
        <manufacturedMaterial><code code='197380'/></manufacturedMaterial></manufacturedProduct></consumable>
        </substanceAdministration>";
    let found = with_entries("10160-0", &[dose]);
    assert_eq!(reported(&found), ["a dose that is no number was left out"]);
    assert_eq!(
        of_kind(&found, "MedicationRequest")[0]["dosageInstruction"],
        json!([{"text": "see the original for the dose",
            "timing": {"repeat": {"boundsPeriod": {"start": "2020"}, "when": ["HS"]}}}])
    );
}

#[test]
fn smoking_is_what_is_asked_whatever_the_assertion() {
    let smoking = |code: &str, value: &str| {
        format!(
            "<observation classCode='OBS' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.78'
             extension='2014-06-09'/>{code}<statusCode code='completed'/><value xsi:type='CD' {value}/></observation>"
        )
    };
    let former = "code='8517006' codeSystem='2.16.840.1.113883.6.96'";
    for code in [
        "<code code='ASSERTION' codeSystem='2.16.840.1.113883.5.4'/>",
        "<code nullFlavor='NI'/>",
    ] {
        let found = with_entries("29762-2", &[&smoking(code, former)]);
        let found: Value = of_kind(&found, "Observation").remove(0);
        assert_eq!(found["code"]["coding"][0]["code"], "72166-2");
        assert_eq!(found["category"][0]["coding"][0]["code"], "social-history");
        assert_eq!(
            found["valueCodeableConcept"]["coding"][0]["code"],
            "8517006"
        );
    }
    // any other assertion has no subject matter
    let other = smoking("<code code='ASSERTION'/>", former).replace("4.78", "4.999");
    assert_eq!(count(&with_entries("29762-2", &[&other])), 0);
}

#[test]
fn family_history_and_plans_are_not_the_patient() {
    let family = "<organizer classCode='CLUSTER' moodCode='EVN'><subject><relatedSubject/></subject><component>
        <observation classCode='OBS' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.46'/>
        <code code='64572001'/><value xsi:type='CD' code='22298006'/></observation></component></organizer>";
    let found = with_entries("10157-6", &[family]);
    assert_eq!((count(&found), found.problems.len()), (0, 0));
    let plan = observation("<value xsi:type='INT' value='1'/>").replace("EVN", "GOL");
    let found = with_entries("18776-5", &[&plan]);
    assert_eq!((count(&found), found.problems.len()), (0, 0));
}

#[test]
fn pregnancy_is_what_is_asked_and_has_its_date_of_delivery() {
    let due = |value: &str| {
        format!(
            "<entryRelationship typeCode='REFR'><observation classCode='OBS' moodCode='EVN'>
             <templateId root='2.16.840.1.113883.10.20.15.3.1'/><code code='11778-8'/>
             <statusCode code='completed'/><value xsi:type='TS' {value}/></observation></entryRelationship>"
        )
    };
    let pregnancy = |attributes: &str, rest: &str| {
        format!(
            "<observation classCode='OBS' moodCode='EVN' {attributes}><templateId root='2.16.840.1.113883.10.20.15.3.8'/>
             <code code='ASSERTION' codeSystem='2.16.840.1.113883.5.4'/><statusCode code='completed'/>
             <effectiveTime><low value='20240201'/></effectiveTime>
             <value xsi:type='CD' code='77386006' codeSystem='2.16.840.1.113883.6.96'/>{rest}</observation>"
        )
    };
    // wherever it stands
    for section in ["29762-2", "11450-4"] {
        let found = with_entries(section, &[&pregnancy("", &due("value='20241101'"))]);
        let found = &of_kind(&found, "Observation")[0];
        assert_eq!(
            found["code"]["coding"][0],
            json!({"system": "http://loinc.org", "code": "82810-3", "display": "Pregnancy status"})
        );
        assert_eq!(
            found["valueCodeableConcept"],
            json!({"coding": [{"system": "http://snomed.info/sct", "code": "77386006"}]})
        );
        assert_eq!(found["effectivePeriod"], json!({"start": "2024-02-01"}));
        assert_eq!(found["status"], "final");
        assert_eq!(found["component"][0]["valueDateTime"], "2024-11-01");
        assert_eq!(
            found["component"][0]["code"]["coding"][0]["code"],
            "11778-8"
        );
    }
    let found = with_entries("29762-2", &[&pregnancy("", &due("nullFlavor='UNK'"))]);
    assert!(of_kind(&found, "Observation")[0].get("component").is_none());
    let denied = pregnancy("negationInd='true'", &due("value='20241101'"));
    assert_eq!(count(&with_entries("29762-2", &[&denied])), 0);
}
