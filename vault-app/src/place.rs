//! Where a vault's blocks live: in the home, or in a Kubo.
//!
//! A vault lives in one place at a time. The head, the identity and what was received from others
//! stay in the home.

use std::sync::Arc;

use vault_core::{Block, BlockStore, Codec, Home, HomeStorage, VaultId, VaultStorage};
use vault_http::client::BaseUrl;

use crate::app::{App, Options};
use crate::config::{self, Config, File};
use crate::error::{Error, Exit, Result};

/// A place for blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The folder `blocks` of the home.
    Home,
    /// The Kubo whose RPC is at this address.
    Kubo(String),
}

impl Place {
    /// Where the blocks are said to be: in the Kubo of the options, else that of the setting
    /// `ipfs.api`, else in the home.
    ///
    /// # Errors
    /// When the address of the Kubo is none.
    pub fn of(options: &Options, config: &Config) -> Result<Self> {
        if let Some(url) = &options.ipfs {
            return Self::kubo(url);
        }
        let set = config.ipfs.api.as_ref();
        Ok(set.map_or(Self::Home, |url| Self::Kubo(url.as_str().to_owned())))
    }

    /// The Kubo at `url`.
    ///
    /// # Errors
    /// When that is no address of one.
    pub fn kubo(url: &str) -> Result<Self> {
        let parsed = BaseUrl::parse(url).map_err(|error| {
            Error::usage(format!("not the address of a Kubo: {error}"))
                .hint("such as http://127.0.0.1:5001")
        })?;
        Ok(Self::Kubo(parsed.as_str().to_owned()))
    }

    /// Whether both are one Kubo under two addresses.
    ///
    /// # Errors
    /// When one of them does not answer.
    #[cfg(feature = "network")]
    pub fn is_the_same_kubo(&self, other: &Self, options: &Options) -> Result<bool> {
        let (Self::Kubo(one), Self::Kubo(other)) = (self, other) else {
            return Ok(false);
        };
        let peer = |url| -> Result<_> { Ok(kubo::node(options, url)?.address()?.0) };
        Ok(peer(one)? == peer(other)?)
    }

    /// The storage of a vault with its blocks here, looked into by nobody yet.
    ///
    /// # Errors
    /// What the home or the Kubo refuses; `not-built` for a Kubo when this program cannot talk to
    /// one.
    pub fn storage(
        &self,
        options: &Options,
        home: &Home,
        vault: &VaultId,
    ) -> Result<Arc<HomeStorage>> {
        match self {
            Self::Home => Ok(home.storage()?),
            #[cfg(feature = "network")]
            Self::Kubo(url) => kubo::storage(options, home, url, vault),
            #[cfg(not(feature = "network"))]
            Self::Kubo(_) => {
                let _ = (options, vault);
                let what = format!(
                    "the blocks of this vault are in {}, and this program was built without \
                     the network",
                    self.words()
                );
                Err(Error::new(Exit::Home, "not-built", what))
            }
        }
    }

    /// Writes into the settings that the blocks are here.
    ///
    /// # Errors
    /// When the settings cannot be read or written.
    pub fn remember(&self, home: &Home) -> Result<()> {
        let key = config::find("ipfs.api")?;
        let mut file = File::read(home)?;
        match self {
            Self::Home if !file.unset(key) => return Ok(()),
            Self::Home => {}
            Self::Kubo(url) => file.set(key, std::slice::from_ref(url))?,
        }
        file.write(home)
    }

    /// This place, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Home => "the home".to_owned(),
            Self::Kubo(url) => format!("the Kubo at {url}"),
        }
    }
}

