//! The facade for apps: the story of a patient and a clinic through it, what goes wrong, and the same
//! from the other languages.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bindings;
mod hostile;
mod life;
mod story;
mod support;
