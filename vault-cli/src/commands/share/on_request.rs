//! What `medvault share --on-request` adds to a grant.

use clap::Args;
use vault_core::{Condition, Conditions, OnRequestTerms, Terms};

use crate::commands::agreement::words;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::time;

/// What must be understood before anything is expected of such a grant.
pub const NOT_YET: &str = "On request: nothing can be read until the other side has agreed \
                           (`medvault agreement accept`), and only while your `medvault serve`, or \
                           an agent of yours, runs.";

/// Terms of a grant on request.
#[derive(Args)]
pub struct OnRequestArgs {
    /// Give out each key only when it is asked for, and log it before it leaves; the other side has
    /// to agree first
    #[arg(long)]
    on_request: bool,

    /// No key before this time: a day such as 2026-12-31, or a duration from now such as 12h
    #[arg(long, value_name = "WHEN", requires = "on_request")]
    starts: Option<String>,

    /// At most so many opens, by all readers together; a record opened twice is two
    #[arg(long, value_name = "N", requires = "on_request")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_opens: Option<u64>,

    /// At most so many opens within any 24 hours
    #[arg(long, value_name = "N", requires = "on_request")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_opens_per_day: Option<u64>,

    /// Let the readers send results back
    #[arg(long, requires = "on_request")]
    may_deposit: bool,

    /// A contact that may answer requests for you, once you have let it; may be repeated
    #[arg(long = "agent", value_name = "NAME", requires = "on_request")]
    agents: Vec<String>,
}

impl OnRequestArgs {
    /// The terms; `None` for a grant that carries its keys. `expires` is when the grant ends.
    pub fn terms(&self, expires: Option<u64>) -> Result<Option<OnRequestTerms>> {
        if !self.on_request {
            return Ok(None);
        }
        let mut conditions = Conditions::default();
        if let Some(text) = &self.starts {
            let from = time::parse_start(text).or_else(|_| time::parse_end(text))?;
            if expires.is_some_and(|expires| expires <= from) {
                return Err(Error::usage("the grant would end before it begins"));
            }
            conditions = conditions.with(Condition::From(from));
        }
        if let Some(count) = self.max_opens {
            conditions = conditions.with(Condition::Opens(count));
        }
        if let Some(count) = self.max_opens_per_day {
            conditions = conditions.with(Condition::OpensPerDay(count));
        }
        Ok(Some(OnRequestTerms {
            conditions,
            may_deposit: self.may_deposit,
            agents: self.agents.clone(),
        }))
    }
}

/// Says what was offered, and what has to happen before it can be used.
pub fn explain(out: Output, terms: &Terms) {
    for (name, value) in words::lines(terms, time::now()) {
        out.note(format!("  {name:<12}{value}"));
    }
    out.note(NOT_YET);
}
