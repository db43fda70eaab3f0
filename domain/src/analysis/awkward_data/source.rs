//! A metric source that is down, silent, forgetful or rude.

use super::*;

#[test]
fn a_source_that_is_down_holds_after_three_looks_and_is_never_healthy() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);

    let soon = rollout.down_for(44);
    assert_eq!(soon.outcome, Outcome::Watch);
    assert!(
        soon.sentence
            .starts_with("WATCH - proved, but not on fresh data."),
        "{}",
        soon.sentence
    );

    let later = rollout.down_for(45);
    assert_eq!((later.outcome, later.reason), (Outcome::Hold, Some(Reason::Down)));
    assert_eq!(
        later.sentence,
        "HOLD - no data. The metric source has not answered for 45 s: 503 Service Unavailable. Nothing is judged \
         until it does."
    );
    let days = rollout.down_for(200_000);
    assert_eq!(days.outcome, Outcome::Hold);
}

#[test]
fn a_source_without_new_samples_holds_like_one_that_is_down() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, STABLE);

    assert_eq!(rollout.silent_for(44).outcome, Outcome::Watch);
    let later = rollout.silent_for(60);
    assert_eq!((later.outcome, later.reason), (Outcome::Hold, Some(Reason::Down)));
}

#[test]
fn data_that_is_called_fresh_but_is_old_is_not_healthy() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, STABLE);

    let verdict = rollout
        .judge
        .verdict(rollout.now() + SignedDuration::from_mins(2), &Feed::Fresh);
    assert_eq!(
        (verdict.outcome, verdict.reason),
        (Outcome::Hold, Some(Reason::Down))
    );
}

#[test]
fn a_source_without_a_past_asks_for_more_evidence_in_each_run() {
    let settings = Settings {
        alpha: 0.001 / 9.0,
        ..Settings::default()
    };
    assert!((settings.bar() - 45_000.0).abs() < 1e-6);
}

#[test]
fn a_foreign_error_text_stays_in_its_line() {
    let mut rollout = Rollout::warm();
    rollout.play(4, GOOD, STABLE);
    let error = format!("<html>\n\n<h1>502</h1>{}", "x".repeat(10_000));
    let feed = Feed::Down {
        since: origin(),
        error,
    };
    let sentence = rollout.judge.verdict(rollout.now(), &feed).sentence;

    assert!(!sentence.contains('\n') && sentence.len() < 400, "{sentence}");
}

/// From raw samples to the verdict: 15 s scrapes, errors absent until the first, one process restarts,
/// one scrape is missing.
#[test]
fn samples_become_a_verdict() {
    let at = |second: i64| origin() + SignedDuration::from_secs(second);
    let series = |name: &str, side, points: Vec<(i64, f64)>| Series {
        key: name.to_owned(),
        instance: name.to_owned(),
        side,
        points: points
            .into_iter()
            .map(|(second, value)| (at(second), value))
            .collect(),
        ..Series::default()
    };
    let scrapes = 1..=40i64;
    let mut grown: Vec<(i64, f64)> = scrapes.clone().map(|n| (n * 15 - 4, 150.0 * n as f64)).collect();
    for point in &mut grown[20..] {
        point.1 -= 150.0 * 20.0;
    }
    grown.remove(10);
    let samples = Samples {
        requests: vec![
            series(
                "stable",
                Side::Stable,
                scrapes
                    .clone()
                    .map(|n| (n * 15 - 9, 14_850.0 * n as f64))
                    .collect(),
            ),
            series("candidate", Side::Candidate, grown),
        ],
        errors: vec![series(
            "stable",
            Side::Stable,
            scrapes.map(|n| (n * 15 - 9, 15.0 * n as f64)).collect(),
        )],
        ..Samples::default()
    };
    let mut tally = Tally::new(origin(), LOOK);
    tally.add(&samples);
    let mut judge = Judge::new(
        Settings {
            grace: SignedDuration::ZERO,
            ..Settings::default()
        },
        origin(),
    );
    for look in tally.close(at(600)) {
        judge.look(&look);
    }
    let verdict = judge.verdict(at(602), &Feed::Fresh);

    assert_eq!(verdict.outcome, Outcome::Healthy, "{}", verdict.sentence);
    assert!(verdict.sentence.contains("(0 of 5,850)"), "{}", verdict.sentence);
    assert_eq!((verdict.used, verdict.skipped), (38, 2));
    assert_eq!(
        (tally.restarts(Side::Candidate), tally.restarts(Side::Stable)),
        (1, 0)
    );
}
