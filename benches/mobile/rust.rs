//! The same calls from Rust.

use std::path::Path;
use std::sync::Arc;

use vault_ffi::{
    Platform, RecordFilter, Unlock, Vault, create_vault, memory_key_store, open_vault,
};

use crate::table::{Samples, timed};
use crate::{Fallible, Figures, Plan, data, world};

/// How much is handed over at a time.
const CHUNK: usize = 1 << 20;

/// Measures all of it.
pub fn measure(plan: &Plan, home: &Path) -> Fallible<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut figures = Figures {
        open: Samples::new(),
        page: Samples::new(),
        list: Samples::new(),
        add: Samples::new(),
        stream: Samples::new(),
        path: Samples::new(),
    };
    for run in 0..=plan.runs {
        let mut now = [Samples::new(), Samples::new(), Samples::new()];
        let [open, page, list] = &mut now;
        let vault = timed(open, || runtime.block_on(opened(home)))?;
        let first = RecordFilter {
            limit: 50,
            ..RecordFilter::default()
        };
        timed(page, || runtime.block_on(vault.records(first)))?;
        let all = timed(list, || {
            runtime.block_on(vault.records(RecordFilter::default()))
        })?;
        assert_eq!(all.len(), plan.records);
        runtime.block_on(vault.lock())?;
        // the first one warms up
        if run > 0 {
            figures.open.push(now[0].median());
            figures.page.push(now[1].median());
            figures.list.push(now[2].median());
        }
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("scan.bin");
    data::noise_file(&file, plan.bytes as u64)?;
    let content = std::fs::read(&file)?;
    for run in 0..=3 {
        let mut now = [Samples::new(), Samples::new(), Samples::new()];
        for (way, samples) in now.iter_mut().enumerate() {
            let home = folder.path().join(format!("home-{run}-{way}"));
            let vault = runtime.block_on(new(&home))?;
            timed(samples, || {
                runtime.block_on(hand_over(&vault, way, &content, &file))
            })?;
            runtime.block_on(vault.lock())?;
            std::fs::remove_dir_all(home)?;
        }
        if run > 0 {
            figures.add.push(now[0].median());
            figures.stream.push(now[1].median());
            figures.path.push(now[2].median());
        }
    }
    Ok(figures)
}

async fn opened(home: &Path) -> Fallible<Arc<Vault>> {
    let unlock = Unlock::Passphrase {
        passphrase: world::PASSPHRASE.to_owned(),
    };
    Ok(open_vault(home.display().to_string(), unlock, Platform::default()).await?)
}

async fn new(home: &Path) -> Fallible<Arc<Vault>> {
    let platform = Platform {
        key_store: Some(memory_key_store()),
        ..Platform::default()
    };
    let home = home.display().to_string();
    Ok(
        create_vault(home, "Bench".to_owned(), Unlock::KeyStore, platform)
            .await?
            .vault,
    )
}

async fn hand_over(vault: &Vault, way: usize, content: &[u8], file: &Path) -> Fallible<()> {
    let report = match way {
        0 => vault.add(content.to_vec(), "scan.bin".to_owned()).await?,
        1 => {
            let writer = vault.add_stream("scan.bin".to_owned())?;
            for chunk in content.chunks(CHUNK) {
                writer.write(chunk)?;
            }
            writer.finish().await?
        }
        _ => {
            let work = vault.add_file(file.display().to_string(), None)?;
            work.result().await?
        }
    };
    assert_eq!(report.added, 1);
    Ok(())
}
