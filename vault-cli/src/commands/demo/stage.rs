//! Running the real commands for two people, showing what is run, and checking what came of it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output as Finished, Stdio};

use serde_json::Value;

use crate::error::{Error, Exit, Result};
use crate::output::{BOLD, DIM, GOOD, Output, paint};

/// Key derivation of the demo's identity files: quick, for they live for a minute.
const WORK_FACTOR: &str = "12";

/// Two homes, and the patient's node.
pub struct Stage {
    out: Output,
    folder: PathBuf,
    program: PathBuf,
    node: Option<Child>,
    chapters: u32,
}

/// Something was not as promised.
pub fn broken(what: impl std::fmt::Display) -> Error {
    Error::new(
        Exit::Failure,
        "demo-failed",
        format!("not as promised: {what}"),
    )
}

/// A text of a JSON object.
pub fn text(value: &Value, name: &str) -> Result<String> {
    let text = value[name].as_str().map(str::to_owned);
    text.ok_or_else(|| broken(format!("`{name}` is missing from {value}")))
}

impl Stage {
    /// An empty stage in `folder`.
    pub fn new(out: Output, folder: PathBuf) -> Result<Self> {
        std::fs::write(folder.join("passphrase"), "a passphrase for the demo\n")?;
        let program = std::env::current_exe()?;
        Ok(Self {
            out,
            folder,
            program,
            node: None,
            chapters: 0,
        })
    }

