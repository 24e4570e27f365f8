//! Lists of items in sealed pages: loaded lazily, saved page by page.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::block::{Block, Cid, Codec, Digest};
use crate::body::{FULL_BLOCK_LEN, pad_to_class};
use crate::codec::{self, DecodeError};
use crate::ids::VaultId;
use crate::keys::SecretKey;
use crate::seal::{open, seal};
use crate::store::{BlockSource, SourceError};

/// A page is closed when its items weigh this much, in bytes.
const PAGE_TARGET: usize = 200_000;

/// Longest plaintext of a page, in bytes: what a full block can hold when sealed.
pub(crate) const MAX_PAGE_LEN: usize = FULL_BLOCK_LEN - 56 - 16 * 16;

/// Why a page could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The block could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The block is not what the reference says.
    #[error("sealed page: {0}")]
    Seal(#[from] crate::seal::OpenError),
    /// The opened page is malformed.
    #[error("page: {0}")]
    Malformed(#[from] DecodeError),
    /// One item alone is longer than a page.
    #[error("an entry is too large for a page")]
    TooLarge,
}

/// Where a page lies and the key that opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRef {
    /// The page's block.
    #[serde(rename = "b")]
    pub(crate) block: Digest,
    /// Sealed length, in bytes; what follows in the block is random.
    #[serde(rename = "n")]
    len: u32,
    #[serde(rename = "k")]
    key: SecretKey,
    /// Items in the page.
    #[serde(rename = "c")]
    count: u32,
}

/// What a page can hold.
pub(crate) trait Item: Sized {
    /// Roughly how many bytes the item takes in a page.
    fn weight(&self) -> usize;
    /// Encodes the items of one page.
    fn encode_page(items: &[Self]) -> Vec<u8>;
    /// Decodes one page.
    fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError>;
}

/// Encodes items that are plain dag-cbor values.
pub(crate) fn encode_items<T: Serialize>(items: &[T]) -> Vec<u8> {
    codec::encode(&items)
}

/// Decodes items that are plain dag-cbor values.
pub(crate) fn decode_items<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
) -> Result<Vec<T>, DecodeError> {
    codec::decode(bytes, MAX_PAGE_LEN)
}

/// One page. At least one of `stored` and `items` is there.
struct Page<T> {
    /// Where the page lies; `None` when it has changed since.
    stored: Option<PageRef>,
    /// The block that the changed page replaces.
    replaces: Option<Digest>,
    /// The items, once loaded.
    items: Option<Vec<T>>,
    weight: usize,
}

impl<T: Item> Page<T> {
    /// Notes that the items changed. Their weight is the caller's to mend.
    fn changed(&mut self) {
        self.replaces = self
            .stored
            .take()
            .map(|stored| stored.block)
            .or(self.replaces);
    }

    /// Number of items, loaded or not.
    fn len(&self) -> usize {
        match (&self.items, &self.stored) {
            (Some(items), _) => items.len(),
            (None, Some(stored)) => stored.count as usize,
            (None, None) => 0,
        }
    }

    fn weigh(&mut self) {
        self.weight = self.items.iter().flatten().map(T::weight).sum();
    }
}

/// A list of items in sealed pages.
pub(crate) struct PageList<T> {
    context: Vec<u8>,
    pages: Vec<Page<T>>,
}

impl<T: Item> PageList<T> {
    /// An empty list. `list` names it within the vault, so that pages of different lists can not
    /// be exchanged.
    pub(crate) fn new(vault: &VaultId, list: &[u8]) -> Self {
        Self::stored(vault, list, Vec::new())
    }

    /// A stored list, nothing loaded yet.
    pub(crate) fn stored(vault: &VaultId, list: &[u8], refs: Vec<PageRef>) -> Self {
        let mut context = b"medvault/v1/page\0\x01".to_vec();
        context.extend_from_slice(vault.as_bytes());
        context.extend_from_slice(list);
        let page = |stored| Page {
            stored: Some(stored),
            replaces: None,
            items: None,
            weight: 0,
        };
        Self {
            context,
            pages: refs.into_iter().map(page).collect(),
        }
    }

    /// Number of items, loaded or not.
    pub(crate) fn len(&self) -> usize {
        self.pages.iter().map(Page::len).sum()
    }

    /// Loads every page that is not loaded yet.
    pub(crate) fn load(&mut self, source: &dyn BlockSource) -> Result<(), PageError> {
        self.load_from(source, 0)
    }

