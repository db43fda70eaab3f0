//! One look: fetch what is new, count it, judge it. The same for a driver and for `verify-health`.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Counts, Feed, Judge, Look, Outcome, Samples, Settings, Side, Tally, Verdict},
    rollout::{ladder::Step, record::Record},
    weight::Weight,
};
use serde::{Deserialize, Serialize};

use super::history::BASELINE;
use crate::{
    error::chain,
    providers::metrics::{Metrics, PIECE},
};

/// So far back it is asked again: a process that is always scraped at the end of a look is never seen otherwise, where
/// the source takes longer than [`Settings::delay`] to tell.
const LATE_LOOKS: i32 = 2;

/// How many looks may pass without a new sample before the source counts as silent.
const SILENT_LOOKS: i32 = 3;

/// So many requests of the candidate do not fail to come by chance: its metrics carry another version, or the
/// router sends nobody.
const EXPECTED: f64 = 20.0;

/// A stretch in which only stable had requests.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    since: Timestamp,
    stable: f64,
}

/// One line of `judgement.jsonl`: how one run judges. With its looks in `samples.jsonl`, enough to judge anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Which rollout.
    pub rollout: String,
    /// The record's generation, which is the run's own.
    pub generation: u64,
    /// Looks are counted from here.
    pub origin: Timestamp,
    /// Everything the judge was told.
    pub settings: Settings,
    /// Since when the candidate had had which share; nothing where an older rollgate has kept none.
    #[serde(default)]
    pub shares: Option<Vec<(Timestamp, Weight)>>,
}

/// One line of `samples.jsonl`: what a judge of the same generation was given, and what it said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Which rollout.
    pub rollout: String,
    /// The record's generation.
    pub generation: u64,
    /// The candidate's share when it was judged.
    pub weight: Weight,
    /// Health is proved anew from here on.
    pub step_since: Timestamp,
    /// The step's own time, if there is a step.
    pub step_for: Option<SignedDuration>,
    /// What was counted.
    pub look: Look,
    /// When it was judged.
    pub at: Timestamp,
    /// How the source was at that moment.
    pub feed: Feed,
    /// What was judged after it; none for looks that were judged together with a later one.
    pub outcome: Option<Outcome>,
}

/// Watches one rollout through a metric source.
pub struct Watcher<'a> {
    metrics: &'a dyn Metrics,
    settings: Settings,
    origin: Timestamp,
    judge: Judge,
    tally: Tally,
    asked_until: Timestamp,
    tried_until: Timestamp,
    began: Timestamp,
    step: Option<(Timestamp, Option<Step>)>,
    feed: Feed,
    unseen: Option<Unseen>,
    /// Whether the router splits as the record says.
    trusts_weights: bool,
    looks: VecDeque<Look>,
    outcome: Option<Outcome>,
}

impl<'a> Watcher<'a> {
    /// A watcher of the rollout in `record`, from its origin if the source has a past, else from `now` on.
    #[must_use]
    pub fn new(metrics: &'a dyn Metrics, settings: Settings, record: &Record, now: Timestamp) -> Self {
        let origin = record.evidence.origin;
        let look = settings.look;
        // Without a past the grid goes on from its last point before now.
        let passed = if metrics.has_past() {
            0
        } else {
            ended(origin + look, now, look)
        };
        let begin = origin + look * passed;
        Self {
            metrics,
            judge: judge(settings.clone(), begin, record),
            settings,
            origin: begin,
            tally: if metrics.has_past() {
                Tally::new(begin, look)
            } else {
                Tally::new(begin, look).of_listed_targets()
            },
            asked_until: begin.saturating_sub(BASELINE).unwrap_or(Timestamp::MIN),
            tried_until: Timestamp::MIN,
            began: now,
            step: None,
            feed: Feed::Silent { since: now },
            unseen: None,
            trusts_weights: true,
            looks: VecDeque::new(),
            outcome: None,
        }
    }

