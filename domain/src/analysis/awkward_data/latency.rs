//! How long requests take, beside stable and beside a limit.

use super::*;
use crate::analysis::distribution::Distribution;
use crate::analysis::judge::SlowLimits;

/// Stable's p95 is 150 ms; bounds every 10 %.
fn of(requests: f64, slower: f64) -> Distribution {
    let bounds = (0..40).map(|place| 0.02 * libm::pow(1.1, f64::from(place)));
    let counts = bounds.map(|bound| (bound, requests * (1.0 - libm::exp(-3.0 * bound / 0.15 / slower))));
    Distribution::new(requests, counts.collect::<Vec<_>>())
}

fn judged(slow: SlowLimits) -> Rollout {
    let mut rollout = Rollout::new(Settings {
        slow: Some(slow),
        ..without_warm_up()
    });
    // What slow means is known from earlier looks.
    slow_by(&mut rollout, 10, 1.0, 1.0);
    rollout
}

fn slow_by(rollout: &mut Rollout, looks: usize, stable: f64, candidate: f64) {
    rollout.play_more(looks, |beside, here| {
        beside.latency = of(beside.requests, stable);
        here.latency = of(here.requests, candidate);
    });
}

#[test]
fn a_slow_candidate_is_rolled_back_with_its_numbers() {
    let mut rollout = judged(SlowLimits::default());
    slow_by(&mut rollout, 30, 1.0, 1.5);

    let verdict = rollout.verdict();
    let found = verdict.found.expect("a finding");
    assert_eq!(found.test, TestId::Latency, "{}", verdict.sentence);
    assert_eq!(
        verdict.sentence,
        "ROLLBACK - latency. Candidate 9.18 % slower than 179.1 ms (165 of 1,800), stable 5.18 % slower than 148 ms; \
         limit 5.18 %. If the candidate were within the limit, evidence this strong would appear in at most 1 of 10,000 \
         rollouts; the bar is 5,000. Found 5 min 15 s after the candidate's first counted request, 3 min after it \
         began. Errors: within bounds."
    );
}

#[test]
fn a_little_slower_is_within_bounds_and_healthy() {
    let mut rollout = judged(SlowLimits::default());
    slow_by(&mut rollout, 400, 1.0, 1.1);
    let verdict = rollout.verdict();
    assert!(verdict.proved, "{}", verdict.sentence);
    assert!(!rollout.judge.is_rollback());
}

