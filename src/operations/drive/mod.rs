//! Ask, do, tell, until the rollout says stop.
//!
//! What goes wrong outside is a circumstance, never the end of the loop: a metrics outage must not leave the
//! canary live. Every turn begins with what the router has, because others may have written: a person, a
//! rollback, a newer driver.

mod asking;
mod driving;
mod rising;
mod seeing;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        event::Event,
        moves::{Move, Start},
        next::{self, Action, Patience, Situation, Successor},
        record::{Pin, Record, State},
        window::Window,
    },
    weight::Weight,
};
use tokio::sync::watch;

use super::{
    capacity::Behind,
    desk::Desk,
    look::Watcher,
    rollback::{self, Base, Way, afterwards::Afterwards},
};
use crate::{
    github::dispatch::Dispatcher,
    providers::traffic::{Router, Seen, WriteError},
};
use asking::Asked;
use driving::Driving;

/// After an order to leave: the runner kills 10 s after it asked, and the last words need some of them.
const LEAVING: Duration = Duration::from_secs(3);

/// While a rollback cannot be done. Afterwards the driver leaves with 5, and its successor tries on.
const ROLLING_BACK: SignedDuration = SignedDuration::from_mins(5);

/// What the driver works with.
pub struct World<'a> {
    /// Splits the traffic and keeps the record.
    pub router: &'a dyn Router,
    /// What runs behind it.
    pub behind: Behind<'a>,
    /// Puts the rest in order after a rollback.
    pub afterwards: Afterwards<'a>,
    /// Looks and judges.
    pub watcher: Watcher<'a>,
    /// Calls the successor, if one is wanted.
    pub dispatcher: Option<&'a Dispatcher>,
    /// Becomes the signal's name when this process is asked to leave.
    pub interrupt: watch::Receiver<Option<&'static str>>,
}

/// What the driver was told.
#[derive(Clone, Debug)]
pub struct Orders {
    /// How long this run drives.
    pub budget: SignedDuration,
    /// How long it waits for what it needs.
    pub patience: Patience,
    /// The plan and the rollgate at hand, to compare with the record's.
    pub pin: Pin,
    /// For a rollback over a record that cannot be read.
    pub blank: Start,
    /// When the share may rise; none: always.
    pub window: Option<Window>,
    /// When the driver before this one last wrote: what it has asked people is not asked again.
    pub last_sign: Timestamp,
    /// How long a rollback waits for stable's capacity.
    pub capacity_within: SignedDuration,
}

/// How the run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code.
    pub outcome: Outcome,
    /// A successor drives on.
    pub handed_over: bool,
    /// The last that is known of the rollout.
    pub record: Record,
}

/// The rollout that the router holds.
///
/// # Errors
///
/// There is none, or its record cannot be read.
pub fn recorded(seen: &Seen) -> anyhow::Result<&Record> {
    match &seen.record {
        Ok(Some(record)) => Ok(record),
        Ok(None) => bail!("no rollout is recorded on the router: begin one with shift-traffic start"),
        Err(unreadable) => Err(anyhow::Error::new(unreadable.clone())).context(
            "the rollout cannot be driven (shift-traffic rollback overwrites the record and sets 0 %)",
        ),
    }
}

