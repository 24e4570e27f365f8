//! The socket by which a running node tells how it is.
//!
//! One connection, one JSON object, end. It tells nothing that the home's owner could not read
//! anyway, and takes no orders: commands change the home by themselves, under its lock, and a
//! running node sees the new head at the next question.

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::running_node::FILE;

/// A socket that answers until it is dropped.
pub(crate) struct StatusSocket {
    path: PathBuf,
    ended: Arc<AtomicBool>,
}

impl StatusSocket {
    /// Answers every connection with what `status` says.
    pub(crate) fn open(
        home: &Path,
        status: impl Fn() -> Value + Send + 'static,
    ) -> std::io::Result<Self> {
        let path = home.join(FILE);
        // a socket left by a killed process; a living one would have answered before we came here
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        restrict(&path)?;
        let ended = Arc::new(AtomicBool::new(false));
        let over = ended.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                // whoever asked may have gone; that is their affair
                let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                let _ = stream.write_all(status().to_string().as_bytes());
            }
        });
        Ok(Self { path, ended })
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // the thread sees it at the next question, which is this one
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}
