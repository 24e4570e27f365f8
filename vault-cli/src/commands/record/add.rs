//! `medvault record add`.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use vault_app::Intake;
use vault_app::adding::{Input, Unread, Watch, feed};
use vault_core::Vault;
use vault_formats::{Counts, DryShelf, Remark, Report, SamePerson, VaultShelf};

use super::input::collect;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{BAD, Output, WARN, paint};
use crate::table::Table;
use crate::{progress, show};
use vault_app::Ids;

/// Refusals, notes and other people that are printed one by one.
const PRINTED: usize = 20;

/// Add files as records
///
/// Takes what portals, laboratories, discs and phones hand out, recognised by content: FHIR in JSON
/// (bundles, lists, NDJSON) and XML, C-CDA, HL7 v2, DICOM, Apple Health exports, SMART Health Cards,
/// zip archives and folders of these, PDFs, images and anything else. Every original is kept byte for
/// byte. A FHIR bundle or NDJSON file becomes one record per resource; from formats that are not
/// FHIR in JSON, FHIR resources are derived beside the original. Content that is in the vault
/// already is not added again, so an import that was interrupted is simply started again. What
/// cannot be taken is named, the rest is added, and the exit code is 4.
#[derive(Args)]
pub struct Add {
    /// Files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,

    /// Show what would be added and change nothing
    #[arg(long)]
    dry_run: bool,

    /// File name to keep for standard input
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    name: String,

    /// Keep each file whole, as one document, also where it could be read. Labels inside are not
    /// read, so such a record is shared only by its id
    #[arg(long, visible_alias = "kind-less")]
    as_document: bool,

    /// Keys of the issuers of SMART Health Cards, a JWK set in a file; may be repeated [default: the
    /// setting import.issuer_keys]
    #[arg(long, value_name = "FILE")]
    issuer_keys: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, args: Add) -> Result<Exit> {
    let mut unread = Vec::new();
    let mut inputs = collect(&args.paths, &args.name, &mut unread)?;
    let (app, mut vault) = context.app_and_vault()?;
    let intake = Intake::new(&app, &mut vault, &args.issuer_keys)?;
    let mut door = intake.door();
    door.as_documents = args.as_document;
    let sizes = inputs.iter().map(Input::len).sum();
    let bar = progress::bytes(context.out, sizes);
    let mut report = Report::default();
    let fed = vault.add(|adder| -> Result<()> {
        report = match args.dry_run {
            true => feed(door, &mut DryShelf::new(adder), &mut inputs, &Bar(&bar))?,
            false => feed(door, &mut VaultShelf::new(adder), &mut inputs, &Bar(&bar))?,
        };
        match args.dry_run {
            true => Err(Error::new(Exit::Ok, "dry-run", "")),
            false => Ok(()),
        }
    });
    bar.finish_and_clear();
    match fed {
        Ok(_) => {}
        Err(error) if args.dry_run && error.code == "dry-run" => {}
        Err(error) => return Err(error),
    }
    tell(context.out, &args, &mut vault, &report, &unread)?;
    let refused = !unread.is_empty() || report.total().refused > 0;
    Ok(match (refused, report.is_empty()) {
        (false, _) => Exit::Ok,
        (true, true) => Exit::Failure,
        (true, false) => Exit::Partial,
    })
}

/// Moves a bar.
pub struct Bar<'a>(pub &'a ProgressBar);

impl Watch for Bar<'_> {
    fn at(&self, done: u64) {
        self.0.set_position(done);
    }
}

fn tell(
    out: Output,
    args: &Add,
    vault: &mut Vault,
    report: &Report,
    unread: &[Unread],
) -> Result<()> {
    if out.json {
        return out.json(&as_json(args, report, unread));
    }
    tell_remarks(out, report, unread);
    let total = report.total();
    let refused = total.refused + unread.len() as u64;
    if report.formats.len() > 1 || total.files > 1 {
        out.note(table(report).trim_end());
    }
    if let (Some(meta), [id]) = (&report.first, &report.added[..])
        && !args.dry_run
    {
        let ids = Ids::new(vault.records()?.iter().map(|entry| entry.record));
        out.print(&format!(
            "{}  {}  {}\n",
            ids.short(id),
            meta.kind.as_str(),
            meta.title
        ))?;
    }
    out.print(&format!("{}\n", sentence(total, refused, args.dry_run)))
}

