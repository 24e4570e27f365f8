//! A connection for questions about access, made before there is a question.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/exchange.rs"]
mod exchange;

use std::time::Duration;

use common::{Party, client};
use exchange::{TIMEOUT, echo};
use vault_node::NodeError;

#[test]
fn nothing_is_sent_and_the_next_question_finds_the_connection() {
    let (node, client) = (Party::new(20, &[]).start(), client());
    echo(&node);
    let address = node.address();
    client.reach_access(&address, TIMEOUT).unwrap();
    client.reach_access(&address, TIMEOUT).unwrap();
    assert_eq!(node.iroh_stats().access.asked, 0);
    assert_eq!(client.ask_access(&address, b"a", TIMEOUT).unwrap(), b"a");
    let stats = node.iroh_stats().access;
    assert_eq!((stats.asked, stats.answered, stats.refused), (1, 1, 0));
}

#[test]
fn a_node_that_is_gone_is_not_reached() {
    let (node, client) = (Party::new(21, &[]).start(), client());
    let address = node.address();
    node.stop();
    let error = client.reach_access(&address, Duration::from_secs(2));
    let gone = matches!(
        error,
        Err(NodeError::Timeout { .. } | NodeError::Unreachable { .. })
    );
    assert!(gone, "{error:?}");
}
