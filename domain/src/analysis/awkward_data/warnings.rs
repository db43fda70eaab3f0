//! What people are told of without anything being taken back.

use super::*;

#[test]
fn a_candidate_that_is_a_little_worse_than_stable_warns_and_is_proved() {
    let mut rollout = Rollout::warm();
    // 0.2 % beside 0.15 %: within 1.5 x stable + 0.05 pp.
    rollout.play_more(4000, |beside, here| {
        beside.requests = 15_000.0;
        beside.errors = 22.5;
        here.requests = 1_500.0;
        here.errors = 3.0;
    });
    let verdict = rollout.verdict();
    assert_eq!(
        (verdict.outcome, verdict.proved),
        (Outcome::Warn, true),
        "{}",
        verdict.sentence
    );
    assert_eq!(verdict.warnings[0].test, TestId::ErrorRate);
    assert!(
        verdict.sentence.starts_with(
            "WARN - proved healthy in this step, but errors: Candidate 0.20 % (12,000 of 6,000,000), stable 0.15 %; \
             limit 0.15 % (1 x stable + 0 pp). "
        ),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_warning_ends_with_its_cause() {
    let mut rollout = Rollout::warm();
    rollout.play_more(400, |beside, here| {
        beside.errors = 60.0;
        here.errors = 1.0;
    });
    let warned = rollout.verdict();
    assert_eq!(warned.outcome, Outcome::Warn, "{}", warned.sentence);
    rollout.play_more(400, |beside, _| beside.errors = 60.0);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn what_stable_does_too_is_no_warning() {
    let mut rollout = Rollout::warm();
    rollout.play_more(400, |beside, here| {
        beside.errors = 104.0;
        here.errors = 1.05;
    });
    let verdict = rollout.verdict();
    assert_eq!(verdict.warnings, [], "{}", verdict.sentence);
}
