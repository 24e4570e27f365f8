//! What a revoked reader can still open, as a table: both kinds of grant, every level of revocation.
//!
//! The reader kept everything it ever had: tickets, every key on its way through the indexes, the
//! content keys that it was given, the blocks that it fetched, and every message that it sent, with
//! what is needed to read an answer. It replays all of that, and new messages besides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use super::support::{Reader, all_blocks, catalogue, head, index_keys, now, request, storage_of};
use crate::access::{Acceptance, AccessMessage, AccessReply, RequestDraft, moment, open_keys};
use crate::grant::{Delivery, Ticket};
use crate::ids::{GrantId, VersionId};
use crate::index::{ContentKey, IndexEntry, open_sealed_key};
use crate::keys::SecretKey;
use crate::store::{BlockSource, SourceError};
use crate::vault::tests::{World, node, record, world};
use crate::vault::{OnRequestTerms, OpenRecord, RevokeTarget, VaultStorage};
use crate::{Block, BlockStore, Cid, Digest, Following, IdentityKey, RevokeLevel};

/// What is left to the reader of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Open,
    CopyOnly,
    Closed,
}

impl Left {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CopyOnly => "copy only",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Stop,
    Rekey,
    NeverDelivered,
}

const ROWS: [&str; 4] = [
    "fetched before",
    "never fetched",
    "edited after",
    "new after",
];

/// A source that keeps what was fetched through it.
struct Keeping {
    store: Arc<dyn BlockStore>,
    kept: Mutex<BTreeMap<Cid, Block>>,
}

impl BlockSource for Keeping {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let blocks = self.store.fetch(cids)?;
        let mut kept = self.kept.lock().unwrap();
        kept.extend(blocks.iter().map(|block| (block.cid(), block.clone())));
        Ok(blocks)
    }
}

/// A request that was sent, with what opens the answer.
struct Sent {
    message: Vec<u8>,
    digest: Digest,
    key: IdentityKey,
    versions: Vec<VersionId>,
}

/// A reader that keeps everything.
struct Hoarder {
    reader: Reader,
    grant: GrantId,
    tickets: Vec<String>,
    offer: Option<Vec<u8>>,
    terms: Digest,
    entries: Vec<IndexEntry>,
    keys: Vec<SecretKey>,
    sent: Vec<Sent>,
    /// Acceptances and receipts.
    said: Vec<Vec<u8>>,
    source: Arc<Keeping>,
}

impl Hoarder {
    fn following(&mut self) -> &mut Following {
        self.reader.following.as_mut().unwrap()
    }

    /// Signs a request of its own making; `seen` is what it says it has seen of the log.
    fn ask(&mut self, patient: &World, versions: &[VersionId], seen: Option<Vec<u8>>) -> &Sent {
        let (key, public) = moment();
        let draft = RequestDraft {
            vault: patient.vault.id(),
            grant: self.grant,
            terms: self.terms,
            versions: versions.to_vec(),
            purpose: None,
            key: public,
            log: patient.vault.id(),
            seen,
        };
        let bytes = draft.sign(self.reader.world.vault.device(), now(patient));
        self.sent.push(Sent {
            digest: Digest::of(&bytes),
            message: AccessMessage::Request(bytes).to_bytes(),
            key,
            versions: versions.to_vec(),
        });
        self.sent.last().unwrap()
    }

    /// Sends everything that it ever said, and keeps the keys that come.
    fn send_all(&mut self, patient: &mut World) -> usize {
        let messages: Vec<Vec<u8>> = (self.sent.iter().map(|sent| &sent.message))
            .chain(&self.said)
            .cloned()
            .collect();
        let answers = patient.vault.answer(&messages, &[]);
        assert!(answers.error.is_none(), "{:?}", answers.error);
        let mut came = 0;
        for (sent, reply) in self.sent.iter().zip(&answers.replies) {
            let AccessReply::Released(released) = reply else {
                continue;
            };
            let keys = open_keys(&sent.key, &sent.digest, released, sent.versions.len());
            came += keys.as_ref().unwrap().len();
            self.keys.extend(keys.unwrap());
        }
        came
    }

