//! Sharing: from a scope to a grant, an envelope per reader, and tickets.

use super::agreements::AgreementInfo;
use super::state::{GrantRecord, GrantStatus, Member, OnRequest, grant_list};
use super::transaction::Transaction;
use super::{Vault, VaultError, newest};
use crate::address::NodeAddress;
use crate::audit::Act;
use crate::block::Digest;
use crate::grant::{
    Conditions, Decision, Delivery, Extent, Purpose, Reason, Scope, Terms, TermsDraft, Ticket,
    seal_grant_key,
};
use crate::ids::GrantId;
use crate::index::{IndexEntry, PageList};
use crate::keys::{PublicKey, SecretKey};

use super::receipt::Receipt;

/// What is to be shared, with whom, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRequest {
    /// Names or ids of the contacts that may read.
    pub readers: Vec<String>,
    /// Which records.
    pub scope: Scope,
    /// Whether later records join.
    pub extent: Extent,
    /// Why.
    pub purpose: Option<Purpose>,
    /// When the grant ends by itself, in seconds since 1970-01-01 UTC.
    pub expires: Option<u64>,
}

/// What a scope opens and what it leaves out.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// Records that become readable.
    pub included: Vec<IndexEntry>,
    /// Records that were asked for but stay closed, and why. Records that were not asked for at
    /// all are not listed.
    pub left_out: Vec<(IndexEntry, Reason)>,
    /// How many records were not asked for.
    pub not_selected: usize,
}

/// A grant on request: what is offered besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnRequestTerms {
    /// What else must hold for a key to be given out.
    pub conditions: Conditions,
    /// Whether the readers may deposit results.
    pub may_deposit: bool,
    /// Names or ids of contacts that may answer requests besides this device, once
    /// [`Vault::add_agent`] has given them a certificate.
    pub agents: Vec<String>,
}

/// A grant that was made.
#[derive(Debug)]
pub struct Shared {
    /// The grant.
    pub grant: GrantInfo,
    /// For each reader the ticket to hand over: contact name and text.
    pub tickets: Vec<(String, String)>,
}

/// A grant, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantInfo {
    /// The grant.
    pub id: GrantId,
    /// Its signed terms.
    pub terms: Terms,
    /// How it stands.
    pub status: GrantStatus,
    /// When it ended, in seconds since 1970-01-01 UTC.
    pub ended: Option<u64>,
    /// Names of the readers.
    pub readers: Vec<String>,
    /// Owner keys of readers that were shut out.
    pub former: Vec<PublicKey>,
    /// Versions in the grant.
    pub versions: u64,
    /// Whether a re-key has been started and not finished.
    pub rekey_pending: bool,
    /// Receipts of revocations.
    pub receipts: Vec<Receipt>,
    /// On request: how the agreement stands.
    pub agreement: Option<AgreementInfo>,
}

impl Transaction<'_> {
    fn info(&mut self, grant: &GrantRecord) -> Result<GrantInfo, VaultError> {
        let store = self.store.clone();
        self.vault.state.contacts.load(&*store)?;
        self.vault.grant_info(grant)
    }
}

