//! How long requests took, as far as the bounds of a histogram tell. Counts only, no quantile is judged.

use serde::{Deserialize, Serialize};

use super::look::Counts;

/// How many requests took at most how long.
///
/// Known at its bounds alone: between two of them lies what nobody knows, and what lies beyond the first and the last is
/// known only where these hold none, or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// All requests.
    total: f64,
    /// Rising bounds in seconds, and how many requests took at most that.
    at_most: Vec<(f64, f64)>,
}

impl Distribution {
    /// `at_most` in any order; infinite bounds say no more than `total` and are left out, as is what is no number.
    #[must_use]
    pub fn new(total: f64, at_most: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut at_most: Vec<(f64, f64)> = at_most
            .into_iter()
            .filter(|(bound, count)| bound.is_finite() && count.is_finite() && *count >= 0.0)
            .collect();
        at_most.sort_by(|one, other| one.0.total_cmp(&other.0));
        at_most.dedup_by(|later, first| later.0 == first.0);
        Self::rising(total, at_most)
    }

    /// Of sorted bounds: counts that fall, or exceed the total, are put right.
    fn rising(total: f64, mut at_most: Vec<(f64, f64)>) -> Self {
        let mut before: f64 = 0.0;
        for (_, count) in &mut at_most {
            before = before.max(count.min(total));
            *count = before;
        }
        Self { total, at_most }
    }

    /// All requests.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The bounds at which it is known, in seconds, rising.
    pub fn bounds(&self) -> impl Iterator<Item = f64> + '_ {
        self.at_most.iter().map(|(bound, _)| *bound)
    }

    /// Whether it tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total <= 0.0 && self.at_most.is_empty()
    }

    /// Whether this is one of its bounds.
    #[must_use]
    pub fn has(&self, bound: f64) -> bool {
        self.at_most
            .binary_search_by(|(known, _)| known.total_cmp(&bound))
            .is_ok()
    }

    /// How many took at most so many seconds; nothing where it is not known.
    #[must_use]
    pub fn at_most(&self, bound: f64) -> Option<f64> {
        let place = self.at_most.partition_point(|(known, _)| *known < bound);
        if let Some((known, count)) = self.at_most.get(place)
            && *known == bound
        {
            return Some(*count);
        }
        let (first, last) = (self.at_most.first()?, self.at_most.last()?);
        if bound < first.0 && first.1 <= 0.0 {
            Some(0.0)
        } else if bound > last.0 && last.1 >= self.total {
            Some(self.total)
        } else {
            None
        }
    }

    /// All requests, and as errors those that took longer than `bound` seconds; nothing where that is not known.
    #[must_use]
    pub fn slower(&self, bound: f64) -> Option<Counts> {
        Some(Counts {
            requests: self.total,
            errors: (self.total - self.at_most(bound)?).max(0.0),
        })
    }

    /// What was added since `before`; all of it if the process began anew in between.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        if self.total < before.total {
            return self.clone();
        }
        self.joined(before, |now, before| (now - before).max(0.0))
    }

    /// Adds what another process counted. What is not known of both is not known of their sum.
    pub fn add(&mut self, other: &Self) {
        if self.is_empty() {
            self.clone_from(other);
        } else if !other.is_empty() {
            *self = self.joined(other, |one, other| one + other);
        }
    }

    fn joined(&self, other: &Self, join: impl Fn(f64, f64) -> f64) -> Self {
        // Nearly always both have the same bounds, in the same order.
        let same = self.at_most.len() == other.at_most.len() && self.bounds().eq(other.bounds());
        if same {
            let both = self.at_most.iter().zip(&other.at_most);
            let at_most = both.map(|(one, other)| (one.0, join(one.1, other.1)));
            return Self::rising(join(self.total, other.total), at_most.collect());
        }
        let bounds = self.bounds().chain(other.bounds());
        let known = bounds.filter_map(|bound| {
            let both = (self.at_most(bound)?, other.at_most(bound)?);
            Some((bound, join(both.0, both.1)))
        });
        Self::new(join(self.total, other.total), known.collect::<Vec<_>>())
    }

    /// Where the share `part` of the requests took at most so many seconds: between two bounds, as if their logarithms
    /// were spread evenly. Good enough to choose a bound by, not to judge.
    #[must_use]
    pub fn near(&self, part: f64) -> Option<f64> {
        let wanted = part * self.total;
        let place = self.at_most.partition_point(|(_, count)| *count < wanted);
        let Some(&(high, above)) = self.at_most.get(place) else {
            return self.at_most.last().map(|(bound, _)| *bound);
        };
        let (low, below) = match place.checked_sub(1).and_then(|place| self.at_most.get(place)) {
            Some(&(low, below)) if low > 0.0 => (low, below),
            _ => (high / 2.0, 0.0),
        };
        if above <= below || high <= 0.0 {
            return Some(high);
        }
        let part = ((wanted - below) / (above - below)).clamp(0.0, 1.0);
        Some(low * libm::pow(high / low, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(total: f64, at_most: &[(f64, f64)]) -> Distribution {
        Distribution::new(total, at_most.to_vec())
    }

    #[test]
    fn it_is_known_at_its_bounds_and_where_there_are_none_or_all() {
        let known = of(10.0, &[(0.1, 0.0), (0.2, 4.0), (0.5, 10.0)]);
        assert_eq!(known.at_most(0.2), Some(4.0));
        assert_eq!(known.at_most(0.3), None);
        assert_eq!((known.at_most(0.05), known.at_most(9.0)), (Some(0.0), Some(10.0)));
        let open = of(10.0, &[(0.1, 1.0), (0.2, 4.0)]);
        assert_eq!((open.at_most(0.05), open.at_most(9.0)), (None, None));
        assert_eq!(Distribution::default().at_most(1.0), None);
    }

    #[test]
    fn a_sum_is_known_where_both_are() {
        let mut sum = of(10.0, &[(0.1, 0.0), (0.2, 4.0), (0.5, 8.0)]);
        sum.add(&of(2.0, &[(0.2, 1.0), (0.4, 2.0)]));
        // At 0.1 it is not known of the second; beyond 0.4 the second has all.
        assert_eq!(sum, of(12.0, &[(0.2, 5.0), (0.5, 10.0)]));
    }

    #[test]
    fn a_difference_is_what_came_since_and_a_restart_counts_anew() {
        let before = of(10.0, &[(0.1, 4.0), (0.2, 9.0)]);
        let now = of(15.0, &[(0.1, 4.0), (0.2, 12.0)]);
        assert_eq!(now.since(&before), of(5.0, &[(0.1, 0.0), (0.2, 3.0)]));
        assert_eq!(of(3.0, &[(0.1, 1.0)]).since(&before), of(3.0, &[(0.1, 1.0)]));
    }

    #[test]
    fn a_part_lies_between_two_bounds() {
        let known = of(100.0, &[(0.1, 90.0), (0.4, 100.0)]);
        assert!((known.near(0.95).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(of(100.0, &[(0.1, 10.0)]).near(0.95), Some(0.1));
        assert_eq!(Distribution::default().near(0.95), None);
    }

    #[test]
    fn what_falls_or_is_no_number_is_put_right() {
        let odd = of(
            10.0,
            &[
                (f64::INFINITY, 10.0),
                (0.2, 3.0),
                (0.1, 5.0),
                (0.3, f64::NAN),
                (0.4, 99.0),
            ],
        );
        assert_eq!(odd, of(10.0, &[(0.1, 5.0), (0.2, 5.0), (0.4, 10.0)]));
    }
}
