//! Stand-in until the core's own home is there.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vault_core::*;
pub struct Home {
    root: PathBuf,
}
fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> StorageError {
    move |error| StorageError::Io { what, error }
}
impl Home {
    pub fn create<T, E: From<StorageError>>(
        path: &Path,
        build: impl FnOnce(&Home) -> std::result::Result<T, E>,
    ) -> std::result::Result<(Home, T), E> {
        if path.join("format").exists() {
            return Err(StorageError::Exists.into());
        }
        let stage = path.with_extension("new");
        fs::create_dir_all(&stage).map_err(io("home"))?;
        fs::write(stage.join("format"), "1").map_err(io("home"))?;
        let home = Home {
            root: stage.clone(),
        };
        match build(&home) {
            Ok(v) => {
                fs::rename(&stage, path).map_err(io("home"))?;
                Ok((Home { root: path.into() }, v))
            }
            Err(e) => {
                let _ = fs::remove_dir_all(&stage);
                Err(e)
            }
        }
    }
    pub fn open(path: &Path) -> std::result::Result<Home, StorageError> {
        match fs::read_to_string(path.join("format")) {
            Ok(f) => {
                let found: u32 = f.trim().parse().unwrap_or(99);
                if found > 1 {
                    Err(StorageError::Newer { found, known: 1 })
                } else {
                    Ok(Home { root: path.into() })
                }
            }
            Err(_) => Err(StorageError::NoVault),
        }
    }
    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn storage(&self) -> std::result::Result<Arc<HomeStorage>, StorageError> {
        Ok(Arc::new(HomeStorage {
            blocks: Arc::new(CarStore::open(&self.root.join("blocks"))?),
            root: self.root.clone(),
        }))
    }
    pub fn read_identity(&self) -> std::result::Result<Vec<u8>, StorageError> {
        fs::read(self.root.join("identity.age")).map_err(io("identity"))
    }
    pub fn write_identity(&self, b: &[u8]) -> std::result::Result<(), StorageError> {
        self.write_file("identity.age", b)
    }
    pub fn read_card(&self) -> std::result::Result<Option<String>, StorageError> {
        Ok(self
            .read_file("card")?
            .map(|b| String::from_utf8_lossy(&b).into_owned()))
    }
    pub fn write_card(&self, t: &str) -> std::result::Result<(), StorageError> {
        self.write_file("card", t.as_bytes())
    }
    pub fn read_file(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, StorageError> {
        match fs::read(self.root.join(name)) {
            Ok(b) => Ok(Some(b)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io("file")(e)),
        }
    }
    pub fn write_file(&self, name: &str, b: &[u8]) -> std::result::Result<(), StorageError> {
        let t = self.root.join(format!("{name}.tmp"));
        fs::write(&t, b).map_err(io("file"))?;
        fs::rename(&t, self.root.join(name)).map_err(io("file"))
    }
}
pub struct HomeStorage {
    blocks: Arc<CarStore>,
    root: PathBuf,
}
struct Guard(#[allow(dead_code)] File);
impl WriteGuard for Guard {}
impl VaultStorage for HomeStorage {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        self.blocks.clone()
    }
    fn head(&self) -> std::result::Result<Option<Vec<u8>>, StorageError> {
        match fs::read(self.root.join("head")) {
            Ok(b) => Ok(Some(b)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io("head")(e)),
        }
    }
    fn replace_head(&self, head: &[u8]) -> std::result::Result<(), StorageError> {
        fs::write(self.root.join("head.tmp"), head).map_err(io("head"))?;
        fs::rename(self.root.join("head.tmp"), self.root.join("head")).map_err(io("head"))
    }
    fn lock(&self) -> std::result::Result<Box<dyn WriteGuard + '_>, StorageError> {
        let f = File::create(self.root.join("lock")).map_err(io("lock"))?;
        f.lock().map_err(io("lock"))?;
        Ok(Box::new(Guard(f)))
    }
}
