//! `medvault inbox list`.

use clap::Args;
use serde_json::json;
use vault_app::WaitingRoom;
use vault_core::{WaitingDeposit, WaitingDeposits};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::table::Table;
use crate::{show, time};
use vault_app::Ids;

/// List who shares with you, how fresh it is, and which deposits wait for your decision
#[derive(Args)]
pub struct List {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, device, inbox) = super::open(context)?;
    let waiting = WaitingDeposits::open(home.clone(), &device)?;
    // the vault is opened only to tell who has deposited
    let deposits = match waiting.list()?.is_empty() {
        true => Vec::new(),
        false => deposits(&mut WaitingRoom::with(
            &context.app(home)?,
            &device,
            waiting,
        )?)?,
    };
    if context.out.json {
        context.out.json_lines(inbox.list().iter().map(|f| {
            json!({
                "name": f.name(), "patient": f.patient(), "vault": f.vault().to_string(),
                "owner": f.owner().to_string(), "head": f.seq(),
                "accepted": time::rfc3339(f.accepted()), "synced": f.synced().map(time::rfc3339),
                "log_size": f.checkpoint().0, "log_root": f.checkpoint().1.to_string(),
            })
        }))?;
        context.out.json_lines(deposits.iter().map(|row| {
            json!({
                "deposit": row.waits.deposit.to_string(), "from": row.from,
                "owner": row.waits.owner.to_string(), "arrived": time::rfc3339(row.waits.time),
                "records": row.records, "bytes": row.waits.bytes, "message": row.message,
            })
        }))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["name", "patient", "head", "synced", "vault"]);
    for f in inbox.list() {
        let synced = f.synced().map_or_else(|| "never".to_owned(), time::minute);
        let vault: String = f.vault().to_string().chars().take(12).collect();
        table.row(vec![
            (f.name().to_owned(), None),
            (f.patient().to_owned(), None),
            (f.seq().to_string(), None),
            (synced, None),
            (vault, None),
        ]);
    }
    context.out.print(&table.render())?;
    if !deposits.is_empty() {
        if !inbox.list().is_empty() {
            context.out.print("\n")?;
        }
        let ids = Ids::new(deposits.iter().map(|row| row.waits.deposit));
        let mut table = Table::new(&["deposit", "from", "arrived", "records", "size", "message"]);
        for row in &deposits {
            table.plain([
                ids.short(row.waits.deposit),
                row.from.clone().unwrap_or_else(|| "?".to_owned()),
                time::minute(row.waits.time),
                row.records
                    .map_or_else(|| "?".to_owned(), |n| n.to_string()),
                show::bytes(row.waits.bytes),
                show::line(row.message.as_deref().unwrap_or("-")),
            ]);
        }
        context.out.print(&table.render())?;
        context
            .out
            .note("`medvault inbox show DEPOSIT` shows what a deposit holds");
    }
    if deposits.is_empty() && inbox.list().is_empty() {
        context
            .out
            .note("nothing is shared with you yet: `medvault inbox accept TICKET`");
    }
    Ok(Exit::Ok)
}

/// A deposit that waits.
struct Row {
    waits: WaitingDeposit,
    from: Option<String>,
    /// `None` when the note does not open.
    records: Option<usize>,
    message: Option<String>,
}

fn deposits(room: &mut WaitingRoom) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for waits in room.deposits.clone() {
        let note = room.vault.glance_at_deposit(&waits.deposit, &room.waiting);
        let (records, message) = match note {
            Ok((records, message)) => (Some(records), message),
            Err(_) => (None, None),
        };
        rows.push(Row {
            from: room.vault.depositor_name(&waits.owner)?,
            waits,
            records,
            message,
        });
    }
    Ok(rows)
}
