//! One test on its way: its evidence, what it has counted, and its bar.

use jiff::{SignedDuration, Timestamp};

use super::counters::{Counts, Look};
use super::kernel::{Bound, Claim, Evidence};
use super::verdict::{Forecast, Report, TestId};

/// What one look holds on average: the traffic that forecasts assume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) look: SignedDuration,
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
}

/// A week: nobody plans by a forecast beyond it.
const FORECAST_LIMIT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Traffic {
    /// How many looks a forecast may reach ahead.
    pub(super) fn horizon(&self) -> u64 {
        u64::try_from(FORECAST_LIMIT.as_nanos() / self.look.as_nanos().max(1)).unwrap_or(0)
    }

    /// The time that so many looks take.
    pub(super) fn time(&self, looks: u64) -> SignedDuration {
        SignedDuration::from_secs_f64(self.look.as_secs_f64() * looks as f64)
    }

    /// The same traffic with `rate` of the candidate's requests failing.
    pub(super) fn failing(&self, rate: f64) -> Counts {
        Counts {
            requests: self.candidate.requests,
            errors: self.candidate.requests * rate,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) id: TestId,
    pub(super) claim: Claim,
    pub(super) evidence: Evidence,
    pub(super) bar: f64,
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
    pub(super) used: u64,
    pub(super) skipped: u64,
    /// Start of the first look that was counted.
    pub(super) first: Option<Timestamp>,
    cluster_size: f64,
}

impl Trial {
    pub(super) fn new(id: TestId, claim: Claim, evidence: Evidence, bar: f64, cluster_size: f64) -> Self {
        Self {
            id,
            claim,
            evidence,
            bar,
            candidate: Counts::default(),
            stable: Counts::default(),
            used: 0,
            skipped: 0,
            first: None,
            cluster_size,
        }
    }

    /// Takes in a look that began at `start`.
    pub(super) fn add(&mut self, start: Timestamp, look: &Look) {
        if !self.evidence.add(look.candidate, look.stable) {
            self.skipped += 1;
            return;
        }
        self.used += 1;
        self.candidate += look.candidate;
        self.stable += look.stable;
        self.first.get_or_insert(start);
    }

    pub(super) fn rejected(&self) -> bool {
        self.evidence.value() >= self.bar
    }

    /// The error rate that the claim allows or demands beside this stable, 0 to 1.
    pub(super) fn limit(&self, stable: Counts) -> Option<f64> {
        limit(self.claim, stable)
    }

    pub(super) fn report(&self, forecast: Option<Forecast>) -> Report {
        Report {
            id: self.id,
            candidate: self.candidate,
            stable: self.stable,
            candidate_rate: self.candidate.rate(),
            stable_rate: self.stable.rate(),
            limit: self.limit(self.stable),
            e: self.evidence.value(),
            bar: self.bar,
            m: self.cluster_size,
            used: self.used,
            skipped: self.skipped,
            forecast,
        }
    }
}

/// The rate at the edge of a claim, at most 1; nothing if it needs a stable that has no requests.
pub(super) fn limit(claim: Claim, stable: Counts) -> Option<f64> {
    if claim.multiple <= 0.0 {
        return Some(claim.plus.min(1.0));
    }
    stable
        .rate()
        .map(|rate| (claim.multiple * rate + claim.plus).min(1.0))
}

/// "Not above" and "not below" in one place.
pub(super) fn at_most(multiple: f64, plus: f64) -> Claim {
    Claim {
        multiple,
        plus,
        bound: Bound::AtMost,
    }
}

pub(super) fn at_least(multiple: f64, plus: f64) -> Claim {
    Claim {
        multiple,
        plus,
        bound: Bound::AtLeast,
    }
}
