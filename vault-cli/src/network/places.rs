//! Places other than the patient's node: from the settings and from the command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use vault_core::Home;
use vault_http::client::{BaseUrl, HttpError};
use vault_http::gateway::{Gateway, Gateways};
use vault_http::routing::Routing;
use vault_node::DhtConfig;

use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Servers beside those of the settings.
#[derive(Args, Default, Clone)]
pub struct PlaceArgs {
    /// Ask this trustless gateway too, before those of the settings; may be repeated
    #[arg(long = "gateway", value_name = "URL", value_parser = BaseUrl::parse)]
    pub gateways: Vec<BaseUrl>,
}

/// Heads that somebody handed over.
#[derive(Args, Default, Clone)]
pub struct HeadArgs {
    /// Consider the head in this file too, as `medvault head export` writes it; may be repeated
    #[arg(long = "head", value_name = "FILE")]
    pub heads: Vec<PathBuf>,
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
    /// Heads in files.
    pub heads: Vec<PathBuf>,
}

impl Places {
    /// Those of a home's settings and of the command line.
    pub fn of(context: &Context, home: &Home, more: &PlaceArgs, heads: &HeadArgs) -> Result<Self> {
        let config = context.config(home)?;
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
        let mut gateways = more.gateways.clone();
        gateways.extend(configured(&config.ipfs.gateways)?);
        let mut places = Self::at(gateways, configured(&config.ipfs.routing)?)?;
        places.dht = super::dht_settings(&config);
        places.heads.clone_from(&heads.heads);
        Ok(places)
    }

    /// These servers, each once.
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
