//! What a node that serves writes down.
//!
//! An event is one of a fixed list and holds numbers and words of this program only: the type is
//! `Copy`, so no text that came from elsewhere fits in. What is in the vault, who reads it, names,
//! addresses and keys cannot get into a log by mistake.

use std::sync::Arc;

/// How much it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed that needs somebody.
    Error,
    /// Something failed and is tried again.
    Warn,
    /// What an operator wants to see.
    #[default]
    Info,
    /// Everything.
    Debug,
}

impl Level {
    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Something that happened. Times are in seconds since 1970-01-01 UTC, errors are codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The node is up.
    Serving {
        /// The process.
        pid: u32,
        /// Number of the head that is given out.
        head: u64,
    },
    /// Another command changed the vault.
    HeadChanged {
        /// Number of the new head.
        head: u64,
    },
    /// The head was renewed, or grants whose time is over were ended.
    Tended {
        /// Number of the new head.
        head: u64,
    },
    /// The vault could not be read or renewed; it is tried again.
    TendFailed {
        /// What hindered it.
        error: &'static str,
    },
    /// The machine's addresses changed; new tickets name the new ones.
    AddressesChanged {
        /// How many there are.
        count: usize,
    },
    /// The new addresses could not be written down for new tickets.
    AddressesLost {
        /// What hindered it.
        error: &'static str,
    },
    /// The head was published.
    Published {
        /// By which publisher.
        by: &'static str,
        /// Number of the head.
        head: u64,
        /// Until when it is good.
        valid_until: u64,
    },
    /// The head could not be published; it is tried again.
    PublishFailed {
        /// By which publisher.
        by: &'static str,
        /// Number of the head.
        head: u64,
        /// What hindered it.
        error: &'static str,
        /// When it is tried again.
        again: u64,
    },
    /// Requests for keys were answered.
    AccessAnswered {
        /// That got their keys.
        released: usize,
        /// That were turned down, which was logged.
        denied: usize,
        /// That were not looked at further.
        refused: usize,
    },
    /// A deposit has come whole and waits for a decision.
    DepositArrived {
        /// Its length.
        bytes: u64,
    },
    /// A deposit was refused before it was sent.
    DepositRefused,
    /// Requests for keys could not be answered; they come again.
    AccessFailed {
        /// What hindered it.
        error: &'static str,
    },
    /// The log of this home is not the one that a reader has seen: no key is given out.
    AccessHalted,
    /// What shows that could not be written down.
    EvidenceLost {
        /// What hindered it.
        error: &'static str,
    },
    /// The grants this home answers for as somebody's agent changed.
    ChargesChanged {
        /// How many there are.
        count: usize,
    },
    /// A patient this home is an agent of has no newer head to be had; the last one counts until it
    /// runs out.
    PatientSilent {
        /// What hindered it.
        error: &'static str,
    },
    /// The newest head of such a patient can be had again.
    PatientHeard,
    /// Agents reported what they did on the patient's behalf.
    AgentsHeard {
        /// How many were asked.
        agents: usize,
        /// Requests that came into the log with this.
        requests: usize,
    },
    /// An agent did not report; it is asked again.
    AgentFailed {
        /// What hindered it.
        error: &'static str,
    },
    /// The node was asked to stop and lets running answers end.
    Stopping,
    /// The node has stopped.
    Stopped {
        /// How long it ran.
        seconds: u64,
        /// Answers that were cut off.
        cut_off: usize,
    },
}

