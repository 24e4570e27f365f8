//! Giving access and taking it back.

use std::path::PathBuf;
use std::sync::Arc;

use vault_app::{Error, Exit, Next, Result};
use vault_core::{
    Condition, Conditions, Extent, GrantId, OnRequestTerms, Purpose, RevokeTarget,
    ShareRequest as Request,
};

use super::Vault;
use super::session::Session;
use crate::error::{MedVaultError, cancelled};
use crate::files;
use crate::platform::ProgressListener;
use crate::types::{
    self, GrantSummary, OnRequest, ReaderTicket, Receipt, RevokeLevel, SharePreview, ShareRequest,
    ShareResult, ShareScope, Withheld,
};
use crate::vault::copies::FileWork;
use crate::work::{Control, handle};

handle! {
    /// A revocation on its way: who is shut out is so at once, and then the records are sealed again.
    RevokeWork: [Vec<Receipt>]
}

/// Splits a ticket, which is longer than a QR code holds, into parts of at most `longest` characters
/// (40 to 2,900; 1,000 make codes that every camera reads), to be shown one after the other.
#[uniffi::export]
pub fn qr_parts(text: String, longest: u32) -> Result<Vec<String>, MedVaultError> {
    Ok(vault_core::qr_parts(&text, longest as usize).map_err(Error::from)?)
}

/// The text, once every part of it was scanned, in any order and any number of times; nothing before.
/// Codes that are no parts are passed over; parts of two texts are `InvalidInput` with the code
/// `other-parts`: begin anew then.
#[uniffi::export]
pub fn join_qr_parts(scanned: Vec<String>) -> Result<Option<String>, MedVaultError> {
    let joined = vault_core::join_qr_parts(scanned.iter().map(String::as_str));
    Ok(joined.map_err(Error::from)?)
}

#[uniffi::export]
impl Vault {
    /// Shows what a scope would open, changing nothing.
    pub async fn preview_share(&self, scope: ShareScope) -> Result<SharePreview, MedVaultError> {
        self.read(move |_, vault| {
            let preview = vault.preview(&scope.parse(&vault_app::today()?)?)?;
            let withheld = preview.left_out.iter().map(|(entry, reason)| Withheld {
                record: entry.record.to_string(),
                title: entry.meta.title.clone(),
                reason: reason.to_string(),
            });
            Ok(SharePreview {
                included: preview.included.iter().map(Into::into).collect(),
                withheld: withheld.collect(),
                not_selected: preview.not_selected as u64,
            })
        })
        .await
    }

    /// Gives access, and returns a ticket for each reader. A reader whose fingerprint nobody has
    /// compared is `Refused` with the code `unverified` unless the request says otherwise.
    pub async fn share(&self, request: ShareRequest) -> Result<ShareResult, MedVaultError> {
        self.write(move |session, vault| share(session, vault, &request))
            .await
    }

    /// All grants, also those that have ended.
    pub async fn grants(&self) -> Result<Vec<GrantSummary>, MedVaultError> {
        self.read(|_, vault| Ok(vault.grants()?.iter().map(Into::into).collect()))
            .await
    }

    /// The receipts of a grant's revocations.
    pub async fn receipts(&self, grant: String) -> Result<Vec<Receipt>, MedVaultError> {
        self.read(move |_, vault| {
            let id: GrantId = types::id(&grant, "grant")?;
            let grant = vault.grants()?.into_iter().find(|grant| grant.id == id);
            let grant = grant.ok_or(vault_core::VaultError::NoGrant(id))?;
            let receipts = grant.receipts.iter();
            Ok(receipts.map(|receipt| shown(vault, receipt)).collect())
        })
        .await
    }

    /// The ticket of a reader once more, with the addresses of now.
    pub async fn ticket(&self, grant: String, reader: String) -> Result<String, MedVaultError> {
        self.read(move |session, vault| {
            let grant = types::id(&grant, "grant")?;
            let reader = vault.contact(&reader)?.name;
            let address = vault_app::node_address(session.app.home(), vault)?;
            let tickets = vault.tickets(&grant, &address)?.into_iter();
            let ticket = tickets.into_iter().find(|(name, _)| *name == reader);
            ticket.map(|(_, ticket)| ticket).ok_or_else(|| {
                Error::new(
                    Exit::NotFound,
                    "no-reader",
                    "this contact does not read this grant",
                )
            })
        })
        .await
    }

    /// Writes everything that a reader gets under a grant into one new file, for a reader without a
    /// network. Only they can open it. Not for grants on request.
    #[uniffi::method(default(listener = None))]
    pub fn grant_to_file(
        &self,
        grant: String,
        reader: String,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<FileWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let grant: GrantId = types::id(&grant, "grant")?;
            let mut vault = session.own_vault()?;
            let address = vault_app::node_address(session.app.home(), &vault)?;
            files::write_archive(&PathBuf::from(path), control, || {
                Ok(vault.grant_archive(&grant, &reader, &address)?)
            })
        })?;
        Ok(FileWork::of(job))
    }

    /// Takes a grant back from all its readers. With [`RevokeLevel::Rekey`] the progress counts record
    /// versions; cancelled meanwhile, the readers are shut out all the same, and
    /// [`Vault::finish_revocations`] does the rest.
    #[uniffi::method(default(listener = None))]
    pub fn revoke(
        &self,
        grant: String,
        level: RevokeLevel,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<RevokeWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let target = RevokeTarget::Grant(types::id(&grant, "grant")?);
            revoke(session, control, &target, level)
        })?;
        Ok(RevokeWork::of(job))
    }

    /// Takes everything back from one contact; other readers of the same grants keep theirs.
    #[uniffi::method(default(listener = None))]
    pub fn revoke_contact(
        &self,
        name: String,
        level: RevokeLevel,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<RevokeWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            revoke(session, control, &RevokeTarget::Contact(name), level)
        })?;
        Ok(RevokeWork::of(job))
    }

    /// Finishes revocations that were interrupted while records were sealed again.
    #[uniffi::method(default(listener = None))]
    pub fn finish_revocations(
        &self,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<RevokeWork>, MedVaultError> {
        let job = self.begin(listener, |session, control| {
            let _turn = session.turn_of(control)?;
            let mut vault = session.own_vault()?;
            let pending = vault.pending_rekeys()?;
            let receipts = rekey(session, control, &mut vault, &pending)?;
            Ok(receipts
                .iter()
                .map(|receipt| shown(&mut vault, receipt))
                .collect())
        })?;
        Ok(RevokeWork::of(job))
    }
}

