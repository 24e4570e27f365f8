//! Vaults for tests.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use vault_ffi::{
    KeyStore, NodeOptions, Platform, RecordFilter, ShareRequest, ShareScope, Unlock, Vault,
    create_vault, memory_key_store,
};

/// As an app's own executor would: the library brings its own runtime.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    });
    RUNTIME.block_on(future)
}

/// A vault in a folder of its own, and what opens it.
pub struct Someone {
    pub vault: Arc<Vault>,
    pub words: String,
    pub key_store: Arc<dyn KeyStore>,
    folder: TempDir,
}

impl Someone {
    pub fn new(name: &str) -> Self {
        Self::with(name, |platform| platform)
    }

    pub fn with(name: &str, change: impl FnOnce(Platform) -> Platform) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key_store = memory_key_store();
        let platform = change(platform(&key_store));
        let home = folder.path().join("vault").display().to_string();
        let made = wait(create_vault(home, name.into(), Unlock::KeyStore, platform)).unwrap();
        Self {
            vault: made.vault,
            words: made.recovery_words,
            key_store,
            folder,
        }
    }

    pub fn home(&self) -> String {
        self.path("vault").display().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub fn add(&self, text: &str) -> String {
        let report = wait(self.vault.add(text.as_bytes().to_vec(), "x.json".into())).unwrap();
        assert_eq!(report.added, 1, "{report:?}");
        report.records[0].clone()
    }

    pub fn titles(&self) -> Vec<String> {
        let all = wait(self.vault.records(RecordFilter::default())).unwrap();
        all.into_iter().map(|record| record.title).collect()
    }

    pub fn serve(&self) {
        let options = NodeOptions {
            local_only: true,
            private: true,
        };
        wait(self.vault.start_node(options)).unwrap();
    }
}

pub fn platform(key_store: &Arc<dyn KeyStore>) -> Platform {
    Platform {
        key_store: Some(key_store.clone()),
        ..Platform::default()
    }
}

/// Each has the other's card, fingerprints compared.
pub fn acquaint(one: &Someone, other: &Someone) {
    for (who, whom) in [(one, other), (other, one)] {
        let info = wait(whom.vault.info()).unwrap();
        wait(who.vault.add_contact(info.name.clone(), info.card)).unwrap();
        wait(who.vault.verify_contact(info.name, info.fingerprint)).unwrap();
    }
}

/// A carried, standing grant over all that is not sensitive.
pub fn everything_for(reader: &str) -> ShareRequest {
    ShareRequest {
        readers: vec![reader.into()],
        scope: ShareScope {
            everything: true,
            ..ShareScope::default()
        },
        standing: true,
        expires: None,
        purpose: None,
        on_request: None,
        even_unverified: false,
    }
}

/// A resource with this title.
pub fn observation(title: &str) -> String {
    format!(
        r#"{{"resourceType": "Observation", "status": "final", "category": [{{"coding": [{{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}}]}}], "code": {{"text": "{title}"}}, "effectiveDateTime": "2026-03-14"}}"#
    )
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}
