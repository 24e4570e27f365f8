//! `medvault serve`: the patient's node, online.

mod publishers;
mod start;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use vault_core::{Home, Vault, VaultStorage, system_clock};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::local_socket;
use crate::log::{Event, Format, Level, Log};
use crate::node;
use crate::publish::{Attempt, Publishing};

/// How often to see whether another command changed the vault.
const LOOK_EVERY: Duration = Duration::from_secs(2);
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

    /// How log lines look, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log: Format,

    /// What matters less than this is not logged
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
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
    let storage: Arc<dyn VaultStorage> = home.storage()?;
    let clock = system_clock();
    let vault = Vault::open(storage, device.clone(), clock.clone())?;
    let node = start::start(&home, &vault, args)?;
    let address = node.address();
    node::remember(&home, &address)?;

    let (stop, stopped) = channel();
    ctrlc::set_handler(move || {
        // nobody listens any more when the node is stopping already
        let _ = stop.send(());
    })
    .map_err(std::io::Error::other)?;
    let begun = Instant::now();
    let node = Arc::new(node);
    let log = Log {
        format: args.log,
        level: if context.out.quiet {
            args.log_level.min(Level::Warn)
        } else {
            args.log_level
        },
    };
    let publishing = Publishing::start(
        publishers::configured(),
        &device.ipns_key(),
        &clock,
        &(Arc::new(move |attempt| log.write(attempt_event(attempt))) as Arc<_>),
    );
    let _socket = status::open_socket(context, &home, &node, begun, publishing.standings());
    start::announce(context, &address)?;
    log.write(Event::Serving {
        pid: std::process::id(),
        head: vault.head().seq(),
    });
    publishing.head(vault.head());
    let mut keeper = Keeper {
        log,
        vault,
        publishing,
        tended: None,
    };
    keeper.tend();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
        keeper.look();
    }
    log.write(Event::Stopping);
    if let Some(node) = Arc::into_inner(node) {
        node.stop();
    }
    log.write(Event::Stopped {
        seconds: begun.elapsed().as_secs(),
        cut_off: 0,
    });
    Ok(Exit::Ok)
}

/// What is looked after while the node serves.
struct Keeper {
    log: Log,
    vault: Vault,
    publishing: Publishing,
    tended: Option<Instant>,
}

impl Keeper {
    /// Takes note of what other commands did, and does what time asks for.
    fn look(&mut self) {
        let before = self.vault.head().seq();
        match self.vault.refresh() {
            Ok(()) if self.vault.head().seq() != before => {
                let head = self.vault.head().seq();
                self.log.write(Event::HeadChanged { head });
                self.publishing.head(self.vault.head());
            }
            Ok(()) => {}
            Err(error) => self.failed(error),
        }
        if self.tended.is_none_or(|at| at.elapsed() >= TEND_EVERY) {
            self.tend();
        }
    }

    fn tend(&mut self) {
        self.tended = Some(Instant::now());
        match self.vault.tend() {
            Ok(true) => {
                let head = self.vault.head().seq();
                self.log.write(Event::Tended { head });
                self.publishing.head(self.vault.head());
            }
            Ok(false) => {}
            Err(error) => self.failed(error),
        }
    }

    fn failed(&self, error: impl Into<Error>) {
        let error = error.into().code;
        self.log.write(Event::TendFailed { error });
    }
}

fn attempt_event(attempt: Attempt) -> Event {
    match attempt {
        Attempt::Published {
            by,
            seq,
            valid_until,
        } => Event::Published {
            by,
            head: seq,
            valid_until,
        },
        Attempt::Failed {
            by,
            seq,
            error,
            again,
        } => Event::PublishFailed {
            by,
            head: seq,
            error,
            again,
        },
    }
}
