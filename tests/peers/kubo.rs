//! Real Kubo on loopback: found in Go's module proxy at the version of `tests/interop/kubo`, built
//! once beside our own build, and started with a folder and ports of its own.
//!
//! It knows nobody: no bootstrap peers, no mDNS, no relays, no resolvers, no public defaults.
//! Without `go` the tests are skipped, except where `CI` is set.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // several tests, each uses a part

#[path = "tools.rs"]
mod tools;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const VERSION: &str = "0.39.0";

/// Longest wait for the daemon to be ready, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Kubo of one test. The daemon ends and the folder goes when it is dropped.
pub struct Kubo {
    program: PathBuf,
    repo: tempfile::TempDir,
    api: u16,
    gateway: u16,
    daemon: Option<Child>,
}

impl Kubo {
    /// Starts a Kubo that takes no part in any DHT. `None`: there is no Go, the test is skipped.
    pub fn start() -> Option<Self> {
        Self::start_with("none", &[])
    }

    /// The same with a `Routing.Type` such as `dhtserver` and more settings, each a key and its
    /// JSON.
    pub fn start_with(routing: &str, settings: &[(&str, &str)]) -> Option<Self> {
        let program = program()?;
        let repo = tempfile::tempdir().unwrap();
        let [api, gateway, swarm] = free_ports();
        let mut this = Self {
            program,
            repo,
            api,
            gateway,
            daemon: None,
        };
        this.run(&["init", "--profile=test,autoconf-off"]);
        // no QUIC listener: that of quic-go 0.55, which this Kubo needs, panics under Go 1.26 at
        // every inbound connection ("where's my session ticket?"). Kubo still dials QUIC.
        let addresses = format!(
            r#"{{"API": "/ip4/127.0.0.1/tcp/{api}", "Gateway": "/ip4/127.0.0.1/tcp/{gateway}",
            "Swarm": ["/ip4/127.0.0.1/tcp/{swarm}"],
            "Announce": [], "AppendAnnounce": [], "NoAnnounce": []}}"#
        );
        let routing = format!(
            r#"{{"Type": "{routing}", "LoopbackAddressesOnLanDHT": true, "DelegatedRouters": []}}"#
        );
        let always = [
            ("Addresses", addresses.as_str()),
            ("Routing", routing.as_str()),
            ("AutoTLS.Enabled", "false"),
            ("Swarm.RelayClient.Enabled", "false"),
            ("Swarm.RelayService.Enabled", "false"),
            ("Swarm.EnableHolePunching", "false"),
        ];
        for (key, json) in always.iter().chain(settings) {
            this.run(&["config", "--json", key, json]);
        }
        this.resume();
        Some(this)
    }

    /// Where the RPC is, as `--ipfs` takes it.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// Where the HTTP gateway is.
    pub fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.gateway)
    }

    /// The peer id, in base58.
    pub fn peer_id(&self) -> String {
        self.run(&["id", "-f=<id>"])
    }

    /// Listening addresses as multiaddrs without the peer id.
    pub fn addrs(&self) -> Vec<String> {
        let text = self.run(&["id", "-f=<addrs>"]);
        let plain = |line: &str| line.split("/p2p/").next().unwrap().to_owned();
        text.lines().map(plain).collect()
    }

    /// Runs `ipfs ARGS`, against the daemon if it is up, and returns what it prints, trimmed.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.run_with(args, b"");
        String::from_utf8(output).unwrap().trim().to_owned()
    }

    /// The same, with bytes on standard input and standard output.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        self.try_run_with(args, input)
            .unwrap_or_else(|error| panic!("ipfs {args:?}: {error}"))
    }

    /// The same; the error is what it prints on standard error.
    pub fn try_run_with(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        tools::run(self.ipfs().args(args), input)
    }

    /// Starts the daemon again, with the folder and ports of before.
    pub fn resume(&mut self) {
        assert!(self.daemon.is_none(), "the daemon is running");
        let log = self.repo.path().join("daemon.log");
        let out = File::create(&log).unwrap();
        let mut daemon = self
            .ipfs()
            .args(["daemon", "--migrate=false"])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !fs::read_to_string(&log)
            .unwrap()
            .contains("Daemon is ready")
        {
            let ended = daemon.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let _ = daemon.kill(); // it may have ended
                panic!("kubo: {}", fs::read_to_string(&log).unwrap());
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.daemon = Some(daemon);
    }

    /// Ends the daemon, with a goodbye.
    pub fn stop(&mut self) {
        self.run(&["shutdown"]);
        if let Some(mut daemon) = self.daemon.take() {
            daemon.wait().unwrap();
        }
    }

    /// Ends the daemon at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
        // what a killed daemon leaves behind would send later commands to a dead port
        let _ = fs::remove_file(self.repo.path().join("repo/api"));
    }

    /// Kills the daemon and starts it again.
    pub fn restart(&mut self) {
        self.kill();
        self.resume();
    }

    fn ipfs(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("IPFS_PATH", self.repo.path().join("repo"))
            .env("IPFS_TELEMETRY", "off")
            .env_remove("GOLOG_LOG_LEVEL");
        command
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill(); // it may have ended by itself
            let _ = daemon.wait();
        }
    }
}

/// Ports that are free now, held together so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// The built program. Tests in several processes build it once.
fn program() -> Option<PathBuf> {
    if !tools::available(&[("go", "version")]) {
        return None;
    }
    let folder = tools::folder(&format!("kubo-{VERSION}"));
    let program = folder.join("ipfs");
    let _lock = tools::lock(&folder);
    if !program.is_file() {
        let new = folder.join("ipfs.new");
        // one dependency refuses versions of Go that it was not tested with unless it is told to
        let mut build = Command::new("go");
        build
            .args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath"])
            .args(["-tags", "untested_go_version", "-ldflags", "-s -w", "-o"])
            .arg(&new)
            .arg("github.com/ipfs/kubo/cmd/ipfs")
            .current_dir(Path::new(tools::SOURCES).join("kubo"));
        tools::must(&mut build);
        fs::rename(new, &program).unwrap();
    }
    Some(program)
}
