//! When a head is published again: at once when it is new, before it expires, and later and later
//! after failures.

/// Shortest time between two attempts, in seconds: many changes in a row are published as one.
const SETTLE: u64 = 10;
/// Pause after the first failure, in seconds; it doubles with each further one.
const FIRST_PAUSE: u64 = 30;
/// Longest pause after failures, in seconds.
const LONGEST_PAUSE: u64 = 3600;
/// Longest time until the same head is published again, in seconds: what a network keeps of it
/// may be gone before it expires.
const LONGEST_REST: u64 = 12 * 3600;

/// When one publisher has to act. Times are in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The head that is out, by its number.
    published: Option<u64>,
    /// When an attempt ended last.
    last: Option<u64>,
    /// How long to rest after it.
    rest: u64,
    /// Failures in a row.
    failures: u32,
}

impl Schedule {
    /// When to publish the head with number `seq`; a moment that is not after `now` means at once.
    pub fn due(&self, seq: u64, now: u64) -> u64 {
        let Some(last) = self.last else {
            return now;
        };
        if last > now {
            return now; // the clock was set back, so nothing is known about the pause
        }
        let new = self.published.is_some_and(|published| published != seq);
        let rest = match self.failures {
            0 if new => SETTLE,
            _ => self.rest,
        };
        last.saturating_add(rest)
    }

    /// The head with number `seq` is out, and what was published is good until `valid_until`.
    pub fn succeeded(&mut self, seq: u64, valid_until: u64, now: u64) {
        let left = valid_until.saturating_sub(now);
        *self = Self {
            published: Some(seq),
            last: Some(now),
            rest: (left / 2).clamp(SETTLE, LONGEST_REST),
            failures: 0,
        };
    }

    /// An attempt failed.
    pub fn failed(&mut self, now: u64) {
        let doubled = FIRST_PAUSE.checked_shl(self.failures.min(16));
        self.rest = doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
    }

    /// The number of the head that is out, as far as this process knows.
    pub const fn published(&self) -> Option<u64> {
        self.published
    }

    /// Failures since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    #[test]
    fn a_new_head_goes_out_at_once_and_a_row_of_them_as_one() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.due(1, 1000), 1000);
        schedule.succeeded(1, 1000 + DAY, 1000);
        assert_eq!(schedule.published(), Some(1));
        assert_eq!(schedule.due(2, 1003), 1010);
        assert_eq!(schedule.due(3, 5000), 1010, "over long ago");
    }

    #[test]
    fn the_same_head_goes_out_again_well_before_it_expires() {
        let mut schedule = Schedule::default();
        schedule.succeeded(1, 1000 + 600, 1000);
        assert_eq!(schedule.due(1, 1001), 1300);
        schedule.succeeded(1, 1000 + 30 * DAY, 1000);
        assert_eq!(schedule.due(1, 1001), 1000 + DAY / 2);
        // published although it expires at once: not in a tight loop
        schedule.succeeded(1, 0, 1000);
        assert_eq!(schedule.due(1, 1001), 1010);
    }

    #[test]
    fn failures_make_it_slower_and_one_success_ends_that() {
        let mut schedule = Schedule::default();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..80 {
            schedule.failed(now);
            let due = schedule.due(1, now);
            pauses.push(due - now);
            now = due;
        }
        assert_eq!(
            &pauses[..9],
            &[30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
        );
        assert_eq!(pauses[79], 3600);
        assert_eq!(schedule.failures(), 80);
        // a newer head does not knock harder
        assert_eq!(schedule.due(2, now - 1), now);
        schedule.succeeded(2, now + DAY, now);
        assert_eq!(schedule.failures(), 0);
        assert_eq!(schedule.due(3, now), now + 10);
    }

    #[test]
    fn a_clock_that_was_a_day_ahead_does_not_stop_anything() {
        let mut schedule = Schedule::default();
        schedule.succeeded(1, 11 * DAY, 10 * DAY);
        assert_eq!(schedule.due(1, 9 * DAY), 9 * DAY);
        schedule.failed(10 * DAY);
        assert_eq!(schedule.due(1, 9 * DAY), 9 * DAY);
    }
}
