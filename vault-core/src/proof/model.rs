//! The model that promise 2 is held against: sets of versions and nothing else. It knows no key, no
//! block and no page, and decides scopes by rules of its own.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::grant::Scope;
use crate::ids::{GrantId, RecordId, VersionId};
use crate::record::{Category, Label, RecordMeta};

pub(super) const READERS: usize = 3;
const CATEGORIES: [Category; 3] = [Category::Lab, Category::Note, Category::Medication];
const KINDS: [&str; 2] = ["Observation", "DocumentReference"];
const DATES: [&str; 2] = ["2019-05-06", "2024-02-03"];
const CODES: [&str; 3] = ["loinc|4548-4", "loinc|718-7", "1.2.3|718-7"];
/// A question without a system, which two of the codes answer.
const ASKED: [&str; 2] = ["loinc|4548-4", "718-7"];
const LABELS: [Option<&str>; 4] = [None, None, Some("N"), Some("HIV")];

/// What the scopes look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    category: usize,
    kind: usize,
    date: usize,
    label: usize,
    code: usize,
    pub(super) long: bool,
}

impl Facts {
    pub(super) fn meta(self, title: &str) -> RecordMeta {
        RecordMeta {
            kind: KINDS[self.kind].parse().unwrap(),
            category: CATEGORIES[self.category],
            date: Some(DATES[self.date].parse().unwrap()),
            title: title.into(),
            labels: LABELS[self.label]
                .map(|l| l.parse().unwrap())
                .into_iter()
                .collect(),
            media_type: "application/fhir+json".into(),
            source_id: Some(format!("Observation/{title}")),
            codes: [CODES[self.code].parse().unwrap()].into(),
            ..RecordMeta::default()
        }
    }
}

/// What to add and what to remove so that a record has this label and no other.
pub(super) fn label_change(label: usize) -> (Vec<Label>, Vec<Label>) {
    let add = LABELS[label];
    let other = LABELS.iter().filter(|other| **other != add);
    let parsed = |label: &Option<&str>| label.map(|label| label.parse().unwrap());
    (
        parsed(&add).into_iter().collect(),
        other.filter_map(parsed).collect(),
    )
}

#[derive(Debug, Clone)]
pub(super) enum Pick {
    All,
    Category(usize),
    Kind(usize),
    Code(usize),
    Records(Vec<Index>),
}

/// A scope to be drawn; records are picked from what is there.
#[derive(Debug, Clone)]
pub(super) struct ScopeDraft {
    pub(super) pick: Pick,
    sensitive: bool,
    recent: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Add {
        facts: Vec<Facts>,
    },
    Update {
        record: Index,
        facts: Facts,
    },
    Remove {
        record: Index,
    },
    /// The patient's own label in the place of the others.
    Relabel {
        record: Index,
        label: usize,
    },
    Share {
        readers: usize,
        scope: ScopeDraft,
        standing: bool,
        life: Option<u64>,
        /// Keys are asked for one by one; every reader countersigns at once.
        on_request: bool,
    },
    /// A reader asks for the key of one version, whether it may have it or not.
    Ask {
        reader: usize,
        grant: Index,
        version: Index,
    },
    RevokeGrant {
        grant: Index,
        rekey: bool,
    },
    RevokeContact {
        reader: usize,
        rekey: bool,
    },
    /// One batch of a pending re-key, if there is one.
    Step {
        grant: Index,
        budget: u64,
    },
    /// Every pending re-key to its end.
    Finish,
    Pass {
        seconds: u64,
        tend: bool,
    },
    Reopen,
    Recover,
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        0..3usize,
        0..2usize,
        0..2usize,
        0..4usize,
        0..3usize,
        prop::bool::weighted(0.12),
    )
        .prop_map(|(category, kind, date, label, code, long)| Facts {
            category,
            kind,
            date,
            label,
            code,
            long,
        })
}

