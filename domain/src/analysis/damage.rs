//! Whether a rise hurts both versions: the candidate may overload what they share, or write what stable cannot read.
//!
//! Tests that compare the two are blind to that. So after each rise stable is compared with what it was before, too:
//! three times its errors + 0.3 pp, or its requests slower than 1.5 T as often as they were slower than T. If both
//! versions are above that for five minutes, and it began within half an hour after the rise, nobody knows whose fault it
//! is, and the share goes to 0 as a precaution. A person decides how to go on.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::frozen::Frozen;
use super::judge::Settings;
use super::look::Counts;
use super::measure::{Measure, Seen};
use super::trial::{Spread, Trial, at_most};
use super::verdict::TestId;
use super::yardstick::{Slow, Yardstick};

/// A breach that begins later has another cause.
const AFTER_RISE: SignedDuration = SignedDuration::from_mins(30);

/// A shorter one is over before anybody has read of it.
const LASTING: SignedDuration = SignedDuration::from_mins(5);

/// It lasts while stable is above the limit in the last stretch of this length.
const RECENT: SignedDuration = SignedDuration::from_mins(1);

/// What a service's rate wanders by itself must not wake anybody: as far as the proof of health allows a candidate.
const MULTIPLE: f64 = 3.0;
const PLUS: f64 = 0.003;
const SLOWER: f64 = 1.5;

/// One false precaution for two measures in a thousand rises.
const BAR: f64 = 2000.0;

/// Of the candidate it need not be as sure as of stable.
const CANDIDATE_BAR: f64 = 20.0;

/// A breach ends when stable's evidence has fallen by this factor below the bar.
const OVER: f64 = 0.01;

/// What both versions have suffered since a rise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Breach {
    pub(super) since: Timestamp,
    pub(super) rise: Timestamp,
    /// Errors, or slow requests longer than so many seconds.
    pub(super) slower_than: Option<f64>,
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
    /// What stable was before.
    pub(super) before: Counts,
}

/// Watches stable after one rise.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    rise: Timestamp,
    watches: Vec<Watch>,
    pub(super) found: Option<Breach>,
}

#[derive(Clone, Debug)]
struct Watch {
    measure: Measure,
    slower_than: Option<f64>,
    before: Counts,
    stable: Trial,
    candidate: Trial,
    since: Option<Timestamp>,
    /// Stable's counts of the last minute.
    recent: VecDeque<(Timestamp, Counts)>,
}

impl Damage {
    /// After a rise at `rise`, beside what stable did before it.
    pub(super) fn new(settings: &Settings, rise: Timestamp, errors: Counts, yardstick: &Yardstick) -> Self {
        let watch = |measure, slower_than, before: Counts, multiple, plus, cluster_size| {
            let frozen = Frozen::new(before, cluster_size);
            let claim = at_most(0.0, f64::min(multiple * frozen.at_most(BAR) + plus, 1.0));
            let spread = Some(Spread {
                looks: settings.looks_in(AFTER_RISE),
                ..settings.spread(AFTER_RISE)
            });
            let trial = |bar| Trial::new(TestId::Damage, claim, bar, cluster_size, spread);
            Watch {
                measure,
                slower_than,
                before,
                stable: trial(BAR),
                candidate: trial(CANDIDATE_BAR),
                since: None,
                recent: VecDeque::new(),
            }
        };
        let mut watches = vec![watch(
            Measure::Errors,
            None,
            errors,
            MULTIPLE,
            PLUS,
            settings.cluster_size,
        )];
        if settings.slow.is_some()
            && let Some(Slow { stable, candidate }) = yardstick.slow(SLOWER)
        {
            watches.push(watch(
                Measure::SlowerThan(candidate),
                Some(candidate),
                yardstick.stable(stable),
                1.0,
                0.0,
                settings.slow_cluster_size,
            ));
        }
        Self {
            rise,
            watches,
            found: None,
        }
    }

    /// Whether stable is as it was.
    pub(super) fn is_calm(&self) -> bool {
        self.found.is_none() && self.watches.iter().all(|watch| watch.since.is_none())
    }

    pub(super) fn rise(&self) -> Timestamp {
        self.rise
    }

    /// Takes in a look.
    pub(super) fn add(&mut self, seen: &Seen<'_>) {
        let end = seen.look.end;
        if self.found.is_some() || end.duration_since(self.rise) > AFTER_RISE + LASTING + LASTING {
            return;
        }
        for watch in &mut self.watches {
            watch.add(seen);
            let Some(since) = watch.since else { continue };
            if since.duration_since(self.rise) <= AFTER_RISE && end.duration_since(since) >= LASTING {
                self.found = Some(Breach {
                    since,
                    rise: self.rise,
                    slower_than: watch.slower_than,
                    candidate: watch.candidate.strongest().candidate,
                    stable: watch.stable.strongest().candidate,
                    before: watch.before,
                });
                return;
            }
        }
    }
}

impl Watch {
    /// Whether stable was within its limit in the last minute.
    fn is_over(&mut self, end: Timestamp, stable: Counts) -> bool {
        self.recent.push_back((end, stable));
        while self.recent.len() > 1
            && self
                .recent
                .front()
                .is_some_and(|(at, _)| end.duration_since(*at) >= RECENT)
        {
            self.recent.pop_front();
        }
        let mut sum = Counts::default();
        for (_, counts) in &self.recent {
            sum += *counts;
        }
        sum.rate().is_some_and(|rate| rate <= self.stable.claim.plus)
    }

    fn add(&mut self, seen: &Seen<'_>) {
        let [candidate, stable] = self.measure.counts(seen);
        self.stable.add(seen.start, stable, Counts::default());
        self.candidate.add(seen.start, candidate, Counts::default());
        if self.stable.e() < OVER * self.stable.bar {
            self.since = None;
        }
        if self.is_over(seen.look.end, stable) {
            // Evidence outlives a burst, the longer the less traffic there is.
            self.stable.forget();
            self.candidate.forget();
            self.since = None;
        }
        if self.stable.rejected() && self.candidate.rejected() {
            let since = self.stable.strongest().since.unwrap_or(seen.start);
            self.since.get_or_insert(since);
            self.stable.keep_at_bar();
            self.candidate.keep_at_bar();
        }
    }
}
