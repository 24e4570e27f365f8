//! Two homes of two people, used as an application uses them: one serves, the other reads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use vault_app::adding::{From, Input, add};
use vault_app::log::Event;
use vault_app::{
    App, Intake, Log, Options, ServeOptions, Serving, SharedRecords, ask_running_node, create_home,
    node_address, sync_one, unlock_with_passphrase,
};
use vault_core::{
    Device, Extent, Inbox, RecoveryWords, Scope, ShareRequest, Ticket, encrypt_with_passphrase,
};

/// The lowest cost of guessing: tests need not be slow.
const QUICK: u8 = 10;

fn home(path: &Path, name: &str) -> (App, Arc<Device>) {
    let words = RecoveryWords::generate();
    let passphrase = "correct horse".into();
    let seal = |_: &_, text: &[u8]| Ok(encrypt_with_passphrase(text, &passphrase, QUICK)?);
    let made = create_home(path, name, &words, &Options::default(), &seal);
    let (home, device) = made.unwrap();
    let unlocked = unlock_with_passphrase(&home, &passphrase).unwrap();
    assert_eq!(unlocked.vault(), device.vault());
    let again = create_home(path, name, &words, &Options::default(), &seal);
    assert_eq!(again.err().unwrap().code, "home-exists");
    let app = App::open(home, Options::default(), Arc::new(|_| {})).unwrap();
    (app, device)
}

fn serve(app: &App, device: &Arc<Device>) -> (Serving, Arc<Mutex<Vec<&'static str>>>) {
    let heard: Arc<Mutex<Vec<&'static str>>> = Arc::default();
    let hears = heard.clone();
    let log = Log::new(Arc::new(move |event: Event| {
        hears.lock().unwrap().push(event.name());
    }));
    let options = ServeOptions {
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        private: true,
        ..ServeOptions::default()
    };
    (Serving::start(app, device, &options, log).unwrap(), heard)
}

#[test]
fn one_serves_and_the_other_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (mira, miras) = home(&folder.path().join("mira"), "Mira");
    let (bo, bos) = home(&folder.path().join("bo"), "Bo");

    let mut vault = mira.vault(&miras).unwrap();
    let intake = Intake::new(&mira, &mut vault, &[]).unwrap();
    let mut input = [Input {
        from: From::Bytes(b"a letter"),
        name: "letter.txt".to_owned(),
    }];
    let report = add(&mut vault, &intake, &mut input, false, &()).unwrap();
    assert_eq!(report.total().added, 1);

    let (serving, heard) = serve(&mira, &miras);
    assert!(ask_running_node(mira.home().root()).is_some());
    let second = Serving::start(
        &mira,
        &miras,
        &ServeOptions::default(),
        Log::new(Arc::new(|_| {})),
    );
    assert_eq!(second.err().unwrap().code, "serving");

    let card = bos.card("Bo").unwrap();
    vault.add_contact("bo", &card).unwrap();
    let request = ShareRequest {
        readers: vec!["bo".to_owned()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let address = node_address(mira.home(), &vault).unwrap();
    let shared = vault.share(request, &address).unwrap();

    let mut inbox = Inbox::open(bo.home().clone(), &bos).unwrap();
    let ticket = Ticket::open(&shared.tickets[0].1, &bos, vault_app::now()).unwrap();
    let mut following = inbox
        .accept(&ticket, Some("mira"), vault_app::now())
        .unwrap()
        .clone();
    let network = bo.network(&bos, bo.places(Vec::new(), Vec::new()).unwrap());
    let synced = sync_one(&network, bo.home(), &mut inbox, &mut following, true).unwrap();
    assert_eq!((synced.before, synced.views.len()), (0, 1));
    let mut records = SharedRecords::open(bo.home(), &network, &following).unwrap();
    assert_eq!(records.owner(), "mira");
    let entries = records.records();
    assert!(records.closed(&entries).is_empty(), "the keys are carried");
    let mut content = Vec::new();
    let open = records.open_record(&entries[0]).unwrap();
    open.copy_to(&mut content).unwrap();
    assert_eq!(content, b"a letter");

    let status = serving.status();
    assert!(status.private && status.heads_sent > 0 && status.blocks_sent_iroh > 0);
    drop(records);
    serving.stop();
    assert!(ask_running_node(mira.home().root()).is_none());
    let heard: Vec<_> = heard.lock().unwrap().clone();
    assert_eq!(heard.first(), Some(&"serving"));
    assert_eq!(heard.last(), Some(&"stopped"));

    // the ports are free again; dropping stops, too
    let (again, heard) = serve(&mira, &miras);
    assert_eq!(again.address().endpoint, address.endpoint);
    drop(again);
    assert_eq!(heard.lock().unwrap().last(), Some(&"stopped"));
}
