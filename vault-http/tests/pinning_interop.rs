//! The pinning client and the sync against the mock service of the specification's own authors
//! (npm `mock-ipfs-pinning-service`), which checks every request against their OpenAPI file.
//!
//! Without `npm` the test is skipped, except where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/peers/tools.rs"]
mod tools;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use vault_core::pinning::{
    PinService, PinStatus, SyncOutcome, TokenSource, Wanted, sync, withdraw,
};
use vault_core::{Block, BlockStore, Cid, Codec, MemoryStore};
use vault_http::client::{BaseUrl, Http, HttpError, Token};
use vault_http::pinning::{Account, Filter, PinRequest, PinningError, PinningService};

/// The service, ended when dropped.
struct Mock {
    process: Child,
    url: BaseUrl,
}

impl Mock {
    /// `None`: there is no npm.
    fn start() -> Option<Self> {
        let packages = tools::npm(&Path::new(tools::SOURCES).join("pinning"), "pinning")?;
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new("node")
            .arg(packages.join("node_modules/mock-ipfs-pinning-service/cli.js"))
            .args(["--port", &port.to_string(), "--token", "sesame"])
            .args(["--loglevel", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = BaseUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mock = Self { process, url };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the mock is silent"
            );
            thread::sleep(Duration::from_millis(50));
        }
        Some(mock)
    }

    fn client(&self, token: &str) -> PinningService {
        PinningService::new(self.url.clone(), Token::parse(token).unwrap()).unwrap()
    }

    /// The mock takes the wish for a status from the name of a second request.
    fn set(&self, cid: &Cid, status: &str) {
        let token = Token::parse("sesame").unwrap();
        let http = Http::new(self.url.clone(), Some(token)).unwrap();
        let name = format!("{status}-x");
        let body = serde_json::json!({"cid": cid.to_string(), "name": name});
        http.post(&["pins"]).send_json(&body).unwrap();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill(); // it may have ended by itself
        let _ = self.process.wait();
    }
}

fn cid(number: u8) -> Cid {
    Block::new(Codec::DagCbor, vec![number]).unwrap().cid()
}

#[test]
fn the_service_of_the_specifications_authors() {
    let Some(mock) = Mock::start() else { return };
    let denied = mock.client("wrong").list(Filter::All).unwrap_err();
    assert!(matches!(
        denied,
        PinningError::Http(HttpError::Denied { status: 401, .. })
    ));

    // one request through its life
    let client = mock.client("sesame");
    let origins = vec!["/ip4/127.0.0.1/tcp/4001".to_owned()];
    let ask = |number| PinRequest {
        cid: cid(number),
        origins: &origins,
    };
    let pin = client.add(&ask(1)).unwrap();
    assert_eq!(pin.status, PinStatus::Queued);
    assert_eq!(pin.delegates.len(), 4);
    assert_eq!(
        client.list(Filter::Cids(&[cid(1)])).unwrap(),
        std::slice::from_ref(&pin)
    );
    mock.set(&cid(1), "pinned");
    assert_eq!(client.get(&pin.request).unwrap().status, PinStatus::Pinned);
    let other = client.replace(&pin.request, &ask(2)).unwrap();
    assert_ne!(other.request, pin.request);
    client.delete(&other.request).unwrap();
    client.delete(&other.request).unwrap();
    assert_eq!(client.list(Filter::All).unwrap(), []);

    // a vault that changes, twice
    let token = TokenSource::Command("true".into());
    let name = "s".parse().unwrap();
    let mut service = PinService::new(name, mock.url.to_string(), token);
    let canaries = MemoryStore::new();
    let mut account = Account::new(mock.client("sesame"), origins.clone());
    let save = &mut |_: &PinService| Ok(());
    let mut step = |service: &mut PinService, head: u8| -> SyncOutcome {
        let wanted = Wanted {
            head: cid(head),
            fresh: false,
        };
        sync(service, save, &canaries, &mut account, wanted).unwrap()
    };
    for head in 10..13 {
        let asked = step(&mut service, head);
        assert_eq!(asked.status, Some(PinStatus::Queued));
        assert_eq!(
            client.list(Filter::All).unwrap().len(),
            usize::from(head > 10) + 1
        );
        mock.set(&asked.root.unwrap(), "pinned");
        assert!(step(&mut service, head).settled);
        assert_eq!(step(&mut service, head).steps, 0);
        let left = client.list(Filter::All).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].cid, asked.root.unwrap().to_string());
    }
    assert_eq!(canaries.list().unwrap(), []);
    let mut account = Account::new(mock.client("sesame"), Vec::new());
    let save = &mut |_: &PinService| Ok(());
    assert!(
        withdraw(&mut service, save, &canaries, &mut account)
            .unwrap()
            .settled
    );
    assert_eq!(client.list(Filter::All).unwrap(), []);
}
