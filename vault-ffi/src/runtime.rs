//! Where work is done: on threads of a Tokio runtime that belongs to the library, never on the
//! caller's.
//!
//! What the facade hands out are plain futures. They wait for a thread of this runtime and need no
//! runtime of their own, so Kotlin's, Swift's and Python's executors drive them alike. A future that
//! is dropped does not stop what was begun: a change of the vault is made whole, or not at all.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use vault_app::{Error, Exit, Result};

/// Most calls at a time; what comes beyond waits its turn.
const MOST_AT_ONCE: usize = 32;

/// How often whoever waits sees whether to go on waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(MOST_AT_ONCE)
        .thread_name("medvault")
        .enable_time()
        .build()
});

/// Does `work` on a thread of the library.
///
/// # Errors
/// What `work` returns; `panicked` when it panicked, which is a defect of this library and leaves
/// the vault on disk as it was.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = runtime()?.spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(panicked()))
}

/// Begins a long work on a thread of its own: however many there are, calls are not held up.
pub(crate) fn start(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("medvault-work".to_owned());
    let started = thread.spawn(work);
    started
        .map(drop)
        .map_err(|error| Error::new(Exit::Failure, "no-threads", error))
}

/// Does asynchronous `work` on the library's runtime, where it may wait for time to pass.
pub(crate) async fn spawn<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    runtime()?
        .spawn(work)
        .await
        .unwrap_or_else(|_| Err(panicked()))
}

/// Waits for a future on the thread of a work, and asks now and then whether to go on.
///
/// # Errors
/// What `check` returns.
pub(crate) fn wait_for<T>(
    future: impl Future<Output = T>,
    check: impl Fn() -> Result<()>,
) -> Result<T> {
    runtime()?.block_on(async {
        let mut future = std::pin::pin!(future);
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut future).await {
                Ok(done) => return Ok(done),
                Err(_) => check()?,
            }
        }
    })
}

/// A work panicked, which is a defect of this library.
pub(crate) fn panicked() -> Error {
    let what = "the library failed inside; the vault on disk is as it was before";
    Error::new(Exit::Failure, "panicked", what)
}

fn runtime() -> Result<&'static Runtime> {
    RUNTIME
        .as_ref()
        .map_err(|error| Error::new(Exit::Failure, "no-threads", error))
}

#[cfg(test)]
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    #[allow(clippy::unwrap_used)]
    runtime().unwrap().block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let panics = on_thread(|| -> Result<()> { panic!("on purpose") });
        assert_eq!(wait(panics).map_err(|error| error.code), Err("panicked"));
        let fine = on_thread(|| Ok(7));
        assert_eq!(wait(fine).map_err(|error| error.code), Ok(7));
    }
}
