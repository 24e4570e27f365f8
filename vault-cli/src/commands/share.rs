//! `medvault share`: a grant, and a ticket for each reader.

mod choice;
mod consent;
mod on_request;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use vault_core::{
    Extent, IndexEntry, OnRequestTerms, Preview, Purpose, ShareRequest, Shared, Vault,
};

use super::agreement::words::conditions_into;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{BOLD, WARN, paint};
use crate::table::Table;
use crate::{files, show, time};
use choice::Choice;
use consent::FromConsent;
use on_request::OnRequestArgs;
use vault_app::Ids;

/// Let people read some of your records
///
/// Prints one ticket for each reader. A ticket is sealed to its reader and holds no key to a
/// record: hand it over any way you like. Records with sensitive labels stay out unless you name
/// the label or the record.
///
/// As a rule the keys travel inside the grant: it works while you are offline, and you cannot see
/// what is read. With --on-request each key is asked for, and given out by your `medvault serve`
/// only after it stands in your audit log.
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

    #[command(flatten)]
    on_request: OnRequestArgs,

    /// Take the terms from a FHIR R4 or R5 Consent; `-` is standard input. What is not understood
    /// in it never widens them
    #[arg(long, value_name = "FILE|-", conflicts_with_all = [
        "records", "kind", "category", "code", "scope", "all", "since", "until_date", "with_label",
        "without_label", "snapshot", "expires", "purpose", "on_request",
    ])]
    consent: Option<PathBuf>,

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

fn purpose(text: &str) -> Result<Purpose, String> {
    text.parse().map_err(|error: &str| error.to_owned())
}

/// Runs the command.
pub fn run(context: &Context, args: &Share) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let ids = Ids::new(vault.records()?.iter().map(|entry| entry.record));
    let (request, offer) = match &args.consent {
        Some(path) => {
            let consent = FromConsent::read(path, &args.readers, &mut vault)?;
            consent.explain(context.out);
            (consent.request, consent.offer)
        }
        None => asked_for(args, &ids)?,
    };
    let preview = vault.preview(&request.scope)?;
    let everyone: Vec<String> = (args.readers.iter())
        .chain(offer.iter().flat_map(|offer| &offer.agents))
        .cloned()
        .collect();
    let unverified = vault_app::unverified(&mut vault, &everyone)?;
    if args.dry_run {
        dry_run(context, &preview, &ids, &unverified)?;
        if offer.is_some() {
            context.out.note(on_request::NOT_YET);
        }
        return Ok(Exit::Ok);
    }
    if !unverified.is_empty() {
        consent_to_unverified(context, args, &unverified)?;
    }
    refuse_existing_files(args, &mut vault)?;
    let address = vault_app::node_address(&home, &vault)?;
    let shared = match offer {
        Some(offer) => vault.offer(request, offer, &address)?,
        None => vault.share(request, &address)?,
    };
    let grants = Ids::new(vault.grants()?.iter().map(|grant| grant.id));
    report(context, args, &shared, &preview, &grants)?;
    Ok(Exit::Ok)
}

/// What the command line asks for.
fn asked_for(args: &Share, ids: &Ids) -> Result<(ShareRequest, Option<OnRequestTerms>)> {
    let expires = args.expires.as_deref().map(time::parse_end).transpose()?;
    let offer = args.on_request.terms(expires)?;
    let request = ShareRequest {
        readers: args.readers.clone(),
        scope: args.choice.scope(ids)?,
        extent: if args.snapshot {
            Extent::Snapshot
        } else {
            Extent::Standing
        },
        purpose: args.purpose.clone(),
        expires,
    };
    Ok((request, offer))
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

/// Whom it is for, whether they have agreed or not.
fn readers(shared: &Shared) -> Vec<String> {
    let offered = shared.grant.agreement.iter();
    let offered = offered.flat_map(|agreement| &agreement.offered);
    shared
        .grant
        .readers
        .iter()
        .chain(offered)
        .cloned()
        .collect()
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
        let mut value = json!({
            "grant": grant.id.to_string(),
            "delivery": grant.terms.delivery,
            "readers": readers(shared),
            "versions": grant.versions,
            "left_out": preview.left_out.len(),
            "expires": grant.terms.expires.map(time::rfc3339),
            "extent": grant.terms.extent,
            "tickets": tickets.collect::<Vec<_>>(),
        });
        if grant.agreement.is_some() {
            conditions_into(&grant.terms, &mut value);
        }
        return context.out.json(&value);
    }
    let out = context.out;
    let on_request = grant.agreement.is_some();
    out.note(format!(
        "{} {} {}{}.",
        readers(shared).join(", "),
        match on_request {
            true => "may ask for",
            false => "can read",
        },
        show::count(grant.versions, "record"),
        match grant.terms.expires {
            Some(end) => format!(" until {}", time::minute(end)),
            None => String::new(),
        },
    ));
    if on_request {
        on_request::explain(out, &grant.terms);
    }
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
