//! What a file turned out to be.

use vault_core::RecordMeta;
use vault_core::record::Problem;

use crate::{Derived, Person};

/// What a file, or a part of one, turned out to be. The file itself is the record; nothing here
/// changes it.
#[derive(Debug, Default)]
pub struct Understood {
    /// The summary of the original.
    pub meta: RecordMeta,
    /// Whom it is about: usually one person, none where it does not say.
    pub about: Vec<Person>,
    /// Resources that say the same in FHIR R4, and files that were inside.
    pub derived: Vec<Derived>,
    /// Parts that could not be understood. The original is kept all the same.
    pub problems: Vec<Problem>,
}

impl Understood {
    /// Notes a part that could not be understood.
    pub(crate) fn report(&mut self, at: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem {
            at: at.into(),
            what: what.into(),
        });
    }
}

/// When something is derived, in seconds since 1970-01-01 UTC. Handed in, so that nothing here asks
/// a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub u64);

impl Moment {
    /// As a FHIR `instant`: `2026-11-25T17:00:00Z`.
    pub fn instant(self) -> String {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).map_or_else(
            |_| "9999-12-31T23:59:59Z".to_owned(),
            |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_instants() {
        assert_eq!(Moment(0).instant(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment(1_790_000_000).instant(), "2026-09-21T14:13:20Z");
        assert_eq!(Moment(u64::MAX).instant(), "9999-12-31T23:59:59Z");
    }
}
