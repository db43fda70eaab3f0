//! Counts the bytes between a client and a server, whatever they say to each other.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Takes connections until the process ends.
pub(crate) struct Relay {
    /// HOST:PORT for the client.
    pub(crate) address: String,
    bytes: Arc<AtomicU64>,
}

impl Relay {
    /// In front of `server` (HOST:PORT).
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let bytes = Arc::new(AtomicU64::new(0));
        let (server, counted) = (server.to_owned(), Arc::clone(&bytes));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).expect("the server");
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let both = from.try_clone().and_then(|from| Ok((from, to.try_clone()?)));
                    let (from, to) = both.expect("a second handle");
                    let counted = Arc::clone(&counted);
                    thread::spawn(move || carry(from, to, &counted));
                }
            }
        });
        Self { address, bytes }
    }

    /// Both ways, since it began.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

/// Until either end closes.
fn carry(mut from: TcpStream, mut to: TcpStream, counted: &AtomicU64) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        counted.fetch_add(read as u64, Ordering::SeqCst);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
