//! Raw counter samples become counts per look.
//!
//! In: what a metric source answered, in any pieces. Out: looks of fixed length on an absolute grid,
//! each with the requests and errors of both versions. Differences are taken per series and belong to
//! the look of the later sample, so a missing scrape is no gap: the next difference covers it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A new target's first sample is its baseline if it comes within this many looks of the first sample
/// of all: targets are scraped at different moments of the interval, and one scrape may be missing.
/// A target that appears later was started later, and its counters began at 0.
const STAGGER_LOOKS: i128 = 2;

/// Differences are kept in steps of 1/1024, so that sums do not depend on the order of adding.
/// Counts are whole numbers anyway; a counter with fractions loses less than a thousandth.
const STEPS: f64 = 1024.0;

/// The version that served a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The version that is known to be good.
    Stable,
    /// The version on trial.
    Candidate,
}

/// Raw samples of one series of one counter, in time order, without NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// All labels in canonical form: the name of the series.
    pub key: String,
    /// The process that was asked; empty if the source does not say.
    pub instance: String,
    /// The version it runs.
    pub side: Side,
    /// Time and value of the counter, events since its process began.
    pub points: Vec<(Timestamp, f64)>,
}

/// What a source answered for one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The counter of all requests.
    pub requests: Vec<Series>,
    /// The counter of requests that ended in an error.
    pub errors: Vec<Series>,
}

/// Requests and errors of one version in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests, 0 or more.
    pub requests: f64,
    /// Requests that ended in an error, 0 or more.
    pub errors: f64,
}

impl Counts {
    /// Share of requests that failed, 0 to 1; nothing without requests.
    pub fn rate(&self) -> Option<f64> {
        (self.requests > 0.0).then(|| (self.errors / self.requests).min(1.0))
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
    }
}

/// What both versions did in one closed interval of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Place on the grid, 0 for the first look after the origin.
    pub index: u64,
    /// The look holds samples up to and including this moment.
    pub end: Timestamp,
    /// Counts of stable.
    pub stable: Counts,
    /// Counts of the candidate.
    pub candidate: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    Requests,
    Errors,
}

type Target = (Side, String);

/// Remembers where every series stood and what happened in looks that are still open.
#[derive(Clone, Debug)]
pub struct Tally {
    origin: Timestamp,
    look: SignedDuration,
    last: BTreeMap<(Counter, Side, String), (Timestamp, f64)>,
    open: BTreeMap<u64, (Counts, Counts)>,
    next: u64,
    oldest: Option<Timestamp>,
    newest: BTreeMap<Side, Timestamp>,
    targets: BTreeMap<Target, Timestamp>,
    served: BTreeMap<Side, Timestamp>,
    restarts: BTreeSet<(Target, Timestamp)>,
    dropped: u64,
    listed: bool,
}

impl Tally {
    /// Looks of length `look` (positive) since `origin`.
    ///
    /// Samples at or before the origin are baselines: ask the source for a little more than the
    /// rollout, and nothing at its start is lost.
    pub fn new(origin: Timestamp, look: SignedDuration) -> Self {
        Self {
            origin,
            look: look.max(SignedDuration::from_millis(1)),
            last: BTreeMap::new(),
            open: BTreeMap::new(),
            next: 0,
            oldest: None,
            newest: BTreeMap::new(),
            targets: BTreeMap::new(),
            served: BTreeMap::new(),
            restarts: BTreeSet::new(),
            dropped: 0,
            listed: false,
        }
    }

    /// For a source that asks a list of targets and cannot tell when one began: a target that appears late is
    /// one that did not answer before, not a new one, and its first sample is its baseline.
    #[must_use]
    pub fn of_listed_targets(mut self) -> Self {
        self.listed = true;
        self
    }

    /// Takes in samples. Those it has seen already, or older than the last of their series, are ignored:
    /// the difference to a later sample holds them.
    pub fn add(&mut self, samples: &Samples) {
        // First who is there since when, so that a batch does not depend on the order of its series.
        for series in &samples.requests {
            if let Some(&(first, _)) = series.points.iter().find(|point| is_count(point.1)) {
                self.oldest = Some(self.oldest.map_or(first, |oldest| oldest.min(first)));
                self.targets
                    .entry((series.side, series.instance.clone()))
                    .and_modify(|seen| *seen = (*seen).min(first))
                    .or_insert(first);
            }
        }
        for series in &samples.requests {
            self.add_series(Counter::Requests, series);
        }
        for series in &samples.errors {
            self.add_series(Counter::Errors, series);
        }
    }

