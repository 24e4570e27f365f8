//! Published test vectors for every format and primitive that the vault stands on.
//!
//! Those for X-Wing, HPKE-PQ and chunked encryption need the inside of the crate and lie beside
//! the code.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod cctv_age;
mod ml_kem;
mod wycheproof;
