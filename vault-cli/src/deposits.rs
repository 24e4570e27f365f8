//! Deposits that wait, by the ids that people type.

use vault_app::WaitingRoom;
use vault_core::DepositId;

use crate::context::Context;
use crate::error::Result;
use vault_app::Ids;

/// Opens the waiting room.
pub fn open(context: &Context) -> Result<WaitingRoom> {
    let (app, device) = context.app_and_device()?;
    WaitingRoom::open(&app, &device)
}

/// The ids of what waits.
pub fn ids(room: &WaitingRoom) -> Ids {
    Ids::new(room.deposits.iter().map(|deposit| deposit.deposit))
}

/// The deposit whose id begins with `text`.
pub fn find(room: &WaitingRoom, text: &str) -> Result<DepositId> {
    ids(room).find(text, "deposit", "inbox list")
}
