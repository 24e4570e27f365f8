//! `medvault audit export`: the log for other programs.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_app::statement::{Event, Names};
use vault_core::{PublicKey, Vault, VersionId};
use vault_formats::Moment;
use vault_formats::trail::Trail;

use super::filter::FilterArgs;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, show, time};

/// Write the log for other programs
///
/// What is written is no longer encrypted. Nothing in the vault changes.
#[derive(Args)]
pub struct Export {
    /// As FHIR resources: AuditEvent and Provenance
    #[arg(long, required = true)]
    fhir: bool,

    /// The new file; `-` is standard output
    #[arg(short, long, value_name = "FILE|-")]
    out: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    /// One resource on each line instead of one Bundle, for long logs
    #[arg(long)]
    ndjson: bool,

    #[command(flatten)]
    filter: FilterArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Export) -> Result<Exit> {
    let mut vault = context.vault()?;
    let entries = vault.audit_log()?;
    let mut names = Names::read(&mut vault, &entries)?;
    let events = (args.filter).select(&mut vault, &entries, &names, false)?;
    if events.is_empty() {
        let what = "no entry of the log is to be exported";
        return Err(Error::new(Exit::NotFound, "no-entries", what)
            .hint("`medvault audit log` with the same conditions shows what there is"));
    }
    names.read_records(&mut vault, &events)?;
    if files::is_dash(&args.out) {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write_fhir(&mut out, &vault, &names, &events, args.ndjson)?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let mut resources = 0;
    files::write_new(&args.out, args.force, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        resources = write_fhir(&mut out, &vault, &names, &events, args.ndjson)?;
        out.flush().map_err(|e| Error::file(&args.out, &e))
    })?;
    let place = args.out.display().to_string();
    if context.out.json {
        context.out.json(&json!({
            "output": place,
            "events": events.len(),
            "resources": resources,
        }))?;
    } else {
        let count = show::count(events.len() as u64, "event");
        context
            .out
            .print(&format!("{count} written to {place}\n"))?;
        context
            .out
            .note("It is not encrypted: keep it where nobody else looks, and delete it.");
    }
    Ok(Exit::Ok)
}

/// Writes the events as FHIR resources: a Bundle, or a line for each. Returns how many resources.
/// A receipt that is told with its release is an event of its own here.
fn write_fhir(
    out: &mut dyn Write,
    vault: &Vault,
    names: &Names,
    events: &[Event<'_>],
    ndjson: bool,
) -> Result<u64> {
    let person = |owner: &PublicKey| names.known(owner).map(str::to_owned);
    let record = |version: &VersionId| names.version(version).map(|title| title.record);
    let trail = Trail::new(vault.id(), vault.name(), &person).with_records(&record);
    let entries = events.iter().flat_map(|event| {
        let receipt = event.receipt.filter(|_| event.with_receipt);
        [Some(event.entry), receipt].into_iter().flatten()
    });
    if ndjson {
        return trail.write_lines::<Error>(entries.map(|entry| Ok(entry.clone())), out);
    }
    let bundle = trail.bundle(entries, Moment(time::now()));
    let count = bundle["entry"].as_array().map_or(0, Vec::len) as u64;
    serde_json::to_writer_pretty(&mut *out, &bundle).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(count)
}