    fn load_from(&mut self, source: &dyn BlockSource, first: usize) -> Result<(), PageError> {
        let missing: Vec<usize> = (first..self.pages.len())
            .filter(|i| self.pages[*i].items.is_none())
            .collect();
        // a few blocks at a time, so that memory stays bounded
        for group in missing.chunks(16) {
            let refs: Vec<PageRef> = group
                .iter()
                .filter_map(|i| self.pages[*i].stored.clone())
                .collect();
            let cids: Vec<Cid> = refs.iter().map(|r| Cid::raw(r.block)).collect();
            let blocks = source.fetch(&cids)?;
            for ((i, page_ref), block) in group.iter().zip(&refs).zip(blocks) {
                let items = open_page(&self.context, page_ref, block.data())?;
                let page = &mut self.pages[*i];
                page.weight = items.iter().map(T::weight).sum();
                page.items = Some(items);
            }
        }
        Ok(())
    }

    /// Loads pages from the last one back, for as long as `on` says of a page's first item that the
    /// ones before it are wanted too.
    pub(crate) fn load_back(
        &mut self,
        source: &dyn BlockSource,
        on: impl Fn(&T) -> bool,
    ) -> Result<(), PageError> {
        for at in (0..self.pages.len()).rev() {
            if self.pages[at].items.is_none() {
                self.load_only(source, at)?;
            }
            let first = self.pages[at].items.iter().flatten().next();
            if !first.is_some_and(&on) {
                break;
            }
        }
        Ok(())
    }

    fn load_only(&mut self, source: &dyn BlockSource, at: usize) -> Result<(), PageError> {
        let Some(stored) = self.pages[at].stored.clone() else {
            return Ok(());
        };
        for block in source.fetch(&[Cid::raw(stored.block)])? {
            let items = open_page(&self.context, &stored, block.data())?;
            let page = &mut self.pages[at];
            page.weight = items.iter().map(T::weight).sum();
            page.items = Some(items);
        }
        Ok(())
    }

    /// The page that item `n` is in, and the item's place within it, from the counts alone.
    fn place(&self, n: usize) -> Option<(&Page<T>, usize)> {
        let mut before = 0;
        for page in &self.pages {
            let place = n.checked_sub(before)?;
            if place < page.len() {
                return Some((page, place));
            }
            before += page.len();
        }
        None
    }

    /// Item `n`, counted from 0; reads its page and no other, and keeps nothing. `None` if there
    /// are fewer.
    pub(crate) fn item(&self, source: &dyn BlockSource, n: usize) -> Result<Option<T>, PageError>
    where
        T: Clone,
    {
        let Some((page, place)) = self.place(n) else {
            return Ok(None);
        };
        match (&page.items, &page.stored) {
            (Some(items), _) => Ok(items.get(place).cloned()),
            (None, Some(stored)) => {
                let block = source.fetch(&[Cid::raw(stored.block)])?.pop();
                let block = block.ok_or(SourceError::Missing(Cid::raw(stored.block)))?;
                let mut items = open_page::<T>(&self.context, stored, block.data())?;
                Ok((place < items.len()).then(|| items.swap_remove(place)))
            }
            (None, None) => Ok(None),
        }
    }

    /// The loaded items, in order.
    pub(crate) fn items(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pages
            .iter()
            .flat_map(|page| page.items.iter().flatten())
    }

    /// Changes items in place; `change` says whether it changed the item. Everything must be
    /// loaded.
    pub(crate) fn update(&mut self, mut change: impl FnMut(&mut T) -> bool) {
        for page in &mut self.pages {
            let changed = page
                .items
                .iter_mut()
                .flatten()
                .fold(false, |any, item| change(item) | any);
            if changed {
                page.changed();
                page.weigh();
            }
        }
    }

