//! `medvault revoke`: take access back, and say honestly what that achieved.

mod receipt;

use clap::Args;
use vault_app::pinning::PATIENCE;
use vault_app::{Next, Pinning, close_agents};
use vault_core::{GrantId, GrantStatus, Receipt, RekeyProgress, RevokeLevel, RevokeTarget, Vault};

use super::grant::find;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{progress, show};

pub use receipt::{receipt_json, receipt_words};

/// Take access back
///
/// First the reader is shut out of everything that comes after; this takes a moment, however many
/// records there are. Then what the reader could open is sealed again under new keys and the old
/// blocks are deleted here and at every pinning service. Nobody can call back what was fetched
/// before; the receipt says so, and names each service that did not confirm.
///
/// Under a grant on request, what was never asked for stays closed for good, and only what was opened
/// is sealed again.
#[derive(Args)]
pub struct Revoke {
    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT", required_unless_present_any = ["contact", "resume"])]
    grant: Option<String>,

    /// Every grant of this contact; other readers of the same grants keep theirs
    #[arg(long, value_name = "NAME", conflicts_with = "grant")]
    contact: Option<String>,

    /// Shut the reader out, but do not seal anything again
    #[arg(long)]
    stop_only: bool,

    /// Finish what an earlier revocation has begun
    #[arg(long, conflicts_with_all = ["grant", "contact", "stop_only"])]
    resume: bool,

    /// Name the records that were opened under a grant on request
    #[arg(long)]
    verbose: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Revoke) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let mut pinning = Pinning::open(&home, &vault)?;
    if args.resume {
        return resume(context, args, &mut vault, &mut pinning);
    }
    let target = target(&mut vault, args)?;
    let question = question(&mut vault, &target)?;
    context.consent(args.yes, &question)?;
    let level = match args.stop_only {
        true => RevokeLevel::Stop,
        false => RevokeLevel::Rekey,
    };
    if let RevokeTarget::Grant(grant) = &target {
        close_agents(&context.warn(), &mut vault, &[*grant])?;
    }
    let revocations = vault.revoke(&target, level)?;
    if revocations.is_empty() {
        return Err(Error::new(
            Exit::NotFound,
            "no-grant",
            "this contact has no grant in force",
        )
        .hint("`medvault grant list` shows all grants"));
    }
    context
        .out
        .note("Shut out. Nothing that comes after can be read.");
    let mut receipts: Vec<Receipt> = revocations
        .iter()
        .filter_map(|r| r.receipt.clone())
        .collect();
    let pending: Vec<GrantId> = revocations
        .iter()
        .filter(|r| r.receipt.is_none())
        .map(|r| r.grant)
        .collect();
    let sealed =
        rekey(context, &mut vault, &mut pinning, &pending).map_err(|error| match error.hint {
            Some(_) => error,
            None => error.hint("the reader is shut out; `medvault revoke --resume` does the rest"),
        })?;
    receipts.extend(sealed);
    report(context, args, &mut vault, &receipts)
}

fn target(vault: &mut Vault, args: &Revoke) -> Result<RevokeTarget> {
    if let Some(name) = &args.contact {
        return Ok(RevokeTarget::Contact(vault.contact(name)?.name));
    }
    let text = args.grant.as_deref().unwrap_or_default();
    Ok(RevokeTarget::Grant(find(vault, text)?.0.id))
}

fn question(vault: &mut Vault, target: &RevokeTarget) -> Result<String> {
    Ok(match target {
        RevokeTarget::Grant(id) => {
            let (grant, _) = find(vault, &id.to_string())?;
            let offered = grant.agreement.iter().flat_map(|a| a.offered.clone());
            let all: Vec<String> = grant.readers.iter().cloned().chain(offered).collect();
            let who = match all.is_empty() {
                true => "the former readers".to_owned(),
                false => all.join(", "),
            };
            let what = show::count(grant.versions, "record version");
            match grant.status {
                GrantStatus::Active => format!("Take {what} back from {who}?"),
                _ => format!("Seal {what} again that {who} could read?"),
            }
        }
        RevokeTarget::Contact(name) => format!("Take everything back from {name}?"),
    })
}

/// Finishes what was begun: bodies to seal again, and services that had not confirmed.
fn resume(
    context: &Context,
    args: &Revoke,
    vault: &mut Vault,
    pinning: &mut Pinning,
) -> Result<Exit> {
    let pending = vault.pending_rekeys()?;
    let waiting = vault.unconfirmed_receipts()?;
    if pending.is_empty() && waiting.is_empty() {
        context.out.note("nothing is left to do");
    }
    let mut receipts = rekey(context, vault, pinning, &pending)?;
    if !waiting.is_empty() {
        let chosen = pinning.chosen(&[])?;
        let (brought, confirmed) = pinning.bring_all(vault, chosen, PATIENCE)?;
        for (name, outcome) in brought {
            if let Err(error) = outcome {
                context.out.warn(format!("{name}: {}", error.message));
            }
        }
        let still = vault.unconfirmed_receipts()?;
        let known: Vec<_> = confirmed.iter().map(|receipt| receipt.grant).collect();
        receipts.extend(confirmed);
        receipts.extend(still.into_iter().filter(|r| !known.contains(&r.grant)));
    }
    report(context, args, vault, &receipts)
}

/// Seals again, moves the pinning services off the old blocks, and issues the receipts.
fn rekey(
    context: &Context,
    vault: &mut Vault,
    pinning: &mut Pinning,
    grants: &[GrantId],
) -> Result<Vec<Receipt>> {
    let bar = progress::bar(context.out, 0, "versions sealed again");
    let mut show = |_: &GrantId, step: &RekeyProgress| {
        bar.set_length(step.count + step.left);
        bar.set_position(step.count);
        Next::Go
    };
    let done = vault_app::rekey(vault, pinning, &context.warn(), grants, &mut show);
    bar.finish_and_clear();
    done
}

fn report(
    context: &Context,
    args: &Revoke,
    vault: &mut Vault,
    receipts: &[Receipt],
) -> Result<Exit> {
    if context.out.json {
        context
            .out
            .json_lines(receipts.iter().map(|r| receipt_json(vault, r)))?;
    } else {
        let mut texts = Vec::new();
        for receipt in receipts {
            let mut text = receipt_words(vault, receipt);
            if args.verbose {
                text += &receipt::titles(vault, receipt)?;
            }
            texts.push(text);
        }
        context.out.print(&texts.join("\n"))?;
    }
    let waits = receipts.iter().flat_map(|receipt| &receipt.agents);
    let waits = waits.filter(|agent| !agent.closed).count() as u64;
    if waits > 0 {
        let agents = show::count(waits, "agent");
        context.out.warn(format!(
            "{agents} of this grant have not confirmed that they give out nothing more. Until they do, \
             or their certificates end, they may give what they were let give",
        ));
    }
    let open = |receipt: &Receipt| receipt.pinners.iter().any(|p| !p.acknowledged);
    if receipts.iter().any(open) {
        context.out.warn(
            "not every pinning service has confirmed that the old blocks are gone. \
             `medvault revoke --resume` asks again, and issues a new receipt",
        );
        return Ok(Exit::Partial);
    }
    Ok(match waits {
        0 => Exit::Ok,
        _ => Exit::Partial,
    })
}
