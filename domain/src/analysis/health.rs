//! H: proves that the candidate is healthy, anew in each step.
//!
//! Reverse tests: "its error rate is at least 3 x stable's + 0.3 pp", "it is at least the critical one", "as many of its
//! requests are slower than 1.5 T as of stable's are slower than T", "5 % are slower than the limit" must all be
//! disproved; when stable has left, beside what it was. Not proved is not unhealthy: it may be too early to tell.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::frozen::Frozen;
use super::judge::Settings;
use super::look::Counts;
use super::measure::{Measure, Seen};
use super::panel::SLOW_PART;
use super::trial::{Traffic, Trial, at_least};
use super::verdict::TestId;
use super::yardstick::Yardstick;

/// A wrong proof in one of 20 steps with a bad candidate: the rollback tests go on watching it.
const ALPHA: f64 = 0.05;

/// A candidate that is slower by more than this is not healthy.
const SLOWER: f64 = 1.5;

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

/// One claim that must be disproved.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) trial: Trial,
    pub(super) measure: Measure,
    proved: bool,
    /// The histogram's bounds are too few to count it: nobody waits for it.
    blind: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) doubts: Vec<Doubt>,
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
        let doubt = |id, measure, claim, cluster_size| Doubt {
            trial: Trial::new(id, claim, 1.0 / ALPHA, cluster_size, None),
            measure,
            proved: false,
            blind: false,
        };
        let mut doubts = vec![
            doubt(
                TestId::HealthBesideStable,
                Measure::Errors,
                at_least(multiple, plus),
                settings.cluster_size,
            ),
            doubt(
                TestId::HealthBelowCritical,
                Measure::Errors,
                at_least(0.0, settings.critical),
                settings.cluster_size,
            ),
        ];
        if let Some(slow) = settings.slow {
            let tolerance = SLOWER.max(1.0 + slow.above_stable);
            doubts.push(doubt(
                TestId::HealthLatency,
                Measure::Slow { tolerance },
                at_least(1.0, 0.0),
                settings.slow_cluster_size,
            ));
            if let Some(limit) = slow.critical {
                doubts.push(doubt(
                    TestId::HealthLatencyLimit,
                    Measure::SlowerThan(limit),
                    at_least(0.0, SLOW_PART),
                    settings.slow_cluster_size,
                ));
            }
        }
        Self {
            doubts,
            candidate: Counts::default(),
            stable: Counts::default(),
        }
    }

    /// The proof in a step that stable has no part in. `errors` is what was counted of it.
    pub(super) fn without_stable(settings: &Settings, errors: Counts, yardstick: &Yardstick) -> Self {
        let mut new = Self::new(settings);
        for doubt in &mut new.doubts {
            let (stable, cluster_size) = match &doubt.measure {
                Measure::Errors => (errors, settings.cluster_size),
                measure => (
                    measure
                        .bounds(yardstick)
                        .map_or_else(Counts::default, |slow| yardstick.stable(slow.stable)),
                    settings.slow_cluster_size,
                ),
            };
            let frozen = Frozen::new(stable, cluster_size);
            doubt.trial = doubt.trial.clone().without_stable(&frozen, 1.0, None);
        }
        new.stable = errors;
        new
    }

    /// Takes in a look of this step. What is proved stays as it was when it was proved.
    pub(super) fn add(&mut self, seen: &Seen<'_>) {
        self.candidate += seen.look.candidate.counts();
        self.stable += seen.look.stable.counts();
        for doubt in &mut self.doubts {
            if !doubt.proved {
                doubt.blind = doubt.measure.is_blind(seen.yardstick);
                let [candidate, stable] = doubt.measure.counts(seen);
                doubt.trial.add(seen.start, candidate, stable);
                doubt.proved = doubt.trial.rejected();
            }
        }
    }

    pub(super) fn proved(&self) -> bool {
        self.doubts.iter().all(|doubt| doubt.proved || doubt.blind)
    }

    /// How long until all is proved if the candidate is as good as stable, with the `traffic` of each measure; nothing
    /// if that takes more than a week, or never, as with a stable above the critical rate.
    pub(super) fn forecast(&self, traffic: &impl Fn(&Measure) -> Option<Traffic>) -> Option<SignedDuration> {
        let mut longest = SignedDuration::ZERO;
        for doubt in &self.doubts {
            longest = longest.max(doubt.forecast(traffic)?);
        }
        Some(longest)
    }
}

impl Doubt {
    pub(super) fn forecast(&self, traffic: &impl Fn(&Measure) -> Option<Traffic>) -> Option<SignedDuration> {
        if self.proved || self.blind {
            return Some(SignedDuration::ZERO);
        }
        let traffic = traffic(&self.measure)?;
        let looks = self.trial.looks_until(traffic.failing(traffic.good), &traffic)?;
        Some(traffic.time(looks))
    }
}
