//! Names of whom and what the log's entries refer to, looked up once.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use vault_core::{AuditEntry, GrantId, PublicKey, Purpose, RecordId, Vault, VersionId};

use super::event::{Event, touch};
use crate::error::Result;
use crate::ids::Ids;
use crate::words as show;

/// How many records a line names.
const TITLES: usize = 2;

/// The record that a version is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// The record.
    pub record: RecordId,
    /// The version's title.
    pub title: String,
}

/// Names of people, grants and records.
pub struct Names {
    people: HashMap<PublicKey, String>,
    grants: HashMap<GrantId, Option<Purpose>>,
    on_request: HashSet<GrantId>,
    /// All grants of the vault and of its log.
    pub grant_ids: Ids,
    versions: HashMap<VersionId, Title>,
}

impl Names {
    /// The vault's contacts and grants, and the grants that only its log names.
    pub fn read(vault: &mut Vault, entries: &[AuditEntry]) -> Result<Self> {
        let contacts = vault.contacts()?.into_iter();
        let people = contacts.map(|contact| (*contact.card.owner(), contact.name));
        let infos = vault.grants()?;
        let on_request = infos.iter().filter(|grant| grant.agreement.is_some());
        let on_request = on_request.map(|grant| grant.id).collect();
        let infos = infos.into_iter();
        let mut grants: HashMap<_, _> =
            infos.map(|grant| (grant.id, grant.terms.purpose)).collect();
        let named = entries.iter().filter_map(|entry| touch(&entry.act).grant);
        for grant in named {
            grants.entry(*grant).or_insert(None);
        }
        Ok(Self {
            on_request,
            ..Self::of(people, grants)
        })
    }

    /// These people, and these grants with their purposes.
    pub fn of(
        people: impl IntoIterator<Item = (PublicKey, String)>,
        grants: HashMap<GrantId, Option<Purpose>>,
    ) -> Self {
        Self {
            people: people.into_iter().collect(),
            grant_ids: Ids::new(grants.keys()),
            grants,
            on_request: HashSet::new(),
            versions: HashMap::new(),
        }
    }

    /// Looks up the records that these events name.
    pub fn read_records(&mut self, vault: &mut Vault, events: &[Event<'_>]) -> Result<()> {
        let requests = events.iter().filter_map(|event| event.asked);
        let wanted: HashSet<VersionId> = requests.flat_map(|a| a.versions.clone()).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let found = vault.find_versions(|entry| wanted.contains(&entry.version))?;
        self.put(found.into_iter().map(|entry| {
            let title = Title {
                record: entry.record,
                title: entry.meta.title,
            };
            (entry.version, title)
        }));
        Ok(())
    }

    /// Adds versions.
    pub fn put(&mut self, versions: impl IntoIterator<Item = (VersionId, Title)>) {
        self.versions.extend(versions);
    }

    /// A contact's name, or the beginning of the key.
    pub fn person(&self, owner: &PublicKey) -> String {
        match self.people.get(owner) {
            Some(name) => name.clone(),
            None => owner.to_string().chars().take(12).collect(),
        }
    }

    /// A contact's name, if it has one.
    pub fn known(&self, owner: &PublicKey) -> Option<&str> {
        self.people.get(owner).map(String::as_str)
    }

    /// The same of several.
    pub fn people(&self, owners: &[PublicKey]) -> Vec<String> {
        owners.iter().map(|owner| self.person(owner)).collect()
    }

    /// The beginning of a grant's id, as far as it is needed.
    pub fn grant(&self, grant: &GrantId) -> String {
        self.grant_ids.short(grant)
    }

    /// Whether a grant gives its keys on request only.
    pub fn is_on_request(&self, grant: &GrantId) -> bool {
        self.on_request.contains(grant)
    }

    /// What a grant was given for.
    pub fn purpose_of(&self, grant: &GrantId) -> Option<&Purpose> {
        self.grants.get(grant)?.as_ref()
    }

    /// The record of a version, if the vault has it.
    pub fn version(&self, version: &VersionId) -> Option<&Title> {
        self.versions.get(version)
    }

    /// Titles of the records that these versions are of, each record once. Of what is not in the
    /// vault (any more), the beginning of the version's id.
    pub fn titles(&self, versions: &[VersionId]) -> String {
        let (mut seen, mut titles) = (HashSet::new(), Vec::new());
        for version in versions {
            match self.version(version) {
                Some(title) if !seen.insert(title.record) => {}
                Some(title) => titles.push(show::line(&title.title)),
                None => titles.push(beginning(version)),
            }
        }
        some(&titles)
    }
}

/// The first eight characters of an id.
pub fn beginning(id: impl Display) -> String {
    id.to_string().chars().take(8).collect()
}

/// The first two, and how many more there are.
pub fn some(titles: &[String]) -> String {
    let shown = titles.iter().take(TITLES).cloned().collect::<Vec<_>>();
    match titles.len().saturating_sub(TITLES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{names, record, version};
    use super::*;

    #[test]
    fn two_titles_and_how_many_more() {
        let mut names = names();
        let versions: Vec<_> = (1..=4).map(version).collect();
        assert_eq!(names.titles(&[]), "");
        assert_eq!(names.titles(&versions[..2]), "Glucose, Pulse");
        assert_eq!(names.titles(&versions), "Glucose, Pulse and 2 more");
        assert_eq!(
            names.titles(&[version(77), version(1)]),
            "jvgu2tkn, Glucose"
        );
        // two versions of one record
        let again = Title {
            record: record(1),
            title: "Glucose, amended\n".into(),
        };
        names.put([(version(5), again)]);
        assert_eq!(names.titles(&[version(1), version(5)]), "Glucose");
        assert_eq!(names.titles(&[version(5)]), "Glucose, amended\u{fffd}");
    }
}
