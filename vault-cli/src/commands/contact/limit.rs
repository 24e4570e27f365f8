//! `medvault contact limit`.

use clap::Args;
use vault_core::DepositLimit;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{show, size};

/// Say whether a contact may deposit records, and how much
///
/// What arrives waits in the inbox until you accept or decline it; the limit is on what may wait. A
/// contact without a limit cannot deposit, unless a grant allows it.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("leave").required(true))]
pub struct Limit {
    /// The contact
    name: String,

    /// Most that may wait for your decision, such as 100MB
    #[arg(long, value_name = "SIZE", value_parser = size::parse, group = "leave")]
    deposits: Option<u64>,

    /// Most deposits in 24 hours
    #[arg(long, value_name = "N", conflicts_with = "no_deposits")]
    #[arg(default_value_t = DepositLimit::PER_DAY)]
    per_day: u32,

    /// Take no deposits
    #[arg(long, group = "leave")]
    no_deposits: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Limit) -> Result<Exit> {
    let limit = args.deposits.map(|bytes| DepositLimit {
        bytes,
        per_day: args.per_day,
    });
    let contact = context.vault()?.set_deposit_limit(&args.name, limit)?;
    if context.out.json {
        context.out.json(&super::contact_json(&contact))?;
        return Ok(Exit::Ok);
    }
    let words = match &contact.deposits {
        Some(limit) => format!("may deposit: {}", words(limit)),
        None => "may not deposit".to_owned(),
    };
    context
        .out
        .print(&format!("contact {} {words}\n", contact.name))?;
    if contact.verified.is_none() && contact.deposits.is_some() {
        context.out.warn(format!(
            "nobody has compared the fingerprint of {}",
            contact.name
        ));
    }
    Ok(Exit::Ok)
}

/// A limit in words.
pub fn words(limit: &DepositLimit) -> String {
    format!(
        "up to {} waiting, {} a day",
        show::bytes(limit.bytes),
        limit.per_day
    )
}
