//! Feeds looks to the tests and says what they amount to.
//!
//! In: looks in order, and how fresh the source is. Out: a [`Verdict`] at any moment. The state follows
//! from the looks alone, so a new judge that is given the same looks says the same, to the byte.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::catastrophe::Catastrophe;
use super::counters::{Counts, Look};
use super::error_rate;
use super::health::Health;
use super::trial::{Traffic, Trial};
use super::verdict::{Found, Outcome, Reason, Verdict};
use sentence::Why;
pub use settings::Settings;

mod reports;
mod sentence;
mod settings;

/// So many looks without an answer are an outage and no hiccup.
const STALE_LOOKS: i32 = 3;

/// Shorter pauses are natural at low traffic.
const IDLE: SignedDuration = SignedDuration::from_mins(5);

/// A pause is only called lost traffic if so many requests should have come: by chance, one in 10^8.
const MISSED: f64 = 20.0;

/// A step must have run so long before its traffic is called thin.
const THIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

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

#[derive(Clone, Copy, Debug)]
struct Step {
    since: Timestamp,
    time: Option<SignedDuration>,
}

/// Judges one rollout.
#[derive(Clone, Debug)]
pub struct Judge {
    settings: Settings,
    origin: Timestamp,
    step: Step,
    looks: Vec<Look>,
    first_request: Option<Timestamp>,
    last_candidate: Option<Timestamp>,
    last_stable: Option<Timestamp>,
    total: [Counts; 2],
    used: u64,
    skipped: u64,
    error_rate: Trial,
    catastrophe: Catastrophe,
    health: Health,
    found: Option<Found>,
}

