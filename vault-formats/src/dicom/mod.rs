//! DICOM: files, series and directories of images.
//!
//! Only what stands before the pixel data is read, and only what a record needs is kept: lengths are
//! never believed, sequences are followed to a bounded depth, and a file that is cut off or damaged
//! gives what was readable up to there.
//!
//! Sources: DICOM PS3.3, PS3.5, PS3.6, PS3.10 and PS3.16, edition 2024.

mod coded;
#[cfg(test)]
mod differential;
mod directory;
mod elements;
mod header;
mod instance;
#[cfg(test)]
mod samples;
mod scan;
mod start;
mod studies;
mod study;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod title;
mod value;

use std::io::Read;

use vault_core::record::clean_title;
use vault_core::{Category, Label};

use crate::Understood;
use elements::{Collected, Elements};
use header::Broken;
use scan::Scanner;

pub use directory::directory_files;
pub use instance::Instance;
pub use start::looks_like;
pub use studies::Studies;

/// Most bytes of elements that are read of one file, before its pixel data.
const MAX_LEN: u64 = 16 << 20;
/// Media type. Source: RFC 3240.
const MEDIA_TYPE: &str = "application/dicom";

/// Reads what a file says about itself, up to its pixel data and at most 16 MiB. `name` is the
/// file's name, which is its title where it gives none.
///
/// The instance is there for files that belong to a study; a directory (DICOMDIR) and a file without
/// the UIDs of study, series, instance and class have none. Faults are problems, never errors: what
/// was read before them counts.
pub fn read(source: &mut dyn Read, name: &str) -> (Understood, Option<Instance>) {
    let mut understood = Understood::default();
    let file_name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    understood.meta.title = match clean_title(file_name) {
        title if title.is_empty() => "Document".to_owned(),
        title => title,
    };
    let start = match start::open(source, name) {
        Ok(Some(start)) => start,
        Ok(None) => {
            understood.report("file", "not DICOM");
            return (understood, None);
        }
        Err(broken) => {
            if !matches!(broken, Broken::Unreadable(_)) {
                understood.meta.media_type = MEDIA_TYPE.to_owned();
                understood.meta.category = Category::Imaging;
            }
            understood.report("file meta information", broken.to_string());
            return (understood, None);
        }
    };
    understood.meta.media_type = MEDIA_TYPE.to_owned();
    understood.meta.category = Category::Imaging;
    if start.is_directory() {
        directory::describe(start, &mut understood);
        return (understood, None);
    }
    let mut scanner = Scanner::new(start.body, start.syntax, MAX_LEN);
    let collected = Elements::collect(&mut scanner, &instance::wanted, &mut |_, _| true);
    let elements = &collected.elements;
    understood.about.extend(instance::person(elements));
    // a label may stand where nothing was read
    if let Some((at, broken)) = collected.broken
        && broken != Broken::CutOff
        && at.0 <= 0x0040
    {
        understood.meta.labels.insert(Label::unclear());
    }
    let (class, uid) = (start.class.as_deref(), start.instance.as_deref());
    let instance = instance::describe(elements, class, uid, &mut understood.meta);
    report(&collected, &mut understood);
    (understood, instance)
}

/// Reports where a walk went wrong.
fn report(collected: &Collected, understood: &mut Understood) {
    for tag in &collected.too_long {
        understood.report(format!("element {tag}"), "too long to be what it says");
    }
    match collected.broken {
        None => {}
        // private data and documents before the image may be large; nothing is wanted there
        Some((at, Broken::TooMuch)) if at.0 > 0x0042 => {}
        Some((at, broken)) => understood.report(format!("element {at}"), broken.to_string()),
    }
}
