//! Pages of documents, family history, devices and insurance.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::narrative;
use super::page::{Page, spaced};
use super::read::{any, concept, items, quantity, string};
use super::text::clean_line;

/// Longest attachment that is decoded to be shown, in bytes of base64.
const MAX_ATTACHMENT: usize = 400_000;
/// Deepest nesting of sections that is followed.
const MAX_SECTIONS: usize = 8;

pub(super) fn document(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.code("Document status", "docStatus");
    page.fields(&[
        ("Description", "description"),
        ("Type", "type"),
        ("Category", "category"),
        ("When", "date"),
        ("Recorded", "indexed"),
        ("By", "author"),
        ("Approved by", "authenticator"),
        ("Kept by", "custodian"),
    ]);
    if let Some(context) = root.get("context") {
        page.field("Period of care", any(root, context, "period"));
    }
    for content in items(root, "content") {
        if let Some(file) = content.get("attachment") {
            attachment(page, file);
        }
    }
}

/// An attached file: what it is, and its text when it is one.
pub(super) fn attachment(page: &mut Page<'_>, file: &Value) {
    let media_type = string(file, "contentType").unwrap_or_default();
    let title = string(file, "title").map(clean_line);
    let mut about: Vec<String> = title.into_iter().collect();
    about.extend(Some(clean_line(media_type)).filter(|text| !text.is_empty()));
    let data = string(file, "data").unwrap_or_default();
    if data.is_empty() && file.get("url").is_some() {
        about.push("kept elsewhere".into());
    }
    page.field("Attached", Some(about.join(", ")));
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if data.is_empty()
        || !matches!(
            essence.as_str(),
            "text/plain" | "text/html" | "application/xhtml+xml"
        )
    {
        return;
    }
    if data.len() > MAX_ATTACHMENT {
        page.text("(a long text, not shown here)");
        return;
    }
    let packed: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    match STANDARD.decode(packed) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            if essence == "text/plain" {
                page.text(&text);
            } else {
                page.text(&narrative::plain(&text));
            }
        }
        Err(_) => page.text("(an attached text that cannot be decoded)"),
    }
}

pub(super) fn composition(page: &mut Page<'_>) {
    let root = page.root;
    if string(root, "status").is_some_and(|status| status != "final") {
        page.code("Status", "status");
    }
    page.fields(&[
        ("Type", "type"),
        ("When", "date"),
        ("By", "author"),
        ("Kept by", "custodian"),
    ]);
    sections(page, root, 0);
}

fn sections(page: &mut Page<'_>, of: &Value, depth: usize) {
    if depth >= MAX_SECTIONS || page.len() > 1000 {
        return;
    }
    for section in items(of, "section") {
        let code = section.get("code").and_then(concept);
        let title = string(section, "title").map(clean_line).or(code);
        page.narrative(title.as_deref().unwrap_or("Section"), section);
        if section.get("text").is_none() {
            let empty = section.get("emptyReason").and_then(concept);
            if let (Some(title), Some(reason)) = (title, empty) {
                page.field(&title, Some(format!("nothing ({})", spaced(&reason))));
            }
        }
        sections(page, section, depth + 1);
    }
}

/// QuestionnaireResponse: the questions and what was answered.
pub(super) fn answers(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.fields(&[
        ("When", "authored"),
        ("By", "author"),
        ("According to", "source"),
    ]);
    questions(page, root, 0);
}

fn questions(page: &mut Page<'_>, of: &Value, depth: usize) {
    // DSTU2 has one group of groups and questions
    for key in ["item", "group", "question"] {
        for item in items(of, key) {
            if depth >= MAX_SECTIONS || page.len() > 1000 {
                return;
            }
            let text = ["text", "title", "linkId"]
                .iter()
                .find_map(|key| string(item, key));
            let text = clean_line(text.unwrap_or("Question"));
            let answers: Vec<String> = items(item, "answer")
                .iter()
                .filter_map(|answer| any(page.root, answer, "value"))
                .collect();
            if answers.is_empty() {
                page.heading(&text);
            } else {
                page.long(&text, &answers.join("; "));
            }
            questions(page, item, depth + 1);
            for answer in items(item, "answer") {
                questions(page, answer, depth + 1);
            }
        }
    }
}

