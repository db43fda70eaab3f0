//! HAProxy: share and record in one map entry, through the runtime socket of every process.
//!
//! The entry is `KEY SHARE|CANDIDATE|STATE|RECORD` (module `entry`): share and roles change in one command.
//! HAProxy reads the map file at start and at reload only, so the file is a place like the sockets are: all of
//! them get every write. What counts is the share of whoever is the candidate after the write: if it rises the
//! sockets come first, else the file, so that a reload in the middle of a write never raises it. A promotion and
//! its way back are no exception: the new candidate has no more afterwards than before, so the file comes first,
//! and a reload in between gives what is being written. The newest generation and sequence tells a write of ours
//! that was cut off (the next write finishes it) from somebody else's hand (drift).
//!
//! HAProxy has no compare-and-set. Writers take a lock file beside the map, and whoever has held it for
//! longer than a [`lock::Lease`] does not write any more: it is asked before every single place, so that a
//! process that was stopped in the middle goes on with reading.
//!
//! Source: <https://docs.haproxy.org/2.6/management.html#9.3>

mod compare;
pub mod configuration;
mod entry;
pub mod hash;
mod map_file;
mod socket;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow};
use futures_util::future::join_all;
use rollgate_domain::{rollout::record::Record, weight::Weight};

use self::{
    compare::{Place, compare},
    entry::Entry,
};
use super::{
    Capacity, Router, Seen, Shares, UserId, Users, WriteError,
    lock::{self, Lease, LeaseIsOver},
    takes_back,
};

/// How long a writer may take from the lock to its write. A write takes a few milliseconds, and a process that
/// hangs costs a second before it.
const LEASE: Duration = Duration::from_millis(1500);

/// One or several HAProxy processes that share a map.
#[derive(Clone, Debug)]
pub struct Haproxy {
    sockets: Vec<PathBuf>,
    map: PathBuf,
    key: String,
    backends: [String; 2],
}

impl Haproxy {
    /// `sockets`: one runtime socket (level admin) for each process. `map` must be written in HAProxy's
    /// configuration exactly as here: HAProxy knows maps by that name.
    #[must_use]
    pub fn new(sockets: Vec<PathBuf>, map: PathBuf, key: String, backends: [String; 2]) -> Self {
        Self {
            sockets,
            map,
            key,
            backends,
        }
    }

    /// The entry in the file and in every process, whatever is there.
    async fn places(&self) -> Vec<Place> {
        let mut places = vec![Place {
            name: format!("map file {}", self.map.display()),
            entry: map_file::get(&self.map, &self.key),
        }];
        let entries = join_all(
            self.sockets
                .iter()
                .map(|path| socket::get_map(path, &self.map, &self.key)),
        )
        .await;
        for (path, entry) in self.sockets.iter().zip(entries) {
            places.push(Place {
                name: format!("socket {}", path.display()),
                entry,
            });
        }
        places
    }

    /// The fewest servers that any process sees up, and the candidate's open requests in all of them.
    async fn capacity(&self, candidate: &str) -> anyhow::Result<Capacity> {
        let [first, second] = &self.backends;
        let mut least: Option<Capacity> = None;
        for path in &self.sockets {
            let backends = socket::backends(path).await?;
            let of = |name: &str| {
                backends.get(name).copied().ok_or_else(|| {
                    let known: Vec<_> = backends.keys().map(String::as_str).collect();
                    anyhow!(
                        "HAProxy has no backend \"{name}\"; it has {}: correct traffic.haproxy.backends in the plan",
                        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                    )
                })
            };
            let (of_first, of_second) = (of(first)?, of(second)?);
            let (stable, candidate) = if candidate == first {
                (of_second, of_first)
            } else {
                (of_first, of_second)
            };
            let sessions = least.and_then(|least| least.sessions).unwrap_or(0) + candidate.sessions;
            least = Some(Capacity {
                stable: least.map_or(stable.up, |least| least.stable.min(stable.up)),
                candidate: least.map_or(candidate.up, |least| least.candidate.min(candidate.up)),
                sessions: Some(sessions),
            });
        }
        least.context("the plan names no HAProxy socket")
    }

    /// Why HAProxy's lines would not do what a record with this candidate says, if so.
    ///
    /// Lines of an older rollgate take every share for that of the second backend, and lines for backends in
    /// another order read a new map the other way round.
    async fn lines_are_others(&self, candidate: &str) -> anyhow::Result<Option<String>> {
        let [first, _] = &self.backends;
        for path in &self.sockets {
            let theirs = socket::variable(path, &configuration::variable(&self.key)).await?;
            let trouble = match theirs {
                Some(theirs) if theirs != *first => format!(
                    "its lines were made for {theirs} as the first of traffic.haproxy.backends, the plan has {first}"
                ),
                None if candidate == first => {
                    "its lines are of an older rollgate, which knew the second backend as candidate only"
                        .to_owned()
                }
                _ => continue,
            };
            return Ok(Some(format!(
                "HAProxy at {}: {trouble}; paste what shift-traffic init haproxy prints and reload it",
                path.display()
            )));
        }
        Ok(None)
    }

