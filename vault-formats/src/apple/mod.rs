//! Apple Health exports.
//!
//! A phone exports years of samples as one XML file, often a gigabyte and more, in an archive beside
//! clinical records, routes and electrocardiograms. [`understand`] reads it as a stream in bounded
//! memory and adds samples up: clinical measures by day, everything else by month. [`member_role`]
//! says what the other files of the archive are.
//!
//! Days and months are those of the clock where a sample was taken, as its start date says. Numbers
//! keep their digits, and sums are exact. Where several devices counted the same kind of thing, for
//! example steps on a phone and a watch, each has its own sum and there is no common one: nobody
//! knows which of them they counted twice.
//!
//! Sources: the document type definition in the export (HealthKit Export Version 11 to 14); Apple
//! developer documentation, HealthKit.

mod clinical;
mod decimal;
mod group;
#[cfg(test)]
mod hostile_tests;
mod member;
mod names;
mod observe;
mod scan;
mod source;
mod stamp;
#[cfg(test)]
mod tests;
mod totals;
mod types;
mod units;

use std::io::Read;

use vault_core::record::clean_field;
use vault_core::{Category, Label, RecordMeta};

pub use clinical::ClinicalRecords;
pub use member::{MemberRole, describe_member, member_role};

use crate::{Deriver, Moment, Person, Understood};
use scan::Scan;
use source::Source;

/// How much of a file [`looks_like`] looks at, in bytes: the document type takes some 8 KiB.
pub const PREFIX_LEN: usize = 64 * 1024;

/// An export, understood.
#[derive(Debug, Default)]
pub struct AppleExport {
    /// What it is, whom it is about, and what was derived.
    pub understood: Understood,
    /// Where the clinical records beside it in the archive came from.
    pub clinical_records: ClinicalRecords,
}

/// Whether a file that begins with these bytes is an Apple Health export: XML in UTF-8 whose root, or
/// whose document type, is `HealthData`.
pub fn looks_like(prefix: &[u8]) -> bool {
    let prefix = prefix.get(..PREFIX_LEN).unwrap_or(prefix);
    let mut rest = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = if rest.starts_with(b"<?") {
            b"?>"
        } else if rest.starts_with(b"<!--") {
            b"-->"
        } else {
            break;
        };
        // the ends of `<?>` and `<!-->` may not overlap their beginnings
        let inside = rest
            .get(end.len() + usize::from(end.len() == 3)..)
            .unwrap_or(&[]);
        let Some(at) = inside.windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = inside.get(at + end.len()..).unwrap_or(&[]);
    }
    let rest = match rest.strip_prefix(b"<!DOCTYPE") {
        Some(after) if after.first().is_some_and(u8::is_ascii_whitespace) => {
            after.trim_ascii_start()
        }
        Some(_) => return false,
        None => match rest.strip_prefix(b"<") {
            Some(after) => after,
            None => return false,
        },
    };
    let after = rest.strip_prefix(scan::ROOT.as_bytes());
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'[');
    after.is_some_and(|after| after.first().is_some_and(ends))
}

/// Reads an export to the end of `source`, hashes it and derives from it. `name` is the file's name,
/// for problems.
///
/// Memory stays bounded whatever comes: one tag or text may have 1 MiB, samples become at most
/// 30,000 groups (the older days are put together by month before there are more), elements are nested at most 32 deep. XML that is broken on the way is a problem
/// that says at which byte; what came before it is derived all the same, and because the rest is not
/// known the original is labelled as unclear. The original also has a label for each sort of sensitive
/// sample in it; derived records have only that of their own type.
///
/// When `source` fails, nothing is derived, since the original is not known.
pub fn understand(source: &mut dyn Read, name: &str, when: Moment) -> AppleExport {
    understand_up_to(source, name, when, totals::MAX_GROUPS)
}

fn understand_up_to(
    source: &mut dyn Read,
    name: &str,
    when: Moment,
    max_groups: usize,
) -> AppleExport {
    let mut understood = Understood {
        meta: RecordMeta {
            category: Category::Vitals,
            title: "Apple Health export".to_owned(),
            media_type: "application/xml".to_owned(),
            ..RecordMeta::default()
        },
        ..Understood::default()
    };
    let name = match clean_field(name) {
        name if name.is_empty() => "file".to_owned(),
        name => name,
    };
    let (mut scan, digest) = match scan::scan(Source::new(source), max_groups) {
        Ok(read) => read,
        Err(stop) => {
            understood.meta.labels.insert(Label::unclear());
            understood.report(name, stop.to_string());
            return AppleExport {
                understood,
                ..AppleExport::default()
            };
        }
    };
    let exported = scan.exported.and_then(stamp::Stamp::clinical);
    understood.meta.date = exported.map(|date| date.to_day());
    understood.meta.labels = std::mem::take(&mut scan.labels);
    if let Some(born) = scan.born.clone() {
        understood.about.push(Person {
            born: Some(born),
            ..Person::default()
        });
    }
    report(&scan, &name, &mut understood);
    let mut deriver = Deriver::new(digest, when, Default::default());
    observe::derive(&mut scan, &mut deriver);
    understood.derived = deriver.finish("an Apple Health export");
    AppleExport {
        understood,
        clinical_records: scan.clinical,
    }
}

/// Says what is only in the original.
fn report(scan: &Scan, name: &str, understood: &mut Understood) {
    if let Some((offset, why)) = &scan.broken {
        understood.meta.labels.insert(Label::unclear());
        understood.report(format!("{name}, byte {offset}"), why.clone());
    }
    if let Some(month) = scan.totals.daily_from() {
        let month = observe::month_text(month);
        let what = "so many days that clinical measures are put together by month before";
        understood.report(name, format!("{what} {month}"));
    }
    let counted = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let others: Vec<&str> = scan.other_names.iter().map(String::as_str).collect();
    for problem in [
        counted(
            scan.unreadable,
            "records have no type, date or value that can be read",
        ),
        counted(
            scan.totals.left_out,
            "records are only in the original: there are too many types, days and months",
        ),
        counted(
            scan.clinical.left_out(),
            "clinical records are not listed: they are too many, or have no path",
        ),
        counted(
            scan.others,
            &format!("elements are only in the original: {}", others.join(", ")),
        ),
    ]
    .into_iter()
    .flatten()
    {
        understood.report(name, problem);
    }
}
