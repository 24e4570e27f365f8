//! What must be measured in a process of its own: this program starts itself again.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use vault_core::Device;

use crate::Fallible;
use crate::world;

/// The first argument of a child.
pub const WORD: &str = "child";

/// What a child is told.
pub fn command(args: &[&std::ffi::OsStr]) -> Fallible<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(WORD).args(args);
    Ok(command)
}

/// Adds `file` to the home in a child. Returns the growth of its memory at the highest point, in
/// KiB; `None` where the system does not tell.
pub fn memory_of_add(home: &Path, file: &Path) -> Fallible<Option<u64>> {
    let mut command = command(&["add".as_ref(), home.as_ref(), file.as_ref()])?;
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err("the child that adds a file failed".into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

/// Does a child's work.
pub fn run(args: &[String]) -> Fallible<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["add", home, file] => {
            let mut vault = world::open_home(Path::new(home), device(home)?)?;
            let before = status("VmRSS:");
            world::add_file(&mut vault, Path::new(file))?;
            if let (Some(before), Some(after)) = (before, status("VmHWM:")) {
                println!("{}", after.saturating_sub(before));
            }
            Ok(())
        }
        ["list", home] => {
            let mut vault = world::open_home(Path::new(home), device(home)?)?;
            let mut out = BufWriter::new(std::io::stdout().lock());
            for entry in vault.records()? {
                let date = entry.meta.date.map(|date| date.to_string());
                writeln!(
                    out,
                    "{} {} {} {}",
                    entry.record,
                    date.as_deref().unwrap_or("-"),
                    entry.meta.kind.as_str(),
                    entry.meta.title
                )?;
            }
            Ok(out.flush()?)
        }
        _ => Err("unknown work for a child".into()),
    }
}

fn device(home: &str) -> Fallible<Arc<Device>> {
    let text = std::fs::read_to_string(world::device_path(Path::new(home)))?;
    Ok(Arc::new(Device::from_identity_text(&text)?))
}

/// A figure of this process, in KiB.
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
