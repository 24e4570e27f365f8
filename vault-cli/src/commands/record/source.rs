//! Whose records are looked at: one's own, or those that somebody shared.

use clap::Args;
use vault_core::{IndexEntry, OpenRecord, RecordId, Vault};

use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// The option that chooses whose records.
#[derive(Args)]
pub struct FromArgs {
    /// Records that this person shared with you, instead of your own
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
}

/// Whose records.
pub enum Owner {
    /// One's own.
    Own,
    /// Those that this person shared.
    From(String),
}

impl FromArgs {
    /// Whose records were asked for.
    pub fn owner(&self) -> Owner {
        self.from.clone().map_or(Owner::Own, Owner::From)
    }
}

/// Records that can be listed and opened.
pub trait Records {
    /// The newest version of each.
    fn records(&mut self) -> Result<Vec<IndexEntry>>;

    /// Every version of one, oldest first.
    fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>>;

    /// Opens a version's content.
    fn open(&self, entry: &IndexEntry) -> Result<OpenRecord>;
}

impl Records for Vault {
    fn records(&mut self) -> Result<Vec<IndexEntry>> {
        Ok(Vault::records(self)?)
    }

    fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>> {
        Ok(Vault::versions(self, record)?)
    }

    fn open(&self, entry: &IndexEntry) -> Result<OpenRecord> {
        Ok(self.open_record(entry)?)
    }
}

impl Owner {
    /// Opens the records.
    pub fn open(&self, context: &Context) -> Result<Box<dyn Records>> {
        match self {
            Self::Own => Ok(Box::new(context.vault()?)),
            Self::From(name) => {
                let what = format!("nobody called `{name}` has shared anything with you");
                Err(Error::new(Exit::NotFound, "no-sender", what)
                    .hint("`medvault inbox accept TICKET` takes what someone shares"))
            }
        }
    }
}
