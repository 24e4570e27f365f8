//! The address of an agent: what someone who is to answer requests hands to the patient.
//!
//! `medvault-agent:` and base64url of the dag-cbor map `{v: 1, card, node}`. The card is
//! self-signed. The node must be the one on the card, so whoever alters the text on its way can make
//! the agent unreachable and nothing else.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::address::NodeAddress;
use crate::codec::{self, DecodeError};
use crate::identity::{Card, CardError, MAX_CARD_LEN};

/// Text before the base64url part.
const PREFIX: &str = "medvault-agent:";

/// Longest accepted binary form, in bytes.
const MAX_LEN: usize = MAX_CARD_LEN + 16 * 1024;

/// Longest accepted text form of an agent's address, in bytes.
pub const MAX_AGENT_ADDRESS_LEN: usize = 64 * 1024;

/// Most addresses of one kind.
const MAX_ADDRS: usize = 32;

/// Longest single address, in bytes.
const MAX_ADDR_LEN: usize = 256;

/// Why a text is not the address of an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentAddressError {
    /// Not of the form of one.
    #[error("not the address of an agent")]
    NotAnAddress,
    /// It says something malformed.
    #[error("address of an agent: {0}")]
    Malformed(#[from] DecodeError),
    /// The card in it does not hold.
    #[error("address of an agent: {0}")]
    Card(#[from] CardError),
    /// The node is another than the one on the card.
    #[error("the address of the agent names another node than its card")]
    OtherNode,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    #[serde(with = "serde_bytes")]
    card: Vec<u8>,
    node: NodeAddress,
}

/// Who an agent is and where its node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentAddress {
    card: Card,
    node: NodeAddress,
}

impl AgentAddress {
    /// Puts a card and the address of the node on it together.
    ///
    /// # Errors
    /// [`AgentAddressError::OtherNode`]; [`AgentAddressError::Malformed`] for more than 32 addresses
    /// of a kind, or one of more than 256 bytes.
    pub fn new(card: Card, node: NodeAddress) -> Result<Self, AgentAddressError> {
        if node.endpoint != *card.endpoint() {
            return Err(AgentAddressError::OtherNode);
        }
        for addrs in [&node.addrs, &node.endpoint_addrs, &node.relays] {
            if addrs.len() > MAX_ADDRS || addrs.iter().any(|addr| !is_plain(addr)) {
                return Err(DecodeError::Malformed.into());
            }
        }
        Ok(Self { card, node })
    }

    /// Reads the text form, among any white space.
    ///
    /// # Errors
    /// [`AgentAddressError`].
    pub fn from_text(text: &str) -> Result<Self, AgentAddressError> {
        let not = AgentAddressError::NotAnAddress;
        if text.len() > MAX_AGENT_ADDRESS_LEN {
            return Err(not);
        }
        let compact: String = text.split_whitespace().collect();
        let body = compact.strip_prefix(PREFIX).ok_or(not.clone())?;
        let bytes = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|_| not)?;
        let wire: Wire = codec::decode(&bytes, MAX_LEN)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        Self::new(Card::from_bytes(&wire.card)?, wire.node)
    }

    /// The text form, one line.
    pub fn to_text(&self) -> String {
        let wire = Wire {
            v: 1,
            card: self.card.as_bytes().to_vec(),
            node: self.node.clone(),
        };
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&codec::encode(&wire)))
    }

    /// Whose it is.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// Where the node was reached when the text was written.
    pub const fn node(&self) -> &NodeAddress {
        &self.node
    }
}

/// An address is shown to people: it is short and holds nothing that a terminal would obey.
fn is_plain(addr: &str) -> bool {
    addr.len() <= MAX_ADDR_LEN && addr.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::PublicKey;
    use crate::samples;

    fn text(wire: &Wire) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&codec::encode(wire)))
    }

    #[test]
    fn text_round_trips_through_line_breaks() {
        let address = samples::agent_address();
        let mut text = address.to_text();
        assert!(text.starts_with("medvault-agent:"));
        text.insert(70, '\n');
        assert_eq!(AgentAddress::from_text(&format!(" {text}\n")), Ok(address));
    }

    #[test]
    fn another_node_than_the_cards_is_refused() {
        let node = NodeAddress {
            endpoint: PublicKey::from_bytes([9; 32]),
            ..samples::node()
        };
        let made = AgentAddress::new(samples::card(), node.clone());
        assert_eq!(made, Err(AgentAddressError::OtherNode));
        let card = samples::card().as_bytes().to_vec();
        let read = AgentAddress::from_text(&text(&Wire { v: 1, card, node }));
        assert_eq!(read, Err(AgentAddressError::OtherNode));
    }

    #[test]
    fn what_is_too_much_or_no_address_is_refused() {
        let malformed = || Err(AgentAddressError::Malformed(DecodeError::Malformed));
        let good = samples::agent_address();
        let with = |change: &dyn Fn(&mut NodeAddress)| {
            let mut node = good.node().clone();
            change(&mut node);
            let card = good.card().as_bytes().to_vec();
            AgentAddress::from_text(&text(&Wire { v: 1, card, node }))
        };
        assert_eq!(with(&|_| ()), Ok(good.clone()));
        assert_eq!(with(&|n| n.addrs = vec!["a".into(); 33]), malformed());
        assert_eq!(with(&|n| n.relays = vec!["a".repeat(257)]), malformed());
        assert_eq!(
            with(&|n| n.endpoint_addrs = vec!["\u{1b}[2J".into()]),
            malformed()
        );
        let card = good.card().as_bytes().to_vec();
        let node = good.node().clone();
        let newer = AgentAddress::from_text(&text(&Wire { v: 2, card, node }));
        assert_eq!(newer, malformed());
        let not = Err(AgentAddressError::NotAnAddress);
        for bad in ["", "medvault-agent:", "medvault-agent:???", "hello"] {
            let read = AgentAddress::from_text(bad);
            assert!(
                read == not || bad == "medvault-agent:" && read == malformed(),
                "{bad}: {read:?}"
            );
        }
        let long = format!("{PREFIX}{}", "A".repeat(MAX_AGENT_ADDRESS_LEN));
        assert_eq!(AgentAddress::from_text(&long), not);
        let long = "A".repeat(MAX_AGENT_ADDRESS_LEN - PREFIX.len());
        let long = AgentAddress::from_text(&format!("{PREFIX}{long}"));
        assert!(long.is_err());
    }

    #[test]
    fn an_altered_card_is_refused() {
        let good = samples::agent_address();
        for at in (0..good.card().as_bytes().len()).step_by(97) {
            let mut card = good.card().as_bytes().to_vec();
            card[at] ^= 1;
            let node = good.node().clone();
            let read = AgentAddress::from_text(&text(&Wire { v: 1, card, node }));
            assert!(read.is_err(), "byte {at}");
        }
    }
}
