//! `medvault pin verify`.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use vault_app::{PeersFetch, Pinning};
use vault_core::pinning::{BlockFetch, PinService, SampleSize, Verification, Verified, verify};
use vault_core::{NodeAddress, SourceError, Vault};
use vault_http::client::BaseUrl;
use vault_http::pinning::GatewayFetch;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{BAD, GOOD, paint};
use crate::{show, time};

/// How long a repaired service may take to fetch what it had lost.
const REPAIR: Duration = Duration::from_secs(120);

/// Ask the pinning services for a sample of the blocks they were given
///
/// Every block is asked of the service's own peers or gateway, never of this computer, and checked
/// against its hash. Among them are canaries: blocks that nobody but this service was given. The
/// result goes into the audit log. A service that has lost something is asked to fetch it again
/// from the running `medvault serve`, and checked once more.
///
/// Exit code 9: something is missing. 4: something was missing and is there again.
#[derive(Args)]
pub struct Verify {
    /// Only these services
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Chance to notice the loss, between 0 and 1
    #[arg(long, value_name = "SHARE", default_value = "0.99")]
    confidence: f64,

    /// Share of the blocks that are lost if it is to be noticed, between 0 and 1
    #[arg(long, value_name = "SHARE", default_value = "0.01")]
    loss: f64,

    /// Ask this peer of the service, such as /ip4/203.0.113.1/tcp/4001/p2p/ID [default: the peers
    /// that the service names]
    #[arg(long, value_name = "MULTIADDR")]
    peer: Vec<String>,

    /// Ask this gateway of the service, the part before /ipfs/
    #[arg(long, value_name = "URL", conflicts_with = "peer")]
    gateway: Option<String>,

    /// Only look: do not repair what is missing
    #[arg(long)]
    no_repair: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Verify) -> Result<Exit> {
    let size = SampleSize::new(args.confidence, args.loss).map_err(Error::usage)?;
    let (home, mut vault) = context.home_and_vault()?;
    let mut pinning = Pinning::open(&home, &vault)?;
    let chosen = pinning.chosen(&args.names)?;
    if chosen.is_empty() {
        context
            .out
            .note("no pinning service yet: `medvault pin add NAME --endpoint URL`");
    }
    let several = chosen.len() > 1;
    let mut worst = Exit::Ok;
    for mut service in chosen {
        let exit = match one(context, args, size, &mut pinning, &mut vault, &mut service) {
            Ok(exit) => exit,
            Err(error) if several => {
                // the others are to be asked all the same
                context
                    .out
                    .warn(format!("{}: {}", service.name, error.message));
                Exit::Partial
            }
            Err(error) => return Err(error),
        };
        worst = match (worst, exit) {
            (Exit::Integrity, _) | (_, Exit::Integrity) => Exit::Integrity,
            (Exit::Ok, other) => other,
            (other, _) => other,
        };
    }
    Ok(worst)
}

fn one(
    context: &Context,
    args: &Verify,
    size: SampleSize,
    pinning: &mut Pinning,
    vault: &mut Vault,
    service: &mut PinService,
) -> Result<Exit> {
    let found = check(args, size, pinning, vault, service)?;
    let mut after = None;
    if !found.missing.is_empty() && !args.no_repair {
        pinning.warn_unless_served(&context.warn());
        after = repair(context, args, size, pinning, vault, service)?;
    }
    report(context, service, &found, after.as_ref())?;
    Ok(match (found.missing.is_empty(), &after) {
        (true, _) => Exit::Ok,
        (false, Some(after)) if after.missing.is_empty() => Exit::Partial,
        (false, _) => Exit::Integrity,
    })
}

