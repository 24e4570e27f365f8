//! Two people, each with a home, a process and a node of their own, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent_case;
mod agents;
mod demo;
mod deposits;
mod dht;
mod finding;
mod idle;
mod in_kubo;
mod kills;
#[path = "../peers/kubo.rs"]
mod kubo;
mod kubo_gateway;
#[path = "../peers/link.rs"]
mod link;
mod logs;
mod lossy;
mod on_request;
mod people;
mod pinning;
#[path = "../peers/pinning_service.rs"]
mod pinning_service;
mod private;
mod public;
mod quiet;
mod reading;
mod refusals;
mod rollback;
mod serving;
mod together;
#[path = "../peers/web.rs"]
mod web;
// a part of it is for the other tests
#[allow(dead_code)]
#[path = "../cli/world.rs"]
mod world;