    /// How this watcher judges the rollout in `record`, for the journal.
    #[must_use]
    pub fn judgement(&self, record: &Record) -> Judgement {
        Judgement {
            rollout: record.rollout.clone(),
            generation: record.generation,
            origin: self.origin,
            settings: self.settings.clone(),
            shares: shares(record).cloned(),
        }
    }

    /// Whether the router splits as the record says: where it does not, a candidate that lacks traffic has not lost it.
    pub fn trust_weights(&mut self, trusts: bool, record: &Record, now: Timestamp) {
        if std::mem::replace(&mut self.trusts_weights, trusts) != trusts {
            let weight = if trusts { record.weight } else { Weight::ZERO };
            self.judge.share_is(now, weight);
        }
    }

    /// Seeks the proof of health of what is tried at `at`.
    pub fn try_what_is_at(&mut self, record: &Record, at: Timestamp) {
        let (since, step) = record.tried_at(at);
        self.begin_step(since, step);
    }

    /// Seeks a new proof of health from `since` on; the same `since` again changes nothing. A step that gives the
    /// candidate all traffic is judged without stable.
    pub fn begin_step(&mut self, since: Timestamp, step: Option<Step>) {
        if self.step != Some((since, step)) {
            self.step = Some((since, step));
            self.unseen = None;
            self.judge.begin_step(since, step);
        }
    }

    /// What was counted of stable while it had traffic, if the source cannot be asked again: then the next run must
    /// be told ([`Settings::frozen`]).
    #[must_use]
    pub fn baseline(&self) -> Option<Counts> {
        (!self.metrics.has_past()).then(|| self.judge.baseline())
    }

    /// Since when the verdict's proof of health is sought.
    #[must_use]
    pub fn step_since(&self) -> Option<Timestamp> {
        self.step.map(|(since, _)| since)
    }

    /// The candidate's first counted request.
    #[must_use]
    pub fn first_request(&self) -> Option<Timestamp> {
        self.judge.first_request()
    }

    /// Since when nothing is seen of the candidate at `weight`, if it should be: the source gives nothing new,
    /// or it counts only stable's requests although [`EXPECTED`] of the candidate's are missing.
    #[must_use]
    pub fn blind_since(&self, weight: Weight) -> Option<Timestamp> {
        match &self.feed {
            Feed::Fresh => {
                let unseen = self.unseen?;
                (expected(unseen.stable, weight)? >= EXPECTED).then_some(unseen.since)
            }
            Feed::Down { since, .. } | Feed::Silent { since } => Some((*since).max(self.began)),
        }
    }

    /// Adds a look to the stretch in which the candidate has had no request.
    fn miss(&mut self, look: &Look) {
        let (Some((since, _)), true) = (self.step, look.candidate.requests == 0.0) else {
            self.unseen = None;
            return;
        };
        let start = look.end - self.settings.look;
        if start < since {
            return;
        }
        let unseen = self.unseen.get_or_insert(Unseen {
            since: start,
            stable: 0.0,
        });
        unseen.stable += look.stable.requests;
    }

    /// When the next look can be judged: at once while there are closed looks that were not.
    #[must_use]
    pub fn next_look_at(&self, now: Timestamp) -> Timestamp {
        if self.needs_baseline() {
            return now;
        }
        let Settings { look, delay, .. } = self.settings;
        let first = self.tally.next_end();
        let ended = ended(first, now - delay, look);
        let last = first + look * (ended - 1);
        // What was tried and failed is tried again together with the next look.
        if ended > 0 && last > self.tried_until {
            now
        } else {
            first + look * ended + delay
        }
    }

    /// Fetches and judges every look that ended by `now`, less the delay.
    pub async fn look(&mut self, now: Timestamp) -> Verdict {
        let Settings { look, delay, .. } = self.settings;
        let first = self.tally.next_end();
        let ended = ended(first, now - delay, look);
        if self.needs_baseline() || ended > 0 {
            self.tried_until = first + look * (ended - 1);
            self.fetch(self.tried_until, now).await;
        }
        let verdict = self.judge.verdict(now, &self.feed);
        self.outcome = Some(verdict.outcome);
        verdict
    }

