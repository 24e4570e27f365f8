//! The asking side: connections that are kept, and what their ends mean.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iroh::endpoint::{
    ConnectError, ConnectingError, Connection, ConnectionError, ReadError, ReadExactError,
    ReadToEndError, RecvStream, TransportErrorCode, VarInt, WriteError,
};
use iroh::{Endpoint, EndpointAddr};
use vault_core::{NodeAddress, PublicKey};

use super::{Outgoing, code};
use crate::address::endpoint as endpoint_addr;
use crate::block::Refusal;
use crate::endpoint::learn_relays;
use crate::error::NodeError;

/// Pause before a node that had no room for a newcomer is dialled again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often that is done.
const REDIALS: u32 = 20;
/// From how many nodes on those without a connection are forgotten.
const MANY: usize = 256;

type Key = (PublicKey, &'static [u8]);
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// Connections that are open, by the node and the protocol they are for.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<Key, Slot>>);

impl Kept {
    fn slot(&self, key: Key) -> Slot {
        let mut all = lock(&self.0);
        if all.len() >= MANY {
            all.retain(|_, slot| match slot.try_lock() {
                Ok(kept) => kept.as_ref().is_some_and(is_open),
                Err(_) => true, // in use
            });
        }
        Arc::clone(all.entry(key).or_default())
    }
}

fn is_open(connection: &Connection) -> bool {
    connection.close_reason().is_none()
}

/// Why an exchange failed.
pub(crate) struct Failure {
    /// The node has certainly not taken the message.
    pub(crate) unheard: bool,
    pub(crate) error: NodeError,
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let unheard = false;
        Self { unheard, error }
    }
}

impl From<Failure> for NodeError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// A node that is asked over one protocol.
pub(crate) struct Asked {
    endpoint: Endpoint,
    address: EndpointAddr,
    relays: Vec<String>,
    alpn: &'static [u8],
    slot: Slot,
    /// The connection that this call has used.
    used: Mutex<Option<usize>>,
}

impl Asked {
    pub(crate) fn new(
        endpoint: &Endpoint,
        kept: &Kept,
        at: &NodeAddress,
        alpn: &'static [u8],
    ) -> Result<Self, NodeError> {
        Ok(Self {
            endpoint: endpoint.clone(),
            address: endpoint_addr(at)?,
            relays: at.relays.clone(),
            alpn,
            slot: kept.slot((at.endpoint, alpn)),
            used: Mutex::default(),
        })
    }

    /// A stream on the connection that is kept, or on a new one. Several callers share one.
    pub(crate) async fn open(&self) -> Result<(Connection, Outgoing, RecvStream), Failure> {
        let connection = {
            let mut kept = self.slot.lock().await;
            match kept.as_ref().filter(|kept| is_open(kept)) {
                Some(open) => open.clone(),
                None => kept.insert(self.connect().await?).clone(),
            }
        };
        *lock(&self.used) = Some(connection.stable_id());
        match connection.open_bi().await {
            Ok((send, recv)) => Ok((connection, Outgoing::new(send, code::ABANDONED), recv)),
            Err(lost) => {
                let error = self.closed(&lost).error;
                // the node ended what was idle, or is gone: nothing was sent
                Err(Failure {
                    unheard: matches!(error, NodeError::Unreachable { .. }),
                    error,
                })
            }
        }
    }

    /// Lets the connection that this call has used be, so that the next one makes a new one.
    /// Others that use it go on.
    pub(crate) fn forget(&self) {
        let used = *lock(&self.used);
        if let Ok(mut kept) = self.slot.try_lock() {
            *kept = kept.take().filter(|kept| Some(kept.stable_id()) != used);
        }
    }

    async fn connect(&self) -> Result<Connection, NodeError> {
        learn_relays(&self.endpoint, &self.relays).await;
        let mut left = REDIALS;
        loop {
            match self.endpoint.connect(self.address.clone(), self.alpn).await {
                Ok(connection) => return Ok(connection),
                Err(error) if no_room(&error) && left > 0 => left -= 1,
                Err(error) => {
                    return Err(match reason(&error) {
                        Some(lost) => self.closed(lost).error,
                        None => self.unreachable(&error),
                    });
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) fn wrote(&self, connection: &Connection, error: &WriteError) -> Failure {
        match error {
            WriteError::Stopped(code) => self.said(*code, error),
            _ => self.lost(connection, error),
        }
    }

    pub(crate) fn read(&self, connection: &Connection, error: &ReadError) -> Failure {
        match error {
            ReadError::Reset(code) => self.said(*code, error),
            _ => self.lost(connection, error),
        }
    }

    pub(crate) fn read_exact(&self, connection: &Connection, error: &ReadExactError) -> Failure {
        match error {
            ReadExactError::ReadError(error) => self.read(connection, error),
            ReadExactError::FinishedEarly(_) => protocol("an answer broke off").into(),
        }
    }

    pub(crate) fn read_to_end(&self, connection: &Connection, error: &ReadToEndError) -> Failure {
        match error {
            ReadToEndError::Read(error) => self.read(connection, error),
            ReadToEndError::TooLong => protocol("an answer is over the limit").into(),
        }
    }

    fn lost(&self, connection: &Connection, error: &impl ToString) -> Failure {
        match connection.close_reason() {
            Some(reason) => self.closed(&reason),
            None => self.unreachable(error).into(),
        }
    }

    fn closed(&self, reason: &ConnectionError) -> Failure {
        match reason {
            ConnectionError::ApplicationClosed(close) => self.said(close.error_code, reason),
            _ => self.unreachable(reason).into(),
        }
    }

    /// What the node means by `said`.
    fn said(&self, said: VarInt, text: &impl ToString) -> Failure {
        let error = match said {
            code::BROKEN => protocol("it did not answer and closed the connection"),
            code::BUSY => self.busy(),
            code::NOT_SERVED => NodeError::NotServed { peer: self.peer() },
            _ => self.unreachable(text),
        };
        Failure {
            unheard: said == code::QUIET,
            error,
        }
    }

    pub(crate) fn busy(&self) -> NodeError {
        NodeError::Refused {
            peer: self.peer(),
            why: Refusal::Busy,
        }
    }

    pub(crate) fn timed_out(&self, after: Duration) -> NodeError {
        NodeError::Timeout {
            peer: self.peer(),
            after,
        }
    }

    fn unreachable(&self, reason: &impl ToString) -> NodeError {
        NodeError::Unreachable {
            peer: self.peer(),
            reason: reason.to_string(),
        }
    }

    fn peer(&self) -> String {
        self.address.id.to_string()
    }
}

pub(crate) fn protocol(what: &str) -> NodeError {
    NodeError::Protocol(what.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reason(error: &ConnectError) -> Option<&ConnectionError> {
    match error {
        ConnectError::Connection { source, .. } => Some(source),
        ConnectError::Connecting {
            source: ConnectingError::ConnectionError { source, .. },
            ..
        } => Some(source),
        _ => None,
    }
}

/// Whether the node had no room for a newcomer at this moment.
fn no_room(error: &ConnectError) -> bool {
    matches!(
        reason(error),
        Some(ConnectionError::ConnectionClosed(close))
            if close.error_code == TransportErrorCode::CONNECTION_REFUSED
    )
}
