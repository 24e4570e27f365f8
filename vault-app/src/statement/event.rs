//! Events: what a line of the log tells, and whom and what it concerns.

use std::collections::HashMap;

use vault_core::{Act, Asked, AuditEntry, GrantId, PublicKey, RecordId, VersionId};

/// What became of a request for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Keys were given out, and the reader confirmed that all opened.
    Opened,
    /// Keys were given out, and the reader did not confirm it yet.
    Unconfirmed,
    /// Keys were given out, and the reader says that not all opened.
    NotOpened,
    /// The request was turned down.
    Refused,
}

impl Outcome {
    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Unconfirmed => "unconfirmed",
            Self::NotOpened => "not-opened",
            Self::Refused => "refused",
        }
    }
}

/// One event: an entry, and what other entries say about it.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The entry.
    pub entry: &'a AuditEntry,
    /// The request it is about: of a release or denial, or of the release that a receipt names.
    pub asked: Option<&'a Asked>,
    /// The reader's receipt for this release.
    pub receipt: Option<&'a AuditEntry>,
    /// Whether the receipt is told with this event and has no line of its own.
    pub with_receipt: bool,
}

impl Event<'_> {
    /// When it happened, in seconds since 1970-01-01 UTC. What an agent did was entered here later
    /// than that.
    pub fn time(&self) -> u64 {
        match &self.entry.act {
            Act::Released(asked) | Act::Denied { asked, .. } => {
                asked.via.as_ref().map_or(self.entry.time, |via| via.time)
            }
            _ => self.entry.time,
        }
    }

    /// What became of the request, when this is one.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.entry.act {
            Act::Denied { .. } => Some(Outcome::Refused),
            Act::Released(_) => Some(match self.receipt.map(|receipt| &receipt.act) {
                Some(Act::Receipted { opened: true, .. }) => Outcome::Opened,
                Some(_) => Outcome::NotOpened,
                None => Outcome::Unconfirmed,
            }),
            _ => None,
        }
    }

    /// Whom and what it concerns.
    pub fn touch(&self) -> Touch<'_> {
        let mut touch = touch(&self.entry.act);
        if let Some(asked) = self.asked {
            touch.grant = Some(&asked.grant);
            touch.versions = &asked.versions;
        }
        touch
    }
}

/// The events of a log, in its order, in one pass. Unless each entry is to stand `alone`, a
/// release and its receipt are one event. A receipt that fits no release stands alone in any case.
pub fn events(entries: &[AuditEntry], alone: bool) -> Vec<Event<'_>> {
    let mut receipts: HashMap<u64, &AuditEntry> = HashMap::new();
    for entry in entries {
        if let Act::Receipted {
            release, reader, ..
        } = &entry.act
            && *release < entry.index
            && release_at(entries, *release).is_some_and(|asked| asked.reader == *reader)
        {
            receipts.entry(*release).or_insert(entry);
        }
    }
    let event = |entry| {
        let mut event = Event {
            entry,
            asked: None,
            receipt: None,
            with_receipt: false,
        };
        match &entry.act {
            Act::Released(asked) => {
                event.asked = Some(asked);
                event.receipt = receipts.get(&entry.index).copied();
                event.with_receipt = !alone && event.receipt.is_some();
            }
            Act::Denied { asked, .. } => event.asked = Some(asked),
            Act::Receipted { release, .. } => {
                let told = receipts
                    .get(release)
                    .is_some_and(|r| r.index == entry.index);
                if told && !alone {
                    return None;
                }
                event.asked = release_at(entries, *release);
            }
            _ => {}
        }
        Some(event)
    };
    entries.iter().filter_map(event).collect()
}

/// The request that was granted at a position of the log.
fn release_at(entries: &[AuditEntry], index: u64) -> Option<&Asked> {
    let entry = entries.get(usize::try_from(index).ok()?)?;
    match &entry.act {
        Act::Released(asked) if entry.index == index => Some(asked),
        _ => None,
    }
}

/// Whom and what an act concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touch<'a> {
    /// The grant.
    pub grant: Option<&'a GrantId>,
    /// Whether it concerns everyone who has a part in the grant.
    pub whole_grant: bool,
    /// Owner keys of people that it names.
    pub people: Vec<&'a PublicKey>,
    /// Versions that it names.
    pub versions: &'a [VersionId],
    /// Records that it names.
    pub records: &'a [RecordId],
}

