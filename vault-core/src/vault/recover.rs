//! The first head of a vault, and rebuilding one from the recovery words and its blocks.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::state::State;
use super::storage::{StorageError, VaultStorage};
use super::transaction::Transaction;
use super::{Clock, Vault, VaultError, fetch_one, load_state, zero_cover_context};
use crate::audit::Act;
use crate::block::{Cid, Codec, Digest};
use crate::envelope::{ENVELOPE_LEN, IdentityKey};
use crate::grant::{GrantKeyError, ZERO, open_grant_key, seal_grant_key};
use crate::head::{Head, HeadBody, ZeroPointer, log_origin};
use crate::identity::Device;
use crate::index::{open_object, seal_object};
use crate::keys::{RecoveryWords, SecretKey};
use crate::log::{Checkpoint, EMPTY_ROOT};
use crate::pins;
use crate::store::{BlockSource, BlockStore};

const NOTHING: Digest = Digest::from_bytes([0; 32]);

/// Writes the first head.
pub(super) fn first_head(
    storage: Arc<dyn VaultStorage>,
    device: Arc<Device>,
    clock: Clock,
    state: State,
    act: Act,
) -> Result<Vault, VaultError> {
    let lock_on = storage.clone();
    let _lock = lock_on.lock()?;
    let store = storage.blocks();
    let empty_pins = pins::write(&Default::default())?;
    store.put(&empty_pins)?;
    // never stored: what the first transaction starts from
    let origin = log_origin(&device.vault());
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: 0,
        root: EMPTY_ROOT,
    }
    .sign(&origin, device.signing().dalek())
    .map_err(|e| VaultError::Log(e.to_string()))?;
    let body = HeadBody {
        v: 1,
        vault: device.vault(),
        signers: device.signers().as_bytes().to_vec(),
        signer: device.signing().public(),
        seq: 0,
        time: 0,
        valid_until: 0,
        checkpoint: checkpoint.as_bytes().to_vec(),
        log: Vec::new(),
        zero: ZeroPointer {
            envelopes: NOTHING,
            envelopes_len: 0,
            root: NOTHING,
            root_len: 0,
        },
        directory: Vec::new(),
        pins: empty_pins
            .last()
            .map_or(NOTHING, |root| root.cid().digest()),
    };
    let head = Head::sign(&body, device.signing())?;
    let mut vault = Vault {
        storage,
        device,
        clock,
        head,
        zero_key: SecretKey::random(),
        state,
        recent: super::recent::Recent::default(),
        listings: std::collections::HashMap::new(),
        half_changed: false,
    };
    let mut tx = Transaction::begin(&mut vault)?;
    write_envelopes(&mut tx)?;
    tx.act(act);
    tx.commit()?;
    Ok(vault)
}

/// Puts grant zero's key into envelopes for this device and for recovery.
fn write_envelopes(tx: &mut Transaction<'_>) -> Result<(), VaultError> {
    let device = tx.vault.device.clone();
    let vault = device.vault();
    let mut envelopes = Vec::new();
    for recipient in [&device.identity().recipient(), device.recovery_recipient()] {
        let key = &tx.vault.zero_key;
        envelopes.extend(seal_grant_key(
            &vault,
            &ZERO,
            key,
            recipient,
            device.signing(),
            None,
        )?);
    }
    let (block, len) = seal_object(device.zero_cover(), &zero_cover_context(&vault), &envelopes)?;
    let old = tx.vault.head.body.zero.envelopes;
    tx.drop_blocks([old]);
    tx.vault.head.body.zero.envelopes = block.cid().digest();
    tx.vault.head.body.zero.envelopes_len = len;
    tx.put(block)
}

