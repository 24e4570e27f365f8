//! A small HTTP server on loopback that answers as it is told: well, badly, slowly or never.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // several tests, each uses a part

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What somebody asks for.
#[derive(Default)]
pub struct Asked {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub accept: String,
    pub body: Vec<u8>,
}

/// How to answer.
pub enum Reply {
    /// 200 with this content type and body.
    Ok(&'static str, Vec<u8>),
    /// A status without much of a body.
    Status(u16),
    /// 302 to this address.
    Redirect(String),
    /// 200, a length, and then only the first bytes of the body.
    Cut(Vec<u8>, usize),
    /// 200, and bytes without end.
    Endless,
    /// 200, and bytes without end, one after the other.
    Drip,
    /// Nothing at all, for this long.
    Silent(Duration),
    /// Bytes that are no HTTP.
    Noise,
}

/// A running server, stopped when dropped.
pub struct Web {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Web {
    /// Starts a server that answers every question with `answer`.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stopped, noted, answer) = (stop.clone(), asked.clone(), Arc::new(answer));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (answer, noted, stopped) = (answer.clone(), noted.clone(), stopped.clone());
                thread::spawn(move || {
                    // whoever asks may hang up at any time
                    let _ = serve(stream.unwrap(), &*answer, &noted, &stopped);
                });
            }
        });
        Self {
            address,
            stop,
            asked,
            accepting: Some(accepting),
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every question so far, `METHOD path?query`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // wakes the listener
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn serve(
    mut out: TcpStream,
    answer: &dyn Fn(&Asked) -> Reply,
    noted: &Mutex<Vec<String>>,
    stopped: &AtomicBool,
) -> std::io::Result<()> {
    let asked = read(&mut BufReader::new(out.try_clone()?))?;
    let line = format!("{} {}?{}", asked.method, asked.path, asked.query);
    noted.lock().unwrap().push(line);
    let running = || !stopped.load(Ordering::Relaxed);
    match answer(&asked) {
        Reply::Ok(kind, body) => {
            let kind = format!("content-type: {kind}\r\n");
            head(&mut out, 200, &kind, Some(body.len()))?;
            out.write_all(&body)?;
        }
        Reply::Status(status) => {
            head(&mut out, status, "retry-after: 0\r\n", Some(4))?;
            out.write_all(b"hmm\n")?;
        }
        Reply::Redirect(to) => head(&mut out, 302, &format!("location: {to}\r\n"), Some(0))?,
        Reply::Cut(body, at) => {
            head(&mut out, 200, "", Some(body.len()))?;
            out.write_all(&body[..at])?;
        }
        Reply::Endless => {
            head(&mut out, 200, "", None)?;
            while running() {
                out.write_all(&[7; 65_536])?;
            }
        }
        Reply::Drip => {
            head(&mut out, 200, "", None)?;
            while running() {
                out.write_all(&[7])?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Reply::Silent(time) => {
            for _ in 0..time.as_millis() / 50 {
                if running() {
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        Reply::Noise => out.write_all(b"SSH-2.0-nobody\r\n")?,
    }
    Ok(())
}

fn head(
    out: &mut TcpStream,
    status: u16,
    headers: &str,
    len: Option<usize>,
) -> std::io::Result<()> {
    let len = len.map_or_else(String::new, |len| format!("content-length: {len}\r\n"));
    write!(
        out,
        "HTTP/1.1 {status} X\r\n{headers}{len}connection: close\r\n\r\n"
    )
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Asked> {
    let line = read_line(reader)?;
    let mut words = line.split(' ').map(str::to_owned);
    let mut asked = Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Asked::default()
    };
    if let Some((path, query)) = asked.path.clone().split_once('?') {
        (asked.path, asked.query) = (path.to_owned(), query.to_owned());
    }
    let (mut len, mut chunked) = (0, false);
    while let Some((name, value)) = read_line(reader)?.split_once(": ") {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => len = value.parse().unwrap(),
            "transfer-encoding" => chunked = value == "chunked",
            "accept" => asked.accept = value.to_owned(),
            _ => {}
        }
    }
    while chunked {
        let len = u64::from_str_radix(&read_line(reader)?, 16).unwrap_or(0);
        reader.take(len).read_to_end(&mut asked.body)?;
        read_line(reader)?;
        chunked = len > 0;
    }
    reader.take(len).read_to_end(&mut asked.body)?;
    Ok(asked)
}

fn read_line(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
