//! The patient's node has moved: its ticket leads nowhere, the DHT leads to it.

use std::time::{Duration, Instant};

use crate::people::*;
use crate::serving::Serving;
use crate::world::{World, bundle};

const ANYWHERE: (&str, &str) = ("/ip4/127.0.0.1/tcp/0", "127.0.0.1:0");

fn serve(w: &World, who: &str) -> Serving {
    Serving::at(w, who, ANYWHERE.0, ANYWHERE.1)
}

/// Where a node is, as a peer to enter the DHT by.
fn entry(serving: &Serving) -> String {
    let event = serving.event();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    format!(
        "{}/p2p/{}",
        text(&event["addrs"][0]),
        text(&event["peer_id"])
    )
}

#[test]
fn a_reader_finds_a_node_that_moved_by_the_name_in_its_ticket() {
    let w = World::of(&["ada", "bo", "cy"]);
    let file = w.file("first.json", bundle(&[lab("a"), lab("bb")]));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");

    // cy's node is where the others enter the DHT; it knows nothing of Ada's vault
    w.ok("cy", &["config", "set", "ipfs.dht", "server"]);
    let cy = serve(&w, "cy");
    w.ok("ada", &["config", "set", "ipfs.dht", "client"]);
    w.ok("ada", &["config", "set", "ipfs.bootstrap", &entry(&cy)]);

    let before = serve(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    before.interrupt();
    let ada = serve(&w, "ada");
    let id = add(&w, "ada", "new.json", lab("ccc"));

    // without the DHT the ticket leads nowhere
    w.ok("bo", &["inbox", "accept", "--offline", &ticket]);
    refused(&w, "bo", &["inbox", "sync"], 7);
    w.ok("bo", &["config", "set", "ipfs.dht", "client"]);
    w.ok("bo", &["config", "set", "ipfs.bootstrap", &entry(&cy)]);
    let begun = Instant::now();
    while w.run("bo", &["inbox", "sync"]).code != 0 || !seen(&w).contains(&id) {
        assert!(begun.elapsed() < Duration::from_secs(60), "not found");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(seen(&w).len(), 3);
    // a process that has not asked for the head fetches the contents the same way
    assert_eq!(get(&w, "bo", &id), get(&w, "ada", &id));

    // nobody has the blocks any more; what was fetched stays
    ada.interrupt();
    assert_ne!(w.run("bo", &["inbox", "sync"]).code, 0);
    assert_eq!(seen(&w).len(), 3);
    cy.interrupt();
}
