//! What stands of many records: of several versions of one statement the newest, and about whom it
//! is.
//!
//! Two records are the same statement when they share an identifier, or type, id and subject, and
//! agree on what they are about: ids, and in some documents also identifiers, are not unique. The
//! newest is the one that was updated last, by `meta.lastUpdated`, `meta.versionId` or `issued`, else
//! the one that was added later. One that was entered in error withdraws all versions.
//!
//! Sources: FHIR R4, "Resource", `meta`; data type Identifier.

use std::collections::BTreeMap;

use serde_json::Value;
use vault_core::{ClinicalDate, RecordId, RecordMeta};

use super::about::{About, Persons};
use super::facts::day;
use super::isolate::Isolates;
use super::read::{choice, codings, concept, has_code, items, string};
use super::reference::{Names, drug_element, target};
use crate::export::Resource;
use crate::{Person, SamePerson};

/// Most versions of different things that one identifier or id is compared with.
const MAX_ALIKE: usize = 16;

/// Collects records until all are known. They are kept as text, which takes the least memory.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    kept: Vec<Kept>,
    patients: Vec<Resource>,
    names: Names,
    isolates: Isolates,
}

#[derive(Debug)]
struct Kept {
    record: RecordId,
    meta: RecordMeta,
    json: String,
    version: Version,
}

/// What tells whether two records are versions of one statement, and which is the newer one.
#[derive(Debug)]
struct Version {
    kind: String,
    buckets: Vec<String>,
    subject: Option<String>,
    codes: Vec<String>,
    text: String,
    when: Option<String>,
    in_error: bool,
    status: Option<String>,
    updated: Option<ClinicalDate>,
    number: Option<u64>,
    issued: Option<ClinicalDate>,
}

/// A record that stands, or that is the last word of statements that do not.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The newest version.
    pub(crate) resource: Resource,
    /// About whom it is.
    pub(crate) about: About,
    /// What an older version says otherwise, in words.
    pub(crate) older: Option<String>,
    /// Whether a version of it was entered in error.
    pub(crate) in_error: bool,
    /// The isolate that was tested, in words, and what tells it from others.
    pub(crate) isolate: Option<(String, String)>,
}

/// What all records together say.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The persons.
    pub(crate) persons: Persons,
    /// All Patient resources that stand.
    pub(crate) patients: Vec<Resource>,
    /// What things are called.
    pub(crate) names: Names,
}

impl Known {
    /// When the patient died, or only that: the most precise of what the resources of the same person
    /// say, and the element that says it.
    pub(crate) fn died(&self) -> Option<(&'static str, Value)> {
        let of = self.patients.iter().filter_map(|patient| {
            if self.persons.compare(&patient.json) != SamePerson::Same {
                return None;
            }
            match choice(&patient.json, "deceased")? {
                Value::String(when) => Some(("deceasedDateTime", Value::String(when.clone()))),
                Value::Bool(true) => Some(("deceasedBoolean", Value::Bool(true))),
                _ => None,
            }
        });
        of.max_by_key(|(_, value)| value.as_str().map_or(0, str::len))
    }
}

impl Statements {
    /// Adds a record; `keep` says whether it is wanted later.
    pub(crate) fn add(&mut self, resource: &Resource, keep: bool) {
        let json = &resource.json;
        match string(json, "resourceType").unwrap_or_default() {
            "Patient" => {
                if !has_code(json.get("status"), &["entered-in-error"]) {
                    self.patients.push(resource.clone());
                }
                return;
            }
            "Medication" | "Practitioner" | "Organization" | "RelatedPerson" => {
                self.names.add_titled(resource);
            }
            "Observation" => self.isolates.add(resource),
            _ => {}
        }
        if keep {
            self.kept.push(Kept {
                record: resource.record,
                meta: resource.meta.clone(),
                json: json.to_string(),
                version: Version::of(resource),
            });
        }
    }

    /// Hands over what stands, in the order in which it was added, after all were compared. The
    /// patient is chosen as in [`Persons::new`].
    pub(crate) fn finish(
        self,
        patient: Option<RecordId>,
        owner: Option<&Person>,
        mut take: impl FnMut(&Known, Standing),
    ) -> Known {
        let known = Known {
            persons: Persons::new(&self.patients, patient, owner),
            patients: self.patients,
            names: self.names,
        };
        let groups = groups(&self.kept, &known.names);
        let mut last: BTreeMap<usize, (bool, Option<String>)> = BTreeMap::new();
        for group in groups {
            let newest =
                group
                    .iter()
                    .copied()
                    .reduce(|a, b| match (self.kept.get(a), self.kept.get(b)) {
                        (Some(first), Some(second)) if first.version.is_newer(&second.version) => a,
                        _ => b,
                    });
            let Some(newest) = newest else { continue };
            let versions = group.iter().filter_map(|at| self.kept.get(*at));
            let in_error = versions.clone().any(|kept| kept.version.in_error);
            let status = self.kept.get(newest).and_then(|k| k.version.status.clone());
            let older = versions.rev().find_map(|kept| {
                let said = kept.version.status.clone()?;
                (status.as_ref() != Some(&said)).then_some(said)
            });
            last.insert(newest, (in_error, older));
        }
        for (at, kept) in self.kept.into_iter().enumerate() {
            let Some((in_error, older)) = last.remove(&at) else {
                continue;
            };
            // it was written by us
            let Ok(json) = serde_json::from_str(&kept.json) else {
                continue;
            };
            let resource = Resource {
                record: kept.record,
                meta: kept.meta,
                json,
            };
            let standing = Standing {
                about: known.persons.about(&resource),
                older: older.map(|said| format!("an older version says: {said}")),
                in_error,
                isolate: self.isolates.of(&resource),
                resource,
            };
            take(&known, standing);
        }
        known
    }
}

