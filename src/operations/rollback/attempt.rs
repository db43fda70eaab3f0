//! One try of a rollback: read, see what stable can carry, write.

use anyhow::anyhow;
use rollgate_domain::{
    rollout::{
        event::Event,
        moves::{Move, Start},
        record::{Record, State, Unreadable},
    },
    weight::Weight,
};

use super::{Base, Goal, Trying, Way};
use crate::{
    operations::{
        capacity::{Known, short, stays, whole},
        desk::Desk,
    },
    providers::{
        stacks::Wish,
        traffic::{Router, Seen, WriteError},
    },
};

/// While stable comes up, so many points at once are taken back and told: not every pod is news.
const POINTS: u8 = 10;

pub(super) enum Attempt {
    Already(Record),
    Done {
        record: Record,
        from: Weight,
        /// Places that have not confirmed it, in words.
        unconfirmed: Vec<String>,
    },
    Again,
    Fenced(Record),
}

/// Why a try was in vain.
pub(super) struct Failed {
    pub(super) error: anyhow::Error,
    /// What the router has, as far as is known.
    pub(super) record: Record,
    pub(super) why: Why,
}

/// What kind of patience it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The router does not obey.
    Router,
    /// Stable has too little capacity. `comes`: more of it was asked for.
    Short { comes: bool },
}

fn failed(error: anyhow::Error, record: Record) -> Box<Failed> {
    Box::new(Failed {
        error,
        record,
        why: Why::Router,
    })
}

pub(super) async fn attempt(
    router: &dyn Router,
    desk: &mut Desk,
    base: &Base<'_>,
    reason: &str,
    way: &Way<'_>,
    goal: Goal,
    trying: &mut Trying,
) -> Result<Attempt, Box<Failed>> {
    let seen = match router.read().await {
        Ok(seen) => seen,
        Err(error) => {
            let known = trying.wrote.as_ref().or(base.known);
            let record = known.cloned().unwrap_or_else(|| fresh(base, desk));
            return Err(failed(error, record));
        }
    };
    // A write whose answer was lost or bad may have been done: what this run has written is its own.
    let is_own = matches!(&seen.record, Ok(Some(record)) if record.driver.run == desk.run);
    if let Some(fence) = base.fence.filter(|_| !is_own)
        && let Some(theirs) = fenced(&seen, base.known, fence)
    {
        return Ok(Attempt::Fenced(theirs));
    }
    if let Some(record) = done_already(&seen) {
        return Ok(match trying.unheard {
            Some(from) if is_own => Attempt::Done {
                record: record.clone(),
                from,
                unconfirmed: Vec::new(),
            },
            _ => Attempt::Already(record.clone()),
        });
    }
    let target = rolled_back(&seen, base, desk, reason);
    let has = seen.share_of(&target.candidate.backend);
    let known = match has {
        Some(Weight::ZERO) => Known::Untold,
        _ => {
            let behind = &way.behind;
            behind
                .count(&seen, &target.stable.backend, &target.candidate.backend)
                .await
        }
    };
    if let Known::Unread(why) = &known
        && trying.told.is_none()
    {
        let what = format!("whether stable can carry the traffic could not be checked: {why}");
        trying.told = Some(what.clone());
        desk.note(&target, Event::Prepared { what });
    }
    let stays = stays_at(&seen, &known, &target, has);
    if stays == Weight::ZERO {
        let step = on_the_way(&seen, goal, has, desk, reason);
        // Where nothing could be watched on its way it goes back at once.
        let record = step.unwrap_or(target);
        return put(router, &seen, record, has.unwrap_or_default(), trying).await;
    }
    let short = Short {
        seen,
        target,
        has,
        known,
        stays,
    };
    Err(in_part(router, desk, reason, way, trying, short).await)
}

/// Somebody newer has the rollout, or it is another one.
fn fenced(seen: &Seen, known: Option<&Record>, fence: u64) -> Option<Record> {
    match (&seen.record, known) {
        (Ok(Some(theirs)), known)
            if theirs.generation > fence || known.is_some_and(|known| known.rollout != theirs.rollout) =>
        {
            Some(theirs.clone())
        }
        (Err(Unreadable::Newer { generation, .. }), Some(known)) if *generation > fence => {
            Some(known.clone())
        }
        _ => None,
    }
}

async fn put(
    router: &dyn Router,
    seen: &Seen,
    record: Record,
    from: Weight,
    trying: &mut Trying,
) -> Result<Attempt, Box<Failed>> {
    match router.write(seen, &record).await {
        Ok(after) => Ok(Attempt::Done {
            record,
            from: trying.unheard.unwrap_or(from),
            unconfirmed: after.unreachable,
        }),
        Err(WriteError::Conflict) => Ok(Attempt::Again),
        Err(error) => {
            trying.unheard.get_or_insert(from);
            Err(failed(error.into(), record))
        }
    }
}

/// Stable cannot carry all of it.
struct Short {
    seen: Seen,
    target: Record,
    has: Option<Weight>,
    known: Known,
    stays: Weight,
}

