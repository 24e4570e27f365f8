//! Gateways and routing servers that behave badly, and good ones behind them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

#[path = "../../tests/peers/web.rs"]
mod web;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use vault_core::{
    Block, BlockStore, CarWriter, Cid, Codec, Device, Fetcher, IpnsName, IpnsRecord, MemoryStore,
    RecoveryWords, SourceError,
};
use vault_http::client::{BaseUrl, Timeouts};
use vault_http::gateway::{DagScope, Gateway, Gateways};
use vault_http::routing::{Routing, RoutingError};
use web::{Asked, Reply, Web};

const NOW: u64 = 1_790_000_000;
const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car";
const RECORD: &str = "application/vnd.ipfs.ipns-record";

/// Patience of these tests.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(2),
    silence: Duration::from_secs(2),
    total: Some(Duration::from_secs(3)),
};

/// What a bad server does.
type Misdeed = Box<dyn Fn() -> Reply + Send + Sync>;

fn block(text: &str) -> Block {
    Block::new(Codec::Raw, text.as_bytes().to_vec()).unwrap()
}

fn blocks(count: usize) -> (Vec<Block>, Vec<Cid>) {
    let blocks: Vec<Block> = (0..count).map(|n| block(&format!("block {n}"))).collect();
    let cids = blocks.iter().map(Block::cid).collect();
    (blocks, cids)
}

fn base(web: &Web) -> BaseUrl {
    BaseUrl::parse(&web.url()).unwrap()
}

fn gateway(web: &Web) -> Gateway {
    Gateway::with_timeouts(base(web), SHORT).unwrap()
}

fn gateways(list: &[&Web]) -> Gateways {
    Gateways::new(list.iter().map(|web| gateway(web)).collect())
}

/// A gateway that has these blocks.
fn good(blocks: &[Block]) -> Web {
    let blocks = blocks.to_vec();
    Web::start(move |asked| answer(asked, &blocks))
}

fn answer(asked: &Asked, blocks: &[Block]) -> Reply {
    let wanted: Cid = asked.path.strip_prefix("/ipfs/").unwrap().parse().unwrap();
    let found = blocks.iter().find(|block| block.cid() == wanted);
    match (asked.query.as_str(), found) {
        ("format=raw", Some(block)) => {
            assert_eq!(asked.accept, RAW);
            Reply::Ok(RAW, block.data().to_vec())
        }
        ("format=car&dag-scope=all", Some(_)) => Reply::Ok(CAR, car(blocks)),
        _ => Reply::Status(404),
    }
}

fn car(blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[blocks[0].cid()]).unwrap();
    for block in blocks {
        car.put(block).unwrap();
    }
    car.finish().unwrap()
}

/// Everything that a gateway may do wrong when it is asked for a block.
fn misdeeds(block: &Block) -> Vec<(&'static str, Misdeed)> {
    let (data, around) = (block.data().to_vec(), car(std::slice::from_ref(block)));
    vec![
        (
            "wrong bytes",
            Box::new(|| Reply::Ok(RAW, b"wrong".to_vec())),
        ),
        ("nothing", Box::new(|| Reply::Ok(RAW, Vec::new()))),
        ("a CAR", Box::new(move || Reply::Ok(RAW, around.clone()))),
        ("cut off", Box::new(move || Reply::Cut(data.clone(), 3))),
        ("endless", Box::new(|| Reply::Endless)),
        ("dripping", Box::new(|| Reply::Drip)),
        ("404", Box::new(|| Reply::Status(404))),
        ("410", Box::new(|| Reply::Status(410))),
        ("429", Box::new(|| Reply::Status(429))),
        ("500", Box::new(|| Reply::Status(500))),
        (
            "302",
            Box::new(|| Reply::Redirect("http://127.0.0.1:1/".into())),
        ),
        (
            "silent",
            Box::new(|| Reply::Silent(Duration::from_secs(20))),
        ),
        ("noise", Box::new(|| Reply::Noise)),
    ]
}

