//! The reader's side: one connection to the patient's node, requests ahead of the answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use iroh::endpoint::{Connection, RecvStream, VarInt};
use iroh::{Endpoint, EndpointAddr};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use vault_core::{Block, Cid, NodeAddress, PublicKey, VaultId};

use super::message::{Answer, FOUND_LEN, MAX_CIDS, decode_verdict, encode_request};
use super::{ALPN, BlockSink, FetchReport};
use crate::address::endpoint as endpoint_addr;
use crate::endpoint::learn_relays;
use crate::error::NodeError;

/// Requests that are sent before the first of them is answered.
const REQUESTS_AHEAD: usize = 2;
/// Blocks that wait for the caller, at most 1 MiB each.
const WAITING: usize = 16;
/// How often a lost connection is made anew without a block in between.
const RETRIES: usize = 1;

/// How packets travel to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Straight to one of its addresses.
    Direct,
    /// Through a relay.
    Relayed,
}

/// Connections that are open, by the node and the vault they are for.
#[derive(Default)]
pub(crate) struct Links(Mutex<HashMap<(PublicKey, VaultId), Connection>>);

impl Links {
    fn get(&self, key: &(PublicKey, VaultId)) -> Option<Connection> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.get(key).filter(|link| link.close_reason().is_none());
        open.cloned()
    }

    fn set(&self, key: (PublicKey, VaultId), link: Option<Connection>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match link {
            Some(link) => drop(all.insert(key, link)),
            None => drop(all.remove(&key)),
        }
    }

    /// How packets travel on the connection to `node`, if there is one.
    pub(crate) fn route(&self, node: &PublicKey, vault: &VaultId) -> Option<Route> {
        let link = self.get(&(*node, *vault))?;
        let paths = link.paths();
        let relayed = paths.iter().find(|path| path.is_selected())?.is_relay();
        Some(if relayed {
            Route::Relayed
        } else {
            Route::Direct
        })
    }
}

/// What a fetch needs of the node.
pub(crate) struct Asker<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) links: &'a Links,
    pub(crate) runtime: &'a Handle,
    pub(crate) from: &'a NodeAddress,
    pub(crate) vault: VaultId,
    /// Signed for the connection between the two endpoints.
    pub(crate) statement: Vec<u8>,
    pub(crate) timeout: Duration,
}

impl Asker<'_> {
    /// Fetches `cids` and hands each block, checked against its CID, to `on_block`.
    pub(crate) fn fetch(
        &self,
        cids: &[Cid],
        on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        let mut report = FetchReport::default();
        let (mut at, mut failures) = (0, 0);
        while at < cids.len() {
            let before = at;
            match self.attempt(&cids[at..], &mut report, &mut at, on_block) {
                Ok(()) => {}
                // another connection may do better; not when the node has said no, or was wrong
                Err(NodeError::Unreachable { .. }) if at > before => failures = 0,
                Err(NodeError::Unreachable { .. }) if failures < RETRIES => failures += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// One connection's worth of work; `at` counts the answers.
    fn attempt(
        &self,
        cids: &[Cid],
        report: &mut FetchReport,
        at: &mut usize,
        on_block: &mut BlockSink<'_>,
    ) -> Result<(), NodeError> {
        let (sender, mut answers) = mpsc::channel(WAITING);
        let key = (self.from.endpoint, self.vault);
        let work = Work {
            endpoint: self.endpoint.clone(),
            address: endpoint_addr(self.from)?,
            relays: self.from.relays.clone(),
            known: self.links.get(&key),
            statement: self.statement.clone(),
            cids: cids.to_vec(),
            limit: self.timeout,
        };
        let task = self.runtime.spawn(work.run(sender));
        while let Some((cid, answer)) = answers.blocking_recv() {
            *at += 1;
            match answer {
                Some(block) => {
                    report.blocks += 1;
                    report.bytes += block.data().len() as u64;
                    on_block(block).map_err(NodeError::Sink)?;
                }
                None => report.missing.push(cid),
            }
        }
        let (done, outcome) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let _ = done.send(task.await); // we are waiting below
        });
        let outcome = outcome.recv().map_err(|_| NodeError::Stopped)?;
        match outcome.map_err(|_| NodeError::Stopped)? {
            Ok(link) => {
                self.links.set(key, Some(link));
                Ok(())
            }
            Err(error) => {
                self.links.set(key, None);
                Err(error)
            }
        }
    }
}

type Answers = mpsc::Sender<(Cid, Option<Block>)>;

