//! Asking everywhere at once for the newest head.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use vault_core::{BlockSource as _, Cid, Following, Head, Home, IpnsName, Offer, Place};

use super::{Network, PATIENCE};
use crate::error::{Error, Exit, Result};
use crate::time;

/// How long the others are waited for once one place has given a head that may be the newest.
const GRACE: Duration = Duration::from_secs(3);

/// A question that is under way in a thread of its own.
type Question = Box<dyn FnOnce() -> Result<Vec<u8>> + Send>;

/// What all places said.
pub(super) struct Asked {
    pub(super) offers: Vec<Offer>,
    pub(super) failures: Vec<(Place, Error)>,
}

impl Asked {
    /// The error when there is no head at all.
    pub(super) fn no_answer(mut self) -> Error {
        if self.failures.len() == 1 {
            return self.failures.remove(0).1;
        }
        let said: Vec<String> = self
            .failures
            .iter()
            .map(|(place, error)| format!("{place}: {}", error.message))
            .collect();
        let what = format!("no place has a head: {}", said.join("; "));
        Error::new(Exit::Network, "offline", what)
            .hint("the patient must be running `medvault serve`; try again later")
    }
}

impl Network {
    /// Asks all places at once. A place that is silent is not waited for long when another has
    /// answered.
    pub(super) fn ask_all(self: &Arc<Self>, home: &Home, following: &Following) -> Result<Asked> {
        if self.has_ended() {
            return Err(vault_node::NodeError::Stopped.into());
        }
        let mut asked = Asked {
            offers: Vec::new(),
            failures: Vec::new(),
        };
        for given in &self.places.heads {
            let from = Place::File(given.name());
            match given.read() {
                Ok(bytes) => asked.offers.push(Offer { from, bytes }),
                Err(error) => asked.failures.push((from, error)),
            }
        }
        let questions = self.questions(home, following);
        if questions.is_empty() && self.places.heads.is_empty() {
            let what = "the ticket does not say where the patient's node is";
            return Err(Error::new(Exit::Network, "no-address", what).hint(
                "ask the patient to run `medvault serve`, and for the ticket that \
                 `medvault grant ticket` prints then; or name a gateway with `--gateway URL`",
            ));
        }
        let (answers, heard) = channel();
        let mut waiting = Vec::new();
        for (place, question) in questions {
            waiting.push(place.clone());
            let answers = answers.clone();
            std::thread::spawn(move || {
                // nobody listens any more when others were quicker
                let _ = answers.send((place, question()));
            });
        }
        let mut until = Instant::now() + PATIENCE;
        while !waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((from, answer)) = heard.recv_timeout(left) else {
                break;
            };
            waiting.retain(|place| *place != from);
            match answer {
                Ok(bytes) => {
                    // rubbish and old heads, however quick, do not cut the others short
                    let head = Head::for_vault(&bytes, &following.vault());
                    if head.is_ok_and(|head| head.seq() >= following.seq()) {
                        until = until.min(Instant::now() + GRACE);
                    }
                    asked.offers.push(Offer { from, bytes });
                }
                Err(error) => asked.failures.push((from, error)),
            }
        }
        for place in waiting {
            let error = Error::new(Exit::Network, "offline", "no answer in time")
                .hint("the patient must be running `medvault serve`; try again later");
            asked.failures.push((place, error));
        }
        let node_failed = asked
            .failures
            .iter()
            .any(|(place, _)| *place == Place::Node);
        self.silent.store(node_failed, Ordering::Relaxed);
        Ok(asked)
    }

    /// One question for every place that may know a head.
    fn questions(self: &Arc<Self>, home: &Home, following: &Following) -> Vec<(Place, Question)> {
        let mut all: Vec<(Place, Question)> = Vec::new();
        let address = following.node().clone();
        if !address.endpoint_addrs.is_empty() || !address.relays.is_empty() {
            let (network, vault) = (self.clone(), following.vault());
            let ask = move || Ok(network.node()?.fetch_head(&address, &vault, PATIENCE)?);
            all.push((Place::Node, Box::new(ask)));
        }
        let Some(name) = following.ipns().copied().map(IpnsName::new) else {
            return all;
        };
        if self.places.dht.is_some() {
            let (network, key) = (self.clone(), following.ipns().copied());
            let ask = move || {
                let found = key.map(|key| network.in_dht(&key)).transpose()?;
                let found = found.flatten().ok_or_else(|| {
                    Error::new(Exit::Network, "no-head", "it knows no head of this vault")
                })?;
                Ok(found.head.clone())
            };
            all.push((Place::Dht, Box::new(ask)));
        }
        for gateway in self.places.gateways.iter() {
            let gateway = gateway.clone();
            let place = Place::Gateway(gateway.url().to_owned());
            let head = self.head_block(home, following);
            let ask = move || head(gateway.ipns_record(&name, time::now())?.head());
            all.push((place, Box::new(ask)));
        }
        for routing in &self.places.routing {
            let routing = routing.clone();
            let place = Place::Routing(routing.url().to_owned());
            let head = self.head_block(home, following);
            let ask = move || head(routing.get_name(&name, time::now())?.head());
            all.push((place, Box::new(ask)));
        }
        all
    }

    /// Fetches the block of a head that a record names.
    fn head_block(
        self: &Arc<Self>,
        home: &Home,
        following: &Following,
    ) -> impl FnOnce(Cid) -> Result<Vec<u8>> + Send + use<> {
        let (network, home, following) = (self.clone(), home.clone(), following.clone());
        move |cid| {
            let block = network.source(&home, &following)?.fetch(&[cid])?.pop();
            let block = block.ok_or(vault_core::SourceError::Missing(cid))?;
            Ok(block.into_data())
        }
    }
}
