//! Archives: each member is a file of its own.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::{Current, Door, InMemory, MAX_WHOLE, ReadSeek, Shelf, Source, describe};
use crate::apple::{self, ClinicalRecords, MemberRole};
use crate::container::{self, Archive, ArchiveKind, MAX_NESTING};

/// A member that is too large to be held in memory.
struct Member<'a, 'r> {
    archive: &'a mut Archive<Box<dyn ReadSeek + 'r>>,
    index: usize,
    len: u64,
}

impl Source for Member<'_, '_> {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let reader = self.archive.read(self.index).map_err(io::Error::other)?;
        Ok(Box::new(reader))
    }

    fn length(&self) -> Option<u64> {
        Some(self.len)
    }
}

impl Door<'_> {
    pub(super) fn archive<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
        front: &[u8],
    ) -> Result<(), S::Error> {
        match self.is_opened(current, source) {
            Ok(true) => {}
            Ok(false) if self.is_office(source) => {
                let meta = describe(front, current.name, source.length());
                return self.original(shelf, current, meta, source).map(drop);
            }
            Ok(false) => {
                // what was not looked into may hold anything
                let meta = self.unread(current, front);
                return self.original(shelf, current, meta, source).map(drop);
            }
            Err(error) => return self.unreadable(current, &error),
        }
        let opened = match source.seekable() {
            Ok(Some(reader)) => Archive::open(reader).map_err(io::Error::other),
            Ok(None) => Err(io::ErrorKind::Unsupported.into()),
            Err(error) => Err(error),
        };
        match opened {
            Ok(mut archive) => {
                for problem in archive.problems().to_vec() {
                    self.refuse(current, Some(problem.at), &problem.what);
                }
                self.members(shelf, current, &mut archive)
            }
            Err(error) => self.unreadable(current, &error),
        }
    }

    /// Whether it is a document of an office program, as whole as a PDF.
    fn is_office(&self, source: &mut dyn Source) -> bool {
        let opened = source.seekable().ok().flatten().map(Archive::open);
        !self.as_documents
            && opened.is_some_and(|archive| {
                archive.is_ok_and(|a| container::kind_of(a.entries()) == ArchiveKind::Office)
            })
    }

    /// Whether an archive is taken apart, and not kept whole.
    fn is_opened(&mut self, current: &Current<'_>, source: &mut dyn Source) -> io::Result<bool> {
        if self.as_documents {
            return Ok(false);
        }
        if current.nesting >= MAX_NESTING {
            self.note(current, None, "kept whole: an archive too deep in others");
            return Ok(false);
        }
        let Some(reader) = source.seekable()? else {
            self.note(
                current,
                None,
                "kept whole: name the file itself, not a stream of it",
            );
            return Ok(false);
        };
        match Archive::open(reader) {
            Ok(archive) => Ok(container::kind_of(archive.entries()) != ArchiveKind::Office),
            Err(error) => {
                self.note(current, None, &format!("kept whole: {error}"));
                Ok(false)
            }
        }
    }

    fn members<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        archive: &mut Archive<Box<dyn ReadSeek + '_>>,
    ) -> Result<(), S::Error> {
        let kind = container::kind_of(archive.entries());
        let mut order: Vec<(usize, String, u64)> = archive
            .entries()
            .iter()
            .enumerate()
            .filter(|(_, entry)| !is_litter(&entry.name))
            .map(|(at, entry)| (at, entry.name.clone(), entry.size))
            .collect();
        // the index of an Apple export says where its clinical records are from
        let apple = kind == ArchiveKind::AppleHealth;
        let first = |name: &str| apple && apple::member_role(name) == MemberRole::Export;
        order.sort_by_key(|(_, name, _)| !first(name));
        let mut clinical = ClinicalRecords::default();
        for (index, name, len) in order {
            let shown = format!("{}!{name}", current.shown);
            if len > MAX_WHOLE as u64 {
                let mut member = Member {
                    archive,
                    index,
                    len,
                };
                if first(&name) {
                    let inner = current.member(&shown, super::Format::AppleHealth);
                    self.report.counts(inner.format).files += 1;
                    clinical = self.apple(shelf, &inner, &mut member)?;
                } else {
                    let nesting = current.nesting + 1;
                    self.take_nested(shelf, &mut member, &shown, nesting, None)?;
                }
                shelf.breathe()?;
                continue;
            }
            let mut bytes = Zeroizing::new(Vec::new());
            let read = match archive.read(index) {
                Ok(mut reader) => reader.read_to_end(&mut bytes).map(drop),
                Err(error) => Err(io::Error::other(error)),
            };
            if let Err(error) = read {
                let inner = current.member(&shown, super::Format::Zip);
                self.unreadable(&inner, &error)?;
                continue;
            }
            let mut member = InMemory(&bytes);
            if first(&name) && apple::looks_like(&bytes) {
                let inner = current.member(&shown, super::Format::AppleHealth);
                self.report.counts(inner.format).files += 1;
                clinical = self.apple(shelf, &inner, &mut member)?;
                shelf.breathe()?;
                continue;
            }
            if apple && let Some(meta) = apple::describe_member(&name, &bytes) {
                let inner = current.member(&shown, super::Format::Other);
                self.report.counts(inner.format).files += 1;
                self.original(shelf, &inner, meta, &mut member)?;
                shelf.breathe()?;
                continue;
            }
            let from = clinical
                .get(&name)
                .and_then(|source| source.source_name.clone());
            let nesting = current.nesting + 1;
            self.take_nested(shelf, &mut member, &shown, nesting, from.as_deref())?;
        }
        Ok(())
    }
}

impl Current<'_> {
    fn member<'a>(&self, shown: &'a str, format: super::Format) -> Current<'a> {
        Current {
            shown,
            name: shown.rsplit(['/', '\\', '!']).next().unwrap_or(shown),
            format,
            nesting: self.nesting + 1,
            author: None,
        }
    }
}

/// What systems leave in archives and nobody put there.
fn is_litter(name: &str) -> bool {
    name.split('/')
        .any(|part| part == "__MACOSX" || part == ".DS_Store" || part == "Thumbs.db")
}
