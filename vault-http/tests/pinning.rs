//! The pinning client against a service that misbehaves in every way that services do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/peers/pinning_service.rs"]
mod pinning_service;

use std::time::Duration;

use vault_core::pinning::{
    PinService, PinStatus, SyncError, SyncOutcome, TokenSource, Wanted, sync, withdraw,
};
use vault_core::{Block, BlockStore, Cid, Codec, MemoryStore};
use vault_http::client::{Backoff, BaseUrl, Http, HttpError, Options, Timeouts, Token};
use vault_http::pinning::{Account, Filter, PinRequest, PinningError, PinningService};

use pinning_service::{Fault, Service, TOKEN};

fn client_with(service: &Service, token: &str) -> PinningService {
    let timeouts = Timeouts {
        connect: Duration::from_secs(2),
        answer: Duration::from_millis(500),
        silence: Duration::from_millis(500),
        total: Some(Duration::from_secs(5)),
    };
    let options = Options {
        timeouts,
        redirects: 0,
    };
    let url = BaseUrl::parse(&service.url).unwrap();
    let http = Http::with_options(url, Some(Token::parse(token).unwrap()), options).unwrap();
    PinningService::with_http(http).with_backoff(Backoff {
        attempts: 3,
        first: Duration::from_millis(1),
        longest: Duration::from_secs(2),
    })
}

fn client(service: &Service) -> PinningService {
    client_with(service, TOKEN)
}

fn cid(number: u8) -> Cid {
    Block::new(Codec::DagCbor, vec![number]).unwrap().cid()
}

fn ask(number: u8) -> PinRequest<'static> {
    PinRequest {
        cid: cid(number),
        origins: &[],
    }
}

#[test]
fn a_request_goes_through_its_life() {
    let service = Service::idle();
    let client = client(&service);
    let pin = client.add(&ask(1)).unwrap();
    assert_eq!(pin.status, PinStatus::Queued);
    let listed = client.list(Filter::All).unwrap();
    assert_eq!(listed.len(), 1, "not only what is pinned");
    service.set_all("pinned");
    let now = client.get(&pin.request).unwrap();
    assert_eq!(now.status, PinStatus::Pinned);
    assert_eq!(now.details.as_deref(), Some("as ordered"));
    let other = client.replace(&pin.request, &ask(2)).unwrap();
    assert_eq!(other.cid, cid(2).to_string());
    client.delete(&other.request).unwrap();
    client.delete(&other.request).unwrap();
    assert_eq!(client.list(Filter::All).unwrap(), []);
}

#[test]
fn long_lists_come_in_pages_and_filters_are_not_trusted() {
    let service = Service::idle();
    let client = client(&service);
    for number in 0..25 {
        client.add(&ask(number)).unwrap();
    }
    service.state().page = 4;
    assert_eq!(client.list(Filter::All).unwrap().len(), 25);
    let wanted: Vec<Cid> = (0..25).step_by(2).map(cid).collect();
    let found = client.list(Filter::Cids(&wanted)).unwrap();
    assert_eq!(found.len(), 13, "more than one question's worth of roots");

    // a list that claims to go on for ever, and never does
    let stuck = r#"{"count":9,"results":[{"requestid":"1","status":"pinned",
        "created":"2026-01-01T00:00:00Z","pin":{"cid":"x"},"delegates":[]}]}"#;
    service.faults([Fault::Body(stuck), Fault::Body(stuck)]);
    let error = client.list(Filter::All).unwrap_err();
    assert!(matches!(error, PinningError::Nonsense(_)), "{error}");
}

#[test]
fn faults_that_pass_are_waited_for_and_others_are_told() {
    let service = Service::idle();
    let client = client(&service);
    let retry = "retry-after: 1\r\n";
    service.faults([Fault::Status(500, ""), Fault::Status(429, retry)]);
    assert!(client.add(&ask(1)).is_ok());
    assert_eq!(service.state().seen.len(), 3);

    let list = || match client.list(Filter::All) {
        Err(PinningError::Http(error)) => error,
        other => panic!("{other:?}"),
    };
    service.faults(vec![Fault::Status(503, ""); 3]);
    assert!(matches!(list(), HttpError::Server { status: 503, .. }));
    service.faults([Fault::Status(429, "retry-after: 3600\r\n")]);
    assert!(matches!(list(), HttpError::TooManyRequests { .. }));
    service.faults([Fault::Status(409, "")]);
    let error = client.add(&ask(1)).unwrap_err();
    assert!(matches!(
        error,
        PinningError::Http(HttpError::Conflict { .. })
    ));

    let error = client_with(&service, "wrong")
        .list(Filter::All)
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(
        error,
        PinningError::Http(HttpError::Denied { status: 401, .. })
    ));
    assert!(
        text.contains("UNAUTHORIZED") && !text.contains("wrong"),
        "{text}"
    );
}

