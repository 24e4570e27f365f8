//! A bad line between two network namespaces: late packets, lost packets, on every protocol.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Addresses of the two ends.
pub const ENDS: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Two namespaces and the line between them; all gone when dropped.
pub struct Link {
    namespaces: [String; 2],
    carrier: Option<Child>,
}

impl Link {
    /// A line with this delay one way, in milliseconds, and this loss in percent. `None`, and says
    /// so, where that cannot be made: it takes root, `ip` and `python3`.
    pub fn new(delay: u32, loss: u32) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("medvault-{}-{number}{side}", std::process::id());
        let mut link = Self {
            namespaces: [name('a'), name('b')],
            carrier: None,
        };
        let made = link
            .namespaces
            .iter()
            .all(|name| ip(&["netns", "add", name]));
        if made {
            link.carrier = carrier(&link.namespaces, delay, loss);
        }
        if link.carrier.is_none() {
            println!("skipped: no network namespaces (they need root, ip and python3)");
            return None;
        }
        Some(link)
    }

    /// The command, run at one end.
    pub fn at(&self, end: usize, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside
            .env_clear()
            .args(["netns", "exec", &self.namespaces[end]])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(mut carrier) = self.carrier.take() {
            drop(carrier.stdin.take()); // which ends it
            let _ = carrier.wait();
        }
        for name in &self.namespaces {
            let _ = Command::new("ip")
                .args(["netns", "del", name])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let status = Command::new("ip")
        .args(arguments)
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn carrier(namespaces: &[String; 2], delay: u32, loss: u32) -> Option<Child> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/link.py");
    let mut child = Command::new("python3")
        .arg(script)
        .args([&namespaces[0], ENDS[0], &namespaces[1], ENDS[1]])
        .args([delay.to_string(), loss.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    let up = BufReader::new(child.stdout.take()?).read_line(&mut line);
    if up.is_ok() && line.trim() == "up" {
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