    /// Puts `value` into the file and every process in the safe order; goes on past failures unless the
    /// share rises. Stops where `lease` is over.
    async fn put(&self, value: &str, rises: bool, lease: Lease) -> Result<(), NotPut> {
        let put = |path: &'_ PathBuf| {
            let path = path.clone();
            async move { socket::set_map(&path, &self.map, &self.key, value, lease).await }
        };
        let file = || {
            if lease.is_over() {
                return Err(anyhow!(LeaseIsOver));
            }
            map_file::put(&self.map, &self.key, value)
        };
        let mut failures = Vec::new();
        if rises {
            for path in &self.sockets {
                put(path).await?;
            }
            file()?;
        } else {
            failures.extend(file().err());
            let done = join_all(self.sockets.iter().map(put)).await;
            failures.extend(done.into_iter().filter_map(Result::err));
        }
        // Users are served by now; what a disk takes its time for comes last.
        failures.extend(map_file::flush(&self.map).err());
        if let Some(over) = failures.iter().position(|failure| failure.is::<LeaseIsOver>()) {
            return Err(failures.swap_remove(over).into());
        }
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0).into()),
            _ => Err(anyhow!(
                failures
                    .iter()
                    .map(|failure| format!("{failure:#}"))
                    .collect::<Vec<_>>()
                    .join("; ")
            )
            .into()),
        }
    }
}

/// Why a value is not everywhere.
enum NotPut {
    /// This process slept, somebody else may have written.
    TooLate,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NotPut {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<LeaseIsOver>() {
            Self::TooLate
        } else {
            Self::Failed(error)
        }
    }
}

#[async_trait::async_trait]
impl Router for Haproxy {
    async fn read(&self) -> anyhow::Result<Seen> {
        let mut seen = compare(self.places().await, &self.key, &self.backends)?;
        // A process that does not answer is not asked twice: a driver that must leave has little time.
        if seen.unreachable.is_empty() {
            match self.capacity(&seen.candidate).await {
                Ok(capacity) => seen.capacity = Some(capacity),
                Err(error) => seen.unreachable.push(format!("{error:#}")),
            }
        }
        Ok(seen)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let takes_back = takes_back(record);
        let candidate = &record.candidate.backend;
        let value = entry::value(record);
        // Before the file has it: from there it would stand in the way of every later write.
        if let Some(trouble) = socket::too_long(&self.map, &self.key, &value) {
            return Err(WriteError::Rejected(trouble));
        }
        let lock = match lock::take(&self.map, LEASE).await {
            Ok(lock) => Some(lock),
            // A rollback does not wait for a driver that hangs, nor for a folder it may not write to.
            Err(_) if takes_back => None,
            Err(error) => return Err(WriteError::Unreachable(error)),
        };
        let now = compare(self.places().await, &self.key, &self.backends).map_err(WriteError::Unreachable)?;
        // Without the lock, and after a process that hangs, a rollback still has the time that a write takes.
        let lease = match &lock {
            Some(lock) if !takes_back => lock.lease(),
            _ => Lease::begins_now(LEASE),
        };
        // A hand that was faster than this process counts like another driver: it may have lowered the share.
        let tampered = now.drift.is_some() && now.drift != seen.drift && !takes_back;
        if now.token != seen.token || tampered {
            return Err(WriteError::Conflict);
        }
        // Who does not answer is told by what comes next.
        if !takes_back
            && now.unreachable.is_empty()
            && let Some(trouble) = self
                .lines_are_others(candidate)
                .await
                .map_err(WriteError::Unreachable)?
        {
            return Err(WriteError::Rejected(trouble));
        }
        let rises =
            record.weight > Weight::ZERO && now.share_of(candidate).is_none_or(|share| record.weight > share);
        let put = self.put(&value, rises, lease).await;
        drop(lock);
        put.map_err(|error| match error {
            NotPut::TooLate => WriteError::Conflict,
            NotPut::Failed(error) => WriteError::Unreachable(error),
        })?;

        let after = self.read().await.map_err(WriteError::Unreachable)?;
        if after.token == value && !after.torn && after.drift.is_none() {
            return Ok(after);
        }
        match &after.record {
            // Somebody newer was faster than our look back.
            Ok(Some(newer)) if newer.generation > record.generation => Ok(after),
            _ => Err(WriteError::Rejected(after.drift.unwrap_or_else(|| {
                format!(
                    "\"{} {}\" was accepted but is not what HAProxy has now",
                    self.key, record.weight
                )
            }))),
        }
    }

    fn describe(&self, _: &Seen, records: &[&Record]) -> Vec<String> {
        let change = |record: &&Record| {
            let value = entry::value(record);
            let sockets = self.sockets.iter().map(|path| {
                format!(
                    "would send to {}: set map {} {} {value}\n",
                    path.display(),
                    self.map.display(),
                    self.key
                )
            });
            let file = format!("would write to {}: {} {value}\n", self.map.display(), self.key);
            sockets.chain([file]).collect()
        };
        records.iter().map(change).collect()
    }
}

/// What reading one place gave: an entry, or why there is none.
pub(crate) type Read = Result<Entry, anyhow::Error>;
