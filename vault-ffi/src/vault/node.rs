//! The node: gives readers what they may have, and takes deposits, while it runs.

use super::{Vault, online};
use crate::error::MedVaultError;
use crate::types::{NodeOptions, NodeStatus};

#[uniffi::export]
impl Vault {
    /// Starts the node: readers fetch from it, requests for keys are answered and logged, deposits are
    /// taken. One that runs already stays as it is. Phones stop sockets in the background: stop it
    /// before, and start it after.
    pub async fn start_node(&self, options: NodeOptions) -> Result<NodeStatus, MedVaultError> {
        self.run(move |session| online::start_node(session, &options))
            .await
    }

    /// Stops the node: lets answers end for up to five seconds, closes connections, frees the ports.
    pub async fn stop_node(&self) -> Result<(), MedVaultError> {
        self.run(|session| {
            session.node.stop();
            Ok(())
        })
        .await
    }

    /// How the node is, if it runs.
    pub async fn node_status(&self) -> Result<Option<NodeStatus>, MedVaultError> {
        self.run(|session| Ok(session.node.status())).await
    }
}