/// Whom and what an act concerns, as far as its entry alone tells.
pub fn touch(act: &Act) -> Touch<'_> {
    let of_people = |people: Vec<_>| Touch {
        people,
        ..Touch::default()
    };
    let of_grant = |grant, people| Touch {
        grant: Some(grant),
        people,
        ..Touch::default()
    };
    let of_whole_grant = |grant, people| Touch {
        whole_grant: true,
        ..of_grant(grant, people)
    };
    match act {
        Act::VaultCreated { .. }
        | Act::VaultRecovered { .. }
        | Act::Published { .. }
        | Act::Pinned { .. }
        | Act::Unpinned { .. }
        | Act::PinVerified { .. } => Touch::default(),
        Act::ContactAdded { contact, .. }
        | Act::ContactVerified { contact }
        | Act::DepositLimit { contact, .. }
        | Act::Deposited { contact, .. }
        | Act::DepositAccepted { contact, .. }
        | Act::DepositDeclined { contact, .. } => of_people(vec![contact]),
        Act::Removed { records } => Touch {
            records,
            ..Touch::default()
        },
        Act::Granted { grant, readers, .. } | Act::Revoked { grant, readers, .. } => {
            of_grant(grant, readers.iter().collect())
        }
        Act::Joined { grant, .. }
        | Act::Expired { grant }
        | Act::Rekeyed { grant, .. }
        | Act::Receipt { grant, .. } => of_whole_grant(grant, Vec::new()),
        Act::Agreed { grant, reader, .. } => of_grant(grant, vec![reader]),
        Act::Released(asked) | Act::Denied { asked, .. } => {
            let agent = asked.via.as_ref().map(|via| &via.agent);
            Touch {
                versions: &asked.versions,
                ..of_grant(
                    &asked.grant,
                    agent.into_iter().chain([&asked.reader]).collect(),
                )
            }
        }
        Act::Receipted { reader, .. } => of_people(vec![reader]),
        Act::AgentAdded { grant, agent, .. }
        | Act::AgentRemoved { grant, agent }
        | Act::AgentReported { grant, agent, .. } => of_whole_grant(grant, vec![agent]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, entry};
    use super::*;

    fn receipt(index: u64, release: u64, reader: PublicKey, opened: bool) -> AuditEntry {
        let receipt = samples::digest();
        entry(
            index,
            Act::Receipted {
                release,
                reader,
                receipt,
                opened,
            },
        )
    }

    #[test]
    fn a_release_and_its_receipt_are_one_event() {
        let [bo, cy] = [samples::person(1), samples::person(2)];
        let released = |index| entry(index, Act::Released(samples::asked(bo)));
        let entries = [
            released(0),
            released(1),
            receipt(2, 1, bo, true),
            released(3),
            receipt(4, 3, bo, false),
            receipt(5, 1, bo, true), // a second one for the same release
            receipt(6, 0, cy, true), // by someone else
            receipt(7, 9, bo, true), // for a release to come
            receipt(8, 6, bo, true), // for what is no release
            released(9),
        ];
        let told: Vec<_> = events(&entries, false)
            .iter()
            .map(|event| (event.entry.index, event.outcome(), event.with_receipt))
            .collect();
        assert_eq!(
            told,
            [
                (0, Some(Outcome::Unconfirmed), false),
                (1, Some(Outcome::Opened), true),
                (3, Some(Outcome::NotOpened), true),
                (5, None, false),
                (6, None, false),
                (7, None, false),
                (8, None, false),
                (9, Some(Outcome::Unconfirmed), false),
            ]
        );
        let alone = events(&entries, true);
        assert_eq!(alone.len(), entries.len());
        assert!(alone.iter().all(|event| !event.with_receipt));
        assert_eq!(alone[1].outcome(), Some(Outcome::Opened));
        assert_eq!(
            alone[2].touch().versions,
            samples::asked(bo).versions,
            "a receipt is about what its release gave"
        );
        assert_eq!(alone[8].asked, None);
    }

    #[test]
    fn a_million_entries_are_read_in_one_pass() {
        let bo = samples::person(1);
        let entries: Vec<_> = (0..1_000_000)
            .map(|index| match index % 2 {
                0 => entry(index, Act::Released(samples::asked(bo))),
                _ => receipt(index, index - 1, bo, true),
            })
            .collect();
        let told = events(&entries, false);
        assert_eq!(told.len(), 500_000);
        assert!(told.iter().all(|e| e.outcome() == Some(Outcome::Opened)));
    }

    #[test]
    fn what_an_agent_did_happened_when_the_agent_did_it() {
        let bo = samples::person(1);
        let mut asked = samples::asked(bo);
        asked.via = Some(samples::via());
        let denied = entry(
            4,
            Act::Denied {
                asked,
                reason: "expired".into(),
            },
        );
        let entries = [denied];
        let event = &events(&entries, false)[0];
        assert_eq!(event.time(), samples::via().time);
        assert_eq!(event.touch().people, [&samples::via().agent, &bo]);
    }
}
