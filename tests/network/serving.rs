//! A running `medvault serve`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::world::World;

/// The process, killed when dropped.
pub struct Serving {
    child: Child,
    event: Value,
    _stdout: BufReader<ChildStdout>,
}

impl Serving {
    /// Serves a home on loopback: on the ports of last time if it has been served before.
    pub fn start(w: &World, who: &str) -> Self {
        let (blocks, heads) = addresses(w, who);
        Self::at(w, who, &blocks, &heads)
    }

    /// Serves a home at these addresses.
    pub fn at(w: &World, who: &str, blocks: &str, heads: &str) -> Self {
        let arguments = [
            "serve",
            "--json",
            "--listen",
            blocks,
            "--listen-heads",
            heads,
        ];
        Self::spawn(w.command(who, &arguments))
    }

    /// Serves a home with more options; what it logs goes to a file.
    pub fn logging(w: &World, who: &str, options: &[&str], log: &str) -> Self {
        let (blocks, heads) = addresses(w, who);
        let listen = [
            "serve",
            "--json",
            "--listen",
            &blocks,
            "--listen-heads",
            &heads,
        ];
        let log = std::fs::File::create(w.path(log)).unwrap();
        Self::spawn_into(w.command(who, &[&listen, options].concat()), log.into())
    }

    /// Runs a command that serves.
    pub fn spawn(command: Command) -> Self {
        Self::spawn_into(command, Stdio::inherit())
    }

    fn spawn_into(mut command: Command, log: Stdio) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Ok(event) = serde_json::from_str::<Value>(&line) else {
            let status = child.wait().unwrap();
            panic!("not served: {status}, {line}");
        };
        assert_eq!(event["event"], "serving");
        Self {
            child,
            event,
            _stdout: stdout,
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it serves, as it says.
    pub fn event(&self) -> &Value {
        &self.event
    }

    /// Ends it as ctrl-c does, and waits.
    pub fn interrupt(self) {
        self.end_by("-INT");
    }

    /// Ends it by a signal, and waits.
    pub fn end_by(mut self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{signal} is a proper end");
    }

    /// Ends it without warning, and waits.
    pub fn kill(self) {}
}

impl Drop for Serving {
    fn drop(&mut self) {
        // our own child; it may be gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a home was served last, for blocks and heads; any port of loopback before that.
pub fn addresses(w: &World, who: &str) -> (String, String) {
    let Ok(bytes) = std::fs::read(w.path(who).join("node.json")) else {
        return ("/ip4/127.0.0.1/tcp/0".into(), "127.0.0.1:0".into());
    };
    let node: Value = serde_json::from_slice(&bytes).unwrap();
    let first = |name: &str| node[name][0].as_str().unwrap().to_owned();
    (first("addrs"), first("endpoint_addrs"))
}
