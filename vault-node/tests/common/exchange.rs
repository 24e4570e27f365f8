//! Handlers for the tests of access and deposits, and peers made from bare endpoints.
#![allow(dead_code)] // each test file uses its own part

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, QuicTransportConfig, presets};
use iroh::{Endpoint, RelayMode};
use vault_core::{Ends, NodeAddress};
use vault_node::{AccessHandler, DepositHandler, DepositSink, Node};

pub const TIMEOUT: Duration = Duration::from_secs(20);
pub const ACCESS: &[u8] = b"medvault/access/1";
pub const DEPOSIT: &[u8] = b"medvault/deposit/1";

/// Answers with a function.
pub struct Answers<F>(pub F);

impl<F> AccessHandler for Answers<F>
where
    F: Fn(&Ends, &[u8]) -> Option<Vec<u8>> + Send + Sync,
{
    fn answer(&self, ends: &Ends, message: &[u8]) -> Option<Vec<u8>> {
        self.0(ends, message)
    }
}

pub fn answer(node: &Node, with: impl Fn(&Ends, &[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) {
    node.set_access_handler(Arc::new(Answers(with)));
}

pub fn echo(node: &Node) {
    answer(node, |_, message| Some(message.to_vec()));
}

/// Something that is waited for until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn wait(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }
}

/// Waits for `what` for up to ten seconds.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What became of deposits.
#[derive(Default)]
pub struct Seen {
    /// Ends, announcements and lengths.
    pub announced: Vec<(Ends, Vec<u8>, u64)>,
    pub bytes: u64,
    /// Bodies, for those who keep them.
    pub bodies: Vec<Vec<u8>>,
    pub finished: usize,
    /// Sinks that were dropped without `finish`.
    pub dropped: usize,
}

/// Takes every deposit. The announcement decides: see [`Inbox::announced`].
#[derive(Clone, Default)]
pub struct Inbox {
    pub seen: Arc<Mutex<Seen>>,
    pub gate: Gate,
}

struct Sink {
    inbox: Inbox,
    what: Vec<u8>,
    body: Vec<u8>,
    finished: bool,
}

impl DepositHandler for Inbox {
    fn announced(
        &self,
        ends: &Ends,
        announcement: &[u8],
        len: u64,
    ) -> Result<Box<dyn DepositSink>, Vec<u8>> {
        let announced = (*ends, announcement.to_vec(), len);
        self.seen.lock().unwrap().announced.push(announced);
        match announcement {
            b"refuse" => Err(b"not from you".to_vec()),
            b"refuse long" => Err(vec![7; vault_node::MAX_DEPOSIT_REFUSAL]),
            b"refuse too long" => Err(vec![7; vault_node::MAX_DEPOSIT_REFUSAL + 1]),
            b"panic" => panic!("as the test wants"),
            _ => Ok(Box::new(Sink {
                inbox: self.clone(),
                what: announcement.to_vec(),
                body: Vec::new(),
                finished: false,
            })),
        }
    }
}

impl DepositSink for Sink {
    fn write(&mut self, part: &[u8]) -> Result<(), Vec<u8>> {
        assert!(!part.is_empty() && part.len() <= 64 << 10);
        match &self.what[..] {
            b"wait" => self.inbox.gate.wait(),
            b"full" if self.body.len() + part.len() > 1 << 20 => return Err(b"full".to_vec()),
            b"panic later" => panic!("as the test wants"),
            _ => {}
        }
        self.inbox.seen.lock().unwrap().bytes += part.len() as u64;
        self.body.extend(part);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        self.finished = true;
        let mut seen = self.inbox.seen.lock().unwrap();
        seen.finished += 1;
        seen.bodies.push(std::mem::take(&mut self.body));
        match &self.what[..] {
            b"answer long" => vec![9; vault_node::MAX_DEPOSIT_ANSWER],
            b"answer too long" => vec![9; vault_node::MAX_DEPOSIT_ANSWER + 1],
            _ => b"receipt".to_vec(),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if !self.finished {
            self.inbox.seen.lock().unwrap().dropped += 1;
        }
    }
}

pub fn inbox(node: &Node) -> Inbox {
    let inbox = Inbox::default();
    node.set_deposits(Arc::new(inbox.clone()));
    inbox
}

/// A bare endpoint; `window` is how much it takes of a stream.
pub async fn endpoint(window: Option<u32>) -> Endpoint {
    let mut quic = QuicTransportConfig::builder();
    if let Some(window) = window {
        quic = quic.stream_receive_window(window.into());
    }
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .transport_config(quic.build())
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .alpns(vec![ACCESS.to_vec(), DEPOSIT.to_vec()])
        .bind()
        .await
        .unwrap()
}

pub async fn connect(from: &Endpoint, to: &NodeAddress, alpn: &[u8]) -> Connection {
    let id = iroh::EndpointId::from_bytes(to.endpoint.as_bytes()).unwrap();
    let socket: SocketAddr = to.endpoint_addrs[0].parse().unwrap();
    let to = iroh::EndpointAddr::from_parts(id, [iroh::TransportAddr::Ip(socket)]);
    from.connect(to, alpn).await.unwrap()
}

/// The code with which the other side closed, within `limit`.
pub async fn closed(connection: &Connection, limit: Duration) -> u64 {
    let reason = tokio::time::timeout(limit, connection.closed()).await;
    match reason.expect("still open") {
        iroh::endpoint::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    }
}
