//! A home as an application uses it.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use vault_core::record::Sensitivity;
use vault_core::{Device, Home, HomeStorage, Vault, VaultId, system_clock};

use crate::config::{Config, File};
use crate::error::Result;
use crate::place::{self, Place};

/// Where warnings go: what must not be missed, and does not end the work.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// What is chosen for this run and stands in no setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// RPC address of the Kubo that keeps the blocks, before the setting `ipfs.api`.
    pub ipfs: Option<String>,
    /// File whose first line is Kubo's token.
    pub ipfs_token_file: Option<PathBuf>,
}

/// A home with its settings. Cheap to clone; every clone may be used on a thread of its own.
#[derive(Clone)]
pub struct App {
    home: Arc<Home>,
    config: Arc<Config>,
    options: Arc<Options>,
    warn: Warn,
}

impl App {
    /// Reads the settings. What changes them later is seen by the next one that is opened.
    ///
    /// # Errors
    /// `bad-config`; a home that cannot be read.
    pub fn open(home: impl Into<Arc<Home>>, options: Options, warn: Warn) -> Result<Self> {
        let home = home.into();
        let config = File::read(&home)?.config()?;
        Ok(Self {
            home,
            config: Arc::new(config),
            options: Arc::new(options),
            warn,
        })
    }

    /// The home.
    pub fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// The settings, as they were when this was opened.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was chosen for this run.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Tells what must not be missed.
    pub fn warn(&self, text: impl Display) {
        (self.warn)(&text.to_string());
    }

    /// Where warnings go.
    pub fn warner(&self) -> &Warn {
        &self.warn
    }

    /// Where the blocks are said to be.
    ///
    /// # Errors
    /// When the address of the Kubo is none.
    pub fn place(&self) -> Result<Place> {
        Place::of(&self.options, &self.config)
    }

    /// The storage of the vault in this home.
    ///
    /// # Errors
    /// `blocks-elsewhere` when its blocks are not where they are said to be; `not-built` when that
    /// is a Kubo and this program cannot talk to one.
    pub fn storage(&self, vault: &VaultId) -> Result<Arc<HomeStorage>> {
        place::storage(self, vault)
    }

    /// Opens the vault once more, for a thread of its own.
    ///
    /// # Errors
    /// As [`Self::storage`], and whatever is wrong with the vault.
    pub fn vault(&self, device: &Arc<Device>) -> Result<Vault> {
        let storage = self.storage(&device.vault())?;
        Ok(Vault::open(storage, device.clone(), system_clock())?)
    }

    /// Which codes make a record sensitive: the built-in rules, and those of the settings.
    pub fn sensitivity(&self) -> Sensitivity {
        self.config.import.sensitivity()
    }
}
