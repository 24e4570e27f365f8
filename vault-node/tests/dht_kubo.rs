//! Names and providers between our node and a real Kubo, through its DHT for private networks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "../../tests/peers/kubo.rs"]
mod kubo;

use std::time::{Duration, Instant};

use common::{Party, fetch_all, first_address};
use kubo::Kubo;
use vault_core::{Block, BlockStore, Cid, Codec, IpnsName, IpnsRecord, SigningKey};
use vault_node::{DhtConfig, Node, best_record, peer_id};

const TIMEOUT: Duration = Duration::from_secs(20);
const FAR: u64 = 4_000_000_000;

fn head(number: u8) -> Block {
    Block::new(Codec::DagCbor, vec![0x81, number]).unwrap()
}

/// Our node, as one more server of the DHT that Kubo is in.
fn ours(seed: u8, kubo: &Kubo) -> (Party, Node) {
    let mut party = Party::new(seed, &["/ip4/127.0.0.1/tcp/0"]);
    let addr = kubo.addrs();
    let addr = addr.iter().find(|addr| addr.contains("/tcp/")).unwrap();
    party.dht = Some(DhtConfig {
        server: true,
        bootstrap: vec![format!("{addr}/p2p/{}", kubo.peer_id())],
    });
    let node = party.start();
    // Kubo takes a peer into its routing table some time after it has met it
    kubo.run(&["swarm", "connect", &first_address(&node)]);
    (party, node)
}

/// Tries until it works: nodes get to know each other at their own pace.
fn soon<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn kubo_finds_our_head_by_name_and_our_node_as_its_provider() {
    let Some(kubo) = Kubo::start_with("dhtserver", &[]) else {
        return;
    };
    let (party, node) = ours(41, &kubo);
    party.store.put(&[head(5)]).unwrap();
    let key = SigningKey::from_seed(&[42; 32]);
    let name = IpnsName::new(key.public());
    let record = IpnsRecord::sign(&key, head(5).cid(), 5, FAR);
    soon("kubo takes the record", || {
        node.publish_name(&name, record.as_bytes()).ok()
    });
    soon("kubo takes the announcement", || {
        node.provide(&head(5).cid()).ok()
    });

    let resolve = ["name", "resolve", "--nocache", &name.to_string()];
    let path = soon("kubo resolves the name", || {
        let path = kubo.try_run_with(&resolve, b"");
        path.ok().map(|path| String::from_utf8(path).unwrap())
    });
    assert_eq!(path.trim(), format!("/ipfs/{}", head(5).cid()));
    let cid = head(5).cid().to_string();
    let own = peer_id(&node.address()).unwrap();
    soon("kubo finds the provider", || {
        let found = kubo.try_run_with(&["routing", "findprovs", &cid], b"");
        let found = String::from_utf8(found.ok()?).unwrap();
        found.lines().any(|line| line == own).then_some(())
    });
    // and fetches from it after it was cut off
    kubo.run(&["swarm", "disconnect", &first_address(&node)]);
    let fetched = kubo.run_with(&["block", "get", &cid], b"");
    assert_eq!(fetched, head(5).data());
    node.stop();
}

#[test]
fn we_find_what_kubo_publishes_and_fetch_it() {
    let Some(kubo) = Kubo::start_with("dhtserver", &[]) else {
        return;
    };
    let (_, node) = ours(43, &kubo);
    let put = ["block", "put", "--cid-codec=dag-cbor"];
    let cid = kubo.run_with(&put, head(6).data());
    let cid: Cid = String::from_utf8(cid).unwrap().trim().parse().unwrap();
    assert_eq!(cid, head(6).cid());
    soon("kubo publishes", || {
        let path = format!("/ipfs/{cid}");
        let published = kubo.try_run_with(&["name", "publish", "--resolve=false", &path], b"");
        published.ok()
    });
    soon("kubo announces", || {
        let announced = kubo.try_run_with(&["routing", "provide", &cid.to_string()], b"");
        announced.ok()
    });

    let addr = kubo.addrs();
    let addr = addr.iter().find(|addr| addr.contains("/tcp/")).unwrap();
    let config = DhtConfig {
        server: false,
        bootstrap: vec![format!("{addr}/p2p/{}", kubo.peer_id())],
    };
    let reader = Node::start_client([44; 32], [44; 32], Some(config)).unwrap();
    let name: IpnsName = kubo.peer_id().parse().unwrap();
    let found = reader.resolve_names(&name, TIMEOUT).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let best = best_record(&found, &name, now.unwrap().as_secs()).unwrap();
    assert_eq!(best.head(), cid);
    let providers = reader.find_providers(&cid, TIMEOUT).unwrap();
    let kubo_key = *name.key();
    let providers: Vec<_> = providers
        .into_iter()
        .filter(|one| one.peer == kubo_key)
        .collect();
    assert_eq!(providers.len(), 1);
    assert_eq!(fetch_all(&reader, &providers, &[head(6)]), []);
    node.stop();
}
