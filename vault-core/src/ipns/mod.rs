//! The vault's name in IPNS: a courtesy copy of where the newest head is.
//!
//! A record under this name proves only that it was signed with the vault's IPNS key. Whether the
//! head it points to is to be believed, the head's signature and the reader's memory decide.
//! Source: specs.ipfs.tech/ipns/ipns-record.

mod name;
mod record;
mod time;
mod wire;

pub use name::{IpnsName, ParseIpnsNameError};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use record::sign_raw;
pub use record::{IPNS_LIFETIME, IPNS_TTL, IpnsError, IpnsRecord, MAX_IPNS_RECORD_LEN};

use crate::identity::Device;
use crate::keys::{KeyPurpose, RecoveryWords, SigningKey, derive};

impl Device {
    /// The vault's IPNS name.
    pub fn ipns_name(&self) -> IpnsName {
        IpnsName::new(self.ipns_key().public())
    }
}

impl RecoveryWords {
    /// The IPNS name of the vault of these words.
    pub fn ipns_name(&self) -> IpnsName {
        let seed = derive(self.owner_secrets().zero_cover.expose(), KeyPurpose::Ipns);
        IpnsName::new(SigningKey::from_seed(seed.expose()).public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_devices_have_the_same_name() {
        let words = RecoveryWords::generate();
        let device = Device::for_new_vault(&words, 1);
        assert_eq!(device.ipns_name(), words.ipns_name());
    }
}
