//! What a command works with: the home, the unlocked device, the vault, and a person to ask.

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use vault_app::config::{Config, File};
use vault_app::{App, Options, Warn};
use vault_core::{Device, Home, Vault};

use crate::args::Global;
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::{files, passphrase};

/// What a command works with.
pub struct Context {
    /// The global options.
    pub global: Global,
    /// Where to write.
    pub out: Output,
}

impl Context {
    /// Takes the global options.
    pub fn new(global: Global) -> Self {
        let out = Output {
            json: global.json,
            quiet: global.quiet,
        };
        Self { global, out }
    }

    /// Where the home is, or will be.
    pub fn home_path(&self) -> Result<PathBuf> {
        if let Some(home) = self
            .global
            .home
            .as_ref()
            .filter(|home| !home.as_os_str().is_empty())
        {
            return Ok(home.clone());
        }
        let folders = directories::ProjectDirs::from("", "", "medvault");
        folders
            .map(|folders| folders.data_dir().to_owned())
            .ok_or_else(|| {
                Error::new(
                    Exit::Home,
                    "no-home",
                    "there is no user folder to keep the home in",
                )
                .hint("name a place with `--home DIR`")
            })
    }

    /// Opens the home.
    pub fn home(&self) -> Result<Home> {
        Ok(Home::open(&self.home_path()?)?)
    }

    /// The settings of this home.
    pub fn config(&self, home: &Home) -> Result<Config> {
        File::read(home)?.config()
    }

    /// What the command line says of places.
    pub fn options(&self) -> Options {
        let token = self.global.ipfs_token_file.clone();
        Options {
            ipfs: self.global.ipfs.clone(),
            ipfs_token_file: token.map(|file| match files::is_dash(&file) {
                true => PathBuf::from("/dev/stdin"),
                false => file,
            }),
        }
    }

    /// Where warnings go.
    pub fn warn(&self) -> Warn {
        let out = self.out;
        Arc::new(move |text| out.warn(text))
    }

    /// A home with its settings.
    pub fn app(&self, home: impl Into<Arc<Home>>) -> Result<App> {
        App::open(home, self.options(), self.warn())
    }

    /// Unlocks this home's device with the passphrase.
    pub fn unlock(&self, home: &Home) -> Result<Arc<Device>> {
        // a home without an identity is told before anybody is asked
        home.read_identity()?;
        let passphrase = passphrase::current(&self.global)?;
        vault_app::unlock_with_passphrase(home, &passphrase)
    }

    /// Opens the home and unlocks the device.
    pub fn app_and_device(&self) -> Result<(App, Arc<Device>)> {
        let home = self.home()?;
        let device = self.unlock(&home)?;
        Ok((self.app(home)?, device))
    }

    /// Opens the home, unlocks the device and opens the vault.
    pub fn vault(&self) -> Result<Vault> {
        Ok(self.app_and_vault()?.1)
    }

    /// The same, and keeps the home.
    pub fn home_and_vault(&self) -> Result<(Arc<Home>, Vault)> {
        let (app, vault) = self.app_and_vault()?;
        Ok((app.home().clone(), vault))
    }

    /// The same, and keeps the settings too.
    pub fn app_and_vault(&self) -> Result<(App, Vault)> {
        let (app, device) = self.app_and_device()?;
        let vault = app.vault(&device)?;
        Ok((app, vault))
    }

    /// Whether there is a person who can be asked.
    pub fn can_ask(&self) -> bool {
        !self.global.no_input && std::io::stdin().is_terminal()
    }

    /// Asks for one line of text; `None` when it is empty.
    pub fn ask(&self, question: &str) -> Result<Option<String>> {
        let mut err = anstream::stderr().lock();
        write!(err, "{question}")?;
        err.flush()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        let line = line.trim();
        Ok((!line.is_empty()).then(|| line.to_owned()))
    }

    /// Asks a question of yes or no; anything but yes is no.
    pub fn confirm(&self, question: &str) -> Result<bool> {
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(answer.is_some_and(|a| matches!(a.to_lowercase().as_str(), "y" | "yes")))
    }

    /// Goes on only with the patient's consent: `yes` from the command line, or an answer.
    pub fn consent(&self, yes: bool, question: &str) -> Result<()> {
        if yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(
                Error::usage("this needs a confirmation and nobody can be asked").hint("add --yes"),
            );
        }
        match self.confirm(question)? {
            true => Ok(()),
            false => Err(declined()),
        }
    }
}

/// The person said no.
pub fn declined() -> Error {
    Error::new(
        Exit::Failure,
        "declined",
        "stopped as you wished; nothing was changed",
    )
}