#[test]
fn whatever_a_gateway_does_the_next_one_is_asked_and_nothing_wrong_is_taken() {
    let block = block("the block that is wanted");
    let behind = good(std::slice::from_ref(&block));
    for (what, reply) in misdeeds(&block) {
        let bad = Web::start(move |_| reply());
        let fetched = gateways(&[&bad, &behind]).fetch(&[block.cid()]).unwrap();
        assert_eq!(fetched, std::slice::from_ref(&block), "{what}");
        assert!(!bad.asked().is_empty(), "{what}");
        let alone = gateways(&[&bad]).block(&block.cid());
        let as_it_should = match what {
            "404" | "410" => matches!(alone, Err(SourceError::Missing(_))),
            _ => matches!(alone, Err(SourceError::Network(_))),
        };
        assert!(as_it_should, "{what}: {alone:?}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let block = block("wanted");
    let behind = good(std::slice::from_ref(&block));
    let to = format!("{}/ipfs/{}?format=raw", behind.url(), block.cid());
    let pointing = Web::start(move |_| Reply::Redirect(to.clone()));
    assert!(gateways(&[&pointing]).block(&block.cid()).is_err());
    assert!(behind.asked().is_empty());
}

#[test]
fn whoever_lies_once_is_not_asked_again() {
    let (blocks, cids) = blocks(40);
    let liar = Web::start(|_| Reply::Ok(RAW, b"lie".to_vec()));
    let honest = good(&blocks);
    let both = gateways(&[&liar, &honest]);
    both.block(&cids[0]).unwrap();
    assert_eq!(both.fetch(&cids).unwrap().len(), 40);
    assert_eq!(liar.asked().len(), 1);
    let complaints = both.complaints();
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].is_false && complaints[0].url == liar.url());
    assert!(
        complaints[0].what.contains("do not match"),
        "{complaints:?}"
    );
}

#[test]
fn whoever_fails_again_and_again_is_asked_last() {
    let (blocks, _) = blocks(10);
    let broken = Web::start(|_| Reply::Status(500));
    let honest = good(&blocks);
    let both = gateways(&[&broken, &honest]);
    for block in &blocks {
        assert_eq!(both.block(&block.cid()).unwrap(), *block);
    }
    assert_eq!(broken.asked().len(), 3);
    assert!(!both.complaints()[0].is_false);
}

