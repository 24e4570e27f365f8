//! One line of a sealed index, and the compact page it is written in.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::content_key::{ContentKey, ContentKeyError, GrantKeys};
use super::pages::{Item, MAX_PAGE_LEN};
use crate::block::Digest;
use crate::body::Location;
use crate::codec::{self, DecodeError};
use crate::ids::{RecordId, VersionId};
use crate::keys::SecretKey;
use crate::record::{Category, ClinicalDate, Code, Kind, Label, RecordMeta};

/// A keyed name of a content or source, 16 bytes: finds duplicates, tells others nothing.
pub(crate) type ContentName = [u8; 16];

/// One version of a record, as an index knows it: enough to list, search and open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The record.
    pub record: RecordId,
    /// This version of it. Later entries of the same record are newer versions.
    pub version: VersionId,
    /// What the record is, from its signed header; the date to the day.
    pub meta: RecordMeta,
    /// Length of the content, in bytes.
    pub len: u64,
    /// When it was added, in seconds since 1970-01-01 UTC.
    pub added: u64,
    /// Name of the file it came from, without its path. Only in grant zero.
    pub source: Option<String>,
    /// Where the sealed body lies.
    pub location: Location,
    pub(crate) cek: ContentKey,
    /// Sequence number of the head under which the body was sealed.
    pub(crate) sealed: u64,
    /// Only in grant zero.
    pub(crate) name: Option<ContentName>,
}

impl IndexEntry {
    /// The entry as others get it: without what only the vault itself needs, and with the content
    /// key as the grant's `keys` have it.
    ///
    /// # Errors
    /// [`ContentKeyError::NotGiven`] when this entry's own key is sealed.
    pub(crate) fn for_grant(&self, keys: &GrantKeys) -> Result<Self, ContentKeyError> {
        let mut entry = self.clone();
        entry.name = None;
        entry.source = None;
        entry.meta.source_id = None;
        entry.cek = keys.wrap(&self.version, self.sealed, self.cek.plain()?);
        Ok(entry)
    }

    /// Whether the content opens with what is in the index. `false`: its key is given out on
    /// request only.
    pub fn opens(&self) -> bool {
        matches!(self.cek, ContentKey::Plain(_))
    }

    /// The same entry with a content key that was given out for it.
    pub(crate) fn with_key(&self, key: SecretKey) -> Self {
        let mut entry = self.clone();
        entry.cek = ContentKey::Plain(key);
        entry
    }
}

/// `[blocks, depth or null, offset or length, length or 0]`
type LocationWire = (Vec<u32>, Option<u8>, u64, u64);

#[derive(Serialize, Deserialize)]
struct EntryWire(
    RecordId,
    VersionId,
    ContentKey,
    LocationWire,
    u32,
    Category,
    Option<ClinicalDate>,
    String,
    Vec<u32>,
    u32,
    Option<String>,
    u64,
    u64,
    u64,
    #[serde(with = "serde_bytes")] Option<Vec<u8>>,
);

/// What only some entries have: position among the entries, codes, author, file name, origin.
#[derive(Serialize, Deserialize)]
struct MoreWire(u32, Vec<u32>, Option<u32>, Option<u32>, Option<RecordId>);

impl MoreWire {
    fn is_empty(&self) -> bool {
        matches!(self, Self(_, codes, None, None, None) if codes.is_empty())
    }
}

/// A page: tables of what repeats, and the entries.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageWire {
    #[serde(rename = "b")]
    blocks: Vec<Digest>,
    #[serde(rename = "k")]
    kinds: Vec<Kind>,
    #[serde(rename = "l")]
    labels: Vec<Label>,
    #[serde(rename = "m")]
    media: Vec<String>,
    #[serde(rename = "e")]
    entries: Vec<EntryWire>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    codes: Vec<Code>,
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<MoreWire>,
}

/// A table under construction.
struct Table<'a, T> {
    rows: Vec<T>,
    index: HashMap<&'a T, u32>,
}

impl<'a, T: Clone + Eq + Hash> Table<'a, T> {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            index: HashMap::new(),
        }
    }

    fn row(&mut self, value: &'a T) -> u32 {
        *self.index.entry(value).or_insert_with(|| {
            self.rows.push(value.clone());
            self.rows.len() as u32 - 1
        })
    }
}

