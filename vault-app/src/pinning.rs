//! Pinning services: the token, the account, and bringing all of them to the newest head.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vault_core::pinning::{
    PinService, PinStatus, Services, SyncOutcome, TokenSource, Wanted, sync,
};
use vault_core::{
    BlockStore, ChainedStore, Cid, Head, Home, PinnerAck, Receipt, StorageError, Vault, VaultError,
    VaultStorage,
};
use vault_http::client::{BaseUrl, MAX_TOKEN, Token};
use vault_http::pinning::{Account, PinningService};
use zeroize::Zeroizing;

use crate::app::{App, Warn};
use crate::error::{Error, Exit, Result};
use crate::node_address::node_address;
use crate::place::Place;
use crate::running_node::ask_running_node;

mod errors;

use errors::failed;
pub use errors::refused;

/// How long to wait before a service is asked again how far it is, at first and at most.
const POLL: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// How long pinning services may take to move off the old blocks before a receipt says that they
/// have not confirmed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The services of a home, with what is needed to speak to them.
pub struct Pinning {
    /// What is remembered of them.
    pub services: Services,
    canaries: Arc<dyn BlockStore>,
    origins: Vec<String>,
    storage: Arc<dyn VaultStorage>,
}

/// How one service came out.
pub type Brought = (String, Result<SyncOutcome>);

impl Pinning {
    /// Opens the services of a home.
    ///
    /// # Errors
    /// What is damaged, or what the system refuses.
    pub fn open(home: &Arc<Home>, vault: &Vault) -> Result<Self> {
        let home = home.clone();
        Ok(Self {
            canaries: home.canaries()?,
            origins: origins(&home, vault)?,
            services: Services::open(home, vault.device())?,
            storage: vault.storage().clone(),
        })
    }

    /// Fails when the blocks are in a Kubo: what only one service is to have could not be fetched
    /// from there.
    ///
    /// # Errors
    /// `blocks-elsewhere`.
    pub fn need_home(app: &App) -> Result<()> {
        if app.place()? != Place::Home {
            let what = "the blocks of this vault are in a Kubo";
            return Err(Error::new(Exit::Home, "blocks-elsewhere", what).hint(
                "let Kubo or IPFS Cluster copy them (`ipfs pin remote`), or `medvault move home`",
            ));
        }
        Ok(())
    }