/// A field's value: numbers and words of this program, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A count, a length in bytes, or a number of a head or a process.
    Number(u64),
    /// A point in time, in seconds since 1970-01-01 UTC.
    Time(u64),
    /// A word of this program, such as the code of an error.
    Word(&'static str),
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(seconds) => crate::time::rfc3339(*seconds).fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

impl Event {
    /// How much it matters.
    pub fn level(self) -> Level {
        self.parts().0
    }

    /// Its name, such as `head-changed`.
    pub fn name(self) -> &'static str {
        self.parts().1
    }

    /// What belongs to it, by name.
    pub fn fields(self) -> Vec<(&'static str, Field)> {
        self.parts().2
    }

    /// How much it matters, its name, and its fields.
    fn parts(self) -> (Level, &'static str, Vec<(&'static str, Field)>) {
        use Field::{Number, Time, Word};
        match self {
            Self::Serving { pid, head } => {
                let fields = vec![("pid", Number(pid.into())), ("head", Number(head))];
                (Level::Info, "serving", fields)
            }
            Self::HeadChanged { head } => {
                (Level::Info, "head-changed", vec![("head", Number(head))])
            }
            Self::Tended { head } => (Level::Info, "tended", vec![("head", Number(head))]),
            Self::TendFailed { error } => {
                (Level::Error, "tend-failed", vec![("error", Word(error))])
            }
            Self::AddressesChanged { count } => {
                let fields = vec![("count", Number(count as u64))];
                (Level::Info, "addresses-changed", fields)
            }
            Self::AddressesLost { error } => {
                (Level::Error, "addresses-lost", vec![("error", Word(error))])
            }
            Self::Published {
                by,
                head,
                valid_until,
            } => {
                let until = ("valid_until", Time(valid_until));
                let fields = vec![("by", Word(by)), ("head", Number(head)), until];
                (Level::Info, "published", fields)
            }
            Self::PublishFailed {
                by,
                head,
                error,
                again,
            } => {
                let what = [("by", Word(by)), ("head", Number(head))];
                let why = [("error", Word(error)), ("again", Time(again))];
                (Level::Warn, "publish-failed", [what, why].concat())
            }
            Self::DepositArrived { bytes } => (
                Level::Info,
                "deposit-arrived",
                vec![("bytes", Number(bytes))],
            ),
            Self::DepositRefused => (Level::Info, "deposit-refused", Vec::new()),
            Self::AccessAnswered {
                released,
                denied,
                refused,
            } => {
                let fields = [
                    ("released", released),
                    ("denied", denied),
                    ("refused", refused),
                ];
                let fields = fields.map(|(name, count)| (name, Number(count as u64)));
                (Level::Info, "access-answered", fields.into())
            }
            Self::AccessFailed { error } => {
                (Level::Error, "access-failed", vec![("error", Word(error))])
            }
            Self::AccessHalted => (Level::Error, "access-halted", Vec::new()),
            Self::EvidenceLost { error } => {
                (Level::Error, "evidence-lost", vec![("error", Word(error))])
            }
            Self::ChargesChanged { count } => {
                let fields = vec![("count", Number(count as u64))];
                (Level::Info, "charges-changed", fields)
            }
            Self::PatientSilent { error } => {
                (Level::Warn, "patient-silent", vec![("error", Word(error))])
            }
            Self::PatientHeard => (Level::Info, "patient-heard", Vec::new()),
            Self::AgentsHeard { agents, requests } => {
                let requests = ("requests", Number(requests as u64));
                let fields = vec![("agents", Number(agents as u64)), requests];
                (Level::Info, "agents-heard", fields)
            }
            Self::AgentFailed { error } => {
                (Level::Warn, "agent-failed", vec![("error", Word(error))])
            }
            Self::Stopping => (Level::Info, "stopping", Vec::new()),
            Self::Stopped { seconds, cut_off } => {
                let cut = ("cut_off", Number(cut_off as u64));
                let fields = vec![("seconds", Number(seconds)), cut];
                (Level::Info, "stopped", fields)
            }
        }
    }
}

/// Where events go.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(Event) + Send + Sync>);

impl Log {
    /// `write` hears of every event, from several threads.
    pub fn new(write: Arc<dyn Fn(Event) + Send + Sync>) -> Self {
        Self(write)
    }

    /// Writes an event down.
    pub fn write(&self, event: Event) {
        (self.0)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text from elsewhere is a `String` or a borrowed one; neither is `Copy` and `'static`.
    const fn holds_no_text_from_elsewhere<T: Copy + 'static>() {}
    const _: () = holds_no_text_from_elsewhere::<Event>();

    #[test]
    fn levels_go_from_what_matters_most() {
        assert!(Level::Error < Level::Warn && Level::Info < Level::Debug);
        assert_eq!(Event::Stopping.level(), Level::Info);
        assert_eq!(Event::Stopping.name(), "stopping");
        let tended = Event::Tended { head: 7 };
        assert_eq!(tended.fields(), [("head", Field::Number(7))]);
    }
}
