//! Too little traffic, none, or nothing to compare it with.

use super::*;

#[test]
fn no_series_at_all_holds_and_asks_about_the_selectors() {
    let mut rollout = Rollout::warm();
    rollout.play(2, (0.0, 0.0), (0.0, 0.0));
    let feed = Feed::Silent { since: origin() };
    let verdict = rollout.judge.verdict(rollout.now(), &feed);

    assert_eq!((verdict.outcome, verdict.reason), HOLD_NONE);
    assert!(
        verdict.sentence.contains("no samples of either version"),
        "{}",
        verdict.sentence
    );
}

#[test]
fn no_traffic_to_the_candidate_holds_and_says_so() {
    let mut rollout = Rollout::warm();
    rollout.play(24, (0.0, 0.0), STABLE);

    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert_eq!(
        rollout.verdict().sentence,
        "HOLD - no traffic to judge. No traffic reached the candidate since the start, 6 min ago; stable had 356,400 \
         requests in that time. Is its weight above 0, and do its metrics carry its version?"
    );
}

#[test]
fn both_idle_holds_from_the_start_and_later() {
    let mut rollout = Rollout::warm();
    rollout.play(4, (0.0, 0.0), (0.0, 0.0));
    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert!(rollout.verdict().sentence.contains("Both versions are idle"));

    rollout.play(40, GOOD, STABLE).play(20, (0.0, 0.0), (0.0, 0.0));
    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert!(
        rollout
            .verdict()
            .sentence
            .contains("neither has had a request for 5 min.")
    );

    rollout.play(1, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_candidate_that_loses_its_traffic_is_not_healthy() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, STABLE).play(20, (0.0, 0.0), STABLE);

    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert!(
        rollout
            .verdict()
            .sentence
            .contains("The candidate has had no request for 5 min; stable had 297,000")
    );
}

#[test]
fn a_pause_that_is_natural_at_low_traffic_is_no_lost_traffic() {
    let mut rollout = Rollout::warm();
    for _ in 0..6 {
        rollout.play(1, (3.0, 0.0), STABLE).play(30, (0.0, 0.0), STABLE);
    }
    assert_eq!(rollout.outcome().0, Outcome::Watch);
}

#[test]
fn a_stable_without_traffic_leaves_nothing_to_compare() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, (0.0, 0.0));

    assert_eq!(rollout.outcome(), HOLD_NONE);
    assert_eq!(rollout.verdict().skipped, 40);
}

#[test]
fn zero_of_zero_contributes_nothing() {
    let mut rollout = Rollout::warm();
    rollout.play(5, GOOD, STABLE);
    let before = rollout.verdict();
    rollout
        .play(5, (0.0, 0.0), STABLE)
        .play(5, (0.0, 0.0), (0.0, 0.0));
    let after = rollout.verdict();

    for (before, after) in before.tests.iter().zip(&after.tests) {
        assert_eq!(before.e.to_bits(), after.e.to_bits());
    }
    assert_eq!((after.used, after.skipped), (5, 10));
}

#[test]
fn low_traffic_has_no_floor_but_forecasts() {
    let mut rollout = Rollout::warm();
    rollout.play(40, (1.0, 0.0), (99.0, 0.1));

    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Watch);
    assert!(
        verdict.sentence.ends_with(
            "A 1 % error rate would be found in about 6 h 10 at this traffic; this step is proved in about 4 h 10."
        ),
        "{}",
        verdict.sentence
    );
    let forecast = verdict.tests[0].forecast.expect("a forecast");
    assert!((forecast.error_rate - 0.01).abs() < 1e-12 && forecast.seconds > 3600);
}

#[test]
fn a_step_too_short_for_its_traffic_is_thin() {
    let mut rollout = Rollout::warm();
    rollout
        .judge
        .begin_step(origin(), Some(part_of(SignedDuration::from_hours(1))));
    rollout.play(19, (1.0, 0.0), (99.0, 0.1));
    assert_eq!(rollout.outcome().0, Outcome::Watch, "too early to tell");
    rollout.play(20, (1.0, 0.0), (99.0, 0.1));

    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Thin)));
    assert_eq!(
        rollout.verdict().sentence,
        "HOLD - too little traffic. The proof takes about 4 h 30 at this traffic, and this step has 1 h. Candidate 0.00 % \
         (0 of 39), stable 0.10 %; limit 0.60 % (3 x stable + 0.3 pp). A 1 % error rate would be found in about \
         6 h 10 at this traffic."
    );

    rollout
        .judge
        .begin_step(origin(), Some(part_of(SignedDuration::from_hours(6))));
    assert_eq!(rollout.outcome().0, Outcome::Watch);
}

#[test]
fn a_thin_step_that_is_proved_all_the_same_is_healthy() {
    let mut rollout = Rollout::warm();
    rollout
        .judge
        .begin_step(origin(), Some(part_of(SignedDuration::from_hours(1))));
    rollout.play(900, (1.0, 0.0), (99.0, 0.1));

    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_stable_above_the_critical_rate_is_named_as_the_reason_without_a_proof() {
    let mut rollout = Rollout::warm();
    rollout
        .judge
        .begin_step(origin(), Some(part_of(SignedDuration::from_hours(6))));
    rollout.play(10, (150.0, 3.0), (14_850.0, 297.0));

    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Watch);
    assert!(
        verdict
            .sentence
            .contains("stable's own error rate, 2.00 %, is not below the critical 1 %")
    );
}

#[test]
fn the_share_of_traffic_may_jump_without_becoming_evidence() {
    let mut rollout = Rollout::warm();
    for share in [1.0, 50.0, 5.0, 90.0] {
        rollout.play(
            20,
            (150.0 * share, (0.15 * share).floor()),
            (15_000.0 - 150.0 * share, 15.0 - 0.15 * share),
        );
    }
    assert!(!rollout.judge.is_rollback());
}