    /// Tells what comes now.
    pub fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        self.out.note(format!(
            "\n{} {}",
            paint(BOLD, format!("{}.", self.chapters)),
            paint(BOLD, title)
        ));
    }

    /// Tells something.
    pub fn say(&self, text: &str) {
        self.out.note(text);
    }

    /// Says that a promise holds, or stops.
    pub fn check(&self, what: &str, holds: bool) -> Result<()> {
        if !holds {
            return Err(broken(what));
        }
        self.out.note(format!("  {} {what}", paint(GOOD, "ok")));
        Ok(())
    }

    fn command(&self, home: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let initial: &[&str] = if args.first() == Some(&"init") {
            &["--work-factor", WORK_FACTOR]
        } else {
            &[]
        };
        command
            .args(args)
            .args(initial)
            .args([
                "--no-input",
                "--home",
                home,
                "--passphrase-file",
                "passphrase",
            ])
            .current_dir(&self.folder)
            .env_remove("MEDVAULT_HOME")
            .env_remove("MEDVAULT_PASSPHRASE_COMMAND")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, home: &str, args: &[&str]) -> Result<Finished> {
        Ok(self.command(home, args).output()?)
    }

    /// Runs a command in front of the audience.
    fn show(&self, home: &str, args: &[&str]) -> Result<Finished> {
        let quoted = args.iter().map(|a| {
            if a.contains(' ') {
                format!("\"{a}\"")
            } else {
                (*a).to_owned()
            }
        });
        let line = quoted.collect::<Vec<_>>().join(" ");
        let line = line.replace(&format!("{}/", self.folder.display()), "");
        self.out.note(format!(
            "  {} {}",
            paint(DIM, format!("{home:<6} $")),
            paint(BOLD, format!("medvault {line}"))
        ));
        let finished = self.run(home, args)?;
        for stream in [&finished.stdout, &finished.stderr] {
            for line in String::from_utf8_lossy(stream).lines() {
                self.out.note(format!("    {line}"));
            }
        }
        Ok(finished)
    }

    fn must(&self, home: &str, args: &[&str]) -> Result<()> {
        let finished = self.show(home, args)?;
        match finished.status.success() {
            true => Ok(()),
            false => Err(broken(format!("`medvault {}` failed", args.join(" ")))),
        }
    }

    /// The patient runs a command.
    pub fn patient(&self, args: &[&str]) -> Result<()> {
        self.must("mira", args)
    }

    /// The patient runs a command that may refuse some of its inputs.
    pub fn patient_or_partial(&self, args: &[&str]) -> Result<()> {
        let code = self.show("mira", args)?.status.code();
        match code {
            Some(code) if code == Exit::Ok as i32 || code == Exit::Partial as i32 => Ok(()),
            _ => Err(broken(format!("`medvault {}` failed", args.join(" ")))),
        }
    }

    /// The clinic runs a command.
    pub fn clinic(&self, args: &[&str]) -> Result<()> {
        self.must("clinic", args)
    }

    /// The clinic runs a command that must fail in just this way.
    pub fn clinic_refused(&self, args: &[&str], exit: Exit) -> Result<()> {
        let code = self.show("clinic", args)?.status.code();
        self.check("refused, as it must be", code == Some(exit as i32))
    }

    /// The clinic runs a command that must fail.
    pub fn clinic_fails(&self, args: &[&str]) -> Result<()> {
        let finished = self.show("clinic", args)?;
        self.check(
            "nothing comes out",
            !finished.status.success() && finished.stdout.is_empty(),
        )
    }

    fn ask(&self, home: &str, args: &[&str]) -> Result<Vec<Value>> {
        let args = [args, &["--json"]].concat();
        let finished = self.run(home, &args)?;
        if !finished.status.success() {
            let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
            return Err(broken(format!("`medvault {}`: {said}", args.join(" "))));
        }
        let lines = String::from_utf8_lossy(&finished.stdout).into_owned();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).map_err(broken))
            .collect()
    }

    fn ask_one(&self, home: &str, args: &[&str]) -> Result<Value> {
        self.ask(home, args)?
            .pop()
            .ok_or_else(|| broken("a command printed nothing"))
    }

    /// What the patient's command says in JSON.
    pub fn ask_patient(&self, args: &[&str]) -> Result<Value> {
        self.ask_one("mira", args)
    }

    /// What the clinic's command says in JSON.
    pub fn ask_clinic(&self, args: &[&str]) -> Result<Value> {
        self.ask_one("clinic", args)
    }

    /// A list of the patient's, in JSON.
    pub fn list_patient(&self, args: &[&str]) -> Result<Vec<Value>> {
        self.ask("mira", args)
    }

    /// A list of the clinic's, in JSON.
    pub fn list_clinic(&self, args: &[&str]) -> Result<Vec<Value>> {
        self.ask("clinic", args)
    }

    fn bytes(&self, home: &str, args: &[&str]) -> Result<Vec<u8>> {
        let finished = self.run(home, args)?;
        match finished.status.success() {
            true => Ok(finished.stdout),
            false => Err(broken(String::from_utf8_lossy(&finished.stderr).trim())),
        }
    }

    /// What the patient's command writes.
    pub fn patient_bytes(&self, args: &[&str]) -> Result<Vec<u8>> {
        self.bytes("mira", args)
    }

    /// What the clinic's command writes.
    pub fn clinic_bytes(&self, args: &[&str]) -> Result<Vec<u8>> {
        self.bytes("clinic", args)
    }

    /// Ids of all of the patient's records.
    pub fn ids_patient(&self) -> Result<BTreeSet<String>> {
        self.list_patient(&["record", "list"])?
            .iter()
            .map(|entry| text(entry, "record"))
            .collect()
    }

    /// The one record that is there now and was not `before`.
    pub fn new_id(&self, before: &BTreeSet<String>) -> Result<String> {
        let now = self.ids_patient()?;
        let new: Vec<&String> = now.difference(before).collect();
        match new[..] {
            [one] => Ok(one.clone()),
            _ => Err(broken(format!("{} new records instead of one", new.len()))),
        }
    }

    /// Starts the patient's node and waits until it is online.
    pub fn serve(&mut self) -> Result<()> {
        let args = ["serve", "--listen", "/ip4/127.0.0.1/tcp/0", "--json"];
        self.out.note(format!(
            "  {} {}",
            paint(DIM, "mira   $"),
            paint(BOLD, "medvault serve --listen /ip4/127.0.0.1/tcp/0 &")
        ));
        let mut child = self
            .command("mira", &args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| broken("the node has no output"))?;
        self.node = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let event: Value =
            serde_json::from_str(&line).map_err(|_| broken("the node did not start"))?;
        self.out.note(format!(
            "    serving as {}",
            event["peer_id"].as_str().unwrap_or("?")
        ));
        self.check("the patient's node is online", event["event"] == "serving")
    }

    /// Stops the patient's node.
    pub fn end(&mut self) {
        if let Some(mut node) = self.node.take() {
            // it is our own child; when it is gone already there is nothing to do
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end();
    }
}
