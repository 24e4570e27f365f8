//! Tests of what must never be said: what an entry denies, withdraws or does not know.

use serde_json::{Value, json};

use super::testing::{count, of_kind, reported, with_entries};

const ALLERGY: &str = "2.16.840.1.113883.10.20.22.4.7";
const SNOMED: &str = "codeSystem='2.16.840.1.113883.6.96'";

pub(super) fn allergy(attributes: &str, value: &str, participant: &str) -> String {
    format!(
        "<act classCode='ACT' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.30'/>
         <statusCode code='active'/><entryRelationship typeCode='SUBJ'>
         <observation classCode='OBS' moodCode='EVN' {attributes}><templateId root='{ALLERGY}'/>
         <code code='ASSERTION'/><statusCode code='completed'/>
         <value xsi:type='CD' {value} {SNOMED}/>{participant}</observation></entryRelationship></act>"
    )
}

pub(super) fn substance(code: &str) -> String {
    format!(
        "<participant typeCode='CSM'><participantRole><playingEntity>{code}</playingEntity>
         </participantRole></participant>"
    )
}

pub(super) fn problem(attributes: &str, value: &str, rest: &str) -> String {
    format!(
        "<act classCode='ACT' moodCode='EVN'><templateId root='2.16.840.1.113883.10.20.22.4.3'/>
         <statusCode code='active'/><entryRelationship typeCode='SUBJ'>
         <observation classCode='OBS' moodCode='EVN' {attributes}>
         <templateId root='2.16.840.1.113883.10.20.22.4.4'/>{rest}{value}</observation>
         </entryRelationship></act>"
    )
}

pub(super) const COMPLETED: &str = "<statusCode code='completed'/>";
pub(super) const ASTHMA: &str = "<value xsi:type='CD' code='195967001' codeSystem='2.16.840.1.113883.6.96' displayName='Asthma'/>";

pub(super) fn code(value: &Value) -> &str {
    value["coding"][0]["code"].as_str().unwrap_or_default()
}

#[test]
fn no_known_allergies_is_said_only_when_it_is_that() {
    let any = "<code code='105590001'/>";
    for participant in [
        String::new(),
        substance(any),
        substance("<code nullFlavor='NA'/>"),
    ] {
        let found = with_entries(
            "48765-2",
            &[&allergy(
                "negationInd='true'",
                "code='419199007'",
                &participant,
            )],
        );
        let found = of_kind(&found, "AllergyIntolerance");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0]["code"]["coding"][0],
            json!({"system": "http://snomed.info/sct",
            "code": "716186003", "display": "No known allergy"})
        );
        assert_eq!(found[0]["code"]["coding"].as_array().unwrap().len(), 1);
        assert_eq!(code(&found[0]["clinicalStatus"]), "active");
    }
    let penicillin = substance("<code code='7980' codeSystem='2.16.840.1.113883.6.88'/>");
    for (negation, value, participant) in [
        // one drug only, a class without a word for it, not known what
        ("true", "code='416098002'", penicillin.as_str()),
        ("true", "code='414285001'", penicillin.as_str()),
        ("true", "code='419511003'", ""),
        ("true", "code='419199007'", penicillin.as_str()),
        ("1", "code='419199007'", penicillin.as_str()),
        ("true", "nullFlavor='UNK'", ""),
        ("true", "code='716186003'", ""),
        // not readable as yes or no
        ("yes", "code='419199007'", penicillin.as_str()),
        ("", "code='419199007'", penicillin.as_str()),
    ] {
        let negation = format!("negationInd='{negation}'");
        let found = with_entries("48765-2", &[&allergy(&negation, value, participant)]);
        assert_eq!(
            (count(&found), found.problems.len()),
            (0, 1),
            "{negation} {value}"
        );
    }
}

