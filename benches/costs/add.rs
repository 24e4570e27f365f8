//! Adding: one large file, its memory, and many small resources.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sha2::{Digest, Sha256};

use crate::data::{self, Noise};
use crate::table::{Row, Samples, Table, timed};
use crate::world;
use crate::{Fallible, Plan, child, tools};

/// Plain writes of `len` bytes in calls of 1 MiB, and one sync.
pub fn write_and_sync(path: &Path, len: u64) -> Fallible<()> {
    let mut buffer = vec![0; (1 << 20).min(len as usize)];
    Noise::new(7).fill(&mut buffer);
    let mut file = File::create(path)?;
    let mut left = len;
    while left > 0 {
        let part = left.min(buffer.len() as u64) as usize;
        file.write_all(&buffer[..part])?;
        left -= part as u64;
    }
    Ok(file.sync_all()?)
}

/// Seals and hashes `len` bytes in memory, on every core.
fn seal_and_hash(len: u64) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for core in 0..cores {
            scope.spawn(move || {
                let cipher = ChaCha20Poly1305::new(Key::from_slice(&[core as u8; 32]));
                let mut block = vec![core as u8; 256 << 10];
                let mut number = 0u64;
                for _ in 0..len / cores as u64 / block.len() as u64 {
                    for chunk in block.chunks_mut(16 << 10) {
                        let mut nonce = [0; 12];
                        nonce[..8].copy_from_slice(&number.to_le_bytes());
                        number += 1;
                        let tag =
                            cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], chunk);
                        std::hint::black_box(tag.is_ok());
                    }
                    std::hint::black_box(Sha256::digest(&block));
                }
            });
        }
    });
}

/// Writes back what other work left behind, so that nobody else pays for it.
pub fn settle() {
    #[cfg(target_os = "linux")]
    rustix::fs::sync();
}

fn mib(len: u64) -> u64 {
    len >> 20
}

pub fn large(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let input = plan.dir.join("large");
    data::noise_file(&input, plan.large)?;
    let (mut add, mut disk, mut crypto) = (Samples::new(), Samples::new(), Samples::new());
    for run in 0..plan.runs {
        let home = plan.dir.join(format!("large-{run}"));
        let mut vault = world::make_home(&home)?;
        settle();
        let plain = plan.dir.join("plain");
        timed(&mut disk, || write_and_sync(&plain, plan.large))?;
        std::fs::remove_file(&plain)?;
        timed(&mut crypto, || seal_and_hash(plan.large));
        settle();
        timed(&mut add, || world::add_file(&mut vault, &input))?;
        drop(vault);
        std::fs::remove_dir_all(&home)?;
    }
    std::fs::remove_file(&input)?;
    let slower = disk.median().max(crypto.median());
    let ratio = slower / add.median();
    table.row(Row {
        what: format!("add a file of {} MiB", mib(plan.large)),
        figure: add.rate(plan.large),
        yardstick: format!(
            "disk {}; crypto {}",
            disk.rate(plan.large),
            crypto.rate(plan.large)
        ),
        ratio: Some(ratio),
        goal: ">= 0.80 of the slower".into(),
        met: Some(ratio >= 0.8),
    });
    Ok(())
}

pub fn memory(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let lens = if plan.quick {
        [8 << 20, 64 << 20]
    } else {
        [256 << 20, 2 << 30]
    };
    for len in lens {
        let input = plan.dir.join("input");
        data::noise_file(&input, len)?;
        let home = plan.dir.join(format!("memory-{len}"));
        drop(world::make_home(&home)?);
        let growth = child::memory_of_add(&home, &input)?;
        std::fs::remove_dir_all(&home)?;
        std::fs::remove_file(&input)?;
        table.row(Row {
            what: format!("memory to add a file of {} MiB", mib(len)),
            figure: growth.map_or("not measured: no /proc".into(), |kib| {
                format!("{:.1} MiB", kib as f64 / 1024.0)
            }),
            yardstick: "-".into(),
            ratio: None,
            goal: "< 64 MiB".into(),
            met: growth.map(|kib| kib < 64 << 10),
        });
    }
    Ok(())
}

pub fn small(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let folder = plan.dir.join("resources");
    let (paths, len) = data::resource_files(&folder, plan.small)?;
    let what = format!(
        "add {} resources of {} bytes",
        paths.len(),
        len / paths.len() as u64
    );
    let mut add = Samples::new();
    let (mut rustic, mut rustic_fault) = (Samples::new(), None);
    for run in 0..plan.runs {
        let home = plan.dir.join(format!("small-{run}"));
        let mut vault = world::make_home(&home)?;
        settle();
        timed(&mut add, || world::add_resources(&mut vault, &paths))?;
        drop(vault);
        std::fs::remove_dir_all(&home)?;
        settle();
        match tools::rustic_backup(&plan.dir.join(format!("rustic-{run}")), &folder) {
            Ok(seconds) => rustic.push(seconds),
            Err(why) => rustic_fault = Some(why),
        }
    }
    settle();
    let sample = &paths[..paths.len().min(if plan.quick { 30 } else { 500 })];
    let each = tools::one_by_one(&plan.dir, sample)?;
    let all = each.seconds / sample.len() as f64 * paths.len() as f64;
    let ratio = all / add.median();
    table.row(Row {
        what: what.clone(),
        figure: add.ms(),
        yardstick: format!("{}: {:.0} ms (from {})", each.how, all * 1e3, sample.len()),
        ratio: Some(ratio),
        goal: ">= 10 times faster".into(),
        met: Some(ratio >= 10.0),
    });
    let ratio = rustic.median() / add.median();
    let measured = rustic_fault.is_none();
    table.row(Row {
        what,
        figure: add.ms(),
        yardstick: match rustic_fault {
            None => format!("rustic backup without opening: {}", rustic.ms()),
            Some(why) => format!("rustic not measured: {why}"),
        },
        ratio: measured.then_some(ratio),
        goal: ">= 1.00".into(),
        met: measured.then_some(ratio >= 1.0),
    });
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
