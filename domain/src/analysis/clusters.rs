//! What stable's past tells before a rollout: how its errors cluster, and how often it is sampled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use serde::{Deserialize, Serialize};

use super::look::{Counts, Measured};
use super::samples::{Histogram, Samples, Series, Side};
use super::tally::Tally;
use super::yardstick::Yardstick;

/// A source that clusters more than this is not measured but broken; evidence must still be possible.
const LARGEST: f64 = 20.0;

/// Mean number of events that come together on stable, 1 (independent) to 20.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSizes {
    /// Of errors.
    pub errors: f64,
    /// Of slow requests.
    pub slow: f64,
    /// Of what the team's own checks count: that of the check whose failures cluster most.
    pub checks: f64,
}

impl Default for ClusterSizes {
    fn default() -> Self {
        Self {
            errors: 1.0,
            slow: 1.0,
            checks: 1.0,
        }
    }
}

impl ClusterSizes {
    /// What stable did since `from`.
    ///
    /// Stable's instances, sorted and dealt alternately into two halves, should share the errors of a look
    /// as they share its requests; how far they do not is what clusters do. With one instance, or none
    /// named, each look is compared with the one before.
    #[must_use]
    pub fn measured(past: &Samples, from: Timestamp, look: SignedDuration) -> Self {
        let instances: BTreeSet<&str> = stable(&past.requests)
            .map(|series| series.instance.as_str())
            .collect();
        let halves: BTreeMap<&str, usize> = instances
            .into_iter()
            .enumerate()
            .map(|(place, name)| (name, place % 2))
            .collect();
        let end = newest(past).unwrap_or(from);
        let half = |number: usize| {
            let of = |instance: &str| halves.get(instance).copied().unwrap_or(0) == number;
            let mut tally = Tally::new(from, look);
            tally.add(&part(past, of));
            let looks = tally.close(end).into_iter();
            looks.map(|look| look.stable).collect::<Vec<Measured>>()
        };
        let first = half(0);
        let second = (halves.len() > 1).then(|| half(1));
        let mut yardstick = Yardstick::default();
        for measured in first.iter().chain(second.iter().flatten()) {
            yardstick.add(measured, &Measured::default());
        }
        let halves = (first.as_slice(), second.as_deref());
        let slow = yardstick.slow(1.0).map_or(1.0, |slow| {
            size(halves, |measured| {
                measured.latency.slower(slow.stable).unwrap_or_default()
            })
        });
        let checks = (0..past.checks.len()).map(|place| {
            size(halves, |measured| {
                measured.checks.get(place).copied().unwrap_or_default()
            })
        });
        Self {
            errors: size(halves, Measured::counts),
            slow,
            checks: checks.fold(1.0, f64::max),
        }
    }
}

/// By the halves' looks, or by one half's looks beside those before them.
fn size((first, second): (&[Measured], Option<&[Measured]>), count: impl Fn(&Measured) -> Counts) -> f64 {
    let dispersion = match second {
        Some(second) => dispersion(first.iter().map(&count).zip(second.iter().map(&count))),
        None => dispersion(first.windows(2).map(|pair| (count(&pair[0]), count(&pair[1])))),
    };
    dispersion
        .map_or(1.0, |phi| f64::midpoint(phi, 1.0))
        .clamp(1.0, LARGEST)
}

/// Stable's counters of the instances in question.
fn part(past: &Samples, of: impl Fn(&str) -> bool) -> Samples {
    let series = |all: &[Series]| -> Vec<Series> {
        stable(all)
            .filter(|series| of(&series.instance))
            .cloned()
            .collect()
    };
    let histograms = past.latency.iter().filter(|histogram| {
        let Histogram { side, instance, .. } = histogram;
        *side == Side::Stable && of(instance)
    });
    Samples {
        requests: series(&past.requests),
        errors: series(&past.errors),
        latency: histograms.cloned().collect(),
        checks: past
            .checks
            .iter()
            .map(|check| super::samples::CheckSamples {
                good: series(&check.good),
                total: series(&check.total),
            })
            .collect(),
        gauges: Vec::new(),
    }
}

/// `sum (x1-x2)^2 / sum (x1+x2)` for halves with equally many requests; 1 if errors are independent.
///
/// Unequal halves are compared with their share of the requests, or three instances would look like
/// clusters. Nothing without an error.
fn dispersion(pairs: impl Iterator<Item = (Counts, Counts)>) -> Option<f64> {
    let (mut squares, mut errors) = (0.0, 0.0);
    for (one, other) in pairs {
        let requests = one.requests + other.requests;
        let both = one.errors + other.errors;
        if one.requests <= 0.0 || other.requests <= 0.0 || both <= 0.0 {
            continue;
        }
        let share = one.requests / requests;
        let off = one.errors - both * share;
        squares += off * off / (share * (1.0 - share));
        errors += both;
    }
    (errors > 0.0).then(|| squares / errors)
}

