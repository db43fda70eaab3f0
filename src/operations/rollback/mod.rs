//! Takes the traffic back. Needs the router and nothing else, and uses what else there is so that nobody is turned
//! away.
//!
//! ```text
//! read ─▶ can stable carry it? ─▶ share 0, rules for single users gone: one write ─▶ afterwards
//!              │ no: scale up, leave the candidate what stable cannot carry, try again
//! ```

pub mod afterwards;
mod attempt;
pub mod describe;
pub mod gradual;

use std::time::Duration;

use anyhow::anyhow;
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        event::Event,
        moves::Start,
        record::{Record, State},
    },
    weight::Weight,
};

use super::{capacity::Behind, desk::Desk};
use crate::{error::chain, providers::traffic::Router};
pub use attempt::rolled_back;
use attempt::{Attempt, Failed, Why, attempt, fresh};

/// Between two tries while the router does not obey, or while stable's capacity is awaited.
const AGAIN: Duration = Duration::from_millis(500);

/// So many conflicts in a row are no accident any more, and are given time.
const CONFLICTS: u32 = 10;

/// How a rollback ended.
#[derive(Debug)]
pub struct RolledBack {
    /// Done, or Stuck, or Fenced when somebody else finished it.
    pub outcome: Outcome,
    /// What the router has now, as far as is known.
    pub record: Record,
    /// Places that have not confirmed it, in words: the candidate may still have requests there.
    pub unconfirmed: Vec<String>,
}

/// What to write where the router has no readable record.
pub struct Base<'a> {
    /// The record that a driver last knew to be its own, if any.
    pub known: Option<&'a Record>,
    /// For a router without any.
    pub blank: Start,
    /// The generation of a driver that rolls back its own rollout and must not touch another's. None for a
    /// person, who rolls back whatever is there.
    pub fence: Option<u64>,
}

/// What a rollback may use besides the router, and for how long it tries.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// Where stable's capacity is asked for.
    pub behind: Behind<'a>,
    /// For a router that does not obey.
    pub patience: SignedDuration,
    /// For stable, while it cannot carry what the candidate has.
    pub capacity_within: SignedDuration,
}

impl Way<'_> {
    /// The router alone.
    #[must_use]
    pub const fn router_only(patience: SignedDuration) -> Self {
        Self {
            behind: Behind {
                stacks: None,
                scale_up: false,
            },
            patience,
            capacity_within: patience,
        }
    }
}

/// How far down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// To 0, for good.
    Zero,
    /// To this share, or what the candidate has if that is less, or the next one below that the router can give.
    Step(Weight),
}

/// Writes share 0 and `RolledBack`, over whatever is there, until it holds or patience is over.
///
/// Idempotent: a rollout that is rolled back already, with share 0, is done, and so is one that is finished. A
/// conflict is read again at once. What stable cannot carry stays with the candidate, never more than it has, until
/// stable can; if that takes too long the record says `RollingBack` and whoever comes next goes on from there. A
/// candidate without anything ready is left at once. Counts that cannot be had hold up nothing.
pub async fn roll_back(
    router: &dyn Router,
    desk: &mut Desk,
    base: Base<'_>,
    reason: &str,
    way: &Way<'_>,
) -> RolledBack {
    settle(router, desk, &base, reason, way, Goal::Zero).await
}

/// What a rollback remembers from try to try.
struct Trying {
    began: Timestamp,
    /// What the candidate had before the first write that was not answered well; it may have been done.
    unheard: Option<Weight>,
    /// Writes in a row that somebody else was faster than.
    conflicts: u32,
    /// The last record that this rollback wrote.
    wrote: Option<Record>,
    /// Since when stable is short of capacity.
    short_since: Option<Timestamp>,
    /// What was said already and is not said again while it lasts.
    told: Option<String>,
}

async fn settle(
    router: &dyn Router,
    desk: &mut Desk,
    base: &Base<'_>,
    reason: &str,
    way: &Way<'_>,
    goal: Goal,
) -> RolledBack {
    let mut trying = Trying {
        began: desk.clock.now(),
        unheard: None,
        conflicts: 0,
        wrote: None,
        short_since: None,
        told: None,
    };
    loop {
        let done = |outcome, record| RolledBack {
            outcome,
            record,
            unconfirmed: Vec::new(),
        };
        let Failed { error, record, why } =
            match attempt(router, desk, base, reason, way, goal, &mut trying).await {
                Ok(Attempt::Already(record)) => return done(Outcome::Done, record),
                Ok(Attempt::Done {
                    record,
                    from,
                    unconfirmed,
                }) => {
                    note_done(desk, &record, from, reason, trying.began);
                    for what in &unconfirmed {
                        desk.note(&record, Event::LeftOver { what: what.clone() });
                    }
                    return RolledBack {
                        unconfirmed,
                        ..done(Outcome::Done, record)
                    };
                }
                Ok(Attempt::Fenced(record)) => return done(Outcome::Fenced, record),
                Ok(Attempt::Again) => {
                    trying.conflicts += 1;
                    if !trying.conflicts.is_multiple_of(CONFLICTS) {
                        continue;
                    }
                    let known = trying.wrote.as_ref().or(base.known);
                    Failed {
                        error: anyhow!(
                            "somebody else writes to the router all the time, or it refuses every write so"
                        ),
                        record: known.cloned().unwrap_or_else(|| fresh(base, desk)),
                        why: Why::Router,
                    }
                }
                Err(failed) => {
                    trying.conflicts = 0;
                    *failed
                }
            };
        let now = desk.clock.now();
        let error = chain(&error);
        let (since, longest) = match why {
            Why::Router => (trying.began, way.patience),
            Why::Short { .. } => (*trying.short_since.get_or_insert(now), way.capacity_within),
        };
        let too_long = now.duration_since(since) >= longest;
        // What was asked for comes within a minute, as a rule: nobody has to come for that.
        let comes = why == (Why::Short { comes: true }) && !too_long;
        if comes && trying.told.as_ref() != Some(&error) {
            desk.journal.say(&error);
        } else if !comes && (trying.told.as_ref() != Some(&error) || too_long) {
            desk.note(&record, Event::Stuck { error: error.clone() });
        }
        trying.told = Some(error);
        if too_long {
            return done(Outcome::Stuck, record);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn note_done(desk: &mut Desk, record: &Record, from: Weight, reason: &str, began: Timestamp) {
    let reason = reason.to_owned();
    let event = if matches!(record.state, State::RollingBack { .. }) {
        Event::Lowered { from, reason }
    } else {
        let took = desk.clock.now().duration_since(began).as_millis();
        Event::RolledBack {
            from,
            reason,
            took_ms: u64::try_from(took).unwrap_or(0),
        }
    };
    desk.note(record, event);
}

#[cfg(test)]
mod tests;
