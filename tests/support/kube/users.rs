//! Many requests at once, counted by the version that answered.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Connections at once; Envoy and the shops share the machine with the tests.
const CONNECTIONS: usize = 4;
/// When a user gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What users met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Good answers by the header `x-version`.
    pub(crate) versions: BTreeMap<String, usize>,
    /// Bad answers by status; 0 is no answer.
    pub(crate) failed: BTreeMap<u16, usize>,
}

impl Met {
    /// How many `version` served well.
    pub(crate) fn of(&self, version: &str) -> usize {
        self.versions.get(version).copied().unwrap_or(0)
    }
}

/// `count` requests for `host` at `front` (HOST:PORT); `headers` makes the further lines of each, by its number.
pub(crate) fn ask(front: &str, host: &str, count: usize, headers: impl Fn(usize) -> String + Sync) -> Met {
    let next = AtomicUsize::new(0);
    let met: Vec<Met> = thread::scope(|scope| {
        let user = || {
            let mut met = Met::default();
            let mut connection = None;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return met;
                }
                let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n{}\r\n", headers(number));
                match answer(&mut connection, front, &request) {
                    Some((200, version)) => *met.versions.entry(version).or_default() += 1,
                    Some((status, _)) => *met.failed.entry(status).or_default() += 1,
                    None => {
                        connection = None;
                        *met.failed.entry(0).or_default() += 1;
                    }
                }
            }
        };
        let users: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(user)).collect();
        users
            .into_iter()
            .map(|user| user.join().expect("a user"))
            .collect()
    });
    let mut all = Met::default();
    for met in met {
        for (version, count) in met.versions {
            *all.versions.entry(version).or_default() += count;
        }
        for (status, count) in met.failed {
            *all.failed.entry(status).or_default() += count;
        }
    }
    all
}

/// Status and version of one answer, on a connection that is kept.
fn answer(kept: &mut Option<BufReader<TcpStream>>, front: &str, request: &str) -> Option<(u16, String)> {
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(front).ok()?;
            stream.set_nodelay(true).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            kept.insert(BufReader::new(stream))
        }
    };
    connection.get_mut().write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    connection.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let (mut version, mut length, mut close) = (String::new(), 0, false);
    loop {
        line.clear();
        connection.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-version" => value.clone_into(&mut version),
            "content-length" => length = value.parse().ok()?,
            "connection" => close = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    connection.read_exact(&mut vec![0; length]).ok()?;
    if close {
        *kept = None;
    }
    Some((status, version))
}
