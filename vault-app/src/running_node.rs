//! How a node that runs already is asked how it is.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Name of its socket in the home.
pub(crate) const FILE: &str = "serve.sock";

/// What the node says that serves this home, in this process or another; `None` when none does.
pub fn ask_running_node(home: &Path) -> Option<Value> {
    let mut stream = UnixStream::connect(home.join(FILE)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
