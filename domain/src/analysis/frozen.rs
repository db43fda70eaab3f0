//! Stable's error rate as it was when stable left, to judge a candidate by that has all of the traffic.
//!
//! In: what was counted of stable until then. Out: how high, and how low, its true rate may have been. A rate
//! that was measured on few requests is uncertain, and the uncertainty is the candidate's to keep: it is
//! rolled back by the highest rate and proved healthy by the lowest. So a thin baseline needs no case of its
//! own. With none at all stable may have failed always, or never.

use super::kernel::gain;
use super::look::Counts;

/// The share of a test's starting evidence that is left when it begins anew with a frozen baseline. The rest
/// pays for the chance that the baseline is not within its bounds.
pub(super) const STAKE: f64 = 0.8;

/// What that chance may be, as a share of the test's own chance of an error, `1/bar`. A fifth of the evidence
/// is given up and at least a quarter of it is not bet yet, if the step begins in the first half of the
/// planned time; so it is paid for.
const MISMEASURED: f64 = 0.05;

/// Places that are tried for the best bound. Each is a bound; 50 in a factor of ten miss the best by nothing
/// that can be seen.
const PLACES_PER_DECADE: i32 = 50;

/// Stable's counts when it left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frozen {
    pub(super) counts: Counts,
    cluster_size: f64,
}

impl Frozen {
    pub(super) fn new(counts: Counts, cluster_size: f64) -> Self {
        Self {
            counts,
            cluster_size: cluster_size.max(1.0),
        }
    }

    /// The highest rate that stable may have had, for a test with this bar; 1 without requests.
    pub(super) fn at_most(&self, bar: f64) -> f64 {
        let Counts { requests, errors } = self.counts;
        let doubt = libm::log(bar / MISMEASURED);
        // While the rate is p, the mean of exp(errors * s(-w) + w * p * requests / m) is at most 1 for any w.
        places(-8, 0)
            .map(|w| (doubt - gain(errors, -w, self.cluster_size)) * self.cluster_size / (w * requests))
            .fold(1.0, f64::min)
    }

    /// The lowest rate that stable may have had, for a test with this bar; 0 without requests.
    pub(super) fn at_least(&self, bar: f64) -> f64 {
        let Counts { requests, errors } = self.counts;
        if requests <= 0.0 {
            return 0.0;
        }
        let doubt = libm::log(bar / MISMEASURED);
        places(-8, 6)
            .map(|w| (gain(errors, w, self.cluster_size) - doubt) * self.cluster_size / (w * requests))
            .fold(0.0, f64::max)
            .min(1.0)
    }
}

/// Powers of ten from `10^from` to `10^to`, and between them.
fn places(from: i32, to: i32) -> impl Iterator<Item = f64> {
    (from * PLACES_PER_DECADE..=to * PLACES_PER_DECADE)
        .map(|place| libm::pow(10.0, f64::from(place) / f64::from(PLACES_PER_DECADE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the bars of E and of the proof of health, in percent.
    fn bounds(requests: f64, errors: f64, cluster_size: f64) -> String {
        let frozen = Frozen::new(Counts { requests, errors }, cluster_size);
        let percent = |rate: f64| format!("{:.4}", rate * 100.0);
        format!(
            "{} {}",
            percent(frozen.at_least(20.0)),
            percent(frozen.at_most(5000.0))
        )
    }

    /// The first three are Chernoff's bounds of a Poisson number, `x ln(x / p) + p - x`, to the digits given.
    #[test]
    fn the_fewer_requests_the_wider_the_bounds() {
        assert_eq!(bounds(1e7, 1e4, 1.0), "0.0966 0.1049");
        assert_eq!(bounds(1e6, 1000.0, 1.0), "0.0894 0.1160");
        assert_eq!(bounds(1e4, 10.0, 1.0), "0.0263 0.3366");
        assert_eq!(bounds(100.0, 1.0, 1.0), "0.0009 15.2887");
    }

    #[test]
    fn no_errors_are_no_rate_of_zero_and_no_requests_say_nothing() {
        // ln(100,000) / 10,000
        assert_eq!(bounds(1e4, 0.0, 1.0), "0.0000 0.1151");
        assert_eq!(bounds(0.0, 0.0, 1.0), "0.0000 100.0000");
    }

    #[test]
    fn errors_in_clusters_widen_the_bounds() {
        assert_eq!(bounds(1e6, 1000.0, 5.0), "0.0699 0.1507");
        assert_eq!(bounds(1e4, 0.0, 5.0), "0.0000 0.5756");
    }

    #[test]
    fn absurd_counts_stay_rates() {
        for (requests, errors) in [(1.0, 1e12), (1e-9, 0.0), (1e300, 1e300), (0.0, 5.0)] {
            let frozen = Frozen::new(Counts { requests, errors }, 1.0);
            for rate in [frozen.at_most(5000.0), frozen.at_least(20.0)] {
                assert!((0.0..=1.0).contains(&rate), "{errors} of {requests}: {rate}");
            }
        }
    }

    /// At exactly 0.1 % of 10,000 requests: the chance that a bound misses it is what was allowed, or less.
    #[test]
    fn the_bounds_miss_as_seldom_as_they_say() {
        let (mut below, mut above, mut chance) = (0.0, 0.0, libm::exp(-10.0));
        for errors in 0..80 {
            let frozen = Frozen::new(
                Counts {
                    requests: 10_000.0,
                    errors: f64::from(errors),
                },
                1.0,
            );
            below += chance * f64::from(frozen.at_most(5000.0) < 0.001);
            above += chance * f64::from(frozen.at_least(20.0) > 0.001);
            chance *= 10.0 / f64::from(errors + 1);
        }
        assert!(below <= MISMEASURED / 5000.0, "{below}");
        assert!(above > 0.0 && above <= MISMEASURED / 20.0, "{above}");
    }
}