fn scope() -> impl Strategy<Value = ScopeDraft> {
    let pick = prop_oneof![
        2 => Just(Pick::All),
        2 => (0..3usize).prop_map(Pick::Category),
        1 => (0..2usize).prop_map(Pick::Kind),
        1 => (0..2usize).prop_map(Pick::Code),
        1 => prop::collection::vec(any::<Index>(), 1..4).prop_map(Pick::Records),
    ];
    (pick, any::<bool>(), prop::bool::weighted(0.25)).prop_map(|(pick, sensitive, recent)| {
        ScopeDraft {
            pick,
            sensitive,
            recent,
        }
    })
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let share = (
        1..1usize << READERS,
        scope(),
        prop::bool::weighted(0.7),
        prop::option::weighted(0.3, 1..400_000u64),
        prop::bool::weighted(0.4),
    );
    let ask = (0..READERS, any::<Index>(), any::<Index>());
    prop_oneof![
        6 => prop::collection::vec(facts(), 1..5).prop_map(|facts| Op::Add { facts }),
        4 => (any::<Index>(), facts()).prop_map(|(record, facts)| Op::Update { record, facts }),
        2 => any::<Index>().prop_map(|record| Op::Remove { record }),
        3 => (any::<Index>(), 0..4usize).prop_map(|(record, label)| Op::Relabel { record, label }),
        7 => share.prop_map(|(readers, scope, standing, life, on_request)| Op::Share { readers, scope, standing, life, on_request }),
        7 => ask.prop_map(|(reader, grant, version)| Op::Ask { reader, grant, version }),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(grant, rekey)| Op::RevokeGrant { grant, rekey }),
        3 => (0..READERS, any::<bool>()).prop_map(|(reader, rekey)| Op::RevokeContact { reader, rekey }),
        4 => (any::<Index>(), 1..400u64).prop_map(|(grant, budget)| Op::Step { grant, budget }),
        2 => Just(Op::Finish),
        3 => (1..200_000u64, any::<bool>()).prop_map(|(seconds, tend)| Op::Pass { seconds, tend }),
        1 => Just(Op::Reopen),
        1 => Just(Op::Recover),
    ]
}

/// A scope with its records fixed.
#[derive(Debug, Clone)]
pub(super) struct ModelScope {
    draft: ScopeDraft,
    records: BTreeSet<RecordId>,
}

impl ModelScope {
    fn selects(&self, version: &ModelVersion) -> bool {
        let facts = version.facts;
        let named = self.records.contains(&version.record);
        let selected = match &self.draft.pick {
            Pick::All => true,
            Pick::Category(category) => facts.category == *category,
            Pick::Kind(kind) => facts.kind == *kind,
            Pick::Code(asked) => (facts.code > 0) == (*asked == 1),
            Pick::Records(_) => named,
        };
        let open = facts.label != 3 || self.draft.sensitive || named;
        selected && open && (!self.draft.recent || facts.date == 1)
    }

    pub(super) fn to_scope(&self) -> Scope {
        let mut scope = Scope {
            records: self.records.clone(),
            ..Scope::default()
        };
        match &self.draft.pick {
            Pick::All => scope.all = true,
            Pick::Category(category) => drop(scope.categories.insert(CATEGORIES[*category])),
            Pick::Kind(kind) => drop(scope.kinds.insert(KINDS[*kind].parse().unwrap())),
            Pick::Code(asked) => drop(scope.codes.insert(ASKED[*asked].parse().unwrap())),
            Pick::Records(_) => {}
        }
        if self.draft.sensitive {
            scope.with_labels.insert("HIV".parse().unwrap());
        }
        if self.draft.recent {
            scope.since = Some("2022".parse().unwrap());
        }
        scope
    }
}

#[derive(Debug, Clone)]
pub(super) struct ModelVersion {
    pub(super) record: RecordId,
    pub(super) content: Vec<u8>,
    facts: Facts,
}

#[derive(Debug, Clone)]
pub(super) struct ModelGrant {
    pub(super) id: GrantId,
    pub(super) readers: BTreeSet<usize>,
    pub(super) scope: ModelScope,
    pub(super) standing: bool,
    pub(super) expires: Option<u64>,
    pub(super) versions: BTreeSet<VersionId>,
    /// Revoked, or noted as expired.
    pub(super) ended: bool,
    /// Versions that a pending re-key still owes.
    pub(super) due: Option<BTreeSet<VersionId>>,
    /// A re-key has finished after the grant ended.
    pub(super) closed: bool,
    /// On request: the versions whose keys were given out, by reader; `None` for a carried grant.
    pub(super) given: Option<[BTreeSet<VersionId>; READERS]>,
    /// The readers for whom a pending re-key is.
    pub(super) shut_out: BTreeSet<usize>,
}

impl ModelGrant {
    /// What these readers could have opened: all of a carried grant, what was given of another.
    pub(super) fn opened_by(&self, readers: &BTreeSet<usize>) -> BTreeSet<VersionId> {
        match &self.given {
            None => self.versions.clone(),
            Some(given) => readers.iter().flat_map(|r| given[*r].clone()).collect(),
        }
    }

    pub(super) fn in_force(&self, reader: usize, now: u64) -> bool {
        !self.ended
            && self.readers.contains(&reader)
            && self.expires.is_none_or(|expires| now < expires)
    }
}

