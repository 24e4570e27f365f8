//! The patient's agents, asked over iroh what they did, and told to give no more.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use vault_core::{
    AccessReply, AgentInfo, GrantId, GrantInfo, GrantStatus, NodeAddress, ReportError, Vault,
    VaultError,
};
use vault_node::Node;

use super::{PATIENCE, random_seed};
use crate::app::Warn;
use crate::error::{Error, Exit, Result};
use crate::log::{Event, Log};
use crate::time;

/// How long an agent may take that is told to give no more.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// How long all reports of one agent may take.
const SYNC_PATIENCE: Duration = Duration::from_secs(60);
/// How often a node that serves asks the agents by itself.
const ROUND_EVERY: Duration = Duration::from_secs(10 * 60);
/// Most agents that are asked at a time.
const AT_A_TIME: usize = 16;

/// What came of asking one agent.
pub struct Heard {
    /// The grant it answers under.
    pub grant: GrantId,
    /// The agent, as it stands now.
    pub agent: AgentInfo,
    /// Requests that came into the log with this, those turned down included.
    pub requests: usize,
    /// Opens among them.
    pub opens: u64,
    /// Why not everything came, or nothing.
    pub error: Option<Error>,
}

/// How many more opens an agent may give as far as is known; `None` for as many as the terms allow.
pub fn left(agent: &AgentInfo) -> Option<u64> {
    match agent.closed {
        true => Some(0),
        false => agent.opens.map(|all| all.saturating_sub(agent.reported)),
    }
}

/// Until when an agent that could not be told may still give keys: its certificate's end, or the end
/// of the newest head it may have.
pub fn lease(vault: &Vault, agent: &AgentInfo) -> u64 {
    agent.until.min(vault.head().valid_until())
}

/// Tells every agent of `grants` to give no more, and takes its last report: all at the same time,
/// each within five seconds. An agent confirmed when it is [`AgentInfo::closed`] afterwards; the
/// others are warned about.
///
/// Before a revocation or a withdrawal, so that its receipt knows.
///
/// # Errors
/// When the vault cannot be read or no node can be started.
pub fn close_agents(warn: &Warn, vault: &mut Vault, grants: &[GrantId]) -> Result<Vec<Heard>> {
    let among = |grant: &GrantInfo, _: &AgentInfo| grants.contains(&grant.id);
    close(warn, vault, &among)
}

/// The same for those that `which` chooses.
///
/// # Errors
/// As [`close_agents`].
pub fn close(
    warn: &Warn,
    vault: &mut Vault,
    which: &dyn Fn(&GrantInfo, &AgentInfo) -> bool,
) -> Result<Vec<Heard>> {
    let mut targets = targets(vault, which)?;
    targets.iter_mut().for_each(|target| target.close = true);
    let heard = ask(vault, targets, CLOSE_PATIENCE)?;
    for one in heard.iter().filter(|one| !one.agent.closed) {
        let why = one.error.as_ref().map_or("", |error| &error.message);
        let name = &one.agent.name;
        warn(&format!(
            "{name} has not confirmed that it gives no more: {why}"
        ));
    }
    Ok(heard)
}

/// Fetches the reports of every agent of `grant`, or of all grants, that may have more to tell. Those
/// whose part is over are told to give no more.
///
/// # Errors
/// When the vault cannot be read or no node can be started.
pub fn sync(vault: &mut Vault, grant: Option<&GrantId>) -> Result<Vec<Heard>> {
    let targets = targets(vault, &|info, _| grant.is_none_or(|id| *id == info.id))?;
    ask(vault, targets, SYNC_PATIENCE)
}

/// Asks the agents at once and every ten minutes, until it is dropped. Without agents it touches no
/// network.
pub(crate) struct Rounds {
    _stop: Sender<()>,
}

