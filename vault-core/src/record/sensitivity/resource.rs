//! Every coding of a resource, and the words that name a medicine, found in one pass over its text.

use super::systems::unquoted;
use crate::record::json::MAX_DEPTH;

/// What is found in a resource.
pub(super) enum Found<'a> {
    /// The system and the code of one object.
    Coding(&'a str, &'a str),
    /// Words for a medicine.
    Words(&'a str),
}

/// One open object or list.
#[derive(Default, Clone, Copy)]
struct Open<'a> {
    list: bool,
    key: &'a str,
    system: Option<&'a str>,
    code: Option<&'a str>,
    display: Option<&'a str>,
}

/// Fields of a resource about a medicine in which its name stands.
const MEDICINE_FIELDS: &[&str] = &[
    "code",
    "contained",
    "ingredient",
    "medication",
    "medicationCodeableConcept",
    "medicationReference",
    "package",
    "product",
];

/// Whether resources of this type are about one medicine.
fn is_medicine(kind: &str) -> bool {
    matches!(
        kind,
        "Medication"
            | "MedicationAdministration"
            | "MedicationDispense"
            | "MedicationOrder"
            | "MedicationPrescription"
            | "MedicationRequest"
            | "MedicationStatement"
            | "MedicationUsage"
    )
}

/// Whether the codes of a system are of medicines.
fn names_medicines(system: &str) -> bool {
    let system = unquoted(system).unwrap_or_default();
    let short = crate::record::code::short_name(system.trim());
    matches!(short, "rxnorm" | "ndc" | "atc" | "unii")
}

/// Goes through a resource of this type. Strings that are handed out are in their quotes. Takes time
/// in proportion to the text and memory for [`MAX_DEPTH`] levels; what nests deeper, or is no JSON, is
/// looked through as far as it goes.
pub(super) fn scan<'a>(kind: &str, text: &'a str, mut found: impl FnMut(Found<'a>)) {
    let medicine = is_medicine(kind);
    let bytes = text.as_bytes();
    let mut stack: Vec<Open<'a>> = Vec::with_capacity(16);
    // below a field of the resource in which a medicine is named
    let mut named = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                if stack.len() > MAX_DEPTH {
                    return;
                }
                let list = *byte == b'[';
                stack.push(Open {
                    list,
                    ..Open::default()
                });
            }
            b'}' | b']' => {
                let Some(open) = stack.pop() else {
                    return;
                };
                if let (Some(system), Some(code)) = (open.system, open.code) {
                    found(Found::Coding(system, code));
                    if let Some(display) = open.display
                        && names_medicines(system)
                    {
                        found(Found::Words(display));
                    }
                }
            }
            b'"' => {
                let Some(end) = end_of_string(bytes, at) else {
                    return;
                };
                let Some(raw) = text.get(at..end) else {
                    return;
                };
                at = end;
                while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                    at += 1;
                }
                let top = stack.len() == 1;
                let Some(open) = stack.last_mut().filter(|open| !open.list) else {
                    continue;
                };
                if bytes.get(at) == Some(&b':') {
                    open.key = raw.trim_matches('"');
                    if top && medicine {
                        named = MEDICINE_FIELDS.contains(&open.key);
                    }
                    continue;
                }
                match open.key {
                    "system" => open.system = Some(raw),
                    "code" => open.code = Some(raw),
                    "display" if !named => open.display = Some(raw),
                    "text" | "display" | "name" if named => found(Found::Words(raw)),
                    _ => {}
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Where the string that begins here ends, after its closing quote.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}
