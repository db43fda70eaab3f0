//! What a team may choose about the judgement.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::counters::Counts;
use super::super::health::Proof;
use super::super::kernel;
use super::super::trial::Spread;

/// How many rollback tests share the error budget of a rollout.
///
/// Three of the five are here (E, the critical rate, the catastrophe test); the share of those to come lies idle. So their
/// coming changes no verdict, and a burst that straddles two looks forgives as much from the first day:
/// at a bar of 2,000 two looks with 5 % errors would decide, at 5,000 it takes 50 %.
const ROLLBACK_TESTS: f64 = 5.0;

/// How a rollout is judged. Fixed for its whole life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What earlier runs counted of stable while it had traffic, if the source cannot be asked about it: the
    /// baseline of the step in which the candidate has all.
    pub frozen: Option<Counts>,
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
            frozen: None,
        }
    }
}

impl Settings {
    /// The e-value at which a rollback test rejects.
    pub fn bar(&self) -> f64 {
        (ROLLBACK_TESTS / self.alpha).min(f64::MAX)
    }

    /// Bets on harm begin again and again for so long.
    pub(in crate::analysis) fn spread(&self, time: SignedDuration) -> Spread {
        Spread {
            looks: self.looks_in(time),
            cap: kernel::cap(self.look, self.forgive),
        }
    }

    fn looks_in(&self, time: SignedDuration) -> u64 {
        let look = self.look.as_nanos().max(1);
        u64::try_from((time.as_nanos() + look - 1) / look)
            .unwrap_or(0)
            .max(1)
    }
}
