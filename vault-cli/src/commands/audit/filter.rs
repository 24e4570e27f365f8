//! Which events are shown or written.

use std::collections::HashSet;

use clap::Args;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use vault_app::statement::{Event, Names, Outcome, events};
use vault_core::{
    Act, AuditEntry, GrantId, GrantStatus, IndexEntry, PublicKey, RecordId, Vault, VersionId,
};

use crate::error::{Error, Exit, Result};
use crate::time;
use vault_app::Ids;

/// Shortest text that is taken for the beginning of a record's id before titles are looked at.
const SHORT_ID: usize = 8;

/// Every act's short name.
const ACTS: &[&str] = &[
    "vault-created",
    "vault-recovered",
    "contact-added",
    "contact-verified",
    "published",
    "removed",
    "granted",
    "joined",
    "revoked",
    "expired",
    "rekeyed",
    "receipt",
    "pinned",
    "unpinned",
    "pin-verified",
    "agreed",
    "released",
    "denied",
    "receipted",
    "agent-added",
    "agent-removed",
    "agent-reported",
    "deposit-limit",
    "deposited",
    "deposit-accepted",
    "deposit-declined",
];

/// Conditions; an event must meet all that are given.
#[derive(Args)]
pub struct FilterArgs {
    /// Only what concerns this contact, refused requests and deposits too
    #[arg(long, value_name = "NAME")]
    contact: Option<String>,

    /// Only what touches a record: its id or the beginning of it, or words of its title
    ///
    /// That is: requests for it, its removal, and grants that hold it. The log does not say which
    /// records an addition was of.
    #[arg(long, value_name = "ID|WORDS")]
    record: Option<String>,

    /// Only what concerns a grant, by its id or the beginning of it
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,

    /// Not before: a day or a moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Not after: a day or a moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Only this act, such as granted or revoked; may be repeated
    #[arg(long, value_name = "ACT", value_parser = PossibleValuesParser::new(ACTS), hide_possible_values = true)]
    act: Vec<String>,

    /// Only requests for keys that ended so
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Option<OutcomeArg>,

    /// Only the last of all these
    #[arg(long, value_name = "N")]
    last: Option<usize>,
}

/// What became of a request for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutcomeArg {
    /// Keys were given out, and the reader confirmed that all opened
    Opened,
    /// Keys were given out, and the reader did not confirm it yet
    Unconfirmed,
    /// Keys were given out, and the reader says that not all opened
    NotOpened,
    /// The request was turned down
    Refused,
}

impl From<OutcomeArg> for Outcome {
    fn from(arg: OutcomeArg) -> Self {
        match arg {
            OutcomeArg::Opened => Self::Opened,
            OutcomeArg::Unconfirmed => Self::Unconfirmed,
            OutcomeArg::NotOpened => Self::NotOpened,
            OutcomeArg::Refused => Self::Refused,
        }
    }
}

impl FilterArgs {
    /// The events that meet the conditions. A release and its receipt are one event, unless each
    /// entry is to stand `alone` or receipts are asked for by name.
    pub fn select<'a>(
        &self,
        vault: &mut Vault,
        entries: &'a [AuditEntry],
        names: &Names,
        alone: bool,
    ) -> Result<Vec<Event<'a>>> {
        let conditions = self.conditions(vault, entries, names)?;
        let alone = alone || self.act.iter().any(|act| act == "receipted");
        let mut events = events(entries, alone);
        events.retain(|event| conditions.take(event));
        if let Some(last) = self.last {
            events.drain(..events.len().saturating_sub(last));
        }
        Ok(events)
    }

    fn conditions<'s>(
        &'s self,
        vault: &mut Vault,
        entries: &[AuditEntry],
        names: &Names,
    ) -> Result<Conditions<'s>> {
        let since = self.since.as_deref().map(time::parse_start).transpose()?;
        let until = self.until.as_deref().map(time::parse_until).transpose()?;
        let contact = match &self.contact {
            Some(name) => {
                let owner = *vault.contact(name)?.card.owner();
                Some((owner, grants_of(entries, &owner)))
            }
            None => None,
        };
        let grant = match &self.grant {
            Some(text) => Some(names.grant_ids.find(text, "grant", "grant list")?),
            None => None,
        };
        let record = match &self.record {
            Some(text) => Some(OfRecords::find(vault, entries, text)?),
            None => None,
        };
        Ok(Conditions {
            since,
            until,
            acts: &self.act,
            outcome: self.outcome.map(Outcome::from),
            contact,
            grant,
            record,
        })
    }
}

