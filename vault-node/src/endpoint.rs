//! The iroh endpoint: which sockets it has, which relays it knows, and where it is reached.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{
    QuicTransportConfig, QuicTransportConfigBuilder, ServerConfig, VarInt, presets,
};
use iroh::{Endpoint, RelayConfig, RelayMode, SecretKey};
use noq_proto::congestion::Bbr3Config;

use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::exchange::server::{MAX_STREAMS, RECEIVE_WINDOW};
use crate::relay::{Announced, Relay};
use crate::{access, block, deposit, head};

/// Longest wait for a relay when the node starts; without one it serves all the same.
const RELAY_TIMEOUT: Duration = Duration::from_secs(3);
/// Most relays of a ticket that are used.
const MAX_RELAYS: usize = 4;

/// Starts the endpoint. It knows the configured relays and no others: none of the public ones,
/// and no name service.
pub(crate) async fn start_endpoint(config: &NodeConfig) -> Result<Endpoint, NodeError> {
    let relays = config.relays.iter().map(Relay::url);
    let mut builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::custom(relays))
        .transport_config(transport().build())
        .secret_key(SecretKey::from_bytes(&config.iroh_key));
    if config.answers() {
        builder = builder.clear_ip_transports().alpns(protocols());
    }
    if let Some(addr) = config.iroh_listen {
        builder = builder.bind_addr(addr).map_err(start)?;
    }
    for one in &config.announced {
        if let Announced::Iroh(addr) = one {
            builder = builder.external_addr(*addr);
        }
    }
    builder.bind().await.map_err(start)
}

/// The protocols that a node answers.
fn protocols() -> Vec<Vec<u8>> {
    [head::ALPN, block::ALPN, access::ALPN, deposit::ALPN]
        .map(<[u8]>::to_vec)
        .to_vec()
}

/// QUIC as it suits large answers over bad lines: with one packet in a hundred lost, the usual
/// congestion control takes each loss for a full line and slows down to a fraction of it.
fn transport() -> QuicTransportConfigBuilder {
    QuicTransportConfig::builder().congestion_controller_factory(Arc::new(Bbr3Config::default()))
}

/// The same for connections that come in: anybody may make one, so each gets room for little more
/// than a few requests. Without this it could make the node keep over 100 MiB that nobody reads.
pub(crate) fn serving(endpoint: &Endpoint) -> ServerConfig {
    let small = transport()
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS as u32))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .receive_window(RECEIVE_WINDOW)
        .build();
    endpoint
        .create_server_config_builder(protocols())
        .set_transport_config(small)
        .build()
}

/// Waits a little until the endpoint can be reached through a relay, if it has any.
pub(crate) async fn wait_for_relay(endpoint: &Endpoint, config: &NodeConfig) {
    if !config.relays.is_empty() {
        let _ = tokio::time::timeout(RELAY_TIMEOUT, endpoint.online()).await; // see RELAY_TIMEOUT
    }
}

/// Makes the relays of a ticket known, so that they help to find a direct way to the other side.
/// What is not the URL of a relay is passed over; dialling says so.
pub(crate) async fn learn_relays(endpoint: &Endpoint, relays: &[String]) {
    for text in relays.iter().take(MAX_RELAYS) {
        if let Ok(relay) = text.parse::<Relay>() {
            let config = RelayConfig::from(relay.url());
            endpoint.insert_relay(relay.url(), Arc::new(config)).await;
        }
    }
}

/// Addresses under which the endpoint can be dialled: those it is bound to, or for "any address"
/// those of this machine's network interfaces, and what relays see of it.
pub(crate) fn reachable(endpoint: &Endpoint) -> Vec<String> {
    let bound = endpoint.bound_sockets().into_iter();
    let mut addrs: Vec<_> = bound.filter(|addr| !addr.ip().is_unspecified()).collect();
    if addrs.is_empty() {
        addrs.extend(endpoint.addr().ip_addrs());
    }
    addrs.iter().map(ToString::to_string).collect()
}

fn start(error: impl ToString) -> NodeError {
    NodeError::Start(error.to_string())
}
