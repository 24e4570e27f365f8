//! `medvault pin sync`.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use vault_app::Pinning;
use vault_app::pinning::{Brought, refused, state};
use vault_core::pinning::{GivenRoot, PinApi, PinService, Step, plan};

use crate::commands::revoke::{receipt_json, receipt_words};
use crate::context::Context;
use crate::error::{Exit, Result};

/// Give the pinning services the newest state, and let them drop the old one
///
/// The old copy goes only when a service says that it holds the new one. The command may be
/// interrupted at any time and run again. Services fetch from the running `medvault serve`.
#[derive(Args)]
pub struct Sync {
    /// Only these services
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Wait until every service holds the newest state, or so many seconds [default: 300]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300")]
    wait: Option<u64>,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Sync) -> Result<Exit> {
    let (app, mut vault) = context.app_and_vault()?;
    Pinning::need_home(&app)?;
    let mut pinning = Pinning::open(app.home(), &vault)?;
    let chosen = pinning.chosen(&args.names)?;
    if chosen.is_empty() {
        context.out.note(
            "no pinning service yet: `medvault pin add NAME --endpoint URL --token-file FILE`",
        );
        return Ok(Exit::Ok);
    }
    if args.dry_run {
        return dry_run(context, &pinning, &vault.head().block().cid(), &chosen);
    }
    pinning.warn_unless_served(&context.warn());
    let patience = Duration::from_secs(args.wait.unwrap_or(0));
    let (brought, receipts) = pinning.bring_all(&mut vault, chosen, patience)?;
    for receipt in &receipts {
        match context.out.json {
            true => context.out.json(&receipt_json(&vault, receipt))?,
            false => context.out.print(&receipt_words(&vault, receipt))?,
        }
    }
    report(context, brought, args.wait.is_some())
}

fn report(context: &Context, brought: Vec<Brought>, waited: bool) -> Result<Exit> {
    let (all, mut failed, mut open) = (brought.len(), 0, 0);
    let mut last = None;
    for (name, outcome) in brought {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if all > 1 {
                    context.out.warn(format!("{name}: {}", error.message));
                }
                failed += 1;
                last = Some(error);
                continue;
            }
        };
        open += usize::from(!outcome.settled);
        if context.out.json {
            context.out.json(&json!({
                "name": name, "root": outcome.root.map(|root| root.to_string()),
                "status": outcome.status.map(|status| status.as_str()),
                "settled": outcome.settled, "steps": outcome.steps, "dropped": outcome.dropped,
            }))?;
        } else {
            context.out.note(format!("{name}: {}", state(&outcome)));
        }
    }
    match last {
        Some(error) if failed == all => Err(error),
        Some(_) => Ok(Exit::Partial),
        None if waited && open > 0 => Ok(Exit::Partial),
        None => Ok(Exit::Ok),
    }
}

fn dry_run(
    context: &Context,
    pinning: &Pinning,
    head: &vault_core::Cid,
    chosen: &[PinService],
) -> Result<Exit> {
    for service in chosen {
        let roots: Vec<_> = service.roots.iter().map(GivenRoot::root).collect();
        let listed = match roots.is_empty() {
            true => Vec::new(),
            false => pinning
                .account(service)?
                .list(&roots)
                .map_err(|error| match error {
                    vault_http::pinning::PinningError::Http(error) => refused(error),
                    other => crate::error::Error::new(Exit::Network, "service", other),
                })?,
        };
        let steps = plan(&service.roots, &listed, head, false);
        let words: Vec<String> = steps.iter().map(words).collect();
        if context.out.json {
            context
                .out
                .json(&json!({"name": service.name.as_str(), "steps": words}))?;
            continue;
        }
        let words = match words.is_empty() {
            true => "nothing to do".to_owned(),
            false => words.join(", "),
        };
        context.out.print(&format!("{}: {words}\n", service.name))?;
    }
    Ok(Exit::Ok)
}

/// A step in words.
pub fn words(step: &Step) -> String {
    match step {
        Step::Make => "make a new root and ask for it".to_owned(),
        Step::Ask(root) => format!("ask for {root}"),
        Step::Settle(root) => format!("note that {root} is held"),
        Step::Drop(request) => format!("withdraw request {request}"),
        Step::Forget(root) => format!("forget {root}"),
        Step::Wait(root) => format!("wait for {root}"),
    }
}
