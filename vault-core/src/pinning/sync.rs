//! Carrying out the plan: one service, from wherever it was left.

use super::plan::{ListedPin, PinStatus, RequestId, Step, plan, plan_removal};
use super::root::GivenRoot;
use super::service::PinService;
use super::services::ServicesError;
use crate::block::{BlockError, Cid};
use crate::store::{BlockStore, StoreError};

/// Most rounds of asking, planning and doing in one call; a service that keeps changing its mind
/// is left for later.
const MAX_ROUNDS: usize = 16;

/// A pinning service as it is spoken to.
pub trait PinApi {
    /// What can go wrong.
    type Error: std::error::Error;

    /// Every request for one of these roots, whatever its status.
    ///
    /// # Errors
    /// When the service cannot be asked, or its answer not used.
    fn list(&mut self, roots: &[Cid]) -> Result<Vec<ListedPin>, Self::Error>;

    /// Asks the service to pin a root with everything below it. Asking for what it has been asked
    /// for already is no error.
    ///
    /// # Errors
    /// When the service cannot be asked, or refuses.
    fn ask(&mut self, root: &Cid) -> Result<(), Self::Error>;

    /// Withdraws a request. One that is not there is no error.
    ///
    /// # Errors
    /// When the service cannot be asked, or refuses.
    fn drop_request(&mut self, request: &RequestId) -> Result<(), Self::Error>;

    /// Multiaddrs of the service's own peers, as far as it has named them.
    fn delegates(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a service was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SyncError<E: std::error::Error + 'static> {
    /// The service failed.
    #[error(transparent)]
    Service(E),
    /// What is remembered of it could not be written.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// The canaries could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The root could not be made.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The service gave up pinning, twice in a row.
    #[error("the service could not fetch the vault and gave up")]
    GaveUp,
    /// The service's list keeps changing.
    #[error("the service does not do what it is asked: its list of pins keeps changing")]
    Unsettled,
}

/// What a service is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The newest head.
    pub head: Cid,
    /// Whether to make the service go through all blocks again, though it holds this head.
    pub fresh: bool,
}

/// How far a service is after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncOutcome {
    /// The root it is to hold.
    pub root: Option<Cid>,
    /// What it says about it; `None` when it lists nothing.
    pub status: Option<PinStatus>,
    /// Whether it holds that root and nothing else of ours.
    pub settled: bool,
    /// Requests that were withdrawn in this call.
    pub dropped: usize,
    /// Steps that were taken in this call, waiting excluded.
    pub steps: usize,
}

/// Where what is remembered goes.
pub type Save<'a> = dyn FnMut(&PinService) -> Result<(), ServicesError> + 'a;

/// Brings a service to `wanted`, as far as it goes without waiting. Nothing is lost when the
/// process is killed anywhere in between: the next call goes on.
///
/// `canaries` must be served to the service until it holds them.
///
/// # Errors
/// [`SyncError`].
pub fn sync<A: PinApi>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    api: &mut A,
    wanted: Wanted,
) -> Result<SyncOutcome, SyncError<A::Error>>
where
    A::Error: 'static,
{
    let mut fresh = wanted.fresh;
    let mut asked = 0;
    drive(service, save, canaries, api, &mut |service, listed| {
        let steps = plan(&service.roots, listed, &wanted.head, fresh);
        if steps.first() == Some(&Step::Make) {
            fresh = false;
        }
        asked += usize::from(steps.iter().any(|step| matches!(step, Step::Ask(_))));
        match asked {
            0..=2 => Ok((steps, Some(wanted.head))),
            _ => Err(SyncError::GaveUp),
        }
    })
}

/// Withdraws everything from a service, as far as it goes. It is done when the outcome is settled.
///
/// # Errors
/// [`SyncError`].
pub fn withdraw<A: PinApi>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    api: &mut A,
) -> Result<SyncOutcome, SyncError<A::Error>>
where
    A::Error: 'static,
{
    drive(service, save, canaries, api, &mut |service, listed| {
        Ok((plan_removal(&service.roots, listed), None))
    })
}

type Planner<'a, E> = dyn FnMut(&PinService, &[ListedPin]) -> Planned<E> + 'a;
type Planned<E> = Result<(Vec<Step>, Option<Cid>), SyncError<E>>;

fn drive<A: PinApi>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    api: &mut A,
    planner: &mut Planner<'_, A::Error>,
) -> Result<SyncOutcome, SyncError<A::Error>>
where
    A::Error: 'static,
{
    let (mut dropped, mut taken) = (0, 0);
    for _ in 0..MAX_ROUNDS {
        let roots: Vec<Cid> = service.roots.iter().map(GivenRoot::root).collect();
        let listed = match roots.is_empty() {
            true => Vec::new(),
            false => api.list(&roots).map_err(SyncError::Service)?,
        };
        let (steps, head) = planner(service, &listed)?;
        let waits = steps.iter().all(|step| matches!(step, Step::Wait(_)));
        if waits {
            let delegates = api.delegates();
            if !delegates.is_empty() && delegates != service.delegates {
                service.delegates = delegates;
                save(service)?;
            }
            let root = service.roots.last().map(GivenRoot::root);
            let status = listed.iter().find(|pin| Some(pin.root) == root);
            return Ok(SyncOutcome {
                root,
                status: status.map(|pin| pin.status),
                settled: steps.is_empty(),
                dropped,
                steps: taken,
            });
        }
        for step in &steps {
            match step {
                Step::Make => {
                    let Some(head) = head else { continue };
                    make(service, save, canaries, &head)?;
                }
                Step::Ask(root) => api.ask(root).map_err(SyncError::Service)?,
                Step::Settle(root) => settle(service, save, canaries, root)?,
                Step::Drop(request) => {
                    api.drop_request(request).map_err(SyncError::Service)?;
                    dropped += 1;
                }
                Step::Forget(root) => forget(service, save, canaries, root)?,
                Step::Wait(_) => continue,
            }
            taken += 1;
        }
    }
    Err(SyncError::Unsettled)
}

fn make<E: std::error::Error>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    head: &Cid,
) -> Result<(), SyncError<E>> {
    let made = GivenRoot::make(head)?;
    canaries.put(&made.blocks)?;
    canaries.sync()?;
    service.roots.push(made.given);
    Ok(save(service)?)
}

fn settle<E: std::error::Error>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    root: &Cid,
) -> Result<(), SyncError<E>> {
    if let Some(known) = service.roots.iter_mut().find(|known| known.root() == *root) {
        let own = known.own_blocks();
        known.set_held();
        save(service)?;
        canaries.remove(&own)?;
    }
    Ok(())
}

fn forget<E: std::error::Error>(
    service: &mut PinService,
    save: &mut Save<'_>,
    canaries: &dyn BlockStore,
    root: &Cid,
) -> Result<(), SyncError<E>> {
    let at = service.roots.iter().position(|known| known.root() == *root);
    let Some(at) = at else { return Ok(()) };
    // first the canaries: what is not remembered any more could not be found again
    canaries.remove(&service.roots[at].own_blocks())?;
    service.roots.remove(at);
    Ok(save(service)?)
}