#[test]
fn endless_cut_slow_and_false_answers_end() {
    let service = Service::idle();
    let client = client(&service);
    let list = || match client.list(Filter::All) {
        Err(PinningError::Http(error)) => error,
        other => panic!("{other:?}"),
    };
    service.faults([Fault::Endless]);
    assert!(matches!(list(), HttpError::TooLarge { .. }));
    service.faults(vec![Fault::Cut; 3]);
    assert!(matches!(list(), HttpError::Broken(_)));
    service.faults(vec![Fault::Slow(Duration::from_secs(1)); 3]);
    assert!(matches!(list(), HttpError::Timeout { .. }));
    service.faults([Fault::Body("[]")]);
    assert!(matches!(list(), HttpError::Malformed(_)));
    let other = r#"{"requestid":"9","status":"queued","created":"2026-01-01T00:00:00Z",
        "pin":{"cid":"bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"},"delegates":[]}"#;
    service.faults([Fault::Body(other)]);
    let error = client.add(&ask(1)).unwrap_err();
    assert!(matches!(error, PinningError::Nonsense(_)), "another root");
    service.faults([Fault::Body(other)]);
    let error = client.get(&"8".parse().unwrap()).unwrap_err();
    assert!(
        matches!(error, PinningError::Nonsense(_)),
        "another request"
    );
}

/// What a process remembers, and what it made.
struct Memory {
    service: PinService,
    canaries: MemoryStore,
}

impl Memory {
    fn new() -> Self {
        let token = TokenSource::Command("true".into());
        Self {
            service: PinService::new("s".parse().unwrap(), "http://127.0.0.1:1".into(), token),
            canaries: MemoryStore::new(),
        }
    }

    fn sync(&mut self, at: &Service, head: u8) -> Result<SyncOutcome, SyncError<PinningError>> {
        let mut account = Account::new(client(at), vec!["/ip4/127.0.0.1/tcp/1/p2p/x".into()]);
        let wanted = Wanted {
            head: cid(head),
            fresh: false,
        };
        let save = &mut |_: &PinService| Ok(());
        sync(
            &mut self.service,
            save,
            &self.canaries,
            &mut account,
            wanted,
        )
    }
}

#[test]
fn a_service_moves_to_each_new_head_whatever_it_answers() {
    let service = Service::idle();
    let mut memory = Memory::new();
    // it takes the request and says that it failed, so the request comes twice
    service.faults([Fault::DoneBut(500)]);
    let first = memory.sync(&service, 1).unwrap();
    assert_eq!(first.status, Some(PinStatus::Queued));
    assert_eq!(service.state().pins.len(), 1, "one of the two is withdrawn");
    service.set_all("pinned");
    assert!(memory.sync(&service, 1).unwrap().settled);
    assert_eq!(memory.canaries.list().unwrap(), []);
    let before = service.state().seen.len();
    assert_eq!(memory.sync(&service, 1).unwrap().steps, 0);
    let after = service.state().seen.len();
    assert_eq!(after, before + 1, "one question and nothing more");

    let old = service.pinned();
    for fault in [Fault::Status(401, ""), Fault::Body("{}")] {
        service.faults([fault]);
        assert!(memory.sync(&service, 2).is_err());
    }
    memory.sync(&service, 2).unwrap();
    assert_eq!(
        service.pinned(),
        old,
        "the old one stays until the new one is held"
    );
    service.set_all("pinned");
    assert!(memory.sync(&service, 2).unwrap().settled);
    let held = memory.service.held().unwrap().root().to_string();
    assert_eq!(service.pinned(), [held]);
    assert_ne!(service.pinned(), old);
}

#[test]
fn what_a_service_is_sent_tells_nothing() {
    let service = Service::idle();
    let mut memory = Memory::new();
    memory.sync(&service, 1).unwrap();
    memory.sync(&service, 2).unwrap();
    let sent = service.state().bodies.clone();
    let bodies: Vec<serde_json::Value> = sent
        .iter()
        .filter(|body| !body.is_empty())
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    assert_eq!(bodies.len(), 2);
    for body in &bodies {
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["cid", "name", "origins"]);
    }
    assert_ne!(bodies[0]["name"], bodies[1]["name"]);
}

#[test]
fn withdrawing_takes_what_is_ours_and_nothing_else() {
    let service = Service::idle();
    client(&service).add(&ask(99)).unwrap();
    let mut memory = Memory::new();
    memory.sync(&service, 1).unwrap();
    let mut account = Account::new(client(&service), Vec::new());
    let save = &mut |_: &PinService| Ok(());
    let done = withdraw(&mut memory.service, save, &memory.canaries, &mut account).unwrap();
    assert!(done.settled);
    let left: Vec<String> = service
        .state()
        .pins
        .values()
        .map(|pin| pin.cid.clone())
        .collect();
    assert_eq!(left, [cid(99).to_string()]);
}
