//! Raw samples become looks.
//!
//! In: what a metric source answered, in any pieces. Out: looks of fixed length on an absolute grid,
//! each with what both versions did in it. Differences are taken per series and belong to
//! the look of the later sample, so a missing scrape is no gap: the next difference covers it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use self::busiest::Busiest;
use self::heard::Heard;
use self::open::{Counter, Open};
use super::distribution::Distribution;
use super::look::{Counts, Look, Measured};
use super::samples::{Histogram, Kind, Samples, Series, Side};

mod busiest;
mod heard;
mod open;

/// A new target's first sample is its baseline if it comes within this many looks of the first sample
/// of all: targets are scraped at different moments of the interval, and one scrape may be missing.
/// A target that appears later was started later, and its counters began at 0.
const STAGGER_LOOKS: i128 = 2;

/// Differences are kept in steps of 1/1024, so that sums do not depend on the order of adding.
/// Counts are whole numbers anyway; a counter with fractions loses less than a thousandth.
const STEPS: f64 = 1024.0;

type Target = (Side, String);

/// Remembers where every series stood and what happened in looks that are still open.
#[derive(Clone, Debug)]
pub struct Tally {
    origin: Timestamp,
    look: SignedDuration,
    last: BTreeMap<(Counter, Side, String), (Timestamp, f64)>,
    last_latency: BTreeMap<(Side, String), (Timestamp, Distribution)>,
    last_gauge: BTreeMap<(usize, Side, String), Timestamp>,
    last_dropped: BTreeMap<(Counter, Side, String), Timestamp>,
    open: BTreeMap<u64, Open>,
    heard: Heard,
    busiest: Busiest,
    next: u64,
    oldest: Option<Timestamp>,
    newest: BTreeMap<Side, Timestamp>,
    targets: BTreeMap<Target, Timestamp>,
    served: BTreeMap<Side, Timestamp>,
    restarts: BTreeSet<(Target, Timestamp)>,
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
            last_latency: BTreeMap::new(),
            last_gauge: BTreeMap::new(),
            last_dropped: BTreeMap::new(),
            open: BTreeMap::new(),
            heard: Heard::default(),
            busiest: Busiest::default(),
            next: 0,
            oldest: None,
            newest: BTreeMap::new(),
            targets: BTreeMap::new(),
            served: BTreeMap::new(),
            restarts: BTreeSet::new(),
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
        for histogram in &samples.latency {
            self.add_histogram(histogram);
        }
        for (place, check) in samples.checks.iter().enumerate() {
            for series in &check.good {
                self.add_series(Counter::Good(place), series);
            }
            for series in &check.total {
                self.add_series(Counter::Total(place), series);
            }
        }
        for (place, gauge) in samples.gauges.iter().enumerate() {
            for series in gauge {
                self.add_gauge(place, series);
            }
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
            let mut open = self.open.remove(&self.next).unwrap_or_default();
            for side in [Side::Stable, Side::Candidate] {
                open.of(side).complete = self.heard.close(self.next, side);
            }
            open.close_checks();
            self.busiest
                .close(&mut open.stable.groups, &mut open.candidate.groups);
            let Open {
                stable,
                candidate,
                dropped,
            } = open;
            closed.push(Look {
                index: self.next,
                end,
                stable,
                candidate,
                dropped,
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

    /// How often processes of this version began anew: many on the candidate only are a crash loop.
    pub fn restarts(&self, side: Side) -> usize {
        self.restarts.iter().filter(|((of, _), _)| *of == side).count()
    }

    fn add_series(&mut self, counter: Counter, series: &Series) {
        let name = (counter, series.side, series.key.clone());
        let mut last = self.last.get(&name).copied();
        for &(time, value) in &series.points {
            if last.is_some_and(|(seen, _)| time <= seen) {
                continue;
            }
            if !is_count(value) {
                // What is told twice is left out once.
                if self.last_dropped.get(&name).is_none_or(|seen| time > *seen) {
                    self.last_dropped.insert(name.clone(), time);
                    self.drop_sample(time);
                }
                continue;
            }
            let difference = match last {
                _ if series.kind == Kind::Increment => value,
                Some((_, before)) if value < before => {
                    if counter == Counter::Requests {
                        self.restart((series.side, series.instance.clone()), time);
                    }
                    value
                }
                Some((_, before)) => value - before,
                None if self.began_at_zero(series.side, &series.instance, time) => value,
                None => 0.0,
            };
            last = Some((time, value));
            let newest = self.newest.entry(series.side).or_insert(time);
            *newest = time.max(*newest);
            if counter == Counter::Requests
                && let Some(index) = self.index(time)
            {
                self.heard.at(index.max(self.next), series.side, &series.instance);
            }
            self.count(counter, series, time, difference);
        }
        if let Some(last) = last {
            self.last.insert(name, last);
        }
    }

    fn add_histogram(&mut self, histogram: &Histogram) {
        let Histogram {
            key,
            instance,
            side,
            kind,
            points,
        } = histogram;
        let name = (*side, key.clone());
        let mut last = self.last_latency.remove(&name);
        for (time, now) in points {
            if last.as_ref().is_some_and(|(seen, _)| time <= seen) {
                continue;
            }
            let added = match &last {
                _ if *kind == Kind::Increment => now.clone(),
                Some((_, before)) => now.since(before),
                None if self.began_at_zero(*side, instance, *time) => now.clone(),
                None => Distribution::default(),
            };
            last = Some((*time, now.clone()));
            if added.total() > 0.0
                && let Some(index) = self.index(*time)
            {
                let open = self.open.entry(index.max(self.next)).or_default();
                open.of(*side).latency.add(&added);
            }
        }
        if let Some(last) = last {
            self.last_latency.insert(name, last);
        }
    }

    fn add_gauge(&mut self, place: usize, series: &Series) {
        let name = (place, series.side, series.key.clone());
        let mut last = self.last_gauge.get(&name).copied();
        for &(time, value) in &series.points {
            if last.is_some_and(|seen| time <= seen) {
                continue;
            }
            last = Some(time);
            if !value.is_finite() {
                self.drop_sample(time);
                continue;
            }
            let Some(index) = self.index(time) else { continue };
            let open = self.open.entry(index.max(self.next)).or_default();
            open.show(place, series, value);
        }
        if let Some(last) = last {
            self.last_gauge.insert(name, last);
        }
    }

    fn drop_sample(&mut self, time: Timestamp) {
        if let Some(index) = self.index(time) {
            self.open.entry(index.max(self.next)).or_default().dropped += 1;
        }
    }

    /// A process has many series; that they all fall in one scrape is one restart.
    fn restart(&mut self, target: Target, time: Timestamp) {
        if self.restarts.insert((target.clone(), time))
            && let Some(index) = self.index(time)
        {
            let open = self.open.entry(index.max(self.next)).or_default();
            let (side, instance) = target;
            *open.of(side).restarts.entry(instance).or_default() += 1;
        }
    }

    /// Whether a series first seen at `time` began at 0 before our eyes.
    ///
    /// So it did if its target was watched before without it, as with the first error of a process,
    /// or if the whole target is new.
    fn began_at_zero(&self, side: Side, instance: &str, time: Timestamp) -> bool {
        let target = self.targets.get(&(side, instance.to_owned()));
        let (Some(oldest), Some(&target)) = (self.oldest, target) else {
            // Errors of a target without requests: nobody was watching it.
            return self.oldest.is_some_and(|oldest| self.is_late(oldest, time));
        };
        time > target || self.is_late(oldest, time)
    }

    fn is_late(&self, oldest: Timestamp, time: Timestamp) -> bool {
        !self.listed && nanoseconds(oldest, time) > STAGGER_LOOKS * self.look.as_nanos()
    }

    fn count(&mut self, counter: Counter, series: &Series, time: Timestamp, difference: f64) {
        let difference = libm::round(difference * STEPS) / STEPS;
        let Some(index) = self.index(time) else { return };
        if difference <= 0.0 {
            return;
        }
        let open = self.open.entry(index.max(self.next)).or_default();
        open.count(counter, series, difference);
        if counter == Counter::Requests {
            self.served
                .entry(series.side)
                .and_modify(|first| *first = (*first).min(time))
                .or_insert(time);
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