    /// Follows the newest head, and keeps all that its indexes show.
    fn sync(&mut self, patient: &World) {
        let (head, time) = (head(patient), now(patient));
        let source = self.source.clone();
        let device = self.reader.world.vault.device.clone();
        drop(self.following().advance(&head, &*source, time));
        if let Ok(views) = self.following().grants(&device, &*source, time) {
            self.entries
                .extend(views.iter().flat_map(|view| view.entries.clone()));
        }
        let relation = self.reader.relation.clone().unwrap();
        let keys = index_keys(&patient.vault, &relation, &device, &*self.source.store);
        self.keys
            .extend(keys.grants.into_iter().map(|(_, key)| key));
        self.keys.extend(keys.pages.into_iter().map(|(_, key)| key));
    }

    /// Uses its tickets as if they had just come.
    fn use_tickets(&mut self, patient: &World) {
        let time = now(patient);
        for text in self.tickets.clone() {
            let Ok(ticket) = Ticket::open(&text, self.reader.world.vault.device(), time) else {
                continue;
            };
            self.following().accept_again(&ticket);
            self.sync(patient);
            let kept = self.reader.following.take();
            self.reader.following = Some(Following::accept(&ticket, "again", time));
            self.sync(patient);
            self.reader.following = kept;
        }
    }

    /// Every key that it has or that one of its keys opens.
    fn all_keys(&self) -> Vec<SecretKey> {
        let mut keys = self.keys.clone();
        for entry in &self.entries {
            match &entry.cek {
                ContentKey::Plain(key) => keys.push(key.clone()),
                sealed => keys.extend(self.keys.iter().filter_map(|key| {
                    open_sealed_key(key, &entry.version, entry.sealed, sealed).ok()
                })),
            }
        }
        keys.sort_by_key(|key| *key.expose());
        keys.dedup();
        keys
    }
}

fn opens(
    patient: &World,
    entry: &IndexEntry,
    key: &SecretKey,
    source: &Arc<dyn BlockStore>,
    content: &str,
) -> bool {
    let signers = patient.vault.head().signers();
    let mut out = Vec::new();
    let done = OpenRecord::open(signers, &entry.with_key(key.clone()), source.clone())
        .is_ok_and(|record| record.copy_to(&mut out).is_ok());
    assert!(!done || out == content.as_bytes(), "other content");
    done
}

/// The vault as it is now first; what the reader kept counts only where that is closed.
fn left(patient: &mut World, hoarder: &Hoarder, title: &str, content: &str) -> Left {
    let all = catalogue(&mut patient.vault);
    let entry = all.iter().rfind(|entry| entry.meta.title == title).unwrap();
    let places: Vec<&IndexEntry> = (hoarder.entries.iter())
        .filter(|old| old.version == entry.version)
        .chain([entry])
        .collect();
    let keys = hoarder.all_keys();
    let reads = |source: Arc<dyn BlockStore>| {
        let mut tries = places
            .iter()
            .flat_map(|place| keys.iter().map(move |key| (place, key)));
        tries.any(|(place, key)| opens(patient, place, key, &source, content))
    };
    if reads(patient.storage.blocks()) {
        return Left::Open;
    }
    let kept: Vec<Block> = hoarder
        .source
        .kept
        .lock()
        .unwrap()
        .values()
        .cloned()
        .collect();
    match reads(storage_of(&kept, None).blocks()) {
        true => Left::CopyOnly,
        false => Left::Closed,
    }
}

