//! The audit log, and what checking it found.

/// Something that happened, as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AuditEvent {
    /// Its position in the log.
    pub index: u64,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// What, for programs, as `medvault audit log --json` names it, such as `granted`.
    pub event: String,
    /// What happened, in one line for people.
    pub text: String,
    /// Who did it: `you`, a contact, or an agent.
    pub who: String,
    /// Why, if that was said; else empty.
    pub why: String,
    /// What became of a request for keys: `opened`, `unconfirmed`, `not-opened` or `refused`.
    pub outcome: Option<String>,
    /// The grant it is about.
    pub grant: Option<String>,
    /// Records that it names.
    pub records: Vec<String>,
    /// The contact it is about.
    pub contact: Option<String>,
}

/// An entry of a log that was proven to somebody who has only the vault's id.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ProvenEntry {
    /// Its position in the log.
    pub index: u64,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// What, for programs, such as `granted`.
    pub event: String,
    /// How many entries the log had then.
    pub log_size: u64,
    /// Whether the key that signed was replaced since.
    pub signer_replaced: bool,
}

/// What checking the audit log found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AuditCheck {
    /// Entries that the signed checkpoint covers.
    pub entries: u64,
    /// Whether every entry, every hash and the signature hold.
    pub intact: bool,
    /// The first thing that does not.
    pub problem: Option<String>,
}

/// What checking the blocks found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BlockCheck {
    /// Blocks that were checked.
    pub blocks: u64,
    /// Blocks that are missing or damaged.
    pub missing: Vec<String>,
    /// Records with a version that does not open; looked at only when asked to look deep.
    pub unreadable: Vec<String>,
}