impl Vault {
    /// Shows what a scope would open, changing nothing.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn preview(&mut self, scope: &Scope) -> Result<Preview, VaultError> {
        let mut preview = Preview::default();
        for entry in self.records()? {
            match scope.decide(&entry.record, &entry.meta) {
                Decision::Included => preview.included.push(entry),
                Decision::Left(Reason::NotSelected) => preview.not_selected += 1,
                Decision::Left(reason) => preview.left_out.push((entry, reason)),
            }
        }
        Ok(preview)
    }

    /// Makes a grant. `node` is where readers find this vault's node.
    ///
    /// # Errors
    /// [`VaultError::NoContact`], [`VaultError::NoReader`], [`VaultError::AlreadyExpired`];
    /// [`VaultError::EmptyScope`] when a snapshot would hold nothing, or nothing is named.
    pub fn share(
        &mut self,
        request: ShareRequest,
        node: &NodeAddress,
    ) -> Result<Shared, VaultError> {
        let grant = self.transact(|tx| tx.grant(request, None))?;
        let tickets = self.tickets(&grant.id, node)?;
        Ok(Shared { grant, tickets })
    }

    /// Offers a grant on request: nothing can be read until a reader has countersigned, and then
    /// every key is asked for, decided on and logged before it leaves.
    ///
    /// # Errors
    /// As [`Vault::share`].
    pub fn offer(
        &mut self,
        request: ShareRequest,
        terms: OnRequestTerms,
        node: &NodeAddress,
    ) -> Result<Shared, VaultError> {
        let grant = self.transact(|tx| tx.grant(request, Some(terms)))?;
        let tickets = self.tickets(&grant.id, node)?;
        Ok(Shared { grant, tickets })
    }

    /// Seals fresh tickets for the readers of a grant.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::GrantEnded`].
    pub fn tickets(
        &mut self,
        grant: &GrantId,
        node: &NodeAddress,
    ) -> Result<Vec<(String, String)>, VaultError> {
        let record = self.grant_record(grant)?;
        if record.status != GrantStatus::Active {
            return Err(VaultError::GrantEnded(*grant));
        }
        let terms = Terms::from_bytes(&record.terms, self.head.signers())?;
        let inbox = self.inbox_key()?;
        self.contacts()?;
        let contacts: Vec<_> = self.state.contacts.items().cloned().collect();
        let mut tickets = Vec::new();
        for contact in contacts {
            let member = record.members.iter().any(|m| m.contact == contact.id);
            let on_request = record.on_request.as_ref();
            let offered = on_request.is_some_and(|o| o.offered.contains(&contact.id));
            let agent = on_request.is_some_and(|o| o.answers(&contact.id));
            if member || offered || agent {
                let ticket = Ticket {
                    signers: self.head.signers().clone(),
                    name: self.state.name.clone(),
                    grant: *grant,
                    relation: contact.relation.clone(),
                    node: node.clone(),
                    reader: *contact.card()?.owner(),
                    seq: self.head.seq(),
                    log: (self.head.checkpoint().size, self.head.checkpoint().root),
                    expires: terms.expires,
                    ipns: Some(self.device.ipns_key().public()),
                    offer: (on_request.is_some() && !agent).then(|| record.terms.clone()),
                    inbox: Some(inbox.clone()),
                };
                let text = ticket.seal(self.device.signing(), contact.card()?.recipients())?;
                tickets.push((contact.name.clone(), text));
            }
        }
        Ok(tickets)
    }

    /// All grants, oldest first.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn grants(&mut self) -> Result<Vec<GrantInfo>, VaultError> {
        self.reading(|vault| {
            let blocks = vault.storage.blocks();
            vault.state.contacts.load(&*blocks)?;
            Ok(vault.state.grants.load(&*blocks)?)
        })?;
        self.state
            .grants
            .items()
            .map(|grant| self.grant_info(grant))
            .collect()
    }

    /// What a grant opens now: every version in it, in the order they joined.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`].
    pub fn grant_entries(&mut self, grant: &GrantId) -> Result<Vec<IndexEntry>, VaultError> {
        self.reading(|vault| {
            let record = vault.grant_record(grant)?;
            let mut pages: PageList<IndexEntry> =
                PageList::stored(&vault.id(), &grant_list(grant), record.pages);
            pages.load(&*vault.storage.blocks())?;
            Ok(pages.items().cloned().collect())
        })
    }

    pub(crate) fn grant_record(&mut self, grant: &GrantId) -> Result<GrantRecord, VaultError> {
        self.reading(|vault| Ok(vault.state.grants.load(&*vault.storage.blocks())?))?;
        let found = self.state.grants.items().find(|g| g.id == *grant).cloned();
        found.ok_or(VaultError::NoGrant(*grant))
    }

    fn grant_info(&self, grant: &GrantRecord) -> Result<GrantInfo, VaultError> {
        let signers = self.head.signers();
        let receipts = grant
            .receipts
            .iter()
            .filter_map(|r| Receipt::from_bytes(r, signers).ok())
            .collect();
        let name = |owner: &PublicKey| {
            let name = self.contact_name(owner).map(str::to_owned);
            name.unwrap_or_else(|| owner.to_string())
        };
        let agreement = (grant.on_request.as_ref())
            .map(|on_request| self.agreement_info(&grant.terms, on_request));
        Ok(GrantInfo {
            id: grant.id,
            terms: Terms::from_bytes(&grant.terms, signers)?,
            status: grant.status,
            ended: grant.ended,
            readers: grant.members.iter().map(|m| name(&m.owner)).collect(),
            former: grant.former.iter().map(|(owner, _)| *owner).collect(),
            versions: grant.count,
            rekey_pending: grant.pending.is_some(),
            receipts,
            agreement,
        })
    }
}

