//! One HAProxy process: a command and its answer over the runtime socket.
//!
//! Errors are text without a status, so every answer is compared with the one that is documented.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::{Read, entry::Entry};
use crate::providers::traffic::lock::{Lease, LeaseIsOver};

/// HAProxy answers within a millisecond; a second means that it hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Far above the statistics of a thousand backends.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;

/// HAProxy takes lines up to its buffer (16,384 by default) less 1,024, the newline included. A longer one it neither
/// takes nor refuses: it hangs.
const LONGEST_COMMAND: usize = 15_359;

/// The entry of `key` in the process's memory: what users get.
pub(crate) async fn get_map(socket: &Path, map: &Path, key: &str) -> Read {
    let answer = ask(socket, &format!("get map {} {key}", map.display())).await?;
    entry_of(&answer, map).with_context(|| format!("read \"{key}\" from HAProxy at {}", socket.display()))
}

/// Sets the entry, or adds it where the process has none.
///
/// # Errors
///
/// [`LeaseIsOver`] as it is, so that a caller can tell; everything else in words.
pub(crate) async fn set_map(
    socket: &Path,
    map: &Path,
    key: &str,
    value: &str,
    lease: Lease,
) -> anyhow::Result<()> {
    let context = || format!("write \"{key}\" to HAProxy at {}", socket.display());
    let mut answer = tell(socket, &command("set", map, key, value), Some(lease)).await?;
    if answer.trim() == "entry not found." {
        answer = tell(socket, &command("add", map, key, value), Some(lease)).await?;
    }
    if answer.trim().is_empty() {
        Ok(())
    } else {
        Err(refusal(&answer, map)).with_context(context)
    }
}

fn command(verb: &str, map: &Path, key: &str, value: &str) -> String {
    format!("{verb} map {} {key} {value}", map.display())
}

/// Why no process would take `value`, if so.
pub(crate) fn too_long(map: &Path, key: &str, value: &str) -> Option<String> {
    let length = command("set", map, key, value).len();
    (length > LONGEST_COMMAND)
        .then(|| format!("the entry needs a command of {length} bytes, and HAProxy takes {LONGEST_COMMAND}"))
}

/// What HAProxy counts of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Servers that are up.
    pub(crate) up: u32,
    /// Requests that are not answered yet.
    pub(crate) sessions: u32,
}

/// Every backend, by its name.
pub(crate) async fn backends(socket: &Path) -> anyhow::Result<BTreeMap<String, Backend>> {
    // Every proxy (-1), backends (2), every server (-1).
    let answer = ask(socket, "show stat -1 2 -1").await?;
    statistics(&answer).with_context(|| format!("read the backends from HAProxy at {}", socket.display()))
}

/// The text that the configuration keeps in the process-wide variable `name`; none where it has no such one.
pub(crate) async fn variable(socket: &Path, name: &str) -> anyhow::Result<Option<String>> {
    let answer = ask(socket, &format!("get var {name}")).await?;
    Ok(text_in(&answer))
}

/// The value in the answer to `get var`.
fn text_in(answer: &str) -> Option<String> {
    let (_, rest) = answer.split_once("type=str value=<")?;
    Some(rest.trim_end().strip_suffix('>')?.to_owned())
}

async fn ask(socket: &Path, command: &str) -> anyhow::Result<String> {
    tell(socket, command, None).await
}

/// Sends `command` unless `lease` is over at that moment.
async fn tell(socket: &Path, command: &str, lease: Option<Lease>) -> anyhow::Result<String> {
    let talk = async {
        let mut stream = UnixStream::connect(socket).await?;
        if lease.is_some_and(Lease::is_over) {
            return Ok(None);
        }
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.take(LONGEST_ANSWER).read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(Some(answer))
    };
    let answer = match timeout(PATIENCE, talk).await {
        Ok(Ok(Some(answer))) => answer,
        Ok(Ok(None)) => bail!(LeaseIsOver),
        Ok(Err(error)) => {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => ": is HAProxy running, and is this its \"stats socket\"?",
                std::io::ErrorKind::ConnectionRefused => {
                    ": nobody listens there; HAProxy is down or was replaced"
                }
                std::io::ErrorKind::PermissionDenied => {
                    ": give this user access with \"user\", \"group\" or \"mode\" on HAProxy's \"stats socket\" line"
                }
                _ => "",
            };
            return Err(error).with_context(|| format!("talk to HAProxy at {}{hint}", socket.display()));
        }
        Err(_) => bail!(
            "HAProxy at {} did not answer within {} s",
            socket.display(),
            PATIENCE.as_secs()
        ),
    };
    // A whole answer ends with an empty line; a process that dies in the middle sends a part of one.
    if !answer.ends_with('\n') {
        bail!(
            "HAProxy at {} closed the connection in the middle of its answer",
            socket.display()
        );
    }
    Ok(answer)
}

