//! The socket by which a running node tells how it is.
//!
//! One connection, one JSON object, end. It tells nothing that the home's owner could not read
//! anyway, and takes no orders: commands change the home by themselves, under its lock, and a
//! running node sees the new head at the next question.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Name of the socket in the home.
const FILE: &str = "serve.sock";

/// A socket that answers until the process ends; removed when dropped.
pub struct StatusSocket {
    path: PathBuf,
}

impl StatusSocket {
    /// Answers every connection with what `status` says.
    pub fn open(home: &Path, status: impl Fn() -> Value + Send + 'static) -> std::io::Result<Self> {
        let path = home.join(FILE);
        // a socket left by a killed process; a living one would have answered before we came here
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        restrict(&path)?;
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                // whoever asked may have gone; that is their affair
                let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                let _ = stream.write_all(status().to_string().as_bytes());
            }
        });
        Ok(Self { path })
    }
}

impl Drop for StatusSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// What the running node says; `None` when none is running.
pub fn ask(home: &Path) -> Option<Value> {
    let mut stream = UnixStream::connect(home.join(FILE)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