#[test]
fn allergies_to_what_is_not_known_are_left_out() {
    let unknown = [
        substance(
            "<code nullFlavor='UNK'><originalText>words</originalText></code><name>words</name>",
        ),
        substance("<code code='105590001'/>"),
        substance("<name nullFlavor='UNK'/>"),
        String::new(),
    ];
    for participant in unknown {
        let found = with_entries("48765-2", &[&allergy("", "code='419199007'", &participant)]);
        assert_eq!(count(&found), 0);
        assert_eq!(
            reported(&found),
            ["left out: an allergy entry whose substance is not known"]
        );
    }
    let translated = substance("<code nullFlavor='OTH'><translation code='261000'/></code>");
    let named = substance("<name>Walnut</name>");
    for (participant, shown) in [
        (
            translated,
            json!({"coding": [{"code": "261000"}], "text": "words of the narrative"}),
        ),
        (named, json!({"text": "Walnut"})),
    ] {
        let entry = allergy("negationInd='false'", "nullFlavor='UNK'", &participant).replace(
            "<code code='ASSERTION'/>",
            "<text><reference value='#n1'/></text>",
        );
        let found = with_entries("48765-2", &[&entry]);
        assert_eq!(of_kind(&found, "AllergyIntolerance")[0]["code"], shown);
    }
    // the allergy itself may name the substance
    let found = with_entries("48765-2", &[&allergy("", "code='91936005'", "")]);
    assert_eq!(
        code(&of_kind(&found, "AllergyIntolerance")[0]["code"]),
        "91936005"
    );
}

#[test]
fn problems_denied_withdrawn_or_not_known() {
    let refuted = with_entries(
        "11450-4",
        &[&problem("negationInd='true'", ASTHMA, COMPLETED)],
    );
    let condition = &of_kind(&refuted, "Condition")[0];
    assert_eq!(code(&condition["verificationStatus"]), "refuted");
    assert!(condition.get("clinicalStatus").is_none());
    let derived = refuted
        .derived
        .iter()
        .find(|d| d.meta.kind.as_str() == "Condition")
        .unwrap();
    assert_eq!(derived.meta.title, "Not present: Asthma");

    let any = "<value xsi:type='CD' code='55607006' codeSystem='2.16.840.1.113883.6.96'/>";
    let null = "<value xsi:type='CD' nullFlavor='UNK' code='195967001'><originalText>Asthma</originalText></value>";
    let absent = ASTHMA.replace(
        "/>",
        "><qualifier><name code='408729009'/><value code='410516002'/></qualifier></value>",
    );
    let nullified = "<statusCode code='nullified'/>";
    let subject = "<subject><relatedSubject/></subject><statusCode code='completed'/>";
    for (attributes, value, rest) in [
        ("negationInd='true'", any, COMPLETED),
        ("negationInd='maybe'", ASTHMA, COMPLETED),
        ("", null, COMPLETED),
        ("", "", COMPLETED),
        ("", absent.as_str(), COMPLETED),
        ("", ASTHMA, nullified),
        ("", ASTHMA, "<statusCode code='cancelled'/>"),
        ("", ASTHMA, "<statusCode code='obsolete'/>"),
        ("", ASTHMA, "<statusCode code='Nullified'/>"),
        ("", ASTHMA, "<statusCode code='entered-in-error'/>"),
        ("", ASTHMA, subject),
        ("nullFlavor='NI'", ASTHMA, COMPLETED),
    ] {
        let found = with_entries("11450-4", &[&problem(attributes, value, rest)]);
        assert_eq!(
            (count(&found), found.problems.len()),
            (0, 1),
            "{attributes} {value} {rest}"
        );
        assert_eq!(found.problems[0].at, "section 11450-4, entry 1");
    }
    // the act around it, or the relation to it, may be denied or withdrawn as well
    let stated = problem("", ASTHMA, COMPLETED);
    for (from, to) in [
        (
            "<act classCode='ACT'",
            "<act classCode='ACT' negationInd='true'",
        ),
        (
            "<act classCode='ACT'",
            "<act classCode='ACT' nullFlavor='NA'",
        ),
        (
            "<statusCode code='active'/>",
            "<statusCode code='nullified'/>",
        ),
        (
            "<entryRelationship typeCode='SUBJ'",
            "<entryRelationship typeCode='SUBJ' negationInd='true'",
        ),
    ] {
        let found = with_entries("11450-4", &[&stated.replace(from, to)]);
        assert_eq!((count(&found), found.problems.len()), (0, 1), "{to}");
    }
    // a plan is no statement, and no fault
    let planned = stated.replace("moodCode='EVN' >", "moodCode='GOL'>");
    let found = with_entries("11450-4", &[&planned]);
    assert_eq!((count(&found), found.problems.len()), (0, 0));
}

