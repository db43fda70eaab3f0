//! What "slow" means: stable's own p95, and a little more for the candidate.
//!
//! In: stable's distribution in earlier looks. Out: two bounds of the histogram, one for each version. They are chosen
//! before a look is counted, so choosing them anew for each look is no peeking. Only counts at bounds are judged:
//! a quantile that is interpolated between two of them can be off by half.

use super::distribution::Distribution;
use super::look::{Counts, Measured};

/// So many of stable's requests are needed before its p95 means something.
const ENOUGH: f64 = 100.0;

/// The part of the requests that is not slow.
const PART: f64 = 0.95;

/// A bound this near to what is wanted is as good: 10 %.
const NEAR: f64 = 1.1;

/// A bound that leaves more of stable's requests above it tells too little of the slow ones.
const MOST: f64 = 0.5;

/// Requests that take longer than this, in seconds, are slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slow {
    pub(super) stable: f64,
    pub(super) candidate: f64,
}

impl Slow {
    /// How much slower the candidate may be by these bounds: 1.2 is 20 %.
    pub(super) fn tolerance(self) -> f64 {
        self.candidate / self.stable
    }
}

/// Both distributions so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Yardstick {
    past: Distribution,
    /// Only its bounds are of interest: a release may come with others.
    candidate: Distribution,
}

impl Yardstick {
    /// Takes in what both did, after the look was judged.
    pub(super) fn add(&mut self, stable: &Measured, candidate: &Measured) {
        self.past.add(&stable.latency);
        self.candidate.add(&candidate.latency);
    }

    /// Whether the candidate's requests are counted at this bound: a bound that it has not, it may seem to keep.
    fn is_counted(&self, bound: f64) -> bool {
        self.candidate.is_empty() || self.candidate.has(bound)
    }

    /// Stable's p95 so far, in seconds, as far as the bounds tell.
    pub(super) fn p95(&self) -> Option<f64> {
        (self.past.total() >= ENOUGH)
            .then(|| self.past.near(PART))
            .flatten()
    }

    /// The bounds nearest to stable's p95 and to `tolerance` times it, and never nearer to each other than wanted.
    pub(super) fn slow(&self, tolerance: f64) -> Option<Slow> {
        let wanted = self.p95()?;
        let bounds: Vec<f64> = self.past.bounds().filter(|bound| *bound > 0.0).collect();
        let off = |here: f64, wanted: f64| libm::fabs(libm::log(here / wanted));
        let mut best: Option<(f64, Slow)> = None;
        for stable in &bounds {
            let away = off(*stable, wanted);
            if best.is_some_and(|(lowest, _)| away >= lowest) {
                continue;
            }
            let part = self.past.slower(*stable).and_then(|counts| counts.rate());
            if !part.is_some_and(|part| part <= MOST) {
                continue;
            }
            let aim = stable * tolerance;
            let next = bounds.partition_point(|bound| *bound < aim);
            let near = next
                .checked_sub(1)
                .map(|place| bounds[place])
                .filter(|bound| *bound > *stable && aim / bound <= NEAR);
            let Some(candidate) = bounds
                .get(next)
                .copied()
                .into_iter()
                .chain(near)
                .filter(|bound| self.is_counted(*bound))
                .min_by(|one, other| off(*one, aim).total_cmp(&off(*other, aim)))
            else {
                continue;
            };
            let score = away + off(candidate, aim);
            if best.is_none_or(|(lowest, _)| score < lowest) {
                let stable = *stable;
                best = Some((score, Slow { stable, candidate }));
            }
        }
        best.map(|(_, slow)| slow)
    }

    /// The first bound that is not below `limit` seconds, and that both versions have. Where nothing is known of stable
    /// the candidate's bounds do.
    pub(super) fn limit(&self, limit: f64) -> Option<f64> {
        let known = if self.past.is_empty() {
            &self.candidate
        } else {
            &self.past
        };
        // What people type and what a histogram prints may differ in the last digit.
        known
            .bounds()
            .find(|bound| *bound >= limit * (1.0 - 1e-9) && self.is_counted(*bound))
    }

    /// Stable's counts so far by this bound.
    pub(super) fn stable(&self, bound: f64) -> Counts {
        self.past.slower(bound).unwrap_or_default()
    }
}

/// Whether the bounds are what was asked for, or the nearest that there are.
pub(super) fn is_near(found: f64, wanted: f64) -> bool {
    let ratio = found / wanted;
    (1.0 / NEAR..=NEAR).contains(&ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10,000 requests whose share up to each bound is given.
    fn yardstick(shares: &[(f64, f64)]) -> Yardstick {
        let counts = shares.iter().map(|(bound, share)| (*bound, share * 1e4));
        let mut yardstick = Yardstick::default();
        let stable = Measured {
            latency: Distribution::new(1e4, counts.collect::<Vec<_>>()),
            ..Measured::default()
        };
        yardstick.add(&stable, &Measured::default());
        yardstick
    }

    #[test]
    fn fine_bounds_give_what_is_wanted() {
        let fine: Vec<(f64, f64)> = (0..60)
            .map(|place| {
                let bound = 0.05 * libm::pow(1.05, f64::from(place));
                (bound, 1.0 - libm::exp(-bound / 0.05))
            })
            .collect();
        let slow = yardstick(&fine).slow(1.2).unwrap();
        assert!(is_near(slow.stable, 0.1498), "{slow:?}");
        assert!((1.15..1.25).contains(&slow.tolerance()), "{slow:?}");
    }

    #[test]
    fn coarse_bounds_are_never_nearer_to_each_other_than_wanted() {
        // Prometheus' own defaults, a true p95 of 150 ms.
        let coarse = yardstick(&[(0.05, 0.3), (0.1, 0.8), (0.25, 0.99), (0.5, 1.0), (1.0, 1.0)]);
        let slow = coarse.slow(1.2).unwrap();
        assert_eq!((slow.stable, slow.candidate), (0.25, 0.5));
        assert!(!is_near(slow.candidate, 1.2 * slow.stable));
        assert_eq!(coarse.limit(0.2), Some(0.25));
        assert_eq!(coarse.limit(0.25), Some(0.25));
        assert_eq!(coarse.limit(2.0), None);
    }

    #[test]
    fn a_fast_service_is_judged_at_its_first_bounds() {
        let fast = yardstick(&[(0.005, 0.999), (0.01, 1.0), (0.025, 1.0), (0.25, 1.0)]);
        let slow = fast.slow(1.2).unwrap();
        assert_eq!((slow.stable, slow.candidate), (0.005, 0.01));
        assert_eq!(fast.limit(0.2), Some(0.25));
    }

    #[test]
    fn a_bound_that_the_candidate_has_not_is_none() {
        let mut both = yardstick(&[(0.1, 0.9), (0.25, 0.99), (0.5, 1.0), (1.0, 1.0)]);
        let candidate = Measured {
            latency: Distribution::new(10.0, [(0.1, 9.0), (0.2, 9.0), (0.4, 10.0)]),
            ..Measured::default()
        };
        both.add(&Measured::default(), &candidate);
        assert_eq!(both.limit(0.5), None);
        assert_eq!(both.slow(1.2), None);
    }

    #[test]
    fn a_histogram_that_ends_below_p95_and_too_few_requests_tell_nothing() {
        assert_eq!(yardstick(&[(0.05, 0.3)]).slow(1.2), None);
        assert_eq!(Yardstick::default().slow(1.2), None);
    }
}
