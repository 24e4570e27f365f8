//! Several messages of one file about the same thing, and texts that are not one.

use serde_json::{Value, json};

use super::tests::{NOW, all};
use super::*;

/// A message with a full time of sending.
fn message(kind: &str, minute: &str, body: &str) -> String {
    format!(
        "MSH|^~\\&|LAB|CLIN|||2024031010{minute}00+0000||{kind}|a|P|2.5.1\r\
         PID|1||77^^^CLIN^MR||Lind^Mira||19800506|F\r{body}"
    )
}

fn of(text: &str, kind: &str) -> Vec<Value> {
    all(&understand(text.as_bytes(), "", NOW).unwrap(), kind)
}

fn values(resources: &[Value], key: &str) -> String {
    let shown = resources.iter().map(|one| match &one[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn result(filler: &str, value: &str, status: &str, time: &str) -> String {
    format!(
        "OBR|1|P2|{filler}|X^Panel^L|||202403090800+0000\r\
         OBX|1|ST|6301-6^INR^LN||{value}||0.8-1.2|HH|||{status}|||{time}\rNTE|1||It was {value}.\r"
    )
}

#[test]
fn a_withdrawn_result_does_not_stand() {
    let time = "202403090800+0000";
    for taken_back in ["W", "D"] {
        let text = message("ORU^R01", "01", &result("F2", "9.9", "F", time))
            + &message("ORU^R01", "02", &result("F3", "1.1", "F", time))
            + &message(
                "ORU^R01",
                "03",
                &result("F2", "1.0", "F", "202403091200+0000"),
            )
            + &message("ORU^R01", "04", &result("F2", "9.9", taken_back, time));
        let made = of(&text, "Observation");
        let expected = "entered-in-error final final entered-in-error";
        assert_eq!(values(&made, "status"), expected, "{taken_back}");
        assert!(!made[0].to_string().contains("9.9"), "{}", made[0]);
        assert_eq!(made[0].get("interpretation"), None);
        assert_eq!(made[0]["identifier"], made[3]["identifier"]);
        assert_eq!(made[0]["meta"]["lastUpdated"], "2024-03-10T10:04:00+00:00");
        assert_eq!(made[1]["meta"]["lastUpdated"], "2024-03-10T10:02:00+00:00");
    }
    // in one message, and without any number
    let text = message(
        "ORU^R01",
        "01",
        &(result("", "9.9", "F", "") + "OBX|2|ST|6301-6^INR^LN||||||||W\r").replace("P2", ""),
    );
    let made = of(&text, "Observation");
    assert_eq!(values(&made, "status"), "entered-in-error entered-in-error");
    // a result of another patient with the same number
    let other = result("F2", "9.9", "W", time);
    let text = message("ORU^R01", "01", &result("F2", "9.9", "F", time))
        + &message("ORU^R01", "02", &other).replace("Lind^Mira||1980", "Okafor^Tora||1970");
    let made = of(&text, "Observation");
    assert_eq!(values(&made, "status"), "final entered-in-error");
}

#[test]
fn numbers_of_results_group_them_across_files() {
    let text = message("ORU^R01", "01", &result("F2", "9.9", "P", "2024"));
    let made = &of(&text, "Observation")[0];
    assert_eq!(made["identifier"][0]["value"], "F2/6301-6//2024");
    let report = &of(&text, "DiagnosticReport")[0];
    assert_eq!(report["identifier"][1]["value"], "F2");
    // the numbers of ORC where OBR has none
    let text = message(
        "ORU^R01",
        "01",
        "ORC|RE|P9|F9\rOBR|1|||X^Panel^L\rOBX|1|NM|A^A^L||1||||||F\r",
    );
    let report = &of(&text, "DiagnosticReport")[0];
    assert_eq!(report["identifier"][1]["value"], "F9");
    let made = &of(&text, "Observation")[0];
    assert_eq!(made["identifier"][0]["value"], "F9/A");
    // two of one name: which of them a number means is not known
    let two = "OBR|1|P9|F9|X^Panel^L\rOBX|1|NM|A^A^L||1||||||F\rOBX|2|NM|A^A^L||2||||||F\r";
    let made = of(&message("ORU^R01", "01", two), "Observation");
    assert_eq!(values(&made, "identifier"), "null null");
    // a time that is not told to the second is no instant
    let text = message("ORU^R01", "01", two).replace("10100100+", "101001+");
    assert_eq!(of(&text, "Observation")[0].get("meta"), None);
}

#[test]
fn two_numbers_are_two_results() {
    let obx = |value: &str, unit: &str, flag: &str, time: &str| {
        format!("OBX|1|ST|GLUC^Glucose^L||{value}|{unit}||{flag}|||F|||{time}\r")
    };
    let made = |lines: [String; 2]| {
        let body = format!("OBR|1|P4|F4|GTT^GTT^L\r{}", lines.concat());
        values(
            &of(&message("ORU^R01", "01", &body), "Observation"),
            "valueString",
        )
    };
    let (eight, ten) = ("202403090800+0000", "202403091000+0000");
    for lines in [
        [
            obx("5.1", "mmol/L", "", eight),
            obx("18.4", "mmol/L", "HH", ten),
        ],
        [obx("5.1", "", "", ""), obx("18.4", "", "", "")],
        [obx("5.1", "", "", ""), obx("<18.4", "", "", "")],
    ] {
        assert_eq!(made(lines).split(' ').count(), 2);
    }
    for lines in [
        [obx("low", "", "", eight), obx("high", "", "", ten)],
        [obx("low", "a", "", ""), obx("high", "b", "", "")],
        [obx("low", "", "L", ""), obx("high", "", "H", "")],
    ] {
        assert_eq!(made(lines), "low high");
    }
    // the lines of one text
    let one = [obx("seen", "", "A", eight), obx("again", "", "", "")];
    assert_eq!(made(one), "seen\nagain");
}

#[test]
fn an_order_that_ended_does_not_stand() {
    let rde = |control: &str, number: &str, minute: &str| {
        let body = format!(
            "ORC|{control}|{number}||||||||20240301\rRXE||11289^Warfarin^RXNORM|5||mg|TAB\r"
        );
        message("RDE^O11", minute, &body)
    };
    for (control, expected) in [
        ("DC", "stopped active stopped"),
        ("CA", "cancelled active cancelled"),
        ("OC", "cancelled active cancelled"),
        ("XO", "stopped active active"),
        ("RE", "active active active"),
    ] {
        let text = rde("NW", "O9", "01") + &rde("NW", "O8", "02") + &rde(control, "O9", "03");
        let made = of(&text, "MedicationRequest");
        assert_eq!(values(&made, "status"), expected, "{control}");
        assert_eq!(made[0]["identifier"], made[2]["identifier"]);
    }
    let order = |control: &str| {
        let body = format!("ORC|{control}|O7\rOBR|1|O7||X^Panel^L\r");
        message("OML^O21", "01", &body)
    };
    let made = of(&(order("NW") + &order("CA")), "ServiceRequest");
    assert_eq!(values(&made, "status"), "revoked revoked");
}

#[test]
fn an_appointment_that_was_cancelled_or_moved() {
    let one = |event: &str| {
        let times = "^^60^20300601090000+0000^20300601100000+0000";
        message(
            &format!("SIU^{event}"),
            "01",
            &format!("SCH|A1|B1|||||Surgery||60|min|{times}\r"),
        )
    };
    for (event, expected) in [
        ("S15", "cancelled cancelled"),
        ("S13", "cancelled booked"),
        ("S14", "booked booked"),
    ] {
        let made = of(&(one("S12") + &one(event)), "Appointment");
        assert_eq!(values(&made, "status"), expected, "{event}");
        assert_eq!(made[0]["identifier"][1]["value"], "B1");
    }
}

#[test]
fn a_reason_for_a_refusal_is_a_refusal() {
    let rxa = "RXA|0|1|20240101||03^MMR^CVX|999||||||||||||00^Parental decision^NIP002";
    let body = format!("ORC|RE||1\r{rxa}\r");
    let made = &of(&message("VXU^V04", "01", &body), "Immunization")[0];
    assert_eq!(made["status"], "not-done");
    assert_eq!(made["statusReason"]["text"], "Parental decision");
    let made = &of(&message("RAS^O17", "01", &body), "MedicationAdministration")[0];
    assert_eq!(made["status"], "not-done");
    assert_eq!(made["statusReason"][0]["text"], json!("Parental decision"));
}
