//! Asking for keys on request: the patient's node first, then those who answer on its behalf.
//!
//! A request that was logged is an open, whether its keys arrive or not. The same message may be
//! sent again, for it is answered and counted once; another one is another open. So somebody else is
//! asked only if the one before has certainly not heard of the request, or has turned it down.

use std::sync::Arc;
use std::time::Duration;

use vault_core::{
    AccessReply, AgentCertificate, AskError, BlockSource, Evidence, Following, Given, GrantView,
    Home, Inbox, NodeAddress, Purpose, RefusalCode, Signers, VaultId, VersionId,
};
use vault_node::NodeError;

use super::{Network, PATIENCE};
use crate::error::{Error, Exit, Result};
use crate::evidence::{shell, write_evidence};
use crate::{time, words};

/// How often one message is sent.
const TRIES: u32 = 3;
/// How long a connection may take where somebody else can be asked.
const IMPATIENCE: Duration = Duration::from_secs(3);
/// Pause before it is sent again to a node that cannot answer now.
const PAUSE: Duration = Duration::from_millis(300);

/// Why a message has no answer.
pub(crate) struct Unanswered {
    error: Error,
    /// The other side has certainly not taken the message.
    unheard: bool,
}

/// What is asked for.
pub(crate) struct Wanted<'a> {
    /// The grant.
    pub view: &'a GrantView,
    /// At most as many as go into one request.
    pub versions: &'a [VersionId],
    /// Why; the purpose that was agreed on if it is left out.
    pub purpose: Option<Purpose>,
}

/// Whom to ask.
struct Asked<'a> {
    /// Nobody's: the patient's own device.
    agent: Option<&'a AgentCertificate>,
    at: &'a NodeAddress,
    /// Whether there is anybody else to ask.
    others: bool,
}

/// Keys that came, and who gave them.
pub(crate) struct Answered {
    /// The keys.
    pub given: Given,
    /// To whom it is said that they opened.
    pub by: NodeAddress,
}

impl Network {
    /// Sends a message of the access protocol, again if the connection breaks.
    pub(crate) fn tell(&self, at: &NodeAddress, message: &[u8]) -> Result<Vec<u8>, Unanswered> {
        self.tell_within(at, message, PATIENCE)
    }

