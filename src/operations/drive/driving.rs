//! What a driver remembers from turn to turn, and each thing it does in one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Outcome as Judged, Verdict},
    exit::Outcome,
    rollout::{
        event::Event,
        moves::Move,
        next::{self, Finding},
        record::{Record, State},
        standby::HEARTBEAT,
    },
};

use super::{Ended, World, asking::Asked, end_of};
use crate::{
    error::chain,
    github::dispatch::Dispatcher,
    operations::{desk::Desk, look::Watcher},
    providers::traffic::{Router, Seen, WriteError},
};

/// How often the log says how it goes while nothing happens.
const PROGRESS: SignedDuration = SignedDuration::from_secs(10);

/// How long last words may take then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a driver remembers from turn to turn.
pub(super) struct Driving {
    /// As the router has it, as far as is known.
    pub(super) record: Record,
    /// What this driver took, whatever the router says later.
    pub(super) rollout: String,
    pub(super) generation: u64,
    /// What forbids a rise.
    pub(super) obstacles: Vec<String>,
    /// The candidate is not the one that the rollout began with: why it may have no users, in words.
    pub(super) third: Option<String>,
    /// What was said already and is not said again while it lasts.
    pub(super) router_error: Option<String>,
    call_error: Option<String>,
    /// What people were asked.
    pub(super) asked: Asked,
    overdue_since: Option<Timestamp>,
    said_at: Timestamp,
    /// The last verdict, once there was something to judge.
    judged: Option<Verdict>,
    /// When the router was last seen to split as recorded, and since when it did not, until that is written down.
    trusted_at: Timestamp,
    doubted_since: Option<Timestamp>,
}

impl Driving {
    /// A driver that has just taken `record`.
    pub(super) fn new(record: Record) -> Self {
        Self {
            rollout: record.rollout.clone(),
            generation: record.generation,
            record,
            obstacles: Vec::new(),
            third: None,
            router_error: None,
            call_error: None,
            asked: Asked::default(),
            judged: None,
            trusted_at: Timestamp::MIN,
            doubted_since: None,
            overdue_since: None,
            said_at: Timestamp::MIN,
        }
    }

    /// What the last verdict means for the rollout.
    pub(super) fn finding(&self, watcher: &Watcher<'_>) -> Finding {
        let Some(verdict) = &self.judged else {
            return Finding::Hold;
        };
        match verdict.outcome {
            Judged::Rollback => Finding::Rollback(verdict.sentence.clone()),
            Judged::Precaution => Finding::Precaution(verdict.sentence.clone()),
            // A verdict on an earlier share says nothing about this one.
            _ if watcher.step_since() != self.since() => Finding::Hold,
            _ if verdict.proved => Finding::Healthy,
            Judged::Healthy | Judged::Watch | Judged::Warn => Finding::Watch,
            Judged::Hold => Finding::Hold,
        }
    }

    /// Notes whether the router splits as recorded; whatever it did since it was last seen to is not known.
    pub(super) fn trust_weights(&mut self, seen: &Seen, watcher: &mut Watcher<'_>, now: Timestamp) {
        let trusts = seen.drift.is_none() && seen.unreachable.is_empty();
        let since = if trusts {
            self.trusted_at = now;
            now
        } else {
            let since = self.trusted_at.max(self.since().unwrap_or(now));
            *self.doubted_since.get_or_insert(since)
        };
        watcher.trust_weights(trusts, &self.record, since);
    }

    /// Since when the present share is held.
    fn since(&self) -> Option<Timestamp> {
        match self.record.state {
            State::Holding { since, .. } => Some(since),
            _ => None,
        }
    }