/// Versions of one statement, in the order in which they were added.
fn groups(kept: &[Kept], names: &Names) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut by_bucket: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, one) in kept.iter().enumerate() {
        let buckets = one.version.buckets.iter();
        let found = buckets.clone().find_map(|bucket| {
            let alike = by_bucket.get(bucket.as_str())?;
            alike.iter().copied().find(|group| {
                let first = groups
                    .get(*group)
                    .and_then(|group| kept.get(*group.first()?));
                first.is_some_and(|first| same(first, one, bucket, names))
            })
        });
        let group = found.unwrap_or(groups.len());
        match groups.get_mut(group) {
            Some(members) => members.push(at),
            None => groups.push(vec![at]),
        }
        for bucket in buckets {
            let alike = by_bucket.entry(bucket).or_default();
            if alike.len() < MAX_ALIKE && !alike.contains(&group) {
                alike.push(group);
            }
        }
    }
    groups
}

/// Whether two records of one bucket are versions of one statement.
fn same(a: &Kept, b: &Kept, bucket: &str, names: &Names) -> bool {
    // one document does not correct itself, but some repeat identifiers
    if a.meta.origin.is_some() && a.meta.origin == b.meta.origin {
        return false;
    }
    let (x, y) = (&a.version, &b.version);
    let in_error = x.in_error || y.in_error;
    let subjects = match (&x.subject, &y.subject) {
        (Some(x), Some(y)) => x == y || bucket.starts_with("identifier "),
        _ => true,
    };
    let codes = if x.codes.is_empty() || y.codes.is_empty() {
        x.text == y.text || (in_error && (x.text.is_empty() || y.text.is_empty()))
    } else {
        let of = |kept: &Kept| -> Vec<String> {
            let codes = kept.version.codes.iter();
            let named = codes.map(|code| match code.strip_prefix("reference ") {
                Some(to) => names
                    .get(kept.meta.origin, to)
                    .map_or_else(|| format!("{code} {}", kept.record), |n| n.key.clone()),
                None => code.clone(),
            });
            named.collect()
        };
        let other = of(b);
        of(a).iter().any(|code| other.contains(code))
    };
    let when = x.when.is_none() || y.when.is_none() || x.when == y.when;
    x.kind == y.kind && subjects && codes && when
}

impl Version {
    fn of(resource: &Resource) -> Self {
        let json = &resource.json;
        let kind = string(json, "resourceType").unwrap_or_default();
        let mut buckets = Vec::new();
        for identifier in items(json, "identifier").iter().take(8) {
            if let (Some(system), Some(value)) =
                (string(identifier, "system"), string(identifier, "value"))
            {
                buckets.push(format!("identifier {kind} {system} {value}"));
            }
        }
        buckets.extend(string(json, "id").map(|id| format!("id {kind}/{id}")));
        let subject = ["subject", "patient"].iter().find_map(|key| json.get(*key));
        let subject = subject.and_then(|s| target(string(s, "reference")?));
        let what = drug_element(json)
            .or_else(|| choice(json, "code"))
            .or_else(|| json.get("vaccineCode"))
            .or_else(|| json.get("substance"))
            .unwrap_or(&Value::Null);
        let mut codes: Vec<String> = codings(what)
            .iter()
            .filter_map(|coding| {
                let system = string(coding, "system").unwrap_or_default();
                Some(format!("{system} {}", string(coding, "code")?))
            })
            .take(20)
            .collect();
        codes.extend(string(what, "reference").map(|to| format!("reference {to}")));
        let meta = json.get("meta").unwrap_or(&Value::Null);
        let date = |holder: &Value, key: &str| string(holder, key)?.parse::<ClinicalDate>().ok();
        let number = string(meta, "versionId").and_then(|text| text.parse().ok());
        Self {
            kind: kind.to_owned(),
            buckets,
            subject,
            codes,
            text: concept(what)
                .unwrap_or_else(|| match what {
                    Value::Null => resource.meta.title.clone(),
                    _ => String::new(),
                })
                .to_lowercase(),
            when: (kind == "Observation")
                .then(|| choice(json, "effective").and_then(Value::as_str))
                .flatten()
                .map(|text| day(text).to_owned()),
            in_error: ["status", "verificationStatus", "docStatus"]
                .iter()
                .any(|key| has_code(json.get(*key), &["entered-in-error"])),
            status: said(json, kind),
            updated: date(meta, "lastUpdated"),
            number,
            issued: date(json, "issued"),
        }
    }

    /// Whether this version is newer than one that was added after it.
    fn is_newer(&self, later: &Self) -> bool {
        fn differ<T: PartialOrd>(a: &Option<T>, b: &Option<T>) -> Option<bool> {
            let (a, b) = (a.as_ref()?, b.as_ref()?);
            (a != b).then_some(a > b)
        }
        differ(&self.updated, &later.updated)
            .or_else(|| differ(&self.number, &later.number))
            .or_else(|| differ(&self.issued, &later.issued))
            .unwrap_or(false)
    }
}

/// The status by which versions may disagree.
fn said(json: &Value, kind: &str) -> Option<String> {
    let key = match kind {
        "Condition" | "AllergyIntolerance" => "clinicalStatus",
        "Observation" | "DiagnosticReport" | "Appointment" | "CareTeam" => return None,
        _ => "status",
    };
    let doubted = ["refuted", "unconfirmed", "provisional", "differential"];
    let certainty = json.get("verificationStatus");
    let certainty = certainty.filter(|status| has_code(Some(status), &doubted));
    let parts: Vec<String> = [json.get(key), certainty]
        .into_iter()
        .filter_map(super::facts::status)
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
