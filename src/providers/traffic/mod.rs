//! Routers: who gets the traffic, and where the rollout is recorded.

pub mod gateway_api;
pub mod haproxy;
pub mod istio;
pub mod last_digits;
mod lock;
pub mod nginx;
mod replace;
pub mod replica_ratio;
pub(in crate::providers) mod routed_object;
pub mod service_selector;

use rollgate_domain::{
    rollout::record::{Record, State, Unreadable},
    weight::Weight,
};

/// How single users are told apart; the same for every router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// How a user is recognised, so that each one stays on one version.
    pub sticky: Option<Sticky>,
    /// Which requests meet the candidate whatever its share is.
    pub preview: Option<Preview>,
}

/// Where a user's id stands, and of which form it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Where it stands.
    pub by: UserId,
    /// Of which form it is.
    pub ids: Ids,
}

/// Where a user's id stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserId {
    /// In this header.
    Header(String),
    /// In this cookie.
    Cookie(String),
    /// In this parameter of the URL.
    Query(String),
}

/// By which of its last digits an id is told from others, where a router cannot hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// The last two decimal digits.
    Decimal,
    /// The last two hexadecimal digits.
    Hex,
}

/// The header of requests that meet the candidate while a rollout is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its name.
    pub header: String,
    /// Its value.
    pub value: String,
}

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
    /// The record says whose share it is, and whether rules for single users (sticky, preview) stand: only while
    /// [`Record::is_tried`]. Idempotent. A share that does not rise is written to every place that can be reached
    /// even when others cannot. Returns what the router had after the write, read back from it, once the router
    /// has accepted it.
    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError>;

    /// The exact changes that [`Self::write`] would make of what was seen if it wrote these records one after the
    /// other, a text for each: for `--dry-run`. Asks nobody.
    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String>;
}

/// What a router has.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose share it is: the record's candidate; where no record can be read whom the router's own rules take for
    /// it, the second of the plan's backends at first.
    pub candidate: String,
    /// The live share of the candidate; the highest where places differ, none where it cannot be told.
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
    /// Which shares this router can give.
    pub shares: Shares,
    /// What a write must still find, in the provider's own form.
    pub token: String,
}

impl Seen {
    /// The live share of `backend`, one of the two.
    #[must_use]
    pub fn share_of(&self, backend: &str) -> Option<Weight> {
        let share = self.share?;
        Some(if backend == self.candidate {
            share
        } else {
            share.rest()
        })
    }

    /// How many servers of `backend`, one of the two, are up, if the router tells.
    #[must_use]
    pub fn up(&self, backend: &str) -> Option<u32> {
        let capacity = self.capacity?;
        Some(if backend == self.candidate {
            capacity.candidate
        } else {
            capacity.stable
        })
    }
}

/// Which shares a router can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shares {
    /// Every whole percent.
    Every,
    /// These, rising, with 0 and 100.
    Only {
        /// The shares.
        these: Vec<Weight>,
        /// Why no others, and what to do for them, in words.
        because: String,
    },
}

impl Shares {
    /// Why `weight` cannot be given, in words; none if it can.
    #[must_use]
    pub fn refusal(&self, weight: Weight) -> Option<String> {
        match self {
            Self::Only { these, because } if !these.contains(&weight) => {
                Some(format!("{weight} cannot be given here: {because}"))
            }
            Self::Every | Self::Only { .. } => None,
        }
    }

    /// The largest one that is not above `weight`.
    #[must_use]
    pub fn at_most(&self, weight: Weight) -> Weight {
        match self {
            Self::Every => weight,
            Self::Only { these, .. } => {
                let below = these.iter().filter(|share| **share <= weight);
                below.max().copied().unwrap_or(Weight::ZERO)
            }
        }
    }

    /// The smallest one that is not below `weight`.
    #[must_use]
    pub fn at_least(&self, weight: Weight) -> Weight {
        match self {
            Self::Every => weight,
            Self::Only { these, .. } => {
                let above = these.iter().filter(|share| **share >= weight);
                above.min().copied().unwrap_or(Weight::FULL)
            }
        }
    }
}

/// How many servers of each backend are up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Of the backend that takes the traffic back.
    pub stable: u32,
    /// Of the backend that is tried.
    pub candidate: u32,
    /// Requests that the latter has not answered yet, if the router tells.
    pub sessions: Option<u32>,
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

/// Whether `record` takes everything back to stable: it goes on where a lock is not to be had or a check fails. What
/// begins or ends a rollout with a share of 0 has time, and a promotion must not overwrite a rollback.
fn takes_back(record: &Record) -> bool {
    let has_time = matches!(
        record.state,
        State::Ready { .. } | State::Promoted { .. } | State::Finished
    );
    record.weight == Weight::ZERO && !has_time
}
