//! Feeds looks to the tests and says what they amount to.
//!
//! In: looks in order, and how fresh the source is. Out: a [`Verdict`] at any moment. The state follows
//! from the looks alone, so a new judge that is given the same looks says the same, to the byte.

use jiff::{SignedDuration, Timestamp};

use super::catastrophe::Catastrophe;
use super::counters::{Counts, Look};
use super::error_rate;
use super::health::{Health, Proof};
use super::trial::{Traffic, Trial};
use super::verdict::{Forecast, Found, Outcome, Reason, Report, TestId, Verdict};
use sentence::Why;

mod sentence;

/// E and the catastrophe test share the error budget of a rollout.
const ROLLBACK_TESTS: f64 = 2.0;

/// So many looks without an answer are an outage and no hiccup.
const STALE_LOOKS: i32 = 3;

/// Shorter pauses are natural at low traffic.
const IDLE: SignedDuration = SignedDuration::from_mins(5);

/// A pause is only called lost traffic if so many requests should have come: by chance, one in 10^8.
const MISSED: f64 = 20.0;

/// A step must have run so long before its traffic is called thin.
const THIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Forecasts assume the traffic of this last stretch.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// How a rollout is judged. Fixed for its whole life.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Length of a look, positive; not shorter than the source's own interval.
    pub look: SignedDuration,
    /// The whole time that may be judged, holds included: evidence restarts spread over it, and none
    /// begins after it. Twice the plan's steps costs almost nothing.
    pub planned: SignedDuration,
    /// Warm-up after the candidate's first request, in which only a catastrophe is judged.
    pub grace: SignedDuration,
    /// A burst of this length never decides alone.
    pub forgive: SignedDuration,
    /// How long after a look's end the source is asked.
    pub delay: SignedDuration,
    /// Mean number of errors that come together, 1 or more.
    pub cluster_size: f64,
    /// Chance of a false rollback, for all rollback tests together, 0 to 1. A source without a past
    /// divides it by the planned number of runs.
    pub alpha: f64,
    /// The error rate that a healthy candidate is proved to be below, 0 to 1.
    pub critical: f64,
    /// How much proof a step needs.
    pub proof: Proof,
    /// The candidate's first request, if an earlier run saw it: a new run is no new warm-up.
    pub warm_since: Option<Timestamp>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: SignedDuration::from_secs(15),
            planned: SignedDuration::from_hours(48),
            grace: SignedDuration::from_mins(5),
            forgive: SignedDuration::from_secs(15),
            delay: SignedDuration::from_secs(2),
            cluster_size: 1.0,
            alpha: 0.001,
            critical: 0.01,
            proof: Proof::Normal,
            warm_since: None,
        }
    }
}

impl Settings {
    /// The e-value at which a rollback test rejects.
    pub fn bar(&self) -> f64 {
        (ROLLBACK_TESTS / self.alpha).min(f64::MAX)
    }

    pub(super) fn planned_looks(&self) -> u64 {
        self.looks_in(self.planned)
    }

    pub(super) fn looks_in(&self, time: SignedDuration) -> u64 {
        let look = self.look.as_nanos().max(1);
        u64::try_from((time.as_nanos() + look - 1) / look)
            .unwrap_or(0)
            .max(1)
    }
}

/// How the metric source is at the moment of the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            Feed::Down { since, error } if at.duration_since(*since) >= stale => {
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
        let needed = Health::new(&self.settings).forecast(traffic);
        if needed.is_none() && rate >= 0.95 * self.settings.critical {
            return Some(Why::Unprovable { rate });
        }
        let time = self.step.time?;
        let judged = self.looks.last()?.end.duration_since(self.judged_since()?);
        let thin = judged >= THIN_AFTER && needed.is_none_or(|needed| needed > time);
        thin.then_some(Why::Thin { needed, time })
    }

    /// Where the looks begin in which this step's proof is sought.
    fn judged_since(&self) -> Option<Timestamp> {
        Some(self.step.since.max(self.first_request? + self.settings.grace))
    }

    /// The mean look of this step, of its last hour at most.
    fn traffic(&self) -> Option<Traffic> {
        let from = self.step.since.max(self.first_request?).max(
            self.looks
                .last()?
                .end
                .checked_sub(RECENT)
                .unwrap_or(Timestamp::MIN),
        );
        let (mut looks, mut stable, mut candidate) = (0.0, Counts::default(), Counts::default());
        for look in self
            .looks
            .iter()
            .rev()
            .take_while(|look| look.end - self.settings.look >= from)
        {
            looks += 1.0;
            stable += look.stable;
            candidate += look.candidate;
        }
        let mean = |counts: Counts| Counts {
            requests: counts.requests / looks,
            errors: counts.errors / looks,
        };
        (candidate.requests > 0.0 && stable.requests > 0.0).then(|| Traffic {
            look: self.settings.look,
            candidate: mean(candidate),
            stable: mean(stable),
        })
    }

    fn fault_forecast(&self, traffic: Option<&Traffic>) -> Option<Forecast> {
        let mut forecast = error_rate::forecast(&self.error_rate, traffic?, self.settings.critical)?;
        forecast.seconds += self.warming().map_or(0, |left| left.as_secs());
        Some(forecast)
    }

    fn proof_forecast(&self, traffic: Option<&Traffic>) -> Option<SignedDuration> {
        Some(self.health.forecast(traffic?)? + self.warming().unwrap_or_default())
    }

    fn reports(&self, traffic: Option<&Traffic>) -> Vec<Report> {
        let live = self.found.is_none();
        let mut reports = vec![
            self.error_rate
                .report(if live { self.fault_forecast(traffic) } else { None }),
            self.catastrophe.trial.report(None),
        ];
        for (place, trial) in self.health.trials.iter().enumerate() {
            let forecast = traffic.filter(|_| live).and_then(|traffic| {
                let time = self.health.forecast_of(place, traffic)?;
                let wait = if time.is_zero() {
                    SignedDuration::ZERO
                } else {
                    self.warming().unwrap_or_default()
                };
                Some(Forecast {
                    error_rate: traffic.stable.rate()?,
                    seconds: (time + wait).as_secs(),
                })
            });
            reports.push(trial.report(forecast));
        }
        reports
    }

    /// The finding of a test that has just rejected, with the looks that made the evidence: from the
    /// look since which the strongest bet has gained most.
    fn found_by(&self, trial: &Trial, at: Timestamp) -> Found {
        let early = trial.id == TestId::Catastrophe;
        let bet = trial.evidence.strongest();
        let first = trial.first.unwrap_or(self.origin);
        let (mut stable, mut candidate, mut gain, mut most) =
            (Counts::default(), Counts::default(), 0.0, 0.0);
        let mut found = Found {
            test: trial.id,
            at,
            since: first,
            first,
            candidate: trial.candidate,
            stable: trial.stable,
            limit: trial.limit(trial.stable),
            e: trial.evidence.value(),
            bar: trial.bar,
        };
        for look in self.looks.iter().rev() {
            let start = look.end - self.settings.look;
            let counted = if early {
                start >= self.catastrophe.clear_since
            } else {
                self.is_warm(start)
            };
            if !counted {
                break;
            }
            stable += look.stable;
            candidate += look.candidate;
            gain += trial.evidence.weight_of(bet, look.candidate, look.stable);
            if gain > most {
                most = gain;
                found = Found {
                    since: start,
                    candidate,
                    stable,
                    limit: trial.limit(stable),
                    ..found
                };
            }
        }
        found
    }
}
