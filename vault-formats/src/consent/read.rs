//! A Consent of R4 or R5 as a draft of terms.
//!
//! Sources: FHIR R4 and R5, resource Consent. In R4 a provision says whether it permits or denies; in
//! R5 each level is the opposite of the one around it, and the first is the opposite of `decision`.

use std::fmt;

use serde_json::Value;
use vault_core::record::clean_title;
use vault_core::{Delivery, Extent, PublicKey, VaultId};

use super::merge::merge;
use super::names::{GRANT, KEY, VAULT, X_AGENT, X_DELIVERY, X_MAY_DEPOSIT, X_SIGNED};
use super::permits::{base, r4_permits, r5_permits};
use super::selection::system_and_code;
use super::{ConsentDraft, Release};

/// Longest Consent that is read, in bytes.
pub const MAX_CONSENT_LEN: usize = 1 << 20;

/// Most items that are read of one list. What lies beyond is not left out: the Consent is refused.
pub(super) const MAX_ITEMS: usize = 64;

/// Most provisions at one level, and most warnings.
pub(super) const MAX_PROVISIONS: usize = 256;

/// Why no draft was made of a Consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// Longer than [`MAX_CONSENT_LEN`].
    #[error("a consent of more than {MAX_CONSENT_LEN} bytes")]
    TooLong,
    /// Not JSON.
    #[error("not a FHIR consent in JSON")]
    NotJson,
    /// Another resource, or none.
    #[error("not a FHIR consent")]
    NotConsent,
    /// It has elements of R4 and of R5.
    #[error("a consent that mixes FHIR R4 and R5")]
    MixedReleases,
    /// A consent that was withdrawn, rejected or entered in error.
    #[error("a consent that is not in force: {0}")]
    NotInForce(String),
    /// A consent to something else than the use of records, for example to a treatment.
    #[error("a consent that is not about the privacy of records")]
    NotPrivacy,
    /// It neither permits nor denies.
    #[error("a consent that does not say whether it permits or denies")]
    NoDecision,
    /// Something that changes what all of it means is not understood.
    #[error("not understood, and it may change what the consent means: {0}")]
    NotUnderstood(String),
    /// It permits nothing, or nothing that is understood.
    #[error("the consent permits nothing that can be granted{}", because(.0))]
    NothingPermitted(Vec<String>),
}

fn because(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        reasons => format!(": {}", reasons.join("; ")),
    }
}

/// A part that is not understood.
#[derive(Debug)]
pub(super) struct Unclear(String);

impl Unclear {
    pub(super) fn new(what: &str, detail: Option<&str>) -> Self {
        Self(match detail.map(label_of).filter(|text| !text.is_empty()) {
            Some(detail) => format!("{what} ({detail})"),
            None => what.to_owned(),
        })
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn warn(&mut self, text: &str) {
        if self.0.len() < MAX_PROVISIONS && !self.0.iter().any(|known| known == text) {
            self.0.push(text.to_owned());
        }
    }

    pub(super) fn left_out(&mut self, what: &str, detail: Option<&str>) {
        let unclear = Unclear::new(what, detail);
        self.warn(&format!("left out, not understood: {unclear}"));
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        self.0
    }
}

/// The items of a list; FHIR has no lists of one without brackets, so anything else has none.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// A text of a stranger's in a form that can be shown.
pub(super) fn label_of(text: &str) -> String {
    clean_title(text)
}

/// A public key in base32, the form of all ids of 32 bytes.
pub(super) fn key_of(text: &str) -> Option<PublicKey> {
    let id: VaultId = text.parse().ok()?;
    Some(PublicKey::from_bytes(*id.as_bytes()))
}

/// Reads a Consent.
///
/// The draft never opens more than the Consent does. What permits and is not understood is left out
/// with a warning. What denies and is not understood takes with it all that it may touch. A reference
/// to a policy elsewhere becomes a condition that never holds, which only the patient can strike out.
/// A Consent without a bound on sensitive records opens none of them; dates without a time are in UTC.
/// Lists are read up to fixed lengths: 256 provisions, 4096 things selected in one, 512 labels, 64
/// actors; what is longer counts as not understood.
///
/// # Errors
/// [`ConsentError`].
pub fn read(bytes: &[u8]) -> Result<ConsentDraft, ConsentError> {
    if bytes.len() > MAX_CONSENT_LEN {
        return Err(ConsentError::TooLong);
    }
    let consent: Value = serde_json::from_slice(bytes).map_err(|_| ConsentError::NotJson)?;
    if text(&consent, "resourceType") != Some("Consent") {
        return Err(ConsentError::NotConsent);
    }
    let release = release(&consent)?;
    let status = text(&consent, "status").unwrap_or_default();
    if !matches!(status, "draft" | "proposed" | "active") {
        return Err(ConsentError::NotInForce(label_of(status)));
    }
    if release == Release::R4 && !is_about_privacy(&consent) {
        return Err(ConsentError::NotPrivacy);
    }
    let mut notes = Notes::default();
    let unknown = elements(&consent, release, &mut notes)?;
    let mut permits = match release {
        Release::R4 => r4_permits(&consent, &mut notes)?,
        Release::R5 => r5_permits(&consent, &mut notes)?,
    };
    if status != "active" {
        notes.warn("the consent is not in force yet");
    }
    for permit in &mut permits {
        permit.unknown.extend(unknown.iter().cloned());
    }
    let Some((rule, scope)) = merge(permits, &mut notes) else {
        return Err(ConsentError::NothingPermitted(notes.into_warnings()));
    };
    let mut readers: Vec<_> = rule.readers.clone().into_iter().flatten().collect();
    readers.truncate(MAX_ITEMS);
    if readers.is_empty() {
        notes.warn("the consent names nobody whom access is given to");
    }
    let own = |system: &str| {
        let mut all = items(&consent["identifier"]);
        let own = all.find(|identifier| text(identifier, "system") == Some(system));
        own.and_then(|identifier| text(identifier, "value"))
    };
    let patient = consent.get("patient").or_else(|| consent.get("subject"));
    let of_vault = patient.and_then(|patient| {
        let identifier = patient.get("identifier")?;
        let value = text(identifier, "value")?;
        (text(identifier, "system") == Some(VAULT)).then(|| value.parse().ok())?
    });
    let extension = |url: &'static str| {
        let all = items(&consent["extension"]);
        all.filter(move |extension| text(extension, "url") == Some(url))
    };
    let carried =
        extension(X_DELIVERY).any(|extension| text(extension, "valueCode") == Some("carried"));
    let conditions = rule.conditions();
    let agents: Vec<PublicKey> = extension(X_AGENT)
        .filter_map(|extension| {
            let identifier = &extension["valueIdentifier"];
            let value = text(identifier, "value")?;
            (text(identifier, "system") == Some(KEY)).then(|| key_of(value))?
        })
        .take(MAX_ITEMS)
        .collect();
    let plain = conditions.is_empty() && agents.is_empty();
    Ok(ConsentDraft {
        release,
        vault: of_vault,
        grant: own(GRANT).and_then(|value| value.parse().ok()),
        patient: patient.and_then(|p| text(p, "display")).map(label_of),
        scope,
        extent: match rule.snapshot {
            true => Extent::Snapshot,
            false => Extent::Standing,
        },
        // terms with conditions or agents can only be kept on request
        delivery: match carried && plain {
            true => Delivery::Carried,
            false => Delivery::OnRequest,
        },
        purpose: rule.purpose,
        expires: rule.expires,
        conditions,
        may_deposit: extension(X_MAY_DEPOSIT).any(|e| e["valueBoolean"] == Value::Bool(true)),
        readers,
        agents,
        warnings: notes.into_warnings(),
    })
}