/// Checks a service, and notes what was found in the home and in the log.
fn check(
    args: &Verify,
    size: SampleSize,
    pinning: &mut Pinning,
    vault: &mut Vault,
    service: &mut PinService,
) -> Result<Verification> {
    let Some(given) = service.held().cloned() else {
        let what = format!("{} has not said yet that it holds the vault", service.name);
        return Err(Error::new(Exit::NotFound, "nothing-pinned", what)
            .hint("run `medvault serve`, and `medvault pin sync --wait` meanwhile"));
    };
    let found = {
        let source = source(args, service)?;
        verify(&*source, &given, size).map_err(|error| match error {
            SourceError::Network(text) => Error::new(Exit::Network, "offline", text)
                .hint("name another of its peers with --peer, or its gateway with --gateway"),
            other => other.into(),
        })?
    };
    let turn = pinning.services.turn()?;
    *service = pinning.services.reread(service.name.as_str())?;
    service.verified = Some(Verified {
        time: time::now(),
        sampled: found.sampled,
        missing: found.missing.len() as u64,
    });
    pinning.services.remember(service)?;
    drop(turn);
    vault.note_pin_verified(&service.name, &found, size)?;
    Ok(found)
}

/// The service's own gateway or peers.
fn source(args: &Verify, service: &PinService) -> Result<Box<dyn BlockFetch>> {
    if let Some(gateway) = &args.gateway {
        let gateway = GatewayFetch::new(BaseUrl::parse(gateway)?)?;
        return Ok(Box::new(gateway));
    }
    let peers: Vec<NodeAddress> = match args.peer.is_empty() {
        // what the service names may be of kinds that we do not dial
        true => service
            .delegates
            .iter()
            .filter_map(|text| vault_node::peer_address(text).ok())
            .collect(),
        false => args
            .peer
            .iter()
            .map(|text| vault_node::peer_address(text))
            .collect::<Result<_, _>>()?,
    };
    if peers.is_empty() {
        let what = format!("{} names no peer that can be asked", service.name);
        return Err(Error::new(Exit::Network, "no-address", what)
            .hint("name one with --peer, or its gateway with --gateway"));
    }
    Ok(Box::new(PeersFetch::start(peers)?))
}

/// Has the service go through all blocks again, under a new root with new canaries.
fn repair(
    context: &Context,
    args: &Verify,
    size: SampleSize,
    pinning: &mut Pinning,
    vault: &mut Vault,
    service: &mut PinService,
) -> Result<Option<Verification>> {
    match pinning.bring(service, true, REPAIR) {
        Ok(outcome) if outcome.settled => check(args, size, pinning, vault, service).map(Some),
        Ok(_) => {
            context
                .out
                .warn(format!("{} has not fetched it again yet", service.name));
            Ok(None)
        }
        Err(error) => {
            context.out.warn(format!(
                "{} was not repaired: {}",
                service.name, error.message
            ));
            Ok(None)
        }
    }
}

fn report(
    context: &Context,
    service: &PinService,
    found: &Verification,
    after: Option<&Verification>,
) -> Result<()> {
    let repaired = after.map(|after| after.missing.is_empty());
    if context.out.json {
        let names = |found: &Verification| -> Vec<String> {
            found.missing.iter().map(ToString::to_string).collect()
        };
        return context.out.json(&json!({
            "name": service.name.as_str(), "sampled": found.sampled, "live": found.live,
            "canaries": found.canaries, "missing": names(found), "repaired": repaired,
            "still_missing": after.map(names),
        }));
    }
    let sampled = show::count(found.sampled, "block");
    let text = match found.missing.len() {
        0 => paint(GOOD, format!("all of {sampled} are there")),
        missing => paint(BAD, format!("{missing} of {sampled} missing")),
    };
    let mut lines = format!("{}: {text}\n", service.name);
    for cid in &found.missing {
        lines.push_str(&format!("  {cid}\n"));
    }
    match repaired {
        Some(true) => lines.push_str("  fetched again, and checked\n"),
        Some(false) => lines.push_str("  still missing after it was asked to fetch again\n"),
        None => {}
    }
    context.out.print(&lines)
}
