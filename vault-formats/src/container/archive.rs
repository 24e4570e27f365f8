//! Zip archives: the list of members, checked, and the way to each.

use std::io::{self, Read, Seek};

use vault_core::record::{Problem, clean_field};
use zip::read::{ArchiveOffset, Config, ZipFileEntry};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::list;
use super::member::Member;
use super::name::safe_path;
use super::view::View;
use super::{FREE_LEN, MAX_MEMBER_LEN, MAX_RATIO, MAX_TOTAL_LEN};

/// Most problems that are told one by one.
const MAX_PROBLEMS: usize = 1000;
/// Bytes of a member's own header without its name, of which the library keeps no length.
const LOCAL_HEADER_LEN: u64 = 30;

/// Why an archive or one of its members cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No list of members, or one that contradicts itself.
    #[error("not a zip archive, or one that is cut off")]
    NotAnArchive,
    /// More members than [`MAX_ENTRIES`](super::MAX_ENTRIES), or a list of more than
    /// [`MAX_DIRECTORY_LEN`](super::MAX_DIRECTORY_LEN).
    #[error("the archive has more members than are accepted")]
    TooMany,
    /// There is no such member.
    #[error("the archive has no such member")]
    NoSuchMember,
    /// The member's header or bytes do not fit what the list says.
    #[error("the member is damaged")]
    Damaged,
    /// The member, or all together, give more bytes than are accepted.
    #[error("the member unpacks to more than is accepted")]
    TooLarge,
    /// The source failed.
    #[error("the archive cannot be read")]
    Io(#[from] io::Error),
}

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// A relative path with `/`; it leads nowhere outside.
    pub name: String,
    /// Size of the file in bytes, as the archive says; it may lie.
    pub size: u64,
    /// Bytes that the file takes in the archive.
    pub compressed_size: u64,
}

/// Where the bytes of an entry are.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Position among the members of the archive.
    number: usize,
    /// Offset of the member's own header.
    header: u64,
    /// The first byte after the member, at least.
    end: u64,
}

/// A zip archive that is read member by member.
///
/// Folders are left out of the list; so is what cannot be read or must not be, each with a problem:
/// unsafe names, symbolic links, encrypted members, unknown compression, names that were there
/// before, and members that share their bytes with another. Of members with the very same name the
/// last one counts, and only the number of the others is told.
pub struct Archive<R> {
    zip: ZipArchive<View<R>>,
    entries: Vec<Entry>,
    /// The position of each in the archive.
    numbers: Vec<usize>,
    problems: Vec<Problem>,
    /// What all members together may still give.
    left: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the list of members.
    ///
    /// # Errors
    /// [`ContainerError::NotAnArchive`], [`ContainerError::TooMany`], or the source's error.
    pub fn open(mut source: R) -> Result<Self, ContainerError> {
        let listing = list::measure(&mut source)?;
        let config = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let zip = ZipArchive::with_config(config, View::new(source, &listing)?)
            .map_err(|error| refused(error, ContainerError::NotAnArchive))?;
        let mut list = List::default();
        if !listing.whole {
            list.report("archive".to_owned(), "the list of members is damaged");
        }
        let passed = listing.count.saturating_sub(zip.len());
        if passed > 0 {
            let what = format!("{passed} members share a name with another and were passed over");
            list.report("archive".to_owned(), &what);
        }
        for number in 0..zip.len() {
            let entry = zip
                .by_index_data(number)
                .map_err(|error| refused(error, ContainerError::NotAnArchive))?;
            list.add(number, &entry, listing.start);
        }
        list.leave_out_shared();
        list.leave_out_duplicates();
        list.close_report();
        let members = list.members.into_iter();
        let (numbers, entries) = members.map(|(place, entry)| (place.number, entry)).unzip();
        Ok(Self {
            zip,
            entries,
            numbers,
            problems: list.problems,
            left: MAX_TOTAL_LEN,
        })
    }