#[test]
fn what_slows_both_is_not_held_against_the_candidate() {
    let mut rollout = judged(SlowLimits {
        critical: Some(0.2),
        ..SlowLimits::default()
    });
    slow_by(&mut rollout, 40, 2.0, 2.0);
    let verdict = rollout.verdict();
    assert_eq!(
        (verdict.outcome, verdict.reason),
        (Outcome::Hold, Some(Reason::Shared)),
        "{}",
        verdict.sentence
    );
    assert!(
        verdict
            .sentence
            .starts_with("HOLD - shared trouble. Latency: Candidate"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_limit_that_stable_keeps_is_a_rollback() {
    let mut rollout = judged(SlowLimits {
        above_stable: 1.0,
        critical: Some(0.2),
        ..SlowLimits::default()
    });
    slow_by(&mut rollout, 100, 1.0, 1.9);
    let verdict = rollout.verdict();
    assert_eq!(
        verdict.found.expect("a finding").test,
        TestId::LatencyLimit,
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_coarse_histogram_is_judged_at_its_bounds_and_says_so() {
    let coarse = |requests: f64, slow: f64| {
        let shares = [
            (0.1, 0.80),
            (0.25, 0.96 - slow / 2.0),
            (0.5, 0.999 - slow),
            (1.0, 1.0),
        ];
        Distribution::new(requests, shares.map(|(bound, share)| (bound, share * requests)))
    };
    let mut rollout = Rollout::new(Settings {
        slow: Some(SlowLimits::default()),
        ..without_warm_up()
    });
    rollout.play_more(40, |beside, here| {
        beside.latency = coarse(beside.requests, 0.0);
        // 5 % take longer than 500 ms, where only 4 % of stable's take longer than 250 ms.
        here.latency = coarse(here.requests, 0.02);
    });
    let verdict = rollout.verdict();
    assert!(!rollout.judge.is_rollback(), "{}", verdict.sentence);
    let bounds = report(&verdict, TestId::Latency).bounds.expect("bounds");
    assert_eq!((bounds.stable, bounds.candidate, bounds.near), (0.25, 0.5, false));
    assert!(
        verdict.sentence.contains("the histogram has no nearer bounds"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_histogram_that_tells_nothing_is_waited_for_by_nobody() {
    let mut rollout = Rollout::new(Settings {
        slow: Some(SlowLimits::default()),
        ..without_warm_up()
    });
    rollout.play_more(40, |beside, here| {
        for measured in [beside, here] {
            measured.latency = Distribution::new(measured.requests, [(10.0, measured.requests)]);
        }
    });
    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Healthy);
    assert!(
        verdict.sentence.contains("Latency is not judged"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn without_a_distribution_of_the_candidate_there_is_no_proof() {
    let mut rollout = judged(SlowLimits::default());
    rollout.judge.begin_step(rollout.now(), None);
    rollout.play_more(200, |beside, _| beside.latency = of(beside.requests, 1.0));
    assert_eq!(rollout.outcome().0, Outcome::Watch);
}

#[test]
fn with_all_of_the_traffic_it_is_compared_with_what_stable_was() {
    let play = |slower: f64| {
        let mut rollout = judged(SlowLimits::default());
        slow_by(&mut rollout, 200, 1.0, 1.0);
        rollout.share(100);
        rollout.play_more(60, |beside, here| {
            *beside = Measured::default();
            *here = Measured::from(counts(STABLE));
            here.latency = of(here.requests, slower);
        });
        rollout.verdict()
    };
    let bad = play(1.5);
    assert_eq!(bad.baseline, Baseline::Frozen);
    assert_eq!(bad.found.expect("a finding").test, TestId::Latency);
    assert!(
        bad.sentence.contains("when it left (baseline: frozen)"),
        "{}",
        bad.sentence
    );
    let good = play(1.0);
    assert!(good.proved, "{}", good.sentence);
}

/// Prometheus' own bounds.
const DEFAULTS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All requests took so long, but for one of a thousand of a fast service.
fn all_took(requests: f64, seconds: f64) -> Distribution {
    let counts = DEFAULTS.map(|bound| {
        let part = if bound >= 2.0 * seconds {
            1.0
        } else if bound >= seconds {
            0.999
        } else {
            0.0
        };
        (bound, part * requests)
    });
    Distribution::new(requests, counts)
}

#[test]
fn a_fast_service_whose_candidate_takes_seconds_is_found_by_the_histogram_it_has() {
    for slow in [
        SlowLimits::default(),
        SlowLimits {
            above_stable: 1e6,
            critical: Some(0.2),
            ..SlowLimits::default()
        },
    ] {
        let mut rollout = Rollout::new(Settings {
            slow: Some(slow),
            ..without_warm_up()
        });
        let mut play = |looks, seconds| {
            rollout.play_more(looks, |beside, here| {
                beside.latency = all_took(beside.requests, 0.005);
                here.latency = all_took(here.requests, seconds);
            });
            rollout.verdict()
        };
        let well = play(40, 0.005);
        assert!(well.proved, "{}", well.sentence);
        let found = play(20, 2.5).found.expect("a finding");
        assert!(
            matches!(found.test, TestId::Latency | TestId::LatencyLimit),
            "{found:?}"
        );
    }
}

#[test]
fn a_limit_that_the_candidates_histogram_cannot_show_is_not_kept_by_it() {
    let mut rollout = judged(SlowLimits {
        critical: Some(0.5),
        ..SlowLimits::default()
    });
    rollout.judge.begin_step(rollout.now(), None);
    rollout.play_more(400, |beside, here| {
        beside.latency = of(beside.requests, 1.0);
        here.latency = Distribution::new(here.requests, [(0.1, 100.0), (0.2, 140.0), (0.4, 149.0)]);
    });
    let verdict = rollout.verdict();
    assert!(!verdict.proved, "{}", verdict.sentence);
    assert_eq!(report(&verdict, TestId::HealthLatencyLimit).used, 0);
}
