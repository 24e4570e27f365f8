//! The root of a grant's sealed index: its terms and the references to its pages.

use serde::{Deserialize, Serialize};

use crate::ids::{GrantId, VaultId};
use crate::index::PageRef;

/// The id of grant zero, the patient's own.
pub(crate) const ZERO: GrantId = GrantId::from_bytes([0; 16]);

/// What a grant's root is bound to.
pub(crate) fn root_context(vault: &VaultId, grant: &GrantId) -> Vec<u8> {
    let mut context = b"medvault/v1/grant-root\0\x01".to_vec();
    context.extend_from_slice(vault.as_bytes());
    context.extend_from_slice(grant.as_bytes());
    context
}

/// The sealed root that a reader opens with the grant key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRoot {
    pub(crate) v: u8,
    /// Signed terms, wire form.
    #[serde(with = "serde_bytes")]
    pub(crate) terms: Vec<u8>,
    pub(crate) pages: Vec<PageRef>,
    /// On request: the members' countersignatures, wire form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) acceptances: Vec<serde_bytes::ByteBuf>,
    /// On request: certificates of those who answer besides the patient's device, wire form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) agents: Vec<serde_bytes::ByteBuf>,
}
