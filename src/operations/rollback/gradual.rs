//! Takes the traffic back in two steps: to a share at which the candidate is looked at once more, then to 0.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Outcome as Judged, Reason},
    exit::Outcome,
    rollout::{
        moves::Move,
        record::{Record, State},
        standby::HEARTBEAT,
    },
    weight::Weight,
};
use tokio::sync::watch;

use super::{Base, Goal, RolledBack, Way, settle};
use crate::{
    operations::{desk::Desk, look::Watcher},
    providers::traffic::Router,
};

/// At this share a candidate harms few and still shows what is wrong with it.
pub(super) const LOOK: Weight = match Weight::constant(5) {
    Some(weight) => weight,
    None => Weight::ZERO,
};

/// How the candidate is looked at on its way.
pub struct Look<'a> {
    /// Makes a watcher of the lowered rollout; none where nobody can look.
    pub watcher: &'a (dyn Fn(&Record, Timestamp) -> Option<Watcher<'a>> + Sync),
    /// For how long.
    pub time: SignedDuration,
    /// Becomes the signal's name when this process is asked to leave: then it goes back at once.
    pub interrupt: watch::Receiver<Option<&'static str>>,
}

/// To 5 %, or to what the candidate has if that is less; a look; then [`super::roll_back`]. A router that has nothing
/// between 0 and that goes to 0 at once.
///
/// The look ends early when it finds harm, when the source is down, and when the process is asked to leave: nothing is
/// left there without a watcher. Killed in the middle, the next run or rollback goes on from the record.
pub async fn roll_back_gradually(
    router: &dyn Router,
    desk: &mut Desk,
    base: Base<'_>,
    reason: &str,
    way: &Way<'_>,
    look: Look<'_>,
) -> RolledBack {
    let lowered = settle(router, desk, &base, reason, way, Goal::Step(LOOK)).await;
    let on_the_way = matches!(lowered.record.state, State::RollingBack { .. });
    if lowered.outcome != Outcome::Done || !on_the_way {
        return lowered;
    }
    let (ended, record) = watched(lowered.record, router, desk, look).await;
    desk.journal.say(&ended);
    // Meanwhile somebody may have ended this rollout and begun another.
    let base = Base {
        known: Some(&record),
        blank: base.blank,
        fence: Some(record.generation),
    };
    let done = settle(router, desk, &base, reason, way, Goal::Zero).await;
    let is_back =
        matches!(done.record.state, State::RolledBack { .. }) && done.record.rollout == record.rollout;
    match done.outcome {
        Outcome::Fenced if is_back => RolledBack {
            outcome: Outcome::Done,
            ..done
        },
        _ => done,
    }
}

/// Shows that somebody drives, where that is due; the record afterwards.
async fn beat(record: Record, router: &dyn Router, desk: &Desk) -> Record {
    if desk.clock.now().duration_since(record.driver.heartbeat) < HEARTBEAT {
        return record;
    }
    let (Ok(seen), Ok(after)) = (router.read().await, record.after(Move::Beat, desk.by())) else {
        return record;
    };
    let is_ours = seen.drift.is_none() && matches!(&seen.record, Ok(Some(here)) if *here == record);
    if is_ours && router.write(&seen, &after).await.is_ok() {
        return after;
    }
    // The rest of the rollback reads again.
    record
}

/// Watches `record` and says why it did not any longer; the record as it was written last.
async fn watched(
    mut record: Record,
    router: &dyn Router,
    desk: &mut Desk,
    look: Look<'_>,
) -> (String, Record) {
    let Look {
        watcher,
        time,
        mut interrupt,
    } = look;
    let clock = desk.clock;
    let until = clock.now().saturating_add(time).unwrap_or(Timestamp::MAX);
    let Some(mut watcher) = watcher(&record, clock.now()) else {
        let why = "nobody can look at the candidate: the rest follows at once";
        return (why.to_owned(), record);
    };
    watcher.begin_step(clock.now(), None);
    let over = format!("looked at {} for {time:#}", record.weight);
    loop {
        let at = watcher.next_look_at(clock.now()).min(until);
        tokio::select! {
            biased;
            Ok(_) = interrupt.wait_for(Option::is_some) => {
                return ("asked to leave: the rest follows at once".to_owned(), record);
            }
            () = clock.sleep_until(at) => {}
        }
        if clock.now() >= until {
            return (over, record);
        }
        let Ok(verdict) = tokio::time::timeout(left(until, clock.now()), watcher.look(clock.now())).await
        else {
            return (over, record);
        };
        for sample in watcher.take_samples(&record, verdict.at) {
            desk.journal.sample(&sample);
        }
        desk.journal.verdict(&verdict);
        record = beat(record, router, desk).await;
        if verdict.saw_nothing_yet() {
            continue;
        }
        desk.journal.say(&verdict.sentence);
        if verdict.outcome == Judged::Rollback || verdict.reason == Some(Reason::Down) {
            return ("the rest follows at once".to_owned(), record);
        }
    }
}

fn left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
}