/// How often the source has a new sample: the median distance within its request series, in whole
/// seconds if it is at least one. Nothing if no series has two samples.
pub fn sample_interval(samples: &Samples) -> Option<SignedDuration> {
    let mut distances: Vec<i128> = samples
        .requests
        .iter()
        .flat_map(|series| series.points.windows(2))
        .map(|pair| pair[1].0.as_nanosecond() - pair[0].0.as_nanosecond())
        .filter(|distance| *distance > 0)
        .collect();
    distances.sort_unstable();
    let median = *distances.get(distances.len().saturating_sub(1) / 2)?;
    let second = SignedDuration::from_secs(1).as_nanos();
    let whole = if median >= second {
        (median + second / 2) / second * second
    } else {
        median
    };
    Some(SignedDuration::from_nanos(i64::try_from(whole).ok()?))
}

/// The shortest look that is not shorter than `wanted` and a whole multiple of `interval`: else looks
/// without a sample would alternate with looks of two.
pub fn whole_looks(wanted: SignedDuration, interval: SignedDuration) -> SignedDuration {
    let (wanted, interval) = (wanted.as_nanos(), interval.as_nanos());
    if interval <= 0 {
        return SignedDuration::from_nanos(i64::try_from(wanted).unwrap_or(i64::MAX));
    }
    let times = ((wanted + interval - 1) / interval).max(1);
    SignedDuration::from_nanos(i64::try_from(times * interval).unwrap_or(i64::MAX))
}

fn stable(all: &[Series]) -> impl Iterator<Item = &Series> {
    all.iter().filter(|series| series.side == Side::Stable)
}

fn newest(samples: &Samples) -> Option<Timestamp> {
    stable(&samples.requests)
        .filter_map(|series| series.points.last())
        .map(|point| point.0)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: SignedDuration = SignedDuration::from_secs(15);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// Counters of `instances` whose errors in look `i` are `errors(i, instance)`, 1,000 requests each.
    fn past(instances: usize, looks: i64, mut errors: impl FnMut(i64, usize) -> f64) -> Samples {
        let mut samples = Samples::default();
        for instance in 0..instances {
            let name = format!("web-{instance}");
            let (mut requests, mut failed, mut total) = (vec![], vec![], 0.0);
            for look in 0..=looks {
                if look > 0 {
                    total += errors(look, instance);
                }
                requests.push((at(look * 15), 1000.0 * look as f64));
                failed.push((at(look * 15), total));
            }
            let series = |points| Series {
                key: name.clone(),
                instance: name.clone(),
                points,
                ..Series::default()
            };
            samples.requests.push(series(requests));
            samples.errors.push(series(failed));
        }
        samples
    }

    fn errors(past: &Samples) -> f64 {
        ClusterSizes::measured(past, at(0), LOOK).errors
    }

    #[test]
    fn equal_halves_are_measured_as_the_contract_says() {
        // (6-2)^2 / (6+2) = 2 in every look, so m = 1.5.
        let past = past(2, 40, |_, instance| if instance == 0 { 6.0 } else { 2.0 });
        assert!((errors(&past) - 1.5).abs() < 1e-12);
    }

    #[test]
    fn an_odd_number_of_instances_is_no_cluster() {
        let past = past(3, 40, |_, _| 20.0);
        assert!((errors(&past) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn independent_errors_measure_about_1_and_clusters_of_5_about_3() {
        // phi of clusters of fixed size 5 is 5, and m = (5+1)/2.
        let mut random = fastrand::Rng::with_seed(3);
        let independent = past(4, 1440, |_, _| {
            f64::from((0..20).map(|_| u8::from(random.u8(..4) == 0)).sum::<u8>())
        });
        let single = errors(&independent);
        assert!((1.0..1.15).contains(&single), "{single}");

        let mut random = fastrand::Rng::with_seed(4);
        let clusters = past(4, 1440, |_, _| {
            5.0 * f64::from((0..200).map(|_| u8::from(random.u8(..100) == 0)).sum::<u8>())
        });
        let five = errors(&clusters);
        assert!((2.7..3.3).contains(&five), "{five}");
    }

    #[test]
    fn one_instance_is_compared_with_its_own_past() {
        let past = past(1, 41, |look, _| if look % 2 == 0 { 6.0 } else { 2.0 });
        assert!((errors(&past) - 1.5).abs() < 1e-12);
    }

    #[test]
    fn no_past_and_no_errors_measure_1_and_chaos_20() {
        assert!((errors(&Samples::default()) - 1.0).abs() < 1e-12);
        assert!((errors(&past(2, 40, |_, _| 0.0)) - 1.0).abs() < 1e-12);
        let chaos = past(2, 40, |_, instance| if instance == 0 { 900.0 } else { 0.0 });
        assert!((errors(&chaos) - 20.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_the_median_distance_and_looks_are_whole_multiples_of_it() {
        let seconds = SignedDuration::from_secs;
        assert_eq!(sample_interval(&past(2, 40, |_, _| 0.0)), Some(seconds(15)));
        assert_eq!(sample_interval(&Samples::default()), None);
        assert_eq!(whole_looks(seconds(15), seconds(30)), seconds(30));
        assert_eq!(whole_looks(seconds(15), seconds(10)), seconds(20));
        assert_eq!(whole_looks(seconds(15), seconds(5)), seconds(15));
        assert_eq!(whole_looks(seconds(15), SignedDuration::ZERO), seconds(15));
    }
}
