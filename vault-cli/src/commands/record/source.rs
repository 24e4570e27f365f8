//! Whose records are looked at: one's own, or those that somebody shared.

use std::sync::Arc;

use clap::Args;
use vault_app::{App, Network, Opening, SharedRecords};
use vault_core::{Device, IndexEntry, OpenRecord, RecordId, Vault, VaultError};

use super::shared::AskArgs;
use crate::commands::inbox;
use crate::context::Context;
use crate::error::Result;
use crate::places::{HeadArgs, PlaceArgs, places};

/// The option that chooses whose records.
#[derive(Args)]
pub struct FromArgs {
    /// Records that this person shared with you, instead of your own
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    #[command(flatten)]
    places: PlaceArgs,
}

/// Whose records, and where missing blocks of theirs may be had.
pub struct Owner {
    whose: Whose,
    places: PlaceArgs,
}

/// Whose records.
enum Whose {
    /// One's own.
    Own,
    /// Those that this person shared.
    From(String),
    /// One's own first, then everybody's.
    Anyone,
}

impl FromArgs {
    /// Whose records an id may belong to, when nobody was named.
    pub fn owner_or_anyone(&self) -> Owner {
        self.owned_by(Whose::Anyone)
    }

    /// Whose records were asked for.
    pub fn owner(&self) -> Owner {
        self.owned_by(Whose::Own)
    }

    fn owned_by(&self, otherwise: Whose) -> Owner {
        Owner {
            whose: self.from.clone().map_or(otherwise, Whose::From),
            places: self.places.clone(),
        }
    }
}

/// Records that can be listed and opened.
pub trait Records {
    /// The newest version of each.
    fn records(&mut self) -> Result<Vec<IndexEntry>>;

    /// Every version of one, oldest first.
    fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>>;

    /// Asks for the keys of those among `entries` whose keys are given out on request; each is an
    /// open. Lists and searches never ask, whatever opens contents does so first.
    fn unlock(&mut self, _: &Context, _: &[IndexEntry], _: &AskArgs) -> Result<()> {
        Ok(())
    }

    /// Opens a version's content.
    fn open(&self, entry: &IndexEntry) -> Result<OpenRecord>;

    /// The name of whoever the records are of, where it is one person.
    fn owner(&self) -> Option<String> {
        None
    }

    /// Opens the contents of many, quickly when they come in the order of the list.
    fn opener(&self) -> Opening<'_> {
        Box::new(|entry| self.open(entry))
    }
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

    fn owner(&self) -> Option<String> {
        Some(self.name().to_owned())
    }

    fn opener(&self) -> Opening<'_> {
        let opener = Self::opener(self);
        Box::new(move |entry| Ok(opener.open(entry)?))
    }
}

/// Several people's records, searched in order.
struct Several(Vec<Box<dyn Records>>);

impl Several {
    fn first<T>(&mut self, ask: impl Fn(&mut dyn Records) -> Result<T>) -> Result<T> {
        let mut last = None;
        for records in &mut self.0 {
            match ask(&mut **records) {
                Ok(found) => return Ok(found),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| VaultError::Conflict.into()))
    }
}

impl Records for Several {
    fn records(&mut self) -> Result<Vec<IndexEntry>> {
        let mut all = Vec::new();
        for records in &mut self.0 {
            all.extend(records.records()?);
        }
        Ok(all)
    }

    fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>> {
        self.first(|records| records.versions(record))
    }

    fn unlock(&mut self, context: &Context, entries: &[IndexEntry], ask: &AskArgs) -> Result<()> {
        let mut all = self.0.iter_mut();
        all.try_for_each(|records| records.unlock(context, entries, ask))
    }

    fn open(&self, entry: &IndexEntry) -> Result<OpenRecord> {
        let mut last = None;
        for records in &self.0 {
            match records.open(entry) {
                Ok(found) => return Ok(found),
                // a body of another vault does not open, which says nothing of this one
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| VaultError::NoRecord(entry.record).into()))
    }
}

impl Owner {
    /// Opens the records.
    pub fn open(&self, context: &Context) -> Result<Box<dyn Records>> {
        let network = |app: &App, device: &Arc<Device>| -> Result<Arc<Network>> {
            let places = places(app, &self.places, &HeadArgs::default())?;
            Ok(app.network(device, places))
        };
        match &self.whose {
            Whose::Own => Ok(Box::new(context.vault()?)),
            Whose::From(name) => {
                let (home, device, inbox) = inbox::open(context)?;
                let app = context.app(home)?;
                let network = network(&app, &device)?;
                let following = inbox.find(name)?;
                Ok(Box::new(SharedRecords::open(
                    app.home(),
                    &network,
                    following,
                )?))
            }
            Whose::Anyone => {
                let (home, device, inbox) = inbox::open(context)?;
                let app = context.app(home)?;
                let mut all: Vec<Box<dyn Records>> = vec![Box::new(app.vault(&device)?)];
                let network = network(&app, &device)?;
                for following in inbox.list() {
                    // what cannot be had from one sender does not keep the others' from view
                    if let Ok(shared) = SharedRecords::open(app.home(), &network, following) {
                        all.push(Box::new(shared));
                    }
                }
                Ok(Box::new(Several(all)))
            }
        }
    }
}
