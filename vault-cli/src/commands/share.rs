//! `medvault share`: a grant, and a ticket for each reader.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use vault_core::{
    Category, ClinicalDate, Code, Extent, IndexEntry, Kind, Label, Preset, Preview, Purpose,
    RecordId, Scope, ShareRequest, Shared, Vault,
};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::ids::Ids;
use crate::output::{BOLD, WARN, paint};
use crate::table::Table;
use crate::{files, node, show, time};

/// Let people read some of your records
///
/// Prints one ticket for each reader. A ticket is sealed to its reader and holds no key to a
/// record: hand it over any way you like. Records with sensitive labels stay out unless you name
/// the label or the record.
#[derive(Args)]
pub struct Share {
    /// A contact who may read; may be repeated
    #[arg(long = "with", value_name = "NAME", required = true)]
    readers: Vec<String>,

    #[command(flatten)]
    choice: Choice,

    /// Only what is there now; later records do not join
    #[arg(long)]
    snapshot: bool,

    /// When the grant ends by itself: 12h, 30d, 6w, 3m, 1y, or the last day, 2026-12-31
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,

    /// Why: words of your own, or an HL7 code such as TREAT
    #[arg(long, value_name = "PURPOSE", value_parser = purpose)]
    purpose: Option<Purpose>,

    /// Show exactly what would become readable and what would stay out; change nothing
    #[arg(long)]
    dry_run: bool,

    /// Write the ticket to this new file; with several readers, to FILE-NAME for each
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Share also with contacts whose fingerprint nobody has compared
    #[arg(long)]
    yes: bool,
}

/// Which records.
#[derive(Args)]
struct Choice {
    /// Records, by their ids or the beginnings of them
    #[arg(value_name = "RECORD")]
    records: Vec<String>,

    /// FHIR resource type or `Document`; may be repeated
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,

    /// Category, such as lab or imaging; may be repeated
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<Category>,

    /// Code, such as 4548-4 or loinc|4548-4; may be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<Code>,

    /// A scope with a name, such as emergency or labs-2y: `medvault scope list` explains them.
    /// Other conditions add to what it selects, or narrow it
    #[arg(long, value_name = "NAME")]
    scope: Option<Preset>,

    /// Every record, as far as the other conditions allow
    #[arg(long)]
    all: bool,

    /// Earliest clinical date
    #[arg(long, value_name = "DATE")]
    since: Option<ClinicalDate>,

    /// Latest clinical date
    #[arg(long, value_name = "DATE")]
    until_date: Option<ClinicalDate>,

    /// Let records with this sensitive label in; may be repeated
    #[arg(long, value_name = "LABEL")]
    with_label: Vec<Label>,

    /// Keep records with this label out, whatever else holds; may be repeated
    #[arg(long, value_name = "LABEL")]
    without_label: Vec<Label>,
}

fn purpose(text: &str) -> Result<Purpose, String> {
    text.parse().map_err(|error: &str| error.to_owned())
}

