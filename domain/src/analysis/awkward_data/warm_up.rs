//! The first minutes of a candidate, and incidents in them.

use super::*;

#[test]
fn errors_of_the_warm_up_are_forgiven() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(20, (150.0, 9.0), STABLE); // 6 % for 5 min
    let warming = rollout.verdict();
    assert_eq!(warming.outcome, Outcome::Watch);
    assert_eq!(warming.tests[0].used, 0);

    rollout.play(40, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn the_warm_up_says_that_it_is_one() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(4, (0.0, 0.0), STABLE).play(8, (150.0, 6.0), STABLE);

    assert_eq!(
        rollout.verdict().sentence,
        "WATCH - warming up, for another 3 min. Candidate 4.00 % (48 of 1,200), stable 0.10 %; until then only an \
         error rate above 10 % is judged. A 1 % error rate would be found in about 6 min at this traffic; this step is \
         proved in about 5 min."
    );
}

#[test]
fn errors_after_the_warm_up_are_not_forgiven() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(40, (150.0, 9.0), STABLE);

    let found = rollout.verdict().found.expect("a finding");
    assert_eq!(found.test, TestId::ErrorRate);
    assert_eq!(found.first, origin() + SignedDuration::from_mins(5));
}

#[test]
fn a_dead_candidate_is_rolled_back_while_it_warms_up() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(1, (150.0, 150.0), STABLE);
    assert!(!rollout.judge.is_rollback(), "one look never decides");
    rollout.play(3, (150.0, 150.0), STABLE);

    let verdict = rollout.verdict();
    assert_eq!(
        verdict.found.as_ref().expect("a finding").test,
        TestId::Catastrophe
    );
    assert!(
        verdict.sentence.starts_with(
            "ROLLBACK - errors. Candidate 100.00 % (450 of 450), stable 0.10 %; limit 10.00 % (absolute, while warming \
             up)."
        ),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_catastrophe_that_stable_shares_holds_and_is_not_blamed_on_the_candidate_afterwards() {
    let mut rollout = Rollout::new(Settings::default());
    rollout
        .play(4, GOOD, STABLE)
        .play(8, (150.0, 60.0), (14_850.0, 5_940.0));
    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Shared)));
    assert_eq!(
        rollout.verdict().sentence,
        "HOLD - shared incident. Candidate 40.00 % (420 of 1,050), stable 40.00 % (41,580 of 103,950): both above 10 %, so this does not \
         tell against the candidate. Errors beyond stable's are judged after the warm-up."
    );

    rollout
        .play(1, (150.0, 25.0), (14_850.0, 1_000.0))
        .play(7, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Watch);
    rollout.play(40, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_candidate_that_stays_broken_when_stable_recovers_is_rolled_back() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(6, (150.0, 90.0), (14_850.0, 8_000.0));
    assert!(!rollout.judge.is_rollback());
    rollout.play(5, (150.0, 90.0), STABLE);

    assert_eq!(
        rollout.verdict().found.expect("a finding").test,
        TestId::Catastrophe
    );
}

#[test]
fn a_stable_that_fails_alone_does_not_hold_the_candidate() {
    let mut rollout = Rollout::new(Settings::default());
    rollout.play(10, GOOD, (14_850.0, 5_000.0));

    assert_eq!(rollout.outcome().0, Outcome::Watch);
}

#[test]
fn a_new_run_is_no_new_warm_up() {
    let settings = Settings {
        warm_since: Some(origin() - SignedDuration::from_hours(6)),
        ..Settings::default()
    };
    let mut rollout = Rollout::new(settings);
    rollout.play(1, GOOD, STABLE);

    assert_eq!(rollout.verdict().tests[0].used, 1);
}

#[test]
fn who_comes_before_the_first_share_warms_nothing_and_a_pause_cools_it() {
    let at = |second: i64| origin() + SignedDuration::from_secs(second);
    let weight = |percent: u8| Weight::new(percent).expect("a share");
    let shares = [(at(600), weight(1)), (at(1800), weight(0)), (at(5400), weight(1))];
    let mut judge = Judge::new(Settings::default(), origin()).with_shares(&shares);
    let mut warming = Vec::new();
    for index in 0..480_u64 {
        let end = at(15 * (i64::try_from(index).expect("few") + 1));
        // A probe before the first share, nobody while it is paused.
        let candidate = match index {
            0 => counts((1.0, 0.0)),
            40..120 | 360.. => counts(GOOD),
            _ => Counts::default(),
        };
        if index == 360 {
            judge.begin_step(at(5400), None);
        }
        judge.look(&Look::of_counts(index, end, counts(STABLE), candidate));
        let verdict = judge.verdict(end, &Feed::Fresh);
        if verdict.sentence.starts_with("WATCH - warming up") {
            warming.push(index);
        }
    }
    let expected: Vec<u64> = (0..19).chain(40..59).chain(360..379).collect();
    assert_eq!(warming, expected);
}
