//! Tests of what is stated without a code, denied as a class, past, planned or about somebody else.

use serde_json::{Value, json};

use super::safety_tests::{ASTHMA, COMPLETED, allergy, code, problem, substance};
use super::testing::{PATIENT, count, of_kind, with_entries, with_header};

#[test]
fn words_without_a_code_are_stated_all_the_same() {
    let other =
        "<code nullFlavor='OTH'><originalText><reference value='#n1'/></originalText></code>";
    let words = json!({"text": "words of the narrative"});
    let unknown = other.replace("OTH", "UNK");
    let named = "<code nullFlavor='OTH'/><name>Latex</name>";
    let drug = |code: &str| {
        format!(
            "<substanceAdministration classCode='SBADM' moodCode='EVN'><statusCode code='active'/>
             <consumable><manufacturedProduct><manufacturedMaterial>{code}</manufacturedMaterial>
             </manufacturedProduct></consumable></substanceAdministration>"
        )
    };
    let value = |null: &str| {
        format!(
            "<value xsi:type='CD' nullFlavor='{null}'><originalText><reference value='#n1'/></originalText></value>"
        )
    };
    for (section, entry, kind, key, expected) in [
        (
            "48765-2",
            allergy("", "code='419199007'", &substance(other)),
            "AllergyIntolerance",
            "code",
            Some(&words),
        ),
        (
            "48765-2",
            allergy("", "code='419199007'", &substance(named)),
            "AllergyIntolerance",
            "code",
            Some(&json!({"text": "Latex"})),
        ),
        (
            "48765-2",
            allergy("", "code='419199007'", &substance(&unknown)),
            "AllergyIntolerance",
            "code",
            None,
        ),
        (
            "10160-0",
            drug(other),
            "MedicationStatement",
            "medicationCodeableConcept",
            Some(&words),
        ),
        (
            "10160-0",
            drug(&unknown),
            "MedicationStatement",
            "medicationCodeableConcept",
            None,
        ),
        (
            "11450-4",
            problem("", &value("OTH"), COMPLETED),
            "Condition",
            "code",
            Some(&words),
        ),
        (
            "11450-4",
            problem("", &value("NI"), COMPLETED),
            "Condition",
            "code",
            None,
        ),
        (
            "11450-4",
            problem("negationInd='true'", &value("OTH"), COMPLETED),
            "Condition",
            "code",
            None,
        ),
    ] {
        let found = with_entries(section, &[&entry]);
        let resources = of_kind(&found, kind);
        let code = resources.first().map(|resource| &resource[key]);
        assert_eq!(code, expected, "{entry}");
        assert_eq!(found.problems.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn a_denied_class_of_allergies_is_that_class_only() {
    let (null, drug, food) = (
        substance("<code nullFlavor='NA'/>"),
        substance("<code code='410942007'/>"),
        substance("<code code='762766007'/>"),
    );
    for (class, participant, expected) in [
        ("416098002", "", "409137002 No known drug allergy"),
        (
            "416098002",
            null.as_str(),
            "409137002 No known drug allergy",
        ),
        (
            "416098002",
            drug.as_str(),
            "409137002 No known drug allergy",
        ),
        (
            "414285001",
            null.as_str(),
            "429625007 No known food allergy",
        ),
        (
            "414285001",
            food.as_str(),
            "429625007 No known food allergy",
        ),
        ("420134006", null.as_str(), "716186003 No known allergy"),
        // any allergy, but to drugs only; drugs, but food only
        ("419199007", drug.as_str(), ""),
        ("416098002", food.as_str(), ""),
    ] {
        let entry = allergy(
            "negationInd='true'",
            &format!("code='{class}'"),
            participant,
        );
        let found = with_entries("48765-2", &[&entry]);
        let allergies = of_kind(&found, "AllergyIntolerance");
        let shown = allergies.first().map(|allergy| {
            let coding = &allergy["code"]["coding"][0];
            assert_eq!(code(&allergy["clinicalStatus"]), "active");
            assert_eq!(coding["system"], "http://snomed.info/sct");
            format!(
                "{} {}",
                code(&allergy["code"]),
                allergy["code"]["text"].as_str().unwrap()
            )
        });
        assert_eq!(shown.unwrap_or_default(), expected, "{class} {participant}");
        assert_eq!(found.problems.len(), usize::from(expected.is_empty()));
    }
}

#[test]
fn severity_of_the_allergy_as_a_whole() {
    let severity = |code: &str| {
        format!(
            "<entryRelationship typeCode='SUBJ' inversionInd='true'><observation classCode='OBS' moodCode='EVN'>
             <templateId root='2.16.840.1.113883.10.20.22.4.8'/><code code='SEV'/>
             <value xsi:type='CD' code='{code}'/></observation></entryRelationship>"
        )
    };
    let reaction = |inside: &str| {
        format!(
            "<entryRelationship typeCode='MFST'><observation classCode='OBS' moodCode='EVN'>
             <templateId root='2.16.840.1.113883.10.20.22.4.9'/>
             <value xsi:type='CD' code='247472004'/>{inside}</observation></entryRelationship>"
        )
    };
    let critical =
        "<entryRelationship><observation classCode='OBS' moodCode='EVN'><code code='82606-5'/>
        <value xsi:type='CD' code='CRITL'/></observation></entryRelationship>";
    let (mild, moderate, severe, fatal) = (
        severity("255604002"),
        severity("6736007"),
        severity("24484000"),
        severity("399166001"),
    );
    for (rest, criticality, reactions) in [
        (
            severe.clone() + &reaction(""),
            Value::Null,
            json!(["severe"]),
        ),
        (reaction("") + &mild, Value::Null, json!(["mild"])),
        (
            severe.clone() + &reaction(&severe),
            Value::Null,
            json!(["severe"]),
        ),
        (
            severe.clone() + &reaction(&mild),
            json!("high"),
            json!(["mild"]),
        ),
        (
            reaction("") + &reaction("") + &severe,
            json!("high"),
            json!([null, null]),
        ),
        (mild.clone(), json!("low"), json!([])),
        (moderate.clone(), json!("low"), json!([])),
        (fatal.clone() + &mild, json!("high"), json!([])),
        (critical.to_owned() + &fatal, json!("low"), json!([])),
        (severity("1"), Value::Null, json!([])),
        (
            severe.replace("<observation", "<observation negationInd='true'"),
            Value::Null,
            json!([]),
        ),
    ] {
        let participant = substance("<code code='7980'/>") + &rest;
        let found = with_entries("48765-2", &[&allergy("", "code='419199007'", &participant)]);
        let allergy = &of_kind(&found, "AllergyIntolerance")[0];
        assert_eq!(allergy["criticality"], criticality, "{rest}");
        let own = allergy["reaction"].as_array().cloned().unwrap_or_default();
        let own: Vec<_> = own
            .iter()
            .map(|reaction| reaction["severity"].clone())
            .collect();
        assert_eq!(json!(own), reactions, "{rest}");
    }
}

#[test]
fn past_illness_is_not_there_now_unless_it_says_so() {
    let bare = |status: &str, rest: &str| {
        format!(
            "<observation classCode='OBS' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.4'/>
             <statusCode code='{status}'/>{rest}{ASTHMA}</observation>"
        )
    };
    let said = |code: &str| {
        format!(
            "<entryRelationship typeCode='REFR'><observation classCode='OBS' moodCode='EVN'>
             <code code='33999-4'/><value xsi:type='CD' code='{code}'/></observation></entryRelationship>"
        )
    };
    let over = "<effectiveTime><low value='1995'/><high value='1996'/></effectiveTime>";
    for (entry, expected) in [
        (bare("completed", ""), "inactive"),
        (
            bare(
                "completed",
                "<effectiveTime><low value='1995'/></effectiveTime>",
            ),
            "inactive",
        ),
        (bare("completed", over), "resolved"),
        (bare("completed", &said("55561003")), "active"),
        (bare("completed", &said("277022003")), "remission"),
        (bare("active", ""), "active"),
        (problem("", ASTHMA, COMPLETED), "active"),
        (
            problem("", ASTHMA, COMPLETED).replace("'active'", "'odd'"),
            "inactive",
        ),
    ] {
        let found = with_entries("11348-0", &[&entry]);
        let condition = &of_kind(&found, "Condition")[0];
        assert_eq!(code(&condition["clinicalStatus"]), expected, "{entry}");
    }
    // the problem list does not say that
    let found = with_entries("11450-4", &[&bare("completed", "")]);
    assert!(
        of_kind(&found, "Condition")[0]
            .get("clinicalStatus")
            .is_none()
    );
}

#[test]
fn relatives_and_plans_are_never_the_patient() {
    let drug = "<substanceAdministration classCode='SBADM' moodCode='INT'>
        <templateId root='2.16.840.1.113883.10.20.22.4.16'/><statusCode code='active'/><consumable>
        <manufacturedProduct><manufacturedMaterial><code code='197380'/></manufacturedMaterial>
        </manufacturedProduct></consumable></substanceAdministration>";
    let visit = format!(
        "<encounter classCode='ENC' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.49'/>
         <entryRelationship><act classCode='ACT' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.80'/>
         <entryRelationship typeCode='SUBJ'><observation classCode='OBS' moodCode='EVN'>
         <templateId root='2.16.840.1.113883.10.20.22.4.4'/>{ASTHMA}</observation></entryRelationship></act>
         </entryRelationship></encounter>"
    );
    let entries = [
        problem("", ASTHMA, COMPLETED),
        allergy("", "code='91936005'", ""),
        drug.to_owned(),
        visit,
    ];
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    for section in ["10157-6", "18776-5"] {
        let found = with_entries(section, &entries);
        assert_eq!((count(&found), found.problems.len()), (0, 4), "{section}");
    }
    // nor in a part of such a section, nor where only its template says what it is
    let entry: String = entries
        .iter()
        .map(|entry| format!("<entry>{entry}</entry>"))
        .collect();
    for (outer, inner) in [
        ("<code code='10157-6'/>", "<code code='11450-4'/>"),
        ("<templateId root='2.16.840.1.113883.10.20.22.2.15'/>", ""),
        (
            "<code nullFlavor='OTH'><translation code='18776-5'/></code>",
            "",
        ),
        ("", "<templateId root='2.16.840.1.113883.10.20.22.2.10'/>"),
    ] {
        let body = format!(
            "<component><structuredBody><component><section>{outer}<component><section>{inner}{entry}</section>
             </component></section></component></structuredBody></component>"
        );
        let found = with_header(PATIENT, &body);
        assert_eq!(
            (count(&found), found.problems.len()),
            (0, 4),
            "{outer} {inner}"
        );
    }
    assert_eq!(count(&with_entries("11450-4", &entries)), 5);
}
