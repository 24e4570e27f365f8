//! Who may deposit, and how much: one function, and nothing that it depends on but its arguments.

use serde::{Deserialize, Serialize};

/// Longest parcel that is ever taken, in bytes (16 GiB).
pub const MAX_PARCEL_LEN: u64 = 16 << 30;

/// What a contact may deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositLimit {
    /// Most bytes that may wait for the patient's decision at once.
    #[serde(rename = "b")]
    pub bytes: u64,
    /// Most deposits in 24 hours.
    #[serde(rename = "d")]
    pub per_day: u32,
}

impl DepositLimit {
    /// What a member of a grant whose terms allow deposits may send: 256 MiB waiting, 100 deposits
    /// a day.
    pub const OF_A_GRANT: Self = Self {
        bytes: 256 << 20,
        per_day: 100,
    };

    /// Deposits a day when the patient gives no number.
    pub const PER_DAY: u32 = 100;
}

/// Why a deposit is refused before its first byte. The code goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepositRefusal {
    /// The sender is not a contact of the patient.
    #[error("the patient does not know the sender")]
    Stranger,
    /// The sender is a contact who may not deposit.
    #[error("the patient takes no deposits from the sender")]
    NotAllowed,
    /// What waits already, with this, is more than the sender may have waiting.
    #[error("too much of the sender's waits for the patient already")]
    Quota,
    /// Too many deposits in 24 hours.
    #[error("the sender has deposited too often today")]
    Rate,
    /// Longer than any deposit of the sender may be.
    #[error("the deposit is longer than the sender may send")]
    TooLarge,
    /// The clocks of the two sides are too far apart.
    #[error("the clocks of the two sides are too far apart")]
    Clock,
    /// The announcement is not valid, or the bytes are not those that were announced.
    #[error("the deposit is malformed, or not what was announced")]
    Malformed,
    /// The patient's node cannot take anything now.
    #[error("the patient's node cannot take a deposit now")]
    Busy,
    /// Another deposit has this id.
    #[error("another deposit of this id was delivered already")]
    Already,
}

impl DepositRefusal {
    const ALL: [Self; 9] = [
        Self::Stranger,
        Self::NotAllowed,
        Self::Quota,
        Self::Rate,
        Self::TooLarge,
        Self::Clock,
        Self::Malformed,
        Self::Busy,
        Self::Already,
    ];

    /// The short name that goes over the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::NotAllowed => "not-allowed",
            Self::Quota => "quota",
            Self::Rate => "rate",
            Self::TooLarge => "too-large",
            Self::Clock => "clock",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::Already => "already",
        }
    }

    /// The refusal of this short name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

/// What is known of a sender's earlier deposits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Bytes that wait for the patient's decision.
    pub waiting: u64,
    /// Deposits in the last 24 hours, whatever became of them.
    pub today: u64,
}

/// Decides about a deposit of `bytes` bytes from a contact with this limit.
///
/// # Errors
/// [`DepositRefusal::NotAllowed`] without a limit or with one of no bytes,
/// [`DepositRefusal::TooLarge`], [`DepositRefusal::Quota`], [`DepositRefusal::Rate`].
pub fn may_deposit(
    limit: Option<&DepositLimit>,
    earlier: Earlier,
    bytes: u64,
) -> Result<(), DepositRefusal> {
    let limit = limit
        .filter(|limit| limit.bytes > 0)
        .ok_or(DepositRefusal::NotAllowed)?;
    if bytes > limit.bytes.min(MAX_PARCEL_LEN) {
        return Err(DepositRefusal::TooLarge);
    }
    if earlier.today >= u64::from(limit.per_day) {
        return Err(DepositRefusal::Rate);
    }
    match earlier.waiting.checked_add(bytes) {
        Some(sum) if sum <= limit.bytes => Ok(()),
        _ => Err(DepositRefusal::Quota),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: DepositLimit = DepositLimit {
        bytes: 1000,
        per_day: 3,
    };

    fn decide(waiting: u64, today: u64, bytes: u64) -> Result<(), DepositRefusal> {
        may_deposit(Some(&LIMIT), Earlier { waiting, today }, bytes)
    }

    #[test]
    fn the_borders_are_where_the_limit_says() {
        assert_eq!(decide(0, 0, 1000), Ok(()));
        assert_eq!(decide(0, 0, 1001), Err(DepositRefusal::TooLarge));
        assert_eq!(decide(400, 2, 600), Ok(()));
        assert_eq!(decide(401, 2, 600), Err(DepositRefusal::Quota));
        assert_eq!(decide(0, 3, 1), Err(DepositRefusal::Rate));
        assert_eq!(decide(u64::MAX, 0, 1), Err(DepositRefusal::Quota));
    }

    #[test]
    fn without_a_limit_nothing_is_taken() {
        let nothing = DepositLimit {
            bytes: 0,
            per_day: 9,
        };
        for limit in [None, Some(&nothing)] {
            let refused = may_deposit(limit, Earlier::default(), 0);
            assert_eq!(refused, Err(DepositRefusal::NotAllowed));
        }
        let endless = DepositLimit {
            bytes: u64::MAX,
            per_day: 1,
        };
        let refused = may_deposit(Some(&endless), Earlier::default(), MAX_PARCEL_LEN + 1);
        assert_eq!(refused, Err(DepositRefusal::TooLarge));
    }

    #[test]
    fn every_code_is_read_as_what_it_was() {
        for refusal in DepositRefusal::ALL {
            assert_eq!(DepositRefusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(DepositRefusal::from_code("please"), None);
    }

    proptest! {
        /// More waiting, more today, or more bytes never turns a no into a yes; a greater limit
        /// never turns a yes into a no.
        #[test]
        fn it_is_monotonous(
            (bytes, per_day) in (0..2000_u64, 0..5_u32),
            (waiting, today, len) in (0..2000_u64, 0..5_u64, 0..2000_u64),
            more in (0..500_u64, 0..3_u64, 0..500_u64),
        ) {
            let limit = DepositLimit { bytes, per_day };
            let greater = DepositLimit { bytes: bytes + more.0, per_day: per_day + more.1 as u32 };
            let earlier = Earlier { waiting, today };
            let later = Earlier { waiting: waiting + more.0, today: today + more.1 };
            let now = may_deposit(Some(&limit), earlier, len).is_ok();
            if now {
                prop_assert!(waiting + len <= bytes && today < u64::from(per_day));
                prop_assert!(may_deposit(Some(&greater), earlier, len).is_ok());
            } else {
                prop_assert!(may_deposit(Some(&limit), later, len + more.2).is_err());
            }
        }
    }
}
