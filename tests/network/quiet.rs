//! Commands that need no network open no socket.

use std::process::{Command, Stdio};

use crate::people::*;
use crate::serving::Serving;
use crate::world::World;

/// The sockets that a command opens, as `strace` shows them; `None` where there is no `strace`.
pub fn sockets(w: &World, who: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let usable = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    if !usable.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        println!("skipped: no strace");
        return None;
    }
    let plain = w.command(who, arguments);
    let trace = w.path("trace");
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-e", "trace=socket,socketpair", "-o"])
        .arg(&trace)
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(w.path(""))
        .stdin(Stdio::null());
    let output = traced.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(trace).unwrap();
    let lines = text.lines().filter(|line| line.contains("socket"));
    Some(lines.map(str::to_owned).collect())
}

#[test]
fn commands_on_the_own_vault_open_no_socket() {
    let w = ada_and_bo();
    let file = w.file("more.json", lab("more"));
    for command in [
        &["record", "list"][..],
        &["record", "add", &file],
        &["contact", "list"],
        &["share", "--with", "bo", "--category", "lab"],
        &["grant", "list"],
        &["audit", "verify"],
        &["config", "list"],
        &["inbox", "list"],
        &["doctor"],
        &["--version"],
    ] {
        let Some(sockets) = sockets(&w, "ada", command) else {
            return;
        };
        assert_eq!(sockets, Vec::<String>::new(), "{command:?}");
    }
    // the control: a command that does need the network
    let _serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    let opened = sockets(&w, "bo", &["inbox", "accept", &ticket]).unwrap();
    assert!(
        opened.iter().any(|line| line.contains("AF_INET")),
        "{opened:?}"
    );
}
