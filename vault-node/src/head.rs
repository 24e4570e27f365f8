//! Asking a node for the newest signed head of a vault, over iroh.
//!
//! One QUIC stream per question, ALPN `medvault/head/1`. The request is one dag-cbor map
//! `{v: 1, vault}`, at most [`MAX_REQUEST_LEN`] bytes, then the end of the stream. The response is
//! one status byte (0 found, 1 not found, 2 bad request); after 0 follow a big-endian `u32` length
//! and that many bytes of head. The head is signed, so nothing here proves or checks anything.

use std::sync::Arc;
use std::time::Duration;

use iroh::Endpoint;
use iroh::endpoint::{Connection, VarInt};
use serde::{Deserialize, Serialize};
use vault_core::{MAX_HEAD_LEN, NodeAddress, VaultId};

use crate::address::endpoint as endpoint_addr;
use crate::error::NodeError;

/// The protocol's name in the QUIC handshake.
pub(crate) const ALPN: &[u8] = b"medvault/head/1";
/// Longest request that is read, in bytes.
const MAX_REQUEST_LEN: usize = 128;

const FOUND: u8 = 0;
const NOT_FOUND: u8 = 1;
const BAD_REQUEST: u8 = 2;

/// Where a node takes the heads from that it gives out.
pub trait HeadSource: Send + Sync {
    /// The newest signed head of `vault`, at most [`MAX_HEAD_LEN`] bytes; `None` when this node
    /// does not have that vault or does not show it. May block.
    fn head(&self, vault: &VaultId) -> Option<Vec<u8>>;
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    v: u8,
    vault: VaultId,
}

fn encode_request(vault: &VaultId) -> Result<Vec<u8>, NodeError> {
    let request = Request {
        v: 1,
        vault: *vault,
    };
    serde_ipld_dagcbor::to_vec(&request).map_err(protocol)
}

/// Only the one canonical form of a request is taken.
fn decode_request(bytes: &[u8]) -> Option<VaultId> {
    let request: Request = serde_ipld_dagcbor::from_slice(bytes).ok()?;
    let same = request.v == 1 && encode_request(&request.vault).ok()? == bytes;
    same.then_some(request.vault)
}

fn encode_response(head: Option<Vec<u8>>) -> Vec<u8> {
    match head.filter(|head| head.len() <= MAX_HEAD_LEN) {
        Some(head) => [&[FOUND], &(head.len() as u32).to_be_bytes()[..], &head].concat(),
        None => vec![NOT_FOUND],
    }
}

fn decode_response(bytes: &[u8], vault: &VaultId) -> Result<Vec<u8>, NodeError> {
    match bytes {
        [FOUND, a, b, c, d, head @ ..] => {
            let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if len > MAX_HEAD_LEN {
                Err(protocol("head is over 256 KiB"))
            } else if len != head.len() {
                Err(protocol("head has another length than announced"))
            } else {
                Ok(head.to_vec())
            }
        }
        [NOT_FOUND] => Err(NodeError::HeadNotFound(*vault)),
        [BAD_REQUEST] => Err(protocol("it refused our request")),
        _ => Err(protocol("unknown answer to a head request")),
    }
}

fn protocol(error: impl ToString) -> NodeError {
    NodeError::Protocol(error.to_string())
}

/// Answers one question. Returns whether a head was given out, `None` when the peer left.
pub(crate) async fn answer(connection: &Connection, heads: Arc<dyn HeadSource>) -> Option<bool> {
    let (mut send, mut recv) = connection.accept_bi().await.ok()?;
    let request = recv.read_to_end(MAX_REQUEST_LEN).await.ok();
    let response = match request.as_deref().and_then(decode_request) {
        Some(vault) => {
            let head = tokio::task::spawn_blocking(move || heads.head(&vault)).await;
            encode_response(head.ok()?)
        }
        None => vec![BAD_REQUEST],
    };
    send.write_all(&response).await.ok()?;
    send.finish().ok()?;
    Some(response.first() == Some(&FOUND))
}

/// Asks `from` for the newest head of `vault`.
pub(crate) async fn fetch(
    endpoint: Endpoint,
    from: NodeAddress,
    vault: VaultId,
    timeout: Duration,
) -> Result<Vec<u8>, NodeError> {
    let address = endpoint_addr(&from)?;
    let peer = address.id.to_string();
    let ask = async {
        let connection = endpoint.connect(address, ALPN).await;
        let connection = connection.map_err(|error| NodeError::Unreachable {
            peer: peer.clone(),
            reason: error.to_string(),
        })?;
        let (mut send, mut recv) = connection.open_bi().await.map_err(protocol)?;
        let request = encode_request(&vault)?;
        send.write_all(&request).await.map_err(protocol)?;
        send.finish().map_err(protocol)?;
        let response = recv.read_to_end(MAX_HEAD_LEN + 5).await.map_err(protocol)?;
        connection.close(VarInt::from_u32(0), b"");
        decode_response(&response, &vault)
    };
    tokio::time::timeout(timeout, ask)
        .await
        .unwrap_or(Err(NodeError::Timeout {
            peer: peer.clone(),
            after: timeout,
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([3; 32]);

    #[test]
    fn requests_have_one_form() {
        let bytes = encode_request(&VAULT).unwrap();
        assert!(bytes.len() < MAX_REQUEST_LEN);
        assert_eq!(decode_request(&bytes), Some(VAULT));
        assert_eq!(decode_request(&bytes[1..]), None);
        assert_eq!(decode_request(&[&bytes[..], &[0]].concat()), None);
        let other = Request { v: 2, vault: VAULT };
        let bytes = serde_ipld_dagcbor::to_vec(&other).unwrap();
        assert_eq!(decode_request(&bytes), None);
    }

    #[test]
    fn responses_are_checked() {
        let head = vec![9; 100];
        let bytes = encode_response(Some(head.clone()));
        assert_eq!(decode_response(&bytes, &VAULT).unwrap(), head);
        assert!(matches!(
            decode_response(&encode_response(None), &VAULT),
            Err(NodeError::HeadNotFound(VAULT))
        ));
        assert_eq!(
            encode_response(Some(vec![0; MAX_HEAD_LEN + 1])),
            [NOT_FOUND]
        );
        let long = [&[FOUND, 0, 4, 0, 1], &vec![0; MAX_HEAD_LEN + 1][..]].concat();
        for bad in [&bytes[..50], &[], &[FOUND, 0], &[BAD_REQUEST], &[7], &long] {
            assert!(matches!(
                decode_response(bad, &VAULT),
                Err(NodeError::Protocol(_))
            ));
        }
    }
}