    /// The same; `reach` is how long the connection may take.
    fn tell_within(
        &self,
        at: &NodeAddress,
        message: &[u8],
        reach: Duration,
    ) -> Result<Vec<u8>, Unanswered> {
        let unanswered = |error: NodeError, unheard| Unanswered {
            error: error.into(),
            unheard,
        };
        let node = self.node().map_err(|error| unanswered(error, true))?;
        node.reach_access(at, reach)
            .map_err(|error| unanswered(error, true))?;
        let (mut heard, mut left) = (false, TRIES);
        loop {
            left -= 1;
            let busy = AccessReply::Refused(RefusalCode::Busy);
            match node.ask_access(at, message, PATIENCE) {
                // it may be in the log all the same; the same message finds it there
                Ok(answer) if left > 0 && AccessReply::from_bytes(&answer) == Ok(busy) => {
                    heard = true;
                }
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let refused = matches!(
                        error,
                        NodeError::Refused { .. } | NodeError::NotServed { .. }
                    );
                    heard |= !refused;
                    if refused || left == 0 {
                        return Err(unanswered(error, !heard));
                    }
                }
            }
            std::thread::sleep(PAUSE * (TRIES - left));
        }
    }

    /// Asks for keys. What the answer moves in the memory is written down before this returns.
    pub(crate) fn ask(
        self: &Arc<Self>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
        wanted: &Wanted<'_>,
    ) -> Result<Answered> {
        let mut agents: Vec<&AgentCertificate> = Vec::new();
        if let Some(agreement) = &wanted.view.agreement {
            let holds = |agent: &&AgentCertificate| {
                agent.holds(time::now()) && agent.terms == agreement.terms
            };
            agents.extend(agreement.agents.iter().filter(holds));
        }
        let patient = following.node().clone();
        let everyone = std::iter::once((None, patient)).chain(
            agents
                .iter()
                .map(|agent| (Some(*agent), agent.node.clone())),
        );
        let (mut first, mut turned_down) = (None, None);
        for (agent, at) in everyone {
            let asked = Asked {
                agent,
                at: &at,
                others: !agents.is_empty(),
            };
            match self.ask_one(home, inbox, following, wanted, &asked) {
                Ok(given) => return Ok(Answered { given, by: at }),
                Err((error, another)) if another => {
                    if error.exit == Exit::Terms {
                        turned_down = Some(error.message.clone());
                    }
                    first = first.or(Some(error));
                }
                Err((error, _)) => return Err(error),
            }
        }
        let error = first.unwrap_or_else(|| AskError::NoAgreement.into());
        Err(match (error.exit, agents.len()) {
            (Exit::Network, 0) => Error {
                message: format!("{}; nothing was asked, and no open is used", error.message),
                ..error
            },
            (Exit::Network, count) => {
                let others = words::count(count as u64, "agent");
                let why = turned_down.map_or_else(String::new, |why| format!(" ({why})"));
                let what = format!(
                    "{}; {others} gave no keys either{why}, and no open is used",
                    error.message
                );
                Error {
                    message: what,
                    ..error
                }
            }
            _ => error,
        })
    }

    /// Asks one of those who answer. With an error: whether another may be asked.
    fn ask_one(
        self: &Arc<Self>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
        wanted: &Wanted<'_>,
        asked: &Asked<'_>,
    ) -> Result<Given, (Error, bool)> {
        let Asked { agent, at, others } = *asked;
        let agreed = wanted.view.terms.purpose.clone();
        let purpose = wanted.purpose.clone().or(agreed);
        let device = self.device();
        let asking = following
            .ask(
                wanted.view,
                wanted.versions,
                purpose,
                agent,
                device,
                time::now(),
            )
            .map_err(|error| (error.into(), false))?;
        let reach = if others { IMPATIENCE } else { PATIENCE };
        let told = self.tell_within(at, asking.message(), reach);
        let answer = told.map_err(|unanswered| match unanswered.unheard {
            true => (unanswered.error, true),
            false => (lost(&unanswered.error, wanted.versions.len()), false),
        })?;
        let before = following.clone();
        let taken = asking.take(following, &answer);
        if *following != before {
            let remembered = inbox.remember(following);
            remembered.map_err(|error| (error.into(), false))?;
        }
        taken.map_err(|error| match error {
            AskError::Diverged { seen, statement } => {
                let error = self.diverged(home, following, agent, at, &seen, &statement);
                (error, false)
            }
            // it may be in the log all the same
            AskError::Refused(RefusalCode::Busy) => (
                lost(&RefusalCode::Busy.into(), wanted.versions.len()),
                false,
            ),
            // not in its log; or an agent that has given all it may
            AskError::Refused(code) => (code.into(), true),
            AskError::Denied { ref reason, .. } => {
                let used_up = agent.is_some() && reason == "no-opens-left";
                (error.into(), used_up)
            }
            other => (other.into(), false),
        })
    }

    /// Writes down what shows that whoever answered has put its log back.
    fn diverged(
        self: &Arc<Self>,
        home: &Home,
        following: &Following,
        agent: Option<&AgentCertificate>,
        at: &NodeAddress,
        seen: &[u8],
        statement: &[u8],
    ) -> Error {
        let diverged = AskError::Diverged {
            seen: seen.to_vec(),
            statement: statement.to_vec(),
        };
        let error = Error::from(diverged);
        let written = (|| {
            let source = self.source(home, following)?;
            let (signers, vault) = match agent {
                Some(agent) => (agent.agent.clone(), agent.agent.vault()),
                None => {
                    let held = following.evidence(&*home.cache()?)?;
                    (held.signers().clone(), following.vault())
                }
            };
            let shown = Evidence::of_checkpoint(seen, &signers)?;
            let said = match agent {
                None => self.stated(&vault, at, statement, &signers, &*source)?,
                Some(_) => Evidence::of_statement(statement, &signers)?,
            };
            write_evidence(home, &vault, [("seen", &shown), ("stated", &said)])
        })();
        match written {
            Ok([one, other]) => error.hint(format!(
                "no key came. `medvault audit check-fork {} {}` says what that proves; send the \
                 patient both files",
                shell(&one),
                shell(&other)
            )),
            Err(failed) => {
                let what = failed.message;
                self.warn(format!("the evidence was not written: {what}"));
                error
            }
        }
    }

    /// What the patient's node says its log is, with the head and the hashes it gives for that, if it
    /// gives any.
    fn stated(
        &self,
        vault: &VaultId,
        at: &NodeAddress,
        statement: &[u8],
        signers: &Signers,
        source: &dyn BlockSource,
    ) -> Result<Evidence> {
        let node = self.node()?;
        let head = node.fetch_head(at, vault, PATIENCE).ok();
        let whole = head.and_then(|head| Evidence::of_head(&head, source).ok());
        let whole = whole.filter(|whole| whole.vault() == *vault);
        if let Some(whole) = whole.and_then(|whole| whole.with_statement(statement).ok()) {
            return Ok(whole);
        }
        Ok(Evidence::of_statement(statement, signers)?)
    }
}

/// Nobody knows whether the request was logged.
fn lost(error: &Error, count: usize) -> Error {
    let opens = words::count(count as u64, "open");
    let what = format!(
        "{}. the request may have arrived: then it is in the log and {opens} of the agreement are \
         used, although no key came",
        error.message
    );
    Error::new(Exit::Network, "answer-lost", what)
        .hint("asking again is another open; the patient's `medvault audit log` shows what arrived")
}

impl From<Unanswered> for Error {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.error
    }
}
