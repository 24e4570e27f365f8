//! The audit log as a statement, as on a bank account: who, what, why, and what became of it.

mod event;
mod names;
#[cfg(test)]
pub(crate) mod samples;
mod words;

pub use event::{Event, Outcome, Touch, events, touch};
pub use names::{Names, Title, beginning, some};
pub use words::{Line, words};
