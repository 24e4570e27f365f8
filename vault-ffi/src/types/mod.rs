//! Plain records and enums that cross the boundary, one file for each subject.

mod agent;
mod audit;
mod deposit;
mod node;
mod record;
mod scope;
mod share;
mod vault;

use vault_app::{Error, Exit, Result};

pub use agent::{AgentAdded, AgentSummary};
pub use audit::{AuditCheck, AuditEvent, BlockCheck, ProvenEntry};
pub use deposit::{DepositDetail, DepositItem, DepositSent, DepositSummary};
pub use node::{NodeOptions, NodeStatus, SyncReport};
pub use record::{
    AddReport, ExportForm, FileReport, RecordDetail, RecordFilter, RecordSummary, Refusal,
    RestoreReport, VersionSummary,
};
pub(crate) use record::{all, optional};
pub use scope::ShareScope;
pub use share::{
    AgreementSummary, ContactSummary, DepositLimit, GrantStatus, GrantSummary, OnRequest,
    PinnerState, ReaderTicket, Receipt, RevokeLevel, SenderSummary, SenderSync, SharePreview,
    ShareRequest, ShareResult, Withheld,
};
pub use vault::{CardSummary, NewVault, Setting, Unlock, VaultInfo};

/// Reads the id of something that is to be there; `what` names it. A text that is no id names nothing.
pub(crate) fn id<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T> {
    text.parse().map_err(|_| {
        let code = match what {
            "record" => "no-record",
            "deposit" => "no-deposit",
            "agreement" => "no-agreement",
            _ => "no-grant",
        };
        Error::new(Exit::NotFound, code, format!("there is no such {what}"))
    })
}

/// The same for several.
pub(crate) fn ids<T: std::str::FromStr>(texts: &[String], what: &'static str) -> Result<Vec<T>> {
    texts.iter().map(|text| id(text, what)).collect()
}
