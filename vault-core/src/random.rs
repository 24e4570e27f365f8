//! The only door to the operating system's random numbers.

/// Fills `buffer` with random bytes.
///
/// # Panics
/// When the operating system has no random source. Nothing in a vault can be made safely without
/// one, and there is no caller that could do better than stop.
pub fn fill(buffer: &mut [u8]) {
    #[allow(clippy::expect_used)] // documented above: no safe way to go on
    getrandom::fill(buffer).expect("the operating system's random source");
}

/// `N` fresh random bytes.
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
