//! One provision of a Consent.

use std::collections::BTreeSet;

use serde_json::Value;
use vault_core::{ClinicalDate, Condition, Conditions, Label, Purpose};

use super::names::{
    KEY, LABEL, X_CONDITION, X_DATA_PERIOD, X_EXTENT, X_FROM, X_LABELS, X_OPENS, X_OPENS_PER_DAY,
    X_PURPOSE,
};
use super::read::{MAX_ITEMS, Notes, Unclear, items, key_of, label_of, text};
use super::selection::{Selection, exact_labels, high_water, system_and_code};
use super::{Recipient, time};

/// Most items that one provision may select, and most labels that it may name.
const MAX_SELECTED: usize = 4096;
pub(super) const MAX_LABELS: usize = 512;

/// What a provision bounds; what is `None` is not bounded.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rule {
    pub(super) from: Option<u64>,
    pub(super) expires: Option<u64>,
    pub(super) since: Option<ClinicalDate>,
    pub(super) until: Option<ClinicalDate>,
    pub(super) readers: Option<BTreeSet<Recipient>>,
    pub(super) purpose: Option<Purpose>,
    pub(super) selection: Option<Selection>,
    /// Sensitive labels that are open.
    pub(super) labels: Option<BTreeSet<Label>>,
    /// Whether those are named one by one, and not by a high-water mark.
    pub(super) exact: bool,
    /// Labels that are closed.
    pub(super) without: BTreeSet<Label>,
    pub(super) opens: Option<u64>,
    pub(super) opens_per_day: Option<u64>,
    /// Names of conditions that nobody understands.
    pub(super) unknown: BTreeSet<String>,
    pub(super) snapshot: bool,
}

impl Rule {
    /// Reads what a provision bounds, all but the provisions inside it. Everything in it must be
    /// understood, for all of it narrows.
    pub(super) fn read(provision: &Value, notes: &mut Notes) -> Result<Self, Unclear> {
        let Some(members) = provision.as_object() else {
            return Err(Unclear::new("a provision", None));
        };
        let labels_are_exact = items(&provision["modifierExtension"])
            .any(|e| text(e, "url") == Some(X_LABELS) && text(e, "valueCode") == Some("at-most"));
        let mut rule = Self {
            exact: labels_are_exact,
            ..Self::default()
        };
        let mut selectors = 0_u32;
        for (name, value) in members {
            let most = match name.as_str() {
                "class" | "resourceType" | "code" | "data" => MAX_SELECTED,
                "securityLabel" => MAX_LABELS,
                _ => MAX_ITEMS,
            };
            if name != "provision" && items(value).nth(most).is_some() {
                return Err(Unclear::new("so long a list", Some(name)));
            }
            match name.as_str() {
                "id" | "type" | "provision" => {}
                "extension" => notes.warn("an extension of a provision was not read"),
                "modifierExtension" => rule.modifiers(value)?,
                "period" => rule.period(value)?,
                "dataPeriod" => rule.data_period(value)?,
                "actor" => rule.readers = Some(actors(value)?),
                "action" => may_access(value)?,
                "purpose" => rule.purpose = Some(purpose(value, notes)?),
                "securityLabel" if labels_are_exact => rule.labels = Some(exact_labels(value)?),
                "securityLabel" => rule.labels = Some(high_water(value)?),
                "class" | "resourceType" | "code" | "data" => {
                    selectors += 1;
                    let selection = match name.as_str() {
                        "code" => Selection::codes(value, notes),
                        "data" => Selection::data(value, notes),
                        _ => Selection::classes(value, notes),
                    };
                    if selection.is_empty() {
                        return Err(Unclear::new("what a provision selects", None));
                    }
                    rule.selection = Some(selection);
                }
                other => return Err(Unclear::new("an element of a provision", Some(other))),
            }
        }
        if selectors > 1 {
            let what = "a provision that selects in several ways at once";
            return Err(Unclear::new(what, None));
        }
        let by_id = rule.selection.as_ref().is_some_and(Selection::is_by_id);
        if by_id && rule.labels.is_some() && !labels_are_exact {
            let what = "security labels of records that are named one by one";
            return Err(Unclear::new(what, None));
        }
        Ok(rule)
    }

