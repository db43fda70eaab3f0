//! HAProxy: share and record in one map entry, through the runtime socket of every process.
//!
//! The entry is `KEY SHARE|RECORD` with the record in base64. HAProxy reads the map file at start and at
//! reload only, so the file is a place like the sockets are: all of them get every write. A share that rises
//! goes to the sockets first and a share that falls goes to the file first, so that a reload in the middle
//! of a write never raises it. The newest generation and sequence tells a write of ours that was cut off
//! (the next write finishes it) from somebody else's hand (drift).
//!
//! HAProxy has no compare-and-set. Writers take a lock file beside the map, and whoever has held it for
//! longer than a [`lock::Lease`] does not write any more: it is asked before every single place, so that a
//! process that was stopped in the middle goes on with reading.
//!
//! Source: <https://docs.haproxy.org/2.6/management.html#9.3>

pub mod configuration;
mod entry;
mod lock;
mod map_file;
mod socket;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use futures_util::future::join_all;
use rollgate_domain::rollout::record::Record;

use self::{
    entry::{Entry, Place},
    lock::{Lease, LeaseIsOver},
};
use super::{Capacity, Router, Seen, Shares, UserId, WriteError};

/// One or several HAProxy processes that share a map.
#[derive(Clone, Debug)]
pub struct Haproxy {
    sockets: Vec<PathBuf>,
    map: PathBuf,
    key: String,
    stable: String,
    candidate: String,
}

impl Haproxy {
    /// `sockets`: one runtime socket (level admin) for each process. `map` must be written in HAProxy's
    /// configuration exactly as here: HAProxy knows maps by that name.
    #[must_use]
    pub fn new(sockets: Vec<PathBuf>, map: PathBuf, key: String, stable: String, candidate: String) -> Self {
        Self {
            sockets,
            map,
            key,
            stable,
            candidate,
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

    /// The fewest servers that any process sees up.
    async fn capacity(&self) -> anyhow::Result<Capacity> {
        let mut least: Option<Capacity> = None;
        for path in &self.sockets {
            let backends = socket::backends(path).await?;
            let up = |name: &str| {
                backends.get(name).copied().ok_or_else(|| {
                    let known: Vec<_> = backends.keys().map(String::as_str).collect();
                    anyhow!(
                        "HAProxy has no backend \"{name}\"; it has {}: correct traffic.haproxy.backends in the plan",
                        if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                    )
                })
            };
            let here = Capacity {
                stable: up(&self.stable)?,
                candidate: up(&self.candidate)?,
                sessions: None,
            };
            least = Some(least.map_or(here, |least| Capacity {
                stable: least.stable.min(here.stable),
                candidate: least.candidate.min(here.candidate),
                sessions: None,
            }));
        }
        least.context("the plan names no HAProxy socket")
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
        let mut seen = entry::compare(self.places().await, &self.key, &self.candidate)?;
        // A process that does not answer is not asked twice: a driver that must leave has little time.
        if seen.unreachable.is_empty() {
            match self.capacity().await {
                Ok(capacity) => seen.capacity = Some(capacity),
                Err(error) => seen.unreachable.push(format!("{error:#}")),
            }
        }
        Ok(seen)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let falls_to_zero = record.weight == rollgate_domain::weight::Weight::ZERO;
        let lock = match lock::take(&self.map).await {
            Ok(lock) => Some(lock),
            // A rollback does not wait for a driver that hangs, nor for a folder it may not write to.
            Err(_) if falls_to_zero => None,
            Err(error) => return Err(WriteError::Unreachable(error)),
        };
        let now = entry::compare(self.places().await, &self.key, &self.candidate)
            .map_err(WriteError::Unreachable)?;
        // Without the lock, and after a process that hangs, a share of 0 still has the time that a write takes.
        let lease = match &lock {
            Some(lock) if !falls_to_zero => lock.lease(),
            _ => Lease::begins_now(),
        };
        // A hand that was faster than this process counts like another driver: it may have lowered the share.
        let tampered = now.drift.is_some() && now.drift != seen.drift && !falls_to_zero;
        if now.token != seen.token || tampered {
            return Err(WriteError::Conflict);
        }
        let rises = now.share.is_none_or(|share| record.weight > share) && !falls_to_zero;
        let value = entry::value(record);
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

    fn describe(&self, _: &Seen, record: &Record) -> String {
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
    }
}

/// What reading one place gave: an entry, or why there is none.
pub(crate) type Read = Result<Entry, anyhow::Error>;
