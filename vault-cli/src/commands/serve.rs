//! `medvault serve`: the patient's node, online.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use clap::Args;
use serde_json::json;
use vault_app::log::Level;
use vault_app::serve::refuse_if_served;
use vault_app::{ServeOptions, Serving};
use vault_core::NodeAddress;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::log::{Format, LevelArg, to_stderr};

/// Serve the vault's blocks and head to those it is shared with
///
/// Runs until it is interrupted, and answers requests for keys under grants on request. Blocks are ciphertext and go to whoever names them, with --private
/// only to those who hold a grant; the head says nothing about what is in the vault. Other commands
/// work as usual meanwhile.
#[derive(Args)]
pub struct Serve {
    /// Address for blocks, such as /ip4/0.0.0.0/tcp/4001 [default: every interface, TCP and QUIC,
    /// on the port of last time]
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// Address for heads [default: every interface, on the port of last time]
    #[arg(long, value_name = "IP:PORT")]
    listen_heads: Option<SocketAddr>,

    /// Address under which others reach this node from outside, such as one that a router
    /// forwards: a multiaddr for blocks, IP:PORT for heads. May be repeated
    #[arg(long, value_name = "ADDR")]
    announce: Vec<String>,

    /// Give blocks only to those who hold a grant
    #[arg(long)]
    private: bool,

    /// With --private: also give blocks to this peer, such as a pinning service. May be repeated
    #[arg(long, value_name = "PEER_ID")]
    allow_peer: Vec<String>,

    /// How log lines look, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log: Format,

    /// What matters less than this is not logged
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    log_level: LevelArg,
}

/// Runs the command.
pub fn run(context: &Context, args: &Serve) -> Result<Exit> {
    let home = context.home()?;
    refuse_if_served(&home)?;
    let device = context.unlock(&home)?;
    let app = context.app(home)?;
    let level = Level::from(args.log_level);
    let level = match context.out.quiet {
        true => level.min(Level::Warn),
        false => level,
    };
    let options = ServeOptions {
        listen: args.listen.clone(),
        listen_heads: args.listen_heads,
        announce: args.announce.clone(),
        private: args.private,
        allow_peer: args.allow_peer.clone(),
    };
    let (stop, stopped) = channel();
    let log = to_stderr(args.log, level);
    let serving = Serving::start_and(&app, &device, &options, log, |address| {
        ctrlc::set_handler(move || {
            // nobody listens any more when the node is stopping already
            let _ = stop.send(());
        })
        .map_err(std::io::Error::other)?;
        announce(context, args.log, address)
    })?;
    // it ends when the handler is gone, which is never
    let _ = stopped.recv();
    serving.stop();
    Ok(Exit::Ok)
}

/// Says where the node is.
fn announce(context: &Context, format: Format, address: &NodeAddress) -> Result<()> {
    let peer = vault_node::peer_id(address)?;
    if context.out.json {
        return context.out.json(&json!({
            "event": "serving", "peer_id": peer, "addrs": address.addrs,
            "endpoint": address.endpoint.to_string(), "endpoint_addrs": address.endpoint_addrs,
            "relays": address.relays,
        }));
    }
    if format == Format::Json {
        return Ok(()); // standard error is for programs then
    }
    context.out.note(format!("serving as {peer}"));
    for addr in &address.addrs {
        context.out.note(format!("  blocks  {addr}"));
    }
    for addr in &address.endpoint_addrs {
        context.out.note(format!("  heads   {addr}"));
    }
    for relay in &address.relays {
        context.out.note(format!("  relay   {relay}"));
    }
    context.out.note("stop with ctrl-c");
    Ok(())
}