fn entry_of(answer: &str, map: &Path) -> Read {
    let answer = answer.trim_end();
    if answer.contains("found=no") {
        return Ok(Entry::Missing);
    }
    let value = answer
        .split_once("value=\"")
        .and_then(|(_, rest)| rest.rsplit_once("\", type="))
        .map(|(value, _)| Entry::Value(value.to_owned()));
    value.ok_or_else(|| refusal(answer, map))
}

/// Why HAProxy said no, with the way out.
fn refusal(answer: &str, map: &Path) -> anyhow::Error {
    let answer = answer.trim();
    let first = answer.lines().next().unwrap_or_default();
    if first.starts_with("Unknown map identifier") {
        return anyhow!(
            "HAProxy has no map {}: its configuration must name the file exactly so (shift-traffic init haproxy)",
            map.display()
        );
    }
    if first.starts_with("Permission denied") {
        return anyhow!(
            "the socket is not of level admin: write \"level admin\" on HAProxy's \"stats socket\" line"
        );
    }
    anyhow!("HAProxy answered \"{first}\"")
}

/// Reads the CSV of `show stat`.
fn statistics(csv: &str) -> anyhow::Result<BTreeMap<String, Backend>> {
    let mut lines = csv.lines().filter(|line| !line.is_empty());
    let header = lines
        .next()
        .and_then(|line| line.strip_prefix("# "))
        .context("the answer is no statistics")?;
    let column = |name: &str| {
        let found = header.split(',').position(|column| column == name);
        found.with_context(|| format!("the statistics have no column {name}"))
    };
    let (proxy, kind, active, backup, current) = (
        column("pxname")?,
        column("svname")?,
        column("act")?,
        column("bck")?,
        column("scur")?,
    );
    let mut backends = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let count = |at: usize| cell(at).parse::<u32>().unwrap_or(0);
        if cell(kind) == "BACKEND" {
            let backend = Backend {
                up: count(active) + count(backup),
                sessions: count(current),
            };
            backends.insert(cell(proxy).to_owned(), backend);
        }
    }
    Ok(backends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> &'static Path {
        Path::new("/etc/haproxy/rollgate.map")
    }

    #[test]
    fn the_answers_of_haproxy_2_6_are_understood() {
        let found = "type=str, case=sensitive, found=yes, idx=tree, key=\"web\", value=\"10|ab\"c==\", type=\"str\"\n\n";
        assert_eq!(
            entry_of(found, map()).unwrap(),
            Entry::Value("10|ab\"c==".to_owned())
        );
        assert_eq!(
            entry_of("type=str, case=sensitive, found=no\n\n", map()).unwrap(),
            Entry::Missing
        );
    }

    #[test]
    fn a_variable_of_haproxy_2_6_is_understood() {
        assert_eq!(
            text_in("proc.rollgate.web: type=str value=<blue>\n\n"),
            Some("blue".to_owned())
        );
        assert_eq!(text_in("Variable not found.\n\n"), None);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let said = |answer: &str| entry_of(answer, map()).unwrap_err().to_string();
        insta::assert_snapshot!(said("Unknown map identifier. Please use #<id> or <file>.\n\n"), @"HAProxy has no map /etc/haproxy/rollgate.map: its configuration must name the file exactly so (shift-traffic init haproxy)");
        insta::assert_snapshot!(said("Permission denied\n\n"), @r#"the socket is not of level admin: write "level admin" on HAProxy's "stats socket" line"#);
        insta::assert_snapshot!(said("\n"), @r#"HAProxy answered """#);
    }

    #[test]
    fn servers_and_open_requests_are_counted_per_backend() {
        let csv = "# pxname,svname,scur,status,weight,act,bck,\nblue,BACKEND,0,DOWN,0,0,0,\ngreen,g1,4,UP,1,1,0,\ngreen,BACKEND,4,UP,2,2,1,\n\n";
        let backend = |up, sessions| Backend { up, sessions };
        assert_eq!(
            statistics(csv).unwrap(),
            BTreeMap::from([
                ("blue".to_owned(), backend(0, 0)),
                ("green".to_owned(), backend(3, 4))
            ])
        );
        assert!(statistics("Permission denied\n\n").is_err());
    }
}
