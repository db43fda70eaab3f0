//! The line between a tool and a server, for a test to trouble.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How often a connection looks at the state of its line.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Every byte arrives so much later.
    Open(Duration),
    /// Connections are taken, and nothing is heard of them.
    Silent,
    /// Connections break, and new ones are closed at once.
    Cut,
    /// Given up; the listener ends.
    Over,
}

/// A TCP proxy on 127.0.0.1.
pub(crate) struct Link {
    /// HOST:PORT for the tool.
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Link {
    /// In front of `server` (HOST:PORT).
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::Open(Duration::ZERO)));
        let line = Line {
            server: server.to_owned(),
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                match line.state() {
                    State::Over => return,
                    State::Cut => {}
                    State::Open(_) | State::Silent => line.connect(stream),
                }
            }
        });
        Self { address, state }
    }

    /// Breaks all connections and takes no new ones.
    pub(crate) fn cut(&self) {
        self.set(State::Cut);
    }

    /// Neither breaks nor answers: the tool waits until its patience ends.
    pub(crate) fn silence(&self) {
        self.set(State::Silent);
    }

    /// Makes every byte late.
    pub(crate) fn delay(&self, by: Duration) {
        self.set(State::Open(by));
    }

    /// As good as new; what was held back while it was silent arrives.
    pub(crate) fn restore(&self) {
        self.set(State::Open(Duration::ZERO));
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.set(State::Over);
        // Wakes the listener.
        let _ = TcpStream::connect(&self.address);
    }
}

#[derive(Clone)]
struct Line {
    server: String,
    state: Arc<Mutex<State>>,
}

impl Line {
    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, client: TcpStream) {
        let line = self.clone();
        thread::spawn(move || {
            let Ok(server) = TcpStream::connect(&line.server) else {
                return;
            };
            let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
            let Some((from, to)) = pair() else { return };
            let back = line.clone();
            thread::spawn(move || back.carry(&to, &from));
            line.carry(&client, &server);
        });
    }

    /// Carries bytes one way until either end closes or the line breaks.
    fn carry(&self, from: &TcpStream, to: &TcpStream) {
        let _ = self.try_carry(from, to);
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn try_carry(&self, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        from.set_read_timeout(Some(LOOK))?;
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = match from.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Err(error) => return Err(error),
            };
            let came = Instant::now();
            loop {
                match self.state() {
                    State::Cut | State::Over => return Ok(()),
                    State::Open(delay) if read == 0 || came.elapsed() >= delay => break,
                    State::Open(delay) => thread::sleep(LOOK.min(delay - came.elapsed().min(delay))),
                    State::Silent if read == 0 => break,
                    State::Silent => thread::sleep(LOOK),
                }
            }
            to.write_all(&bytes[..read])?;
        }
    }
}