#[derive(Debug, Default)]
pub(super) struct Model {
    /// In the order they were first added.
    pub(super) records: Vec<RecordId>,
    pub(super) newest: BTreeMap<RecordId, VersionId>,
    pub(super) versions: BTreeMap<VersionId, ModelVersion>,
    pub(super) grants: Vec<ModelGrant>,
    /// Versions of which a reader holds the key that they are sealed under now.
    pub(super) known: [BTreeSet<VersionId>; READERS],
}

impl Model {
    /// Any change of the vault also ends the grants whose time is over.
    pub(super) fn settle(&mut self, now: u64) {
        for grant in &mut self.grants {
            grant.ended |= grant.expires.is_some_and(|expires| expires <= now);
        }
    }

    pub(super) fn add(
        &mut self,
        version: VersionId,
        record: RecordId,
        content: Vec<u8>,
        facts: Facts,
    ) {
        if self.newest.insert(record, version).is_none() {
            self.records.push(record);
        }
        let new = ModelVersion {
            record,
            content,
            facts,
        };
        for grant in self.grants.iter_mut().filter(|g| !g.ended && g.standing) {
            if grant.scope.selects(&new) {
                grant.versions.insert(version);
            }
        }
        self.versions.insert(version, new);
    }

    /// What the newest version of a record becomes under another label: its content and facts, unless
    /// it has the label already.
    pub(super) fn relabelled(&self, record: RecordId, label: usize) -> Option<(Vec<u8>, Facts)> {
        let newest = &self.versions[&self.newest[&record]];
        let facts = Facts {
            label,
            ..newest.facts
        };
        let changes = LABELS[label] != LABELS[newest.facts.label];
        changes.then(|| (newest.content.clone(), facts))
    }

    /// The grants in force in which any version of a record is readable.
    pub(super) fn open_in(&self, record: RecordId, now: u64) -> BTreeSet<GrantId> {
        let holds = |version: &VersionId| self.versions[version].record == record;
        let grants = self.grants.iter().filter(|grant| {
            let in_force = !grant.ended && grant.expires.is_none_or(|expires| now < expires);
            in_force && grant.versions.iter().any(holds)
        });
        grants.map(|grant| grant.id).collect()
    }

    pub(super) fn remove(&mut self, record: RecordId) {
        self.records.retain(|known| *known != record);
        self.newest.remove(&record);
        self.versions.retain(|_, version| version.record != record);
        let left = &self.versions;
        for grant in &mut self.grants {
            grant.versions.retain(|version| left.contains_key(version));
            if let Some(due) = &mut grant.due {
                due.retain(|version| left.contains_key(version));
            }
            for given in grant.given.iter_mut().flatten() {
                given.retain(|version| left.contains_key(version));
            }
        }
        for known in &mut self.known {
            known.retain(|version| left.contains_key(version));
        }
    }

    pub(super) fn scope(&self, draft: &ScopeDraft) -> ModelScope {
        let records = match &draft.pick {
            Pick::Records(picks) if !self.records.is_empty() => {
                picks.iter().map(|pick| *pick.get(&self.records)).collect()
            }
            _ => BTreeSet::new(),
        };
        ModelScope {
            draft: draft.clone(),
            records,
        }
    }

    /// What a scope opens at once: newest versions only.
    pub(super) fn selected(&self, scope: &ModelScope) -> BTreeSet<VersionId> {
        let newest = self.newest.values();
        newest
            .filter(|v| scope.selects(&self.versions[v]))
            .copied()
            .collect()
    }

    /// What a reader can list now.
    pub(super) fn listed(&self, reader: usize, now: u64) -> BTreeSet<VersionId> {
        let grants = self.grants.iter().filter(|g| g.in_force(reader, now));
        grants
            .flat_map(|grant| grant.versions.iter().copied())
            .collect()
    }

    /// What a reader can open now without asking.
    pub(super) fn readable(&self, reader: usize, now: u64) -> BTreeSet<VersionId> {
        let grants = self.grants.iter().filter(|g| g.in_force(reader, now));
        let carried = grants.filter(|grant| grant.given.is_none());
        carried
            .flat_map(|grant| grant.versions.iter().copied())
            .collect()
    }

    /// These versions have new keys; then every reader reads what they can.
    pub(super) fn learn(&mut self, resealed: &BTreeSet<VersionId>, now: u64) {
        for reader in 0..READERS {
            let readable = self.readable(reader, now);
            let known = &mut self.known[reader];
            known.retain(|version| !resealed.contains(version));
            known.extend(readable);
        }
    }
}
