//! Feeds looks to the tests and says what they amount to.
//!
//! In: looks in order, and how fresh the source is. Out: a [`Verdict`] at any moment. The state follows
//! from the looks alone, so a new judge that is given the same looks says the same, to the byte.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::catastrophe::Catastrophe;
use super::counters::{Counts, Look};
use super::critical::Critical;
use super::error_rate;
use super::frozen::Frozen;
use super::health::Health;
use super::trial::Trial;
use super::verdict::{Baseline, Found, Verdict};
use crate::rollout::ladder::Step;
use crate::weight::Weight;
pub use settings::Settings;

mod numbers;
mod reports;
mod sentence;
mod settings;
mod why;

/// How the metric source is at the moment of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Feed {
    /// Answers, with new samples.
    Fresh,
    /// Has not answered since then.
    Down {
        /// The last answer, or the first question.
        since: Timestamp,
        /// What the source said instead, for people.
        error: String,
    },
    /// Answers, but has no samples newer than this.
    Silent {
        /// The newest sample, or the first question.
        since: Timestamp,
    },
}

/// What is tried now.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Present {
    since: Timestamp,
    time: Option<SignedDuration>,
    /// The candidate has all of the traffic: stable is out of it, whatever trickles to it still.
    alone: bool,
}

impl Present {
    fn alone_since(&self) -> Option<Timestamp> {
        self.alone.then_some(self.since)
    }
}

/// Judges one rollout.
#[derive(Clone, Debug)]
pub struct Judge {
    settings: Settings,
    origin: Timestamp,
    step: Present,
    looks: Vec<Look>,
    first_request: Option<Timestamp>,
    last_candidate: Option<Timestamp>,
    last_stable: Option<Timestamp>,
    total: [Counts; 2],
    used: u64,
    skipped: u64,
    error_rate: Trial,
    critical: Critical,
    catastrophe: Catastrophe,
    health: Health,
    /// What stable was, from the first look on that it has no part in.
    frozen: Option<Frozen>,
    found: Option<Found>,
}

impl Judge {
    /// A judge of the rollout that began at `origin`. Its first step begins there too.
    pub fn new(settings: Settings, origin: Timestamp) -> Self {
        Self {
            step: Present {
                since: origin,
                time: None,
                alone: false,
            },
            origin,
            looks: Vec::new(),
            first_request: settings.warm_since,
            last_candidate: None,
            last_stable: None,
            total: [Counts::default(); 2],
            used: 0,
            skipped: 0,
            error_rate: error_rate::new(&settings),
            critical: Critical::new(&settings),
            catastrophe: Catastrophe::new(&settings),
            health: Health::new(&settings),
            frozen: None,
            found: None,
            settings,
        }
    }

    /// Seeks a new proof of health in looks that start at or after `since`, in the step's time if one is given.
    ///
    /// If the step gives the candidate everything, these looks are judged without stable: by its frozen rate and
    /// by the limits.
    pub fn begin_step(&mut self, since: Timestamp, step: Option<Step>) {
        let before = self.step.alone_since();
        self.step = Present {
            since,
            time: step.map(|step| step.duration),
            alone: step.is_some_and(|step| step.weight == Weight::FULL),
        };
        let after = self.step.alone_since();
        if before != after && self.found.is_none() {
            // Looks that were judged with, or without, a stable that they should not have been.
            let from = before.into_iter().chain(after).min();
            if self
                .looks
                .last()
                .is_some_and(|last| Some(self.start(last)) >= from)
            {
                self.judge_anew();
                return;
            }
        }
        self.health = self.new_health();
        for look in &self.looks {
            let start = self.start(look);
            if start >= since && self.is_warm(start) {
                self.health.add(start, &self.judged(look));
            }
        }
    }

    fn judge_anew(&mut self) {
        let mut anew = Self::new(self.settings.clone(), self.origin);
        anew.step = self.step;
        for look in &self.looks {
            anew.look(look);
        }
        *self = anew;
    }

