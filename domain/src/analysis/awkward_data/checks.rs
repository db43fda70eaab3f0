//! What the team itself counts.

use super::*;
use crate::analysis::judge::{Check, Level};

fn check(at_least: Option<f64>, level: Level) -> Rollout {
    Rollout::new(Settings {
        checks: vec![Check {
            name: "login success".into(),
            at_least,
            level,
        }],
        ..without_warm_up()
    })
}

fn logins(rollout: &mut Rollout, looks: usize, stable: f64, candidate: f64) {
    rollout.play_more(looks, |beside, here| {
        beside.checks = vec![counts((1_000.0, stable))];
        here.checks = vec![counts((10.0, candidate))];
    });
}

#[test]
fn a_check_below_its_limit_is_a_rollback_with_its_name() {
    let mut rollout = check(Some(0.995), Level::Rollback);
    logins(&mut rollout, 60, 1.0, 1.0);
    let verdict = rollout.verdict();
    assert_eq!(
        verdict.found.as_ref().expect("a finding").subject.as_deref(),
        Some("login success")
    );
    assert!(
        verdict.sentence.starts_with(
            "ROLLBACK - login success. Candidate 10.00 % (6 of 60), stable 0.10 %; limit 0.50 % (absolute)"
        ),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_limit_that_stable_breaks_too_holds() {
    let mut rollout = check(Some(0.995), Level::Rollback);
    logins(&mut rollout, 60, 100.0, 1.0);
    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Shared)));
}

#[test]
fn without_a_limit_it_is_compared_with_stable() {
    let mut rollout = check(None, Level::Rollback);
    logins(&mut rollout, 60, 100.0, 1.0);
    assert!(!rollout.judge.is_rollback());
    logins(&mut rollout, 60, 100.0, 6.0);
    assert_eq!(rollout.verdict().found.expect("a finding").test, TestId::Check);
}

#[test]
fn a_check_that_is_to_warn_warns_until_it_is_good_again() {
    let mut rollout = check(Some(0.995), Level::Warning);
    logins(&mut rollout, 60, 1.0, 1.0);
    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Warn);
    assert!(
        verdict.sentence.contains("login success: Candidate 10.00 %"),
        "{}",
        verdict.sentence
    );
    logins(&mut rollout, 300, 1.0, 0.0);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_check_that_nothing_is_counted_for_says_nothing() {
    let mut rollout = check(Some(0.995), Level::Rollback);
    rollout.play_more(60, |_, _| {});
    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Healthy);
    assert_eq!(report(&verdict, TestId::Check).used, 0);
}

#[test]
fn once_stable_is_well_again_the_candidate_stands_alone() {
    let mut rollout = check(Some(0.98), Level::Rollback);
    logins(&mut rollout, 120, 500.0, 5.0);
    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Shared)));
    logins(&mut rollout, 40, 0.0, 5.0);
    assert_eq!(rollout.verdict().found.expect("a finding").test, TestId::Check);
}
