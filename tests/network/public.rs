//! A gateway and delegated routing server of the public network, over the blocks of some homes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use vault_core::{Block, BlockStore as _, CarStore, CarWriter, Cid, Head, IpnsName, IpnsRecord};

use crate::serving::Serving;
use crate::web::{Asked, Reply, Web};
use crate::world::World;

type Records = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// Under this name it keeps the list of those who have every block.
const PROVIDERS: &str = "providers";

/// The server. Like a careless one, it keeps whatever record it was given last.
pub struct Public {
    web: Web,
    records: Records,
}

impl Public {
    /// Starts one that has the blocks of these people.
    pub fn of(w: &World, names: &[&str]) -> Self {
        let folders: Vec<PathBuf> = names.iter().map(|n| w.path(n).join("blocks")).collect();
        let records = Records::default();
        let kept = records.clone();
        let web = Web::start(move |asked| answer(asked, &folders, &kept));
        Self { web, records }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.web.url()
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<String> {
        self.web.asked()
    }

    /// What it keeps under all names.
    pub fn records(&self) -> HashMap<String, Vec<u8>> {
        self.records.lock().unwrap().clone()
    }

    /// Makes it name this node to whoever asks for a block.
    pub fn name_provider(&self, serving: &Serving) {
        let node = serving.event();
        let peer = json!({
            "Schema": "peer", "ID": node["peer_id"], "Addrs": node["addrs"],
            "Protocols": ["transport-bitswap"],
        });
        let mut records = self.records.lock().unwrap();
        records.insert(PROVIDERS.to_owned(), peer.to_string().into_bytes());
    }

    /// Makes it keep this instead.
    pub fn keep(&self, records: HashMap<String, Vec<u8>>) {
        *self.records.lock().unwrap() = records;
    }
}

fn answer(asked: &Asked, folders: &[PathBuf], records: &Records) -> Reply {
    let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
    match (
        asked.method.as_str(),
        parts.as_slice(),
        asked.query.as_str(),
    ) {
        ("PUT", ["routing", "v1", "ipns", name], "") => {
            let key: IpnsName = name.parse().unwrap();
            if IpnsRecord::from_bytes(&asked.body, &key, 0).is_err() {
                return Reply::Status(400);
            }
            let mut records = records.lock().unwrap();
            records.insert((*name).to_owned(), asked.body.clone());
            Reply::Status(200)
        }
        ("GET", ["routing", "v1", "ipns", name], "")
        | ("GET", ["ipns", name], "format=ipns-record") => {
            match records.lock().unwrap().get(*name) {
                Some(bytes) => Reply::Ok("application/vnd.ipfs.ipns-record", bytes.clone()),
                None => Reply::Status(404),
            }
        }
        ("GET", ["routing", "v1", "providers", _], "") => {
            let list = records.lock().unwrap().get(PROVIDERS).cloned();
            Reply::Ok("application/x-ndjson", list.unwrap_or_default())
        }
        ("GET", ["ipfs", cid], query) => {
            let Some((block, folder)) = find(&cid.parse().unwrap(), folders) else {
                return Reply::Status(404);
            };
            match query {
                "format=raw" => Reply::Ok("application/vnd.ipld.raw", block.into_data()),
                "format=car&dag-scope=all" => {
                    Reply::Ok("application/vnd.ipld.car", car(&block, folder))
                }
                _ => Reply::Status(400),
            }
        }
        _ => Reply::Status(404),
    }
}

fn find<'a>(cid: &Cid, folders: &'a [PathBuf]) -> Option<(Block, &'a PathBuf)> {
    folders.iter().find_map(|folder| {
        let block = CarStore::open(folder).ok()?.get(cid).ok()??;
        Some((block, folder))
    })
}

/// A head and everything below it.
fn car(head: &Block, folder: &Path) -> Vec<u8> {
    let store = CarStore::open(folder).unwrap();
    let all = Head::from_bytes(head.data())
        .unwrap()
        .all_blocks(&store)
        .unwrap();
    let mut car = CarWriter::new(Vec::new(), &[head.cid()]).unwrap();
    for cid in all {
        car.put(&store.get(&cid).unwrap().unwrap()).unwrap();
    }
    car.finish().unwrap()
}