#[test]
fn how_problems_go_on() {
    let time = |inside: &str| format!("{COMPLETED}<effectiveTime>{inside}</effectiveTime>");
    let said = |code: &str| {
        format!(
            "<entryRelationship typeCode='REFR'><observation classCode='OBS' moodCode='EVN'>
             <code code='33999-4'/><value xsi:type='CD' code='{code}'/></observation></entryRelationship>"
        )
    };
    let over = time("<low value='2019'/><high value='2020'/>");
    let over_unknown = time("<low value='2019'/><high nullFlavor='UNK'/>");
    for (rest, concern, expected) in [
        (COMPLETED.to_owned(), "active", "active"),
        (COMPLETED.to_owned(), "completed", "inactive"),
        (COMPLETED.to_owned(), "aborted", "inactive"),
        (COMPLETED.to_owned(), "suspended", "inactive"),
        (over.clone(), "active", "resolved"),
        (over_unknown.clone(), "active", "resolved"),
        (over_unknown + &said("55561003"), "completed", "active"),
        (over + &said("277022003"), "active", "remission"),
        (
            time("<low value='2019'/><high nullFlavor='NA'/>"),
            "active",
            "active",
        ),
        (said("413322009"), "active", "resolved"),
        (said("73425007"), "active", "inactive"),
    ] {
        let entry = problem("", ASTHMA, &rest).replace(
            "<statusCode code='active'/>",
            &format!("<statusCode code='{concern}'/>"),
        );
        let found = with_entries("11450-4", &[&entry]);
        let condition = &of_kind(&found, "Condition")[0];
        assert_eq!(
            code(&condition["clinicalStatus"]),
            expected,
            "{rest} {concern}"
        );
        assert_eq!(condition.get("verificationStatus"), None);
    }
}

#[test]
fn an_allergy_is_over_only_when_that_is_sure() {
    let said = |code: &str| {
        format!(
            "<entryRelationship typeCode='SUBJ'><observation classCode='OBS' moodCode='EVN'>
             <code code='33999-4'/><value xsi:type='CE' code='{code}'/></observation></entryRelationship>"
        )
    };
    let time =
        |high: &str| format!("<effectiveTime><low value='2019'/><high {high}/></effectiveTime>");
    let (known, unknown) = (time("value='2020'"), time("nullFlavor='UNK'"));
    for (rest, concern, expected) in [
        (String::new(), "active", "active"),
        (String::new(), "suspended", "inactive"),
        (String::new(), "odd", "active"),
        (unknown, "active", "active"),
        (known.clone(), "active", "resolved"),
        (known + &said("55561003"), "completed", "active"),
        (said("55561003"), "completed", "active"),
        (said("73425007"), "active", "inactive"),
        (said("413322009"), "active", "resolved"),
    ] {
        let participant = substance("<code code='7980'/>") + &rest;
        let entry = allergy("", "code='419199007'", &participant).replace(
            "<statusCode code='active'/>",
            &format!("<statusCode code='{concern}'/>"),
        );
        let found = with_entries("48765-2", &[&entry]);
        let allergy = &of_kind(&found, "AllergyIntolerance")[0];
        assert_eq!(
            code(&allergy["clinicalStatus"]),
            expected,
            "{rest} {concern}"
        );
    }
}
