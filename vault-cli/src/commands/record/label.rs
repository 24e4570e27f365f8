//! `medvault record label`.

use clap::Args;
use serde_json::json;
use vault_app::adding::{relabel, relatives};
use vault_core::{GrantId, Label, RecordId, Vault};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::show;
use vault_app::Ids;

/// Put labels on records, or take them off
///
/// A record with a sensitive label, such as PSY or PRS (closed by the patient), joins no grant that
/// does not name the label or the record. The content stays as it is: the labels are part of a new
/// version that you sign. A label goes on everything that says the same: what was derived from the
/// record, and the original that it was derived from. What a grant opens already it goes on opening, and the command says so.
#[derive(Args)]
pub struct LabelArgs {
    /// Records, by their ids or the beginnings of them
    #[arg(value_name = "RECORD", required = true)]
    records: Vec<String>,

    /// Label to put on; may be repeated
    #[arg(long, value_name = "LABEL", required_unless_present = "remove")]
    add: Vec<Label>,

    /// Label to take off; may be repeated
    #[arg(long, value_name = "LABEL")]
    remove: Vec<Label>,

    /// Show which records would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask before a record becomes less protected
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &LabelArgs) -> Result<Exit> {
    let mut vault = context.vault()?;
    let all = vault.records()?;
    let ids = Ids::new(all.iter().map(|entry| entry.record));
    let wanted: Result<Vec<RecordId>> = args
        .records
        .iter()
        .map(|text| ids.find(text, "record", "record list"))
        .collect();
    let wanted = wanted?;
    let relatives = relatives(&all, &wanted);
    let concerned: Vec<_> = all
        .iter()
        .filter(|entry| {
            let labels = &entry.meta.labels;
            let named = wanted.contains(&entry.record);
            let gains = args.add.iter().any(|label| !labels.contains(label));
            let loses = args.remove.iter().any(|label| labels.contains(label));
            named && (gains || loses) || relatives.contains(&entry.record) && gains
        })
        .collect();
    if args.dry_run {
        if context.out.json {
            context
                .out
                .json_lines(concerned.iter().map(|entry| show::entry_json(entry)))?;
        } else {
            context
                .out
                .print(&show::entry_table(concerned.iter().copied(), &ids))?;
            context.out.note(format!(
                "{} would change. Nothing was changed.",
                show::count(concerned.len() as u64, "record")
            ));
        }
        return Ok(Exit::Ok);
    }
    let opens = args.remove.iter().any(Label::is_sensitive)
        && concerned.iter().any(|entry| entry.meta.is_sensitive());
    if opens {
        let question = "Take sensitive labels off? Standing grants that fit will open the records";
        context.consent(args.yes, question)?;
    }
    let changed = relabel(&mut vault, &wanted, &args.add, &args.remove)?;
    let count = show::count(changed.len() as u64, "record");
    if context.out.json {
        context
            .out
            .json_lines(changed.iter().map(|(record, relabelled)| {
                let grants = relabelled.still_readable.iter();
                json!({
                    "record": record.to_string(),
                    "version": relabelled.version.map(|version| version.to_string()),
                    "still_readable": grants.map(ToString::to_string).collect::<Vec<_>>(),
                })
            }))?;
        return Ok(Exit::Ok);
    }
    let mut open: Vec<GrantId> = changed
        .into_iter()
        .flat_map(|(_, relabelled)| relabelled.still_readable)
        .collect();
    open.sort();
    open.dedup();
    warn_of(context, &mut vault, &open)?;
    context.out.print(&format!("{count} labelled\n"))?;
    Ok(Exit::Ok)
}

/// Earlier versions stay readable in these grants.
fn warn_of(context: &Context, vault: &mut Vault, open: &[GrantId]) -> Result<(), Error> {
    let grants = vault.grants()?;
    let ids = Ids::new(grants.iter().map(|grant| grant.id));
    for grant in grants.iter().filter(|grant| open.contains(&grant.id)) {
        let id = ids.short(grant.id);
        context.out.warn(format!(
            "{} could read it before and still can; `medvault revoke {id}` takes that grant back",
            grant.readers.join(", "),
        ));
    }
    Ok(())
}
