//! Where else to ask, as the command line names it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use vault_app::{App, GivenHead, Places};
use vault_core::MAX_HEAD_LEN;
use vault_http::client::BaseUrl;

use crate::error::{Error, Result};
use crate::files;

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

/// The places of the settings and of the command line.
pub fn places(app: &App, more: &PlaceArgs, heads: &HeadArgs) -> Result<Places> {
    let heads = heads.heads.iter().map(|path| given(path));
    app.places(more.gateways.clone(), heads.collect::<Result<_>>()?)
}

fn given(path: &Path) -> Result<GivenHead> {
    if !files::is_dash(path) {
        return Ok(GivenHead::File(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let input = std::io::stdin().take(MAX_HEAD_LEN as u64 + 1);
    let read = { input }.read_to_end(&mut bytes);
    read.map_err(|error| Error::file(path, &error))?;
    Ok(GivenHead::Bytes {
        name: path.display().to_string(),
        bytes,
    })
}
