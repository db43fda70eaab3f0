//! Rollouts of which everything is measured: durations, endpoints, the share of the traffic, a check of the team's own.

use super::*;
use crate::analysis::distribution::Distribution;
use crate::analysis::judge::{Check, Level, SlowLimits, Throughput};
use crate::analysis::look::Measured;
use crate::analysis::verdict::TestId;
use crate::weight::Weight;

/// Upper bounds in seconds, and the share of a healthy service's requests between each and the one before: p95 at 150 ms.
const BUCKETS: [(f64, f64); 7] = [
    (0.05, 0.30),
    (0.1, 0.42),
    (0.125, 0.14),
    (0.15, 0.09),
    (0.18, 0.03),
    (0.225, 0.012),
    (1.0, 0.008),
];

/// How a version behaves: its error rate, and how much of the traffic above 100 ms has moved up two buckets.
#[derive(Clone, Copy)]
struct Version {
    errors: f64,
    slower: f64,
    /// The part of its requests that arrives.
    arrives: f64,
}

const HEALTHY: Version = Version {
    errors: 0.001,
    slower: 0.0,
    arrives: 1.0,
};

fn settings(look_s: u64) -> Settings {
    Settings {
        look: SignedDuration::from_secs(look_s as i64),
        slow: Some(SlowLimits {
            critical: Some(0.225),
            ..SlowLimits::default()
        }),
        by_group: true,
        throughput: Some(Throughput {
            below_stable: 0.1,
            level: Level::Rollback,
        }),
        checks: vec![Check {
            name: "login".to_owned(),
            at_least: Some(0.98),
            level: Level::Rollback,
        }],
        ..Settings::default()
    }
}

fn drawn(requests: f64, version: Version, random: &mut fastrand::Rng) -> Measured {
    let requests = poisson(random, requests * version.arrives);
    let errors = poisson(random, requests * version.errors).min(requests);
    let mut counts: Vec<f64> = BUCKETS
        .iter()
        .map(|(_, share)| poisson(random, requests * share))
        .collect();
    for place in (2..BUCKETS.len() - 2).rev() {
        let moved = (counts[place] * version.slower).round();
        counts[place] -= moved;
        counts[place + 2] += moved;
    }
    let mut total = 0.0;
    let at_most: Vec<(f64, f64)> = BUCKETS
        .iter()
        .zip(counts)
        .map(|((bound, _), count)| {
            total += count;
            (*bound, total)
        })
        .collect();
    let group = |share: f64, random: &mut fastrand::Rng| Counts {
        requests: requests * share,
        errors: poisson(random, requests * share * version.errors),
    };
    Measured {
        requests,
        errors,
        complete: true,
        groups: [0.6, 0.3, 0.09, 0.01]
            .iter()
            .map(|share| (format!("/{share}"), group(*share, random)))
            .collect(),
        latency: Distribution::new(total, at_most),
        checks: vec![Counts {
            requests: requests / 10.0,
            errors: poisson(random, requests / 1000.0),
        }],
        ..Measured::default()
    }
}

/// Feeds looks of a candidate with 1 %, `per_second` requests of its own; the look of the rollback, and what found it.
fn played(
    look_s: u64,
    looks: u64,
    per_second: f64,
    version: Version,
    seed: u64,
) -> (Judge, Option<(u64, TestId)>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let weight = Weight::new(1).expect("a share");
    let mut judge = Judge::new(settings(look_s), origin()).with_shares(&[(origin(), weight)]);
    let requests = per_second * look_s as f64;
    for index in 0..looks {
        let warm = index * look_s >= 300;
        judge.look(&Look {
            index,
            end: origin() + SignedDuration::from_secs(((index + 1) * look_s) as i64),
            stable: drawn(99.0 * requests, HEALTHY, &mut random),
            candidate: drawn(requests, if warm { version } else { HEALTHY }, &mut random),
            dropped: 0,
        });
        if judge.is_rollback() {
            let verdict = judge.verdict(origin(), &crate::analysis::Feed::Fresh);
            let found = verdict.found.expect("a finding").test;
            return (judge, Some((index, found)));
        }
    }
    (judge, None)
}

/// Measured with ten times as many: 0 of 1,200.
#[test]
fn a_healthy_candidate_of_which_everything_is_measured_is_not_rolled_back_and_proved() {
    for (per_second, rollouts) in [(10.0, 40), (1.0, 40), (0.1, 40)] {
        for seed in 0..rollouts {
            let (judge, found) = played(240, 48 * 15, per_second, HEALTHY, seed);
            assert_eq!(found, None, "{per_second}/s, seed {seed}");
            assert!(judge.is_proved(), "{per_second}/s, seed {seed}");
        }
    }
}

#[test]
fn each_fault_is_found_by_its_own_test_within_minutes() {
    for (version, test, within) in [
        (
            Version {
                slower: 0.5,
                ..HEALTHY
            },
            TestId::Latency,
            240,
        ),
        (
            Version {
                errors: 0.02,
                ..HEALTHY
            },
            TestId::ErrorRate,
            150,
        ),
        (
            Version {
                arrives: 0.5,
                ..HEALTHY
            },
            TestId::Throughput,
            90,
        ),
    ] {
        let mut times: Vec<u64> = (0..40)
            .map(|seed| {
                let (_, found) = played(15, 400, 10.0, version, seed);
                let (look, found) = found.expect("found");
                // All errors, or those of an endpoint: whichever has its proof first.
                assert_eq!(
                    if found == TestId::Endpoint {
                        TestId::ErrorRate
                    } else {
                        found
                    },
                    test
                );
                (look + 1) * 15 - 300
            })
            .collect();
        times.sort_unstable();
        assert!(times[38] <= within, "{test:?}: {times:?}");
    }
}
