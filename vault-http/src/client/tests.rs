//! The client against a server on this computer that does what the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;

/// A server that answers one connection and returns the head and body of the request.
fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> (BaseUrl, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let seen = request(&stream);
        answer(&mut stream);
        seen
    });
    (url, thread)
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        chunked |= lower.starts_with("transfer-encoding: chunked");
        head.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    if chunked {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).unwrap();
            head.push_str(&String::from_utf8_lossy(&chunk[..size]));
            if size == 0 {
                return head;
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8_lossy(&body)
}

fn says(text: &'static str) -> (BaseUrl, JoinHandle<String>) {
    server(move |stream| stream.write_all(text.as_bytes()).unwrap())
}

fn quick() -> Options {
    Options {
        timeouts: Timeouts {
            connect: Duration::from_millis(300),
            answer: Duration::from_millis(300),
            silence: Duration::from_millis(300),
            total: Some(Duration::from_millis(900)),
        },
        redirects: 0,
    }
}

#[test]
fn json_goes_out_and_comes_back_with_the_token_and_a_neutral_name() {
    let (url, seen) = says("HTTP/1.1 202 Accepted\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
    let http = Http::new(url, Some(Token::parse("secret-1").unwrap())).unwrap();
    let answer = http
        .post(&["pins", "x/y"])
        .query("name", "a b")
        .send_json(&serde_json::json!({"cid": "c"}))
        .unwrap();
    assert_eq!(answer.status(), 202);
    let value: serde_json::Value = answer.json(100).unwrap();
    assert_eq!(value["a"], 1);
    let seen = seen.join().unwrap();
    assert!(
        seen.starts_with("POST /pins/x%2Fy?name=a%20b HTTP/1.1\r\n"),
        "{seen}"
    );
    let lower = seen.to_lowercase();
    assert!(
        lower.contains("authorization: bearer secret-1\r\n"),
        "{seen}"
    );
    assert!(lower.contains("user-agent: ureq/3\r\n"), "{seen}");
    assert!(!lower.contains("medvault"), "{seen}");
    assert!(seen.ends_with("{\"cid\":\"c\"}"), "{seen}");
}

#[test]
fn an_empty_post_says_that_it_is_empty() {
    let (url, seen) = says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    Http::new(url, None).unwrap().post(&["x"]).send().unwrap();
    assert!(
        seen.join()
            .unwrap()
            .to_lowercase()
            .contains("content-length: 0\r\n")
    );
}

#[test]
fn a_stream_goes_out_piece_by_piece() {
    let (url, seen) = says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let body = "0123456789".repeat(10_000);
    Http::new(url, None)
        .unwrap()
        .post(&["x"])
        .send_reader("application/vnd.ipld.car", &mut body.as_bytes())
        .unwrap();
    let seen = seen.join().unwrap();
    assert!(
        seen.to_lowercase()
            .contains("content-type: application/vnd.ipld.car")
    );
    assert!(seen.ends_with(&body));
}

#[test]
fn a_token_never_goes_out_in_the_clear() {
    let token = || Some(Token::parse("t").unwrap());
    let far = BaseUrl::parse("http://pins.example").unwrap();
    assert_eq!(
        Http::new(far, token()).err(),
        Some(HttpError::TokenInTheClear("http://pins.example".to_owned()))
    );
    let near = BaseUrl::parse("https://pins.example").unwrap();
    assert!(Http::new(near.clone(), token()).is_ok());
    let options = Options {
        redirects: 1,
        ..Options::default()
    };
    assert_eq!(
        Http::with_options(near, token(), options).err(),
        Some(HttpError::TokenWithRedirects)
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = format!("http://{}/x", elsewhere.local_addr().unwrap());
    let text = format!("HTTP/1.1 307 Go\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    let (url, _seen) = server(move |stream| stream.write_all(text.as_bytes()).unwrap());
    let http = Http::new(url, Some(Token::parse("t").unwrap())).unwrap();
    assert_eq!(
        http.get(&["a"]).send().err(),
        Some(HttpError::Redirect { to })
    );
    assert!(elsewhere.accept().is_err(), "someone came");
}

#[test]
fn a_wish_to_wait_is_understood() {
    let (url, _seen) = says("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        Http::new(url, None).unwrap().get(&[]).send().err(),
        Some(HttpError::TooManyRequests {
            retry_after: Some(Duration::from_secs(7))
        })
    );
}

#[test]
fn an_endless_answer_ends_at_the_limit() {
    let (url, _seen) = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let answer = Http::new(url, None).unwrap().get(&["x"]).send().unwrap();
    assert_eq!(
        answer.bytes(100_000),
        Err(HttpError::TooLarge { limit: 100_000 })
    );
}

#[test]
fn a_silent_or_dripping_service_is_left() {
    let hold = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    };
    let start = Instant::now();
    let (url, _seen) = server(hold);
    let http = Http::with_options(url, None, quick()).unwrap();
    let answer = http.get(&["x"]).send().unwrap();
    assert!(matches!(
        answer.bytes(10_000),
        Err(HttpError::Timeout { .. })
    ));

    let (url, _seen) = server(|_| thread::sleep(Duration::from_secs(3)));
    let http = Http::with_options(url, None, quick()).unwrap();
    assert!(matches!(
        http.get(&["x"]).send().err(),
        Some(HttpError::Timeout { .. })
    ));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn nobody_there_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = Http::new(url, None)
        .unwrap()
        .get(&["x"])
        .send()
        .err()
        .unwrap();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error:?}");
    assert!(error.is_passing());
}

#[test]
fn a_cut_answer_is_not_taken_for_whole() {
    let (url, _seen) = says("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    let answer = Http::new(url, None).unwrap().get(&["x"]).send().unwrap();
    let error = answer.bytes(100).unwrap_err();
    assert!(matches!(error, HttpError::Broken(_)), "{error:?}");
}
