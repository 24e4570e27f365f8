//! Trustless gateways: blocks, CARs and IPNS records over plain HTTP.
//!
//! A gateway is asked for bytes that carry their own proof. Whatever does not match the hash or the
//! signature is refused, and the next gateway is asked. Redirects are not followed: nobody agreed
//! that the other address may know what is read.
//! Source: specs.ipfs.tech/http-gateways/trustless-gateway.

mod car;
mod several;

use std::fmt;
use std::time::Duration;

use vault_core::{
    Block, BlockError, CarError, Cid, IpnsError, IpnsName, IpnsRecord, MAX_BLOCK_LEN,
    MAX_IPNS_RECORD_LEN, StoreError,
};

use crate::client::{Http, HttpError, Options, Timeouts};

pub use crate::client::{BaseUrl, UrlError};
pub use car::DagScope;
pub use several::{Complaint, Gateways};

/// How long a gateway may take. It may have to find a block somewhere first, but somebody waits.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(15),
    silence: Duration::from_secs(10),
    total: Some(Duration::from_secs(60)),
};

const RAW: &str = "application/vnd.ipld.raw";
const IPNS_RECORD: &str = "application/vnd.ipfs.ipns-record";

/// Why a gateway's answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// There was no answer, or it was a refusal.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The bytes are not the block that was asked for.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The record is not one of the name that was asked for.
    #[error(transparent)]
    Record(#[from] IpnsError),
    /// The CAR is none, or one of its blocks does not match its name.
    #[error(transparent)]
    Car(#[from] CarError),
    /// The CAR holds a block that was not asked for.
    #[error("block {0} was not asked for")]
    Unwanted(Cid),
    /// The CAR holds a block of a kind that was not asked for.
    #[error("a block of a foreign kind was not asked for")]
    Foreign,
    /// Not the gateway: what came could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GatewayError {
    /// Whether the gateway gave something that no honest one gives.
    pub const fn is_false(&self) -> bool {
        match self {
            Self::Block(_) | Self::Unwanted(_) | Self::Foreign => true,
            Self::Car(error) => car::is_false(error),
            Self::Store(_) => false,
            // a record that has ended may just be the last one there is
            Self::Record(error) => !matches!(error, IpnsError::Expired(_)),
            Self::Http(error) => matches!(error, HttpError::TooLarge { .. }),
        }
    }

    /// Whether the gateway simply does not have it.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Http(HttpError::NotFound { .. }))
    }
}

/// One gateway.
#[derive(Clone)]
pub struct Gateway {
    http: Http,
}

impl Gateway {
    /// A gateway at an address such as `https://ipfs.example` or `http://127.0.0.1:8080`. Nothing
    /// is contacted yet.
    ///
    /// # Errors
    /// None for a parsed address; the client's rules are checked all the same.
    pub fn new(base: BaseUrl) -> Result<Self, HttpError> {
        Self::with_timeouts(base, TIMEOUTS)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeouts(base: BaseUrl, timeouts: Timeouts) -> Result<Self, HttpError> {
        let options = Options {
            timeouts,
            redirects: 0,
        };
        let http = Http::with_options(base, None, options)?;
        Ok(Self { http })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.http.base().as_str()
    }

    /// Fetches one block and checks it.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn block(&self, cid: &Cid) -> Result<Block, GatewayError> {
        let cid_text = cid.to_string();
        let answer = self
            .http
            .get(&["ipfs", &cid_text])
            .query("format", "raw")
            .header("accept", RAW)
            .send()?;
        let data = answer.bytes(MAX_BLOCK_LEN as u64)?;
        Ok(Block::verify(*cid, data)?)
    }

    /// Fetches the record under a name and checks it; `now` in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn ipns_record(&self, name: &IpnsName, now: u64) -> Result<IpnsRecord, GatewayError> {
        let name_text = name.to_string();
        let answer = self
            .http
            .get(&["ipns", &name_text])
            .query("format", "ipns-record")
            .header("accept", IPNS_RECORD)
            .send()?;
        let bytes = answer.bytes(MAX_IPNS_RECORD_LEN as u64)?;
        Ok(IpnsRecord::from_bytes(&bytes, name, now)?)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({})", self.url())
    }
}
