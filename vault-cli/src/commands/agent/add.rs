//! `medvault agent add`.

use std::path::Path;

use clap::Args;
use serde_json::json;
use vault_core::{AgentAddress, AgentRequest, ContactInfo, GrantInfo, MAX_AGENT_ADDRESS_LEN};

use super::agent_json;
use crate::commands::grant::find;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, show, time};

/// Let a contact answer requests under a grant on request
///
/// The grant's terms must name the contact: `medvault share --on-request --agent NAME`. Prints the
/// ticket with which the agent follows your vault. Whoever answers for you can read everything in the
/// grant. The same contact again gets new limits.
#[derive(Args)]
pub struct Add {
    /// The contact
    #[arg(value_name = "CONTACT")]
    contact: String,

    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// What `medvault agent address` printed there, a file that holds it, or `-` for standard input
    #[arg(long, value_name = "TEXT|FILE|-")]
    at: String,

    /// Most opens that the agent may give in all. Needed when the grant has a limit: what the agent
    /// may give, your own device cannot
    #[arg(long, value_name = "N")]
    opens: Option<u64>,

    /// Until when: 12h, 30d, 6w, 3m, 1y, a last day, or a moment such as 2026-12-31T12:00:00Z
    /// [default: the grant's end, at most 30d]
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Do not ask, not even when nobody has compared the contact's fingerprint
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Add) -> Result<Exit> {
    let address = read_address(&args.at)?;
    let (home, mut vault) = context.home_and_vault()?;
    let (grant, ids) = find(&mut vault, &args.grant)?;
    let contact = vault.contact(&args.contact)?;
    let until = until(args)?;
    let request = vault_app::agent_request(&contact, &grant, &address, args.opens, until)?;
    if args.dry_run {
        return dry_run(context, &contact, &grant, &request);
    }
    consent(context, args, &contact)?;
    let (agent, ticket) =
        vault_app::add_agent(&home, &mut vault, &contact, &grant, &address, &request)?;
    if context.out.json {
        let mut value = agent_json(&grant.id, &agent);
        value["ticket"] = json!(ticket);
        context.out.json(&value)?;
        return Ok(Exit::Ok);
    }
    let short = ids.short(grant.id);
    context.out.note(words(&contact, &grant, &request));
    context.out.note(format!(
        "To end it: `medvault agent remove '{}' {short}`\nTicket for {}, to be given to `medvault \
         inbox accept` there:",
        contact.name, contact.name
    ));
    context.out.print(&format!("{ticket}\n"))?;
    Ok(Exit::Ok)
}

fn read_address(given: &str) -> Result<AgentAddress> {
    if given.trim_start().starts_with("medvault-agent:") {
        return Ok(AgentAddress::from_text(given)?);
    }
    let text = files::read_text(Path::new(given), MAX_AGENT_ADDRESS_LEN as u64);
    let text = text.map_err(|error| {
        error.hint("give the address itself, a file that holds it, or `-` for standard input")
    })?;
    Ok(AgentAddress::from_text(&text)?)
}

/// When it ends, if the command line says so.
fn until(args: &Add) -> Result<Option<u64>> {
    let until = args.until.as_deref();
    until
        .map(|text| time::parse_until(text).or_else(|_| time::parse_end(text)))
        .transpose()
}

fn consent(context: &Context, args: &Add, contact: &ContactInfo) -> Result<()> {
    let name = &contact.name;
    if contact.verified.is_none() {
        let what = format!("nobody has compared the fingerprint of {name}");
        if !args.yes && !context.can_ask() {
            return Err(Error::new(Exit::Terms, "unverified", what).hint(
                "`medvault contact verify NAME`, or add --yes to take the agent all the same",
            ));
        }
        context.out.warn(what);
    }
    context.out.warn(format!(
        "{name} will be able to read everything in this grant, whether anyone asks or not"
    ));
    match args.yes || contact.verified.is_some() && !context.can_ask() {
        true => Ok(()),
        false => context.consent(false, &format!("Let {name} answer for you?")),
    }
}

fn words(contact: &ContactInfo, grant: &GrantInfo, request: &AgentRequest) -> String {
    let opens = match request.opens {
        Some(count) => format!("gives at most {}", show::count(count, "open")),
        None => "gives as many opens as agreed".to_owned(),
    };
    format!(
        "{} answers for {} until {}, and {opens}. It can read everything in the grant: {}.",
        contact.name,
        grant.readers.join(", "),
        time::minute(request.until),
        show::count(grant.versions, "record version"),
    )
}

fn dry_run(
    context: &Context,
    contact: &ContactInfo,
    grant: &GrantInfo,
    request: &AgentRequest,
) -> Result<Exit> {
    if contact.verified.is_none() {
        let name = &contact.name;
        context
            .out
            .warn(format!("nobody has compared the fingerprint of {name}"));
    }
    match context.out.json {
        true => context.out.json(&json!({
            "grant": grant.id.to_string(),
            "agent": contact.name,
            "owner": contact.card.owner().to_string(),
            "opens_allowed": request.opens,
            "until": time::rfc3339(request.until),
            "versions": grant.versions,
            "dry_run": true,
        }))?,
        false => context.out.print(&format!(
            "{} Nothing was changed.\n",
            words(contact, grant, request)
        ))?,
    }
    Ok(Exit::Ok)
}