    fn modifiers(&mut self, list: &Value) -> Result<(), Unclear> {
        for extension in items(list) {
            let url = text(extension, "url").unwrap_or_default();
            let unclear = || Unclear::new("a modifier extension", Some(url));
            let number = || {
                let small = extension["valueUnsignedInt"].as_u64();
                let long = text(extension, "valueString").and_then(|text| text.parse().ok());
                small.or(long).ok_or_else(unclear)
            };
            let string = || text(extension, "valueString").ok_or_else(unclear);
            match url {
                X_FROM => self.from = Some(self.from.unwrap_or(0).max(number()?)),
                X_OPENS => self.opens = least(self.opens, Some(number()?)),
                X_OPENS_PER_DAY => self.opens_per_day = least(self.opens_per_day, Some(number()?)),
                X_CONDITION => {
                    self.unknown.insert(label_of(string()?));
                }
                X_PURPOSE => {
                    let purpose = string()?.parse().map_err(|_| unclear())?;
                    self.purpose = both(self.purpose.take(), Some(purpose), "purpose")?;
                }
                X_EXTENT if text(extension, "valueCode") == Some("snapshot") => {
                    self.snapshot = true;
                }
                X_LABELS if text(extension, "valueCode") == Some("at-most") => {}
                X_DATA_PERIOD => {
                    for end in items(&extension["extension"]) {
                        let date = text(end, "valueString").and_then(|text| text.parse().ok());
                        let date = Some(date.ok_or_else(unclear)?);
                        let side = match text(end, "url") {
                            Some("since") => &mut self.since,
                            Some("until") => &mut self.until,
                            _ => return Err(unclear()),
                        };
                        *side = both(side.take(), date, "period of the data")?;
                    }
                }
                _ => return Err(unclear()),
            }
        }
        Ok(())
    }

    /// A Period in which the rule holds.
    pub(super) fn period(&mut self, period: &Value) -> Result<(), Unclear> {
        let end = |name: &str, read: fn(&str) -> Option<u64>| match period.get(name) {
            None => Ok(None),
            Some(value) => match value.as_str().and_then(read) {
                Some(time) => Ok(Some(time)),
                None => Err(Unclear::new("a period", None)),
            },
        };
        only(period, &["start", "end"], "a period")?;
        self.from = self.from.max(end("start", time::read_start)?);
        self.expires = least(self.expires, end("end", time::read_end)?);
        Ok(())
    }

    fn data_period(&mut self, period: &Value) -> Result<(), Unclear> {
        let unclear = || Unclear::new("the period of the data", None);
        let end = |name: &str| match period.get(name) {
            None => Ok(None),
            Some(value) => {
                let date = value.as_str().and_then(|text| text.parse().ok());
                date.map(Some).ok_or_else(unclear)
            }
        };
        only(period, &["start", "end"], "the period of the data")?;
        self.since = both(self.since.take(), end("start")?, "period of the data")?;
        self.until = both(self.until.take(), end("end")?, "period of the data")?;
        Ok(())
    }

    /// This rule within an outer one: both must hold.
    pub(super) fn within(self, outer: &Self) -> Result<Self, Unclear> {
        let outer = outer.clone();
        Ok(Self {
            from: self.from.max(outer.from),
            expires: least(self.expires, outer.expires),
            since: both(outer.since, self.since, "period of the data")?,
            until: both(outer.until, self.until, "period of the data")?,
            readers: both(outer.readers, self.readers, "actor")?,
            purpose: both(outer.purpose, self.purpose, "purpose")?,
            selection: both(outer.selection, self.selection, "selection")?,
            labels: match (outer.labels, self.labels) {
                (Some(outer), Some(own)) => Some(&outer & &own),
                (outer, own) => outer.or(own),
            },
            exact: outer.exact || self.exact,
            without: &outer.without | &self.without,
            opens: least(self.opens, outer.opens),
            opens_per_day: least(self.opens_per_day, outer.opens_per_day),
            unknown: &outer.unknown | &self.unknown,
            snapshot: outer.snapshot || self.snapshot,
        })
    }

    /// Start and limits as conditions; one that nobody understands wins over one of its name.
    pub(super) fn conditions(&self) -> Conditions {
        let known = [
            self.from.map(Condition::From),
            self.opens.map(Condition::Opens),
            self.opens_per_day.map(Condition::OpensPerDay),
        ];
        let unknown = self.unknown.iter().cloned().map(Condition::Unknown);
        let all = known.into_iter().flatten().chain(unknown);
        all.fold(Conditions::default(), Conditions::with)
    }
}

