//! Tests of whole documents: header, labels, people, encodings, damage.

use serde_json::json;
use vault_core::{Category, Label};

use super::testing::{LETTER, PATIENT, SUMMARY, count, json, of_kind, reported, with_header};
use super::understand;
use crate::{Moment, Understood};

fn read(text: &str) -> Understood {
    understand(text.as_bytes(), "folder/file.xml", Moment(0)).unwrap()
}

fn labels(understood: &Understood) -> Vec<&str> {
    understood.meta.labels.iter().map(Label::as_str).collect()
}

#[test]
fn a_header_says_what_it_is() {
    let summary = read(SUMMARY);
    let meta = &summary.meta;
    assert_eq!(meta.title, "Summary of Care, 2024-03-12");
    assert_eq!(
        meta.date.as_ref().unwrap().as_str(),
        "2024-03-12T10:15:00-05:00"
    );
    assert_eq!(
        (meta.kind.as_str(), meta.category),
        ("Document", Category::Note)
    );
    assert_eq!(meta.media_type, "text/xml");
    assert_eq!(meta.author.as_deref(), Some("Dr Odo Lark"));
    let codes: Vec<_> = meta.codes.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes, ["2.999.6|LOCAL-7", "loinc|34133-9"]);
    assert_eq!(labels(&summary), ["N", "R"]);
    assert_eq!(summary.about.len(), 1);
    assert_eq!(summary.about[0].shown(), "Mira Jo Quill (1980-05-06)");
    assert!(summary.problems.is_empty(), "{:?}", summary.problems);
    let patient = &of_kind(&summary, "Patient")[0];
    assert_eq!(
        patient["name"],
        json!([{"use": "official", "family": "Quill", "given": ["Mira", "Jo"]}])
    );
    assert_eq!(patient["gender"], "female");
    assert_eq!(patient["birthDate"], "1980-05-06");
    assert_eq!(
        patient["telecom"],
        json!([{"system": "phone", "value": "+1(555)0100", "use": "mobile"}])
    );
    assert_eq!(
        patient["identifier"],
        json!([{"system": "urn:oid:2.999.1", "value": "17"}])
    );
}

#[test]
fn a_label_of_a_section_stays_with_its_entries() {
    let summary = read(SUMMARY);
    for derived in &summary.derived {
        let found: Vec<_> = derived.meta.labels.iter().map(Label::as_str).collect();
        let in_section = derived.meta.title == "Mild depressive episode";
        let expected: &[&str] = if in_section { &["N", "R"] } else { &["N"] };
        assert_eq!(found, expected, "{}", derived.meta.title);
    }
    // sections inside sections inherit
    let nested = with_header(
        PATIENT,
        "<component><structuredBody><component><section><confidentialityCode code='V'/>
         <component><section><code code='47519-4'/><entry><procedure classCode='PROC' moodCode='EVN'>
         <code code='1'/><statusCode code='completed'/></procedure></entry></section></component>
         </section></component></structuredBody></component>",
    );
    let procedure = nested
        .derived
        .iter()
        .find(|d| d.meta.kind.as_str() == "Procedure")
        .unwrap();
    assert!(procedure.meta.labels.contains(&"V".parse().unwrap()));
    let patient = nested
        .derived
        .iter()
        .find(|d| d.meta.kind.as_str() == "Patient")
        .unwrap();
    assert!(patient.meta.labels.is_empty());
}

#[test]
fn labels_are_those_the_core_finds() {
    for (code, expected) in [
        ("code='N'", vec!["N"]),
        ("code='psy'", vec!["PSY"]),
        ("code='a b'", vec!["UNCLEAR"]),
        ("nullFlavor='UNK'", vec!["UNCLEAR"]),
    ] {
        let header = format!("{PATIENT}<confidentialityCode {code}/>");
        let understood = with_header(&header, "<component/>");
        assert_eq!(labels(&understood), expected, "{code}");
        let text = format!("<ClinicalDocument><confidentialityCode {code}/></ClinicalDocument>");
        let core = vault_core::record::read(text.as_bytes(), "x.xml");
        assert_eq!(core.items[0].meta.labels, understood.meta.labels, "{code}");
    }
    assert!(labels(&with_header(PATIENT, "")).is_empty());
}