#[test]
fn many_blocks_come_side_by_side() {
    let (blocks, cids) = blocks(32);
    let slow = Web::start(move |asked| {
        std::thread::sleep(Duration::from_millis(200));
        answer(asked, &blocks)
    });
    let begun = Instant::now();
    assert_eq!(gateways(&[&slow]).fetch(&cids).unwrap().len(), 32);
    // one after the other would take over six seconds
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_car_brings_what_was_asked_for_and_nothing_else() {
    let (blocks, cids) = blocks(5);
    let honest = good(&blocks);
    let store = MemoryStore::new();
    let came = gateways(&[&honest]).copy(&cids[0], &cids, &store);
    assert_eq!((came.unwrap(), store.list().unwrap().len()), (5, 5));
    assert_eq!(honest.asked().len(), 1, "one CAR is enough");

    let all = car(&blocks);
    let more = car(&[&blocks[..], &[block("more")]].concat());
    let mut altered = all.clone();
    *altered.last_mut().unwrap() ^= 1;
    let half = all.len() / 2;
    let cases: [(&str, Misdeed); 7] = [
        ("cut", Box::new(move || Reply::Cut(all.clone(), half))),
        ("altered", Box::new(move || Reply::Ok(CAR, altered.clone()))),
        ("more", Box::new(move || Reply::Ok(CAR, more.clone()))),
        ("no CAR", Box::new(|| Reply::Ok(CAR, b"<html>".to_vec()))),
        ("endless", Box::new(|| Reply::Endless)),
        ("500", Box::new(|| Reply::Status(500))),
        ("noise", Box::new(|| Reply::Noise)),
    ];
    for (what, reply) in cases {
        // bad at CARs, honest about blocks
        let kept = blocks.clone();
        let bad = Web::start(move |asked| match asked.query.starts_with("format=car") {
            true => reply(),
            false => answer(asked, &kept),
        });
        let wanted: HashSet<Cid> = cids.iter().copied().collect();
        let mut came = Vec::new();
        let mut take = |block: Block| {
            came.push(block.cid());
            Ok(())
        };
        let taken = gateway(&bad).car(&cids[0], DagScope::All, &wanted, &mut take);
        assert!(taken.is_err(), "{what}");
        assert!(came.iter().all(|cid| wanted.contains(cid)), "{what}");
        // with an honest one behind it, everything comes
        let store = MemoryStore::new();
        let both = gateways(&[&bad, &honest]);
        assert_eq!(both.copy(&cids[0], &cids, &store).unwrap(), 5, "{what}");
        assert_eq!(store.list().unwrap().len(), 5, "{what}");
    }
}

fn name_and_record() -> (IpnsName, IpnsRecord) {
    let device = Device::for_new_vault(&RecoveryWords::generate(), NOW);
    let head = Cid::new(Codec::DagCbor, block("head").cid().digest());
    let record = IpnsRecord::sign(&device.ipns_key(), head, 7, NOW + 100);
    (device.ipns_name(), record)
}

#[test]
fn records_are_taken_from_gateways_and_routing_servers_when_they_hold() {
    let (name, record) = name_and_record();
    let (_, foreign) = name_and_record();
    let serve = |kind, bytes: Vec<u8>| {
        Web::start(move |asked| match asked.path.contains("/ipns/k51") {
            true => Reply::Ok(kind, bytes.clone()),
            false => Reply::Status(404),
        })
    };
    let ask = |web: &Web, now| {
        let routing = Routing::with_timeouts(base(web), SHORT).unwrap();
        let by_gateway = gateway(web).ipns_record(&name, now);
        (by_gateway, routing.get_name(&name, now))
    };
    let honest = serve(RECORD, record.as_bytes().to_vec());
    let (by_gateway, by_routing) = ask(&honest, NOW);
    assert_eq!(by_gateway.unwrap(), record);
    assert_eq!(by_routing.unwrap(), record);
    let by_gateway = format!("GET /ipns/{name}?format=ipns-record");
    let by_routing = format!("GET /routing/v1/ipns/{name}?");
    assert_eq!(honest.asked(), [by_gateway, by_routing]);
    let (late, late_too) = ask(&honest, NOW + 101);
    assert!(late.is_err_and(|error| !error.is_false()));
    assert!(late_too.is_err());

    for bytes in [foreign.as_bytes(), b"<html>", &[7; 20_000]] {
        let (by_gateway, by_routing) = ask(&serve(RECORD, bytes.to_vec()), NOW);
        assert!(by_gateway.is_err_and(|error| error.is_false()));
        assert!(by_routing.is_err());
    }
    let nothing = serve("text/plain", b"record not found".to_vec());
    assert!(matches!(ask(&nothing, NOW).1, Err(RoutingError::NoRecord)));
}

#[test]
fn records_are_handed_in_as_they_are() {
    let (name, record) = name_and_record();
    let sent = record.as_bytes().to_vec();
    let server = Web::start(move |asked| {
        let as_sent = asked.method == "PUT" && asked.body == sent;
        Reply::Status(if as_sent { 200 } else { 400 })
    });
    // the path may be named or not
    for url in [server.url(), format!("{}/routing/v1", server.url())] {
        let routing = Routing::with_timeouts(BaseUrl::parse(&url).unwrap(), SHORT).unwrap();
        routing.put_name(&name, &record).unwrap();
    }
    let path = format!("PUT /routing/v1/ipns/{name}?");
    assert_eq!(server.asked(), [path.clone(), path]);
    let refusing = Web::start(|_| Reply::Status(400));
    let routing = Routing::new(base(&refusing)).unwrap();
    assert!(routing.put_name(&name, &record).is_err());
}

#[test]
fn providers_are_asked_for() {
    let id = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
    let line = format!(r#"{{"Schema":"peer","ID":"{id}","Addrs":["/ip4/127.0.0.1/tcp/1"]}}"#);
    let ask = |kind, body: String| {
        let web = Web::start(move |_| Reply::Ok(kind, body.clone().into_bytes()));
        Routing::new(base(&web))
            .unwrap()
            .providers(&block("x").cid())
    };
    let lines = ask("application/x-ndjson", format!("{line}\n{line}\n"));
    assert_eq!(lines.unwrap().len(), 2);
    let list = ask("application/json", format!(r#"{{"Providers":[{line}]}}"#));
    assert_eq!(list.unwrap()[0].addrs, ["/ip4/127.0.0.1/tcp/1"]);
    assert!(ask("application/json", "<html>".into()).is_err());
}
