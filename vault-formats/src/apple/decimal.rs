//! Decimal numbers that are added and compared without losing a digit.

use std::cmp::Ordering;
use std::fmt;

/// Most digits behind the point, and most digits that a shift can move by.
const MAX_SCALE: u32 = 36;

/// A decimal number of up to 38 digits: `digits` times ten to the power of `-scale`. It keeps the
/// zeros it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// Reads `12`, `-0.50` or `5.2e-05`; `None` for anything else and for more digits than fit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 64 {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut digits: i128 = 0;
        for b in whole.bytes().chain(fraction.bytes()) {
            if !b.is_ascii_digit() {
                return None;
            }
            let digit = i128::from(b - b'0');
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        if negative {
            digits = -digits;
        }
        let number = Self {
            digits,
            scale: u32::try_from(fraction.len()).ok()?,
        };
        let number = number.shifted(exponent)?;
        (number.scale <= MAX_SCALE).then_some(number)
    }

    /// Times ten to the power of `by`, by moving the point.
    pub(super) fn shifted(self, by: i32) -> Option<Self> {
        let scale = i64::from(self.scale) - i64::from(by);
        if let Ok(scale) = u32::try_from(scale) {
            return (scale <= MAX_SCALE).then_some(Self { scale, ..self });
        }
        let zeros = u32::try_from(-scale).ok()?;
        let digits = self.digits.checked_mul(10i128.checked_pow(zeros)?)?;
        Some(Self { digits, scale: 0 })
    }

    /// The exact sum, with as many digits behind the point as the longer of both has; `None` when
    /// it does not fit.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let digits = self.at(scale)?.checked_add(other.at(scale)?)?;
        Some(Self { digits, scale })
    }

    fn at(self, scale: u32) -> Option<i128> {
        let zeros = scale.checked_sub(self.scale)?;
        self.digits.checked_mul(10i128.checked_pow(zeros)?)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.order(*other))
    }
}

impl Decimal {
    /// By value: `1.0` and `1` are the same here.
    pub(super) fn order(self, other: Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at(scale), other.at(scale)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // only one of them needs zeros; if those do not fit, it is the larger by far
            (None, _) => self.digits.cmp(&0),
            (_, None) => 0.cmp(&other.digits),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.scale as usize + 1;
        let digits = format!("{:0>width$}", self.digits.unsigned_abs());
        let sign = if self.digits < 0 { "-" } else { "" };
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        if fraction.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn digits_stay_as_written() {
        for (text, expected) in [
            ("74", "74"),
            ("0.12", "0.12"),
            ("-0.50", "-0.50"),
            ("007.10", "7.10"),
            (".5", "0.5"),
            ("+3.", "3"),
            ("5.2e-05", "0.000052"),
            ("1.28e+06", "1280000"),
            ("1.5E1", "15"),
            (
                "12345678901234567890123456789.012345678",
                "12345678901234567890123456789.012345678",
            ),
        ] {
            assert_eq!(decimal(text).to_string(), expected, "{text}");
        }
        for bad in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1,5",
            "NaN",
            "inf",
            "1.2.3",
            "--1",
            "1e40",
            "1e-40",
            "1e99999999999",
            "\u{661}",
            &"9".repeat(40),
            &format!("{}1", "0".repeat(64)),
        ] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sums_and_order_are_exact() {
        let sum = |texts: &[&str]| {
            let start = Decimal::parse("0");
            let sum = texts
                .iter()
                .fold(start, |sum, text| sum?.plus(decimal(text)));
            sum.map(|sum| sum.to_string())
        };
        assert_eq!(sum(&["0.1", "0.2"]).as_deref(), Some("0.3"));
        assert_eq!(sum(&["0.12", "0.080", "1"]).as_deref(), Some("1.200"));
        assert_eq!(sum(&["1", "-1.05"]).as_deref(), Some("-0.05"));
        let huge = "9".repeat(38);
        assert_eq!(sum(&[&huge, &huge]), None);
        for (a, b, expected) in [
            ("1.0", "1", Ordering::Equal),
            ("0.9", "0.12", Ordering::Greater),
            ("-0.9", "-0.12", Ordering::Less),
            (&huge, "0.000001", Ordering::Greater),
            ("0.000001", &huge, Ordering::Less),
            ("-0.000001", &format!("-{huge}"), Ordering::Greater),
        ] {
            assert_eq!(decimal(a).order(decimal(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn moving_the_point() {
        for (text, expected) in [
            ("0.97", "97"),
            ("0.975", "97.5"),
            ("0.9", "90"),
            ("1", "100"),
            ("0.0008", "0.08"),
            ("-0.25", "-25"),
        ] {
            let shifted = decimal(text).shifted(2).unwrap();
            assert_eq!(shifted.to_string(), expected, "{text}");
        }
        assert_eq!(decimal(&"9".repeat(38)).shifted(2), None);
    }
}
