//! Padmé: lengths that say little.
//!
//! Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs" (PETS 2019), section 4.

/// The padded length for content of `len` bytes.
///
/// Only the leading `floor(log2 log2 len) + 1` bits after the first may be set, so a length leaks
/// `O(log log len)` bits. The result is at least `len` and less than 12 % longer. Lengths whose
/// padded form does not fit in 64 bits become [`u64::MAX`].
pub(crate) fn padme(len: u64) -> u64 {
    let Some(exponent) = len.checked_ilog2() else {
        return 0;
    };
    let Some(mantissa_bits) = exponent.checked_ilog2().map(|log| log + 1) else {
        return len;
    };
    let mask = (1_u64 << (exponent - mantissa_bits)) - 1;
    len.checked_add(mask).map_or(u64::MAX, |sum| sum & !mask)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::padme;

    #[test]
    fn known_values() {
        for (len, padded) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (7, 7),
            (8, 8),
            (9, 10),
            (17, 18),
            (100, 104),
            (1_000, 1_024),
            (1_025, 1_088),
            (1 << 30, 1 << 30),
            ((1 << 30) + 1, (1 << 30) + (1 << 25)),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(padme(len), padded, "{len}");
        }
    }

    proptest! {
        #[test]
        fn bounded_idempotent_and_monotone(len in 0_u64..1 << 42, step in 0_u64..1 << 20) {
            let padded = padme(len);
            prop_assert!(padded >= len);
            prop_assert!((padded - len) * 100 < 12 * len.max(1));
            prop_assert_eq!(padme(padded), padded);
            prop_assert!(padme(len + step) >= padded);
        }

        #[test]
        fn short_lengths_too(len in 0_u64..10_000) {
            let padded = padme(len);
            prop_assert!(padded >= len && (padded - len) * 100 < 12 * len.max(1));
        }
    }
}
