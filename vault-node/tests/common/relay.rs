//! A relay of one's own: the server that the iroh project publishes, on loopback.
//!
//! It is installed from the public registry, beside the build's own output, once. Where that is
//! not possible the tests are skipped, except where `CI` is set.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const VERSION: &str = "1.4.1";

static PROGRAM: LazyLock<Option<PathBuf>> = LazyLock::new(install);

fn install() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let tools = test.ancestors().nth(3).unwrap().join("interop-tools");
    let root = tools.join(format!("iroh-relay-{VERSION}"));
    let program = root.join("bin/iroh-relay");
    if program.exists() {
        return Some(program);
    }
    std::fs::create_dir_all(&root).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let installed = Command::new(cargo)
        .args([
            "install",
            "iroh-relay",
            "--version",
            VERSION,
            "--locked",
            "--debug",
        ])
        .args(["--no-default-features", "--features", "server", "--root"])
        .arg(&root)
        .env("CARGO_TARGET_DIR", tools.join("build"))
        .stdin(Stdio::null())
        .output();
    let why = match installed {
        Ok(output) if output.status.success() => return Some(program),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("CI").is_none(), "no iroh-relay: {why}");
    println!(
        "skipped: no iroh-relay ({})",
        why.lines().last().unwrap_or_default()
    );
    None
}

/// A running relay, killed when dropped.
pub struct RelayServer {
    child: Child,
    pub addr: SocketAddr,
}

impl RelayServer {
    /// Starts one on any port; `None` where there is no such program.
    pub fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        Self::at(free)
    }

    /// Starts one at this address.
    pub fn at(addr: SocketAddr) -> Option<Self> {
        let program = PROGRAM.as_ref()?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("relay.toml");
        let text = format!("http_bind_addr = \"{addr}\"\nenable_metrics = false\n");
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(program)
            .arg("--config-path")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(addr).is_err() {
            if child.try_wait().unwrap().is_some() || begun.elapsed() > Duration::from_secs(20) {
                let _ = child.kill();
                let mut text = String::new();
                let _ = child.stderr.take().unwrap().read_to_string(&mut text);
                panic!("the relay does not start: {text}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { child, addr })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends it without warning; its address can be used again.
    pub fn kill(self) -> SocketAddr {
        self.addr
    }
}

impl Drop for RelayServer {
    fn drop(&mut self) {
        // our own child; it may be gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