impl Rounds {
    /// Takes a vault of its own handle. What comes of each round is written down.
    pub(crate) fn start(mut vault: Vault, log: Log) -> Self {
        let (stop, stopped) = channel();
        std::thread::spawn(move || {
            loop {
                let heard = vault.refresh().map_err(Error::from);
                let heard = heard.and_then(|()| sync(&mut vault, None));
                note(&log, &heard);
                match stopped.recv_timeout(ROUND_EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { _stop: stop }
    }
}

fn note(log: &Log, heard: &Result<Vec<Heard>>) {
    let failed = |error: &Error| log.write(Event::AgentFailed { error: error.code });
    match heard {
        Ok(heard) if heard.is_empty() => {}
        Ok(heard) => {
            heard
                .iter()
                .filter_map(|one| one.error.as_ref())
                .for_each(failed);
            log.write(Event::AgentsHeard {
                agents: heard.len(),
                requests: heard.iter().map(|one| one.requests).sum(),
            });
        }
        Err(error) => failed(error),
    }
}

/// An agent that is to be asked.
struct Target {
    grant: GrantId,
    agent: AgentInfo,
    close: bool,
}

/// The agents that `which` chooses and that have not told everything.
fn targets(
    vault: &mut Vault,
    which: &dyn Fn(&GrantInfo, &AgentInfo) -> bool,
) -> Result<Vec<Target>> {
    let now = time::now();
    let mut targets = Vec::new();
    for grant in vault.grants()? {
        let agents = grant.agreement.iter().flat_map(|info| &info.agents);
        for agent in agents.filter(|agent| !agent.closed && which(&grant, agent)) {
            let ended = grant.status != GrantStatus::Active || grant.terms.has_expired(now);
            targets.push(Target {
                grant: grant.id,
                agent: agent.clone(),
                close: ended || agent.withdrawn || agent.until <= now,
            });
        }
    }
    Ok(targets)
}

/// An agent while it is asked.
struct Asking {
    target: Target,
    until: Instant,
    requests: usize,
    error: Option<Error>,
    done: bool,
}

/// What goes to an agent next.
type Question = (NodeAddress, Vec<u8>);

impl Asking {
    fn question(&self, vault: &mut Vault) -> Result<Question, VaultError> {
        let (grant, owner) = (&self.target.grant, &self.target.agent.owner);
        let message = vault.agent_question(grant, owner, self.target.close)?;
        Ok((vault.agent_address(grant, owner)?, message))
    }

    /// Enters an answer into the vault. Returns whether there is more to ask for.
    fn take(&mut self, vault: &mut Vault, answer: &[u8]) -> Result<bool> {
        let requests = match AccessReply::from_bytes(answer) {
            Ok(AccessReply::Report(report)) => report.len(),
            Ok(AccessReply::Refused(code)) => {
                return Err(Error::new(Exit::Terms, "refused", code)
                    .hint("are the clocks of both machines right?"));
            }
            // what else it may be is not a report, and said to be none
            _ => 0,
        };
        let Target { grant, agent, .. } = &self.target;
        let more = vault.take_report(grant, &agent.owner, answer)?;
        self.requests += requests;
        match more && requests == 0 {
            true => Err(VaultError::from(ReportError::NotAReport).into()),
            false => Ok(more),
        }
    }

    fn settle(&mut self, outcome: Result<bool>) {
        match outcome {
            Ok(more) => self.done = !more,
            Err(error) => {
                self.error = Some(error);
                self.done = true;
            }
        }
    }
}

/// Asks all of them at the same time, each for at most `patience`, until none has more to tell.
fn ask(vault: &mut Vault, targets: Vec<Target>, patience: Duration) -> Result<Vec<Heard>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let node = Node::start_client_only(random_seed()?, random_seed()?)?;
    let mut waiting = targets.into_iter();
    let mut heard = Vec::new();
    loop {
        let until = Instant::now() + patience;
        let part = waiting.by_ref().take(AT_A_TIME).map(|target| Asking {
            target,
            until,
            requests: 0,
            error: None,
            done: false,
        });
        let mut part: Vec<Asking> = part.collect();
        if part.is_empty() {
            break;
        }
        while part.iter().any(|asking| !asking.done) {
            round(&node, vault, &mut part);
        }
        heard.extend(part);
    }
    node.stop();
    let grants = vault.grants()?;
    let heard = heard.into_iter().map(|asking| {
        let before = asking.target.agent;
        let grant = grants.iter().find(|grant| grant.id == asking.target.grant);
        let agents = grant.and_then(|grant| grant.agreement.as_ref());
        let mut agents = agents.into_iter().flat_map(|info| &info.agents);
        let now = agents.find(|agent| agent.owner == before.owner);
        let agent = now.unwrap_or(&before).clone();
        Heard {
            grant: asking.target.grant,
            requests: asking.requests,
            opens: agent.reported.saturating_sub(before.reported),
            agent,
            error: asking.error,
        }
    });
    Ok(heard.collect())
}

/// One question to each of those who may have more to tell.
fn round(node: &Node, vault: &mut Vault, part: &mut [Asking]) {
    let mut questions = Vec::new();
    for asking in part.iter_mut().filter(|asking| !asking.done) {
        match asking.question(vault) {
            Ok(question) => questions.push((asking, question)),
            Err(error) => asking.settle(Err(error.into())),
        }
    }
    let answers: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> = questions
            .into_iter()
            .map(|(asking, (at, message))| {
                let left = asking.until.saturating_duration_since(Instant::now());
                let left = left.clamp(Duration::from_millis(1), PATIENCE);
                let ask = scope.spawn(move || node.ask_access(&at, &message, left));
                (asking, ask)
            })
            .collect();
        let joined = begun
            .into_iter()
            .map(|(asking, ask)| (asking, ask.join().ok()));
        joined.collect()
    });
    for (asking, answer) in answers {
        let outcome = match answer {
            Some(Ok(answer)) => asking.take(vault, &answer),
            Some(Err(error)) => Err(error.into()),
            None => Err(Error::new(Exit::Failure, "panicked", "the question failed")),
        };
        asking.settle(outcome);
    }
}
