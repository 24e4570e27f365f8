//! What one person shared, and the keys that are asked for to read it.

use clap::Args;
use vault_app::{Opening, SharedRecords};
use vault_core::{IndexEntry, OpenRecord, Purpose, RecordId};

use super::source::Records;
use crate::context::Context;
use crate::error::Result;
use crate::show;

/// More opens than this are not used without consent.
const MANY: usize = 10;

/// How keys are asked for where they are given out on request.
#[derive(Args, Default, Clone)]
pub struct AskArgs {
    /// Why you read it, where keys are given out on request: an HL7 code such as TREAT [default:
    /// the purpose that was agreed on]
    #[arg(long, value_name = "PURPOSE", value_parser = purpose)]
    purpose: Option<Purpose>,

    /// Do not ask before many opens of an agreement are used
    #[arg(long)]
    yes: bool,
}

fn purpose(text: &str) -> Result<Purpose, String> {
    text.parse().map_err(|error: &str| error.to_owned())
}

impl Records for SharedRecords {
    fn records(&mut self) -> Result<Vec<IndexEntry>> {
        Ok(Self::records(self))
    }

    fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>> {
        Self::versions(self, record)
    }

    fn unlock(&mut self, context: &Context, entries: &[IndexEntry], ask: &AskArgs) -> Result<()> {
        let closed = self.closed(entries);
        if closed.is_empty() {
            return Ok(());
        }
        let name = Self::owner(self);
        let opens = show::count(closed.len() as u64, "open");
        if closed.len() > 1 {
            context.out.note(format!(
                "this uses {opens} of what {name} agreed to; each is in their audit log"
            ));
        }
        if closed.len() > MANY {
            context.consent(ask.yes, &format!("Use {opens}?"))?;
        }
        Self::unlock(self, entries, ask.purpose.as_ref())
    }

    fn open(&self, entry: &IndexEntry) -> Result<OpenRecord> {
        self.open_record(entry)
    }

    fn owner(&self) -> Option<String> {
        Some(Self::owner(self))
    }

    fn opener(&self) -> Opening<'_> {
        Self::opener(self)
    }
}
