//! The same looks give the same verdict, and it is JSON.

use super::*;

#[test]
fn looks_that_repeat_or_come_out_of_order_are_ignored() {
    let mut rollout = Rollout::warm();
    rollout.play(30, GOOD, STABLE);
    let before = rollout.verdict();
    for look in rollout.looks.clone() {
        rollout.judge.look(&Look {
            candidate: counts((150.0, 150.0)).into(),
            ..look
        });
    }
    assert_eq!(rollout.verdict(), before);
}

#[test]
fn two_judges_that_see_the_same_looks_agree_to_the_byte() {
    for bad_from in [200, 1000] {
        let mut random = fastrand::Rng::with_seed(bad_from);
        let looks: Vec<Look> = (0..600)
            .map(|index| {
                let end = origin() + LOOK * (i32::try_from(index).expect("few") + 1);
                let candidate = counts((
                    f64::from(random.u16(..300)),
                    f64::from(random.u8(..2)) * f64::from(index > bad_from) * 9.0,
                ));
                let stable = counts((f64::from(random.u16(..)), f64::from(random.u8(..50))));
                Look::of_counts(index, end, stable, candidate)
            })
            .collect();
        let step = looks[299].end;
        let mut along = Judge::new(Settings::default(), origin());
        for (place, look) in looks.iter().enumerate() {
            along.look(look);
            if place == 299 {
                along.begin_step(step, Some(part_of(SignedDuration::from_hours(6))));
            }
            if place % 50 == 49 {
                let mut anew = Judge::new(Settings::default(), origin());
                if place >= 299 {
                    anew.begin_step(step, Some(part_of(SignedDuration::from_hours(6))));
                }
                looks[..=place].iter().for_each(|look| anew.look(look));
                let json = |judge: &Judge| {
                    serde_json::to_string(&judge.verdict(look.end, &Feed::Fresh)).expect("a verdict is JSON")
                };
                assert_eq!(json(&along), json(&anew));
            }
        }
    }
}

#[test]
fn a_step_that_is_told_late_is_judged_from_its_beginning() {
    let (mut early, mut late) = (Rollout::warm(), Rollout::warm());
    let since = origin() + LOOK * 30;
    early.play(30, GOOD, STABLE).judge.begin_step(since, None);
    early.play(4, GOOD, STABLE);
    late.play(34, GOOD, STABLE).judge.begin_step(since, None);

    assert_eq!(early.verdict(), late.verdict());
}

#[test]
fn a_verdict_is_json_without_nan_and_reads_back() {
    let mut empty = Rollout::warm();
    let mut huge = Rollout::warm();
    huge.play(400, (1e9, 0.0), (1e9, 1e8));
    empty.play(1, (0.0, 0.0), (0.0, 0.0));
    let mut absurd = Rollout::warm();
    absurd.play(5, (1.0, 1e12), (1e12, 0.0)); // more errors than requests
    for rollout in [&empty, &huge, &absurd] {
        let verdict = rollout.verdict();
        assert!(
            verdict
                .tests
                .iter()
                .all(|test| test.e.is_finite() && test.bar.is_finite())
        );
        let json = serde_json::to_string(&verdict).expect("a verdict is JSON");
        let back: Verdict = serde_json::from_str(&json).expect("it reads back");
        assert_eq!(serde_json::to_string(&back).expect("again"), json);
    }
    assert_eq!(absurd.outcome().0, Outcome::Rollback);
}
