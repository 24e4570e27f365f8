//! The asking side of the access protocol.

use std::sync::Arc;
use std::time::Duration;

use vault_core::NodeAddress;

use super::serve::AccessHandler;
use super::{ALPN, MAX_ACCESS_REPLY, MAX_ACCESS_REQUEST};
use crate::error::NodeError;
use crate::exchange::client::{Asked, Failure};
use crate::node::Node;

impl Node {
    /// Answers the access protocol with `handler` from now on. Until then the node closes
    /// connections for it.
    pub fn set_access_handler(&self, handler: Arc<dyn AccessHandler>) {
        self.services().access.handler.set(handler);
    }

    /// Sends one message of at most [`MAX_ACCESS_REQUEST`] bytes to the node at `at`, and returns
    /// its answer of at most [`MAX_ACCESS_REPLY`]. The connection is kept for the next one, and
    /// shared by callers on several threads; sixteen messages are under way on it at a time.
    ///
    /// A message is sent again by itself only when the node has certainly not taken it. After any
    /// error but [`NodeError::Refused`] and [`NodeError::NotServed`] it may have been.
    ///
    /// `timeout` is for all of it: connection, message and answer.
    ///
    /// # Errors
    /// [`NodeError::TooLong`]; [`NodeError::Address`]; [`NodeError::Unreachable`];
    /// [`NodeError::Timeout`]; [`NodeError::NotServed`] when the node answers no such messages;
    /// [`NodeError::Refused`] when it has no room for another connection;
    /// [`NodeError::Protocol`] when it closes the connection instead of answering, or answers
    /// with more than the limit.
    pub fn ask_access(
        &self,
        at: &NodeAddress,
        message: &[u8],
        timeout: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        if message.len() > MAX_ACCESS_REQUEST {
            return Err(NodeError::TooLong {
                len: message.len(),
                max: MAX_ACCESS_REQUEST,
            });
        }
        let asked = Asked::new(self.endpoint(), self.kept(), at, ALPN)?;
        let message = message.to_vec();
        self.block_on(async move {
            let answer = tokio::time::timeout(timeout, ask(&asked, &message)).await;
            let answer = answer.unwrap_or_else(|_| Err(asked.timed_out(timeout)));
            if answer.is_err() {
                asked.forget();
            }
            answer
        })
    }
}

impl Node {
    /// Connects to the node at `at`, so that the next [`Node::ask_access`] finds the connection.
    /// No message is sent: when this fails, the node has heard of none.
    ///
    /// `timeout` is for all of it.
    ///
    /// # Errors
    /// As [`Node::ask_access`].
    pub fn reach_access(&self, at: &NodeAddress, timeout: Duration) -> Result<(), NodeError> {
        let asked = Asked::new(self.endpoint(), self.kept(), at, ALPN)?;
        self.block_on(async move {
            let reached = tokio::time::timeout(timeout, asked.open()).await;
            match reached {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(failure)) => {
                    asked.forget();
                    Err(failure.into())
                }
                Err(_) => Err(asked.timed_out(timeout)),
            }
        })
    }
}

async fn ask(asked: &Asked, message: &[u8]) -> Result<Vec<u8>, NodeError> {
    let first = match attempt(asked, message).await {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    asked.forget();
    if !first.unheard {
        return Err(first.error);
    }
    Ok(attempt(asked, message).await?)
}

async fn attempt(asked: &Asked, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let (link, mut send, mut recv) = asked.open().await?;
    let sent = match send.write_all(message).await {
        Ok(()) => send.finish(),
        Err(error) => Err(error),
    };
    sent.map_err(|error| asked.wrote(&link, &error))?;
    let answer = recv.read_to_end(MAX_ACCESS_REPLY).await;
    answer.map_err(|error| asked.read_to_end(&link, &error))
}
