//! Sealing a stream on every core: one thread reads and hashes the content, the others seal and
//! name blocks, the caller's thread hands them on in order.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{BlockSink, CHUNK_LEN, FIRST_LEN, FULL_LEN, SLOTS, padded, raw_block, seal_block};
use crate::block::{Block, Digest};
use crate::body::BodyError;
use crate::seal::StreamKey;

/// What a finished run knows.
pub(super) struct Done {
    /// Plaintext of the first block, its front still empty.
    pub(super) first_plain: Zeroizing<Vec<u8>>,
    /// Every block but the first, in order.
    pub(super) blocks: Vec<Digest>,
    pub(super) content_len: u64,
    /// Of the content.
    pub(super) digest: Digest,
    pub(super) plain_len: u64,
}

/// Plaintext of one block on its way to be sealed.
struct Job {
    number: u64,
    plain: Zeroizing<Vec<u8>>,
    last: bool,
}

/// Buffers of plaintext, filled again once the sink has their block: wiping one takes about as
/// long as hashing it. Their number bounds the blocks under way, even when one is late.
struct Buffers {
    new: usize,
    spare: Receiver<Zeroizing<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer, or one with old plaintext in it; `None` when the sink gave up.
    fn next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        if self.new == 0 {
            return self.spare.recv().ok();
        }
        self.new -= 1;
        Some(Zeroizing::new(vec![0; FULL_LEN]))
    }
}

/// A sealed block, and the buffer that its plaintext was in.
struct Sealed {
    number: u64,
    block: Result<Block, BodyError>,
    plain: Zeroizing<Vec<u8>>,
}

/// What the reading thread knows at the end.
struct Front {
    first: Zeroizing<Vec<u8>>,
    content_len: u64,
    digest: Digest,
    plain_len: u64,
}

/// Fills a buffer with the plaintext of the block of this number.
pub(super) type Fill<'a> =
    dyn Fn(u64, &mut Zeroizing<Vec<u8>>) -> Result<(), BodyError> + Sync + 'a;

/// Seals `content`, with room for `offset` bytes before it.
pub(super) fn run(
    key: &StreamKey,
    offset: usize,
    content: &mut (dyn Read + Send),
    sink: &mut dyn BlockSink,
) -> Result<Done, BodyError> {
    let (blocks, read) = flow(key, None, sink, |jobs, buffers| {
        read_jobs(offset, content, (jobs, buffers))
    })?;
    Ok(Done {
        first_plain: read.first,
        blocks,
        content_len: read.content_len,
        digest: read.digest,
        plain_len: read.plain_len,
    })
}

/// Seals the blocks `1..count`, whose plaintexts `fill` provides on every core.
pub(super) fn run_blocks(
    key: &StreamKey,
    count: u64,
    fill: &Fill<'_>,
    sink: &mut dyn BlockSink,
) -> Result<Vec<Digest>, BodyError> {
    let (blocks, ()) = flow(key, Some(fill), sink, |jobs, buffers| {
        for number in 1..count {
            let plain = buffers.next().ok_or(BodyError::Malformed)?;
            let last = number + 1 == count;
            let job = Job {
                number,
                plain,
                last,
            };
            jobs.send(job).map_err(|_| BodyError::Malformed)?;
        }
        Ok(())
    })?;
    Ok(blocks)
}

/// Starts the threads and waits for them. An error of the sink is the one to report: the others
/// only follow from it.
fn flow<T: Send>(
    key: &StreamKey,
    fill: Option<&Fill<'_>>,
    sink: &mut dyn BlockSink,
    feed: impl FnOnce(&SyncSender<Job>, &mut Buffers) -> Result<T, BodyError> + Send,
) -> Result<(Vec<Digest>, T), BodyError> {
    let workers = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(2, 8);
    let (jobs_in, jobs_out) = sync_channel::<Job>(workers);
    let (done_in, done_out) = sync_channel::<Sealed>(workers);
    let (spare_in, spare) = channel();
    let mut buffers = Buffers {
        new: 4 * workers,
        spare,
    };
    let jobs_out = Mutex::new(jobs_out);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || feed(&jobs_in, &mut buffers));
        for _ in 0..workers {
            let done_in = done_in.clone();
            let jobs_out = &jobs_out;
            scope.spawn(move || work(key, fill, jobs_out, &done_in));
        }
        drop(done_in);
        // when the sink fails no buffer comes back, which ends the feeder, and no block is taken,
        // which ends the workers
        let blocks = collect(&done_out, spare_in, sink);
        drop(done_out);
        let fed = feeder
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((blocks?, fed?))
    })
}