impl Choice {
    fn scope(&self, ids: &Ids) -> Result<Scope> {
        let records: Result<BTreeSet<RecordId>> = self
            .records
            .iter()
            .map(|text| ids.find(text, "record", "record list"))
            .collect();
        let mut scope = match self.scope {
            Some(preset) => preset.scope(&time::today()?),
            None => Scope::default(),
        };
        scope.all |= self.all;
        scope.records.extend(records?);
        scope.kinds.extend(self.kind.iter().cloned());
        scope.categories.extend(self.category.iter().copied());
        scope.codes.extend(self.code.iter().cloned());
        scope.with_labels.extend(self.with_label.iter().cloned());
        scope
            .without_labels
            .extend(self.without_label.iter().cloned());
        if self.since.is_some() {
            scope.since.clone_from(&self.since);
        }
        if self.until_date.is_some() {
            scope.until.clone_from(&self.until_date);
        }
        if scope.is_empty() {
            return Err(Error::usage("nothing is named that is to be shared")
                .hint("name records, --scope, --kind, --category, --code or --all"));
        }
        Ok(scope)
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &Share) -> Result<Exit> {
    let expires = args.expires.as_deref().map(time::parse_end).transpose()?;
    let (home, mut vault) = context.home_and_vault()?;
    let ids = Ids::new(vault.records()?.iter().map(|entry| entry.record));
    let scope = args.choice.scope(&ids)?;
    let preview = vault.preview(&scope)?;
    let unverified = unverified(&mut vault, &args.readers)?;
    if args.dry_run {
        dry_run(context, &preview, &ids, &unverified)?;
        return Ok(Exit::Ok);
    }
    if !unverified.is_empty() {
        consent_to_unverified(context, args, &unverified)?;
    }
    refuse_existing_files(args, &mut vault)?;
    let address = node::address(&home, &vault)?;
    let request = ShareRequest {
        readers: args.readers.clone(),
        scope,
        extent: if args.snapshot {
            Extent::Snapshot
        } else {
            Extent::Standing
        },
        purpose: args.purpose.clone(),
        expires,
    };
    let shared = vault.share(request, &address)?;
    let grants = Ids::new(vault.grants()?.iter().map(|grant| grant.id));
    report(context, args, &shared, &preview, &grants)?;
    Ok(Exit::Ok)
}

/// The readers that nobody has verified.
fn unverified(vault: &mut Vault, readers: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for reader in readers {
        let contact = vault.contact(reader)?;
        if contact.verified.is_none() {
            names.push(contact.name);
        }
    }
    Ok(names)
}

fn consent_to_unverified(context: &Context, args: &Share, names: &[String]) -> Result<()> {
    let names = names.join(", ");
    if args.yes {
        context
            .out
            .warn(format!("nobody has compared the fingerprint of {names}"));
        return Ok(());
    }
    if !context.can_ask() {
        let what = format!("nobody has compared the fingerprint of {names}");
        return Err(Error::new(Exit::Terms, "unverified", what)
            .hint("`medvault contact verify NAME`, or add --yes to share all the same"));
    }
    context.out.warn(format!(
        "nobody has compared the fingerprint of {names}: the card may be someone else's"
    ));
    context.consent(false, "Share all the same?")
}

/// A grant whose ticket then cannot be written would be a nuisance: look before.
fn refuse_existing_files(args: &Share, vault: &mut Vault) -> Result<()> {
    for reader in &args.readers {
        let name = vault.contact(reader)?.name;
        if let Some(path) = ticket_path(args, &name)
            && path.symlink_metadata().is_ok()
        {
            let what = format!("{} is there already", path.display());
            return Err(Error::new(Exit::Failure, "file-exists", what).hint("choose another name"));
        }
    }
    Ok(())
}

/// Where a reader's ticket goes; a contact's name becomes a safe part of a file name.
fn ticket_path(args: &Share, reader: &str) -> Option<PathBuf> {
    let path = args.output.as_ref().filter(|path| !files::is_dash(path))?;
    if args.readers.len() == 1 {
        return Some(path.clone());
    }
    let safe: String = reader
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{safe}"));
    Some(name.into())
}

fn dry_run(context: &Context, preview: &Preview, ids: &Ids, unverified: &[String]) -> Result<()> {
    let out = context.out;
    for name in unverified {
        out.warn(format!("nobody has compared the fingerprint of {name}"));
    }
    if out.json {
        let line = |entry: &IndexEntry, reason: Option<String>| -> Value {
            let mut value = show::entry_json(entry);
            value["readable"] = json!(reason.is_none());
            value["reason"] = json!(reason);
            value
        };
        let included = preview.included.iter().map(|entry| line(entry, None));
        let left = preview
            .left_out
            .iter()
            .map(|(e, reason)| line(e, Some(reason.to_string())));
        return out.json_lines(included.chain(left));
    }
    let mut text = format!("{}\n", paint(BOLD, "Would become readable:"));
    match preview.included.is_empty() {
        true => text.push_str("nothing\n"),
        false => text.push_str(&show::entry_table(&preview.included, ids)),
    }
    if !preview.left_out.is_empty() {
        text.push_str(&format!("\n{}\n", paint(BOLD, "Would stay closed:")));
        let mut table = Table::new(&["id", "date", "category", "why", "title"]);
        for (entry, reason) in &preview.left_out {
            let date = entry.meta.date.as_ref().map_or("-", |date| date.as_str());
            table.row(vec![
                (ids.short(entry.record), None),
                (date.to_owned(), None),
                (entry.meta.category.to_string(), None),
                (reason.to_string(), Some(WARN)),
                (entry.meta.title.clone(), None),
            ]);
        }
        text.push_str(&table.render());
    }
    text.push_str(&format!(
        "\n{} readable, {} left out, {} not asked for. Nothing was changed.\n",
        show::count(preview.included.len() as u64, "record"),
        preview.left_out.len(),
        preview.not_selected,
    ));
    out.print(&text)
}

fn report(
    context: &Context,
    args: &Share,
    shared: &Shared,
    preview: &Preview,
    grants: &Ids,
) -> Result<()> {
    let grant = &shared.grant;
    for (reader, ticket) in &shared.tickets {
        if let Some(path) = ticket_path(args, reader) {
            files::write_bytes(&path, false, format!("{ticket}\n").as_bytes())?;
        }
    }
    if context.out.json {
        let tickets = shared.tickets.iter().map(|(reader, ticket)| {
            json!({"reader": reader, "ticket": ticket, "file": ticket_path(args, reader)})
        });
        return context.out.json(&json!({
            "grant": grant.id.to_string(),
            "readers": grant.readers,
            "versions": grant.versions,
            "left_out": preview.left_out.len(),
            "expires": grant.terms.expires.map(time::rfc3339),
            "extent": grant.terms.extent,
            "tickets": tickets.collect::<Vec<_>>(),
        }));
    }
    let out = context.out;
    out.note(format!(
        "{} can read {}{}.",
        grant.readers.join(", "),
        show::count(grant.versions, "record"),
        match grant.terms.expires {
            Some(end) => format!(" until {}", time::minute(end)),
            None => String::new(),
        },
    ));
    if !preview.left_out.is_empty() {
        let left = preview.left_out.len() as u64;
        let stay = if left == 1 { "stays" } else { "stay" };
        out.note(format!(
            "{} {stay} closed; --dry-run lists which and why.",
            show::count(left, "record")
        ));
    }
    let id = grants.short(grant.id);
    out.note(format!(
        "Grant {id}. To take it back: `medvault revoke {id}`"
    ));
    let several = shared.tickets.len() > 1;
    for (reader, ticket) in &shared.tickets {
        match ticket_path(args, reader) {
            Some(path) => out.note(format!("Ticket for {reader} written to {}", path.display())),
            None => {
                if several {
                    out.note(format!("Ticket for {reader}:"));
                }
                out.print(&format!("{ticket}\n"))?;
            }
        }
    }
    Ok(())
}