/// The conditions, with what they name looked up.
#[derive(Default)]
struct Conditions<'s> {
    since: Option<u64>,
    until: Option<u64>,
    acts: &'s [String],
    outcome: Option<Outcome>,
    /// A person, and the grants that the person ever had a part in.
    contact: Option<(PublicKey, HashSet<GrantId>)>,
    grant: Option<GrantId>,
    record: Option<OfRecords>,
}

impl Conditions<'_> {
    fn take(&self, event: &Event<'_>) -> bool {
        let at = event.time();
        if self.since.is_some_and(|since| at < since) || self.until.is_some_and(|end| at >= end) {
            return false;
        }
        if !self.acts.is_empty() && !self.acts.iter().any(|act| act == event.entry.act.name()) {
            return false;
        }
        if self.outcome.is_some() && self.outcome != event.outcome() {
            return false;
        }
        let touch = event.touch();
        let of_contact = self.contact.as_ref().is_none_or(|(owner, grants)| {
            let part = touch.whole_grant && touch.grant.is_some_and(|id| grants.contains(id));
            part || touch.people.contains(&owner)
        });
        let of_grant = self.grant.is_none() || self.grant.as_ref() == touch.grant;
        let of_record = self.record.as_ref().is_none_or(|of| {
            touch.records.iter().any(|id| of.records.contains(id))
                || touch.versions.iter().any(|id| of.versions.contains(id))
                // a request is for what it names and not for all that the grant holds
                || event.asked.is_none() && touch.grant.is_some_and(|id| of.grants.contains(id))
        });
        of_contact && of_grant && of_record
    }
}

/// The grants that a person ever had a part in.
fn grants_of(entries: &[AuditEntry], owner: &PublicKey) -> HashSet<GrantId> {
    let granted = entries.iter().filter_map(|entry| match &entry.act {
        Act::Granted { grant, readers, .. } if readers.contains(owner) => Some(*grant),
        _ => None,
    });
    granted.collect()
}

/// Some records, all their versions, and the grants that hold one of them.
#[derive(Default)]
struct OfRecords {
    records: HashSet<RecordId>,
    versions: HashSet<VersionId>,
    grants: HashSet<GrantId>,
}

impl OfRecords {
    fn find(vault: &mut Vault, entries: &[AuditEntry], text: &str) -> Result<Self> {
        let newest = vault.records()?;
        let records = named(&newest, entries, text)?;
        let versions = vault.find_versions(|entry| records.contains(&entry.record))?;
        let mut grants = HashSet::new();
        for grant in vault.grants()? {
            let held = vault.grant_entries(&grant.id)?;
            // a grant that was re-keyed holds nothing any more: what it was of tells its scope
            let of_scope = held.is_empty() && grant.status != GrantStatus::Active;
            let mut concerned = newest.iter().filter(|e| records.contains(&e.record));
            if held.iter().any(|entry| records.contains(&entry.record))
                || of_scope
                    && concerned.any(|entry| grant.terms.scope.includes(&entry.record, &entry.meta))
            {
                grants.insert(grant.id);
            }
        }
        Ok(Self {
            records,
            versions: versions.into_iter().map(|entry| entry.version).collect(),
            grants,
        })
    }
}