/// By the elements that only one release has.
fn release(consent: &Value) -> Result<Release, ConsentError> {
    let has = |names: &[&str]| names.iter().any(|name| consent.get(name).is_some());
    let list = consent.get("provision").is_some_and(Value::is_array);
    let r4 = has(&[
        "scope",
        "patient",
        "dateTime",
        "performer",
        "organization",
        "policy",
        "policyRule",
        "sourceAttachment",
        "sourceReference",
    ]) || consent.get("provision").is_some_and(Value::is_object);
    let r5 = list
        || has(&[
            "decision",
            "controller",
            "grantee",
            "grantor",
            "manager",
            "subject",
            "regulatoryBasis",
            "policyBasis",
            "policyText",
            "period",
            "date",
        ]);
    match (r4, r5) {
        (true, true) => Err(ConsentError::MixedReleases),
        (false, true) => Ok(Release::R5),
        (_, false) => Ok(Release::R4),
    }
}

fn is_about_privacy(consent: &Value) -> bool {
    let mut scopes = items(&consent["scope"]["coding"]);
    scopes.any(|scope| system_and_code(scope).1 == Some("patient-privacy"))
}

/// Looks at every element of the resource. Returns the names of conditions that stand for what may
/// narrow it and cannot be read.
fn elements(
    consent: &Value,
    release: Release,
    notes: &mut Notes,
) -> Result<Vec<String>, ConsentError> {
    let mut unknown = Vec::new();
    for name in consent.as_object().into_iter().flat_map(|all| all.keys()) {
        match name.as_str() {
            "resourceType" | "id" | "meta" | "language" | "text" | "identifier" | "status"
            | "scope" | "category" | "patient" | "subject" | "dateTime" | "date" | "performer"
            | "grantor" | "grantee" | "organization" | "manager" | "controller" | "decision"
            | "policyRule" | "period" | "provision" => {}
            "extension" => {
                let ours = [X_MAY_DEPOSIT, X_DELIVERY, X_AGENT, X_SIGNED];
                let known = |e: &Value| text(e, "url").is_some_and(|url| ours.contains(&url));
                if !items(&consent["extension"]).all(known) {
                    notes.warn("an extension of the consent was not read");
                }
            }
            "contained" | "sourceAttachment" | "sourceReference" | "verification" => {
                notes.warn(&format!("not read: {name}"));
            }
            "policy" | "policyBasis" | "policyText" | "regulatoryBasis" => {
                notes.warn(&format!(
                    "{name} names rules that are not in the consent: nothing opens until the patient \
                     strikes out the condition fhir:{name}"
                ));
                unknown.push(format!("fhir:{name}"));
            }
            other => {
                let what = Unclear::new("an element of the consent", Some(other));
                return Err(ConsentError::NotUnderstood(what.to_string()));
            }
        }
    }
    if release == Release::R4 && base(consent).is_none() && consent.get("policyRule").is_some() {
        notes.warn("policyRule is not understood: nothing opens until the patient strikes out the condition fhir:policyRule");
        unknown.push("fhir:policyRule".to_owned());
    }
    Ok(unknown)
}
