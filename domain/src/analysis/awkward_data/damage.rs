//! What a rise does to both versions.

use super::*;

/// Stable beside 1 %, 5 min after the rise both fail 2 %.
fn both_fail(after: usize, looks: usize) -> Rollout {
    let mut rollout = Rollout::warm();
    rollout.play_more(240, |_, _| {});
    rollout.share(5);
    rollout.play_more(after, |_, _| {});
    rollout.play_more(looks, |beside, here| {
        beside.errors = 0.02 * beside.requests;
        here.errors = 3.0;
    });
    rollout
}

#[test]
fn both_worse_for_five_minutes_after_a_rise_is_a_precaution() {
    assert_ne!(
        both_fail(20, 18).outcome().0,
        Outcome::Precaution,
        "not for five minutes"
    );
    let verdict = both_fail(20, 22).verdict();
    assert_eq!(verdict.outcome, Outcome::Precaution);
    assert_eq!(
        verdict.sentence,
        "PRECAUTION - both versions. Errors: candidate 2.00 % (60 of 3,000), stable 2.00 % (5,940 of 297,000), stable \
         before 0.10 % (3,600 of 3,564,000); it began 5 min 15 s after a rise of the share and has lasted 5 min 15 s. That is \
         no verdict on the candidate, but its share must be 0 until somebody knows more: shift-traffic resume goes on."
    );
    assert!(!verdict.proved);
}

#[test]
fn what_begins_later_than_half_an_hour_has_another_cause() {
    assert_ne!(both_fail(140, 60).outcome().0, Outcome::Precaution);
}

#[test]
fn what_is_over_sooner_wakes_nobody() {
    let mut rollout = both_fail(20, 12);
    rollout.play_more(60, |_, _| {});
    assert_ne!(rollout.outcome().0, Outcome::Precaution);
}

#[test]
fn a_candidate_that_stays_well_is_no_damage_to_both() {
    let mut rollout = Rollout::warm();
    rollout.play_more(240, |_, _| {});
    rollout.share(5);
    rollout.play_more(60, |beside, _| beside.errors = 0.02 * beside.requests);
    assert_ne!(rollout.outcome().0, Outcome::Precaution);
}

#[test]
fn after_the_first_rise_stable_is_compared_with_the_hours_before_the_rollout() {
    let mut rollout = Rollout::new(Settings {
        before: Some(counts((1e6, 1000.0))),
        ..without_warm_up()
    });
    rollout.share(1);
    rollout.play_more(30, |beside, here| {
        beside.errors = 0.02 * beside.requests;
        here.errors = 3.0;
    });
    assert_eq!(rollout.outcome().0, Outcome::Precaution);

    // Whoever knows nothing of it does not guess.
    let mut rollout = Rollout::warm();
    rollout.share(1);
    rollout.play_more(30, |beside, here| {
        beside.errors = 0.02 * beside.requests;
        here.errors = 3.0;
    });
    assert_ne!(rollout.outcome().0, Outcome::Precaution);
}

#[test]
fn the_next_rise_is_watched_anew() {
    let mut rollout = both_fail(20, 22);
    assert_eq!(rollout.outcome().0, Outcome::Precaution);
    rollout.share(6);
    rollout.play_more(40, |_, _| {});
    assert_ne!(rollout.outcome().0, Outcome::Precaution);
}

#[test]
fn a_burst_that_both_have_is_over_with_its_last_look_however_little_traffic_there_is() {
    for scale in [0.01, 0.1, 1.0] {
        let mut rollout = Rollout::warm();
        let mut play = |looks, share: f64, percent: Option<u8>| {
            if let Some(percent) = percent {
                rollout.share(percent);
            }
            rollout.play_more(looks, |beside, here| {
                for measured in [beside, here] {
                    measured.requests = (measured.requests * scale).ceil();
                    measured.errors = (measured.requests * share).round();
                }
            });
            rollout.outcome().0
        };
        play(240, 0.001, None);
        play(20, 0.001, Some(5));
        play(3, 0.9, None);
        for _ in 0..60 {
            assert_ne!(play(1, 0.001, None), Outcome::Precaution, "{scale}");
        }
    }
}