/// Asks for what stable lacks, and takes back what it carries already.
async fn in_part(
    router: &dyn Router,
    desk: &mut Desk,
    reason: &str,
    way: &Way<'_>,
    trying: &mut Trying,
    short_of: Short,
) -> Box<Failed> {
    let Short {
        seen,
        target,
        has,
        known,
        stays,
    } = short_of;
    let stable = &target.stable.backend;
    let (whole, mut why) = match &known {
        Known::Both(both) => {
            let whole = whole(&target, both, has.unwrap_or(Weight::FULL));
            (whole, short(stable, &both.stable, whole))
        }
        Known::Untold | Known::Unread(_) => (1, format!("{stable} cannot carry the traffic")),
    };
    let mut here = match &seen.record {
        Ok(Some(record)) => record.clone(),
        Ok(None) | Err(_) => target.clone(),
    };
    let mut comes = false;
    if way.behind.stacks.is_none() || !way.behind.scale_up {
        why.push_str(": bring it up");
    } else {
        match way.behind.ask(stable, Wish::AtLeast(whole)).await {
            Ok(changed) => {
                comes = true;
                if let Some(what) = changed {
                    desk.note(&here, Event::Prepared { what });
                }
            }
            Err(error) => why.push_str(&format!("; {error}")),
        }
    }
    if let Some(has) = has
        && let Some(lower) = worth_a_write(&here, has, stays, comes)
        && let Some(mut lowered) = lowered(&here, lower, desk, reason)
    {
        // What the candidate's pods told of the load is told by them only as long as they have it.
        if matches!(known, Known::Both(_)) {
            lowered.whole = Some(whole);
        }
        match router.write(&seen, &lowered).await {
            Ok(_) => {
                let reason = format!("{reason}; {why}, so {} has to stay for now", lowered.weight);
                here = lowered.clone();
                trying.wrote = Some(lowered);
                desk.note(&here, Event::Lowered { from: has, reason });
            }
            // The next try reads again.
            Err(WriteError::Conflict) => {}
            Err(error) => return failed(error.into(), here),
        }
    }
    let stays = has.map_or_else(
        || "what it has".to_owned(),
        |_| here.weight.max(stays).to_string(),
    );
    Box::new(Failed {
        error: anyhow!(
            "{why}; taking all traffic back would turn users away, {} keeps {stays} until {stable} can carry it",
            target.candidate.backend
        ),
        record: here,
        why: Why::Short { comes },
    })
}

/// The share to leave for now, if it is worth a write: the first one also stops every driver. A promotion stands
/// until something can be taken back from it.
fn worth_a_write(here: &Record, has: Weight, stays: Weight, comes: bool) -> Option<Weight> {
    let falls = has.percent() - stays.min(has).percent();
    let worth = match here.state {
        State::RollingBack { .. } => falls >= POINTS,
        State::Promoted { .. } => falls > 0 && comes,
        _ => true,
    };
    worth.then_some(stays.min(has))
}

/// The part of the candidate's share that stable cannot take back now, as a share that the router can give. A share
/// that nobody can tell is at most everything: it is lowered to 0 or not at all.
pub(super) fn stays_at(seen: &Seen, known: &Known, target: &Record, has: Option<Weight>) -> Weight {
    seen.shares
        .at_least(stays(known, target, has.unwrap_or(Weight::FULL)))
}

/// The record of a stop on the way to 0; none where there is no such share, or nothing that could be watched there.
pub(super) fn on_the_way(
    seen: &Seen,
    goal: Goal,
    has: Option<Weight>,
    desk: &Desk,
    reason: &str,
) -> Option<Record> {
    let Goal::Step(step) = goal else { return None };
    let here = seen.record.as_ref().ok().and_then(Option::as_ref);
    let to = seen.shares.at_most(step.min(has?));
    // What has nothing is written at 0 in one go.
    (to > Weight::ZERO)
        .then(|| lowered(here?, to, desk, reason))
        .flatten()
}

/// On the way back, where the state knows such a thing.
fn lowered(here: &Record, to: Weight, desk: &Desk, reason: &str) -> Option<Record> {
    here.after(Move::Lower(to, reason.to_owned()), desk.by()).ok()
}

/// The record of a rollout that is over in every place, by whomever: nothing is left to do.
pub(super) fn done_already(seen: &Seen) -> Option<&Record> {
    let whole = seen.drift.is_none() && !seen.torn && seen.unreachable.is_empty();
    match &seen.record {
        Ok(Some(record)) if matches!(record.state, State::RolledBack { .. } | State::Finished) => {
            (whole && seen.share_of(&record.candidate.backend) == Some(Weight::ZERO)).then_some(record)
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
            let blank = in_their_roles(&base.blank, seen);
            Record::rescue(blank, &lost, reason.to_owned(), desk.by())
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

pub(super) fn fresh(base: &Base<'_>, desk: &Desk) -> Record {
    Record::start(base.blank.clone(), None, desk.by())
}
