//! `medvault pin add`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_app::Pinning;
use vault_app::pinning::token;
use vault_core::pinning::{PinService, ServiceName, TokenSource};
use vault_http::client::BaseUrl;

use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Name a pinning service that keeps a copy of the vault
///
/// Nothing is sent yet: `medvault pin sync` does. The token itself is not kept, only where it is.
#[derive(Args)]
pub struct Add {
    /// What to call it here; the service does not see this
    #[arg(value_name = "NAME")]
    name: String,

    /// Address of its Pinning Service API: the part before /pins
    #[arg(long, value_name = "URL")]
    endpoint: String,

    /// File whose first line is the access token
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "token_command",
        conflicts_with = "token_command"
    )]
    token_file: Option<PathBuf>,

    /// Shell command that prints the access token
    #[arg(long, value_name = "CMD")]
    token_command: Option<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &Add) -> Result<Exit> {
    let name: ServiceName = args.name.parse().map_err(Error::usage)?;
    let endpoint = BaseUrl::parse(&args.endpoint)?;
    let source = match (&args.token_file, &args.token_command) {
        (Some(file), _) => {
            TokenSource::File(std::path::absolute(file).map_err(|e| Error::file(file, &e))?)
        }
        (None, Some(command)) => TokenSource::Command(command.clone()),
        (None, None) => return Err(Error::usage("a service needs a token")),
    };
    let service = PinService::new(name, endpoint.to_string(), source);
    let (app, mut vault) = context.app_and_vault()?;
    Pinning::need_home(&app)?;
    let mut pinning = Pinning::open(app.home(), &vault)?;
    // what would fail later fails now: the token, and an address that it must not be sent to
    token(&service.token)?;
    pinning.account(&service)?;
    pinning.services.add(service.clone())?;
    if let Err(error) = vault.note_pinned(&service) {
        pinning.services.remove(service.name.as_str())?;
        return Err(error.into());
    }
    if context.out.json {
        context.out.json(&json!({
            "name": service.name.as_str(), "endpoint": service.endpoint,
        }))?;
    }
    context.out.note(format!(
        "{} is a pinning service of this vault now. `medvault pin sync` gives it a copy",
        service.name
    ));
    Ok(Exit::Ok)
}