/// Finds the envelope that opens with `identity` and takes grant zero's key from it.
pub(super) fn find_zero_key(
    envelopes: &[u8],
    identity: &IdentityKey,
    head: &Head,
) -> Result<SecretKey, VaultError> {
    let mut last = GrantKeyError::Envelope(crate::envelope::EnvelopeError::NotForYou);
    for envelope in envelopes.chunks_exact(ENVELOPE_LEN).take(16) {
        match open_grant_key(envelope, identity, &ZERO, head.signers()) {
            Ok(opened) => return Ok(opened.key),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// The newest head of `vault` among the store's blocks whose own blocks are all there; the newest
/// of all when none is whole. A kill can leave a head whose blocks never became durable.
fn newest_head(
    store: &dyn BlockStore,
    vault: &crate::ids::VaultId,
) -> Result<Option<Head>, VaultError> {
    let mut heads = Vec::new();
    for cid in store.list()? {
        if cid.codec() == Codec::DagCbor
            && let Some(block) = store.get(&cid)?
            && let Ok(head) = Head::for_vault(block.data(), vault)
        {
            heads.push(head);
        }
    }
    heads.sort_by_key(|head| {
        let newest_first = (head.signers().serial(), head.seq(), head.checkpoint().size);
        std::cmp::Reverse(newest_first)
    });
    let whole = heads.iter().position(|head| is_whole(store, head));
    Ok(heads.into_iter().nth(whole.unwrap_or(0)))
}

fn is_whole(store: &dyn BlockStore, head: &Head) -> bool {
    let has = |digest: &Digest| store.has(&Cid::raw(*digest)).unwrap_or(false);
    pins::read(store, &head.pins()).is_ok_and(|pins| pins.live.iter().all(has))
}

impl Head {
    /// Every block that belongs to this head: itself, the pin set, and all that the pin set names.
    ///
    /// # Errors
    /// [`VaultError::Pins`] when the pin set cannot be had from `source`, or is none.
    pub fn all_blocks(&self, source: &dyn BlockSource) -> Result<Vec<Cid>, VaultError> {
        let set = pins::read(source, &self.pins())?;
        let mut all = vec![self.block().cid()];
        all.extend(set.nodes);
        all.extend(set.live.into_iter().map(Cid::raw));
        Ok(all)
    }
}

impl RecoveryWords {
    /// The vault of these words.
    pub fn vault(&self) -> crate::ids::VaultId {
        crate::identity::vault_id(&self.owner_secrets().signing.public())
    }
}

impl Vault {
    /// Rebuilds a vault from its recovery words and the blocks in `storage`, on a new device. The
    /// devices that signed before no longer do.
    ///
    /// # Errors
    /// [`VaultError::NothingToRecover`] when no head of the vault is among the blocks;
    /// [`StorageError::Exists`] when `storage` has a head of its own.
    pub fn recover(
        storage: Arc<dyn VaultStorage>,
        words: &RecoveryWords,
        clock: Clock,
    ) -> Result<Self, VaultError> {
        if storage.head()?.is_some() {
            return Err(StorageError::Exists.into());
        }
        let owner = words.owner_secrets();
        let vault_id = crate::identity::vault_id(&owner.signing.public());
        let store = storage.blocks();
        let head = newest_head(&*store, &vault_id)?.ok_or(VaultError::NothingToRecover)?;

        let zero = &head.body.zero;
        let cover = fetch_one(&*store, Cid::raw(zero.envelopes))?;
        let context = zero_cover_context(&vault_id);
        let envelopes = Zeroizing::new(open_object(
            &owner.zero_cover,
            &context,
            &cover,
            zero.envelopes_len,
        )?);
        let recovery = IdentityKey::from_seed(owner.recovery.expose());
        let zero_key = find_zero_key(&envelopes, &recovery, &head)?;
        let state = load_state(&*store, &head, &zero_key)?;

        let serial = clock().max(head.signers().serial() + 1);
        let former = head.signers().all_keys().copied().collect();
        let device = Arc::new(Device::create(&owner, serial, former));
        let from_seq = head.seq();
        let lock_on = storage.clone();
        let _lock = lock_on.lock()?;
        let mut vault = Self {
            storage,
            device,
            clock,
            head,
            zero_key: SecretKey::random(),
            state,
            recent: super::recent::Recent::default(),
            listings: std::collections::HashMap::new(),
            half_changed: false,
        };
        let mut tx = Transaction::begin_keeping(&mut vault)?;
        write_envelopes(&mut tx)?;
        tx.act(Act::VaultRecovered { serial, from_seq });
        tx.renew_grant_keys()?;
        tx.commit()?;
        Ok(vault)
    }
}
