//! Takes in iroh connections and hands each to the protocol it was made for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iroh::Endpoint;
use iroh::endpoint::Incoming;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::block::serve::BlockServer;
use crate::head::HeadSource;
use crate::{block, head};

/// Time for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for one question for a head and its answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Most connections at a time that ask for heads, or have not said yet what they are for.
const MAX_HEAD_CONNECTIONS: usize = 64;
/// Most connections at a time that ask for blocks.
const MAX_BLOCK_CONNECTIONS: usize = 64;

/// What answers iroh connections.
pub(crate) struct Services {
    pub(crate) heads: Arc<dyn HeadSource>,
    pub(crate) heads_served: AtomicU64,
    pub(crate) blocks: Arc<BlockServer>,
}

/// Answers until the endpoint is closed.
pub(crate) async fn serve(endpoint: Endpoint, services: Arc<Services>) {
    let new = Arc::new(Semaphore::new(MAX_HEAD_CONNECTIONS));
    let blocks = Arc::new(Semaphore::new(MAX_BLOCK_CONNECTIONS));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(slot) = Arc::clone(&new).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (services, blocks) = (Arc::clone(&services), Arc::clone(&blocks));
        tokio::spawn(async move {
            // a peer that fails or stalls harms only itself
            let _ = services.connection(incoming, slot, &blocks).await;
        });
    }
}

impl Services {
    async fn connection(
        &self,
        incoming: Incoming,
        slot: tokio::sync::OwnedSemaphorePermit,
        block_slots: &Arc<Semaphore>,
    ) -> Option<()> {
        let connection = timeout(HANDSHAKE_TIMEOUT, incoming).await.ok()?.ok()?;
        if connection.alpn() == block::ALPN {
            Arc::clone(&self.blocks)
                .serve(connection, slot, block_slots)
                .await;
            return Some(());
        }
        let answer = async {
            let found = head::answer(&connection, Arc::clone(&self.heads)).await?;
            self.heads_served
                .fetch_add(u64::from(found), Ordering::Relaxed);
            connection.closed().await;
            Some(())
        };
        timeout(HEAD_TIMEOUT, answer).await.ok()?
    }
}
