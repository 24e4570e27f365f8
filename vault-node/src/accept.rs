//! Takes in iroh connections and hands each to the protocol it was made for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iroh::Endpoint;
use iroh::endpoint::{Incoming, ServerConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::access::serve::AccessServer;
use crate::block::serve::BlockServer;
use crate::deposit::serve::DepositServer;
use crate::endpoint::serving;
use crate::head::HeadSource;
use crate::{access, block, deposit, head};

/// Time for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for one question for a head and its answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Most connections at a time that are not admitted yet. So many may come at the same moment.
const MAX_NEWCOMERS: usize = 256;
/// Most connections at a time that ask for heads.
const MAX_HEAD_CONNECTIONS: usize = 64;
/// Most connections at a time that ask for blocks.
const MAX_BLOCK_CONNECTIONS: usize = 64;

/// What answers iroh connections.
pub(crate) struct Services {
    pub(crate) heads: Arc<dyn HeadSource>,
    pub(crate) heads_served: AtomicU64,
    pub(crate) blocks: Arc<BlockServer>,
    pub(crate) access: Arc<AccessServer>,
    pub(crate) deposits: Arc<DepositServer>,
}

/// Connections that are admitted, for the protocols that do not count their own.
struct Admission {
    heads: Arc<Semaphore>,
    blocks: Arc<Semaphore>,
}

/// Answers until the endpoint is closed.
pub(crate) async fn serve(endpoint: Endpoint, services: Arc<Services>) {
    let newcomers = Arc::new(Semaphore::new(MAX_NEWCOMERS));
    let admission = Arc::new(Admission {
        heads: Arc::new(Semaphore::new(MAX_HEAD_CONNECTIONS)),
        blocks: Arc::new(Semaphore::new(MAX_BLOCK_CONNECTIONS)),
    });
    let config = Arc::new(serving(&endpoint));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(slot) = Arc::clone(&newcomers).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (services, admission) = (Arc::clone(&services), Arc::clone(&admission));
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            // a peer that fails or stalls harms only itself
            let _ = services
                .connection(incoming, config, slot, &admission)
                .await;
        });
    }
}

impl Services {
    async fn connection(
        &self,
        incoming: Incoming,
        config: Arc<ServerConfig>,
        newcomer: OwnedSemaphorePermit,
        admission: &Admission,
    ) -> Option<()> {
        let accepting = incoming.accept_with(config).ok()?;
        let connection = timeout(HANDSHAKE_TIMEOUT, accepting).await.ok()?.ok()?;
        match connection.alpn() {
            access::ALPN => self.access.serve(connection, newcomer).await,
            deposit::ALPN => self.deposits.serve(connection, newcomer).await,
            block::ALPN => {
                let blocks = Arc::clone(&self.blocks);
                blocks.serve(connection, newcomer, &admission.blocks).await;
            }
            _ => {
                let _place = Arc::clone(&admission.heads).try_acquire_owned().ok()?;
                drop(newcomer);
                let answer = async {
                    let found = head::answer(&connection, Arc::clone(&self.heads)).await?;
                    self.heads_served
                        .fetch_add(u64::from(found), Ordering::Relaxed);
                    connection.closed().await;
                    Some(())
                };
                timeout(HEAD_TIMEOUT, answer).await.ok()??;
            }
        }
        Some(())
    }
}
