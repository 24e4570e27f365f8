//! Two people, each with a home, a process and a node of their own, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod demo;
mod idle;
mod kills;
#[path = "../peers/link.rs"]
mod link;
mod logs;
mod lossy;
mod people;
mod private;
mod quiet;
mod reading;
mod refusals;
mod rollback;
mod serving;
mod together;
// a part of it is for the other tests
#[allow(dead_code)]
#[path = "../cli/world.rs"]
mod world;
