//! Temporary homes, and the command run in them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Some people and their files, gone when dropped.
pub struct World {
    folder: tempfile::TempDir,
}

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pass"), "correct horse\n").unwrap();
        Self { folder }
    }

    /// A world with these people's vaults.
    pub fn of(names: &[&str]) -> Self {
        let world = Self::new();
        for name in names {
            let ran = world.run(name, &["init", "--name", name, "--work-factor", "10"]);
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its path as text.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A command, not started yet.
    pub fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medvault"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TZ", "UTC")
            .env("MEDVAULT_HOME", self.path(who))
            .env("MEDVAULT_PASSPHRASE_FILE", self.path("pass"))
            .args(arguments);
        command
    }

    pub fn run(&self, who: &str, arguments: &[&str]) -> Ran {
        let output = self.command(who, arguments).stdin(Stdio::null()).output();
        Ran::new(output.unwrap())
    }

    /// The same with standard output going to a file.
    pub fn run_into(&self, who: &str, arguments: &[&str], file: std::fs::File) -> Ran {
        let mut command = self.command(who, arguments);
        command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(Stdio::piped());
        Ran::new(command.spawn().unwrap().wait_with_output().unwrap())
    }

    /// The same with something on standard input.
    pub fn pipe(&self, who: &str, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(who, arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::new(child.wait_with_output().unwrap())
    }

    /// A command that must succeed; its standard output.
    pub fn ok(&self, who: &str, arguments: &[&str]) -> String {
        let ran = self.run(who, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }

    /// A command that must succeed; its JSON lines.
    pub fn json(&self, who: &str, arguments: &[&str]) -> Vec<Value> {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let out = self.ok(who, &all);
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Makes `who` know `other`, verified.
    pub fn introduce(&self, who: &str, other: &str) {
        let card = self.ok(other, &["identity", "show", "--card", "-"]);
        let path = self.file(&format!("{other}.card"), card);
        self.ok(who, &["contact", "add", other, &path]);
        self.ok(who, &["contact", "verify", other, "--yes"]);
    }
}

impl Ran {
    pub fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The error as it is shown, with everything that differs from run to run named.
    pub fn error(&self, world: &World) -> String {
        let mut text = self.err.clone();
        let folder = world
            .path("")
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        text = text.replace(&folder, "FOLDER");
        format!("exit {}\n{text}", self.code)
    }
}

/// One observation of a category.
pub fn observation(id: &str, category: &str, label: Option<&str>) -> String {
    let meta = label.map_or_else(String::new, |label| {
        format!(
            r#""meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{label}"}}]}},"#
        )
    });
    format!(
        r#"{{"resourceType":"Observation","id":"{id}",{meta}"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{category}"}}]}}],"code":{{"text":"Test {id}"}},"effectiveDateTime":"2024-03-0{}"}}"#,
        id.len() % 9 + 1
    )
}

/// A bundle around resources.
pub fn bundle(resources: &[String]) -> String {
    let entries: Vec<_> = resources
        .iter()
        .map(|r| format!(r#"{{"resource":{r}}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#,
        entries.join(",\n")
    )
}

/// Every file below a folder with its content, to see that nothing changed.
pub fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                files.push((path, content));
            }
        }
    }
    files.sort();
    files
}
