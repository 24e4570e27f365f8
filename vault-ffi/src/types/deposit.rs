//! Deposits: records into somebody else's vault.

use vault_core::DepositView;

use super::record::RecordSummary;

/// What goes into a deposit.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum DepositItem {
    /// A file.
    File {
        /// Where it is.
        path: String,
    },
    /// Content at hand.
    Bytes {
        /// The content.
        content: Vec<u8>,
        /// A file name for it.
        name: String,
    },
}

/// A deposit that was sent or written.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DepositSent {
    /// The deposit: base32.
    pub deposit: String,
    /// How many records it holds.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// When the patient's node confirmed it, in seconds since 1970-01-01 UTC. None for a file.
    pub delivered: Option<u64>,
    /// What could not be taken, one line each.
    pub refused: Vec<String>,
}

/// A deposit that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DepositSummary {
    /// The deposit: base32.
    pub id: String,
    /// The contact who sent it; none when the contact is gone.
    pub sender: Option<String>,
    /// When it arrived, in seconds since 1970-01-01 UTC.
    pub arrived: u64,
    /// Its length.
    pub bytes: u64,
}

/// A deposit, looked into. Everything in it was checked; titles and message are the sender's words.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct DepositDetail {
    /// The deposit.
    pub id: String,
    /// The contact who signed it.
    pub sender: String,
    /// One line to the patient.
    pub message: Option<String>,
    /// When it was made, by the sender's clock.
    pub created: u64,
    /// Its records, with the labels that they would get.
    pub records: Vec<RecordSummary>,
}

impl From<&DepositView> for DepositDetail {
    fn from(view: &DepositView) -> Self {
        let records = view.records.iter();
        Self {
            id: view.deposit.to_string(),
            sender: view.contact.name.clone(),
            message: view.message.clone(),
            created: view.created,
            records: records.map(|record| (&record.entry).into()).collect(),
        }
    }
}
