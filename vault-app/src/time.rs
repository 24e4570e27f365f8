//! Points in time.

use jiff::Timestamp;
use vault_core::ClinicalDate;

use crate::error::{Error, Exit, Result};

/// Now, in seconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    (vault_core::system_clock())()
}

/// RFC 3339, in UTC; `seconds` since 1970-01-01.
pub fn rfc3339(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}

/// The day, as the clock on the wall shows it.
pub fn day(seconds: u64) -> String {
    local(seconds, "%Y-%m-%d")
}

/// Day and time, as the clock on the wall shows them.
pub fn minute(seconds: u64) -> String {
    local(seconds, "%Y-%m-%d %H:%M")
}

/// Today, where this device is.
///
/// # Errors
/// `clock` when the clock is so far out of range that there is no such day.
pub fn today() -> Result<ClinicalDate> {
    let text = day(now());
    text.parse().map_err(|_| {
        let what = format!("the clock of this device says {text}");
        Error::new(Exit::Failure, "clock", what).hint("set the clock")
    })
}

fn local(seconds: u64, format: &str) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(
        || seconds.to_string(),
        |time| {
            let here = time.to_zoned(jiff::tz::TimeZone::system());
            here.strftime(format).to_string()
        },
    )
}
