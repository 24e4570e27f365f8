//! Files on their way in.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vault_app::adding::{self, From, Input, Unread, Updated, Watch};
use vault_app::{Intake, Result};
use vault_core::{IndexEntry, Label, RecordId, Vault};
use vault_formats::{InMemory, Remark, Report};

use crate::error::invalid;
use crate::types::{self, AddReport, Refusal};
use crate::vault::Session;
use crate::work::Control;

/// How an import is watched by a work's handle.
pub(crate) struct Watched<'a> {
    pub(crate) control: &'a Control,
    pub(crate) total: u64,
}

impl Watch for Watched<'_> {
    fn at(&self, done: u64) {
        self.control.report(done, self.total.max(done));
    }

    fn check(&self) -> Result<()> {
        self.control.check()
    }
}

/// Adds content at hand.
pub(crate) fn add_bytes(
    session: &Session,
    vault: &mut Vault,
    content: &[u8],
    name: &str,
) -> Result<AddReport> {
    let mut inputs = [Input {
        from: From::Bytes(content),
        name: file_name(name)?,
    }];
    let intake = Intake::new(&session.app, vault, &[])?;
    let report = adding::add(vault, &intake, &mut inputs, false, &())?;
    Ok(shown(&report, &[]))
}

/// Adds what comes as a stream.
pub(crate) fn add_stream(
    session: &Session,
    stream: Box<dyn Read + Send>,
    name: &str,
    control: &Control,
) -> Result<AddReport> {
    let mut inputs = [Input {
        from: From::Stream(Some(stream)),
        name: file_name(name)?,
    }];
    let _turn = session.turn_of(control)?;
    let mut vault = session.own_vault()?;
    let intake = Intake::new(&session.app, &mut vault, &[])?;
    let watch = Unmeasured(control);
    let report = adding::add(&mut vault, &intake, &mut inputs, false, &watch)?;
    Ok(shown(&report, &[]))
}

/// Adds a file, or what lies in a folder.
pub(crate) fn add_path(
    session: &Session,
    path: PathBuf,
    control: &Arc<Control>,
) -> Result<AddReport> {
    let mut unread = Vec::new();
    let mut inputs = adding::collect(&[path], &mut unread)?;
    if let ([], [one]) = (&inputs[..], &unread[..]) {
        // the one thing that was named is not there: that is an error, and no report
        let what = format!("{}: {}", one.file, one.why);
        return Err(vault_app::Error::new(
            vault_app::Exit::NotFound,
            "no-such-file",
            what,
        ));
    }
    let _turn = session.turn_of(control)?;
    let mut vault = session.own_vault()?;
    let intake = Intake::new(&session.app, &mut vault, &[])?;
    let watch = Watched {
        control,
        total: inputs.iter().map(Input::len).sum(),
    };
    let report = adding::add(&mut vault, &intake, &mut inputs, false, &watch)?;
    Ok(shown(&report, &unread))
}

/// Adds a new version of a record.
pub(crate) fn update(
    session: &Session,
    vault: &mut Vault,
    entry: &IndexEntry,
    content: &[u8],
) -> Result<()> {
    let intake = Intake::new(&session.app, vault, &[])?;
    let mut source = InMemory(content);
    match adding::update_record(vault, &intake, entry, &mut source, "the content")? {
        Updated::Version(_) | Updated::Known => Ok(()),
        Updated::Elsewhere(record) => {
            let what = format!("this content is there already, as record {record}");
            Err(vault_app::Error::new(
                vault_app::Exit::Failure,
                "refused",
                what,
            ))
        }
    }
}

/// Gives labels and takes them.
pub(crate) fn label(
    vault: &mut Vault,
    records: &[RecordId],
    add: &[String],
    remove: &[String],
) -> Result<()> {
    let add: Vec<Label> = types::all(add, "label")?;
    let remove: Vec<Label> = types::all(remove, "label")?;
    adding::relabel(vault, records, &add, &remove).map(drop)
}

/// A stream tells how far it is by itself.
struct Unmeasured<'a>(&'a Control);

impl Watch for Unmeasured<'_> {
    fn at(&self, _: u64) {}

    fn check(&self) -> Result<()> {
        self.0.check()
    }
}

/// A name as a file has one: of a path its last part.
pub(crate) fn file_name(name: &str) -> Result<String> {
    let name = adding::base_name(Path::new(name));
    match name.is_empty() {
        true => Err(invalid("bad-name", "a file name is needed")),
        false => Ok(name),
    }
}

/// What became of an import.
pub(crate) fn shown(report: &Report, unread: &[Unread]) -> AddReport {
    let total = report.total();
    let line = |remark: &Remark| match &remark.at {
        Some(at) => format!("{at}: {}", remark.what),
        None => remark.what.clone(),
    };
    let refused = report.refused.iter().map(|remark| Refusal {
        name: remark.file.clone(),
        reason: line(remark),
    });
    let unread = unread.iter().map(|unread| Refusal {
        name: unread.file.clone(),
        reason: unread.why.clone(),
    });
    let notes = report.notes.iter();
    let notes = notes.map(|note| format!("{}: {}", note.file, line(note)));
    let strangers = report.strangers.iter();
    let strangers = strangers.map(|stranger| {
        let who = stranger.person.shown();
        format!("{} may be about someone else: {who}", stranger.file)
    });
    AddReport {
        added: total.added,
        derived: total.derived,
        known: total.known,
        records: report.added.iter().map(ToString::to_string).collect(),
        refused: unread.chain(refused).collect(),
        notes: strangers.chain(notes).collect(),
    }
}
