//! Kayenta: each hour a Mann-Whitney U test of the last 60 minutes, a value for each minute.
//!
//! - The judge is that of <https://spinnaker.io/docs/guides/user/canary/judge/>: a metric is `High` when the 98 %
//!   confidence interval of its shift lies above 0.25 x the Hodges-Lehmann estimate and the ratio of the means is
//!   at least `allowedIncrease` (1; skipped when a mean is 0). Only `direction: increase` counts. NaN is removed.
//! - Lookback 60 min, each 60 min, marginal 75, pass 95, and a baseline that has as much traffic as the canary:
//!   <https://spinnaker.io/docs/guides/user/canary/best-practices/>.
//! - Two metrics, the error rate and p95 of each minute, each in a group of its own: one `High` leaves a score of
//!   50, which is below marginal and fails the canary. Half of the metrics without data fail it, too.
//! - The interval is that of the normal approximation, with ties within each side: `R`'s for 50 values or more.

use super::{Limits, Rival, Windows};

/// 98 %, both sides.
const Z: f64 = 2.326_347_874_040_841;
const TOLERANCE: f64 = 0.25;
const MINUTES: u64 = 60;

pub(super) struct Kayenta {
    limits: Limits,
}

impl Kayenta {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl Rival for Kayenta {
    fn rolls_back(&mut self, windows: &Windows) -> bool {
        let is_bad = |found: Option<Found>, limit: f64| match found {
            Some(Found::NoData) => limit.is_finite(),
            Some(Found::Shift { high, ratio }) => {
                limit.is_finite() && high && ratio.is_none_or(|ratio| ratio >= limit)
            }
            None => false,
        };
        is_bad(windows.errors, self.limits.errors) || is_bad(windows.latency, self.limits.latency)
    }
}

/// What a judgement says of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    NoData,
    Shift {
        /// The interval lies above the tolerance.
        high: bool,
        /// Of the means; nothing if one of them is 0.
        ratio: Option<f64>,
    },
}

/// Whether a judgement is due after so many looks.
pub(super) fn is_due(looks: u64, looks_a_minute: u64) -> bool {
    looks.is_multiple_of(MINUTES * looks_a_minute)
}

/// The metric's values of the last hour, without those that are not numbers.
pub(super) fn last_hour(minutes: &[Option<f64>]) -> Vec<f64> {
    let from = minutes.len().saturating_sub(MINUTES as usize);
    minutes[from..].iter().copied().flatten().collect()
}

/// How the canary's values are shifted against the baseline's.
pub(super) fn compare(canary: &[f64], baseline: &[f64]) -> Found {
    if canary.is_empty() || baseline.is_empty() {
        return Found::NoData;
    }
    let mut shifts: Vec<f64> = canary
        .iter()
        .flat_map(|one| baseline.iter().map(move |other| one - other))
        .collect();
    let pairs = shifts.len() as f64;
    let all = (canary.len() + baseline.len()) as f64;
    let ties = ties(canary) + ties(baseline);
    let spread = (pairs / 12.0 * (all + 1.0 - ties / (all * (all - 1.0))))
        .max(0.0)
        .sqrt();
    let lowest = (pairs / 2.0 - Z * spread - 0.5).round().max(0.0) as usize;
    let middle = shifts.len() / 2;
    let (below, estimate, _) = shifts.select_nth_unstable_by(middle, f64::total_cmp);
    let estimate = *estimate;
    let lower = if lowest >= middle {
        estimate
    } else {
        *below.select_nth_unstable_by(lowest, f64::total_cmp).1
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let ratio = mean(canary) / mean(baseline);
    Found::Shift {
        high: lower > TOLERANCE * estimate.abs(),
        ratio: (ratio.is_finite() && ratio > 0.0).then_some(ratio),
    }
}

/// `sum (t^3 - t)` over values that occur `t` times.
fn ties(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
        .chunk_by(|one, other| one.to_bits() == other.to_bits())
        .map(|same| (same.len() as f64).powi(3) - same.len() as f64)
        .sum()
}
