//! Agents: those who answer requests for keys while the phone sleeps.

use vault_core::{AgentInfo, GrantId};

/// Someone who answers requests under a grant.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AgentSummary {
    /// The grant.
    pub grant: String,
    /// Name of the contact.
    pub name: String,
    /// Opens that it was given to give; none: as many as the terms allow.
    pub opens: Option<u64>,
    /// Opens that it has reported.
    pub reported: u64,
    /// When its certificate ends, in seconds since 1970-01-01 UTC.
    pub until: u64,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Whether it has confirmed that it gives no more.
    pub closed: bool,
}

impl AgentSummary {
    pub(crate) fn new(grant: &GrantId, agent: &AgentInfo) -> Self {
        Self {
            grant: grant.to_string(),
            name: agent.name.clone(),
            opens: agent.opens,
            reported: agent.reported,
            until: agent.until,
            withdrawn: agent.withdrawn,
            closed: agent.closed,
        }
    }
}

/// An agent that may answer now, and the ticket for its home.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AgentAdded {
    /// The agent.
    pub agent: AgentSummary,
    /// `medvault-ticket:…`, to be accepted in the agent's home.
    pub ticket: String,
}
