//! What stable's past tells before a rollout: how its errors cluster, and how often it is sampled.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::counters::{Counts, Samples, Series, Side, Tally};

/// A source that clusters more than this is not measured but broken; evidence must still be possible.
const LARGEST: f64 = 20.0;

/// Mean number of errors that come together on stable since `from`, 1 (independent) to 20.
///
/// Stable's instances, sorted and dealt alternately into two halves, should share the errors of a look
/// as they share its requests; how far they do not is what clusters do. With one instance, or none
/// named, each look is compared with the one before.
pub fn cluster_size(past: &Samples, from: Timestamp, look: SignedDuration) -> f64 {
    let instances: BTreeSet<&str> = stable(&past.requests)
        .map(|series| series.instance.as_str())
        .collect();
    let halves: BTreeMap<&str, usize> = instances
        .into_iter()
        .enumerate()
        .map(|(place, name)| (name, place % 2))
        .collect();
    let half = |number: usize| {
        let of = |all: &[Series]| {
            stable(all)
                .filter(|series| halves.get(series.instance.as_str()).copied().unwrap_or(0) == number)
                .cloned()
                .collect()
        };
        let samples = Samples {
            requests: of(&past.requests),
            errors: of(&past.errors),
        };
        let mut tally = Tally::new(from, look);
        tally.add(&samples);
        tally
            .close(newest(past).unwrap_or(from))
            .into_iter()
            .map(|look| look.stable)
            .collect::<Vec<_>>()
    };
    let first = half(0);
    let dispersion = if halves.len() > 1 {
        dispersion(first.into_iter().zip(half(1)))
    } else {
        dispersion(first.windows(2).map(|pair| (pair[0], pair[1])))
    };
    dispersion
        .map_or(1.0, |phi| f64::midpoint(phi, 1.0))
        .clamp(1.0, LARGEST)
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
                side: Side::Stable,
                points,
            };
            samples.requests.push(series(requests));
            samples.errors.push(series(failed));
        }
        samples
    }

    #[test]
    fn equal_halves_are_measured_as_the_contract_says() {
        // (6-2)^2 / (6+2) = 2 in every look, so m = 1.5.
        let past = past(2, 40, |_, instance| if instance == 0 { 6.0 } else { 2.0 });
        assert!((cluster_size(&past, at(0), LOOK) - 1.5).abs() < 1e-12);
    }

    #[test]
    fn an_odd_number_of_instances_is_no_cluster() {
        let past = past(3, 40, |_, _| 20.0);
        assert!((cluster_size(&past, at(0), LOOK) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn independent_errors_measure_about_1_and_clusters_of_5_about_3() {
        // phi of clusters of fixed size 5 is 5, and m = (5+1)/2.
        let mut random = fastrand::Rng::with_seed(3);
        let independent = past(4, 1440, |_, _| {
            f64::from((0..20).map(|_| u8::from(random.u8(..4) == 0)).sum::<u8>())
        });
        let single = cluster_size(&independent, at(0), LOOK);
        assert!((1.0..1.15).contains(&single), "{single}");

        let mut random = fastrand::Rng::with_seed(4);
        let clusters = past(4, 1440, |_, _| {
            5.0 * f64::from((0..200).map(|_| u8::from(random.u8(..100) == 0)).sum::<u8>())
        });
        let five = cluster_size(&clusters, at(0), LOOK);
        assert!((2.7..3.3).contains(&five), "{five}");
    }

    #[test]
    fn one_instance_is_compared_with_its_own_past() {
        let past = past(1, 41, |look, _| if look % 2 == 0 { 6.0 } else { 2.0 });
        assert!((cluster_size(&past, at(0), LOOK) - 1.5).abs() < 1e-12);
    }

    #[test]
    fn no_past_and_no_errors_measure_1_and_chaos_20() {
        assert!((cluster_size(&Samples::default(), at(0), LOOK) - 1.0).abs() < 1e-12);
        assert!((cluster_size(&past(2, 40, |_, _| 0.0), at(0), LOOK) - 1.0).abs() < 1e-12);
        let chaos = past(2, 40, |_, instance| if instance == 0 { 900.0 } else { 0.0 });
        assert!((cluster_size(&chaos, at(0), LOOK) - 20.0).abs() < 1e-12);
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