    /// Keeps only the items that `keep` approves. Everything must be loaded.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for page in &mut self.pages {
            let Some(items) = &mut page.items else {
                continue;
            };
            let before = items.len();
            items.retain(&mut keep);
            if items.len() != before {
                page.changed();
                page.weigh();
            }
        }
    }

    /// Appends an item; loads the last page if need be.
    pub(crate) fn push(&mut self, source: &dyn BlockSource, item: T) -> Result<(), PageError> {
        if let Some(last) = self.pages.len().checked_sub(1) {
            self.load_from(source, last)?;
        }
        let weight = item.weight();
        match self.pages.last_mut() {
            Some(page) if page.weight + weight <= PAGE_TARGET => {
                page.items.get_or_insert_default().push(item);
                page.weight += weight;
                page.changed();
            }
            _ => self.pages.push(Page {
                stored: None,
                replaces: None,
                items: Some(vec![item]),
                weight,
            }),
        }
        Ok(())
    }

    /// Seals every changed page under a new key. Returns the new blocks; blocks that are no longer
    /// needed are added to `dropped`.
    pub(crate) fn save(&mut self, dropped: &mut Vec<Digest>) -> Result<Vec<Block>, PageError> {
        let mut blocks = Vec::new();
        self.split_overfull();
        for page in &mut self.pages {
            if page.stored.is_some() {
                continue;
            }
            dropped.extend(page.replaces.take());
            let items = page.items.as_deref().unwrap_or_default();
            if !items.is_empty() {
                let (stored, block) = seal_page(&self.context, items)?;
                page.stored = Some(stored);
                blocks.push(block);
            }
        }
        self.pages.retain(|page| page.stored.is_some());
        Ok(blocks)
    }

    /// Halves changed pages that no longer fit a block.
    fn split_overfull(&mut self) {
        let mut pages = Vec::with_capacity(self.pages.len());
        let mut waiting: Vec<Page<T>> = self.pages.drain(..).rev().collect();
        while let Some(mut page) = waiting.pop() {
            let overfull = page.stored.is_none()
                && page.weight > PAGE_TARGET
                && page.items.as_ref().is_some_and(|items| items.len() > 1);
            if overfull && let Some(items) = &mut page.items {
                let half = items.split_off(items.len() / 2);
                let mut rest = Page {
                    stored: None,
                    replaces: None,
                    items: Some(half),
                    weight: 0,
                };
                rest.weigh();
                page.weigh();
                waiting.push(rest);
                waiting.push(page);
            } else {
                pages.push(page);
            }
        }
        self.pages = pages;
    }

    /// References to all pages; everything must be saved.
    pub(crate) fn refs(&self) -> Vec<PageRef> {
        self.pages
            .iter()
            .filter_map(|page| page.stored.clone())
            .collect()
    }

    /// The blocks of all stored pages.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Digest> {
        self.pages
            .iter()
            .filter_map(|page| page.stored.as_ref().map(|stored| stored.block))
    }
}

fn seal_page<T: Item>(context: &[u8], items: &[T]) -> Result<(PageRef, Block), PageError> {
    let plain = Zeroizing::new(T::encode_page(items));
    if plain.len() > MAX_PAGE_LEN {
        return Err(PageError::TooLarge);
    }
    let key = SecretKey::random();
    let (block, len) = seal_object(&key, context, &plain)?;
    let page_ref = PageRef {
        block: block.cid().digest(),
        len,
        key,
        count: items.len() as u32,
    };
    Ok((page_ref, block))
}

fn open_page<T: Item>(
    context: &[u8],
    page_ref: &PageRef,
    block: &[u8],
) -> Result<Vec<T>, PageError> {
    let plain = open_object(&page_ref.key, context, block, page_ref.len)?;
    let items = T::decode_page(&plain)?;
    if items.len() != page_ref.count as usize {
        return Err(DecodeError::Malformed.into());
    }
    Ok(items)
}

/// Seals one object into a block of its own. Returns the block and the sealed length in it.
pub(crate) fn seal_object(
    key: &SecretKey,
    context: &[u8],
    plain: &[u8],
) -> Result<(Block, u32), PageError> {
    let mut data = seal(key.expose(), context, plain);
    let len = data.len();
    if len > FULL_BLOCK_LEN {
        return Err(PageError::TooLarge);
    }
    pad_to_class(&mut data);
    let block = Block::new(Codec::Raw, data).map_err(|_| PageError::TooLarge)?;
    Ok((block, len as u32))
}

