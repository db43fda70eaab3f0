//! Takes the traffic back. Needs the router and nothing else.

use std::time::Duration;

use anyhow::anyhow;
use jiff::SignedDuration;
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        event::Event,
        moves::{Move, Start},
        record::{Record, State, Unreadable},
    },
    weight::Weight,
};

use super::desk::Desk;
use crate::{
    error::chain,
    providers::traffic::{Router, Seen, WriteError},
};

/// Between two tries while the router does not obey.
const AGAIN: Duration = Duration::from_millis(500);

/// How a rollback ended.
#[derive(Debug)]
pub struct RolledBack {
    /// Done, or Stuck, or Fenced when somebody else finished it.
    pub outcome: Outcome,
    /// What the router has now, as far as is known.
    pub record: Record,
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

/// Writes share 0 and `RolledBack`, over whatever is there, until it holds or `patience` is over.
///
/// Idempotent: a rollout that is rolled back already, with share 0, is done. A conflict is read again at once.
/// Refused while stable has no server up and the candidate has: it would turn users away.
pub async fn roll_back(
    router: &dyn Router,
    desk: &mut Desk,
    base: Base<'_>,
    reason: &str,
    patience: SignedDuration,
) -> RolledBack {
    let began = desk.clock.now();
    let mut told = None;
    loop {
        let failed = match attempt(router, desk, &base, reason).await {
            Ok(Attempt::Already(record)) => {
                return RolledBack {
                    outcome: Outcome::Done,
                    record,
                };
            }
            Ok(Attempt::Done { record, from }) => {
                let took = desk.clock.now().duration_since(began).as_millis();
                let event = Event::RolledBack {
                    from,
                    reason: reason.to_owned(),
                    took_ms: u64::try_from(took).unwrap_or(0),
                };
                desk.note(&record, event);
                return RolledBack {
                    outcome: Outcome::Done,
                    record,
                };
            }
            Ok(Attempt::Again) => continue,
            Ok(Attempt::Fenced(record)) => {
                return RolledBack {
                    outcome: Outcome::Fenced,
                    record,
                };
            }
            Err(failed) => failed,
        };
        let (error, record) = (chain(&failed.0), failed.1);
        if told.as_ref() != Some(&error) {
            desk.note(&record, Event::Stuck { error: error.clone() });
            told = Some(error);
        }
        if desk.clock.now().duration_since(began) >= patience {
            return RolledBack {
                outcome: Outcome::Stuck,
                record,
            };
        }
        tokio::time::sleep(AGAIN).await;
    }
}

enum Attempt {
    Already(Record),
    Done { record: Record, from: Weight },
    Again,
    Fenced(Record),
}

async fn attempt(
    router: &dyn Router,
    desk: &Desk,
    base: &Base<'_>,
    reason: &str,
) -> Result<Attempt, (anyhow::Error, Record)> {
    let seen = match router.read().await {
        Ok(seen) => seen,
        Err(error) => {
            let record = base.known.cloned().unwrap_or_else(|| fresh(base, desk));
            return Err((error, record));
        }
    };
    if let Some(fence) = base.fence {
        match (&seen.record, base.known) {
            (Ok(Some(theirs)), known)
                if theirs.generation > fence
                    || known.is_some_and(|known| known.rollout != theirs.rollout) =>
            {
                return Ok(Attempt::Fenced(theirs.clone()));
            }
            (Err(Unreadable::Newer { generation, .. }), Some(known)) if *generation > fence => {
                return Ok(Attempt::Fenced(known.clone()));
            }
            _ => {}
        }
    }
    if let Some(record) = done_already(&seen) {
        return Ok(Attempt::Already(record.clone()));
    }
    let record = rolled_back(&seen, base, desk, reason);
    let (stable, candidate) = (&record.stable.backend, &record.candidate.backend);
    if seen.up(stable) == Some(0)
        && let Some(up) = seen.up(candidate).filter(|up| *up > 0)
        && seen.share_of(candidate) != Some(Weight::ZERO)
    {
        let error = anyhow!(
            "{stable} has no server up and {candidate} has {up}: taking the traffic back would turn users away; \
             bring {stable} up"
        );
        return Err((error, record));
    }
    match router.write(&seen, &record).await {
        Ok(_) => {
            let from = seen.share_of(&record.candidate.backend).unwrap_or(Weight::ZERO);
            Ok(Attempt::Done { record, from })
        }
        Err(WriteError::Conflict) => Ok(Attempt::Again),
        Err(error) => Err((error.into(), record)),
    }
}

/// The record of a rollout that is rolled back in every place, by whomever: nothing is left to do.
fn done_already(seen: &Seen) -> Option<&Record> {
    let whole = seen.drift.is_none() && !seen.torn && seen.unreachable.is_empty();
    match &seen.record {
        Ok(Some(record)) if matches!(record.state, State::RolledBack { .. }) => {
            (whole && seen.share == Some(Weight::ZERO)).then_some(record)
        }
        _ => None,
    }
}

/// The record to write. Every state may be rolled back, so a move is always legal.
#[must_use]
pub fn rolled_back(seen: &Seen, base: &Base<'_>, desk: &Desk, reason: &str) -> Record {
    let here = match &seen.record {
        Ok(Some(record)) => Some(record),
        Ok(None) | Err(_) => base.known,
    };
    let moved = here.and_then(|record| record.after(Move::RollBack(reason.to_owned()), desk.by()).ok());
    match (&seen.record, moved) {
        (Err(unreadable), moved) => {
            let blank = in_their_roles(&base.blank, seen);
            let mut record = Record::rescue(blank, unreadable, reason.to_owned(), desk.by());
            if let Some(moved) = moved {
                // A driver that knows its rollout keeps its name, above whatever generation was written.
                record = Record {
                    generation: record.generation.max(moved.generation),
                    sequence: record.sequence,
                    ..moved
                };
            }
            record
        }
        (Ok(_), Some(moved)) => moved,
        // There may have been a record, and its driver may live: the generation must be above that, too.
        (Ok(_), None) => {
            let lost = Unreadable::Foreign("no record".to_owned());
            Record::rescue(
                in_their_roles(&base.blank, seen),
                &lost,
                reason.to_owned(),
                desk.by(),
            )
        }
    }
}

/// Where no record can be read the router's own rules may still say who is the candidate.
fn in_their_roles(blank: &Start, seen: &Seen) -> Start {
    let mut start = blank.clone();
    if start.stable.backend == seen.candidate {
        std::mem::swap(&mut start.stable, &mut start.candidate);
    }
    start
}

fn fresh(base: &Base<'_>, desk: &Desk) -> Record {
    Record::start(base.blank.clone(), None, desk.by())
}