    /// The files, in the order of the archive.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was left out, and why; at most a thousand are told one by one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Opens the file at a position in [`entries`](Self::entries). It gives at most 64 MiB or 200
    /// times its packed size, whichever is more, never more than 8 GiB, and all files together at
    /// most 32 GiB; memory does not depend on the size.
    ///
    /// # Errors
    /// [`ContainerError::NoSuchMember`], [`ContainerError::Damaged`], or the source's error. What is
    /// wrong with the bytes shows while [reading](Member).
    pub fn read(&mut self, index: usize) -> Result<Member<'_, R>, ContainerError> {
        let found = self.numbers.get(index).zip(self.entries.get(index));
        let (&number, entry) = found.ok_or(ContainerError::NoSuchMember)?;
        let limit = entry
            .compressed_size
            .saturating_mul(MAX_RATIO)
            .clamp(FREE_LEN, MAX_MEMBER_LEN);
        let file = self
            .zip
            .by_index(number)
            .map_err(|error| refused(error, ContainerError::Damaged))?;
        Ok(Member::new(file, limit, &mut self.left))
    }
}

/// What the library says: an error of the source as it is, anything else as `what`.
fn refused(error: ZipError, what: ContainerError) -> ContainerError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => error.into(),
        _ => what,
    }
}

/// The list in the making.
#[derive(Default)]
struct List {
    members: Vec<(Place, Entry)>,
    problems: Vec<Problem>,
    untold: usize,
}

impl List {
    /// Takes a member whose bytes are before `end`.
    fn add(&mut self, number: usize, member: &ZipFileEntry<'_>, end: u64) {
        if member.name_raw().ends_with(b"/") {
            return;
        }
        let Some(name) = member.name().ok().as_deref().and_then(safe_path) else {
            return self.report(format!("member {}", number + 1), "unsafe name");
        };
        let shown = named(number, &name);
        if member.is_symlink() {
            return self.report(shown, "a symbolic link");
        }
        if member.encrypted() {
            return self.report(shown, "encrypted");
        }
        if !matches!(
            member.compression(),
            CompressionMethod::Stored | CompressionMethod::Deflated
        ) {
            return self.report(shown, "packed in a way that is not known");
        }
        let place = Place {
            number,
            header: member.header_start(),
            end: member
                .header_start()
                .saturating_add(LOCAL_HEADER_LEN)
                .saturating_add(member.compressed_size()),
        };
        if place.end > end {
            return self.report(shown, "lies beyond the end of the archive");
        }
        let entry = Entry {
            name,
            size: member.size(),
            compressed_size: member.compressed_size(),
        };
        self.members.push((place, entry));
    }

    /// Leaves out members that begin before another one ends. The first one stays.
    fn leave_out_shared(&mut self) {
        let mut order: Vec<(Place, usize)> = self.in_order();
        order.sort_unstable_by_key(|(place, _)| (place.header, place.number));
        let mut end = 0;
        let mut shared = Vec::new();
        for (place, at) in order {
            if place.header < end {
                shared.push(at);
            }
            end = end.max(place.end);
        }
        self.leave_out(shared, "shares its bytes with another member");
    }

    /// Leaves out names that were there before.
    fn leave_out_duplicates(&mut self) {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        let name = |at: usize| self.members.get(at).map(|(_, entry)| entry.name.as_str());
        order.sort_unstable_by_key(|&at| (name(at), at));
        let pairs = order.iter().zip(order.iter().skip(1));
        let again = pairs.filter(|(before, at)| name(**before) == name(**at));
        let again = again.map(|(_, at)| *at).collect();
        self.leave_out(again, "a name that was there before");
    }

    fn in_order(&self) -> Vec<(Place, usize)> {
        let members = self.members.iter().enumerate();
        members.map(|(at, (place, _))| (*place, at)).collect()
    }

    /// Removes the members at these positions and says why.
    fn leave_out(&mut self, mut positions: Vec<usize>, why: &str) {
        positions.sort_unstable();
        for &at in &positions {
            if let Some((place, entry)) = self.members.get(at) {
                let shown = named(place.number, &entry.name);
                self.report(shown, why);
            }
        }
        let mut at = 0;
        self.members.retain(|_| {
            at += 1;
            positions.binary_search(&(at - 1)).is_err()
        });
    }

    fn report(&mut self, at: String, what: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                at,
                what: what.to_owned(),
            });
        } else {
            self.untold += 1;
        }
    }

    /// Counts the problems that were not told.
    fn close_report(&mut self) {
        if self.untold > 0 {
            self.problems.push(Problem {
                at: "archive".to_owned(),
                what: format!("{} more members were left out", self.untold),
            });
        }
    }
}

/// A member as reports name it, counted from 1.
fn named(number: usize, name: &str) -> String {
    format!("member {} ({})", number + 1, clean_field(name))
}