fn row<T: Clone>(table: &[T], index: u32) -> Result<T, DecodeError> {
    table
        .get(index as usize)
        .cloned()
        .ok_or(DecodeError::Malformed)
}

impl Item for IndexEntry {
    fn weight(&self) -> usize {
        let location = match &self.location {
            Location::Packed { .. } => 12,
            Location::Long { top, .. } => 16 + 38 * top.len(),
        };
        let texts = [&self.meta.source_id, &self.meta.author, &self.source];
        let texts = texts.into_iter().flatten().map(|text| 4 + text.len());
        let codes = self.meta.codes.iter().map(|code| 4 + code.as_str().len());
        let origin = self.meta.origin.map_or(0, |_| 24);
        let more = texts.chain(codes).sum::<usize>() + origin;
        110 + location + self.meta.title.len() + more + 2 * self.meta.labels.len()
    }

    fn encode_page(items: &[Self]) -> Vec<u8> {
        let (mut blocks, mut kinds) = (Table::new(), Table::new());
        let (mut labels, mut media) = (Table::new(), Table::new());
        let (mut codes, mut names) = (Table::new(), Table::new());
        let more = (0..).zip(items).map(|(at, item)| {
            let meta = &item.meta;
            MoreWire(
                at,
                meta.codes.iter().map(|code| codes.row(code)).collect(),
                meta.author.as_ref().map(|author| names.row(author)),
                item.source.as_ref().map(|source| names.row(source)),
                meta.origin,
            )
        });
        let more = more.filter(|more| !more.is_empty()).collect();
        let entries = items.iter().map(|item| {
            let location = match &item.location {
                Location::Packed { block, offset, len } => (
                    vec![blocks.row(block)],
                    None,
                    u64::from(*offset),
                    u64::from(*len),
                ),
                Location::Long { len, depth, top } => (
                    top.iter().map(|d| blocks.row(d)).collect(),
                    Some(*depth),
                    *len,
                    0,
                ),
            };
            let meta = &item.meta;
            EntryWire(
                item.record,
                item.version,
                item.cek.clone(),
                location,
                kinds.row(&meta.kind),
                meta.category,
                meta.date.clone(),
                meta.title.clone(),
                meta.labels.iter().map(|label| labels.row(label)).collect(),
                media.row(&meta.media_type),
                meta.source_id.clone(),
                item.len,
                item.added,
                item.sealed,
                item.name.map(Vec::from),
            )
        });
        let entries = entries.collect();
        let page = PageWire {
            blocks: blocks.rows,
            kinds: kinds.rows,
            labels: labels.rows,
            media: media.rows,
            entries,
            codes: codes.rows,
            names: names.rows,
            more,
        };
        codec::encode(&page)
    }

    fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let page: PageWire = codec::decode(bytes, MAX_PAGE_LEN)?;
        let tables = (&page.blocks, &page.kinds, &page.labels, &page.media);
        let entries = page.entries.into_iter();
        let mut entries: Vec<Self> = entries
            .map(|wire| decode_entry(wire, tables))
            .collect::<Result<_, _>>()?;
        let mut next = 0;
        for MoreWire(at, codes, author, source, origin) in page.more {
            // in order and at most once for each entry: one encoding for a page
            if at < next {
                return Err(DecodeError::NotCanonical);
            }
            next = at.saturating_add(1);
            let entry = entries.get_mut(at as usize).ok_or(DecodeError::Malformed)?;
            let codes = codes.iter().map(|r| row(&page.codes, *r));
            entry.meta.codes = codes.collect::<Result<_, _>>()?;
            entry.meta.author = author.map(|r| row(&page.names, r)).transpose()?;
            entry.source = source.map(|r| row(&page.names, r)).transpose()?;
            entry.meta.origin = origin;
        }
        Ok(entries)
    }
}

