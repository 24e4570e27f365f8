//! `medvault inbox show`.

use clap::Args;
use serde_json::json;
use vault_core::DepositedRecord;

use crate::context::Context;
use crate::deposits;
use crate::error::{Exit, Result};
use crate::output::{BOLD, GOOD, WARN, paint};
use crate::table::Table;
use crate::{show, time};

/// Show what a deposit holds, before you decide about it
///
/// Everything in it is checked: who signed it, and that every record opens. Titles, authors and
/// dates are the sender's words.
#[derive(Args)]
pub struct Show {
    /// The deposit, by its id or the beginning of it
    deposit: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &Show) -> Result<Exit> {
    let mut room = deposits::open(context)?;
    let deposit = deposits::find(&room, &args.deposit)?;
    let waits = room.waiting.find(&deposit)?;
    let parcel = room.waiting.parcel(&deposit)?;
    let rules = room.app.sensitivity();
    let view = room.vault.open_deposit(&parcel, &rules)?;
    let verified = view.contact.verified.is_some();
    if context.out.json {
        let records = view.records.iter().map(|record| {
            let mut value = show::entry_json(&record.entry);
            value["labels_added_here"] = record.added_labels.into();
            value
        });
        context.out.json(&json!({
            "deposit": deposit.to_string(),
            "from": view.contact.name,
            "owner": waits.owner.to_string(),
            "verified": verified,
            "signature": "valid",
            "message": view.message,
            "made": time::rfc3339(view.created),
            "arrived": time::rfc3339(waits.time),
            "bytes": waits.bytes,
            "records": records.collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Ok);
    }
    let who = match verified {
        true => paint(GOOD, "verified"),
        false => paint(WARN, "NOT VERIFIED: it may be from someone else"),
    };
    let mut text = format!(
        "{}\n\n  from         {}, {who}\n  signature    {}\n  made         {}\n  arrived      {}\n  \
         size         {}\n",
        paint(BOLD, format!("deposit {deposit}")),
        view.contact.name,
        paint(GOOD, "valid"),
        time::minute(view.created),
        time::minute(waits.time),
        show::bytes(waits.bytes),
    );
    if let Some(message) = &view.message {
        text.push_str(&format!("  message      {}\n", show::line(message)));
    }
    text.push('\n');
    text.push_str(&table(&view.records));
    context.out.print(&text)?;
    let labelled = view.records.iter().filter(|r| r.added_labels).count() as u64;
    if labelled > 0 {
        context.out.note(format!(
            "{} gets sensitivity labels that the sender did not give",
            show::count(labelled, "record")
        ));
    }
    let id = deposits::ids(&room).short(deposit);
    context.out.note(format!(
        "Take it with `medvault inbox accept {id}`, or `medvault inbox decline {id}`"
    ));
    Ok(Exit::Ok)
}

/// The records, in the sender's words.
fn table(records: &[DepositedRecord]) -> String {
    let mut table = Table::new(&["date", "category", "kind", "labels", "author", "title"]);
    for record in records {
        let meta = &record.entry.meta;
        let date = meta.date.as_ref().map_or("-", |date| date.as_str());
        let sensitive = meta.is_sensitive().then_some(WARN);
        table.row(vec![
            (date.chars().take(10).collect(), None),
            (meta.category.to_string(), None),
            (meta.kind.as_str().to_owned(), None),
            (show::labels(&meta.labels), sensitive),
            (show::line(meta.author.as_deref().unwrap_or("-")), None),
            (show::line(&meta.title), None),
        ]);
    }
    table.render()
}