    /// Closes all looks that end at or before `until`, in order, empty ones too.
    ///
    /// What comes in later for a closed look is counted in the first open one.
    pub fn close(&mut self, until: Timestamp) -> Vec<Look> {
        let mut closed = Vec::new();
        loop {
            let end = self.end(self.next);
            if end > until {
                return closed;
            }
            let (stable, candidate) = self.open.remove(&self.next).unwrap_or_default();
            closed.push(Look {
                index: self.next,
                end,
                stable,
                candidate,
            });
            self.next += 1;
        }
    }

    /// The end of the look that is closed next.
    pub fn next_end(&self) -> Timestamp {
        self.end(self.next)
    }

    /// Up to when both versions are known: the newest sample of the one that has been silent for longer. A
    /// version that never had a series is not waited for; nothing before the first sample of all.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest.values().min().copied()
    }

    /// Up to when this version is known.
    pub fn newest_of(&self, side: Side) -> Option<Timestamp> {
        self.newest.get(&side).copied()
    }

    /// Time of the first sample that shows a request of this version after the origin.
    pub fn first_request(&self, side: Side) -> Option<Timestamp> {
        self.served.get(&side).copied()
    }

    /// How many request series of this version were seen.
    pub fn series(&self, side: Side) -> usize {
        self.last
            .keys()
            .filter(|(counter, of, _)| *counter == Counter::Requests && *of == side)
            .count()
    }

    /// How often processes of this version began anew: many on the candidate only are a crash loop.
    pub fn restarts(&self, side: Side) -> usize {
        self.restarts.iter().filter(|((of, _), _)| *of == side).count()
    }

    /// Samples dropped because they were no count: NaN, negative or infinite.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn add_series(&mut self, counter: Counter, series: &Series) {
        let name = (counter, series.side, series.key.clone());
        let mut last = self.last.get(&name).copied();
        for &(time, value) in &series.points {
            if last.is_some_and(|(seen, _)| time <= seen) {
                continue;
            }
            if !is_count(value) {
                self.dropped += 1;
                continue;
            }
            let difference = match last {
                Some((_, before)) if value < before => {
                    if counter == Counter::Requests {
                        // A process has many series; that they all fall in one scrape is one restart.
                        self.restarts
                            .insert(((series.side, series.instance.clone()), time));
                    }
                    value
                }
                Some((_, before)) => value - before,
                None if self.began_at_zero(series, time) => value,
                None => 0.0,
            };
            last = Some((time, value));
            let newest = self.newest.entry(series.side).or_insert(time);
            *newest = time.max(*newest);
            self.count(counter, series.side, time, difference);
        }
        if let Some(last) = last {
            self.last.insert(name, last);
        }
    }

    /// Whether a series first seen at `time` began at 0 before our eyes.
    ///
    /// So it did if its target was watched before without it, as with the first error of a process,
    /// or if the whole target is new.
    fn began_at_zero(&self, series: &Series, time: Timestamp) -> bool {
        let target = self.targets.get(&(series.side, series.instance.clone()));
        let (Some(oldest), Some(&target)) = (self.oldest, target) else {
            // Errors of a target without requests: nobody was watching it.
            return self.oldest.is_some_and(|oldest| self.is_late(oldest, time));
        };
        time > target || self.is_late(oldest, time)
    }

    fn is_late(&self, oldest: Timestamp, time: Timestamp) -> bool {
        !self.listed && nanoseconds(oldest, time) > STAGGER_LOOKS * self.look.as_nanos()
    }

    fn count(&mut self, counter: Counter, side: Side, time: Timestamp, difference: f64) {
        let difference = libm::round(difference * STEPS) / STEPS;
        let Some(index) = self.index(time) else { return };
        if difference <= 0.0 {
            return;
        }
        let look = self.open.entry(index.max(self.next)).or_default();
        let counts = match side {
            Side::Stable => &mut look.0,
            Side::Candidate => &mut look.1,
        };
        match counter {
            Counter::Requests => {
                counts.requests += difference;
                self.served
                    .entry(side)
                    .and_modify(|first| *first = (*first).min(time))
                    .or_insert(time);
            }
            Counter::Errors => counts.errors += difference,
        }
    }

    /// The look that holds `time`: after its start, up to and including its end.
    fn index(&self, time: Timestamp) -> Option<u64> {
        let since = nanoseconds(self.origin, time);
        if since <= 0 {
            return None;
        }
        u64::try_from((since - 1) / self.look.as_nanos()).ok()
    }

    fn end(&self, index: u64) -> Timestamp {
        let end = self.origin.as_nanosecond() + (i128::from(index) + 1) * self.look.as_nanos();
        Timestamp::from_nanosecond(end).unwrap_or(Timestamp::MAX)
    }
}

fn is_count(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn nanoseconds(from: Timestamp, to: Timestamp) -> i128 {
    to.as_nanosecond() - from.as_nanosecond()
}

#[cfg(test)]
mod tests;