fn decode_entry(
    wire: EntryWire,
    (blocks, kinds, labels, media): (&Vec<Digest>, &Vec<Kind>, &Vec<Label>, &Vec<String>),
) -> Result<IndexEntry, DecodeError> {
    let EntryWire(
        record,
        version,
        cek,
        place,
        kind,
        category,
        date,
        title,
        own,
        media_type,
        source,
        len,
        added,
        sealed,
        name,
    ) = wire;
    let (rows, depth, a, b) = place;
    let location = match (depth, &rows[..]) {
        (None, [block]) => Location::Packed {
            block: row(blocks, *block)?,
            offset: a.try_into().map_err(|_| DecodeError::Malformed)?,
            len: b.try_into().map_err(|_| DecodeError::Malformed)?,
        },
        (Some(depth), [_, ..]) if b == 0 => {
            let top = rows
                .iter()
                .map(|r| row(blocks, *r))
                .collect::<Result<_, _>>()?;
            Location::Long { len: a, depth, top }
        }
        _ => return Err(DecodeError::Malformed),
    };
    let labels: BTreeSet<Label> = own
        .iter()
        .map(|r| row(labels, *r))
        .collect::<Result<_, _>>()?;
    let name = name
        .map(|n| n.try_into())
        .transpose()
        .map_err(|_| DecodeError::Malformed)?;
    let meta = RecordMeta {
        kind: row(kinds, kind)?,
        category,
        date,
        title,
        labels,
        media_type: row(media, media_type)?,
        source_id: source,
        ..RecordMeta::default()
    };
    Ok(IndexEntry {
        record,
        version,
        meta,
        len,
        added,
        source: None,
        location,
        cek,
        sealed,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(i: u8) -> IndexEntry {
        let location = if i.is_multiple_of(2) {
            Location::Packed {
                block: Digest::of(&[i / 8]),
                offset: 4000 * u32::from(i),
                len: 4321,
            }
        } else {
            Location::Long {
                len: 1 << 30,
                depth: 1,
                top: vec![Digest::of(&[i]), Digest::of(b"x")],
            }
        };
        IndexEntry {
            record: RecordId::random(),
            version: VersionId::random(),
            meta: RecordMeta {
                kind: "Observation".parse().unwrap(),
                category: Category::Lab,
                date: Some("2024-02-03".parse().unwrap()),
                title: "Hemoglobin [Mass/volume] in Blood".into(),
                labels: if i == 3 {
                    ["PSY".parse().unwrap()].into()
                } else {
                    BTreeSet::new()
                },
                media_type: "application/fhir+json".into(),
                source_id: (i == 4).then(|| "Observation/4".into()),
                codes: (["loinc|718-7".parse().unwrap()].into_iter())
                    .filter(|_| i.is_multiple_of(3))
                    .collect(),
                author: (i % 3 == 1).then(|| "Dr Lind".into()),
                origin: (i == 6).then(|| RecordId::from_bytes([6; 16])),
            },
            source: i.is_multiple_of(5).then(|| "history.json".into()),
            len: 1234,
            added: 1_790_000_000,
            location,
            cek: ContentKey::Plain(SecretKey::random()),
            sealed: 9,
            name: (i == 5).then_some([5; 16]),
        }
    }

    #[test]
    fn pages_round_trip_and_are_compact() {
        let entries: Vec<_> = (0..100).map(entry).collect();
        let page = IndexEntry::encode_page(&entries);
        assert_eq!(IndexEntry::decode_page(&page).unwrap(), entries);
        let packed: Vec<_> = (0..200)
            .step_by(2)
            .map(|i| entry(i as u8).for_grant(&GrantKeys::Carried).unwrap())
            .collect();
        let per_entry = IndexEntry::encode_page(&packed).len() / packed.len();
        assert!(per_entry <= 200, "{per_entry} bytes an entry");
        assert!(packed.iter().all(|e| e.weight() + 20 >= per_entry));
    }

    #[test]
    fn rows_outside_the_tables_are_refused() {
        let mut page: PageWire =
            codec::decode(&IndexEntry::encode_page(&[entry(0)]), 9999).unwrap();
        page.kinds.clear();
        assert_eq!(
            IndexEntry::decode_page(&codec::encode(&page)),
            Err(DecodeError::Malformed)
        );
    }
}
