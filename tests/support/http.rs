//! A small HTTP server on 127.0.0.1 that answers as it is told, also badly, and remembers what it was asked.
//!
//! Threads and blocking sockets: it runs on when a test's own runtime waits.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answer with this status, these lines of a header (`name: value`), this body.
    Answer {
        status: u16,
        headers: Vec<String>,
        body: Vec<u8>,
    },
    /// Never answer.
    Hang,
    /// Close the connection without a word.
    Close,
    /// Promise the whole body, send so many bytes of it, then close.
    Cut { body: Vec<u8>, at: usize },
    /// Send so many bytes of the body, then neither go on nor close.
    Stall { body: Vec<u8>, at: usize },
    /// Send blanks for as long as the client reads.
    Endless,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// Stops when it is dropped.
pub(crate) struct Http {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Http {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let thread = thread::spawn({
            let (seen, stopping) = (Arc::clone(&seen), Arc::clone(&stopping));
            move || {
                for stream in listener.incoming() {
                    if stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    // Ends with its connection; a client that hangs keeps no test from ending.
                    thread::spawn(move || {
                        if let Some(request) = read(&stream) {
                            seen.lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(request.clone());
                            // Whether the client still listens is its own affair.
                            let _ = write(&stream, answer(&request));
                        }
                        let _ = stream.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self {
            url,
            seen,
            stopping,
            thread: Some(thread),
        }
    }

    /// The same answer to everybody.
    pub(crate) fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone())
    }

    /// All requests so far, in order.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread from `accept`.
        let _ = TcpStream::connect(self.address());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address on 127.0.0.1 where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut request = Request {
        method: words.next()?.into(),
        path: words.next()?.into(),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        request.headers.insert(name.to_lowercase(), value.into());
    }
    let length = request
        .headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap_or(0));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

fn write(mut stream: &TcpStream, reply: Reply) -> std::io::Result<()> {
    let mut send = |status: u16, headers: &[String], length: usize, body: &[u8]| {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let head =
            format!("HTTP/1.1 {status} \r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    };
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => send(status, &headers, body.len(), &body),
        Reply::Cut { body, at } => send(200, &[], body.len(), &body[..at]),
        Reply::Close => Ok(()),
        Reply::Stall { body, at } => {
            send(200, &[], body.len(), &body[..at])?;
            wait(stream)
        }
        Reply::Endless => {
            send(200, &[], 2 << 30, b"")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Reply::Hang => wait(stream),
    }
}

/// Until the client goes away.
fn wait(mut stream: &TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}
