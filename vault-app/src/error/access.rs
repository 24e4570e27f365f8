//! Why no key was given out on request, and what to do about it.

use vault_core::{AskError, MessageError, ProofsError, RefusalCode};

use super::{Error, Exit};
use crate::refusal::refusal;

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        let text = error.to_string();
        let new = |exit, code| Self::new(exit, code, &text);
        match error {
            AskError::NoAgreement | AskError::Carried => new(Exit::NotFound, "no-agreement")
                .hint("`medvault inbox sync` asks for the newest state"),
            AskError::NotAccepted => new(Exit::Terms, "not-accepted")
                .hint("`medvault agreement list` shows it, `medvault agreement accept` signs it"),
            AskError::Refused(code) => code.into(),
            AskError::Denied { reason, index } => {
                let why = refusal(&reason);
                let what = format!("no key is given out: {why} (entry {index} of the log)");
                Self::new(Exit::Terms, "denied", what).hint(match &reason[..] {
                    "no-opens-left-today" => "the limit counts the last 24 hours: ask again later",
                    "no-opens-left" => "ask the patient for a new agreement",
                    "too-early" => "`medvault agreement show` says from when on",
                    "wrong-purpose" => {
                        "leave --purpose away, or give the one that `medvault agreement show` names"
                    }
                    "clock" => "set the clock of this machine, or tell the patient to set theirs",
                    "not-in-grant" | "other-terms" => {
                        "`medvault inbox sync` asks for the newest state"
                    }
                    "unknown-term" => "the patient's program does not know one of its terms",
                    _ => "ask the patient to share again",
                })
            }
            AskError::Diverged { .. } => new(Exit::Integrity, "diverged")
                .hint("no key came. ask the patient whether an old copy of the home was put back"),
            AskError::Malformed | AskError::Proof(_) => new(Exit::Integrity, "bad-answer")
                .hint("do not rely on it; tell the patient that their node gives false answers"),
        }
    }
}

impl From<RefusalCode> for Error {
    fn from(code: RefusalCode) -> Self {
        let text = format!("the other side does not answer: {code}");
        let new = |exit, name| Self::new(exit, name, &text);
        match code {
            RefusalCode::Busy => new(Exit::Network, "busy").hint("try again in a moment"),
            RefusalCode::TooMany => new(Exit::Terms, "too-many").hint("try again in an hour"),
            RefusalCode::Halted => new(Exit::Integrity, "halted")
                .hint("tell the patient: `medvault serve` there says what is to be done"),
            RefusalCode::NotHere | RefusalCode::Stranger | RefusalCode::NotOffered => {
                new(Exit::Terms, "not-answered").hint("ask the patient for a fresh ticket")
            }
            RefusalCode::Malformed => new(Exit::Failure, "not-understood")
                .hint("are both sides of the same version, and are both clocks right?"),
        }
    }
}

impl From<ProofsError> for Error {
    fn from(error: ProofsError) -> Self {
        match error {
            ProofsError::Storage(error) => error.into(),
            ProofsError::Proof(error) => error.into(),
            other => Self::new(Exit::Integrity, "bad-proof", other)
                .hint("put the file back from a copy, or delete it: it is in the folder `proofs`"),
        }
    }
}

impl From<MessageError> for Error {
    fn from(error: MessageError) -> Self {
        Self::new(Exit::Integrity, "bad-acceptance", error).hint(
            "give the line that `medvault agreement accept GRANT --out FILE` writes; it was altered \
             or cut off",
        )
    }
}
