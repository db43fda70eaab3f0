//! The awkward cases of real metrics, each as a story with its verdict.

use jiff::{SignedDuration, Timestamp};

use super::counters::{Counts, Look, Samples, Series, Side, Tally};
use super::judge::{Feed, Judge, Settings};
use super::verdict::{Outcome, Reason, TestId, Verdict};

const LOOK: SignedDuration = SignedDuration::from_secs(15);

/// A rollout that is fed by hand.
struct Rollout {
    judge: Judge,
    looks: Vec<Look>,
}

fn origin() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn counts((requests, errors): (f64, f64)) -> Counts {
    Counts { requests, errors }
}

impl Rollout {
    fn new(settings: Settings) -> Self {
        Self {
            judge: Judge::new(settings, origin()),
            looks: vec![],
        }
    }

    /// Without a warm-up.
    fn warm() -> Self {
        Self::new(Settings {
            grace: SignedDuration::ZERO,
            ..Settings::default()
        })
    }

    /// `looks` looks with so many (requests, errors) each.
    fn play(&mut self, looks: usize, candidate: (f64, f64), stable: (f64, f64)) -> &mut Self {
        for _ in 0..looks {
            let look = Look {
                index: self.looks.len() as u64,
                end: self.now() + LOOK,
                stable: counts(stable),
                candidate: counts(candidate),
            };
            self.judge.look(&look);
            self.looks.push(look);
        }
        self
    }

    fn now(&self) -> Timestamp {
        self.looks.last().map_or(origin(), |look| look.end)
    }

    fn verdict(&self) -> Verdict {
        self.judge
            .verdict(self.now() + SignedDuration::from_secs(2), &Feed::Fresh)
    }

    fn outcome(&self) -> (Outcome, Option<Reason>) {
        let verdict = self.verdict();
        (verdict.outcome, verdict.reason)
    }

    fn down_for(&self, seconds: i64) -> Verdict {
        let feed = Feed::Down {
            since: self.now(),
            error: "503 Service Unavailable".into(),
        };
        self.judge
            .verdict(self.now() + SignedDuration::from_secs(seconds), &feed)
    }

    fn silent_for(&self, seconds: i64) -> Verdict {
        let feed = Feed::Silent { since: self.now() };
        self.judge
            .verdict(self.now() + SignedDuration::from_secs(seconds), &feed)
    }
}

const STABLE: (f64, f64) = (14_850.0, 15.0);
const GOOD: (f64, f64) = (150.0, 0.0);
const BAD: (f64, f64) = (152.0, 3.0);
const HOLD_NONE: (Outcome, Option<Reason>) = (Outcome::Hold, Some(Reason::None));

#[test]
fn a_bad_candidate_is_rolled_back_with_its_numbers() {
    let mut rollout = Rollout::warm();
    rollout.play(20, BAD, STABLE);

    let verdict = rollout.verdict();
    let found = verdict.found.expect("a finding");
    assert_eq!(
        (verdict.outcome, found.test),
        (Outcome::Rollback, TestId::ErrorRate)
    );
    assert_eq!(
        verdict.sentence,
        "ROLLBACK - errors. Candidate 1.97 % (9 of 456), stable 0.10 %; limit 0.20 % (1.5 x stable + 0.05 pp). If \
         the candidate were within the limit, evidence this strong would appear in at most 1 of 14,000 rollouts; the \
         bar is 2,000. Found 45 s after the candidate's first counted request."
    );
}

#[test]
fn a_late_fault_is_told_by_the_looks_that_show_it() {
    let mut rollout = Rollout::warm();
    rollout.play(240, GOOD, STABLE).play(20, BAD, STABLE);

    let verdict = rollout.verdict();
    assert!(
        verdict.sentence.contains("Candidate 1.97 % ("),
        "{}",
        verdict.sentence
    );
    assert!(
        verdict.sentence.contains("Found 1 h 1 min after"),
        "{}",
        verdict.sentence
    );
    assert!(
        verdict.sentence.contains("after the errors began."),
        "{}",
        verdict.sentence
    );
}

#[test]
fn a_rollback_stays_whatever_comes_after() {
    let mut rollout = Rollout::warm();
    rollout.play(20, BAD, STABLE);
    let sentence = rollout.verdict().sentence;
    rollout.play(500, GOOD, STABLE);
    rollout.judge.begin_step(rollout.now(), None);

    assert_eq!(rollout.verdict().sentence, sentence);
    assert_eq!(rollout.down_for(3600).outcome, Outcome::Rollback);
}

#[test]
fn one_terrible_look_does_not_decide() {
    let mut rollout = Rollout::warm();
    rollout
        .play(50, GOOD, STABLE)
        .play(1, (150.0, 150.0), STABLE)
        .play(50, GOOD, STABLE);

    assert!(!rollout.judge.is_rollback());
}

#[test]
fn a_good_candidate_is_watched_until_it_is_proved() {
    let mut rollout = Rollout::warm();
    rollout.play(3, GOOD, STABLE);
    let watch = rollout.verdict();
    assert_eq!(watch.outcome, Outcome::Watch);
    assert_eq!(
        watch.sentence,
        "WATCH - no harm found, not yet proved. Candidate 0.00 % (0 of 450), stable 0.10 %; limit 0.60 % (3 x stable \
         + 0.3 pp). A 1 % error rate would be found in about 3 min at this traffic; this step is proved in about 45 s."
    );

    rollout.play(10, GOOD, STABLE);
    let healthy = rollout.verdict();
    assert_eq!(healthy.outcome, Outcome::Healthy);
    assert_eq!(
        healthy.sentence,
        "HEALTHY - errors. Candidate 0.00 % (0 of 1,950), stable 0.10 %; limit 0.60 % (3 x stable + 0.3 pp); \
         critical 1 %. Proved with 750 requests of the candidate: at either limit, evidence this strong would appear \
         in at most 1 of 21 steps; the bar is 20. A 1 % error rate would be found in about 3 min at this traffic."
    );
}

