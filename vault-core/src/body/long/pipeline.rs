//! Sealing a stream on every core: one thread reads and hashes the content, the others seal and
//! name blocks, the caller's thread hands them on in order.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{BlockSink, CHUNK_LEN, SLOTS, padded, raw_block, seal_block};
use crate::block::{Block, Digest};
use crate::body::BodyError;
use crate::seal::StreamKey;

/// Plaintext in a full block.
const FULL_LEN: usize = SLOTS * CHUNK_LEN;

/// Plaintext in the first block, whose first slot holds the stream's header.
const FIRST_LEN: usize = (SLOTS - 1) * CHUNK_LEN;

/// What a finished run knows.
pub(super) struct Done {
    /// Plaintext of the first block, its front still empty.
    pub(super) first_plain: Zeroizing<Vec<u8>>,
    /// Every block but the first, in order.
    pub(super) blocks: Vec<Digest>,
    pub(super) content_len: u64,
    /// Of the content, if it was asked for.
    pub(super) digest: Option<Digest>,
    pub(super) plain_len: u64,
}

/// Plaintext of one block on its way to be sealed.
struct Job {
    number: u64,
    plain: Zeroizing<Vec<u8>>,
    last: bool,
}

/// Buffers of plaintext that were sealed and can be filled again. Wiping one costs about as much
/// as hashing it, so they are wiped once, at the end.
type Spare = Zeroizing<Vec<u8>>;

/// What the reading thread knows at the end.
struct Front {
    first: Zeroizing<Vec<u8>>,
    content_len: u64,
    digest: Option<Digest>,
    plain_len: u64,
}

/// Seals `content`, with room for `offset` bytes before it. `digest` takes the content's hash
/// when it is there.
pub(super) fn run(
    key: &StreamKey,
    offset: usize,
    content: &mut (dyn Read + Send),
    digest: Option<Sha256>,
    sink: &mut dyn BlockSink,
) -> Result<Done, BodyError> {
    let workers = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 8);
    let (jobs_in, jobs_out) = sync_channel::<Job>(workers);
    let (done_in, done_out) = sync_channel::<(u64, Result<Block, BodyError>)>(workers);
    let (spare_in, spare_out) = channel::<Spare>();
    let jobs_out = Mutex::new(jobs_out);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn({
            let stop = &stop;
            move || read_jobs(offset, content, digest, (&jobs_in, &spare_out), stop)
        });
        for _ in 0..workers {
            let (done_in, spare_in) = (done_in.clone(), spare_in.clone());
            let jobs_out = &jobs_out;
            scope.spawn(move || work(key, jobs_out, &done_in, &spare_in));
        }
        drop((done_in, spare_in));
        let blocks = collect(&done_out, sink);
        // lets the threads end when the sink failed: the reader stops, the workers' sends fail
        stop.store(blocks.is_err(), Ordering::Relaxed);
        drop(done_out);
        let read = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (blocks, read) = (blocks?, read?);
        Ok(Done {
            first_plain: read.first,
            blocks,
            content_len: read.content_len,
            digest: read.digest,
            plain_len: read.plain_len,
        })
    })
}

/// Cuts the content into the plaintexts of blocks. The first stays here: its header needs the
/// digest of everything.
fn read_jobs(
    offset: usize,
    content: &mut dyn Read,
    mut digest: Option<Sha256>,
    (jobs, spare): (&SyncSender<Job>, &Receiver<Spare>),
    stop: &AtomicBool,
) -> Result<Front, BodyError> {
    let mut first = Zeroizing::new(vec![0; FIRST_LEN]);
    let mut got = fill(content, &mut first[offset..], &mut digest)?;
    let mut content_len = got as u64;
    let mut number = 1;
    let mut plain = Zeroizing::new(vec![0; FULL_LEN]);
    if got == FIRST_LEN - offset {
        loop {
            got = fill(content, &mut plain, &mut digest)?;
            content_len += got as u64;
            if got < FULL_LEN {
                plain[got..].fill(0);
                break;
            }
            let next = spare.try_recv();
            let next = next.unwrap_or_else(|_| Zeroizing::new(vec![0; FULL_LEN]));
            let full = std::mem::replace(&mut plain, next);
            if stop.load(Ordering::Relaxed)
                || jobs
                    .send(Job {
                        number,
                        plain: full,
                        last: false,
                    })
                    .is_err()
            {
                return Err(BodyError::Malformed);
            }
            number += 1;
        }
    }
    let plain_len = padded(offset, content_len);
    first.truncate(plain_len.min(FIRST_LEN as u64) as usize);
    if plain_len >= FIRST_LEN as u64 {
        send_tail(jobs, number, plain, plain_len);
    }
    Ok(Front {
        first,
        content_len,
        digest: digest.map(|digest| Digest::from_bytes(digest.finalize().into())),
        plain_len,
    })
}

/// Sends the block that holds the content's end and all blocks of padding after it.
fn send_tail(
    jobs: &SyncSender<Job>,
    mut number: u64,
    mut plain: Zeroizing<Vec<u8>>,
    plain_len: u64,
) {
    loop {
        let start = (number * SLOTS as u64 - 1) * CHUNK_LEN as u64;
        let left = plain_len - start;
        let last = left < FULL_LEN as u64;
        plain.truncate(left.min(FULL_LEN as u64) as usize);
        // a failed send means that the sink gave up; its error is the one to report
        let sent = jobs.send(Job {
            number,
            plain,
            last,
        });
        number += 1;
        if last || sent.is_err() {
            return;
        }
        plain = Zeroizing::new(vec![0; FULL_LEN]);
    }
}

fn fill(
    content: &mut dyn Read,
    buffer: &mut [u8],
    digest: &mut Option<Sha256>,
) -> Result<usize, BodyError> {
    let mut got = 0;
    while got < buffer.len() {
        match content.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    if let Some(digest) = digest {
        digest.update(&buffer[..got]);
    }
    Ok(got)
}

fn work(
    key: &StreamKey,
    jobs: &Mutex<Receiver<Job>>,
    done: &SyncSender<(u64, Result<Block, BodyError>)>,
    spare: &Sender<Spare>,
) {
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(job) = job else { return };
        let block = raw_block(seal_block(
            key,
            job.number * SLOTS as u64,
            &job.plain,
            job.last,
        ));
        if !job.last {
            // a failed send means that the reader has all it needs
            let _ = spare.send(job.plain);
        }
        if done.send((job.number, block)).is_err() {
            // the sink gave up: swallow what is left, so that the reader can end
            if let Ok(jobs) = jobs.lock() {
                while jobs.recv().is_ok() {}
            }
            return;
        }
    }
}

fn collect(
    done: &Receiver<(u64, Result<Block, BodyError>)>,
    sink: &mut dyn BlockSink,
) -> Result<Vec<Digest>, BodyError> {
    let mut blocks = Vec::new();
    let mut early = BTreeMap::new();
    for (number, block) in done {
        early.insert(number, block?);
        while let Some(block) = early.remove(&(blocks.len() as u64 + 1)) {
            blocks.push(block.cid().digest());
            sink.put(block)?;
        }
    }
    Ok(blocks)
}