/// The storage of the vault in this home, at the place that was chosen. Fails when the vault's
/// blocks are not there.
pub(crate) fn storage(app: &App, vault: &VaultId) -> Result<Arc<HomeStorage>> {
    let place = app.place()?;
    let storage = place.storage(app.options(), app.home(), vault)?;
    let blocks = storage.blocks();
    loop {
        let Some(head) = storage.head()? else {
            return Ok(storage);
        };
        let there = match &place {
            // a block that is lost is for those to say who need it
            Place::Home => !blocks.list()?.is_empty(),
            Place::Kubo(_) => is_held(&*blocks, &head)?,
        };
        if there {
            return Ok(storage);
        }
        // somebody else may have replaced the head meanwhile
        if storage.head()?.as_ref() == Some(&head) {
            let what = format!("{} does not have the blocks of this vault", place.words());
            return Err(Error::new(Exit::Home, "blocks-elsewhere", what).hint(elsewhere(&place)));
        }
    }
}

/// Whether a Kubo holds everything below the head; one that has it all without our pin is given
/// one.
fn is_held(blocks: &dyn BlockStore, head: &[u8]) -> Result<bool> {
    let Ok(head) = Block::new(Codec::DagCbor, head.to_vec()) else {
        return Ok(false);
    };
    Ok(blocks.has(&head.cid())? || (blocks.list()?.is_empty() && blocks.hold(&head.cid()).is_ok()))
}

fn elsewhere(place: &Place) -> &'static str {
    match place {
        Place::Home => {
            "are they in a Kubo? name it with `--ipfs URL`, or for good with \
             `medvault config set ipfs.api URL`"
        }
        Place::Kubo(_) => {
            "`medvault move URL` takes them there from the home; \
             `medvault config unset ipfs.api` goes back to the home"
        }
    }
}

/// A Kubo that has the blocks.
#[cfg(feature = "network")]
pub(crate) mod kubo {
    use std::sync::Arc;

    use vault_core::{Home, HomeStorage, VaultId};
    use vault_http::{KuboError, KuboNode, KuboStore};
    use zeroize::Zeroizing;

    use super::Place;
    use crate::app::{App, Options};
    use crate::error::{Error, Exit, Result};
    use crate::files;

    /// Longest token, in bytes.
    const MAX_TOKEN: u64 = 4096;

    pub(super) fn storage(
        options: &Options,
        home: &Home,
        url: &str,
        vault: &VaultId,
    ) -> Result<Arc<HomeStorage>> {
        let token = token(options)?;
        let store = KuboStore::new(url, token.as_deref().map(String::as_str), vault)?;
        Ok(home.storage_with(Arc::new(store)))
    }

    /// The Kubo's side that faces the network, when the blocks are in one.
    pub(crate) fn of(app: &App) -> Result<Option<KuboNode>> {
        match app.place()? {
            Place::Home => Ok(None),
            Place::Kubo(url) => Ok(Some(node(app.options(), &url)?)),
        }
    }

    pub(super) fn node(options: &Options, url: &str) -> Result<KuboNode> {
        let token = token(options)?;
        Ok(KuboNode::new(url, token.as_deref().map(String::as_str))?)
    }

    fn token(options: &Options) -> Result<Option<Zeroizing<String>>> {
        let Some(file) = &options.ipfs_token_file else {
            return Ok(None);
        };
        let text = Zeroizing::new(files::read_text(file, MAX_TOKEN)?);
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        Ok(Some(Zeroizing::new(line)))
    }

    impl From<KuboError> for Error {
        fn from(error: KuboError) -> Self {
            let text = error.to_string();
            match error {
                KuboError::Url(_) => Self::usage(text).hint("such as http://127.0.0.1:5001"),
                KuboError::OpenToken(_) => Self::usage(text).hint("use https"),
                KuboError::Unreachable { .. } => Self::new(Exit::Network, "kubo", text)
                    .hint("is Kubo running? `ipfs daemon` starts it"),
                KuboError::Unauthorized(_) => {
                    Self::new(Exit::Network, "kubo-token", text).hint("`--ipfs-token-file FILE`")
                }
                KuboError::PeerKey(_) => Self::new(Exit::Failure, "kubo-key", text)
                    .hint("`ipfs key rotate --type ed25519`, while Kubo is stopped, makes one"),
                KuboError::Refused { .. } => Self::new(Exit::Network, "kubo", text),
            }
        }
    }
}
