//! One user's connection, kept as a browser keeps it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// When a user gives up.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    front: String,
    request: String,
    kept: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// Asks `front` (HOST:PORT) for the page of `host`; nothing is sent yet.
    pub(super) fn to(front: &str, host: &str) -> Self {
        Self {
            front: front.to_owned(),
            request: format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            kept: None,
        }
    }

    /// The version that answers.
    ///
    /// A kept connection that the other end has closed at the same moment is no failure: the request goes over a new
    /// one, as RFC 9110 (9.2.2) allows.
    ///
    /// # Errors
    ///
    /// No answer, or not a good one; in words.
    pub(super) fn ask(&mut self) -> Result<String, String> {
        if let Some(mut kept) = self.kept.take()
            && let Some(first) = self.begin(&mut kept)
        {
            return self.finish(kept, &first);
        }
        let stream = TcpStream::connect(&self.front).map_err(|error| format!("connect: {error}"))?;
        let ready = stream.set_nodelay(true);
        let ready = ready.and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        ready.map_err(|error| error.to_string())?;
        let mut stream = BufReader::new(stream);
        let first = self.begin(&mut stream).ok_or("no answer on a new connection")?;
        self.finish(stream, &first)
    }

    /// Sends the request; the first line of the answer, none if not a byte of it came.
    fn begin(&self, stream: &mut BufReader<TcpStream>) -> Option<String> {
        stream.get_mut().write_all(self.request.as_bytes()).ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        (!line.is_empty()).then_some(line)
    }

    /// The rest of the answer.
    fn finish(&mut self, mut stream: BufReader<TcpStream>, first: &str) -> Result<String, String> {
        let (mut version, mut length, mut closes) = (String::new(), 0, false);
        loop {
            let mut line = String::new();
            let read = stream.read_line(&mut line);
            read.map_err(|error| format!("in the middle of an answer: {error}"))?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-version" => value.clone_into(&mut version),
                "content-length" => length = value.parse().map_err(|_| line.clone())?,
                "connection" => closes = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let read = stream.read_exact(&mut vec![0; length]);
        read.map_err(|error| format!("in the middle of a body: {error}"))?;
        if !closes {
            self.kept = Some(stream);
        }
        if first.contains(" 200 ") && !version.is_empty() {
            Ok(version)
        } else {
            Err(first.trim_end().to_owned())
        }
    }
}