/// What runs on the node's runtime.
struct Work {
    endpoint: Endpoint,
    address: EndpointAddr,
    relays: Vec<String>,
    known: Option<Connection>,
    statement: Vec<u8>,
    cids: Vec<Cid>,
    /// How long the node may stay silent.
    limit: Duration,
}

impl Work {
    async fn run(mut self, out: Answers) -> Result<Connection, NodeError> {
        let link = match self.known.take() {
            Some(link) => link,
            None => self.connect().await?,
        };
        let asked = self.ask(&link, &out).await;
        if asked.is_err() {
            link.close(VarInt::from_u32(1), b"");
        }
        asked.map(|()| link)
    }

    async fn connect(&self) -> Result<Connection, NodeError> {
        let connect = async {
            learn_relays(&self.endpoint, &self.relays).await;
            let link = self.endpoint.connect(self.address.clone(), ALPN).await;
            let link = link.map_err(|error| self.lost(&error))?;
            let (mut send, mut recv) = link.open_bi().await.map_err(|e| self.lost(&e))?;
            let write = send.write_all(&self.statement).await;
            write.map_err(|error| self.lost(&error))?;
            send.finish().map_err(|error| self.lost(&error))?;
            let verdict = recv.read_to_end(1).await.map_err(|e| self.lost(&e))?;
            match decode_verdict(&verdict) {
                Some(Ok(())) => Ok(link),
                Some(Err(why)) => {
                    link.close(VarInt::from_u32(0), b"");
                    Err(self.refused(why))
                }
                None => Err(protocol("unknown answer to our statement")),
            }
        };
        self.within(connect).await
    }

    async fn ask(&self, link: &Connection, out: &Answers) -> Result<(), NodeError> {
        let mut requests = self.cids.chunks(MAX_CIDS);
        let mut ahead: VecDeque<(&[Cid], RecvStream)> = VecDeque::new();
        loop {
            while ahead.len() < REQUESTS_AHEAD
                && let Some(cids) = requests.next()
            {
                let sent = async {
                    let (mut send, recv) = link.open_bi().await.map_err(|e| self.lost(&e))?;
                    let write = send.write_all(&encode_request(cids)).await;
                    write.map_err(|error| self.lost(&error))?;
                    send.finish().map_err(|error| self.lost(&error))?;
                    Ok(recv)
                };
                ahead.push_back((cids, self.within(sent).await?));
            }
            let Some((cids, mut recv)) = ahead.pop_front() else {
                return Ok(());
            };
            for cid in cids {
                let block = self.within(self.read(&mut recv, cid)).await?;
                if out.send((*cid, block)).await.is_err() {
                    return Err(NodeError::Stopped); // the caller has given up
                }
            }
            let end = async {
                recv.read_to_end(0)
                    .await
                    .map_err(|_| protocol("more than was asked"))
            };
            self.within(end).await?;
        }
    }

    /// Reads one answer.
    async fn read(&self, recv: &mut RecvStream, cid: &Cid) -> Result<Option<Block>, NodeError> {
        let mut begin = [0; FOUND_LEN];
        recv.read_exact(&mut begin[..1])
            .await
            .map_err(|e| self.lost(&e))?;
        let len = if Answer::has_len(begin[0]) {
            FOUND_LEN
        } else {
            1
        };
        recv.read_exact(&mut begin[1..len])
            .await
            .map_err(|e| self.lost(&e))?;
        match Answer::decode(&begin[..len]) {
            Some(Answer::Found(len)) => {
                let mut data = vec![0; len as usize];
                recv.read_exact(&mut data)
                    .await
                    .map_err(|e| self.lost(&e))?;
                let block = Block::verify(*cid, data);
                let wrong = |_| protocol("a block is not what its name says");
                block.map(Some).map_err(wrong)
            }
            Some(Answer::Missing) => Ok(None),
            Some(Answer::Over) => Err(self.refused(super::Refusal::NotAReader)),
            None => Err(protocol("unknown answer to a request for blocks")),
        }
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        timeout(self.limit, work).await.unwrap_or_else(|_| {
            Err(NodeError::Timeout {
                peer: self.address.id.to_string(),
                after: self.limit,
            })
        })
    }

    fn lost(&self, error: &impl ToString) -> NodeError {
        NodeError::Unreachable {
            peer: self.address.id.to_string(),
            reason: error.to_string(),
        }
    }

    fn refused(&self, why: super::Refusal) -> NodeError {
        NodeError::Refused {
            peer: self.address.id.to_string(),
            why,
        }
    }
}

fn protocol(what: &str) -> NodeError {
    NodeError::Protocol(what.to_owned())
}
