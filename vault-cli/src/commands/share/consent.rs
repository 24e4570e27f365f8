//! What `medvault share --consent` takes from a FHIR Consent.

use std::path::Path;

use vault_core::{Delivery, OnRequestTerms, ShareRequest, Vault};
use vault_formats::consent::{ConsentDraft, MAX_CONSENT_LEN, read};

use crate::error::{Error, Exit, Result};
use crate::files;
use crate::output::Output;

/// The terms that a Consent would be, and what is to be said about it.
pub struct FromConsent {
    pub request: ShareRequest,
    pub offer: Option<OnRequestTerms>,
    warnings: Vec<String>,
    named: Vec<String>,
}

impl FromConsent {
    /// Reads a Consent. Whom it names is told, but who may read is for the patient to say:
    /// `readers`.
    pub fn read(path: &Path, readers: &[String], vault: &mut Vault) -> Result<Self> {
        let text = files::read_text(path, MAX_CONSENT_LEN as u64)?;
        let draft = read(text.as_bytes()).map_err(|error| {
            Error::new(Exit::Failure, "bad-consent", error)
                .hint("say it in words of this program instead: `medvault share --help`")
        })?;
        if draft.vault.is_some_and(|of| of != vault.id()) {
            let what = "the consent is about another person's vault";
            return Err(Error::new(Exit::Terms, "other-vault", what)
                .hint("only they can share what is in it"));
        }
        let offer = (draft.delivery == Delivery::OnRequest).then(|| OnRequestTerms {
            conditions: draft.conditions.clone(),
            may_deposit: draft.may_deposit,
            agents: Vec::new(),
        });
        Ok(Self {
            warnings: warnings(&draft),
            named: named(&draft),
            request: ShareRequest {
                readers: readers.to_vec(),
                scope: draft.scope,
                extent: draft.extent,
                purpose: draft.purpose,
                expires: draft.expires,
            },
            offer,
        })
    }

    /// Says whom the Consent names, and what of it is not in the terms.
    pub fn explain(&self, out: Output) {
        if !self.named.is_empty() {
            out.note(format!("The consent names: {}", self.named.join(", ")));
        }
        for warning in &self.warnings {
            out.warn(format!("consent: {warning}"));
        }
    }
}

fn named(draft: &ConsentDraft) -> Vec<String> {
    let name = |recipient: &vault_formats::consent::Recipient| {
        let key = recipient.key.map(|key| key.to_string());
        (recipient.name.clone())
            .or_else(|| recipient.reference.clone())
            .or(key)
    };
    draft.readers.iter().filter_map(name).collect()
}

fn warnings(draft: &ConsentDraft) -> Vec<String> {
    let mut all = draft.warnings.clone();
    if !draft.agents.is_empty() {
        all.push("who else may answer is not taken over".to_owned());
    }
    if draft.delivery == Delivery::Carried && !draft.conditions.is_empty() {
        all.push("conditions need --on-request".to_owned());
    }
    all
}
