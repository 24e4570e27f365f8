//! Sealed indexes: pages of entries that list what a grant opens.
//!
//! An index is a list of pages. Every page is sealed under its own random key and lies in its own
//! block; whoever holds the list of page references can read the pages, and nobody else. A page
//! that changes gets a new key, so an old list of references never opens a new page.

mod content_key;
mod entry;
mod pages;

pub use content_key::ContentKeyError;
pub(crate) use content_key::{ContentKey, GrantKeys, open_sealed_key};
pub(crate) use entry::ContentName;
pub use entry::IndexEntry;
pub use pages::PageError;
pub(crate) use pages::{
    Item, MAX_PAGE_LEN, PageList, PageRef, decode_items, encode_items, open_object, seal_object,
};
