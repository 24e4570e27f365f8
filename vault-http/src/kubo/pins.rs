//! What holds the store's blocks in Kubo: pins under the store's name.
//!
//! | name | pin | holds |
//! |---|---|---|
//! | `medvault-VAULT` | recursive, on a head | everything below it |
//! | `medvault-VAULT-new` | recursive, on a list; direct, on a dag-cbor block | what no head holds yet |
//! | `medvault-VAULT-gone` | direct, on a list | a deletion that is not finished |

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use vault_core::{Block, Cid, Codec, MAX_BLOCK_LEN};

use super::KuboError;
use super::batch::links;
use super::rpc::{Command, Rpc};

/// Most dag-cbor blocks that are read below one pin: Kubo might make up pins without end.
const MAX_NODES: usize = 1 << 16;

/// How long a pin may find no further block that should be in the repository.
const STALLED: Duration = Duration::from_secs(10);

/// What a pin of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// Holds everything below a head.
    Head,
    /// Holds raw blocks through a list.
    List,
    /// Holds one dag-cbor block.
    Single,
    /// Names blocks that are being deleted, and holds none of them.
    Gone,
}

/// A pin of ours, and the blocks of the store that it holds or names.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) used: Use,
    pub(super) blocks: HashSet<Cid>,
}

/// The store's pins, as they were when Kubo was last asked.
pub(super) struct Pins {
    name: String,
    all: HashMap<Cid, Pin>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Keys", default)]
    keys: HashMap<String, Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Deserialize)]
struct Progress {
    #[serde(rename = "Progress", default)]
    blocks: u64,
    #[serde(rename = "Pins", default)]
    done: Option<Vec<String>>,
}

impl Pins {
    /// The pins of the store of this name, not yet asked for.
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            all: HashMap::new(),
        }
    }

    /// The name of pins for this use.
    fn label(&self, used: Use) -> String {
        match used {
            Use::Head => self.name.clone(),
            Use::List | Use::Single => format!("{}-new", self.name),
            Use::Gone => format!("{}-gone", self.name),
        }
    }

    /// Asks Kubo for the pins again. What hangs below a pin never changes, so only new ones are
    /// read.
    pub(super) fn refresh(&mut self, rpc: &Rpc) -> Result<(), KuboError> {
        let mut now = HashMap::new();
        for kind in ["recursive", "direct"] {
            let command = Command::offline("pin/ls")
                .option("type", kind)
                .option("name", &self.name);
            for (cid, pin) in rpc.json::<Listed>(&command.long())?.keys {
                let Ok(cid) = cid.parse::<Cid>() else {
                    continue;
                };
                let Some(used) = self.used(&pin) else {
                    continue;
                };
                let known = self.all.remove(&cid).filter(|known| known.used == used);
                let pin = match known {
                    Some(pin) => pin,
                    None => read(rpc, cid, used)?,
                };
                now.insert(cid, pin);
            }
        }
        self.all = now;
        Ok(())
    }

    fn used(&self, pin: &Named) -> Option<Use> {
        let recursive = pin.kind == "recursive";
        [Use::Head, Use::List, Use::Single, Use::Gone]
            .into_iter()
            .find(|used| {
                let kind = matches!(used, Use::Head | Use::List);
                kind == recursive && self.label(*used) == pin.name
            })
    }

    /// Whether a pin holds this block.
    pub(super) fn hold(&self, cid: &Cid) -> bool {
        self.holding().any(|(_, pin)| pin.blocks.contains(cid))
    }

    /// Pins that hold blocks.
    pub(super) fn holding(&self) -> impl Iterator<Item = (&Cid, &Pin)> {
        self.all.iter().filter(|(_, pin)| pin.used != Use::Gone)
    }

    /// Pins of one use.
    pub(super) fn of(&self, used: Use) -> Vec<Cid> {
        let of_use = self.all.iter().filter(|(_, pin)| pin.used == used);
        of_use.map(|(cid, _)| *cid).collect()
    }

    /// One pin.
    pub(super) fn get(&self, cid: &Cid) -> Option<&Pin> {
        self.all.get(cid)
    }

    /// Pins `root`, all of whose blocks must be in Kubo already. Kubo goes through everything
    /// below a head or a list.
    pub(super) fn add(&mut self, rpc: &Rpc, root: Cid, used: Use) -> Result<(), KuboError> {
        let recursive = matches!(used, Use::Head | Use::List);
        let command = Command::offline("pin/add")
            .option("arg", root)
            .option("recursive", recursive)
            .option("name", self.label(used))
            .option("progress", "true");
        // a pin looks for missing blocks on the network, whatever it is told, and without end
        let (mut blocks, mut since, mut done) = (0, Instant::now(), false);
        rpc.each_line(&command.long(), None, |line: Progress| {
            done |= line.done.is_some_and(|pins| !pins.is_empty());
            if line.blocks != blocks {
                (blocks, since) = (line.blocks, Instant::now());
            }
            match done || since.elapsed() < STALLED {
                true => Ok(()),
                false => Err(rpc.refused(format!("a block below {root} was not found"))),
            }
        })?;
        if !done {
            return Err(rpc.refused(format!("{root} was not pinned: a block was not found")));
        }
        let pin = read(rpc, root, used)?;
        self.all.insert(root, pin);
        Ok(())
    }

    /// Takes a pin away, if it is there.
    pub(super) fn remove(&mut self, rpc: &Rpc, root: &Cid) -> Result<(), KuboError> {
        let command = Command::offline("pin/rm").option("arg", root);
        match rpc.bytes(&command, MAX_BLOCK_LEN) {
            Ok(_) => {}
            Err(KuboError::Refused { message, .. }) if message.contains("not pinned") => {}
            Err(error) => return Err(error),
        }
        self.all.remove(root);
        Ok(())
    }
}

/// Reads what a pin holds. What Kubo has lost is passed over.
fn read(rpc: &Rpc, root: Cid, used: Use) -> Result<Pin, KuboError> {
    let mut blocks = HashSet::new();
    match used {
        Use::Single => drop(blocks.insert(root)),
        Use::List | Use::Gone => {
            if let Some(list) = block(rpc, &root)? {
                blocks.extend(links(&list));
            }
        }
        Use::Head => {
            let mut nodes = vec![root];
            let mut read = 0;
            while let Some(cid) = nodes.pop() {
                let fresh = blocks.insert(cid);
                if !fresh || cid.codec() == Codec::Raw || read == MAX_NODES {
                    continue;
                }
                read += 1;
                if let Some(node) = block(rpc, &cid)? {
                    nodes.extend(links(&node));
                }
            }
        }
    }
    Ok(Pin { used, blocks })
}

/// Reads a block from Kubo's own repository; `None` when it is not there, or is not what it is
/// called.
pub(super) fn block(rpc: &Rpc, cid: &Cid) -> Result<Option<Block>, KuboError> {
    let command = Command::offline("block/get").option("arg", cid);
    match rpc.bytes(&command, MAX_BLOCK_LEN) {
        Ok(data) => Ok(Block::verify(*cid, data).ok()),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}
