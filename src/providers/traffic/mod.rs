//! Routers: who gets the traffic, and where the rollout is recorded.

pub mod haproxy;

use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};

/// The router that splits live traffic, and the one place where the rollout is recorded.
#[async_trait::async_trait]
pub trait Router: Send + Sync {
    /// Share and record as the router has them now, never as we last asked for them.
    ///
    /// # Errors
    ///
    /// Nothing at all could be read. What could be read in part is in [`Seen::unreachable`].
    async fn read(&self) -> anyhow::Result<Seen>;

    /// Writes `record` and its share as one, if the router still has what is in `seen`.
    ///
    /// Idempotent. A share that does not rise is written to every place that can be reached even when
    /// others cannot. Returns what the router had after the write, read back from it.
    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError>;

    /// The exact change that [`Self::write`] would make, for `--dry-run`.
    fn describe(&self, record: &Record) -> String;
}

/// What a router has.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The live share of the candidate; the highest where processes differ, none where it cannot be told.
    pub share: Option<Weight>,
    /// The newest record, none where no rollout was ever recorded.
    pub record: Result<Option<Record>, Unreadable>,
    /// What differs from the record by somebody else's hand, in words.
    pub drift: Option<String>,
    /// An own write that was cut off in the middle: the next write finishes it.
    pub torn: bool,
    /// Places that could not be read, in words.
    pub unreachable: Vec<String>,
    /// Servers that are up, if the router tells.
    pub capacity: Option<Capacity>,
    /// The raw value that a write must still find.
    pub token: String,
}

/// How many servers of each backend are up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Of the backend that takes the traffic back.
    pub stable: u32,
    /// Of the backend that is tried.
    pub candidate: u32,
}

/// Why a write did not happen, or not everywhere.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody wrote in between: read again, decide again.
    #[error("somebody else wrote in between")]
    Conflict,
    /// The router answered, and said no.
    #[error("the router refused: {0}")]
    Rejected(String),
    /// The router, or a part of it, did not answer.
    #[error("the router cannot be reached")]
    Unreachable(#[source] anyhow::Error),
}