    /// Where the services can fetch the blocks; empty when nothing is served.
    pub fn is_served(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Says so when no service can fetch anything.
    pub fn warn_unless_served(&self, warn: &Warn) {
        if !self.is_served() {
            warn(
                "nothing serves this vault now, so a service cannot fetch what is new. \
                 run `medvault serve` meanwhile",
            );
        }
    }

    /// The named services, or all.
    ///
    /// # Errors
    /// `no-service`.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<PinService>> {
        if names.is_empty() {
            return Ok(self.services.list().to_vec());
        }
        let found = names.iter().map(|name| self.services.find(name).cloned());
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// A service's account, its token read anew.
    ///
    /// # Errors
    /// When there is no token where it should be, or the address is none.
    pub fn account(&self, service: &PinService) -> Result<Account> {
        let endpoint = BaseUrl::parse(&service.endpoint)?;
        let client = PinningService::new(endpoint, token(&service.token)?).map_err(refused)?;
        Ok(Account::new(client, self.origins.clone()))
    }

    /// Brings one service to the vault's newest head and waits for it up to `patience`. `fresh`: gives
    /// it a new root even when it has one over this head.
    ///
    /// Other commands may change the vault, or talk to the same service, while this waits: so every
    /// turn begins with what is remembered and what is newest then.
    ///
    /// # Errors
    /// When the service refuses or cannot be reached; what was begun goes on from there.
    pub fn bring(
        &mut self,
        service: &mut PinService,
        mut fresh: bool,
        patience: Duration,
    ) -> Result<SyncOutcome> {
        let mut account = self.account(service)?;
        let (begun, mut pause) = (Instant::now(), POLL.0);
        let (mut dropped, mut steps) = (0, 0);
        loop {
            let turn = self.services.turn()?;
            *service = self.services.reread(service.name.as_str())?;
            let head = newest(&*self.storage)?;
            let services = &mut self.services;
            let mut save = |changed: &PinService| services.remember(changed);
            let now = Wanted { head, fresh };
            let canaries = &*self.canaries;
            let mut outcome = sync(service, &mut save, canaries, &mut account, now)
                .map_err(|error| failed(error, account.details()))?;
            drop(turn);
            fresh = false;
            dropped += outcome.dropped;
            steps += outcome.steps;
            if outcome.settled || begun.elapsed() + pause > patience {
                (outcome.dropped, outcome.steps) = (dropped, steps);
                return Ok(outcome);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(POLL.1);
        }
    }

    /// Withdraws everything from one service.
    ///
    /// # Errors
    /// When the service refuses or cannot be reached.
    pub fn withdraw(&mut self, service: &mut PinService) -> Result<SyncOutcome> {
        let mut account = self.account(service)?;
        let _turn = self.services.turn()?;
        *service = self.services.reread(service.name.as_str())?;
        let services = &mut self.services;
        let mut save = |changed: &PinService| services.remember(changed);
        vault_core::pinning::withdraw(service, &mut save, &*self.canaries, &mut account)
            .map_err(|error| failed(error, account.details()))
    }

    /// Brings all of `chosen` to the vault's newest head. Receipts that were waiting for one of
    /// them are issued anew, and the services then moved to the head with those.
    ///
    /// # Errors
    /// When the vault cannot be read or changed. How each service came out is said beside.
    pub fn bring_all(
        &mut self,
        vault: &mut Vault,
        chosen: Vec<PinService>,
        patience: Duration,
    ) -> Result<(Vec<Brought>, Vec<Receipt>)> {
        // those that come while the services are brought may be about blocks still held there
        let waiting = vault.unconfirmed_receipts()?;
        let mut brought = self.bring_each(chosen, patience);
        let receipts = confirm(vault, waiting, &brought)?;
        if !receipts.is_empty() {
            let names: Vec<String> = brought.iter().map(|(name, _)| name.clone()).collect();
            let again = self.bring_each(self.chosen(&names)?, patience);
            for (first, (_, second)) in brought.iter_mut().zip(again) {
                first.1 = match (&first.1, second) {
                    (Ok(first), Ok(mut second)) => {
                        second.dropped += first.dropped;
                        second.steps += first.steps;
                        Ok(second)
                    }
                    (_, second) => second,
                };
            }
        }
        Ok((brought, receipts))
    }

    fn bring_each(&mut self, chosen: Vec<PinService>, patience: Duration) -> Vec<Brought> {
        let mut brought = Vec::new();
        for mut service in chosen {
            let name = service.name.to_string();
            brought.push((name, self.bring(&mut service, false, patience)));
        }
        brought
    }

    /// After a re-key: moves every service off the old blocks, and says which confirmed; who did not
    /// is warned about. How many blocks that were, the caller knows.
    pub fn acknowledge(&mut self, warn: &Warn) -> Vec<PinnerAck> {
        if self.services.list().is_empty() {
            return Vec::new();
        }
        self.warn_unless_served(warn);
        // without a node to fetch from, waiting for a service is in vain
        let patience = if self.is_served() {
            PATIENCE
        } else {
            Duration::ZERO
        };
        let acks = self.acknowledgements(patience);
        let mut pinners = Vec::with_capacity(acks.len());
        for (pinner, error) in acks {
            if let Some(error) = error {
                warn(&format!("{}: {}", pinner.name, error.message));
            }
            pinners.push(pinner);
        }
        pinners
    }

    fn acknowledgements(&mut self, patience: Duration) -> Vec<(PinnerAck, Option<Error>)> {
        let brought = self.bring_each(self.services.list().to_vec(), patience);
        let ack = |(name, outcome): Brought| {
            let settled = outcome.as_ref().is_ok_and(|outcome| outcome.settled);
            let pinner = PinnerAck {
                name,
                deleted: 0,
                acknowledged: settled,
            };
            (pinner, outcome.err())
        };
        brought.into_iter().map(ack).collect()
    }
}

/// The head that the home has now.
fn newest(storage: &dyn VaultStorage) -> Result<Cid> {
    let bytes = storage.head()?.ok_or(StorageError::NoVault)?;
    let head = Head::from_bytes(&bytes).map_err(VaultError::from)?;
    Ok(head.block().cid())
}

/// Issues anew the receipts that were waiting for services which are now up to date.
fn confirm(vault: &mut Vault, waiting: Vec<Receipt>, brought: &[Brought]) -> Result<Vec<Receipt>> {
    let is_settled = |name: &str| {
        let found = brought.iter().find(|(known, _)| known == name);
        found.is_some_and(|(_, outcome)| outcome.as_ref().is_ok_and(|o| o.settled))
    };
    let mut receipts = Vec::new();
    for receipt in waiting {
        let deleted = receipt.pinners.first().map_or(0, |here| here.deleted);
        let waiting = receipt.pinners.iter().filter(|p| !p.acknowledged);
        let acks: Vec<PinnerAck> = waiting
            .filter(|pinner| is_settled(&pinner.name))
            .map(|pinner| PinnerAck {
                name: pinner.name.clone(),
                deleted,
                acknowledged: true,
            })
            .collect();
        if !acks.is_empty() {
            receipts.extend(vault.confirm_pinners(&receipt, &acks)?);
        }
    }
    Ok(receipts)
}

/// What a node serves: the vault's blocks, those on their way to a pinning service, and deposits
/// that others fetch from here.
pub(crate) fn served(home: &Home, storage: &dyn VaultStorage) -> Result<Arc<dyn BlockStore>> {
    let beside = ChainedStore::new(home.canaries()?, home.outgoing()?);
    Ok(Arc::new(ChainedStore::new(
        storage.blocks(),
        Arc::new(beside),
    )))
}

/// Multiaddrs, with peer id, of the node that is running now.
fn origins(home: &Home, vault: &Vault) -> Result<Vec<String>> {
    if ask_running_node(home.root()).is_none() {
        return Ok(Vec::new());
    }
    let address = node_address(home, vault)?;
    let peer = vault_node::peer_id(&address)?;
    let with_peer = |addr: &String| format!("{addr}/p2p/{peer}");
    Ok(address.addrs.iter().map(with_peer).collect())
}

/// Reads a service's token.
///
/// # Errors
/// When the file or the command gives none.
pub fn token(source: &TokenSource) -> Result<Token> {
    let text = match source {
        TokenSource::File(path) => {
            let file = std::fs::File::open(path).map_err(|e| Error::file(path, &e))?;
            read(file).map_err(|e| Error::file(path, &e))?
        }
        TokenSource::Command(command) => {
            let failed = || {
                Error::new(Exit::Identity, "token-command", "the token command failed")
                    .hint("run it by hand: it must print the token and nothing else")
            };
            let mut child = Command::new("sh")
                .args(["-c", command])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|_| failed())?;
            let text = child.stdout.take().map(read).transpose();
            if !child.wait().is_ok_and(|status| status.success()) {
                return Err(failed());
            }
            text.map_err(|_| failed())?.ok_or_else(failed)?
        }
    };
    let line = text.lines().next().unwrap_or_default();
    Ok(Token::parse(line)?)
}

fn read(source: impl Read) -> std::io::Result<Zeroizing<String>> {
    // room for all of it at once: growing would leave copies behind
    let most = MAX_TOKEN + 1024;
    let mut text = Zeroizing::new(String::with_capacity(most));
    source.take(most as u64).read_to_string(&mut text)?;
    Ok(text)
}

/// What a service says of the vault, in a word.
pub fn state(outcome: &SyncOutcome) -> &'static str {
    match (outcome.settled, outcome.status) {
        (true, _) => "up to date",
        (false, Some(status)) => match status {
            PinStatus::Queued => "queued",
            PinStatus::Pinning => "fetching",
            PinStatus::Pinned => "tidying up",
            PinStatus::Failed => "failed",
        },
        (false, None) => "asked",
    }
}
