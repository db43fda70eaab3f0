//! The candidate has all of the traffic: stable's frozen rate and the limits judge it.

use super::*;

/// 1,000 requests a second at 0.1 % errors, at a candidate that has all of them.
const ALL: (f64, f64) = (15_000.0, 15.0);
const GONE: (f64, f64) = (0.0, 0.0);
/// The step before: 75 %.
const MOST: (f64, f64) = (11_250.0, 11.0);
const REST: (f64, f64) = (3750.0, 4.0);

fn all_of(duration: SignedDuration) -> Step {
    Step {
        weight: Weight::FULL,
        duration,
    }
}

impl Rollout {
    fn give_all(&mut self) -> &mut Self {
        let step = all_of(SignedDuration::from_hours(66));
        self.judge.begin_step(self.now(), Some(step));
        self
    }

    fn test(&self, id: TestId) -> super::super::verdict::Report {
        let mut tests = self.verdict().tests.into_iter();
        tests.find(|test| test.id == id).expect("a report")
    }
}

/// Two hours at 75 %, then everything.
fn at_100() -> Rollout {
    let mut rollout = Rollout::warm();
    rollout.play(480, MOST, REST).give_all();
    rollout
}

#[test]
fn a_candidate_with_all_of_the_traffic_is_proved_healthy_beside_what_stable_was() {
    let mut rollout = at_100();
    rollout.play(1, ALL, GONE);

    let verdict = rollout.verdict();
    assert_eq!(
        (verdict.outcome, verdict.baseline),
        (Outcome::Healthy, Baseline::Frozen)
    );
    assert_eq!(
        verdict.sentence,
        "HEALTHY - errors. Candidate 0.10 % (15 of 15,000), stable 0.11 % when it left (baseline: frozen); limit 0.60 % \
         (3 x stable + 0.3 pp; stable at least 0.10 %); critical 1 %. Proved with 15,000 requests of the candidate: at \
         either limit, evidence this strong would appear in at most 1 of a billion steps; the bar is 20. A 1 % error \
         rate would be found in about 60 s at this traffic."
    );
    assert!(
        serde_json::to_string(&verdict)
            .expect("JSON")
            .contains(r#""baseline":"frozen""#)
    );
}

#[test]
fn a_fault_that_begins_with_all_of_the_traffic_is_found_in_45_s() {
    let mut rollout = at_100();
    rollout.play(20, (15_000.0, 150.0), GONE);

    let verdict = rollout.verdict();
    assert_eq!(verdict.found.as_ref().expect("a finding").test, TestId::ErrorRate);
    assert_eq!(
        verdict.sentence,
        "ROLLBACK - errors. Candidate 1.00 % (450 of 45,000), stable 0.11 % when it left (baseline: frozen); limit 0.23 % \
         (1.5 x stable + 0.05 pp; stable at most 0.12 %). If the candidate were within the limit, evidence this strong \
         would appear in at most 1 of 87,000 rollouts; the bar is 5,000. Found 45 s after all of the traffic was the \
         candidate's."
    );
}

#[test]
fn a_fault_after_a_day_with_all_of_the_traffic_is_found_in_75_s() {
    let mut rollout = at_100();
    rollout.play(5760, ALL, GONE).play(20, (15_000.0, 150.0), GONE);

    let verdict = rollout.verdict();
    assert!(
        verdict.sentence.contains("Candidate 1.00 % (750 of 75,000)")
            && verdict.sentence.ends_with(
                "Found 1 day after all of the traffic was the candidate's, 1 min 15 s after the errors began."
            ),
        "{}",
        verdict.sentence
    );
}

#[test]
fn one_terrible_look_with_all_of_the_traffic_does_not_decide() {
    let mut rollout = at_100();
    rollout
        .play(1, (15_000.0, 15_000.0), GONE)
        .play(500, ALL, GONE)
        .play(1, (15_000.0, 15_000.0), GONE)
        .play(500, ALL, GONE);

    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_lack_of_stable_traffic_below_100_percent_is_no_frozen_baseline() {
    let mut rollout = Rollout::warm();
    rollout.play(480, MOST, REST);
    let before = rollout.test(TestId::ErrorRate);
    rollout.play(100, (15_000.0, 75.0), GONE);

    assert_eq!(rollout.test(TestId::ErrorRate).e.to_bits(), before.e.to_bits());
    assert_eq!(rollout.verdict().baseline, Baseline::Live);
}

#[test]
fn what_trickles_to_a_stable_that_has_left_changes_nothing() {
    let (mut silent, mut probed) = (at_100(), at_100());
    silent.play(40, ALL, GONE);
    probed.play(40, ALL, (3.0, 3.0));

    assert_eq!(silent.verdict(), probed.verdict());
}

#[test]
fn a_thin_baseline_is_taken_at_the_edge_of_what_it_allows() {
    let mut rollout = Rollout::warm();
    rollout
        .play(40, (750.0, 1.0), (250.0, 0.25))
        .give_all()
        .play(4, (1000.0, 1.0), GONE);
    let report = rollout.test(TestId::ErrorRate);

    assert_eq!(report.stable, counts((10_000.0, 10.0)));
    // 10 of 10,000 come from 0.3366 % in one of 100,000 cases at most.
    let limit = report.limit.expect("a limit");
    assert!((limit - (1.5 * 0.003_366 + 0.0005)).abs() < 1e-6, "{limit}");
    assert!(
        rollout
            .verdict()
            .sentence
            .contains("stable 0.10 % when it left (baseline: frozen); limit 0.38 % (3 x stable + 0.3 pp; stable at least"),
        "{}",
        rollout.verdict().sentence
    );
}

#[test]
fn a_baseline_without_errors_is_no_rate_of_zero() {
    let mut rollout = Rollout::warm();
    rollout
        .play(40, (750.0, 0.0), (250.0, 0.0))
        .give_all()
        .play(40, (1000.0, 1.0), GONE);

    let limit = rollout.test(TestId::ErrorRate).limit.expect("a limit");
    assert!((limit - (1.5 * 11.5129e-4 + 0.0005)).abs() < 1e-6, "{limit}");
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
    rollout.play(20, (1000.0, 20.0), GONE);
    assert_eq!(rollout.outcome().0, Outcome::Rollback);
}

#[test]
fn without_a_baseline_the_limits_judge_alone() {
    let run = || {
        let mut rollout = Rollout::warm();
        rollout.give_all();
        rollout
    };
    let mut good = run();
    good.play(40, ALL, GONE);
    let verdict = good.verdict();
    assert_eq!(
        (verdict.outcome, verdict.baseline),
        (Outcome::Healthy, Baseline::Missing)
    );
    assert!(
        verdict.sentence.starts_with(
            "HEALTHY - errors. Candidate 0.10 % (600 of 600,000), nothing counted of stable before it left (baseline: \
             missing); limit 0.30 % (3 x stable + 0.3 pp; stable at least 0.00 %); critical 1 %."
        ) && verdict
            .sentence
            .ends_with("A 2 % error rate would be found in about 75 s at this traffic."),
        "{}",
        verdict.sentence
    );

    let mut bad = run();
    bad.play(40, (15_000.0, 300.0), GONE);
    let verdict = bad.verdict();
    assert_eq!(verdict.found.as_ref().expect("a finding").test, TestId::Critical);
    assert!(
        verdict
            .sentence
            .contains("(baseline: missing); limit 1.00 % (critical)."),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_stable_that_was_above_the_critical_rate_itself_is_nothing_to_go_back_to() {
    let mut rollout = Rollout::warm();
    rollout
        .play(100, (112.0, 2.0), (15_000.0, 300.0))
        .give_all()
        .play(100, (15_000.0, 300.0), GONE);

    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Shared)));
    assert!(
        rollout.verdict().sentence.contains(
            "stable 2.00 % when it left (baseline: frozen): both are above the critical 1 %, so this does not tell"
        ),
        "{}",
        rollout.verdict().sentence
    );
}

#[test]
fn a_candidate_that_was_nearly_found_beside_stable_begins_anew_with_all_of_the_traffic() {
    let mut rollout = Rollout::warm();
    rollout.play(1, (15_000.0, 10_000.0), REST);
    let before = rollout.test(TestId::ErrorRate).e;
    assert!(before > 10.0, "{before}");
    rollout.give_all().play(1, (15_000.0, 15.0), GONE);

    assert!(rollout.test(TestId::ErrorRate).e < 1.0);
}

#[test]
fn a_driver_that_restarts_in_the_middle_says_the_same_to_the_byte() {
    for errors in [15.0, 45.0] {
        let mut along = at_100();
        let (since, step) = (along.now(), Some(all_of(SignedDuration::from_hours(66))));
        for part in 0..6 {
            along.play(40, (15_000.0, if part < 4 { 15.0 } else { errors }), (1.0, 0.0));
            let mut anew = Judge::new(without_warm_up(), origin());
            anew.begin_step(since, step);
            along.looks.iter().for_each(|look| anew.look(look));
            let mut told_late = Judge::new(without_warm_up(), origin());
            along.looks.iter().for_each(|look| told_late.look(look));
            told_late.begin_step(since, step);
            let json = |judge: &Judge| {
                serde_json::to_string(&judge.verdict(along.now(), &Feed::Fresh)).expect("a verdict is JSON")
            };
            assert_eq!(json(&along.judge), json(&anew));
            assert_eq!(json(&along.judge), json(&told_late));
        }
        let outcome = if errors > 20.0 {
            Outcome::Rollback
        } else {
            Outcome::Healthy
        };
        assert_eq!(along.outcome().0, outcome);
    }
}

#[test]
fn a_run_that_cannot_ask_for_the_past_is_told_the_baseline() {
    let mut before = at_100();
    before.play(10, ALL, GONE);
    let baseline = before.judge.baseline();
    assert_eq!(baseline, counts((480.0 * REST.0, 480.0 * REST.1)));

    let mut after = Rollout::new(Settings {
        frozen: Some(baseline),
        warm_since: Some(origin() - SignedDuration::from_hours(6)),
        ..Settings::default()
    });
    after.give_all().play(10, ALL, GONE);
    assert_eq!(after.judge.baseline(), baseline);
    assert_eq!(after.verdict().baseline, Baseline::Frozen);
    assert_eq!(
        after.test(TestId::ErrorRate).limit,
        before.test(TestId::ErrorRate).limit
    );
    assert_eq!(after.outcome().0, Outcome::Healthy);
}

#[test]
fn runs_before_the_last_step_add_up_to_one_baseline() {
    let mut rollout = Rollout::new(Settings {
        frozen: Some(counts((1e6, 1000.0))),
        ..Settings::default()
    });
    rollout.play(40, MOST, REST);

    assert_eq!(rollout.judge.baseline(), counts((1e6 + 40.0 * REST.0, 1160.0)));
}

#[test]
fn a_candidate_with_all_of_the_traffic_that_has_none_is_not_healthy() {
    let mut rollout = at_100();
    rollout.play(40, ALL, GONE).play(20, GONE, GONE);

    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert!(rollout.verdict().sentence.contains("Both versions are idle"));
}

#[test]
fn little_traffic_gives_forecasts_with_all_of_it_too() {
    let mut rollout = Rollout::warm();
    rollout
        .play(2000, (10.0, 0.0), (10.0, 0.01))
        .give_all()
        .play(24, (20.0, 0.0), GONE);

    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Watch);
    assert!(
        verdict.sentence.ends_with(
            "would be found in about 69 min at this traffic; this step is proved in about 14 min."
        ),
        "{}",
        verdict.sentence
    );
}