/// Takes `rollout`: raises the generation, so that whoever drove before stops. An end of it that was cut off in
/// the middle is finished. `blank`: see [`Base`]. `continues`: what a person has paused stays so, because this run was
/// called by another one or stood by.
///
/// Whoever takes must be able to watch: everything else that can go wrong comes before.
///
/// # Errors
///
/// The router holds another rollout or none that can be read, or it does not take the write.
pub async fn take(
    router: &dyn Router,
    desk: &mut Desk,
    rollout: &str,
    blank: &Start,
    continues: bool,
) -> anyhow::Result<Result<Record, Ended>> {
    loop {
        let seen = router.read().await?;
        let record = recorded(&seen)?.clone();
        ensure!(
            record.rollout == rollout,
            "rollout {} has begun meanwhile: run again",
            record.rollout
        );
        let ended = |outcome, record| {
            Ok(Err(Ended {
                outcome,
                handed_over: false,
                record,
            }))
        };
        if let Some(outcome) = over(&record, continues) {
            if let (true, State::RolledBack { reason }) = (seen.torn, &record.state) {
                let base = Base {
                    known: Some(&record),
                    blank: blank.clone(),
                    fence: None,
                };
                let way = Way::router_only(ROLLING_BACK);
                let done = rollback::roll_back(router, desk, base, reason, &way).await;
                return ended(refused(done.outcome), done.record);
            }
            if seen.torn {
                match router.write(&seen, &record).await {
                    Ok(_) => desk.note(&record, end_of(&record, seen.share.unwrap_or(Weight::ZERO))),
                    Err(WriteError::Conflict) => continue,
                    Err(error) => {
                        return Err(error)
                            .with_context(|| format!("finish the write of {}", record.state_in_words()));
                    }
                }
            }
            return ended(outcome, record);
        }
        // On the way back: what somebody lowered by hand stays so, and the rest follows.
        let on_the_way = matches!(record.state, State::RollingBack { .. });
        let record = match seen.share_of(&record.candidate.backend).filter(|_| on_the_way) {
            Some(share) => record.after(Move::Lower(share, String::new()), desk.by())?,
            None => record,
        };
        if let Some(drift) = seen.drift.clone().filter(|_| !on_the_way) {
            // Writing would raise what somebody has lowered by hand.
            let event = if seen.share == Some(Weight::ZERO) {
                Event::Hindered {
                    obstacles: vec![drift],
                }
            } else {
                Event::Unwatched {
                    reason: format!("{drift}; nothing drives while that is so"),
                }
            };
            desk.note(&record, event);
            return ended(Outcome::Hold, record);
        }
        let taken = record.after(Move::Take, desk.by())?;
        match router.write(&seen, &taken).await {
            Ok(_) => {}
            Err(WriteError::Conflict) => continue,
            // Where one of several processes is down the others' users still need a watcher.
            Err(error) => match router.read().await {
                Ok(Seen {
                    record: Ok(Some(now)),
                    share: Some(_),
                    ..
                }) if now == taken => {}
                _ => return Err(error).context("take over the rollout"),
            },
        }
        desk.note(&taken, Event::Taken);
        return Ok(Ok(taken));
    }
}

/// How a run ends that finds nothing to drive; none where there is something. `continues`: see [`take`].
#[must_use]
pub const fn over(record: &Record, continues: bool) -> Option<Outcome> {
    match record.state {
        State::RolledBack { .. } => Some(Outcome::Refused),
        State::Passed | State::Promoted { .. } | State::Finished => Some(Outcome::Done),
        State::Paused { by_hand, .. } if by_hand && continues => Some(Outcome::Hold),
        State::Ready { .. } | State::Holding { .. } | State::Paused { .. } | State::RollingBack { .. } => {
            None
        }
    }
}

/// What a write says after which nobody drives; the candidate had `from` before.
fn end_of(record: &Record, from: Weight) -> Event {
    match &record.state {
        State::Paused { reason, .. } => Event::Paused {
            from,
            reason: reason.clone(),
        },
        State::Promoted { .. } => Event::Promoted,
        State::Finished => Event::Finished,
        _ => Event::Passed { from },
    }
}

/// A driver's rollback that is done ends its run as refused.
const fn refused(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done => Outcome::Refused,
        other => other,
    }
}

