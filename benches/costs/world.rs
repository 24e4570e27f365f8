//! Homes, vaults and contacts to measure with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vault_core::record::{self, RecordMeta};
use vault_core::{
    Card, Content, Device, Extent, Home, NewRecord, NodeAddress, RecoveryWords, Scope,
    ShareRequest, Shared, Vault, VaultError, encrypt_with_passphrase, system_clock,
};

use crate::Fallible;
use crate::data;

/// The passphrase of every home made here.
pub const PASSPHRASE: &str = "benchmark";
/// Work factor of the key derivation: as little as is accepted, since it is not measured.
const WORK_FACTOR: u8 = 10;

/// Where the device of the home at `home` lies in the clear, for children of this program.
pub fn device_path(home: &Path) -> PathBuf {
    home.with_extension("device")
}

/// A new person's device.
pub fn device() -> Arc<Device> {
    let now = system_clock()();
    Arc::new(Device::for_new_vault(&RecoveryWords::generate(), now))
}

/// Makes a home with an empty vault.
pub fn make_home(path: &Path) -> Fallible<Vault> {
    let device = device();
    let text = device.to_identity_text();
    std::fs::write(device_path(path), text.as_bytes())?;
    let identity = encrypt_with_passphrase(text.as_bytes(), &PASSPHRASE.into(), WORK_FACTOR)?;
    let card = device.card("Pat")?;
    Home::create(path, |home| -> Result<(), VaultError> {
        home.write_identity(&identity)?;
        home.write_card(&card.to_text())?;
        Vault::create(home.storage()?, device.clone(), "Pat", system_clock()).map(drop)
    })?;
    open_home(path, device)
}

/// Opens the vault in a home.
pub fn open_home(path: &Path, device: Arc<Device>) -> Fallible<Vault> {
    let storage = Home::open(path)?.storage()?;
    Ok(Vault::open(storage, device, system_clock())?)
}

/// Adds one file as a stream.
pub fn add_file(vault: &mut Vault, path: &Path) -> Fallible<()> {
    let mut file = File::open(path)?;
    let meta = RecordMeta {
        kind: "application/octet-stream".parse().or("Document".parse())?,
        category: record::Category::Imaging,
        date: None,
        title: "A large file".into(),
        labels: Default::default(),
        media_type: "application/octet-stream".into(),
        source_id: None,
        ..RecordMeta::default()
    };
    let new = NewRecord {
        meta,
        source: None,
        content: Content::Stream(&mut file),
        replaces: None,
    };
    Ok(vault.add_all([new]).map(drop)?)
}

/// Reads files of resources and adds every record in them, in one commit.
pub fn add_resources(vault: &mut Vault, paths: &[PathBuf]) -> Fallible<()> {
    vault.add(|adder| -> Fallible<()> {
        for path in paths {
            let bytes = std::fs::read(path)?;
            add_parts(&bytes, |new| Ok(adder.add(new).map(drop)?))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Adds `count` made-up resources from memory, in one commit.
pub fn add_made_up(vault: &mut Vault, count: usize) -> Fallible<()> {
    vault.add(|adder| -> Fallible<()> {
        for number in 0..count {
            let bytes = data::resource(number);
            add_parts(&bytes, |new| Ok(adder.add(new).map(drop)?))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn add_parts(bytes: &[u8], mut add: impl FnMut(NewRecord<'_>) -> Fallible<()>) -> Fallible<()> {
    for item in record::read(bytes, "resource.json").items {
        add(NewRecord {
            meta: item.meta,
            source: None,
            content: Content::Bytes(bytes[item.range].to_vec().into()),
            replaces: None,
        })?;
    }
    Ok(())
}

/// Makes people and puts them into the address book as `reader 0`, `reader 1` and so on.
pub fn befriend(vault: &mut Vault, count: usize) -> Fallible<Vec<(String, Arc<Device>)>> {
    let mut readers = Vec::new();
    for number in 0..count {
        let name = format!("reader {number}");
        let device = device();
        let card: Card = device.card(&name)?;
        vault.add_contact(&name, &card)?;
        readers.push((name, device));
    }
    Ok(readers)
}

/// A scope with every record in it.
pub fn everything() -> Scope {
    Scope {
        all: true,
        ..Scope::default()
    }
}

/// An address at which nobody answers.
pub fn node(vault: &Vault) -> Fallible<NodeAddress> {
    let key = vault.device().card("Pat")?;
    Ok(NodeAddress {
        peer: *key.owner(),
        addrs: Vec::new(),
        endpoint: *key.owner(),
        endpoint_addrs: Vec::new(),
        relays: Vec::new(),
    })
}

/// Shares with the named readers.
pub fn share(vault: &mut Vault, scope: Scope, names: &[String]) -> Fallible<Shared> {
    let node = node(vault)?;
    let request = ShareRequest {
        readers: names.to_vec(),
        scope,
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    Ok(vault.share(request, &node)?)
}

/// Total length of the blocks of a vault, in bytes.
pub fn stored_len(vault: &Vault) -> Fallible<u64> {
    let blocks = vault.storage().blocks();
    let mut len = 0;
    for cid in blocks.list()? {
        len += blocks
            .get(&cid)?
            .map_or(0, |block| block.data().len() as u64);
    }
    Ok(len)
}