#[test]
fn the_file_in_a_document_is_taken_out() {
    let letter = read(LETTER);
    assert_eq!(letter.meta.title, "Outpatient Note, 2024-02");
    assert_eq!(letter.meta.author.as_deref(), Some("Tarn Clinic"));
    let file = letter
        .derived
        .iter()
        .find(|d| d.meta.media_type == "application/pdf")
        .unwrap();
    assert_eq!(file.content.as_slice(), b"%PDF-1.4\n% a letter\n");
    assert_eq!(file.meta.title, letter.meta.title);
    assert_eq!(file.meta.date, letter.meta.date);
    assert_eq!(file.meta.author, letter.meta.author);
    assert_eq!(
        (file.meta.kind.as_str(), file.meta.category),
        ("Document", Category::Note)
    );
    assert!(file.meta.labels.contains(&"V".parse().unwrap()));
    assert_eq!(of_kind(&letter, "Patient").len(), 1);
    assert!(letter.problems.is_empty());
    let broken = read(&LETTER.replace("JVBER", "JV*ER"));
    assert_eq!(reported(&broken), ["the body is not valid base64"]);
    assert_eq!(of_kind(&broken, "Patient").len(), 1);
}

#[test]
fn nothing_is_said_of_nobody_or_of_one_of_two() {
    let body = SUMMARY.split_once("<component>").unwrap().1;
    let body = format!("<component>{}", body.replace("</ClinicalDocument>", ""));
    let null = "<recordTarget><patientRole><patient nullFlavor='NI'/></patientRole></recordTarget>";
    for header in ["", null] {
        let nobody = with_header(header, &body);
        assert_eq!(
            reported(&nobody),
            ["no patient is named: nothing about a person was derived"]
        );
        assert!(nobody.about.is_empty() && nobody.derived.is_empty());
    }
    let other = PATIENT.replace("Mira", "Tomas");
    let two = with_header(&format!("{PATIENT}{other}"), &body);
    assert_eq!(
        reported(&two),
        ["more than one patient is named: nothing about a person was derived"]
    );
    let about: Vec<_> = two.about.iter().map(|person| person.shown()).collect();
    assert_eq!(
        about,
        ["Mira Quill (1980-05-06)", "Tomas Quill (1980-05-06)"]
    );
    assert!(two.derived.is_empty());
    // a second one without a name is still a second one
    let unnamed = with_header(&format!("{PATIENT}{null}"), &body);
    assert_eq!((unnamed.about.len(), unnamed.derived.len()), (1, 0));
    // a file inside needs no subject
    let file = LETTER
        .split_once("<component>")
        .unwrap()
        .1
        .replace("</ClinicalDocument>", "");
    let file = with_header("", &format!("<component>{file}"));
    assert_eq!(file.derived.len(), 1);
}

#[test]
fn encodings_give_the_same_words() {
    let text = SUMMARY.replace("Quill", "Qu\u{ef}ll");
    let expected = read(&text);
    let utf16 = |big: bool| -> Vec<u8> {
        let pair = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(pair)
            .collect()
    };
    let latin: Vec<u8> = text
        .replace("UTF-8", "ISO-8859-1")
        .chars()
        .map(|c| c as u32 as u8)
        .collect();
    for bytes in [
        utf16(true),
        utf16(false),
        latin,
        format!("\u{feff}{text}").into_bytes(),
    ] {
        let found = understand(&bytes, "x.xml", Moment(0)).unwrap();
        assert_eq!(found.about, expected.about);
        assert_eq!(found.derived.len(), expected.derived.len());
        assert!(found.problems.is_empty());
    }
}