    /// A rise or the promotion, as one write; what goes wrong is noted and tried again after the next look.
    pub(super) async fn write(
        &mut self,
        seen: Option<Seen>,
        step: Move,
        world: &mut World<'_>,
        desk: &mut Desk,
    ) {
        let Some(seen) = seen else {
            return self.watch(world, desk).await;
        };
        let from = self.record.weight;
        let event = match step {
            Move::Promote => Event::Promoted,
            _ => Event::Raised { from },
        };
        let mut after = match self.record.after(step, desk.by()) {
            Ok(after) => after,
            Err(illegal) => {
                self.router_failed(illegal.to_string(), desk);
                return self.watch(world, desk).await;
            }
        };
        after.baseline = world.watcher.baseline();
        match world.router.write(&seen, &after).await {
            Ok(_) => {
                self.record = after;
                desk.note(&self.record, event);
            }
            // Whoever is faster again and again must not keep this driver from looking.
            Err(WriteError::Conflict) => self.watch(world, desk).await,
            Err(error) => {
                self.router_failed(chain(&error.into()), desk);
                self.watch(world, desk).await;
            }
        }
    }

    /// Writes `step`, to share 0, resumable or passed, or what is recorded already to places that do not have it yet.
    /// Tried until it holds, somebody newer has the rollout, or `patience` is over (false).
    pub(super) async fn write_out(
        &mut self,
        step: Option<Move>,
        router: &dyn Router,
        desk: &mut Desk,
        patience: SignedDuration,
    ) -> bool {
        let began = desk.clock.now();
        let from = self.record.weight;
        // A write whose answer was bad may have been done.
        let mut unheard = false;
        loop {
            let error = match router.read().await {
                Err(error) => chain(&error),
                Ok(seen) => {
                    let _ = self.adopt(&seen, desk);
                    if self.record.generation > self.generation || !self.owns() {
                        return true;
                    }
                    let moved = step
                        .clone()
                        .and_then(|step| self.record.after(step, desk.by()).ok());
                    let is_whole = !seen.torn && seen.unreachable.is_empty();
                    if moved.is_none() && is_whole {
                        if unheard {
                            desk.note(&self.record, end_of(&self.record, from));
                        }
                        return true;
                    }
                    let after = moved.unwrap_or_else(|| self.record.clone());
                    match router.write(&seen, &after).await {
                        Ok(_) => {
                            self.record = after;
                            let event = match step {
                                Some(Move::PauseByHand(sentence)) => Event::Precaution { from, sentence },
                                _ => end_of(&self.record, from),
                            };
                            desk.note(&self.record, event);
                            return true;
                        }
                        Err(WriteError::Conflict) => "somebody else wrote at the same moment".to_owned(),
                        Err(error) => {
                            unheard = true;
                            chain(&error.into())
                        }
                    }
                }
            };
            self.router_failed(error, desk);
            if desk.clock.now().duration_since(began) >= patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The share could not be taken back, and this driver does not try on.
    pub(super) fn give_up(&self, desk: &mut Desk) {
        let why = self
            .router_error
            .as_deref()
            .unwrap_or("the router did not answer in time");
        let error = format!("{why}; this driver leaves without having set 0 %");
        desk.note(&self.record, Event::Stuck { error });
    }

    fn router_failed(&mut self, error: String, desk: &mut Desk) {
        if self.router_error.as_ref() != Some(&error) {
            desk.note(&self.record, Event::RouterFailed { error: error.clone() });
            self.router_error = Some(error);
        }
    }

    /// Shows that the driver lives, and finishes a write that was cut off. Never over somebody's drift.
    pub(super) async fn beat(&mut self, seen: Option<Seen>, world: &World<'_>, desk: &mut Desk) {
        let Some(seen) = seen.filter(|seen| seen.drift.is_none()) else {
            return;
        };
        if !matches!(&seen.record, Ok(Some(record)) if *record == self.record) {
            return;
        }
        let whole = seen.unreachable.is_empty();
        let due = whole && self.doubted_since.is_some()
            || desk.clock.now().duration_since(self.record.driver.heartbeat) >= HEARTBEAT;
        let warm_since = world.watcher.first_request().or(self.record.evidence.warm_since);
        if !due && !seen.torn && warm_since == self.record.evidence.warm_since {
            return;
        }
        let step = self.doubted_since.map_or(Move::Beat, Move::Doubt);
        let beat = || self.record.after(Move::Beat, desk.by());
        let Ok(mut after) = self.record.after(step, desk.by()).or_else(|_| beat()) else {
            return;
        };
        after.evidence.warm_since = warm_since;
        after.baseline = world.watcher.baseline();
        match world.router.write(&seen, &after).await {
            Ok(_) => {
                self.record = after;
                // A doubt that lasts is written with each beat, so that a successor knows of it.
                self.doubted_since = self.doubted_since.filter(|_| !whole);
            }
            // The next turn reads again.
            Err(WriteError::Conflict) => {}
            Err(error) => self.router_failed(chain(&error.into()), desk),
        }
    }

    /// Calls a successor; false if nobody took the call.
    pub(super) async fn call(&mut self, dispatcher: Option<&Dispatcher>, desk: &mut Desk) -> bool {
        let Some(dispatcher) = dispatcher else {
            return false;
        };
        let commit = self.record.pin.commit.clone().unwrap_or_default();
        let more = [
            ("continue", self.record.rollout.as_str()),
            ("commit", commit.as_str()),
            ("phase", self.record.phase.word()),
        ];
        match dispatcher.dispatch(&more).await {
            Ok(run) => {
                desk.note(&self.record, Event::SuccessorCalled { run });
                true
            }
            Err(error) => {
                let error = chain(&error);
                if self.call_error.as_ref() != Some(&error) {
                    desk.note(&self.record, Event::SuccessorFailed { error: error.clone() });
                    self.call_error = Some(error);
                }
                false
            }
        }
    }

    /// Waits for the next look and judges it; returns early when the process is asked to leave.
    pub(super) async fn watch(&mut self, world: &mut World<'_>, desk: &mut Desk) {
        if world.interrupt.borrow().is_some() {
            return;
        }
        if let Some(since) = self.since() {
            world
                .watcher
                .begin_step(since, self.record.ladder.step(self.record.step().unwrap_or(0)));
        }
        let at = world.watcher.next_look_at(desk.clock.now());
        let clock = desk.clock;
        let looked = async {
            clock.sleep_until(at).await;
            world.watcher.look(clock.now()).await
        };
        let verdict = tokio::select! {
            biased;
            Ok(_) = world.interrupt.wait_for(Option::is_some) => return,
            verdict = looked => verdict,
        };
        for sample in world.watcher.take_samples(&self.record, verdict.at) {
            desk.journal.sample(&sample);
        }
        desk.journal.verdict(&verdict);
        self.tell(verdict, desk);
    }

    /// Notes what is new in `verdict`.
    fn tell(&mut self, verdict: Verdict, desk: &mut Desk) {
        if verdict.saw_nothing_yet() {
            return;
        }
        let now = desk.clock.now();
        let changed = self
            .judged
            .as_ref()
            .is_none_or(|before| before.outcome != verdict.outcome || before.reason != verdict.reason);
        if changed {
            desk.note(
                &self.record,
                Event::Judged {
                    outcome: verdict.outcome,
                    sentence: verdict.sentence.clone(),
                },
            );
            self.said_at = now;
        } else if now.duration_since(self.said_at) >= PROGRESS {
            let share = self.record.weight.to_string();
            desk.journal.say(&format!(
                "{}  {share:>5}  {}",
                now.strftime("%H:%M:%S"),
                verdict.sentence
            ));
            self.said_at = now;
        }
        if next::is_overdue(&self.record, now) && self.overdue_since != self.since() {
            self.overdue_since = self.since();
            desk.note(
                &self.record,
                Event::Overdue {
                    sentence: verdict.sentence.clone(),
                },
            );
        }
        self.judged = Some(verdict);
    }

    pub(super) async fn leave(
        self,
        outcome: Outcome,
        handed_over: bool,
        desk: &mut Desk,
        interrupted: Option<&str>,
    ) -> Ended {
        let Self { record, .. } = self;
        let owner = &record.driver;
        if handed_over {
            desk.note(
                &record,
                Event::HandedOver {
                    run: owner.run.clone(),
                },
            );
        } else if outcome == Outcome::Fenced {
            let by = format!(
                "{} ({}) owns the rollout since {:.0}: {}",
                owner.run,
                owner.actor,
                owner.since,
                record.state_in_words()
            );
            desk.note(&record, Event::Fenced { by });
        }
        let longest = if interrupted.is_some() {
            LAST_WORDS
        } else {
            Duration::from_secs(10)
        };
        desk.close(&record, longest).await;
        Ended {
            outcome,
            handed_over,
            record,
        }
    }
}