/// Opens an object that [`seal_object`] made.
pub(crate) fn open_object(
    key: &SecretKey,
    context: &[u8],
    block: &[u8],
    len: u32,
) -> Result<Zeroizing<Vec<u8>>, PageError> {
    let sealed = block.get(..len as usize).ok_or(DecodeError::Malformed)?;
    Ok(Zeroizing::new(open(key.expose(), context, sealed)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BlockStore, MemoryStore};

    #[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
    struct Note(u64, String);

    impl Item for Note {
        fn weight(&self) -> usize {
            self.1.len() + 10
        }
        fn encode_page(items: &[Self]) -> Vec<u8> {
            encode_items(items)
        }
        fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
            decode_items(bytes)
        }
    }

    const VAULT: VaultId = VaultId::from_bytes([1; 32]);

    fn save(list: &mut PageList<Note>, store: &MemoryStore) -> Vec<PageRef> {
        let mut dropped = Vec::new();
        store.put(&list.save(&mut dropped).unwrap()).unwrap();
        store
            .remove(&dropped.into_iter().map(Cid::raw).collect::<Vec<_>>())
            .unwrap();
        list.refs()
    }

    #[test]
    fn items_survive_saves_changes_and_removals_and_old_blocks_go() {
        let store = MemoryStore::new();
        let mut list = PageList::new(&VAULT, b"notes");
        for i in 0..3000 {
            list.push(&store, Note(i, "x".repeat(200))).unwrap();
        }
        let refs = save(&mut list, &store);
        assert!(refs.len() > 2);
        assert_eq!(store.list().unwrap().len(), refs.len());

        let mut again = PageList::stored(&VAULT, b"notes", refs);
        assert_eq!(again.len(), 3000);
        again.push(&store, Note(3000, "new".into())).unwrap();
        assert!(
            again.items().count() < 3001,
            "only the last page was loaded"
        );
        again.load(&store).unwrap();
        again.update(|note| {
            let hit = note.0 == 5;
            if hit {
                note.1 = "changed".into();
            }
            hit
        });
        again.retain(|note| note.0 != 6);
        let refs = save(&mut again, &store);
        assert_eq!(store.list().unwrap().len(), refs.len());
        let mut third = PageList::<Note>::stored(&VAULT, b"notes", refs);
        third.load(&store).unwrap();
        let expected: Vec<u64> = (0..=3000).filter(|i| *i != 6).collect();
        assert_eq!(third.items().map(|n| n.0).collect::<Vec<_>>(), expected);
        assert_eq!(third.items().nth(5).unwrap().1, "changed");
    }

    #[test]
    fn pages_that_outgrow_their_block_are_split() {
        let store = MemoryStore::new();
        let mut list = PageList::new(&VAULT, b"notes");
        for i in 0..1000 {
            list.push(&store, Note(i, "x".into())).unwrap();
        }
        assert_eq!(save(&mut list, &store).len(), 1);
        list.update(|note| {
            note.1 = "y".repeat(1000);
            true
        });
        let refs = save(&mut list, &store);
        assert!(refs.len() >= 4);
        let mut again = PageList::<Note>::stored(&VAULT, b"notes", refs);
        again.load(&store).unwrap();
        assert!(again.items().map(|n| n.0).eq(0..1000));
    }

    #[test]
    fn one_item_is_read_from_its_page_alone() {
        let store = MemoryStore::new();
        let mut list = PageList::new(&VAULT, b"notes");
        for i in 0..3000 {
            list.push(&store, Note(i, "x".repeat(200))).unwrap();
        }
        let refs = save(&mut list, &store);
        let stored = PageList::<Note>::stored(&VAULT, b"notes", refs.clone());
        for n in [0, 1, 1500, 2999] {
            let item = stored.item(&store, n).unwrap();
            assert_eq!(item.map(|note| note.0), Some(n as u64));
            assert_eq!(list.item(&store, n).unwrap().unwrap().0, n as u64);
        }
        assert_eq!(stored.item(&store, 3000).unwrap(), None);
        // only the last page is left
        let others: Vec<Cid> = refs
            .iter()
            .rev()
            .skip(1)
            .map(|r| Cid::raw(r.block))
            .collect();
        store.remove(&others).unwrap();
        assert!(stored.item(&store, 2999).unwrap().is_some());
        assert!(stored.item(&store, 0).is_err());
    }

    #[test]
    fn pages_of_one_list_do_not_open_in_another() {
        let store = MemoryStore::new();
        let mut list = PageList::new(&VAULT, b"notes");
        list.push(&store, Note(1, "secret".into())).unwrap();
        let refs = save(&mut list, &store);
        for (vault, name) in [
            (VAULT, &b"other"[..]),
            (VaultId::from_bytes([2; 32]), b"notes"),
        ] {
            let mut other = PageList::<Note>::stored(&vault, name, refs.clone());
            assert!(matches!(other.load(&store), Err(PageError::Seal(_))));
        }
    }
}
