//! Feeds looks to the tests and says what they amount to.
//!
//! In: looks in order, and how fresh the source is. Out: a [`Verdict`] at any moment. The state follows
//! from the looks alone, so a new judge that is given the same looks says the same, to the byte.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::catastrophe::Catastrophe;
use super::crash_loop::CrashLoop;
use super::damage::Damage;
use super::exposure::{Exposure, Shares};
use super::gauge::Gauges;
use super::health::Health;
use super::look::{Counts, Look, Measured};
use super::measure::Seen;
use super::panel::Panel;
use super::verdict::{Baseline, Found, Verdict};
use super::yardstick::Yardstick;
use crate::rollout::ladder::Step;
use crate::weight::Weight;
pub use settings::{Check, GaugeLimits, GaugeUnit, Level, Settings, SlowLimits, Throughput};

use self::reports::Moment;

mod findings;
mod numbers;
mod reports;
mod rises;
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
    shares: Shares,
    /// The first of them is the first there was: it came from nothing.
    from_the_first: bool,
    /// Without their gauges, of which five minutes are enough.
    looks: Vec<Look>,
    first_request: Option<Timestamp>,
    last_candidate: Option<Timestamp>,
    last_stable: Option<Timestamp>,
    total: [Counts; 2],
    /// Stable's, but for the looks in which it had trouble of its own: what it is when it is well.
    calm: Counts,
    used: u64,
    skipped: u64,
    dropped: u64,
    yardstick: Yardstick,
    exposure: Exposure,
    panel: Panel,
    catastrophe: Catastrophe,
    health: Health,
    gauges: Gauges,
    crash_loop: CrashLoop,
    damage: Option<Damage>,
    /// What was counted of stable, from the first look on that it has no part in.
    frozen: Option<Counts>,
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
            shares: Shares::new(),
            from_the_first: false,
            looks: Vec::new(),
            first_request: settings.warm_since,
            last_candidate: None,
            last_stable: None,
            total: [Counts::default(); 2],
            calm: Counts::default(),
            used: 0,
            skipped: 0,
            dropped: 0,
            yardstick: Yardstick::default(),
            exposure: Exposure::default(),
            panel: Panel::new(&settings),
            catastrophe: Catastrophe::new(&settings),
            health: Health::new(&settings),
            gauges: Gauges::new(&settings.gauges),
            crash_loop: CrashLoop::default(),
            damage: None,
            frozen: None,
            found: None,
            settings,
        }
    }

    /// Tells since when the candidate has had which share, as far as it is known: throughput is judged by it, and
    /// stable is compared with what it was before each rise. All of them since the beginning, before the first look.
    #[must_use]
    pub fn with_shares(mut self, shares: &[(Timestamp, Weight)]) -> Self {
        self.from_the_first = true;
        self.shares = shares.to_vec();
        self
    }

    /// The candidate has had another share from `at` on; [`Weight::ZERO`] where nobody knows which.
    pub fn share_is(&mut self, at: Timestamp, weight: Weight) {
        self.shares.push((at, weight));
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
        if let Some(step) = step
            && self.shares.last().is_none_or(|(at, _)| *at < since)
        {
            self.shares.push((since, step.weight));
        }
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
        if self.looks.last().is_some_and(|last| self.start(last) >= since) {
            self.seek_proof();
        }
    }

    /// The proof of health in looks that are in already.
    fn seek_proof(&mut self) {
        let mut yardstick = Yardstick::default();
        let mut health = self.health.clone();
        for look in &self.looks {
            let start = self.start(look);
            let look = self.judged(look);
            if start >= self.step.since && self.is_warm(start) {
                health.add(&Seen {
                    start,
                    look: &look,
                    yardstick: &yardstick,
                    exposure: [Counts::default(); 2],
                });
            }
            yardstick.add(&look.stable, &look.candidate);
        }
        self.health = health;
    }

    fn judge_anew(&mut self) {
        let mut anew = Self::new(self.settings.clone(), self.origin).with_shares(&self.shares);
        anew.from_the_first = self.from_the_first;
        anew.step = self.step;
        // Their gauges are gone from the looks, and depend on no step.
        anew.gauges = std::mem::take(&mut self.gauges);
        for look in std::mem::take(&mut self.looks) {
            anew.look(&look);
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
        // Whoever comes while it has no share, testers and probes, warms nothing; and an hour of pause cools it.
        let begun = self.begun(start);
        if self.first_request < begun {
            self.first_request = None;
        }
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
        self.watch_rises(start);
        self.looks.push(without_gauges(look));
        self.total[0] += look.stable.counts();
        self.total[1] += look.candidate.counts();
        self.dropped += look.dropped;
        let warm = self.is_warm(start);
        let comparable = look.candidate.requests > 0.0 && (look.stable.requests > 0.0 || alone || !warm);
        self.used += u64::from(comparable);
        self.skipped += u64::from(!comparable);
        self.gauges.add(look, self.settings.look);
        self.crash_loop.add(look);

        let look = self.judged(look);
        let seen = Seen {
            start,
            look: &look,
            yardstick: &self.yardstick,
            exposure: self.exposure.look(&look, self.settings.look, &self.shares),
        };
        if warm {
            self.panel.add(&self.settings, &seen);
            if start >= self.step.since {
                self.health.add(&seen);
            }
        } else {
            self.catastrophe.add(start, &look);
        }
        if let Some(damage) = self.damage.as_mut().filter(|_| !alone) {
            damage.add(&seen);
        }
        self.yardstick.add(&look.stable, &look.candidate);
        self.found = self.finding(look.end);
        if self.panel.shared().is_none() && self.damage.as_ref().is_none_or(Damage::is_calm) {
            self.calm += look.stable.counts();
        }
    }

    /// From here on stable has no part in it: every test goes on with what it was.
    fn freeze(&mut self) {
        let counts = self.baseline();
        self.panel.freeze(&self.settings, counts, &self.yardstick);
        self.frozen = Some(counts);
        self.health = self.new_health();
    }

    /// What was counted of stable, by earlier runs too, while it had traffic: a run that begins when it has left
    /// must be told, unless it can ask the source.
    pub fn baseline(&self) -> Counts {
        if let Some(frozen) = self.frozen {
            return frozen;
        }
        let mut counts = self.settings.frozen.unwrap_or_default();
        counts += if self.calm.requests > 0.0 {
            self.calm
        } else {
            self.total[0]
        };
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

    /// Whether people are warned now.
    pub fn is_warning(&self) -> bool {
        self.found.is_none() && self.warns()
    }

    /// Whether health was proved in this step, fresh data or not.
    #[cfg(test)]
    pub(super) fn is_proved(&self) -> bool {
        self.health.proved()
    }

    /// The verdict at `at`, on all looks so far.
    pub fn verdict(&self, at: Timestamp, feed: &Feed) -> Verdict {
        let feed = self.feed(at, feed);
        let moment = Moment::of(self);
        let why = moment.why(at, &feed);
        let (outcome, reason) = why.outcome();
        Verdict {
            outcome,
            reason,
            sentence: moment.sentence(&why),
            baseline: self.baseline_kind(),
            proved: why.is_proved(),
            at,
            step_since: self.step.since,
            used: self.used,
            skipped: self.skipped,
            found: self.found.clone(),
            tests: moment.reports(),
            warnings: self.warnings(),
            gauges: self.gauges.reports(),
            restarts: self.crash_loop.total(),
            dropped: self.dropped,
        }
    }

    fn baseline_kind(&self) -> Baseline {
        match self.frozen {
            None => Baseline::Live,
            Some(frozen) if frozen.requests > 0.0 => Baseline::Frozen,
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
    fn judged<'a>(&self, look: &'a Look) -> Cow<'a, Look> {
        if !self.is_alone(self.start(look)) {
            return Cow::Borrowed(look);
        }
        Cow::Owned(Look {
            index: look.index,
            end: look.end,
            stable: Measured::default(),
            candidate: look.candidate.clone(),
            dropped: look.dropped,
        })
    }

    /// A proof of health that has not begun, for the present step.
    fn new_health(&self) -> Health {
        match self.frozen {
            Some(counts) => Health::without_stable(&self.settings, counts, &self.yardstick),
            None => Health::new(&self.settings),
        }
    }

    fn is_warm(&self, start: Timestamp) -> bool {
        self.first_request
            .is_some_and(|first| start >= first + self.settings.grace)
    }
}

fn without_gauges(look: &Look) -> Look {
    let one = |measured: &Measured| Measured {
        requests: measured.requests,
        errors: measured.errors,
        complete: measured.complete,
        groups: measured.groups.clone(),
        latency: measured.latency.clone(),
        checks: measured.checks.clone(),
        gauges: Vec::new(),
        restarts: measured.restarts.clone(),
    };
    Look {
        index: look.index,
        end: look.end,
        stable: one(&look.stable),
        candidate: one(&look.candidate),
        dropped: look.dropped,
    }
}