/// Drives `record`, which this run has taken, until it ends, somebody else takes it, or nobody may watch it
/// any more.
pub async fn drive(record: Record, mut world: World<'_>, desk: &mut Desk, orders: &Orders) -> Ended {
    let budget_end = desk
        .clock
        .now()
        .saturating_add(orders.budget)
        .unwrap_or(Timestamp::MAX);
    let generation = record.generation;
    let mut driver = Driving::new(record);
    driver.asked = Asked::before(&driver, orders.last_sign);
    let mut successor = if world.dispatcher.is_some() {
        Successor::ToCall
    } else {
        Successor::Nobody
    };
    desk.journal.judgement(&world.watcher.judgement(&driver.record));
    // What is decided already needs no look first.
    if !matches!(driver.record.state, State::RollingBack { .. }) && next::damage(&driver.record).is_none() {
        driver.watch(&mut world, desk).await;
    }
    loop {
        let behind = world.behind;
        let seen = driver.see(world.router, &behind, desk, &orders.pin).await;
        if !driver.owns() {
            // Another rollout, whatever its generation: the router was set back and begun anew.
            return driver.leave(Outcome::Fenced, false, desk, None).await;
        }
        if let Some(seen) = &seen {
            driver.trust_weights(seen, &mut world.watcher, desk.clock.now());
        }
        driver.ask(desk);
        let interrupted = *world.interrupt.borrow();
        let finding = driver.finding(&world.watcher);
        let action = next::next(&Situation {
            record: &driver.record,
            generation,
            now: desk.clock.now(),
            finding: &finding,
            blind_since: world.watcher.blind_since(driver.record.weight),
            obstacles: &driver.obstacles,
            interrupted,
            budget_end,
            successor,
            patience: orders.patience,
        });
        let action = driver.in_window(action, orders.window.as_ref(), desk);
        match driver.instead_of(action) {
            Action::Move(Move::RollBack(reason)) => {
                let base = Base {
                    known: Some(&driver.record),
                    blank: orders.blank.clone(),
                    fence: Some(generation),
                };
                let way = Way {
                    behind,
                    patience: ROLLING_BACK,
                    capacity_within: orders.capacity_within,
                };
                let leaving_now = leaving(&mut world.interrupt);
                let done = tokio::select! {
                    biased;
                    done = rollback::roll_back(world.router, desk, base, &reason, &way) => Some(done),
                    () = leaving_now => None,
                };
                let interrupted = *world.interrupt.borrow();
                let Some(done) = done else {
                    driver.give_up(desk);
                    return driver.leave(Outcome::Stuck, false, desk, interrupted).await;
                };
                driver.record = done.record.clone();
                // The traffic is back: whoever is asked to leave leaves the rest to the next rollback.
                tokio::select! {
                    biased;
                    () = world.afterwards.put_in_order(world.router, desk, &done) => {}
                    () = leaving(&mut world.interrupt) => {}
                }
                return driver
                    .leave(refused(done.outcome), false, desk, interrupted)
                    .await;
            }
            Action::Move(step @ (Move::Pause(_) | Move::PauseByHand(_) | Move::Pass)) => {
                // Nobody watches after this: it is tried for as long as there is time.
                let leaving = leaving(&mut world.interrupt);
                let lowered = tokio::select! {
                    biased;
                    lowered = driver.write_out(Some(step), world.router, desk, ROLLING_BACK) => lowered,
                    () = leaving => false,
                };
                if !lowered {
                    let interrupted = *world.interrupt.borrow();
                    driver.give_up(desk);
                    return driver.leave(Outcome::Stuck, false, desk, interrupted).await;
                }
            }
            Action::Move(step) => driver.write(seen, step, &mut world, desk).await,
            Action::CallSuccessor => {
                if driver.call(world.dispatcher, desk).await {
                    successor = Successor::Called(desk.clock.now());
                } else {
                    driver.watch(&mut world, desk).await;
                }
            }
            Action::Look => {
                driver.beat(seen, &world, desk).await;
                driver.watch(&mut world, desk).await;
            }
            Action::Unwatch(reason) => {
                desk.note(&driver.record, Event::Unwatched { reason });
                return driver.leave(Outcome::Hold, false, desk, interrupted).await;
            }
            // It is over, and not every place has heard of it: nobody else will write it again.
            Action::Stop {
                outcome: Outcome::Hold | Outcome::Done,
                handed_over: false,
            } if seen.as_ref().is_some_and(|seen| seen.torn) => {
                let leaving = leaving(&mut world.interrupt);
                let written = tokio::select! {
                    biased;
                    written = driver.write_out(None, world.router, desk, ROLLING_BACK) => written,
                    () = leaving => false,
                };
                if !written {
                    driver.give_up(desk);
                    return driver.leave(Outcome::Stuck, false, desk, interrupted).await;
                }
            }
            Action::Stop { outcome, handed_over } => {
                return driver.leave(outcome, handed_over, desk, interrupted).await;
            }
        }
    }
}

/// Returns when a driver that is asked to leave must not try any longer; what it was writing is cut off then,
/// and the next run finishes it.
async fn leaving(interrupt: &mut watch::Receiver<Option<&'static str>>) {
    if interrupt.wait_for(Option::is_some).await.is_err() {
        // Nobody can ask any more.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(LEAVING).await;
}

#[cfg(test)]
mod tests;
