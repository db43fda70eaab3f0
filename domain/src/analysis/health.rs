//! H: proves that the candidate is healthy, anew in each step.
//!
//! Two reverse tests: "its error rate is at least 3 x stable's + 0.3 pp" and "it is at least the critical
//! one" must both be disproved; when stable has left, beside its frozen rate. Not proved is not unhealthy: it may be too early to tell.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::counters::{Counts, Look};
use super::frozen::Frozen;
use super::judge::Settings;
use super::trial::{Traffic, Trial, at_least};
use super::verdict::TestId;

/// A wrong proof in one of 20 steps with a bad candidate: the rollback tests go on watching it.
const ALPHA: f64 = 0.05;

/// How much worse than stable a candidate must be for the proof to exclude it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// 3 x stable + 0.3 pp: about 900 candidate requests at 0.1 % errors.
    #[default]
    Normal,
    /// 2 x stable + 0.1 pp: about 8,000.
    Strict,
}

#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) trials: [Trial; 2],
    proved: [bool; 2],
    /// Counts of the whole step, after the proof too.
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
}

impl Health {
    pub(super) fn new(settings: &Settings) -> Self {
        let (multiple, plus) = match settings.proof {
            Proof::Normal => (3.0, 0.003),
            Proof::Strict => (2.0, 0.001),
        };
        let trial = |id, claim| Trial::new(id, claim, 1.0 / ALPHA, settings.cluster_size, None);
        Self {
            trials: [
                trial(TestId::HealthBesideStable, at_least(multiple, plus)),
                trial(TestId::HealthBelowCritical, at_least(0.0, settings.critical)),
            ],
            proved: [false; 2],
            candidate: Counts::default(),
            stable: Counts::default(),
        }
    }

    /// The proof in a step that stable has no part in.
    pub(super) fn without_stable(settings: &Settings, frozen: &Frozen) -> Self {
        let new = Self::new(settings);
        Self {
            trials: new.trials.map(|trial| trial.without_stable(frozen, 1.0, None)),
            stable: frozen.counts,
            ..new
        }
    }

    /// Takes in a look of this step. What is proved stays as it was when it was proved.
    pub(super) fn add(&mut self, start: Timestamp, look: &Look) {
        self.candidate += look.candidate;
        self.stable += look.stable;
        for (trial, proved) in self.trials.iter_mut().zip(&mut self.proved) {
            if !*proved {
                trial.add(start, look);
                *proved = trial.rejected();
            }
        }
    }

    pub(super) fn proved(&self) -> bool {
        self.proved == [true; 2]
    }

    /// How long until all is proved if the candidate is as good as stable; nothing if that takes more
    /// than a week, or never, as with a stable above the critical rate.
    pub(super) fn forecast(&self, traffic: &Traffic) -> Option<SignedDuration> {
        let mut longest = 0;
        for place in 0..self.trials.len() {
            longest = longest.max(self.looks_of(place, traffic)?);
        }
        Some(traffic.time(longest))
    }

    pub(super) fn forecast_of(&self, place: usize, traffic: &Traffic) -> Option<SignedDuration> {
        self.looks_of(place, traffic).map(|looks| traffic.time(looks))
    }

    fn looks_of(&self, place: usize, traffic: &Traffic) -> Option<u64> {
        if self.proved[place] {
            return Some(0);
        }
        self.trials[place].looks_until(traffic.failing(traffic.good_rate()), traffic)
    }
}