fn share(
    session: &Session,
    vault: &mut vault_core::Vault,
    request: &ShareRequest,
) -> Result<ShareResult> {
    let purpose: Option<Purpose> = types::optional(request.purpose.as_deref(), "purpose")?;
    let offer = request.on_request.as_ref().map(terms);
    if !request.even_unverified {
        let agents = offer.iter().flat_map(|offer| &offer.agents);
        let everyone = request.readers.iter().chain(agents);
        vault_app::refuse_unverified(&vault_app::unverified(vault, everyone)?)?;
    }
    let wanted = Request {
        readers: request.readers.clone(),
        scope: request.scope.parse(&vault_app::today()?)?,
        extent: match request.standing {
            true => Extent::Standing,
            false => Extent::Snapshot,
        },
        purpose,
        expires: request.expires,
    };
    let address = vault_app::node_address(session.app.home(), vault)?;
    let shared = match offer {
        Some(offer) => vault.offer(wanted, offer, &address)?,
        None => vault.share(wanted, &address)?,
    };
    let tickets = shared.tickets.into_iter();
    Ok(ShareResult {
        grant: shared.grant.id.to_string(),
        tickets: tickets
            .map(|(reader, ticket)| ReaderTicket { reader, ticket })
            .collect(),
    })
}

fn terms(offer: &OnRequest) -> OnRequestTerms {
    let conditions = [
        offer.not_before.map(Condition::From),
        offer.opens.map(Condition::Opens),
        offer.opens_per_day.map(Condition::OpensPerDay),
    ];
    let conditions = conditions.into_iter().flatten();
    OnRequestTerms {
        conditions: conditions.fold(Conditions::default(), Conditions::with),
        may_deposit: offer.may_deposit,
        agents: offer.agents.clone(),
    }
}

fn revoke(
    session: &Session,
    control: &Arc<Control>,
    target: &RevokeTarget,
    level: RevokeLevel,
) -> Result<Vec<Receipt>> {
    let _turn = session.turn_of(control)?;
    let mut vault = session.own_vault()?;
    session.close_agents(&mut vault, target);
    let revocations = vault.revoke(target, level.into())?;
    if revocations.is_empty() {
        let what = "this contact has no grant in force";
        return Err(Error::new(Exit::NotFound, "no-grant", what));
    }
    let done = revocations.iter().filter_map(|one| one.receipt.clone());
    let mut receipts: Vec<_> = done.collect();
    let open = revocations.iter().filter(|one| one.receipt.is_none());
    let pending: Vec<GrantId> = open.map(|one| one.grant).collect();
    receipts.extend(rekey(session, control, &mut vault, &pending)?);
    Ok(receipts
        .iter()
        .map(|receipt| shown(&mut vault, receipt))
        .collect())
}

/// Seals again what revoked readers could read, batch by batch.
fn rekey(
    session: &Session,
    control: &Arc<Control>,
    vault: &mut vault_core::Vault,
    grants: &[GrantId],
) -> Result<Vec<vault_core::Receipt>> {
    let done = session.rekey(vault, grants, &mut |_, step| {
        control.report(step.count, step.count + step.left);
        match control.is_cancelled() {
            true => Next::Stop,
            false => Next::Go,
        }
    });
    // a word to stop that comes after the last batch stops nothing, and the receipt is there
    done.map_err(|error| match error.code {
        "stopped" => cancelled(),
        _ => error,
    })
}

fn shown(vault: &mut vault_core::Vault, receipt: &vault_core::Receipt) -> Receipt {
    let readers = receipt.readers.iter();
    let readers = readers.map(|owner| vault_app::person(vault, owner));
    Receipt {
        grant: receipt.grant.to_string(),
        level: match receipt.level {
            vault_core::RevokeLevel::Stop => "R1".to_owned(),
            vault_core::RevokeLevel::Rekey => "R2".to_owned(),
        },
        readers: readers.collect(),
        time: receipt.time,
        opened: receipt.opened,
        could_have_opened: receipt.could_have_opened,
        never_delivered: receipt.never_delivered,
        rekeyed: receipt.rekeyed,
        agents_open: receipt.agents.iter().filter(|agent| !agent.closed).count() as u32,
        pinners: receipt
            .pinners
            .iter()
            .map(|pinner| types::PinnerState {
                name: pinner.name.clone(),
                acknowledged: pinner.acknowledged,
                deleted: pinner.deleted,
            })
            .collect(),
        text: vault_app::receipt_words(vault, receipt),
    }
}
