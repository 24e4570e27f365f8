//! Two people, each with a home, a process and a node of their own, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod demo;
mod kills;
mod kubo;
#[path = "../peers/link.rs"]
mod link;
mod lossy;
mod people;
mod reading;
mod refusals;
mod rollback;
mod serving;
mod together;
// a part of it is for the other tests
#[allow(dead_code)]
#[path = "../cli/world.rs"]
mod world;
