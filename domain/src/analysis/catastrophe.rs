//! Rolls back a candidate that fails more than 10 % of its requests while it warms up.
//!
//! In that time nothing else judges it: cold caches are no regression, a dead candidate is. The test is
//! absolute, so it holds while stable fails it too.

use super::judge::Settings;
use super::kernel::Evidence;
use super::look::{Counts, Look};
use super::trial::{Trial, at_most};
use super::verdict::TestId;
use jiff::Timestamp;

/// No warm-up fails that much.
const LIMIT: f64 = 0.10;

/// Stable need not be as surely broken as the candidate to make us wait: with the candidate's bar, it
/// could by chance cross one look later, and the candidate would be blamed for a shared incident.
const STABLE_BAR: f64 = 20.0;

#[derive(Clone, Debug)]
pub(super) struct Catastrophe {
    pub(super) trial: Trial,
    stable: Evidence,
    /// The candidate's counts since stable has been failing too.
    both: Option<(Timestamp, Counts)>,
}

impl Catastrophe {
    pub(super) fn new(settings: &Settings) -> Self {
        let trial = Trial::new(
            TestId::Catastrophe,
            at_most(0.0, LIMIT),
            settings.bar(),
            settings.cluster_size,
            Some(settings.spread(settings.grace)),
        );
        Self {
            stable: trial.evidence.clone(),
            trial,
            both: None,
        }
    }

    /// Takes in a look of the warm-up that began at `start`.
    pub(super) fn add(&mut self, start: Timestamp, look: &Look) {
        let candidate = look.candidate.counts();
        self.trial.add(start, candidate, look.stable.counts());
        self.stable.add(look.stable.counts(), Counts::default());
        if self.stable.value() < STABLE_BAR {
            self.both = None;
            return;
        }
        // Evidence from an incident that stable shares would outlive it: a small candidate forgets more
        // slowly than a large stable, and would be blamed when stable has recovered.
        self.trial.forget();
        self.both.get_or_insert((start, Counts::default())).1 += candidate;
    }

    /// Since when both fail, and the candidate's counts since then.
    pub(super) fn shared(&self) -> Option<(Timestamp, Counts)> {
        self.both
            .filter(|(_, candidate)| candidate.rate().is_some_and(|rate| rate > LIMIT))
    }
}
