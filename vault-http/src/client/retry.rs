//! When to ask again: a decision without a clock, and a loop that takes its sleep from outside.

use std::time::Duration;

use super::error::HttpError;

/// How often, and after which pauses, a request that failed for a passing reason is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How often a request is made at most, the first included.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause. A service that asks for a longer one is not asked again.
    pub longest: Duration,
}

impl Default for Backoff {
    /// Five attempts: pauses of about half a second, one, two and four; never over a minute.
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// One attempt only.
    pub const ONCE: Self = Self {
        attempts: 1,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };

    /// The pause after the `made`-th attempt failed with `error`; `None` to give up.
    ///
    /// `chance` is a random number: the pause is drawn from the upper half of what is due, so that
    /// many clients that failed together do not come back together. What the service asks for
    /// (`Retry-After`) is kept in full.
    pub fn pause(&self, made: u32, error: &HttpError, chance: u16) -> Option<Duration> {
        if made >= self.attempts || !error.is_passing() {
            return None;
        }
        let doublings = made.saturating_sub(1).min(20);
        let due = self.first.saturating_mul(1 << doublings).min(self.longest);
        let drawn = due / 2 + (due / 2).mul_f64(f64::from(chance) / f64::from(u16::MAX));
        match error.retry_after() {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(drawn.max(asked)),
            None => Some(drawn),
        }
    }

    /// Makes a request until it succeeds, fails for good, or the attempts are used up.
    ///
    /// # Errors
    /// The last error.
    pub fn run<T>(
        &self,
        sleep: &mut dyn FnMut(Duration),
        mut request: impl FnMut() -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        let mut made = 0;
        loop {
            let error = match request() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            made += 1;
            let chance = u16::from_le_bytes(vault_core::random::array());
            match self.pause(made, &error, chance) {
                Some(pause) => sleep(pause),
                None => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: HttpError = HttpError::Server {
        status: 503,
        retry_after: None,
        reason: String::new(),
    };

    fn asked(seconds: u64) -> HttpError {
        HttpError::TooManyRequests {
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_end() {
        let policy = Backoff {
            attempts: 9,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(10),
        };
        let most: Vec<_> = (1..=9)
            .map(|made| {
                policy
                    .pause(made, &SERVER, u16::MAX)
                    .map(|pause| pause.as_secs())
            })
            .collect();
        assert_eq!(
            most,
            [
                Some(1),
                Some(2),
                Some(4),
                Some(8),
                Some(10),
                Some(10),
                Some(10),
                Some(10),
                None
            ]
        );
        assert_eq!(policy.pause(2, &SERVER, 0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_wish_of_the_service_is_kept_or_taken_as_a_no() {
        let policy = Backoff::default();
        assert_eq!(policy.pause(1, &asked(7), 0), Some(Duration::from_secs(7)));
        assert_eq!(policy.pause(1, &asked(61), 0), None);
    }

    #[test]
    fn what_will_not_mend_itself_is_not_repeated() {
        let denied = HttpError::Denied {
            status: 401,
            reason: String::new(),
        };
        let mut calls = 0;
        let answer: Result<(), _> = Backoff::default().run(&mut |_| panic!("slept"), || {
            calls += 1;
            Err(denied.clone())
        });
        assert_eq!(answer, Err(denied));
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_passing_fault_is_overcome_without_sleeping_in_the_test() {
        let mut slept = Vec::new();
        let mut calls = 0;
        let answer = Backoff::default().run(&mut |pause| slept.push(pause), || {
            calls += 1;
            if calls < 3 { Err(SERVER) } else { Ok(calls) }
        });
        assert_eq!(answer, Ok(3));
        assert_eq!(slept.len(), 2);
        assert!(slept[0] >= Duration::from_millis(250) && slept[0] <= Duration::from_millis(500));
        assert!(slept[1] >= Duration::from_millis(500) && slept[1] <= Duration::from_secs(1));
    }
}
