//! Places other than the patient's node: from the settings, and those that are named beside them.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use vault_core::MAX_HEAD_LEN;
use vault_http::client::{BaseUrl, HttpError};
use vault_http::gateway::{Gateway, Gateways};
use vault_http::routing::Routing;
use vault_node::DhtConfig;

use crate::app::App;
use crate::error::{Error, Exit, Result};

/// A head that somebody handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenHead {
    /// In this file, which is read when heads are asked for.
    File(PathBuf),
    /// At hand.
    Bytes {
        /// What it is called in messages.
        name: String,
        /// The head.
        bytes: Vec<u8>,
    },
}

impl GivenHead {
    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// Reads it. One that is too long is cut off, and will be found to be none.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        let path = match self {
            Self::File(path) => path,
            Self::Bytes { bytes, .. } => return Ok(bytes.clone()),
        };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path);
        let read = file.and_then(|file| file.take(MAX_HEAD_LEN as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| Error::file(path, &error))?;
        Ok(bytes)
    }
}

/// Where heads and blocks may be had besides the patient's node.
#[derive(Clone)]
pub struct Places {
    /// For blocks and for records under the vault's name.
    pub gateways: Arc<Gateways>,
    /// For records under the vault's name, and for those who have a block.
    pub routing: Vec<Routing>,
    /// Part in the DHT, if any.
    pub dht: Option<DhtConfig>,
    /// Heads that somebody handed over.
    pub heads: Vec<GivenHead>,
}

impl Places {
    /// Those of a home's settings, after these gateways, and these heads.
    pub(crate) fn of(app: &App, gateways: Vec<BaseUrl>, heads: Vec<GivenHead>) -> Result<Self> {
        let config = app.config();
        let configured = |urls: &[crate::config::WebUrl]| -> Result<Vec<BaseUrl>> {
            let parse = |url: &crate::config::WebUrl| {
                BaseUrl::parse(url.as_str()).map_err(|error| {
                    Error::new(
                        Exit::Usage,
                        "bad-config",
                        format!("{}: {error}", url.as_str()),
                    )
                    .hint("`medvault config list` shows the settings")
                })
            };
            urls.iter().map(parse).collect()
        };
        let mut gateways = gateways;
        gateways.extend(configured(&config.ipfs.gateways)?);
        let mut places = Self::at(gateways, configured(&config.ipfs.routing)?)?;
        places.dht = super::dht_settings(config);
        places.heads = heads;
        Ok(places)
    }

    /// These servers, each once, and nothing of any settings.
    ///
    /// # Errors
    /// When no client can be made for one of them.
    pub fn at(gateways: Vec<BaseUrl>, routing: Vec<BaseUrl>) -> Result<Self> {
        let gateways = once(gateways).into_iter().map(Gateway::new);
        let routing = once(routing).into_iter().map(Routing::new);
        Ok(Self {
            gateways: Arc::new(Gateways::new(gateways.collect::<Result<_, _>>()?)),
            routing: routing.collect::<Result<_, _>>()?,
            dht: None,
            heads: Vec::new(),
        })
    }
}

fn once(mut urls: Vec<BaseUrl>) -> Vec<BaseUrl> {
    let mut seen = std::collections::BTreeSet::new();
    urls.retain(|url| seen.insert(url.clone()));
    urls
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        Self::new(Exit::Network, "http", error).hint("try again later")
    }
}