/// Cuts the content into the plaintexts of blocks. The first stays here: its header needs the
/// digest of everything.
fn read_jobs(
    offset: usize,
    content: &mut dyn Read,
    (jobs, buffers): (&SyncSender<Job>, &mut Buffers),
) -> Result<Front, BodyError> {
    let mut digest = Sha256::new();
    let mut first = Zeroizing::new(vec![0; FIRST_LEN]);
    let mut got = fill(content, &mut first[offset..], &mut digest)?;
    let mut content_len = got as u64;
    let mut number = 1;
    let mut plain = buffers.next().ok_or(BodyError::Malformed)?;
    if got == FIRST_LEN - offset {
        loop {
            got = fill(content, &mut plain, &mut digest)?;
            content_len += got as u64;
            if got < FULL_LEN {
                plain[got..].fill(0);
                break;
            }
            let next = buffers.next().ok_or(BodyError::Malformed)?;
            let job = Job {
                number,
                plain: std::mem::replace(&mut plain, next),
                last: false,
            };
            jobs.send(job).map_err(|_| BodyError::Malformed)?;
            number += 1;
        }
    }
    let plain_len = padded(offset, content_len);
    first.truncate(plain_len.min(FIRST_LEN as u64) as usize);
    if plain_len >= FIRST_LEN as u64 {
        send_tail((jobs, buffers), number, plain, plain_len);
    }
    Ok(Front {
        first,
        content_len,
        digest: Digest::from_bytes(digest.finalize().into()),
        plain_len,
    })
}

/// Sends the block that holds the content's end and all blocks of padding after it.
fn send_tail(
    (jobs, buffers): (&SyncSender<Job>, &mut Buffers),
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
        let Some(next) = buffers.next() else { return };
        plain = next;
        plain.fill(0);
    }
}

fn fill(
    content: &mut dyn Read,
    buffer: &mut [u8],
    digest: &mut Sha256,
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
    digest.update(&buffer[..got]);
    Ok(got)
}

fn work(
    key: &StreamKey,
    fill: Option<&Fill<'_>>,
    jobs: &Mutex<Receiver<Job>>,
    done: &SyncSender<Sealed>,
) {
    loop {
        let job = match jobs.lock() {
            Ok(jobs) => jobs.recv(),
            Err(_) => return,
        };
        let Ok(mut job) = job else { return };
        let filled = fill.map_or(Ok(()), |fill| fill(job.number, &mut job.plain));
        let first = job.number * SLOTS as u64;
        let block = filled.and_then(|()| raw_block(seal_block(key, first, &job.plain, job.last)));
        let sealed = Sealed {
            number: job.number,
            block,
            plain: job.plain,
        };
        if done.send(sealed).is_err() {
            // the sink gave up: swallow what is left, so that the reader can end
            if let Ok(jobs) = jobs.lock() {
                while jobs.recv().is_ok() {}
            }
            return;
        }
    }
}

fn collect(
    done: &Receiver<Sealed>,
    spare: Sender<Zeroizing<Vec<u8>>>,
    sink: &mut dyn BlockSink,
) -> Result<Vec<Digest>, BodyError> {
    let mut blocks = Vec::new();
    let mut early = BTreeMap::new();
    for sealed in done {
        early.insert(sealed.number, (sealed.block?, sealed.plain));
        while let Some((block, plain)) = early.remove(&(blocks.len() as u64 + 1)) {
            blocks.push(block.cid().digest());
            sink.put(block)?;
            // a failed send means that the reader needs no more
            let _ = spare.send(plain);
        }
    }
    Ok(blocks)
}
