//! The patient's side: checks the statement, then answers requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use vault_core::{
    AccessRefusal, Block, BlockReader, BlockReaders, BlockStore, Cid, Ends, MAX_BLOCK_ACCESS_LEN,
    PublicKey,
};

use super::message::{Answer, MAX_REQUEST_LEN, Refusal, decode_request, encode_verdict};
use crate::exchange::server::Slot;

/// Time for a statement, or a whole request, to arrive.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for one block to leave; a reader that takes longer is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection stays open without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for a refused reader to hear why.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// Most connections of one reader.
const MAX_PER_READER: usize = 8;
/// Requests of one connection that are answered at a time.
const MAX_REQUESTS: usize = 4;
/// Blocks of one request that are read ahead of the network.
const READ_AHEAD: usize = 4;

/// After how many blocks of a request it is asked again whether the reader may read.
const ASK_EVERY: usize = 16;

/// What passed through since the node started.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) blocks_sent: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Where a node learns who may fetch blocks over iroh.
pub trait ReaderSource: Send + Sync {
    /// Who may do so now; `None` when that cannot be found out, and then nobody may. Asked for
    /// every statement and every request, so it should be quick. May block.
    fn readers(&self) -> Option<Arc<BlockReaders>>;
}

impl ReaderSource for BlockReaders {
    fn readers(&self) -> Option<Arc<BlockReaders>> {
        Some(Arc::new(self.clone()))
    }
}

/// Gives blocks to readers.
pub(crate) struct BlockServer {
    store: Arc<dyn BlockStore>,
    own: PublicKey,
    pub(crate) source: Slot<dyn ReaderSource>,
    connections: Mutex<HashMap<PublicKey, usize>>,
    answering: AtomicUsize,
    stopping: AtomicBool,
    pub(crate) counters: Counters,
}

/// A connection of a reader; counted until it is dropped, however that comes about.
struct Admitted {
    server: Arc<BlockServer>,
    reader: BlockReader,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.server.leave(&self.reader);
    }
}

impl BlockServer {
    /// A server for the node whose endpoint id is `own`. It admits nobody until it is told whom.
    pub(crate) fn new(store: Arc<dyn BlockStore>, own: PublicKey) -> Arc<Self> {
        Arc::new(Self {
            store,
            own,
            source: Slot::default(),
            connections: Mutex::default(),
            answering: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            counters: Counters::default(),
        })
    }

    fn readers(&self) -> Option<Arc<BlockReaders>> {
        self.source.get()?.readers()
    }

    fn holds(&self, reader: &BlockReader) -> bool {
        self.readers().is_some_and(|all| all.holds(reader))
    }

    fn check(&self, statement: &[u8], client: PublicKey) -> Result<BlockReader, Refusal> {
        let ends = Ends {
            server: self.own,
            client,
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let checked = match self.readers() {
            Some(readers) => readers.check(statement, &ends, now),
            None => Err(AccessRefusal::NotAReader),
        };
        checked.map_err(|refusal| Refusal::from(&refusal))
    }

    /// Takes no further requests, and waits for the answers under way. Returns how many are still
    /// under way after `limit`.
    pub(crate) async fn drain(&self, limit: Duration) -> usize {
        self.stopping.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while self.answering.load(Ordering::Relaxed) > 0 && begun.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.answering.load(Ordering::Relaxed)
    }

    /// Serves one connection until it ends.
    ///
    /// `newcomer` is held until the statement was read, one of `places` from then on: strangers who say
    /// nothing take no reader's place.
    pub(crate) async fn serve(
        self: Arc<Self>,
        connection: Connection,
        newcomer: OwnedSemaphorePermit,
        places: &Arc<Semaphore>,
    ) {
        let client = PublicKey::from_bytes(*connection.remote_id().as_bytes());
        let hello = timeout(ASK_TIMEOUT, self.hello(&connection, client)).await;
        let Ok(Some(admitted)) = hello else {
            return; // dropping the connection closes it
        };
        let Ok(_place) = Arc::clone(places).try_acquire_owned() else {
            return;
        };
        drop(newcomer);
        let reader = admitted.reader;
        let slots = Arc::new(Semaphore::new(MAX_REQUESTS));
        while !self.stopping.load(Ordering::Relaxed) {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                break;
            };
            let next = timeout(IDLE_TIMEOUT, connection.accept_bi()).await;
            let Ok(Ok((send, recv))) = next else { break };
            let server = Arc::clone(&self);
            let connection = connection.clone();
            tokio::spawn(async move {
                let _slot = slot;
                server.answering.fetch_add(1, Ordering::Relaxed);
                if server.answer(send, recv, reader).await.is_none() {
                    connection.close(VarInt::from_u32(1), b"bad request");
                }
                server.answering.fetch_sub(1, Ordering::Relaxed);
            });
        }
        // what is being answered may end
        let _ = slots.acquire_many(MAX_REQUESTS as u32).await;
        drop(admitted);
        connection.close(VarInt::from_u32(0), b"");
    }

