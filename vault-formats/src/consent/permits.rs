//! The permissions in a Consent, each with what bounds it.
//!
//! Sources: FHIR R4, Consent, "Provisions": the base rule and its exceptions; FHIR R5, Consent: each
//! level negates the one around it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::read::{ConsentError, MAX_ITEMS, MAX_PROVISIONS, Notes, Unclear, items, text};
use super::rule::{MAX_LABELS, Rule, denied, recipient};

/// Most permissions within a provision that selects by itself.
const MAX_WITHIN: usize = 16;

/// Whether all is permitted or denied, where no provision says otherwise.
pub(super) fn base(consent: &Value) -> Option<bool> {
    let mut codes = items(&consent["policyRule"]["coding"]).filter_map(|c| text(c, "code"));
    let permits = match codes.next()? {
        "OPTIN" | "OPTINR" => true,
        "OPTOUT" | "OPTOUTE" => false,
        _ => return None,
    };
    codes.next().is_none().then_some(permits)
}

fn all_of(provisions: &Value) -> Result<Vec<&Value>, ConsentError> {
    let all: Vec<&Value> = items(provisions).take(MAX_PROVISIONS + 1).collect();
    let no_list = !provisions.is_null() && !provisions.is_array();
    match all.len() > MAX_PROVISIONS || no_list {
        true => {
            let what = format!("provisions that are no list of at most {MAX_PROVISIONS}");
            Err(ConsentError::NotUnderstood(what))
        }
        false => Ok(all),
    }
}

fn not_understood(what: &Unclear) -> ConsentError {
    ConsentError::NotUnderstood(what.to_string())
}

/// The permits of an R4 Consent, each with what is around it and what is denied in it.
pub(super) fn r4_permits(consent: &Value, notes: &mut Notes) -> Result<Vec<Rule>, ConsentError> {
    let base = base(consent);
    let Some(root) = consent.get("provision") else {
        return match base {
            Some(true) => Ok(vec![Rule::default()]),
            Some(false) => Ok(vec![]),
            None => Err(ConsentError::NoDecision),
        };
    };
    let outer = Rule::read(root, notes).map_err(|what| not_understood(&what))?;
    let root_permits = match text(root, "type") {
        Some("permit") => true,
        Some("deny") if outer == Rule::default() => false,
        Some("deny") => {
            let what = Unclear::new("a prohibition with bounds around all provisions", None);
            return Err(not_understood(&what));
        }
        Some(other) => {
            let what = Unclear::new("the type of a provision", Some(other));
            return Err(not_understood(&what));
        }
        None => base == Some(true),
    };
    let inner = all_of(&root["provision"])?;
    let (mut permits, mut closed) = (Vec::new(), Rule::default());
    for provision in &inner {
        match text(provision, "type") {
            Some("permit") => permits.push(*provision),
            Some("deny") => {
                let labels = denied(provision, notes).map_err(|what| not_understood(&what))?;
                closed.without.extend(labels);
            }
            other => {
                let what = Unclear::new("the type of a provision", other);
                return Err(not_understood(&what));
            }
        }
    }
    if closed.without.len() > MAX_LABELS {
        return Err(not_understood(&Unclear::new("so many prohibitions", None)));
    }
    // what is around permits is kept with each of them
    if outer.selection.is_some() && permits.len() > MAX_WITHIN {
        let what = Unclear::new("so many permissions within one that selects", None);
        return Err(not_understood(&what));
    }
    let outer = outer
        .within(&closed)
        .map_err(|what| not_understood(&what))?;
    if permits.is_empty() {
        return match (root_permits, base, text(root, "type")) {
            (true, ..) => Ok(vec![outer]),
            (false, None, None) => Err(ConsentError::NoDecision),
            (false, ..) => Ok(vec![]),
        };
    }
    if root_permits {
        notes.warn("only what the inner provisions permit is taken, not what is around them");
    }
    let permits = permits.into_iter().filter_map(|provision| {
        let inner = match all_of(&provision["provision"]) {
            Ok(inner) => inner,
            Err(error) => {
                notes.warn(&format!("left out: a permission with {error}"));
                return None;
            }
        };
        let types = |provision: &Value| text(provision, "type") == Some("deny");
        permit(provision, &outer, &inner, types, notes)
    });
    Ok(permits.collect())
}

/// The permits of an R5 Consent.
pub(super) fn r5_permits(consent: &Value, notes: &mut Notes) -> Result<Vec<Rule>, ConsentError> {
    let mut outer = Rule::default();
    if let Some(period) = consent.get("period") {
        outer.period(period).map_err(|what| not_understood(&what))?;
    }
    let provisions = all_of(&consent["provision"])?;
    let mut permits = match text(consent, "decision") {
        Some("deny") => {
            let mut permits = Vec::new();
            for provision in provisions {
                let inner = all_of(&provision["provision"])?;
                permits.extend(permit(provision, &outer, &inner, |_| true, notes));
            }
            permits
        }
        Some("permit") => {
            for provision in provisions {
                let labels = denied(provision, notes).map_err(|what| not_understood(&what))?;
                outer.without.extend(labels);
            }
            vec![outer]
        }
        _ => return Err(ConsentError::NoDecision),
    };
    let grantees = items(&consent["grantee"]).map(recipient);
    let grantees: Result<BTreeSet<_>, _> = grantees.collect();
    let grantees = grantees.map_err(|what| not_understood(&what))?;
    if grantees.len() > MAX_ITEMS {
        return Err(not_understood(&Unclear::new("so many grantees", None)));
    }
    for permit in permits.iter_mut().filter(|_| !grantees.is_empty()) {
        permit.readers.get_or_insert_with(|| grantees.clone());
    }
    Ok(permits)
}

/// One permit; nothing when it, or a prohibition in it, is not understood.
fn permit(
    provision: &Value,
    outer: &Rule,
    inner: &[&Value],
    denies: impl Fn(&Value) -> bool,
    notes: &mut Notes,
) -> Option<Rule> {
    let read = |notes: &mut Notes| {
        let mut rule = Rule::read(provision, notes)?;
        for provision in inner {
            if !denies(provision) {
                return Err(Unclear::new(
                    "the type of a provision",
                    text(provision, "type"),
                ));
            }
            rule.without.extend(denied(provision, notes)?);
            if rule.without.len() > MAX_LABELS {
                return Err(Unclear::new("so many prohibitions", None));
            }
        }
        rule.within(outer)
    };
    match read(notes) {
        Ok(rule) => Some(rule),
        Err(what) => {
            notes.warn(&format!(
                "left out: a permission with {what} that is not understood"
            ));
            None
        }
    }
}
