//! The systems, codes and extensions that consents and trails are written with.
//!
//! Sources: FHIR R4, Consent, "Terminology Bindings"; HL7 Terminology, code systems consentscope,
//! v3-ActCode, v3-ActReason, v3-Confidentiality, v3-ParticipationType, consentaction.

use serde_json::{Map, Value, json};

pub(crate) const VAULT: &str = "urn:medvault:vault";
pub(crate) const GRANT: &str = "urn:medvault:grant";
pub(crate) const RECORD: &str = "urn:medvault:record";
/// An Ed25519 public key, in lower-case base32.
pub(crate) const KEY: &str = "urn:medvault:key";
/// SHA-256 of signed terms, in hexadecimal.
pub(crate) const TERMS: &str = "urn:medvault:terms-sha256";
pub(super) const CATEGORY: &str = "urn:medvault:category";
/// Kinds of records that are no resource type, such as `Document`.
pub(super) const KIND: &str = "urn:medvault:kind";
/// Labels that HL7 has no code for, and those that must match exactly.
pub(super) const LABEL: &str = "urn:medvault:label";
/// A code of any system.
pub(super) const ANY_CODE: &str = "urn:medvault:code:any-system";
/// A code whose system has no plain URI: the code is `SYSTEM|CODE`.
pub(super) const OWN_CODE: &str = "urn:medvault:code";

pub(super) const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(crate) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(crate) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
pub(super) const ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
pub(super) const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";

/// Extensions of the resource: what only adds to it.
pub(super) const X_MAY_DEPOSIT: &str = "urn:medvault:consent:may-deposit";
pub(super) const X_DELIVERY: &str = "urn:medvault:consent:delivery";
pub(super) const X_AGENT: &str = "urn:medvault:consent:agent";
pub(super) const X_SIGNED: &str = "urn:medvault:consent:signed";

/// Modifier extensions of a provision: what narrows it.
pub(super) const X_FROM: &str = "urn:medvault:consent:from";
pub(super) const X_OPENS: &str = "urn:medvault:consent:opens";
pub(super) const X_OPENS_PER_DAY: &str = "urn:medvault:consent:opens-per-day";
pub(super) const X_CONDITION: &str = "urn:medvault:consent:condition";
pub(super) const X_PURPOSE: &str = "urn:medvault:consent:purpose";
pub(super) const X_EXTENT: &str = "urn:medvault:consent:extent";
pub(super) const X_DATA_PERIOD: &str = "urn:medvault:consent:data-period";
pub(super) const X_LABELS: &str = "urn:medvault:consent:labels";

/// A Coding with a display.
pub(crate) fn coded(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

/// An Identifier.
pub(crate) fn identifier(system: &str, value: &str) -> Value {
    json!({"system": system, "value": value})
}

/// A Reference by identifier, with a name where there is one.
pub(crate) fn logical(system: &str, value: &str, display: Option<&str>) -> Value {
    let mut reference = Map::new();
    reference.insert("identifier".into(), identifier(system, value));
    let display = display.map(vault_core::record::clean_title);
    if let Some(display) = display.filter(|name| !name.is_empty()) {
        reference.insert("display".into(), json!(display));
    }
    Value::Object(reference)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // writing to a string cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_references_are_clean() {
        assert_eq!(
            logical(KEY, "abc", Some(" Dr\u{7} Lind ")),
            json!({"identifier": {"system": KEY, "value": "abc"}, "display": "Dr Lind"})
        );
        assert_eq!(
            logical(KEY, "abc", Some("")),
            json!({"identifier": {"system": KEY, "value": "abc"}})
        );
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