/// The record whose id begins with `text`, removed ones too, or those with all its words in the
/// title.
fn named(newest: &[IndexEntry], entries: &[AuditEntry], text: &str) -> Result<HashSet<RecordId>> {
    let there = newest.iter().map(|entry| entry.record);
    let removed = entries.iter().filter_map(|entry| match &entry.act {
        Act::Removed { records } => Some(records.iter().copied()),
        _ => None,
    });
    let ids = Ids::new(there.chain(removed.flatten()));
    let by_id = || ids.find::<RecordId>(text, "record", "record list");
    if text.len() >= SHORT_ID
        && let Ok(id) = by_id()
    {
        return Ok(HashSet::from([id]));
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let titled = newest.iter().filter(|entry| {
        let title = entry.meta.title.to_lowercase();
        words.iter().all(|word| title.contains(word))
    });
    let found: HashSet<RecordId> = match words.is_empty() {
        true => HashSet::new(),
        false => titled.map(|entry| entry.record).collect(),
    };
    if !found.is_empty() {
        return Ok(found);
    }
    by_id().map(|id| HashSet::from([id])).map_err(|error| {
        if error.code == "ambiguous" {
            return error;
        }
        let what = format!("no record has the id or the title `{text}`");
        Error::new(Exit::NotFound, "not-found", what)
            .hint("`medvault record list` shows all of them")
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, entries, person, record, version};
    use super::*;

    fn taken(conditions: &Conditions<'_>) -> Vec<&'static str> {
        let entries = entries();
        let taken = events(&entries, false);
        let taken = taken.iter().filter(|event| conditions.take(event));
        taken.map(|event| event.entry.act.name()).collect()
    }

    #[test]
    fn every_act_can_be_asked_for() {
        let acts: Vec<_> = samples::acts().iter().map(Act::name).collect();
        assert_eq!(acts, ACTS);
    }

    #[test]
    fn a_contact_is_concerned_by_its_grants_requests_and_deposits() {
        let bo = person(1);
        let contact = Some((bo, grants_of(&entries(), &bo)));
        let found = taken(&Conditions {
            contact,
            ..Conditions::default()
        });
        assert_eq!(
            found,
            [
                "contact-added",
                "contact-verified",
                "granted",
                "joined",
                "revoked",
                "expired",
                "rekeyed",
                "receipt",
                "agreed",
                "released",
                "agent-added",
                "agent-removed",
                "agent-reported",
                "deposit-limit",
                "deposited",
                "deposit-accepted",
                "deposit-declined",
            ]
        );
        // the refused one; and what concerns the whole grant, but not what others did with it
        let cy = person(2);
        let contact = Some((cy, grants_of(&entries(), &cy)));
        let found = taken(&Conditions {
            contact,
            ..Conditions::default()
        });
        assert!(found.contains(&"denied") && found.contains(&"joined"));
        assert!(!found.contains(&"released") && !found.contains(&"revoked"));
    }

    #[test]
    fn a_record_is_touched_by_requests_for_it_its_removal_and_its_grants() {
        let of = |versions: &[u8], records: &[u8], grants: &[GrantId]| {
            taken(&Conditions {
                record: Some(OfRecords {
                    records: records.iter().copied().map(record).collect(),
                    versions: versions.iter().copied().map(version).collect(),
                    grants: grants.iter().copied().collect(),
                }),
                ..Conditions::default()
            })
        };
        assert_eq!(of(&[2], &[2], &[]), ["released", "denied"]);
        assert_eq!(of(&[77], &[], &[]), ["released"]);
        assert_eq!(of(&[], &[6], &[]), ["removed"]);
        assert_eq!(of(&[88], &[88], &[]), [""; 0]);
        let of_grant = of(&[88], &[], &[samples::grant()]);
        assert_eq!(of_grant[0], "granted");
        assert!(!of_grant.contains(&"released"));
    }

    #[test]
    fn times_grants_acts_and_outcomes_narrow() {
        let none = GrantId::from_bytes([1; 16]);
        let grant = |grant| Conditions {
            grant: Some(grant),
            ..Conditions::default()
        };
        assert_eq!(taken(&grant(none)), [""; 0]);
        assert_eq!(taken(&grant(samples::grant())).len(), 12);
        let outcome = |outcome| Conditions {
            outcome: Some(outcome),
            ..Conditions::default()
        };
        assert_eq!(taken(&outcome(Outcome::Opened)), ["released"]);
        assert_eq!(taken(&outcome(Outcome::Refused)), ["denied"]);
        assert_eq!(taken(&outcome(Outcome::Unconfirmed)), [""; 0]);
        // the agent's release was an hour before it was entered
        let before = Conditions {
            until: Some(samples::NOON),
            ..Conditions::default()
        };
        assert_eq!(taken(&before), ["released"]);
        let since = Conditions {
            since: Some(samples::NOON),
            ..Conditions::default()
        };
        assert_eq!(taken(&since).len(), 24);
        let acts = ["denied".to_owned()];
        let acts = Conditions {
            acts: &acts,
            ..Conditions::default()
        };
        assert_eq!(taken(&acts), ["denied"]);
    }
}
