//! `medvault pin list`.

use clap::Args;
use serde_json::json;
use vault_app::Pinning;
use vault_core::pinning::{PinService, TokenSource};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::table::Table;
use crate::time;

/// List the pinning services, and what is known of their copies; asks none of them
#[derive(Args)]
pub struct List {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, vault) = context.home_and_vault()?;
    let pinning = Pinning::open(&home, &vault)?;
    let head = vault.head().block().cid();
    let state = |service: &PinService| match service.held() {
        Some(held) if held.head() == head && service.roots.len() == 1 => "up to date",
        Some(_) => "behind",
        None => "nothing yet",
    };
    let services = pinning.services.list();
    if context.out.json {
        context.out.json_lines(services.iter().map(|service| {
            json!({
                "name": service.name.as_str(), "endpoint": service.endpoint,
                "token_file": match &service.token {
                    TokenSource::File(path) => Some(path),
                    TokenSource::Command(_) => None,
                },
                "state": state(service),
                "root": service.held().map(|held| held.root().to_string()),
                "head": service.held().map(|held| held.head().to_string()),
                "roots": service.roots.iter().map(|r| r.root().to_string()).collect::<Vec<_>>(),
                "verified": service.verified.map(|verified| json!({
                    "time": time::rfc3339(verified.time),
                    "sampled": verified.sampled, "missing": verified.missing,
                })),
            })
        }))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["name", "state", "verified", "endpoint"]);
    for service in services {
        let verified = match service.verified {
            Some(found) if found.missing > 0 => format!("{} missing", found.missing),
            Some(found) => time::minute(found.time),
            None => "never".to_owned(),
        };
        table.plain([
            service.name.to_string(),
            state(service).to_owned(),
            verified,
            service.endpoint.clone(),
        ]);
    }
    context.out.print(&table.render())?;
    if services.is_empty() {
        context.out.note(
            "no pinning service yet: `medvault pin add NAME --endpoint URL --token-file FILE`",
        );
    }
    Ok(Exit::Ok)
}
