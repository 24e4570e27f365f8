//! `medvault pin remove`.

use clap::Args;
use serde_json::json;
use vault_app::Pinning;
use vault_core::pinning::{GivenRoot, PinApi, plan_removal};

use super::sync::words;
use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Let a pinning service drop its copy, and use it no more
#[derive(Args)]
pub struct Remove {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,

    /// Forget it even if it cannot be told; its copy may stay there for ever
    #[arg(long)]
    force: bool,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Remove) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let mut pinning = Pinning::open(&home, &vault)?;
    let mut service = pinning.services.find(&args.name)?.clone();
    if args.dry_run {
        let roots: Vec<_> = service.roots.iter().map(GivenRoot::root).collect();
        let listed = match roots.is_empty() {
            true => Vec::new(),
            false => pinning
                .account(&service)?
                .list(&roots)
                .map_err(|error| Error::new(Exit::Network, "service", error))?,
        };
        let steps: Vec<String> = plan_removal(&service.roots, &listed)
            .iter()
            .map(words)
            .collect();
        match context.out.json {
            true => context
                .out
                .json(&json!({"name": service.name.as_str(), "steps": steps}))?,
            false => context.out.print(&format!("{}\n", steps.join("\n")))?,
        }
        return Ok(Exit::Ok);
    }
    context.consent(
        args.yes,
        &format!("Let {} drop its copy of the vault?", service.name),
    )?;
    let confirmed = match pinning.withdraw(&mut service) {
        Ok(outcome) if outcome.settled => true,
        Ok(_) if args.force => false,
        Ok(_) => {
            let what = format!("{} still lists pins of this vault", service.name);
            return Err(Error::new(Exit::Network, "service", what)
                .hint("run the command again, or add --force to forget it as it is"));
        }
        Err(error) if args.force => {
            context.out.warn(format!(
                "{}: {}. its copy may stay",
                service.name, error.message
            ));
            false
        }
        Err(error) => {
            return Err(error.hint("try again later, or add --force to forget it as it is"));
        }
    };
    vault.note_unpinned(&service.name, confirmed)?;
    pinning.services.remove(service.name.as_str())?;
    if context.out.json {
        context
            .out
            .json(&json!({"name": service.name.as_str(), "confirmed": confirmed}))?;
    }
    context
        .out
        .note(format!("{} is not used any more", service.name));
    Ok(Exit::Ok)
}
