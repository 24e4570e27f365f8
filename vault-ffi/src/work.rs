//! Handles of long works: how far they are, what came of them, and how they are stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use vault_app::Result;

use crate::error::{MedVaultError, cancelled};
use crate::platform::ProgressListener;
use crate::runtime;

/// Shortest time between two reports to a listener.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// How far a long work has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// Done so far, in bytes or records.
    pub done: u64,
    /// Of how many; 0 where it is not known.
    pub total: u64,
}

/// What the thread that works looks at and writes to.
pub(crate) struct Control {
    /// This work is to stop.
    cancelled: AtomicBool,
    /// The vault is being locked: everything is to stop.
    closing: Arc<AtomicBool>,
    done: AtomicU64,
    total: AtomicU64,
    listener: Option<Arc<dyn ProgressListener>>,
    reported: Mutex<Option<Instant>>,
}

impl Control {
    pub(crate) fn new(
        closing: Arc<AtomicBool>,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            cancelled: AtomicBool::new(false),
            closing,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            listener,
            reported: Mutex::default(),
        })
    }

    /// Whether the work is to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.closing.load(Ordering::Relaxed)
    }

    /// Fails when the work is to stop.
    pub(crate) fn check(&self) -> Result<()> {
        match self.is_cancelled() {
            true => Err(cancelled()),
            false => Ok(()),
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }

    /// How far it is; the listener hears of it ten times a second, and of the end.
    pub(crate) fn report(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        let Some(listener) = &self.listener else {
            return;
        };
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let due = reported.is_none_or(|at| at.elapsed() >= BETWEEN_REPORTS);
        if due || (done == total && total > 0) {
            *reported = Some(Instant::now());
            drop(reported);
            // a listener that fails hears of the next step all the same
            let _ = listener.progress(done, total);
        }
    }
}

/// What came of a work, once it has ended.
type Outcome<T> = Option<Result<T, MedVaultError>>;

/// A work under way on a thread of the library. Dropping it stops the work.
pub(crate) struct Job<T> {
    control: Arc<Control>,
    outcome: watch::Receiver<Outcome<T>>,
}

impl<T: Clone + Send + Sync + 'static> Job<T> {
    /// Begins `work`. What must stay while it runs goes into the closure.
    pub(crate) fn start(
        control: Arc<Control>,
        work: impl FnOnce(&Arc<Control>) -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let (tell, outcome) = watch::channel(None);
        let told = control.clone();
        runtime::start(move || {
            let panicked = PanicGuard(Some(tell));
            let done = told.check().and_then(|()| work(&told));
            panicked.tell(done.map_err(MedVaultError::from));
        })?;
        Ok(Self { control, outcome })
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Waits for the end. May be called as often as one likes.
    pub(crate) async fn result(&self) -> Result<T, MedVaultError> {
        let mut outcome = self.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        let ended = ended.ok().and_then(|outcome| outcome.clone());
        ended.unwrap_or_else(|| Err(runtime::panicked().into()))
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.outcome.borrow().is_some()
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

/// Tells the outcome, also when the work panics.
struct PanicGuard<T>(Option<watch::Sender<Outcome<T>>>);

impl<T> PanicGuard<T> {
    fn tell(mut self, outcome: Result<T, MedVaultError>) {
        if let Some(tell) = self.0.take() {
            // nobody waits any more when the handle was dropped
            let _ = tell.send(Some(outcome));
        }
    }
}

impl<T> Drop for PanicGuard<T> {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(Some(Err(runtime::panicked().into())));
        }
    }
}

/// A handle for each kind of outcome: bindings have no generic types.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident: [$($outcome:tt)+]) => {
        $(#[$doc])*
        ///
        /// Whoever drops the handle stops the work; keep it until [`Self::result`] has returned.
        #[derive(uniffi::Object)]
        pub struct $name {
            job: $crate::work::Job<$($outcome)+>,
        }

        impl $name {
            pub(crate) fn of(
                job: $crate::work::Job<$($outcome)+>,
            ) -> std::sync::Arc<Self> {
                std::sync::Arc::new(Self { job })
            }
        }

        #[uniffi::export]
        impl $name {
            /// Waits for the end and returns what came of it; may be called more than once.
            pub async fn result(&self) -> Result<$($outcome)+, $crate::error::MedVaultError> {
                self.job.result().await
            }

            /// Tells the work to stop, and returns at once. What was not finished then ends with
            /// `Cancelled`, and nothing half done stays.
            pub fn cancel(&self) {
                self.job.control().cancel();
            }

            /// How far it has come.
            pub fn progress(&self) -> $crate::work::Progress {
                self.job.control().progress()
            }

            /// Whether it has ended, well or not.
            pub fn is_finished(&self) -> bool {
                self.job.is_finished()
            }
        }
    };
}

pub(crate) use handle;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn control() -> Arc<Control> {
        Control::new(Arc::default(), None)
    }

    #[test]
    fn a_result_can_be_had_twice() {
        let job = Job::start(control(), |_| Ok(5)).unwrap();
        assert_eq!(runtime::wait(job.result()), Ok(5));
        assert_eq!(runtime::wait(job.result()), Ok(5));
        assert!(job.is_finished());
    }

    #[test]
    fn a_cancelled_work_and_a_panic_end_in_errors() {
        let job = Job::start(control(), |control| {
            while !control.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            control.check()
        })
        .unwrap();
        assert!(!job.is_finished());
        job.control().cancel();
        let ended = runtime::wait(job.result());
        assert!(matches!(ended, Err(MedVaultError::Cancelled { .. })));

        let job = Job::start(control(), |_| -> Result<()> { panic!("on purpose") }).unwrap();
        let ended = runtime::wait(job.result());
        assert!(matches!(ended, Err(MedVaultError::Failed { code, .. }) if code == "panicked"));
    }

    #[test]
    fn dropping_the_handle_stops_the_work() {
        let (tell, heard) = std::sync::mpsc::channel();
        let job = Job::start(control(), move |control| {
            tell.send("begun").unwrap();
            while !control.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            tell.send("stopped").unwrap();
            Ok(())
        })
        .unwrap();
        let next = || heard.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(next(), "begun");
        drop(job);
        assert_eq!(next(), "stopped");
    }

    #[test]
    fn locking_stops_everything_at_once() {
        let closing = Arc::new(AtomicBool::new(false));
        let control = Control::new(closing.clone(), None);
        assert!(control.check().is_ok());
        closing.store(true, Ordering::Relaxed);
        assert!(control.check().is_err());
    }
}