    /// Reads the statement and answers it. Whoever is admitted counts until the returned value is
    /// dropped.
    async fn hello(
        self: &Arc<Self>,
        connection: &Connection,
        client: PublicKey,
    ) -> Option<Admitted> {
        let (mut send, mut recv) = connection.accept_bi().await.ok()?;
        let statement = recv.read_to_end(MAX_BLOCK_ACCESS_LEN).await.ok()?;
        let server = Arc::clone(self);
        let check = tokio::task::spawn_blocking(move || server.check(&statement, client));
        let admitted = check
            .await
            .ok()?
            .and_then(|reader| self.enter(reader).ok_or(Refusal::Busy));
        let verdict = encode_verdict(admitted.as_ref().map(drop).map_err(|refusal| *refusal));
        let told = async {
            send.write_all(&[verdict]).await.ok()?;
            send.finish().ok()
        };
        let told = told.await;
        match admitted {
            Ok(admitted) => told.map(|()| admitted),
            Err(_) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                // it closes when it has read that
                let _ = timeout(GOODBYE_TIMEOUT, connection.closed()).await;
                None
            }
        }
    }

    fn enter(self: &Arc<Self>, reader: BlockReader) -> Option<Admitted> {
        let mut all = lock(&self.connections);
        let count = all.entry(*reader.owner()).or_default();
        (*count < MAX_PER_READER).then(|| {
            *count += 1;
            Admitted {
                server: Arc::clone(self),
                reader,
            }
        })
    }

    fn leave(&self, reader: &BlockReader) {
        let mut all = lock(&self.connections);
        if let Some(count) = all.get_mut(reader.owner()) {
            *count -= 1;
            if *count == 0 {
                all.remove(reader.owner());
            }
        }
    }

    /// Answers one request. `None` when the reader broke the protocol or left.
    async fn answer(
        self: &Arc<Self>,
        mut send: SendStream,
        mut recv: RecvStream,
        reader: BlockReader,
    ) -> Option<()> {
        let request = timeout(ASK_TIMEOUT, recv.read_to_end(MAX_REQUEST_LEN)).await;
        let cids = decode_request(&request.ok()?.ok()?)?;
        let (sender, mut blocks) = mpsc::channel(READ_AHEAD);
        let server = Arc::clone(self);
        tokio::task::spawn_blocking(move || server.read(&cids, &reader, &sender));
        while let Some(found) = blocks.recv().await {
            let write = async {
                let (answer, data) = match &found {
                    Found::Block(block) => {
                        let len = block.data().len() as u32;
                        (Answer::Found(len), block.data())
                    }
                    Found::Nothing => (Answer::Missing, &[][..]),
                    Found::NotAllowed => (Answer::Over, &[][..]),
                };
                send.write_all(&answer.encode()).await.ok()?;
                send.write_all(data).await.ok()
            };
            timeout(WRITE_TIMEOUT, write).await.ok()??;
            let counters = &self.counters;
            match found {
                Found::Block(block) => {
                    counters.blocks_sent.fetch_add(1, Ordering::Relaxed);
                    let len = block.data().len() as u64;
                    counters.bytes_sent.fetch_add(len, Ordering::Relaxed);
                }
                Found::Nothing => {}
                Found::NotAllowed => drop(counters.refused.fetch_add(1, Ordering::Relaxed)),
            }
        }
        send.finish().ok()
    }

    /// Reads blocks, on a thread that may block, for as long as the reader is admitted.
    fn read(&self, cids: &[Cid], reader: &BlockReader, out: &mpsc::Sender<Found>) {
        let mut allowed = false;
        for (number, cid) in cids.iter().enumerate() {
            if number % ASK_EVERY == 0 {
                allowed = self.holds(reader);
            }
            let found = match allowed {
                // a block that the store cannot read is not here
                true => match self.store.get(cid).ok().flatten() {
                    Some(block) => Found::Block(block),
                    None => Found::Nothing,
                },
                false => Found::NotAllowed,
            };
            if out.blocking_send(found).is_err() || !allowed {
                return;
            }
        }
    }
}

/// One answer on its way to the network.
enum Found {
    Block(Block),
    Nothing,
    NotAllowed,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
