//! Ada and Gran, her agent, as real processes, and Bo, the provider, in this one. Bo reads Ada's
//! blocks from her folder, as from any copy of them that stays when she is offline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vault_core::{
    AccessReply, AgentCertificate, AskError, BlockStore, Condition, Conditions, Device, Extent,
    Following, GrantView, Home, MAX_WORK_FACTOR, NodeAddress, OnRequestTerms, Scope, ShareRequest,
    Ticket, Vault, VaultStorage, decrypt_with_passphrase, system_clock,
};
use vault_node::Node;

use crate::people::lab;
use crate::serving::Serving;
use crate::world::{World, bundle};

/// How long anybody is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn now() -> u64 {
    system_clock()()
}

fn device(w: &World, who: &str) -> Arc<Device> {
    let home = Home::open(&w.path(who)).unwrap();
    let sealed = home.read_identity().unwrap();
    let text = decrypt_with_passphrase(&sealed, &"correct horse".into(), MAX_WORK_FACTOR).unwrap();
    Arc::new(Device::from_identity_text(std::str::from_utf8(&text).unwrap()).unwrap())
}

/// Ada's vault, opened here.
pub fn vault(w: &World) -> Vault {
    let home = Home::open(&w.path("ada")).unwrap();
    Vault::open(home.storage().unwrap(), device(w, "ada"), system_clock()).unwrap()
}

fn node_of(w: &World, who: &str) -> NodeAddress {
    serde_json::from_slice(&std::fs::read(w.path(who).join("node.json")).unwrap()).unwrap()
}

/// The provider.
pub struct Bo {
    device: Arc<Device>,
    following: Following,
    view: GrantView,
    node: Node,
    blocks: Arc<dyn BlockStore>,
}

/// Whom Bo asks.
#[derive(Clone, Copy, PartialEq)]
pub enum From {
    Ada,
    Gran,
}

impl Bo {
    /// Takes what Ada has published.
    pub fn sync(&mut self, w: &World) {
        let storage = Home::open(&w.path("ada")).unwrap().storage().unwrap();
        self.blocks = storage.blocks();
        let head = storage.head().unwrap().unwrap();
        let blocks = self.blocks.clone();
        self.following.advance(&head, &*blocks, now()).unwrap();
        let views = self.following.grants(&self.device, &*self.blocks, now());
        self.view = views.unwrap().remove(0);
    }

    fn certificate(&self) -> Option<AgentCertificate> {
        let agreement = self.view.agreement.as_ref()?;
        agreement.agents.first().cloned()
    }

    /// Asks for the key of one version, opens it and sends the receipt. The reason when it gets none.
    pub fn ask(&mut self, from: From, place: usize) -> Result<(), String> {
        let agent = (from == From::Gran).then(|| self.certificate().unwrap());
        let at = match &agent {
            Some(agent) => agent.node.clone(),
            None => self.following.node().clone(),
        };
        let entry = self.view.entries[place].clone();
        let versions = [entry.version];
        let agent = agent.as_ref();
        let asking = (self.following).ask(&self.view, &versions, None, agent, &self.device, now());
        let asking = asking.unwrap();
        // the same again may be sent at any time: a kept connection may lead to a process that is gone
        let send = |patience| self.node.ask_access(&at, asking.message(), patience);
        let answer = send(PATIENCE / 5).or_else(|_| send(PATIENCE));
        let answer = answer.map_err(|error| error.to_string())?;
        let given = match asking.take(&mut self.following, &answer) {
            Ok(given) => given,
            Err(AskError::Denied { reason, .. }) => return Err(reason),
            Err(AskError::Refused(code)) => return Err(format!("{code:?}")),
            Err(error) => panic!("{error}"),
        };
        let entry = given.unlock(&entry).unwrap();
        let mut content = Vec::new();
        let opened = self.following.open_record(&entry, self.blocks.clone());
        opened.unwrap().copy_to(&mut content).unwrap();
        assert!(content.starts_with(b"{\"resourceType\""));
        let receipt = given.receipt(true, &self.device, now()).unwrap();
        let noted = self.node.ask_access(&at, &receipt, PATIENCE).unwrap();
        assert_eq!(
            AccessReply::from_bytes(&noted).unwrap(),
            AccessReply::Noted {}
        );
        Ok(())
    }

