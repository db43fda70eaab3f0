//! The awkward cases of real metrics, each as a story with its verdict.

use jiff::{SignedDuration, Timestamp};

use super::judge::{Feed, Judge, Settings};
use super::look::{Counts, Look, Measured};
use super::samples::{Samples, Series, Side};
use super::tally::Tally;
use super::verdict::{Baseline, Outcome, Reason, Report, TestId, Verdict};

use crate::rollout::ladder::Step;
use crate::weight::Weight;

const LOOK: SignedDuration = SignedDuration::from_secs(15);

mod all_traffic;
mod checks;
mod critical;
mod damage;
mod endpoints;
mod latency;
mod processes;
mod recomputed;
mod source;
mod throughput;
mod traffic;
mod warm_up;
mod warnings;

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

fn without_warm_up() -> Settings {
    Settings {
        grace: SignedDuration::ZERO,
        ..Settings::default()
    }
}

/// A step of so much time in which stable has traffic too.
fn part_of(duration: SignedDuration) -> Step {
    Step {
        weight: Weight::new(1).expect("a share"),
        duration,
    }
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
        Self::new(without_warm_up())
    }

    /// `looks` looks with so many (requests, errors) each.
    fn play(&mut self, looks: usize, candidate: (f64, f64), stable: (f64, f64)) -> &mut Self {
        for _ in 0..looks {
            let index = self.looks.len() as u64;
            let look = Look::of_counts(index, self.now() + LOOK, counts(stable), counts(candidate));
            self.judge.look(&look);
            self.looks.push(look);
        }
        self
    }

    /// `looks` looks in which both versions did what `make` adds to STABLE and GOOD.
    fn play_more(&mut self, looks: usize, mut make: impl FnMut(&mut Measured, &mut Measured)) -> &mut Self {
        for _ in 0..looks {
            let index = self.looks.len() as u64;
            let mut look = Look::of_counts(index, self.now() + LOOK, counts(STABLE), counts(GOOD));
            look.stable.complete = true;
            look.candidate.complete = true;
            make(&mut look.stable, &mut look.candidate);
            self.judge.look(&look);
            self.looks.push(look);
        }
        self
    }

    /// The candidate has so many percent from the last look on.
    fn share(&mut self, percent: u8) -> &mut Self {
        let step = Step {
            weight: Weight::new(percent).expect("a share"),
            duration: SignedDuration::from_hours(6),
        };
        self.judge.begin_step(self.now(), Some(step));
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

/// How the test with this name stands.
fn report(verdict: &Verdict, id: TestId) -> &Report {
    let found = verdict.tests.iter().find(|report| report.id == id);
    found.expect("a test with this name")
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
         bar is 5,000. Found 45 s after the candidate's first counted request."
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
         in at most 1 of 33 steps; the bar is 20. A 1 % error rate would be found in about 4 min at this traffic."
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
        report(&verdict, TestId::HealthBesideStable).used,
        1,
        "the look that straddles the step's beginning is not of it"
    );

    rollout.play(20, GOOD, STABLE);
    assert_eq!(rollout.outcome().0, Outcome::Healthy);
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