#[test]
fn each_step_is_proved_anew_from_looks_that_begin_in_it() {
    let mut rollout = Rollout::warm();
    rollout.play(40, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);

    rollout
        .judge
        .begin_step(rollout.now() - SignedDuration::from_secs(1), None);
    rollout.play(1, GOOD, STABLE);
    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Watch);
    assert_eq!(
        verdict.tests[2].used, 1,
        "the look that straddles the step's beginning is not of it"
    );

    rollout.play(20, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

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
            "A 1 % error rate would be found in about 5 h 40 at this traffic; this step is proved in about 4 h 10."
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
        .begin_step(origin(), Some(SignedDuration::from_hours(1)));
    rollout.play(19, (1.0, 0.0), (99.0, 0.1));
    assert_eq!(rollout.outcome().0, Outcome::Watch, "too early to tell");
    rollout.play(20, (1.0, 0.0), (99.0, 0.1));

    assert_eq!(rollout.outcome(), (Outcome::Hold, Some(Reason::Thin)));
    assert_eq!(
        rollout.verdict().sentence,
        "HOLD - too little traffic. The proof takes about 4 h 30 at this traffic, and this step has 1 h. Candidate 0.00 % \
         (0 of 39), stable 0.10 %; limit 0.60 % (3 x stable + 0.3 pp). A 1 % error rate would be found in about \
         5 h 40 at this traffic."
    );

    rollout
        .judge
        .begin_step(origin(), Some(SignedDuration::from_hours(6)));
    assert_eq!(rollout.outcome().0, Outcome::Watch);
}

#[test]
fn a_thin_step_that_is_proved_all_the_same_is_healthy() {
    let mut rollout = Rollout::warm();
    rollout
        .judge
        .begin_step(origin(), Some(SignedDuration::from_hours(1)));
    rollout.play(900, (1.0, 0.0), (99.0, 0.1));

    assert_eq!(rollout.outcome().0, Outcome::Healthy);
}

#[test]
fn a_stable_above_the_critical_rate_is_named_as_the_reason_without_a_proof() {
    let mut rollout = Rollout::warm();
    rollout
        .judge
        .begin_step(origin(), Some(SignedDuration::from_hours(6)));
    rollout.play(100, (150.0, 3.0), (14_850.0, 297.0));

    let verdict = rollout.verdict();
    assert_eq!(verdict.outcome, Outcome::Watch);
    assert!(
        verdict
            .sentence
            .contains("stable's own error rate, 2.00 %, is not below the critical 1 %")
    );
}

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
         error rate above 10 % is judged. A 1 % error rate would be found in about 5 min at this traffic; this step is \
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
            "ROLLBACK - errors. Candidate 100.00 % (300 of 300), stable 0.10 %; limit 10.00 % (absolute, while warming \
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
fn an_incident_of_both_moves_no_relative_evidence() {
    let mut rollout = Rollout::warm();
    rollout
        .play(20, GOOD, STABLE)
        .play(40, (150.0, 45.0), (14_850.0, 4_455.0))
        .play(20, GOOD, STABLE);

    assert!(!rollout.judge.is_rollback());
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

#[test]
fn a_source_without_a_past_asks_for_more_evidence_in_each_run() {
    let settings = Settings {
        alpha: 0.001 / 9.0,
        ..Settings::default()
    };
    assert!((settings.bar() - 18_000.0).abs() < 1e-6);
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
fn looks_that_repeat_or_come_out_of_order_are_ignored() {
    let mut rollout = Rollout::warm();
    rollout.play(30, GOOD, STABLE);
    let before = rollout.verdict();
    for look in rollout.looks.clone() {
        rollout.judge.look(&Look {
            candidate: counts((150.0, 150.0)),
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
            .map(|index| Look {
                index,
                end: origin() + LOOK * (i32::try_from(index).expect("few") + 1),
                candidate: counts((
                    f64::from(random.u16(..300)),
                    f64::from(random.u8(..2)) * f64::from(index > bad_from) * 9.0,
                )),
                stable: counts((f64::from(random.u16(..)), f64::from(random.u8(..50)))),
            })
            .collect();
        let step = looks[299].end;
        let mut along = Judge::new(Settings::default(), origin());
        for (place, look) in looks.iter().enumerate() {
            along.look(look);
            if place == 299 {
                along.begin_step(step, Some(SignedDuration::from_hours(6)));
            }
            if place % 50 == 49 {
                let mut anew = Judge::new(Settings::default(), origin());
                if place >= 299 {
                    anew.begin_step(step, Some(SignedDuration::from_hours(6)));
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
    };
    let scrapes = 1..=40i64;
    let mut green: Vec<(i64, f64)> = scrapes.clone().map(|n| (n * 15 - 4, 150.0 * n as f64)).collect();
    for point in &mut green[20..] {
        point.1 -= 150.0 * 20.0;
    }
    green.remove(10);
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
            series("candidate", Side::Candidate, green),
        ],
        errors: vec![series(
            "stable",
            Side::Stable,
            scrapes.map(|n| (n * 15 - 9, 15.0 * n as f64)).collect(),
        )],
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
