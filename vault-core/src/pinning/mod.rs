//! Keeping the vault at pinning services: what each is given, how it moves on when the vault
//! changes, and how to find out whether it still has it.
//!
//! Nothing here touches a network. A service is spoken to through [`PinApi`], asked for blocks
//! through [`BlockFetch`].

mod plan;
mod root;
mod service;
mod services;
mod sync;
mod verify;

#[cfg(test)]
mod tests;

pub use plan::{ListedPin, PinStatus, RequestId, RequestIdError, Step, plan, plan_removal};
pub use root::{CANARIES, GivenRoot, RootBlocks};
pub use service::{PinService, ServiceName, ServiceNameError, TokenSource, Verified};
pub use services::{Services, ServicesError};
pub use sync::{PinApi, Save, SyncError, SyncOutcome, Wanted, sync, withdraw};
pub use verify::{BlockFetch, SampleError, SampleSize, Verification, verify};
