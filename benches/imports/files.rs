//! Taking files in: the sample data, and a large Apple Health export.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use vault_core::record::Sensitivity;
use vault_core::{Device, Vault};
use vault_formats::{Door, IssuerKeys, Moment, OnDisk, Report, VaultShelf};

use crate::table::{Row, Samples, Table, timed};
use crate::{CHILD, Fallible, Plan, world};

/// Every file of the sample data; `None` where it is not there.
fn sample_files() -> Option<Vec<PathBuf>> {
    let folder = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let mut folders = vec![folder.join("data")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().ok()? {
            let path = entry.ok()?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    Some(files)
}

/// Takes files in as `medvault record add` does.
fn take_in(vault: &mut Vault, files: &[PathBuf]) -> Fallible<Report> {
    let (keys, sensitivity) = (IssuerKeys::default(), Sensitivity::standard());
    let mut door = Door::new(&keys, &sensitivity, Moment(1_790_000_000), Vec::new());
    let mut report = None;
    vault.add(|adder| -> Fallible<()> {
        let mut shelf = VaultShelf::new(adder);
        for file in files {
            door.take(
                &mut shelf,
                &mut OnDisk::new(file)?,
                &file.display().to_string(),
            )?;
        }
        report = Some(door.finish(&mut shelf)?);
        Ok(())
    })?;
    report.ok_or_else(|| "nothing was taken in".into())
}

/// Copies files one after the other, with one sync each, as a file manager with care would.
fn copy(files: &[PathBuf], into: &Path) -> Fallible<()> {
    std::fs::create_dir(into)?;
    for (number, file) in files.iter().enumerate() {
        let to = into.join(number.to_string());
        std::fs::copy(file, &to)?;
        File::open(&to)?.sync_all()?;
    }
    std::fs::remove_dir_all(into)?;
    Ok(())
}

pub fn samples(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let Some(files) = sample_files() else {
        table.note("samples: skipped: no sample data");
        return Ok(());
    };
    let bytes = files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|meta| meta.len())
        .sum();
    let (mut import, mut parse, mut copied) = (Samples::new(), Samples::new(), Samples::new());
    let mut records = 0;
    for run in 0..plan.runs {
        let mut vault = world::make_home(&plan.dir.join(format!("samples-{run}")))?;
        let report = timed(&mut import, || take_in(&mut vault, &files))?;
        records = report.added.len();
        timed(&mut parse, || -> Fallible<()> {
            for file in &files {
                // what is no JSON is read, and that is all
                let text = std::fs::read(file)?;
                let mut values =
                    serde_json::Deserializer::from_slice(&text).into_iter::<serde_json::Value>();
                while let Some(Ok(_)) = values.next() {}
            }
            Ok(())
        })?;
        timed(&mut copied, || copy(&files, &plan.dir.join("copy")))?;
    }
    let rate = import
        .map(|seconds| records as f64 / seconds)
        .text("records/s");
    let what = format!(
        "import all samples: {} files, {records} records",
        files.len()
    );
    for (name, yardstick) in [
        ("parsing their JSON", &parse),
        ("copying them, one sync each", &copied),
    ] {
        table.row(Row {
            what: what.clone(),
            figure: format!("{}, {}, {rate}", import.ms(), import.rate(bytes)),
            yardstick: format!("{name}: {}", yardstick.ms()),
            ratio: Some(import.median() / yardstick.median()),
            goal: "a few seconds".into(),
            met: Some(import.median() < 5.0),
        });
    }
    Ok(())
}

/// Writes an export of about `len` bytes: ten years of heart rates, steps and weights.
fn write_export(path: &Path, len: u64) -> Fallible<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData ANY>\n]>\n<HealthData locale=\"en_GB\">\n <ExportDate value=\"2026-01-02 09:00:00 +0000\"/>\n <Me HKCharacteristicTypeIdentifierDateOfBirth=\"1980-05-06\"/>\n")?;
    let (mut written, mut number) = (0u64, 0u64);
    while written < len {
        let (kind, unit, value) = match number % 20 {
            0 => (
                "BodyMass",
                "kg",
                format!("{}.{}", 70 + number % 9, number % 10),
            ),
            1..=6 => ("StepCount", "count", (number % 900).to_string()),
            _ => ("HeartRate", "count/min", (50 + number % 60).to_string()),
        };
        let day = number / 1_000 % 3_650;
        let (year, month, date) = (2016 + day / 365, day % 365 / 31 + 1, day % 28 + 1);
        let at = format!(
            "{year}-{month:02}-{date:02} {:02}:{:02}:00 +0100",
            number % 24,
            number % 60
        );
        let line = format!(
            " <Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"Watch\" sourceVersion=\"10\" device=\"&lt;&lt;HKDevice: 0x1&gt;, name:Watch&gt;\" unit=\"{unit}\" creationDate=\"{at}\" startDate=\"{at}\" endDate=\"{at}\" value=\"{value}\"/>\n"
        );
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        number += 1;
    }
    out.write_all(b"</HealthData>\n")?;
    out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    Ok(())
}

pub fn apple(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let file = plan.dir.join("export.xml");
    write_export(&file, plan.export)?;
    let bytes = file.metadata()?.len();
    let (mut import, mut copied) = (Samples::new(), Samples::new());
    let mut peak = None;
    for run in 0..plan.runs.min(3) {
        let home = plan.dir.join(format!("apple-{run}"));
        drop(world::make_home(&home)?);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(CHILD).arg(&home).arg(&file);
        let output = timed(&mut import, || command.output())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        peak = peak.max(
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse::<u64>()
                .ok(),
        );
        std::fs::remove_dir_all(&home)?;
        timed(&mut copied, || {
            copy(std::slice::from_ref(&file), &plan.dir.join("copy"))
        })?;
    }
    std::fs::remove_file(&file)?;
    table.row(Row {
        what: format!("import an Apple Health export of {} MiB", bytes >> 20),
        figure: format!("{}, {}", import.ms(), import.rate(bytes)),
        yardstick: format!("copying it with one sync: {}", copied.rate(bytes)),
        ratio: Some(import.median() / copied.median()),
        goal: "-".into(),
        met: None,
    });
    table.row(Row {
        what: "highest resident size of that".into(),
        figure: peak.map_or("not told by this system".into(), |kib| {
            format!("{} MiB", kib >> 10)
        }),
        yardstick: "-".into(),
        ratio: None,
        goal: "< 256 MiB".into(),
        met: peak.map(|kib| kib < 256 << 10),
    });
    Ok(())
}

/// Takes one file into a home, alone in a process, and prints its highest resident size in KiB.
pub fn child(args: &[String]) -> Fallible<()> {
    let [home, file] = args else {
        return Err("a child is told a home and a file".into());
    };
    let home = Path::new(home);
    let device = std::fs::read_to_string(world::device_path(home))?;
    let device = Arc::new(Device::from_identity_text(&device)?);
    let mut vault = world::open_home(home, device)?;
    take_in(&mut vault, &[PathBuf::from(file)])?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let highest = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kib) = highest.and_then(|line| line.split_whitespace().next()) {
        println!("{kib}");
    }
    Ok(())
}
