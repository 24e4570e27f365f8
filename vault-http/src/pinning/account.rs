//! A pinning service as the core's sync speaks to it.

use vault_core::Cid;
use vault_core::pinning::{ListedPin, PinApi, RequestId};

use super::{Filter, PinRequest, PinningError, PinningService};
use crate::client::HttpError;

/// Most delegates that are kept.
const MAX_DELEGATES: usize = 20;

/// One customer's account at a service, and where the service can fetch from.
pub struct Account {
    service: PinningService,
    origins: Vec<String>,
    delegates: Vec<String>,
    details: Option<String>,
    /// What was asked for in this run.
    asked: Vec<ListedPin>,
}

impl Account {
    /// An account; `origins` are the multiaddrs, with peer id, of a node that serves the blocks.
    pub const fn new(service: PinningService, origins: Vec<String>) -> Self {
        Self {
            service,
            origins,
            delegates: Vec::new(),
            details: None,
            asked: Vec::new(),
        }
    }

    /// What the service last said about a request that is not done; foreign text.
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }
}

impl PinApi for Account {
    type Error = PinningError;

    fn list(&mut self, roots: &[Cid]) -> Result<Vec<ListedPin>, PinningError> {
        let found = self.service.list(Filter::Cids(roots))?;
        self.delegates.clear();
        self.details = None;
        let mut listed = Vec::with_capacity(found.len());
        for pin in found {
            let Some(root) = roots.iter().find(|root| root.to_string() == pin.cid) else {
                continue;
            };
            self.delegates.extend(pin.delegates);
            self.details = pin.details.or(self.details.take());
            listed.push(ListedPin {
                request: pin.request,
                root: *root,
                status: pin.status,
            });
        }
        // a list may lag behind what was just asked for
        let late = self.asked.iter().filter(|asked| {
            roots.contains(&asked.root) && listed.iter().all(|pin| pin.request != asked.request)
        });
        let late: Vec<ListedPin> = late.cloned().collect();
        listed.extend(late);
        self.delegates.sort_unstable();
        self.delegates.dedup();
        self.delegates.truncate(MAX_DELEGATES);
        Ok(listed)
    }

    fn ask(&mut self, root: &Cid) -> Result<(), PinningError> {
        let request = PinRequest {
            cid: *root,
            origins: &self.origins,
        };
        match self.service.add(&request) {
            Ok(pin) => {
                self.asked.push(ListedPin {
                    request: pin.request,
                    root: *root,
                    status: pin.status,
                });
                Ok(())
            }
            // it has been asked before: the list will say how far it is
            Err(PinningError::Http(HttpError::Conflict { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn drop_request(&mut self, request: &RequestId) -> Result<(), PinningError> {
        self.asked.retain(|asked| asked.request != *request);
        self.service.delete(request)
    }

    fn delegates(&self) -> Vec<String> {
        self.delegates.clone()
    }
}
