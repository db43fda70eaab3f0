//! Gauges and restarts of single processes.

use super::*;
use crate::analysis::judge::{GaugeLimits, GaugeUnit};

fn with_memory() -> Rollout {
    Rollout::new(Settings {
        gauges: vec![GaugeLimits {
            name: "memory".into(),
            unit: GaugeUnit::Bytes,
            critical: Some(700e6),
            warning: Some(600e6),
        }],
        ..without_warm_up()
    })
}

fn memory(measured: &mut Measured, instance: &str, bytes: f64) {
    measured.gauges.resize(1, Default::default());
    measured.gauges[0].insert(instance.to_owned(), vec![bytes]);
}

#[test]
fn one_process_of_the_candidate_over_its_limit_for_five_minutes_is_a_rollback() {
    let mut rollout = with_memory();
    let play = |rollout: &mut Rollout, looks| {
        rollout.play_more(looks, |beside, here| {
            memory(beside, "blue-1", 500e6);
            memory(here, "green-1", 400e6);
            memory(here, "green-2", 712e6);
        });
    };
    play(&mut rollout, 15);
    assert!(!rollout.judge.is_rollback(), "not for five minutes yet");
    play(&mut rollout, 5);
    assert_eq!(
        rollout.verdict().sentence,
        "ROLLBACK - memory. Memory of green-2 above 700 MB in 19 of 19 samples, at most 712 MB; stable at most 500 MB."
    );
}

#[test]
fn what_stable_does_too_is_no_regression() {
    let mut rollout = with_memory();
    rollout.play_more(60, |beside, here| {
        memory(beside, "blue-1", 750e6);
        memory(here, "green-1", 750e6);
    });
    assert!(!rollout.judge.is_rollback());
}

#[test]
fn a_few_peaks_are_not_most_of_the_time_and_a_silent_gauge_is_none() {
    let mut rollout = with_memory();
    let mut look = 0;
    rollout.play_more(100, |beside, here| {
        look += 1;
        memory(beside, "blue-1", 500e6);
        memory(here, "green-1", if look % 4 == 0 { 500e6 } else { 720e6 });
    });
    assert!(!rollout.judge.is_rollback(), "75 % is not 80 %");
    rollout.play_more(40, |_, _| {});
    let verdict = rollout.verdict();
    assert_eq!(
        (verdict.gauges[0].candidate, verdict.gauges[0].stable),
        (None, None)
    );
}

#[test]
fn the_lower_limit_warns() {
    let mut rollout = with_memory();
    rollout.play_more(40, |beside, here| {
        memory(beside, "blue-1", 500e6);
        memory(here, "green-1", 650e6);
    });
    let verdict = rollout.verdict();
    assert_eq!((verdict.outcome, verdict.proved), (Outcome::Warn, true));
    assert_eq!(verdict.warnings[0].subject.as_deref(), Some("memory"));
    assert!(
        verdict.sentence.starts_with(
            "WARN - proved healthy in this step, but memory of green-1 above 600 MB in 20 of 20 samples"
        ),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_crash_loop_of_the_candidate_alone_is_a_finding_of_its_own() {
    let restart = |measured: &mut Measured, instance: &str| {
        measured.restarts.insert(instance.to_owned(), 1);
    };
    let play = |stable_too: bool, restarts: usize| {
        let mut rollout = Rollout::warm();
        for _ in 0..restarts {
            rollout.play_more(8, |_, _| {});
            rollout.play_more(1, |beside, here| {
                restart(here, "green-1");
                if stable_too {
                    restart(beside, "blue-1");
                }
            });
        }
        rollout.verdict()
    };
    let looping = play(false, 4);
    assert_eq!(
        looping.sentence,
        "ROLLBACK - crash loop. Process green-1 began anew 4 times within 6 min 45 s, and no process of stable did more than \
         once."
    );
    assert_eq!(looping.restarts, [0, 4]);
    assert_ne!(play(true, 4).outcome, Outcome::Rollback);
    assert_ne!(play(false, 3).outcome, Outcome::Rollback);
}
