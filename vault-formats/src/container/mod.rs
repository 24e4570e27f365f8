//! Files that hold files: zip archives, within limits.
//!
//! What an archive says about itself is not believed: names are checked, sizes are counted while
//! reading, and members that share their bytes are refused, so that no archive costs more than what
//! the limits allow. Nothing is unpacked to disk.
//!
//! The `zip` crate reads the archives. It knows no limits and takes the first end record that fits,
//! so the list of members is found and measured first, and the crate is shown that list alone.
//!
//! Sources: PKWARE APPNOTE.TXT 6.3.10; for bombs of overlapping members, D. Fifield, "A better zip
//! bomb" (WOOT 2019).

mod archive;
#[cfg(test)]
mod hostile;
mod kind;
mod list;
mod member;
mod name;
#[cfg(test)]
mod tests;
mod view;

pub use archive::{Archive, ContainerError, Entry};
pub use kind::{ArchiveKind, kind_of};

/// How deep an archive may lie in archives: an archive in an archive is opened, one in that is not.
pub const MAX_NESTING: usize = 2;
/// Most members of an archive.
pub const MAX_ENTRIES: usize = 200_000;
/// Longest list of members, in bytes.
pub const MAX_DIRECTORY_LEN: u64 = 64 << 20;
/// Most bytes that one member may give.
pub const MAX_MEMBER_LEN: u64 = 8 << 30;
/// Most bytes that all members of an archive may give together.
pub const MAX_TOTAL_LEN: u64 = 32 << 30;
/// Bytes that any member may give, however small it is in the archive.
const FREE_LEN: u64 = 64 << 20;
/// Beyond those, how many bytes may come of one.
const MAX_RATIO: u64 = 200;

/// Whether a file that begins with these bytes is a zip archive (also an empty one).
pub fn looks_like_zip(prefix: &[u8]) -> bool {
    prefix.starts_with(b"PK\x03\x04") || prefix.starts_with(b"PK\x05\x06")
}