/// Says what was refused and what is odd.
pub fn tell_remarks(out: Output, report: &Report, unread: &[Unread]) {
    let refused = report.total().refused + unread.len() as u64;
    for refusal in unread.iter().take(PRINTED) {
        let text = format!(
            "{} {}: {}",
            paint(BAD, "refused:"),
            show::line(&refusal.file),
            refusal.why
        );
        out.say(text);
    }
    for remark in report.refused.iter().take(PRINTED) {
        out.say(format!("{} {}", paint(BAD, "refused:"), words(remark)));
    }
    more(out, refused, PRINTED, "refusals");
    for note in report.notes.iter().take(PRINTED) {
        out.note(format!("note: {}", words(note)));
    }
    more(out, report.notes.len() as u64, PRINTED, "notes");
    for stranger in report.strangers.iter().take(PRINTED) {
        let (file, who) = (show::line(&stranger.file), stranger.person.shown());
        out.warn(match stranger.same {
            SamePerson::Unclear => {
                format!("{file} may be about someone else: {who}")
            }
            _ => format!("{file} is about someone else: {who}"),
        });
    }
    more(
        out,
        report.strangers.len() as u64,
        PRINTED,
        "files about others",
    );
}

/// `12 records added, 3 derived, 4 already there, 1 refused`
fn sentence(total: Counts, refused: u64, dry_run: bool) -> String {
    let verb = if dry_run { "would be added" } else { "added" };
    let mut parts = vec![format!("{} {verb}", show::count(total.added, "record"))];
    if total.derived > 0 {
        parts.push(format!("{} derived from them", total.derived));
    }
    if total.known > 0 {
        parts.push(format!("{} already there", total.known));
    }
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    parts.join(", ")
}

fn table(report: &Report) -> String {
    let mut table = Table::new(&[
        "format",
        "files",
        "added",
        "derived",
        "already there",
        "refused",
    ]);
    for (format, counts) in &report.formats {
        let number = |count: u64| match count {
            0 => ("-".to_owned(), None),
            n => (n.to_string(), None),
        };
        table.row(vec![
            (format.name().to_owned(), None),
            number(counts.files),
            number(counts.added),
            number(counts.derived),
            number(counts.known),
            (
                number(counts.refused).0,
                (counts.refused > 0).then_some(WARN),
            ),
        ]);
    }
    table.render()
}

fn more(out: Output, count: u64, printed: usize, things: &str) {
    if count > printed as u64 {
        out.note(format!(
            "... and {} more {things}; --json lists all",
            count - printed as u64
        ));
    }
}

fn words(remark: &Remark) -> String {
    let at = remark
        .at
        .as_ref()
        .map_or(String::new(), |at| format!(", {at}"));
    let file = show::line(&remark.file);
    format!("{file}{at}: {}", show::line(&remark.what))
}

fn as_json(args: &Add, report: &Report, unread: &[Unread]) -> Value {
    let total = report.total();
    let remark =
        |remark: &Remark| json!({"file": remark.file, "at": remark.at, "why": remark.what});
    let refused_unread = unread.len() as u64;
    let unread = unread
        .iter()
        .map(|unread| json!({"file": unread.file, "at": null, "why": unread.why}));
    let formats = report.formats.iter().map(|(format, counts)| {
        json!({
            "format": format.name(),
            "files": counts.files,
            "added": counts.added,
            "derived": counts.derived,
            "known": counts.known,
            "refused": counts.refused,
        })
    });
    let strangers = report.strangers.iter().map(|stranger| {
        json!({
            "file": stranger.file,
            "person": stranger.person.shown(),
            "sure": stranger.same == SamePerson::Other,
        })
    });
    json!({
        "dry_run": args.dry_run,
        "added": total.added,
        "derived": total.derived,
        "known": total.known,
        "formats": formats.collect::<Vec<_>>(),
        "records": match args.dry_run {
            true => Vec::new(),
            false => report.added.iter().map(ToString::to_string).collect(),
        },
        "refused": unread.chain(report.refused.iter().map(remark)).collect::<Vec<_>>(),
        "refused_in_all": total.refused + refused_unread,
        "notes": report.notes.iter().map(remark).collect::<Vec<_>>(),
        "other_people": strangers.collect::<Vec<_>>(),
    })
}