    /// Takes in a look. One that was seen, or is older than the last, is ignored.
    pub fn look(&mut self, look: &Look) {
        let known = self.looks.last().is_some_and(|last| look.index <= last.index);
        if known || self.found.is_some() {
            return;
        }
        let start = self.start(look);
        if look.candidate.requests > 0.0 {
            self.first_request.get_or_insert(start);
            self.last_candidate = Some(look.end);
        }
        if look.stable.requests > 0.0 {
            self.last_stable = Some(look.end);
        }
        let alone = self.is_alone(start);
        if alone && self.frozen.is_none() {
            self.freeze();
        }
        self.looks.push(*look);
        self.total[0] += look.stable;
        self.total[1] += look.candidate;
        let warm = self.is_warm(start);
        let comparable = look.candidate.requests > 0.0 && (look.stable.requests > 0.0 || alone || !warm);
        self.used += u64::from(comparable);
        self.skipped += u64::from(!comparable);
        let look = self.judged(look);
        if warm {
            self.error_rate.add(start, &look);
            self.critical.add(start, &look);
            if start >= self.step.since {
                self.health.add(start, &look);
            }
        } else {
            self.catastrophe.add(start, &look);
        }
        self.found = self.finding(look.end);
    }

    /// From here on stable has no part in it: every test goes on with what it was.
    fn freeze(&mut self) {
        let frozen = Frozen::new(self.baseline(), self.settings.cluster_size);
        self.error_rate = error_rate::without_stable(&self.settings, &frozen, &self.error_rate);
        self.critical = Critical::without_stable(&self.settings, &frozen, &self.critical);
        self.frozen = Some(frozen);
        self.health = self.new_health();
    }

    /// The first rollback test that has its proof.
    fn finding(&mut self, end: Timestamp) -> Option<Found> {
        if let Some(trial) = [&self.error_rate, &self.catastrophe.trial]
            .into_iter()
            .find(|trial| trial.rejected())
        {
            return Some(self.found_by(trial, end));
        }
        if !self.critical.trial.rejected() {
            return None;
        }
        let found = self.found_by(&self.critical.trial, end);
        let shared = match &self.frozen {
            Some(frozen) => self.critical.was_failed_by(frozen),
            None => !self.critical.clears(found.stable),
        };
        if !shared {
            return Some(found);
        }
        self.critical.hold(found.since);
        None
    }

    /// What was counted of stable, by earlier runs too, while it had traffic: a run that begins when it has left
    /// must be told, unless it can ask the source.
    pub fn baseline(&self) -> Counts {
        if let Some(frozen) = &self.frozen {
            return frozen.counts;
        }
        let mut counts = self.settings.frozen.unwrap_or_default();
        counts += self.total[0];
        counts
    }

    /// Start of the first look in which the candidate had a request, or what the settings say.
    pub fn first_request(&self) -> Option<Timestamp> {
        self.first_request
    }

    /// Whether harm is proved. It stays so.
    pub fn is_rollback(&self) -> bool {
        self.found.is_some()
    }

    /// Whether health was proved in this step, fresh data or not.
    #[cfg(test)]
    pub(super) fn is_proved(&self) -> bool {
        self.health.proved()
    }

    /// The verdict at `at`, on all looks so far.
    pub fn verdict(&self, at: Timestamp, feed: &Feed) -> Verdict {
        let feed = self.feed(at, feed);
        let traffic = self.traffic();
        let why = self.why(at, &feed, traffic.as_ref());
        let (outcome, reason) = why.outcome();
        Verdict {
            outcome,
            reason,
            sentence: self.sentence(&why, traffic.as_ref()),
            baseline: self.baseline_kind(),
            at,
            step_since: self.step.since,
            used: self.used,
            skipped: self.skipped,
            found: self.found.clone(),
            tests: self.reports(traffic.as_ref()),
        }
    }

    fn baseline_kind(&self) -> Baseline {
        match &self.frozen {
            None => Baseline::Live,
            Some(frozen) if frozen.counts.requests > 0.0 => Baseline::Frozen,
            Some(_) => Baseline::Missing,
        }
    }

    fn start(&self, look: &Look) -> Timestamp {
        look.end - self.settings.look
    }

    fn is_alone(&self, start: Timestamp) -> bool {
        self.step.alone_since().is_some_and(|since| start >= since)
    }

    /// The look as the tests see it: what trickles to a stable that has left, health checks and ends of sessions,
    /// is not what its users did.
    fn judged(&self, look: &Look) -> Look {
        if !self.is_alone(self.start(look)) {
            return *look;
        }
        Look {
            stable: Counts::default(),
            ..*look
        }
    }

    /// A proof of health that has not begun, for the present step.
    fn new_health(&self) -> Health {
        match &self.frozen {
            Some(frozen) => Health::without_stable(&self.settings, frozen),
            None => Health::new(&self.settings),
        }
    }

    fn is_warm(&self, start: Timestamp) -> bool {
        self.first_request
            .is_some_and(|first| start >= first + self.settings.grace)
    }
}