impl Judge {
    /// A judge of the rollout that began at `origin`. Its first step begins there too.
    pub fn new(settings: Settings, origin: Timestamp) -> Self {
        Self {
            step: Step {
                since: origin,
                time: None,
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
            catastrophe: Catastrophe::new(&settings, origin),
            health: Health::new(&settings),
            found: None,
            settings,
        }
    }

    /// Seeks a new proof of health in looks that start at or after `since`, in `time` if it is limited.
    pub fn begin_step(&mut self, since: Timestamp, time: Option<SignedDuration>) {
        self.step = Step { since, time };
        self.health = Health::new(&self.settings);
        for look in &self.looks {
            let start = look.end - self.settings.look;
            if start >= since && self.is_warm(start) {
                self.health.add(start, look);
            }
        }
    }

    /// Takes in a look. One that was seen, or is older than the last, is ignored.
    pub fn look(&mut self, look: &Look) {
        let known = self.looks.last().is_some_and(|last| look.index <= last.index);
        if known || self.found.is_some() {
            return;
        }
        let start = look.end - self.settings.look;
        if look.candidate.requests > 0.0 {
            self.first_request.get_or_insert(start);
            self.last_candidate = Some(look.end);
        }
        if look.stable.requests > 0.0 {
            self.last_stable = Some(look.end);
        }
        self.looks.push(*look);
        self.total[0] += look.stable;
        self.total[1] += look.candidate;
        let warm = self.is_warm(start);
        let comparable = look.candidate.requests > 0.0 && (look.stable.requests > 0.0 || !warm);
        self.used += u64::from(comparable);
        self.skipped += u64::from(!comparable);
        if warm {
            self.error_rate.add(start, look);
            if start >= self.step.since {
                self.health.add(start, look);
            }
        } else {
            self.catastrophe.add(start, look);
        }
        self.found = [&self.error_rate, &self.catastrophe.trial]
            .into_iter()
            .find(|trial| trial.rejected())
            .map(|trial| self.found_by(trial, look.end));
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
        let (outcome, reason) = match why {
            Why::Found(_) => (Outcome::Rollback, None),
            Why::Down { .. } | Why::Silent { .. } => (Outcome::Hold, Some(Reason::Down)),
            Why::NoSeries
            | Why::NoRequests
            | Why::NotReached
            | Why::NothingToCompare
            | Why::BothIdle { .. }
            | Why::Lost { .. } => (Outcome::Hold, Some(Reason::None)),
            Why::Shared { .. } => (Outcome::Hold, Some(Reason::Shared)),
            Why::Thin { .. } => (Outcome::Hold, Some(Reason::Thin)),
            Why::Proved => (Outcome::Healthy, None),
            Why::Unsure | Why::NotFresh { .. } | Why::WarmingUp { .. } | Why::Unprovable { .. } => {
                (Outcome::Watch, None)
            }
        };
        Verdict {
            outcome,
            reason,
            sentence: self.sentence(&why, traffic.as_ref()),
            at,
            step_since: self.step.since,
            used: self.used,
            skipped: self.skipped,
            found: self.found.clone(),
            tests: self.reports(traffic.as_ref()),
        }
    }

    /// The order is that of what a person must know first; nothing is healthy on stale data.
    fn why<'a>(&'a self, at: Timestamp, feed: &'a Feed, traffic: Option<&Traffic>) -> Why<'a> {
        if let Some(found) = &self.found {
            return Why::Found(found);
        }
        let [stable, candidate] = self.total.map(|counts| counts.requests > 0.0);
        let stale = self.settings.look * STALE_LOOKS;
        match feed {
            // Before the first answer there is nothing else to say.
            Feed::Down { since, error } if at.duration_since(*since) >= stale || (!stable && !candidate) => {
                return Why::Down {
                    silence: at.duration_since(*since),
                    error,
                };
            }
            Feed::Silent { since } if (stable || candidate) && at.duration_since(*since) >= stale => {
                return Why::Silent {
                    silence: at.duration_since(*since),
                };
            }
            Feed::Silent { .. } if !stable && !candidate => return Why::NoSeries,
            _ => {}
        }
        match (stable, candidate) {
            (false, false) => return Why::NoRequests,
            (true, false) => return Why::NotReached,
            (false, true) => return Why::NothingToCompare,
            (true, true) => {}
        }
        if let Some(why) = self.idle() {
            return why;
        }
        let warming = self.warming();
        if warming.is_some()
            && let Some((since, counts)) = self.catastrophe.shared()
        {
            return Why::Shared { since, counts };
        }
        if *feed != Feed::Fresh {
            return Why::NotFresh { feed, at };
        }
        if self.health.proved() {
            return Why::Proved;
        }
        if let Some(left) = warming {
            return Why::WarmingUp { left };
        }
        self.unprovable(traffic).unwrap_or(Why::Unsure)
    }

    /// The feed as we see it: whoever says "fresh" without looks is mistaken.
    fn feed(&self, at: Timestamp, feed: &Feed) -> Feed {
        let newest = self.looks.last().map_or(self.origin, |last| last.end);
        let stale = self.settings.delay + self.settings.look * (STALE_LOOKS + 1);
        if *feed == Feed::Fresh && at.duration_since(newest) >= stale {
            return Feed::Silent { since: newest };
        }
        feed.clone()
    }

    fn is_warm(&self, start: Timestamp) -> bool {
        self.first_request
            .is_some_and(|first| start >= first + self.settings.grace)
    }

    /// What is left of the warm-up after the last look.
    fn warming(&self) -> Option<SignedDuration> {
        let last = self.looks.last()?.end;
        let left = (self.first_request? + self.settings.grace).duration_since(last);
        left.is_positive().then_some(left)
    }

    fn idle(&self) -> Option<Why<'_>> {
        let now = self.looks.last()?.end;
        let (stable, candidate) = (self.last_stable?, self.last_candidate?);
        let pause = now.duration_since(candidate);
        if pause < IDLE {
            return None;
        }
        if now.duration_since(stable) >= IDLE {
            return Some(Why::BothIdle {
                pause: now.duration_since(stable.max(candidate)),
            });
        }
        let served = candidate.duration_since(self.first_request?).as_secs_f64();
        let missed = self.total[1].requests / served.max(1.0) * pause.as_secs_f64();
        if missed < MISSED {
            return None;
        }
        let meanwhile = self.looks.iter().rev().take_while(|look| look.end > candidate);
        Some(Why::Lost {
            pause,
            stable: meanwhile.map(|look| look.stable.requests).sum(),
        })
    }

    /// Why this step will not be proved, if it will not.
    fn unprovable(&self, traffic: Option<&Traffic>) -> Option<Why<'_>> {
        let traffic = traffic?;
        let rate = traffic.stable.rate()?;
        let needed = || Health::new(&self.settings).forecast(traffic);
        if rate >= 0.95 * self.settings.critical && needed().is_none() {
            return Some(Why::Unprovable { rate });
        }
        let time = self.step.time?;
        if self.looks.last()?.end.duration_since(self.judged_since()?) < THIN_AFTER {
            return None;
        }
        let needed = needed();
        needed
            .is_none_or(|needed| needed > time)
            .then_some(Why::Thin { needed, time })
    }

    /// Where the looks begin in which this step's proof is sought.
    fn judged_since(&self) -> Option<Timestamp> {
        Some(self.step.since.max(self.first_request? + self.settings.grace))
    }
}
