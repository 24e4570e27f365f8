//! What others share: the reader's side.

use std::path::PathBuf;
use std::sync::Arc;

use vault_app::{Error, Exit, Result};
use vault_core::{Following, GrantId, HeldTerms, Inbox, Ticket};

use super::session::Session;
use super::{Vault, online};
use crate::error::MedVaultError;
use crate::platform::ProgressListener;
use crate::types::{
    self, AgreementSummary, RecordFilter, RecordSummary, SenderSummary, SenderSync,
};
use crate::vault::copies::FileWork;

#[uniffi::export]
impl Vault {
    /// Takes a ticket, `medvault-ticket:…`, and remembers who shares under this name, or the one they
    /// go by. Nothing is fetched yet: [`Vault::sync_sender`] does.
    pub async fn accept_ticket(
        &self,
        ticket: String,
        name: Option<String>,
    ) -> Result<SenderSummary, MedVaultError> {
        self.run(move |session| {
            let ticket = Ticket::open(&ticket, &session.device, vault_app::now())?;
            let mut inbox = session.inbox()?;
            let following = inbox.accept(&ticket, name.as_deref(), vault_app::now())?;
            Ok(sender(following))
        })
        .await
    }

    /// Takes a file that holds a whole grant, as [`Vault::grant_to_file`] writes it: everything can be
    /// read then without a network.
    pub async fn accept_grant_file(
        &self,
        path: String,
        name: Option<String>,
    ) -> Result<SenderSummary, MedVaultError> {
        self.run(move |session| {
            let path = PathBuf::from(path);
            let file = std::fs::File::open(&path).map_err(|error| Error::file(&path, &error))?;
            let from = vault_app::Senders::Anyone(name.as_deref());
            let shown = path.display().to_string();
            let taken =
                vault_app::take_grant_file(&session.app, &session.device, file, &shown, from)?;
            Ok(sender(&taken.0))
        })
        .await
    }

    /// Who shares something.
    pub async fn senders(&self) -> Result<Vec<SenderSummary>, MedVaultError> {
        self.run(|session| Ok(session.inbox()?.list().iter().map(sender).collect()))
            .await
    }

    /// Forgets a sender with everything that was remembered about their vault, also what showed that
    /// its history only ever grew.
    pub async fn forget_sender(&self, name: String) -> Result<(), MedVaultError> {
        self.run(move |session| Ok(session.inbox()?.forget(&name)?))
            .await
    }

    /// Fetches the newest of what a sender shares: the list, and with `contents` the contents too, to be
    /// read while the sender is offline. Their node, or another place that has it, must be online. What
    /// was seen before stays when it fails.
    #[uniffi::method(default(contents = false))]
    pub async fn sync_sender(
        &self,
        name: String,
        contents: bool,
    ) -> Result<SenderSync, MedVaultError> {
        self.run(move |session| online::sync_sender(session, &name, contents))
            .await
    }

    /// The records that match among those that a sender shares, as they were fetched last.
    pub async fn shared_records(
        &self,
        sender: String,
        filter: RecordFilter,
    ) -> Result<Vec<RecordSummary>, MedVaultError> {
        self.run(move |session| {
            let chosen = filter.choose(online::shared_records(session, &sender)?)?;
            Ok(chosen.iter().map(RecordSummary::from).collect())
        })
        .await
    }

    /// The content of a shared record, of at most 64 MiB. Where the grant is on request and the key is
    /// not here, it is asked for, which is an open that the patient's log records; `purpose` says why,
    /// and is the one agreed on if it is left away.
    pub async fn shared_content(
        &self,
        sender: String,
        id: String,
        purpose: Option<String>,
    ) -> Result<Vec<u8>, MedVaultError> {
        self.run(move |session| {
            let record = types::id(&id, "record")?;
            let purpose = purpose.as_deref();
            online::open_shared(
                session,
                &sender,
                &record,
                purpose,
                super::records::in_memory,
            )
        })
        .await
    }

    /// Some of the content of a shared record; see [`Vault::content_range`].
    pub async fn shared_content_range(
        &self,
        sender: String,
        id: String,
        purpose: Option<String>,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, MedVaultError> {
        self.run(move |session| {
            let record = types::id(&id, "record")?;
            let purpose = purpose.as_deref();
            online::open_shared(session, &sender, &record, purpose, |opened| {
                super::records::range(opened, offset, length)
            })
        })
        .await
    }

    /// Writes the content of a shared record into a new file, whole or not at all.
    #[uniffi::method(default(listener = None))]
    pub fn shared_content_to_file(
        &self,
        sender: String,
        id: String,
        purpose: Option<String>,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<FileWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let record = types::id(&id, "record")?;
            let (path, purpose) = (PathBuf::from(path), purpose.as_deref());
            online::open_shared(session, &sender, &record, purpose, |opened| {
                crate::files::write_record(opened, &path, control)
            })
        })?;
        Ok(FileWork::of(job))
    }

    /// Agreements on access on request: those that wait for a signature, and those that were signed.
    pub async fn agreements(&self) -> Result<Vec<AgreementSummary>, MedVaultError> {
        self.run(|session| {
            let inbox = session.inbox()?;
            let all = inbox.list().iter().flat_map(|following| {
                let held = following.agreements().into_iter();
                held.map(|held| AgreementSummary::new(following.name(), &held))
            });
            Ok(all.collect())
        })
        .await
    }

    /// Signs exactly the terms that were offered, and tells the patient's node, which must be online.
    /// If it is not, the signature is kept, and the same call tells it later.
    pub async fn accept_agreement(&self, grant: String) -> Result<(), MedVaultError> {
        self.run(move |session| {
            let (following, held) = agreement(session, &grant)?;
            online::accept_agreement(session, following, &held)
        })
        .await
    }

    /// Turns an offer down: it is forgotten here, and the patient is not told.
    pub async fn decline_agreement(&self, grant: String) -> Result<(), MedVaultError> {
        self.run(move |session| {
            let (following, held) = agreement(session, &grant)?;
            Ok(session.inbox()?.decline(&following.vault(), &held.grant)?)
        })
        .await
    }
}

/// How a sender is shown.
fn sender(following: &Following) -> SenderSummary {
    SenderSummary {
        name: following.name().to_owned(),
        vault_id: following.vault().to_string(),
        patient: following.patient().to_owned(),
        head: following.seq(),
        tickets: following.tickets().len() as u32,
        offers: offers(following),
    }
}

/// How many agreements wait for a signature.
pub(super) fn offers(following: &Following) -> u32 {
    let agreements = following.agreements().into_iter();
    agreements.filter(|held| held.accepted.is_none()).count() as u32
}

fn agreement(session: &Session, grant: &str) -> Result<(Following, HeldTerms)> {
    let grant: GrantId = types::id(grant, "agreement")?;
    let inbox: Inbox = session.inbox()?;
    let mut all = inbox.list().iter().flat_map(|following| {
        let held = following.agreements().into_iter();
        held.map(move |held| (following, held))
    });
    let found = all.find(|(_, held)| held.grant == grant);
    let found = found.map(|(following, held)| (following.clone(), held));
    found.ok_or_else(|| Error::new(Exit::NotFound, "no-agreement", "there is no such agreement"))
}
