//! From the accepted head to the entries that this reader may open.

use std::sync::Arc;

use super::following::{FollowError, Following};
use crate::access::{Acceptance, AgentCertificate};
use crate::block::{Block, Cid, Digest};
use crate::codec;
use crate::grant::{Delivery, Directory, GrantRoot, Pointer, Terms, open_grant_key, root_context};
use crate::head::Head;
use crate::identity::Device;
use crate::ids::GrantId;
use crate::index::{IndexEntry, MAX_PAGE_LEN, PageError, PageList, open_object};
use crate::keys::SecretKey;
use crate::store::{BlockSource, SourceError};
use crate::vault::{Charge, OpenRecord, VaultError, grant_list, newest};

/// A grant as its reader sees it.
#[derive(Debug, Clone)]
pub struct GrantView {
    /// The grant.
    pub grant: GrantId,
    /// Its terms, signed by the patient.
    pub terms: Terms,
    /// Every version in it, in the order they joined.
    pub entries: Vec<IndexEntry>,
    /// On request: who agreed, and who answers.
    pub agreement: Option<AgreementView>,
}

/// The agreement of a grant on request, as its newest head has it.
#[derive(Debug, Clone)]
pub struct AgreementView {
    /// SHA-256 of the signed terms.
    pub terms: Digest,
    /// Certificates of those who answer besides the patient's device.
    pub agents: Vec<AgentCertificate>,
    pub(crate) acceptances: Vec<Acceptance>,
    /// Only an agent has it.
    release: Option<SecretKey>,
}

impl Following {
    /// Reads the grants that the head seen last gives this reader: directory, envelopes, roots and
    /// index pages, not the bodies.
    ///
    /// # Errors
    /// [`FollowError::NothingShared`] when there is none; [`FollowError::Expired`] when all have
    /// ended by their terms; [`FollowError`] otherwise.
    pub fn grants(
        &self,
        device: &Device,
        source: &dyn BlockSource,
        now: u64,
    ) -> Result<Vec<GrantView>, FollowError> {
        let head = self.current().ok_or(FollowError::NothingShared)?;
        let cids: Vec<Cid> = head.body.directory.iter().map(|d| Cid::raw(*d)).collect();
        let directory = source.fetch(&cids)?;
        let pointers = Directory::find(&self.vault(), head.seq(), self.relation(), &directory)?;
        let mut views: Vec<GrantView> = Vec::new();
        let mut refused = FollowError::NothingShared;
        for pointer in pointers {
            if views.iter().any(|view| view.grant == pointer.grant) {
                continue;
            }
            match self.view(&head, &pointer, device, source, now) {
                Ok(view) => views.push(view),
                // an envelope for another of this reader's devices, a grant that ended, or one
                // that cannot be had now: the others are still good
                Err(error) => refused = error,
            }
        }
        if views.is_empty() {
            Err(refused)
        } else {
            Ok(views)
        }
    }

    fn view(
        &self,
        head: &Head,
        pointer: &Pointer,
        device: &Device,
        source: &dyn BlockSource,
        now: u64,
    ) -> Result<GrantView, FollowError> {
        let mut blocks = source
            .fetch(&[Cid::raw(pointer.envelope), Cid::raw(pointer.root)])?
            .into_iter();
        let (Some(envelope), Some(root)) = (blocks.next(), blocks.next()) else {
            return Err(SourceError::Missing(Cid::raw(pointer.root)).into());
        };
        let (root, release) = self.open_root(head, pointer, device, &envelope, &root)?;
        let terms = Terms::from_bytes(&root.terms, head.signers())?;
        let agent = release.is_some() && terms.agents.contains(device.signers().owner());
        if terms.grant != pointer.grant || !(agent || terms.names(self.relation())) {
            return Err(FollowError::NotNamed);
        }
        if terms.has_expired(now) {
            return Err(FollowError::Expired);
        }
        let mut pages = PageList::stored(&self.vault(), &grant_list(&pointer.grant), root.pages);
        pages.load(source)?;
        let agreement = match terms.delivery {
            Delivery::Carried => None,
            Delivery::OnRequest => Some(AgreementView {
                terms: Digest::of(&root.terms),
                agents: (root.agents.iter())
                    .map(|bytes| AgentCertificate::from_bytes(bytes, head.signers()))
                    .collect::<Result<_, _>>()?,
                acceptances: (root.acceptances.iter())
                    .filter_map(|bytes| Acceptance::from_bytes(bytes).ok())
                    .collect(),
                release,
            }),
        };
        Ok(GrantView {
            grant: pointer.grant,
            terms,
            entries: pages.items().cloned().collect(),
            agreement,
        })
    }

    /// What this reader answers for on the patient's behalf, as an agent of theirs; `None` when the
    /// view is not an agent's, or its certificate is not there any more.
    pub fn charge(&self, view: &GrantView, device: &Device) -> Option<Charge> {
        let agreement = view.agreement.as_ref()?;
        let owner = device.signers().owner();
        let mut agents = agreement.agents.iter();
        let certificate = agents.find(|agent| agent.agent.owner() == owner)?;
        let entries = view.entries.iter();
        Some(Charge {
            vault: self.vault(),
            serial: self.serial(),
            grant: view.grant,
            terms: view.terms.clone(),
            terms_digest: agreement.terms,
            certificate: certificate.clone(),
            acceptances: agreement.acceptances.clone(),
            valid_until: self.current()?.valid_until(),
            entries: entries
                .map(|e| (e.version, (e.sealed, e.cek.clone())))
                .collect(),
            release: agreement.release.clone()?,
        })
    }

    fn open_root(
        &self,
        head: &Head,
        pointer: &Pointer,
        device: &Device,
        envelope: &Block,
        root: &Block,
    ) -> Result<(GrantRoot, Option<SecretKey>), FollowError> {
        let envelope = self.relation().uncover(&self.vault(), envelope.data())?;
        let key = open_grant_key(&envelope, device.identity(), &pointer.grant, head.signers())?;
        let context = root_context(&self.vault(), &pointer.grant);
        let plain = open_object(&key.key, &context, root.data(), pointer.root_len)?;
        let root: GrantRoot = codec::decode(&plain, MAX_PAGE_LEN).map_err(PageError::from)?;
        if root.v != 1 {
            return Err(PageError::from(codec::DecodeError::Malformed).into());
        }
        Ok((root, key.release))
    }

    /// The newest version of every record in any of the grants.
    pub fn records(views: &[GrantView]) -> Vec<IndexEntry> {
        newest(views.iter().flat_map(|view| &view.entries))
    }

    /// Opens a version's content; its blocks come from `source`.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_record(
        &self,
        entry: &IndexEntry,
        source: Arc<dyn BlockSource>,
    ) -> Result<OpenRecord, VaultError> {
        let head = self.current().ok_or(VaultError::NothingToRecover)?;
        OpenRecord::open(head.signers(), entry, source)
    }
}