pub(super) fn family(page: &mut Page<'_>) {
    let root = page.root;
    if string(root, "status").is_some_and(|status| status != "completed") {
        page.code("Status", "status");
    }
    page.fields(&[
        ("Relationship", "relationship"),
        ("Name", "name"),
        ("Sex", "sex"),
        ("Sex", "gender"),
        ("Born", "born"),
        ("Age", "age"),
        ("Died", "deceased"),
        ("Recorded", "date"),
        ("Not known because", "dataAbsentReason"),
    ]);
    let rows = items(root, "condition").iter().map(|condition| {
        let cell = |key: &str| any(root, condition, key).unwrap_or_default();
        let cause = condition.get("contributedToDeath") == Some(&Value::Bool(true));
        vec![
            cell("code"),
            cell("onset"),
            cell("outcome"),
            if cause { "yes".into() } else { String::new() },
        ]
    });
    page.table(
        &["Condition", "Since", "Outcome", "Led to death"],
        rows.collect(),
    );
}

pub(super) fn device(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    let names: Vec<String> = items(root, "deviceName")
        .iter()
        .chain(items(root, "name"))
        .filter_map(|name| string(name, "name").or_else(|| string(name, "value")))
        .map(clean_line)
        .collect();
    page.field("Name", Some(names.join("; ")));
    page.fields(&[
        ("Type", "type"),
        ("Manufacturer", "manufacturer"),
        ("Made", "manufactureDate"),
        ("Expires", "expirationDate"),
        ("Expires", "expiry"),
        ("Model", "modelNumber"),
        ("Model", "model"),
        ("Serial number", "serialNumber"),
        ("Lot", "lotNumber"),
        ("Safety", "safety"),
        ("Owner", "owner"),
    ]);
    for carrier in items(root, "udiCarrier").iter().chain(items(root, "udi")) {
        let number = string(carrier, "carrierHRF").or_else(|| string(carrier, "deviceIdentifier"));
        page.field("UDI", number.map(clean_line));
    }
}

pub(super) fn coverage(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.fields(&[
        ("Type", "type"),
        ("Insurer", "payor"),
        ("Insurer", "insurer"),
        ("Insurer", "issuer"),
        ("Member number", "subscriberId"),
        ("Member number", "identifier"),
        ("Subscriber", "subscriber"),
        ("Relationship", "relationship"),
        ("Valid", "period"),
        ("Dependent", "dependent"),
        ("Network", "network"),
    ]);
    for class in items(root, "class") {
        let kind = class
            .get("type")
            .and_then(concept)
            .unwrap_or_else(|| "Class".into());
        let value = any(root, class, "value").unwrap_or_default();
        let name = string(class, "name").map(clean_line).unwrap_or_default();
        page.field(
            &super::page::spelled(&kind),
            Some(clean_line(&format!("{value} {name}"))),
        );
    }
}

/// Claim, ClaimResponse, ExplanationOfBenefit.
pub(super) fn claim(page: &mut Page<'_>) {
    let root = page.root;
    page.code("Status", "status");
    page.code("Outcome", "outcome");
    page.fields(&[
        ("Type", "type"),
        ("When", "billablePeriod"),
        ("Created", "created"),
        ("Insurer", "insurer"),
        ("From", "provider"),
        ("Where", "facility"),
        ("Decision", "disposition"),
    ]);
    let rows = items(root, "item")
        .iter()
        .chain(items(root, "addItem"))
        .map(|item| {
            let what = ["productOrService", "service", "revenue", "category"]
                .iter()
                .find_map(|key| any(root, item, key));
            vec![
                what.unwrap_or_default(),
                any(root, item, "serviced").unwrap_or_default(),
                item.get("net").and_then(money).unwrap_or_default(),
            ]
        });
    page.table(&["Item", "When", "Amount"], rows.collect());
    // a list of amounts in one, a single amount in the other
    for total in items(root, "total") {
        match total.get("amount") {
            Some(amount) => {
                let what = total.get("category").and_then(concept);
                let label = what.map_or("Total".into(), |what| format!("Total, {what}"));
                page.field(&label, money(amount));
            }
            None => page.field("Total", money(total)),
        }
    }
    if let Some(payment) = root.get("payment") {
        page.field("Paid", payment.get("amount").and_then(money));
        page.field("Paid on", any(root, payment, "date"));
    }
}

fn money(value: &Value) -> Option<String> {
    quantity(value)
}