/// The labels that a deny closes, from which all else that bounds it is left out: it closes more then.
pub(super) fn denied(provision: &Value, notes: &mut Notes) -> Result<BTreeSet<Label>, Unclear> {
    let Some(members) = provision.as_object() else {
        return Err(Unclear::new("a provision", None));
    };
    for name in members.keys() {
        match name.as_str() {
            "id" | "type" | "securityLabel" => {}
            "modifierExtension" => {
                return Err(Unclear::new("a modifier extension of a prohibition", None));
            }
            "provision" => notes.warn("an exception to a prohibition was left out"),
            _ => notes.warn("a prohibition by label holds without its other bounds"),
        }
    }
    if items(&provision["securityLabel"]).nth(MAX_LABELS).is_some() {
        return Err(Unclear::new("so long a list", Some("securityLabel")));
    }
    let labels = exact_labels(&provision["securityLabel"])?;
    // "up to normal" is nearly everything; only our own system means the very label
    let normal = |coding: &Value| match system_and_code(coding) {
        (LABEL, _) => false,
        (_, code) => {
            code.is_some_and(|c| matches!(c.to_ascii_uppercase().as_str(), "U" | "L" | "M" | "N"))
        }
    };
    if items(&provision["securityLabel"]).any(normal) {
        return Err(Unclear::new("a prohibition of what is not sensitive", None));
    }
    match labels.is_empty() {
        true => Err(Unclear::new(
            "a prohibition by something else than labels",
            None,
        )),
        false => Ok(labels),
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What holds where an outer and an inner provision each say something, or nothing.
fn both<T: PartialEq>(outer: Option<T>, own: Option<T>, what: &str) -> Result<Option<T>, Unclear> {
    match (outer, own) {
        (Some(outer), Some(own)) if outer != own => Err(Unclear::new(
            "a provision that differs from the one around it",
            Some(what),
        )),
        (outer, own) => Ok(own.or(outer)),
    }
}

fn only(value: &Value, names: &[&str], what: &'static str) -> Result<(), Unclear> {
    let members = value.as_object().ok_or_else(|| Unclear::new(what, None))?;
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(other) => Err(Unclear::new(what, Some(other))),
        None => Ok(()),
    }
}

/// The actors of a permit, each of whom must be one who receives.
fn actors(list: &Value) -> Result<BTreeSet<Recipient>, Unclear> {
    let mut found = BTreeSet::new();
    for actor in items(list) {
        only(actor, &["id", "role", "reference"], "an actor")?;
        let mut roles = items(&actor["role"]["coding"]).map(|role| system_and_code(role).1);
        let receives = |role: Option<&str>| matches!(role, Some("PRCP" | "IRCP" | "GRANTEE"));
        // R5 allows an actor without a role
        if !actor["role"].is_null() && !roles.any(receives) {
            return Err(Unclear::new("the role of an actor", None));
        }
        found.insert(recipient(&actor["reference"])?);
    }
    match found.is_empty() {
        true => Err(Unclear::new("an actor", None)),
        false => Ok(found),
    }
}

/// Someone whom a Reference names.
pub(super) fn recipient(reference: &Value) -> Result<Recipient, Unclear> {
    let identifier = &reference["identifier"];
    let (system, value) = (text(identifier, "system"), text(identifier, "value"));
    let key = (system == Some(KEY))
        .then(|| value.and_then(key_of))
        .flatten();
    let other = match (text(reference, "reference"), value) {
        (Some(literal), _) => Some(literal.to_owned()),
        (None, Some(value)) if key.is_none() => {
            Some(format!("{}|{value}", system.unwrap_or_default()))
        }
        _ => None,
    };
    let recipient = Recipient {
        name: text(reference, "display")
            .map(label_of)
            .filter(|name| !name.is_empty()),
        key,
        reference: other.map(|other| label_of(&other)),
    };
    let nobody = recipient.name.is_none() && key.is_none() && recipient.reference.is_none();
    match nobody {
        true => Err(Unclear::new("an actor", None)),
        false => Ok(recipient),
    }
}

/// Whether the actions of a permit include access.
fn may_access(list: &Value) -> Result<(), Unclear> {
    let mut codings = items(list).flat_map(|action| items(&action["coding"]));
    let access = codings.any(|coding| {
        let (system, code) = system_and_code(coding);
        code == Some("access") && system.ends_with("/consentaction")
    });
    match access {
        true => Ok(()),
        false => Err(Unclear::new(
            "a permission for something else than access",
            None,
        )),
    }
}

/// The first purpose that is an ActReason. Others would only add to it.
fn purpose(list: &Value, notes: &mut Notes) -> Result<Purpose, Unclear> {
    let mut first = None;
    for coding in items(list) {
        let (system, code) = system_and_code(coding);
        let known = system.ends_with("/v3-ActReason") || system.ends_with("/v3/ActReason");
        match code.filter(|_| known).and_then(|code| code.parse().ok()) {
            Some(purpose) if first.is_none() => first = Some(purpose),
            _ => notes.left_out("a purpose", code),
        }
    }
    first.ok_or_else(|| Unclear::new("a purpose", None))
}
