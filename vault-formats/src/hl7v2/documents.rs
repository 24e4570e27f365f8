//! MDM: documents as DocumentReferences.
//!
//! Sources: HL7 v2.5.1 chapter 9, tables 0270 (types), 0271 (completion), 0273 (availability).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use vault_core::Category;
use vault_core::record::clean_title;

use super::embedded::embedded_file;
use super::fields::Segment;
use super::output::{Context, Output, named, set, set_list};
use super::systems::TABLES;

/// What a type of document is called. Source: table 0270.
const TYPES: &[(&str, &str)] = &[
    ("AR", "Autopsy report"),
    ("CD", "Cardiodiagnostics"),
    ("CN", "Consultation"),
    ("DI", "Diagnostic imaging"),
    ("DS", "Discharge summary"),
    ("ED", "Emergency department report"),
    ("HP", "History and physical examination"),
    ("OP", "Operative report"),
    ("PC", "Psychiatric consultation"),
    ("PH", "Psychiatric history and physical examination"),
    ("PN", "Procedure note"),
    ("PR", "Progress note"),
    ("SP", "Surgical pathology"),
    ("TS", "Transfer summary"),
];

/// The type of a document in words.
pub(super) fn type_words(txa: &Segment<'_>) -> Option<String> {
    let coded = txa.coded(2)?;
    let known = TYPES.iter().find(|(code, _)| coded.code() == Some(code));
    let own = coded.choices.iter().any(|choice| choice.text.is_some());
    match known {
        Some((_, words)) if !own => Some((*words).to_owned()),
        _ => coded.words(),
    }
}

/// Every document of a message. `with_text` when the observations after TXA are its text, as in
/// MDM, and not results.
pub(super) fn documents(context: Context<'_>, with_text: bool, out: &mut Output) {
    let mut open: Option<Open> = None;
    for segment in context.message.segments() {
        match segment.name() {
            "TXA" => {
                close(&mut open, out);
                open = Some(begin(&segment, context));
            }
            "OBX" if with_text => {
                if let Some(open) = &mut open {
                    content(&segment, open, context, out);
                }
            }
            "NTE" if with_text => {
                if let (Some(open), Some(note)) = (&mut open, segment.whole(3)) {
                    open.lines.push(note);
                }
            }
            _ => {}
        }
    }
    close(&mut open, out);
}

struct Open {
    resource: Map<String, Value>,
    title: Option<String>,
    lines: Vec<String>,
    files: Vec<Value>,
}

fn begin(txa: &Segment<'_>, context: Context<'_>) -> Open {
    let mut made = Map::new();
    // table 0273: obsolete, or taken back
    let status = match txa.text(19).as_deref() {
        Some("OB") => "superseded",
        Some("CA") => "entered-in-error",
        _ => "current",
    };
    made.insert("status".into(), json!(status));
    let completion = match txa.text(17).as_deref() {
        Some("AU" | "DO" | "LA") => Some("final"),
        Some("DI" | "IN" | "IP" | "PA") => Some("preliminary"),
        _ => None,
    };
    set(&mut made, "docStatus", completion);
    if let Some(mut coded) = txa.coded(2) {
        coded.original = coded.original.or_else(|| type_words(txa));
        set(
            &mut made,
            "type",
            coded.concept_in(Some(&format!("{TABLES}0270"))),
        );
    }
    set(&mut made, "subject", Some(context.subject()));
    let id = txa.rep(12).and_then(|rep| rep.identifier(true));
    set(&mut made, "masterIdentifier", id);
    let written = txa.time(6).or_else(|| txa.time(4));
    set(
        &mut made,
        "date",
        written.and_then(|time| time.instant(None)),
    );
    let authors = txa.reps(9).filter_map(|rep| named(rep.person()));
    set_list(&mut made, "author", authors.collect());
    // TXA-22: who signed it, as a person and a time
    set(&mut made, "authenticator", named(txa.person(22)));
    if let Some(time) = txa.time(4) {
        made.insert(
            "context".into(),
            json!({"period": {"start": time.date_time()}}),
        );
    }
    let name = txa.text(16).or_else(|| txa.whole(25));
    let title = name.map(|name| clean_title(&name));
    Open {
        resource: made,
        title,
        lines: Vec::new(),
        files: Vec::new(),
    }
}

fn content(obx: &Segment<'_>, open: &mut Open, context: Context<'_>, out: &mut Output) {
    // taken back, posted to the wrong patient, not done
    if matches!(obx.text(11).as_deref(), Some("D" | "W" | "X" | "N")) {
        return;
    }
    let kind = obx.text(2).unwrap_or_default().to_uppercase();
    match kind.as_str() {
        "ED" => {
            let place = context.message.place(obx);
            open.files
                .extend(embedded_file(obx, place, Category::Note, out));
        }
        "TX" | "FT" | "ST" | "" => open.lines.push(obx.whole(5).unwrap_or_default()),
        _ => {
            let values: Vec<String> = obx
                .reps(5)
                .filter_map(|rep| match kind.as_str() {
                    "CE" | "CWE" | "CNE" | "CF" => rep.coded()?.words(),
                    _ => rep.joined(),
                })
                .collect();
            let name = obx
                .coded(3)
                .and_then(|coded| coded.words())
                .unwrap_or_default();
            let unit = obx.text(6).unwrap_or_default();
            if !values.is_empty() {
                let line = format!("{name}: {} {unit}", values.join(", "));
                open.lines.push(line.trim_matches([' ', ':']).to_owned());
            }
        }
    }
}

fn close(open: &mut Option<Open>, out: &mut Output) {
    let Some(Open {
        mut resource,
        title,
        lines,
        files,
    }) = open.take()
    else {
        return;
    };
    let text = lines.join("\n");
    let mut attachments = Vec::new();
    if !text.trim().is_empty() {
        let mut attachment = Map::new();
        attachment.insert("contentType".into(), json!("text/plain"));
        attachment.insert("data".into(), json!(STANDARD.encode(text.trim_end())));
        set(&mut attachment, "title", title.clone());
        attachments.push(Value::Object(attachment));
    }
    attachments.extend(files);
    if attachments.is_empty() {
        // a document needs one; this one is elsewhere
        let title = title.unwrap_or_else(|| "not in the message".to_owned());
        attachments.push(json!({ "title": title }));
    }
    let contents = attachments
        .into_iter()
        .map(|attachment| json!({ "attachment": attachment }));
    set_list(&mut resource, "content", contents.collect());
    out.add("DocumentReference", resource);
}
