//! A native histogram becomes a distribution at fixed bounds, by which samples can be told apart and added up. Pure.
//!
//! Buckets that hold nothing are left out of an answer, and their width may double while a process runs. The bounds of
//! four buckets in a factor of two are bounds of every finer resolution as well; at a coarser one those that fall into
//! a bucket are not known, and not guessed.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms>

use rollgate_domain::analysis::Distribution;
use serde::Deserialize;

use super::answer::Number;

/// One sample, as it came.
#[derive(Debug, Deserialize)]
pub(super) struct Native {
    count: Number,
    #[serde(default)]
    buckets: Vec<Bucket>,
}

/// Which of its bounds belong to it, its lower and upper bound, and how many are in it.
#[derive(Debug, Deserialize)]
struct Bucket(
    #[expect(dead_code, reason = "its place in the answer")] u8,
    Number,
    Number,
    Number,
);

/// So many bounds in a factor of two: 19 % from one to the next.
const IN_TWO: i32 = 4;

/// From about a millisecond to about a minute: what requests take.
const EXPONENTS: std::ops::RangeInclusive<i32> = -10 * IN_TWO..=6 * IN_TWO;

/// Bounds are printed with fewer digits than they have.
const DIGITS: f64 = 1e-6;

impl Native {
    /// How many took at most how long, in seconds.
    pub(super) fn distribution(&self) -> Distribution {
        let bounds = EXPONENTS.map(|place| (f64::from(place) / f64::from(IN_TWO)).exp2());
        let known = bounds.filter_map(|bound| Some((bound, self.at_most(bound)?)));
        Distribution::new(self.count.0, known.collect::<Vec<_>>())
    }

    /// How many are at most `bound`; nothing if a bucket has some on both sides of it.
    fn at_most(&self, bound: f64) -> Option<f64> {
        let mut count = 0.0;
        for Bucket(_, low, high, held) in &self.buckets {
            if high.0 <= bound * (1.0 + DIGITS) {
                count += held.0;
            } else if low.0 < bound * (1.0 - DIGITS) && held.0 > 0.0 {
                return None;
            }
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(json: &str) -> Distribution {
        serde_json::from_str::<Native>(json).unwrap().distribution()
    }

    #[test]
    fn bounds_of_this_and_of_a_finer_resolution_are_known() {
        // Resolution 3: 2^(-24/8) to 2^(-23/8), and 2^(-20/8) to 2^(-19/8).
        let found = distribution(
            r#"{"count":"10","sum":"1.7","buckets":[[0,"0.125","0.13631346658","4"],[0,"0.17677669529","0.19277635","6"]]}"#,
        );
        let at = |place: i32| found.at_most((f64::from(place) / 8.0).exp2());
        assert_eq!(
            (at(-24), at(-22), at(-20), at(-18)),
            (Some(0.0), Some(4.0), Some(4.0), Some(10.0))
        );
        assert_eq!(found.total(), 10.0);
    }

    #[test]
    fn what_falls_into_a_wide_bucket_is_not_known() {
        // Resolution 0: a factor of two.
        let found = distribution(r#"{"count":"10","sum":"1","buckets":[[0,"0.125","0.25","10"]]}"#);
        assert_eq!(found.at_most(0.125), Some(0.0));
        assert_eq!(found.at_most((-20.0_f64 / 8.0).exp2()), None);
        assert_eq!(found.at_most(0.25), Some(10.0));
    }

    #[test]
    fn without_buckets_all_are_unknown_but_their_number() {
        assert_eq!(distribution(r#"{"count":"0","sum":"0"}"#).total(), 0.0);
    }
}