    /// Asks again until the answer is this one; an agent learns of its charge within seconds.
    pub fn ask_until(&mut self, from: From, place: usize, wanted: Result<(), &str>) {
        let begun = Instant::now();
        loop {
            let got = self.ask(from, place);
            if got.as_ref().err().map(String::as_str) == wanted.err() {
                return;
            }
            assert!(got.is_err(), "given though {wanted:?} was expected");
            assert!(begun.elapsed() < 3 * PATIENCE, "{got:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

pub struct Case {
    pub w: World,
    pub bo: Bo,
    pub grant: String,
    /// When Gran's certificate ends.
    pub end: u64,
    pub ada: Serving,
    pub gran: Serving,
}

/// Ada has offered six records to Bo with `limit` opens, and Gran may give `opens` of them for a
/// day. Both are served.
pub fn case(limit: u64, opens: u64) -> Case {
    case_for(limit, opens, Duration::from_secs(24 * 3600))
}

/// The same for so long.
pub fn case_for(limit: u64, opens: u64, lasting: Duration) -> Case {
    let w = World::of(&["ada", "gran", "bo"]);
    let records: Vec<String> = (1..=6).map(|n| lab(&"x".repeat(n))).collect();
    let file = w.file("records.json", bundle(&records));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "gran");
    w.introduce("ada", "bo");
    let (ada, gran) = (Serving::start(&w, "ada"), Serving::start(&w, "gran"));

    let request = ShareRequest {
        readers: vec!["bo".into()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let terms = OnRequestTerms {
        conditions: Conditions::default().with(Condition::Opens(limit)),
        agents: vec!["gran".into()],
        ..OnRequestTerms::default()
    };
    let mut patient = vault(&w);
    let address = node_of(&w, "ada");
    let mut shared = patient.offer(request, terms, &address).unwrap();
    let grant = shared.grant.id.to_string();
    let device = device(&w, "bo");
    let ticket = Ticket::open(&shared.tickets.remove(0).1, &device, now()).unwrap();
    let mut following = Following::accept(&ticket, "ada", now());
    let node = Node::start_client_only([7; 32], [8; 32]).unwrap();
    let message = following.countersign(&shared.grant.id, &device, now());
    let reply = node.ask_access(&address, &message.unwrap(), PATIENCE);
    assert_eq!(
        AccessReply::from_bytes(&reply.unwrap()).unwrap(),
        AccessReply::Noted {}
    );

    let at = w.ok("gran", &["agent", "address"]);
    let opens = opens.to_string();
    let end = now() + lasting.as_secs();
    let until = jiff::Timestamp::from_second(end.try_into().unwrap()).unwrap();
    let until = until.to_string();
    let arguments = [
        "agent", "add", "gran", &grant, "--at", &at, "--opens", &opens, "--until", &until,
    ];
    let added = &w.json("ada", &arguments)[0];
    let ticket = added["ticket"].as_str().unwrap();
    w.ok("gran", &["inbox", "accept", ticket, "--offline"]);

    let storage = Home::open(&w.path("ada")).unwrap().storage().unwrap();
    let (blocks, head) = (storage.blocks(), storage.head().unwrap().unwrap());
    following.advance(&head, &*blocks, now()).unwrap();
    let view = following
        .grants(&device, &*blocks, now())
        .unwrap()
        .remove(0);
    let bo = Bo {
        device,
        following,
        view,
        node,
        blocks,
    };
    Case {
        w,
        bo,
        grant,
        end,
        ada,
        gran,
    }
}

impl Case {
    /// Gran has heard of what she answers for, and given one open.
    pub fn ready(&mut self) {
        self.bo.ask_until(From::Gran, 0, Ok(()));
    }
}
