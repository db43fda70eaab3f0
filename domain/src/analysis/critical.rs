//! A1: rolls back when "the candidate's error rate is at most the critical one" is disproved, and stable's is
//! not above it too.
//!
//! Absolute, and not judged while the candidate warms up. What hits both versions disproves the claim as well,
//! so a rollback needs stable to be proved below the critical rate in the very looks that show the candidate
//! above it. Until then it is a hold. When stable has left, the claim stands alone, unless stable is proved to
//! have been above the critical rate itself.

use jiff::Timestamp;

use super::counters::{Counts, Look};
use super::frozen::Frozen;
use super::judge::Settings;
use super::kernel::Evidence;
use super::trial::{Traffic, Trial, at_least, at_most};
use super::verdict::{Forecast, TestId};

/// Stable is proved to be below the critical rate as a healthy candidate is: wrong in one case of 20.
const STABLE_BAR: f64 = 20.0;

/// A hold ends when the evidence has fallen by this factor below the bar: a look without errors in the middle of
/// an incident is not its end.
const OVER: f64 = 0.01;

#[derive(Clone, Debug)]
pub(super) struct Critical {
    pub(super) trial: Trial,
    rate: f64,
    cluster_size: f64,
    /// Since when the candidate is above the critical rate and stable not proved to be below it.
    pub(super) shared_since: Option<Timestamp>,
}

impl Critical {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            trial: Trial::new(
                TestId::Critical,
                at_most(0.0, settings.critical),
                settings.bar(),
                settings.cluster_size,
                Some(settings.spread(settings.planned)),
            ),
            rate: settings.critical,
            cluster_size: settings.cluster_size,
            shared_since: None,
        }
    }

    /// The same without a stable that could share the blame. What was gathered before may come from an incident of
    /// both, so it is given up; the new evidence begins with what is left of the old, at most with 1.
    pub(super) fn without_stable(settings: &Settings, frozen: &Frozen, before: &Self) -> Self {
        let spread = Some(settings.spread(settings.planned));
        let new = Self::new(settings);
        Self {
            trial: new
                .trial
                .without_stable(frozen, before.trial.e().min(1.0), spread),
            ..new
        }
    }

    /// Takes in a look that began at `start`.
    pub(super) fn add(&mut self, start: Timestamp, look: &Look) {
        self.trial.add(start, look);
        if self.trial.e() < OVER * self.trial.bar {
            self.shared_since = None;
        }
    }

    /// Whether a stable that has left was above the critical rate itself: to go back to it would not help.
    pub(super) fn was_failed_by(&self, frozen: &Frozen) -> bool {
        frozen.at_least(STABLE_BAR) > self.rate
    }

    /// Whether these counts prove stable to be below the critical rate.
    pub(super) fn clears(&self, stable: Counts) -> bool {
        let mut evidence = Evidence::once(at_least(0.0, self.rate), self.cluster_size);
        evidence.add(stable, Counts::default());
        evidence.value() >= STABLE_BAR
    }

    /// Holds instead: what was found since `since` may be stable's trouble too. The evidence stays at the bar, so
    /// that it outlives the incident by a few looks only.
    pub(super) fn hold(&mut self, since: Timestamp) {
        self.shared_since.get_or_insert(since);
        self.trial.keep_at_bar();
    }

    /// How soon twice the critical rate would be found if it began now.
    pub(super) fn forecast(&self, traffic: &Traffic) -> Option<Forecast> {
        let error_rate = (2.0 * self.rate).min(1.0);
        let looks = self.trial.looks_until(traffic.failing(error_rate), traffic)?;
        Some(Forecast {
            error_rate,
            seconds: traffic.time(looks).as_secs(),
        })
    }
}