impl Transaction<'_> {
    fn grant(
        &mut self,
        request: ShareRequest,
        offer: Option<OnRequestTerms>,
    ) -> Result<GrantInfo, VaultError> {
        if request.readers.is_empty() {
            return Err(VaultError::NoReader);
        }
        if request.scope.is_empty() {
            return Err(VaultError::EmptyScope);
        }
        if request.expires.is_some_and(|expires| expires <= self.now) {
            return Err(VaultError::AlreadyExpired);
        }
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let entries: Vec<IndexEntry> = newest(self.vault.state.records.items())
            .into_iter()
            .filter(|entry| request.scope.includes(&entry.record, &entry.meta))
            .collect();
        if entries.is_empty() && request.extent == Extent::Snapshot {
            return Err(VaultError::EmptyScope);
        }
        self.draw_inbox_key();
        let id = GrantId::random();
        let key = SecretKey::random();
        let (mut members, mut tags) = (Vec::<Member>::new(), Vec::new());
        let (mut offered, mut readers) = (Vec::new(), Vec::<PublicKey>::new());
        for name in &request.readers {
            let contact = self.contact(name)?;
            let owner = *contact.card()?.owner();
            if readers.contains(&owner) {
                continue;
            }
            readers.push(owner);
            if offer.is_some() {
                offered.push(contact.id);
                tags.push(contact.relation.reader_tag(&id));
                continue;
            }
            let (member, tag) = self.admit(name, &id, &key)?;
            members.push(member);
            tags.push(tag);
        }
        let mut agents = Vec::new();
        for name in offer.iter().flat_map(|offer| &offer.agents) {
            agents.push(*self.contact(name)?.card()?.owner());
        }
        let delivery = match &offer {
            Some(_) => Delivery::OnRequest,
            None => Delivery::Carried,
        };
        let on_request = offer.is_some().then(|| OnRequest::new(offered));
        let offer = offer.unwrap_or_default();
        let draft = TermsDraft {
            vault: self.vault.id(),
            grant: id,
            extent: request.extent,
            scope: request.scope,
            purpose: request.purpose,
            created: self.now,
            expires: request.expires,
            delivery,
            conditions: offer.conditions,
            may_deposit: offer.may_deposit,
            agents,
        };
        let (_, terms) = Terms::sign(draft, tags, self.vault.device.signing());
        let count = entries.len() as u64;
        self.act(Act::Granted {
            grant: id,
            readers,
            terms: Digest::of(&terms),
            count,
        });
        let record = GrantRecord {
            id,
            key,
            terms,
            members,
            former: Vec::new(),
            root: None,
            pages: Vec::new(),
            count,
            status: GrantStatus::Active,
            ended: None,
            pending: None,
            receipts: Vec::new(),
            on_request,
        };
        self.grants()?;
        self.vault.state.grants.push(&*store, record.clone())?;
        let pages = self.grant_pages(&record)?;
        for entry in &entries {
            pages.push(&*store, entry.for_grant(&record.keys())?)?;
        }
        self.info(&record)
    }

    /// Makes the covered envelopes for one reader, one per device on the reader's card, and the tag
    /// by which the terms name the reader.
    pub(super) fn admit(
        &mut self,
        contact: &str,
        grant: &GrantId,
        key: &SecretKey,
    ) -> Result<(Member, Digest), VaultError> {
        let contact = self.contact(contact)?;
        let card = contact.card()?;
        let vault = self.vault.id();
        let device = self.vault.device.clone();
        let mut envelopes = Vec::new();
        for recipient in card.recipients() {
            let signer = device.signing();
            let envelope = seal_grant_key(&vault, grant, key, recipient, signer, None)?;
            let block = contact.relation.cover(&vault, &envelope)?;
            envelopes.push(block.cid().digest());
            self.put(block)?;
        }
        Ok((
            Member {
                contact: contact.id,
                owner: *card.owner(),
                envelopes,
            },
            contact.relation.reader_tag(grant),
        ))
    }
}