#[test]
fn what_cannot_be_read_is_kept_and_is_unclear() {
    let cut = SUMMARY.get(..SUMMARY.len() / 2).unwrap();
    let dtd = SUMMARY.replace(
        "<ClinicalDocument",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><ClinicalDocument",
    );
    let deep = format!("<ClinicalDocument>{}", "<a>".repeat(300));
    let large = format!("<ClinicalDocument>{}", " ".repeat(32 << 20));
    for (text, what) in [
        (cut, "not well-formed: "),
        (
            dtd.as_str(),
            "not read: it brings a document type of its own",
        ),
        (deep.as_str(), "not read: nested too deep"),
        (large.as_str(), "larger than 32 MiB: kept, not read"),
        ("<ClinicalDocument", "not well-formed: "),
    ] {
        let understood = read(text);
        assert!(
            reported(&understood)[0].starts_with(what),
            "{:?}",
            understood.problems
        );
        assert_eq!(labels(&understood), ["UNCLEAR"]);
        assert_eq!(understood.meta.media_type, "text/xml");
        assert_eq!(understood.meta.title, "file.xml");
        assert!(understood.derived.is_empty() && understood.about.is_empty());
    }
}

#[test]
fn other_files_are_none_of_ours() {
    for text in [
        "",
        "{}",
        "<Patient xmlns='http://hl7.org/fhir'/>",
        "<a><ClinicalDocument/></a>",
        "MSH|^~\\&|",
    ] {
        assert!(
            understand(text.as_bytes(), "x.xml", Moment(0)).is_none(),
            "{text}"
        );
    }
}

#[test]
fn derivation_repeats_itself_and_every_reference_holds() {
    let (one, two) = (read(SUMMARY), read(SUMMARY));
    assert_eq!(one.derived, two.derived);
    let ids: Vec<String> = one
        .derived
        .iter()
        .map(|d| d.meta.source_id.clone().unwrap())
        .collect();
    let report = &of_kind(&one, "DiagnosticReport")[0];
    for result in report["result"].as_array().unwrap() {
        assert!(ids.contains(&result["reference"].as_str().unwrap().to_owned()));
    }
    assert_eq!(count(&one), 8);
    let provenance = json(one.derived.last().unwrap());
    assert_eq!(provenance["target"].as_array().unwrap().len(), 9);
}

#[test]
fn damage_never_panics() {
    let step = if cfg!(debug_assertions) { 13 } else { 1 };
    for sample in [SUMMARY, LETTER] {
        let bytes = sample.as_bytes();
        for len in (0..bytes.len()).step_by(step * 5) {
            let _ = understand(&bytes[..len], "x.xml", Moment(0));
        }
        for at in (0..bytes.len()).step_by(step) {
            for flip in [b'<', b'"', 0x80, b'0'] {
                let mut bytes = bytes.to_vec();
                bytes[at] = flip;
                let _ = understand(&bytes, "x.xml", Moment(0));
            }
        }
    }
}

#[test]
fn that_the_patient_died_is_said() {
    for (death, key, expected) in [
        (
            "<sdtc:deceasedInd value='true'/>",
            "deceasedBoolean",
            json!(true),
        ),
        (
            "<sdtc:deceasedInd value='false'/>",
            "deceasedBoolean",
            json!(false),
        ),
        (
            "<sdtc:deceasedInd value='true'/><sdtc:deceasedTime value='20240301'/>",
            "deceasedDateTime",
            json!("2024-03-01"),
        ),
        (
            "<sdtc:deceasedTime value='2024'/>",
            "deceasedDateTime",
            json!("2024"),
        ),
        (
            "<sdtc:deceasedInd value='true'/><sdtc:deceasedTime nullFlavor='UNK'/>",
            "deceasedBoolean",
            json!(true),
        ),
        ("<sdtc:deceasedInd nullFlavor='UNK'/>", "", json!(null)),
        ("<deceasedInd value='true'/>", "", json!(null)),
        (
            "<sdtc:deceasedInd value='false'/><sdtc:deceasedTime value='2024'/>",
            "",
            json!(null),
        ),
    ] {
        let header = PATIENT.replace("</patient>", &format!("{death}</patient>"));
        let patient = of_kind(&with_header(&header, ""), "Patient").remove(0);
        let members = patient.as_object().unwrap().iter();
        let said: Vec<_> = members
            .filter(|(name, _)| name.starts_with("deceased"))
            .collect();
        match key {
            "" => assert!(said.is_empty(), "{death}"),
            _ => assert_eq!(said, [(&key.to_owned(), &expected)], "{death}"),
        }
    }
}
