//! `medvault serve`: the patient's node, online.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use vault_core::{Home, NodeAddress, Vault, VaultId, VaultStorage, system_clock};
use vault_node::{Access, HeadSource, Node, NodeConfig, peer_id};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::local_socket::{self, StatusSocket};
use crate::node;
use crate::place;

/// How often to see whether a grant has ended or the head wants renewing.
const TEND_EVERY: Duration = Duration::from_secs(60);

/// Serve the vault's blocks and head to those it is shared with
///
/// Runs until it is interrupted. Blocks are ciphertext and go to whoever names them; the head says
/// nothing about what is in the vault. Other commands work as usual meanwhile.
#[derive(Args)]
pub struct Serve {
    /// Address for blocks, such as /ip4/0.0.0.0/tcp/4001 [default: every interface, TCP and QUIC,
    /// on the port of last time]
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// Address for heads [default: every interface, on the port of last time]
    #[arg(long, value_name = "IP:PORT")]
    listen_heads: Option<SocketAddr>,
}

/// Gives out the head of the one vault in this home.
struct HomeHead {
    storage: Arc<dyn VaultStorage>,
    vault: VaultId,
}

impl HeadSource for HomeHead {
    fn head(&self, vault: &VaultId) -> Option<Vec<u8>> {
        if *vault != self.vault {
            return None;
        }
        self.storage.head().ok().flatten()
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &Serve) -> Result<Exit> {
    let home = context.home()?;
    if local_socket::ask(home.root()).is_some() {
        return Err(
            Error::new(Exit::Home, "serving", "this home is being served already")
                .hint("`medvault status` shows by whom"),
        );
    }
    let device = context.unlock(&home)?;
    let storage: Arc<dyn VaultStorage> = place::storage(context, &home, &device.vault())?;
    let mut vault = Vault::open(storage.clone(), device.clone(), system_clock())?;
    let kubo = place::kubo_node(context, &home)?;
    let node = start(&home, &vault, args, kubo.is_none())?;
    let mut address = node.address();
    if let Some(kubo) = kubo {
        // readers fetch the blocks from where they are
        (address.peer, address.addrs) = kubo.address()?;
    }
    node::remember(&home, &address)?;

    let (stop, stopped) = channel();
    ctrlc::set_handler(move || {
        // nobody listens any more when the node is stopping already
        let _ = stop.send(());
    })
    .map_err(std::io::Error::other)?;
    let begun = Instant::now();
    let node = Arc::new(node);
    let _socket = open_socket(context, &home, &node, begun);
    announce(context, &address)?;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TEND_EVERY) {
        tend(context, &mut vault);
    }
    context.out.note("stopping");
    if let Some(node) = Arc::into_inner(node) {
        node.stop();
    }
    Ok(Exit::Ok)
}

fn start(home: &Home, vault: &Vault, args: &Serve, serves_blocks: bool) -> Result<Node> {
    let device = vault.device();
    let last = node::last(home);
    let config = |listen: Vec<String>, heads: SocketAddr| NodeConfig {
        libp2p_key: *device.libp2p_seed(),
        iroh_key: *device.iroh_seed(),
        listen,
        iroh_listen: Some(heads),
        access: Access::Public,
    };
    let storage = vault.storage().clone();
    let heads = || {
        Arc::new(HomeHead {
            storage: storage.clone(),
            vault: vault.id(),
        })
    };
    let everywhere = |port: u16| {
        vec![
            format!("/ip4/0.0.0.0/tcp/{port}"),
            format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
        ]
    };
    let ports = last.as_ref().map_or((0, 0), node::ports);
    let listen = |port: u16| match args.listen.is_empty() {
        _ if !serves_blocks => Vec::new(),
        true => everywhere(port),
        false => args.listen.clone(),
    };
    let heads_at = |port: u16| {
        args.listen_heads
            .unwrap_or_else(|| same_place(&args.listen, port))
    };
    let chosen = !args.listen.is_empty() && args.listen_heads.is_some();
    let first = Node::start(
        config(listen(ports.0), heads_at(ports.1)),
        storage.blocks(),
        heads(),
    );
    match first {
        // the ports of last time are taken: any will do, and new tickets will name them
        Err(_) if !chosen && ports != (0, 0) => Ok(Node::start(
            config(listen(0), heads_at(0)),
            storage.blocks(),
            heads(),
        )?),
        other => Ok(other?),
    }
}

/// Heads are given out where blocks are: on loopback only if the blocks are.
fn same_place(listen: &[String], port: u16) -> SocketAddr {
    let local = !listen.is_empty() && listen.iter().all(|addr| addr.starts_with("/ip4/127."));
    let ip = if local { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    SocketAddr::from((ip, port))
}

fn announce(context: &Context, address: &NodeAddress) -> Result<()> {
    let peer = peer_id(address)?;
    if context.out.json {
        return context.out.json(&json!({
            "event": "serving", "peer_id": peer, "addrs": address.addrs,
            "endpoint": address.endpoint.to_string(), "endpoint_addrs": address.endpoint_addrs,
        }));
    }
    context.out.note(format!("serving as {peer}"));
    for addr in &address.addrs {
        context.out.note(format!("  blocks  {addr}"));
    }
    for addr in &address.endpoint_addrs {
        context.out.note(format!("  heads   {addr}"));
    }
    context.out.note("stop with ctrl-c");
    Ok(())
}

fn open_socket(
    context: &Context,
    home: &Home,
    node: &Arc<Node>,
    begun: Instant,
) -> Option<StatusSocket> {
    let node = Arc::downgrade(node);
    let socket = StatusSocket::open(home.root(), move || {
        let Some(node) = node.upgrade() else {
            return json!({"serving": false});
        };
        let stats = node.stats();
        json!({
            "serving": true, "pid": std::process::id(), "seconds": begun.elapsed().as_secs(),
            "peers": stats.peers, "blocks_sent": stats.blocks_sent, "bytes_sent": stats.bytes_sent,
            "addrs": node.address().addrs,
        })
    });
    socket
        .map_err(|error| context.out.warn(format!("no status socket: {error}")))
        .ok()
}

fn tend(context: &Context, vault: &mut Vault) {
    match vault.tend() {
        Ok(true) => context.out.note("head renewed, ended grants closed"),
        Ok(false) => {}
        Err(error) => context.out.warn(error),
    }
}