    /// A page tells counts since its process began: the first one tells no difference, and is read at once.
    fn needs_baseline(&self) -> bool {
        !self.metrics.has_past() && self.tried_until == Timestamp::MIN
    }

    async fn fetch(&mut self, until: Timestamp, now: Timestamp) {
        // Days are fetched in pieces, each counted before the next is asked for.
        while self.asked_until < until {
            let piece = self.asked_until.checked_add(PIECE).unwrap_or(until).min(until);
            // What came late for the looks before is counted in this one; what was seen already is not counted twice.
            let again = self.asked_until - self.settings.look * LATE_LOOKS;
            match self.metrics.samples(again, piece).await {
                Ok(samples) => self.count(&samples, piece),
                Err(error) => {
                    let since = match &self.feed {
                        Feed::Down { since, .. } | Feed::Silent { since } => *since,
                        Feed::Fresh => self.newest().unwrap_or(now),
                    };
                    self.feed = Feed::Down {
                        since,
                        error: chain(&error),
                    };
                    return;
                }
            }
        }
        let newest = self.newest();
        let silent =
            newest.is_none_or(|newest| until.duration_since(newest) > self.settings.look * SILENT_LOOKS);
        self.feed = if silent {
            Feed::Silent {
                since: newest.unwrap_or(self.began),
            }
        } else {
            Feed::Fresh
        };
    }

    /// Judges the looks that these samples, all up to `until`, complete.
    fn count(&mut self, samples: &Samples, until: Timestamp) {
        self.tally.add(samples);
        self.asked_until = until;
        for look in self.tally.close(until) {
            self.judge.look(&look);
            self.miss(&look);
            self.looks.push_back(look);
        }
    }

    /// The newest sample; a stable that has left may be scaled down, and is not waited for.
    fn newest(&self) -> Option<Timestamp> {
        let alone = |(_, step): (_, Option<Step>)| step.is_some_and(|step| step.weight == Weight::FULL);
        if self.step.is_some_and(alone) {
            self.tally.newest_of(Side::Candidate)
        } else {
            self.tally.newest()
        }
    }

    /// The looks judged since the last call, at `at`, for the journal.
    pub fn take_samples(&mut self, record: &Record, at: Timestamp) -> Vec<Sample> {
        let step_for = self.step.and_then(|(_, step)| step).map(|step| step.duration);
        let step_since = self.step_since().unwrap_or(record.evidence.origin);
        let mut samples: Vec<_> = self
            .looks
            .drain(..)
            .map(|look| Sample {
                rollout: record.rollout.clone(),
                generation: record.generation,
                weight: record.weight,
                step_since,
                step_for,
                look,
                at,
                feed: self.feed.clone(),
                outcome: None,
            })
            .collect();
        if let Some(last) = samples.last_mut() {
            last.outcome = self.outcome;
        }
        samples
    }
}

/// A judge that knows the shares there were, unless an older rollgate has kept none.
fn judge(settings: Settings, begin: Timestamp, record: &Record) -> Judge {
    let judge = Judge::new(settings, begin);
    match shares(record) {
        Some(shares) => judge.with_shares(shares),
        None => judge,
    }
}

/// All shares that there were, unless an older rollgate has kept none.
fn shares(record: &Record) -> Option<&Vec<(Timestamp, Weight)>> {
    let lost = record.shares.is_empty() && record.weight > Weight::ZERO;
    (!lost).then_some(&record.shares)
}

/// How many requests the candidate should have had at `weight` while stable had `stable`; none at 100 %, where
/// stable tells nothing and an idle candidate is only idle.
fn expected(stable: f64, weight: Weight) -> Option<f64> {
    let share = f64::from(weight.percent());
    (weight < Weight::FULL).then(|| stable * share / (100.0 - share))
}

/// How many looks have ended by `now`, if the first of them ends at `first_end`.
fn ended(first_end: Timestamp, now: Timestamp, look: SignedDuration) -> i32 {
    let since = now.duration_since(first_end).as_nanos();
    if since < 0 {
        return 0;
    }
    i32::try_from(since / look.as_nanos().max(1))
        .unwrap_or(i32::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests;
