//! A pinning service on loopback: the API as the specification has it, misbehaving on demand.
//! What is behind it, the test decides: nothing, or a real IPFS node.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // several tests, each uses a part

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// The token of the one customer.
pub const TOKEN: &str = "sesame";

/// What the service does instead of answering.
#[derive(Clone)]
pub enum Fault {
    /// This status, with these headers, each ended by a line break.
    Status(u16, &'static str),
    /// An answer of success that never ends.
    Endless,
    /// Half an answer.
    Cut,
    /// Nothing for so long.
    Slow(Duration),
    /// This as the body of a success.
    Body(&'static str),
    /// It does what was asked, and says that it failed.
    DoneBut(u16),
}

/// One request for a pin.
#[derive(Clone)]
pub struct Pin {
    pub cid: String,
    pub name: String,
    pub origins: Vec<String>,
    pub status: &'static str,
}

/// What really keeps blocks: called with root and origins, on a thread of its own.
pub type Keep = dyn Fn(&str, &[String]) -> bool + Send + Sync;
/// What lets go of a root.
pub type Drop = dyn Fn(&str) + Send + Sync;

#[derive(Default)]
pub struct State {
    pub pins: BTreeMap<u32, Pin>,
    pub faults: VecDeque<Fault>,
    /// Method and path of every request.
    pub seen: Vec<String>,
    pub bodies: Vec<String>,
    pub page: usize,
    pub delegates: Vec<String>,
    next: u32,
}

/// A running service; its threads end with the test.
#[derive(Clone)]
pub struct Service {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Service {
    /// A service that stays at `queued` until the test says otherwise.
    pub fn idle() -> Self {
        Self::start(None, Arc::new(|_| {}))
    }

    /// A service before something that keeps blocks.
    pub fn over(keep: Arc<Keep>, drop: Arc<Drop>) -> Self {
        Self::start(Some(keep), drop)
    }

    fn start(keep: Option<Arc<Keep>>, drop: Arc<Drop>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            page: 1000,
            ..State::default()
        }));
        let service = Self { url, state };
        let this = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (this, keep, drop) = (this.clone(), keep.clone(), drop.clone());
                // a client may leave in the middle
                thread::spawn(move || this.answer(stream.unwrap(), keep, &drop));
            }
        });
        service
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What it does with the next requests.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Sets every request to this status.
    pub fn set_all(&self, status: &'static str) {
        self.state()
            .pins
            .values_mut()
            .for_each(|pin| pin.status = status);
    }

    /// The roots it lists as pinned.
    pub fn pinned(&self) -> Vec<String> {
        let state = self.state();
        let pinned = state.pins.values().filter(|pin| pin.status == "pinned");
        pinned.map(|pin| pin.cid.clone()).collect()
    }

    fn answer(&self, stream: TcpStream, keep: Option<Arc<Keep>>, drop: &Arc<Drop>) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (method, target, authorized, body) = request(&mut reader)?;
            let fault = {
                let mut state = self.state();
                state.seen.push(format!("{method} {target}"));
                state.bodies.push(body.clone());
                state.faults.pop_front()
            };
            let mut out = &stream;
            match fault {
                Some(Fault::Status(status, headers)) => {
                    reply(
                        out,
                        status,
                        headers,
                        "{\"error\":{\"reason\":\"AS_ORDERED\"}}",
                    )?;
                    continue;
                }
                Some(Fault::Endless) => {
                    out.write_all(b"HTTP/1.1 200 OK\r\n\r\n[").ok()?;
                    while out.write_all(&[b' '; 4096]).is_ok() {}
                    return None;
                }
                Some(Fault::Cut) => {
                    out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
                        .ok()?;
                    return None;
                }
                Some(Fault::Slow(pause)) => thread::sleep(pause),
                Some(Fault::Body(text)) => {
                    reply(out, 200, "", text)?;
                    continue;
                }
                Some(Fault::DoneBut(status)) => {
                    self.route(&method, &target, &body, keep.as_ref(), drop);
                    reply(out, status, "", "")?;
                    continue;
                }
                None => {}
            }
            if !authorized && target.starts_with("/pins") {
                reply(out, 401, "", "{\"error\":{\"reason\":\"UNAUTHORIZED\"}}")?;
                continue;
            }
            let (status, answer) = self.route(&method, &target, &body, keep.as_ref(), drop);
            let text = if answer.is_null() {
                String::new()
            } else {
                answer.to_string()
            };
            reply(out, status, "", &text)?;
        }
    }

    fn route(
        &self,
        method: &str,
        target: &str,
        body: &str,
        keep: Option<&Arc<Keep>>,
        drop: &Arc<Drop>,
    ) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let id: Option<u32> = path.strip_prefix("/pins/").and_then(|id| id.parse().ok());
        match (method, path, id) {
            ("GET", "/pins", _) => (200, self.list(query)),
            ("POST", "/pins", _) => (202, self.add(body, keep)),
            ("GET", _, Some(id)) => match self.state().pins.get(&id) {
                Some(pin) => (200, self.one(id, pin, &[])),
                None => (404, json!({"error": {"reason": "NOT_FOUND"}})),
            },
            ("POST", _, Some(id)) => {
                let gone = self.state().pins.remove(&id);
                gone.iter().for_each(|pin| drop(&pin.cid));
                (202, self.add(body, keep))
            }
            ("DELETE", _, Some(id)) => match self.state().pins.remove(&id) {
                Some(pin) => {
                    drop(&pin.cid);
                    (202, Value::Null)
                }
                None => (404, json!({"error": {"reason": "NOT_FOUND"}})),
            },
            _ => (404, json!({"error": {"reason": "NOT_FOUND"}})),
        }
    }

    fn add(&self, body: &str, keep: Option<&Arc<Keep>>) -> Value {
        let body: Value = serde_json::from_str(body).unwrap();
        let origins = body["origins"].as_array().cloned().unwrap_or_default();
        let pin = Pin {
            cid: body["cid"].as_str().unwrap().to_owned(),
            name: body["name"].as_str().unwrap_or_default().to_owned(),
            origins: origins
                .iter()
                .map(|o| o.as_str().unwrap().to_owned())
                .collect(),
            status: "queued",
        };
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.pins.insert(id, pin.clone());
        let answer = self.one(id, &pin, &state.delegates);
        if let Some(keep) = keep.cloned() {
            let this = self.clone();
            thread::spawn(move || {
                let status = if keep(&pin.cid, &pin.origins) {
                    "pinned"
                } else {
                    "failed"
                };
                if let Some(pin) = this.state().pins.get_mut(&id) {
                    pin.status = status;
                }
            });
        }
        answer
    }

    /// Newest first; only what is pinned unless a status is asked for; ten unless a limit is.
    fn list(&self, query: &str) -> Value {
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decode(value)))
            .collect();
        let state = self.state();
        let wanted = query.get("status").map_or("pinned", String::as_str);
        let limit: usize = query
            .get("limit")
            .map_or(10, |limit| limit.parse().unwrap());
        let fits = |id: u32, pin: &Pin| {
            wanted.split(',').any(|status| status == pin.status)
                && query
                    .get("cid")
                    .is_none_or(|cids| cids.split(',').any(|cid| cid == pin.cid))
                && query
                    .get("before")
                    .is_none_or(|before| created(id) < *before)
        };
        let all: Vec<_> = state
            .pins
            .iter()
            .rev()
            .filter(|(id, pin)| fits(**id, pin))
            .collect();
        let page = all.iter().take(limit.min(state.page));
        let results: Vec<Value> = page
            .map(|(id, pin)| self.one(**id, pin, &state.delegates))
            .collect();
        json!({"count": all.len(), "results": results})
    }

    fn one(&self, id: u32, pin: &Pin, delegates: &[String]) -> Value {
        json!({
            "requestid": id.to_string(), "status": pin.status, "created": created(id),
            "pin": {"cid": pin.cid, "name": pin.name, "origins": pin.origins, "meta": {}},
            "delegates": delegates, "info": {"status_details": "as ordered"}, "more": {"x": [1]},
        })
    }
}

fn created(id: u32) -> String {
    format!("2026-01-01T00:{:02}:{:02}.000Z", id / 60, id % 60)
}

fn decode(text: &str) -> String {
    text.replace("%2C", ",").replace("%3A", ":")
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, bool, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorized) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorized = value.trim() == format!("Bearer {TOKEN}"),
            _ => {}
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, target, authorized, String::from_utf8(body).unwrap()))
}

fn reply(mut out: &TcpStream, status: u16, headers: &str, body: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    out.write_all((head + body).as_bytes()).ok()
}