/// One vault, one revocation, and what is left to the reader in each row.
fn play(delivery: Delivery, column: Column) -> [Left; 4] {
    let mut patient = world("Pat");
    let mut reader = Reader::befriended(&mut patient, "doctor");
    let mut nurse = Reader::befriended(&mut patient, "nurse");
    // each in blocks of its own
    for title in ["fetched before", "never fetched", "edited after"] {
        let content = format!("content of {title}");
        let new = record(title, content.as_bytes());
        patient.vault.add_all([new]).unwrap();
    }
    let both = request(&["doctor", "nurse"], None);
    let shared = match delivery {
        Delivery::Carried => patient.vault.share(both, &node()).unwrap(),
        Delivery::OnRequest => {
            let terms = OnRequestTerms::default();
            patient.vault.offer(both, terms, &node()).unwrap()
        }
    };
    reader.accept(&shared, now(&patient));
    nurse.accept(&shared, now(&patient));
    let mine = |(name, _): &&(String, String)| name == "doctor";
    let tickets = shared.tickets.iter().filter(mine);
    let tickets: Vec<String> = tickets.map(|(_, text)| text.clone()).collect();
    let device = reader.world.vault.device.clone();
    let ticket = Ticket::open(&tickets[0], &device, now(&patient)).unwrap();
    let offer = ticket.offer.clone();
    let mut hoarder = Hoarder {
        grant: shared.grant.id,
        terms: offer
            .as_ref()
            .map_or(Digest::of(b""), |offer| Digest::of(offer)),
        offer,
        tickets,
        entries: Vec::new(),
        keys: Vec::new(),
        sent: Vec::new(),
        said: Vec::new(),
        source: Arc::new(Keeping {
            store: patient.storage.blocks(),
            kept: Mutex::default(),
        }),
        reader,
    };
    if delivery == Delivery::OnRequest {
        for reader in [&mut hoarder.reader, &mut nurse] {
            let device = reader.world.vault.device.clone();
            let following = reader.following.as_mut().unwrap();
            let said = following.countersign(&shared.grant.id, &device, now(&patient));
            let said = said.unwrap();
            let answers = patient.vault.answer(std::slice::from_ref(&said), &[]);
            assert_eq!(answers.replies, [AccessReply::Noted {}]);
            if reader.name == "doctor" {
                hoarder.said.push(said);
            }
        }
    }
    hoarder.sync(&patient);
    fetch(&mut patient, &mut hoarder, delivery);
    if column == Column::NeverDelivered {
        let all = all_blocks(&*patient.storage);
        let mut kept = hoarder.source.kept.lock().unwrap();
        kept.extend(all.into_iter().map(|block| (block.cid(), block)));
    }

    let doctor = RevokeTarget::Contact("doctor".into());
    let level = match column {
        Column::Rekey => RevokeLevel::Rekey,
        Column::Stop | Column::NeverDelivered => RevokeLevel::Stop,
    };
    patient.vault.revoke(&doctor, level).unwrap();
    if column == Column::Rekey {
        patient.vault.rekey(&shared.grant.id, &mut |_| {}).unwrap();
    }
    let edited = patient.vault.records().unwrap().pop().unwrap();
    let mut update = record("edited after", b"content that is newer");
    update.replaces = Some(edited.record);
    patient.vault.add_all([update]).unwrap();
    let new = record("new after", b"content of new after");
    patient.vault.add_all([new]).unwrap();

    replay(&mut patient, &mut hoarder);
    stays_readable(&patient, &mut nurse);
    let contents = [
        "content of fetched before",
        "content of never fetched",
        "content that is newer",
        "content of new after",
    ];
    let mut at = 0;
    ROWS.map(|title| {
        at += 1;
        left(&mut patient, &hoarder, title, contents[at - 1])
    })
}

/// Opens two of the three records while it may.
fn fetch(patient: &mut World, hoarder: &mut Hoarder, delivery: Delivery) {
    let wanted = |entry: &&IndexEntry| entry.meta.title != "never fetched";
    let wanted: Vec<IndexEntry> = hoarder.entries.iter().filter(wanted).cloned().collect();
    if delivery == Delivery::OnRequest {
        for entry in &wanted {
            hoarder.ask(patient, &[entry.version], None);
        }
        assert_eq!(hoarder.send_all(patient), 2);
    }
    for entry in &wanted {
        let source: Arc<dyn BlockSource> = hoarder.source.clone();
        let signers = patient.vault.head().signers();
        let read = |key: SecretKey| {
            let record = OpenRecord::open(signers, &entry.with_key(key), source.clone());
            record.is_ok_and(|record| record.copy_to(&mut Vec::new()).is_ok())
        };
        assert!(hoarder.all_keys().into_iter().any(read));
    }
    // one more on the beaten path, for its receipt
    if delivery == Delivery::OnRequest {
        hoarder.sync(patient);
        let (time, source) = (now(patient), hoarder.source.clone());
        let device = hoarder.reader.world.vault.device.clone();
        let following = hoarder.following();
        let view = following.grants(&device, &*source, time).unwrap().remove(0);
        let version = wanted[0].version;
        let asking = following.ask(&view, &[version], None, None, &device, time);
        let asking = asking.unwrap();
        let message = asking.message().to_vec();
        let reply = patient
            .vault
            .answer(std::slice::from_ref(&message), &[])
            .replies
            .remove(0);
        let given = asking.take(following, &reply.to_bytes()).unwrap();
        let receipt = given.receipt(true, &device, time).unwrap();
        hoarder.said.extend([message, receipt]);
        hoarder.send_all(patient);
    }
}

