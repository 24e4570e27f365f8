//! Sizes as people type them.

/// A number of bytes with a unit: `500kB`, `100MB`, `2GiB`; without one, bytes. Units of a thousand
/// end in `B`, those of 1024 in `iB`.
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => 0,
    };
    let number: Option<u64> = number.parse().ok();
    number
        .filter(|_| factor > 0)
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "not a size: write 500kB, 100MB or 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("123", 123),
            ("5 kB", 5000),
            ("100MB", 100_000_000),
            ("2GiB", 2 << 30),
            ("1kib", 1024),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1.5MB", "1TB", "99999999999999GB", "1 MBx"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