/// Everything it ever had, and new messages besides, for every version that there is.
fn replay(patient: &mut World, hoarder: &mut Hoarder) {
    let versions: Vec<VersionId> = catalogue(&mut patient.vault)
        .iter()
        .map(|entry| entry.version)
        .collect();
    let before = hoarder.entries.len();
    hoarder.use_tickets(patient);
    hoarder.sync(patient);
    assert_eq!(hoarder.entries.len(), before, "an index opened again");
    if let Some(offer) = hoarder.offer.clone() {
        let device = hoarder.reader.world.vault.device.clone();
        let (vault, grant, time) = (patient.vault.id(), hoarder.grant, now(patient));
        let said = Acceptance::sign(&vault, &grant, &offer, &device, time + 1);
        hoarder.said.push(AccessMessage::Accept(said).to_bytes());
    }
    let newest = patient.vault.head().checkpoint_bytes().to_vec();
    for seen in [None, Some(newest)] {
        hoarder.ask(patient, &versions, seen.clone());
        for version in &versions {
            hoarder.ask(patient, &[*version], seen.clone());
        }
    }
    for _ in 0..2 {
        hoarder.send_all(patient);
    }
    hoarder.sync(patient);
    assert_eq!(hoarder.entries.len(), before, "an index opened again");
}

/// The other reader of the grant lists everything still.
fn stays_readable(patient: &World, nurse: &mut Reader) {
    let (head, time) = (head(patient), now(patient));
    let blocks = patient.storage.blocks();
    let following = nurse.following.as_mut().unwrap();
    following.advance(&head, &*blocks, time).unwrap();
    let device = nurse.world.vault.device();
    let views = following.grants(device, &*blocks, time).unwrap();
    assert_eq!(views[0].entries.len(), 5);
}

const LEGEND: &str = "\
open:      readable in the vault as it is now, with what the revoked reader has or can get
copy only: not there any more; readable in blocks that the reader fetched before
closed:    neither
R1 stop; R2 stop and seal again; R3 stop, with a copy of every block of that time in the reader's hands
";

const EXPECTED: &str = "\
grant      | version        | R1        | R2        | R3
carried    | fetched before | open      | copy only | n/a
carried    | never fetched  | open      | closed    | n/a
carried    | edited after   | closed    | closed    | n/a
carried    | new after      | closed    | closed    | n/a
on request | fetched before | open      | copy only | open
on request | never fetched  | closed    | closed    | closed
on request | edited after   | closed    | closed    | closed
on request | new after      | closed    | closed    | closed
";

#[test]
fn residual_access_grid() {
    let mut table = format!(
        "{:<10} | {:<14} | {:<9} | {:<9} | R3\n",
        "grant", "version", "R1", "R2"
    );
    for (name, delivery) in [
        ("carried", Delivery::Carried),
        ("on request", Delivery::OnRequest),
    ] {
        let stop = play(delivery, Column::Stop);
        let rekey = play(delivery, Column::Rekey);
        let never = match delivery {
            Delivery::Carried => ["n/a"; 4],
            Delivery::OnRequest => play(delivery, Column::NeverDelivered).map(Left::word),
        };
        for (at, row) in ROWS.iter().enumerate() {
            let (stop, rekey) = (stop[at].word(), rekey[at].word());
            writeln!(
                table,
                "{name:<10} | {row:<14} | {stop:<9} | {rekey:<9} | {}",
                never[at]
            )
            .unwrap();
        }
    }
    println!("{table}\n{LEGEND}");
    assert_eq!(table, EXPECTED);
}
