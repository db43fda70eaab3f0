//! The candidate's share of the requests, beside its share of the weight.

use super::*;
use crate::analysis::judge::{Level, Throughput};

fn by(level: Level) -> Rollout {
    let mut rollout = Rollout::new(Settings {
        throughput: Some(Throughput {
            below_stable: 0.1,
            level,
        }),
        ..without_warm_up()
    });
    rollout.share(1);
    rollout
}

#[test]
fn a_candidate_that_loses_requests_is_rolled_back() {
    let mut rollout = by(Level::Rollback);
    rollout.play_more(100, |_, here| here.requests = 75.0);
    let verdict = rollout.verdict();
    assert_eq!(
        verdict.sentence,
        "ROLLBACK - throughput. Candidate 225 requests for its weight, stable 44,550 requests: 50.00 % of what is due; \
         limit 90 %. If the candidate were within the limit, evidence this strong would appear in at most 1 of 170,000 \
         rollouts; the bar is 5,000. Found 45 s after the candidate's first counted request. Errors: within \
         bounds."
    );
}

#[test]
fn traffic_that_is_lost_altogether_is_found_though_the_candidate_is_asked() {
    let mut rollout = by(Level::Rollback);
    rollout.play_more(40, |_, _| {});
    rollout.play_more(10, |_, here| here.requests = 0.0);
    assert_eq!(
        rollout.verdict().found.expect("a finding").test,
        TestId::Throughput
    );
}

#[test]
fn a_candidate_that_is_not_heard_has_not_lost_its_traffic() {
    let mut rollout = by(Level::Rollback);
    rollout.play_more(40, |_, _| {});
    // Its pages cannot be read for 5 min, then the counter holds all of it.
    rollout.play_more(20, |_, here| {
        here.requests = 0.0;
        here.complete = false;
    });
    rollout.play_more(1, |_, here| here.requests = 21.0 * 150.0);
    rollout.play_more(40, |_, _| {});
    assert!(!rollout.judge.is_rollback(), "{}", rollout.verdict().sentence);
    let report = report(&rollout.verdict(), TestId::Throughput).clone();
    // Eight looks while the router takes up the share, twenty in silence.
    assert_eq!((report.used, report.skipped), (73, 28), "{report:?}");
}

#[test]
fn a_rise_is_no_change_of_the_share() {
    let mut rollout = by(Level::Rollback);
    rollout.play_more(40, |_, _| {});
    rollout.share(10);
    rollout.play_more(40, |beside, here| {
        beside.requests = 13_500.0;
        here.requests = 1_500.0;
    });
    assert!(!rollout.judge.is_rollback());
    let stale = rollout.clone_with_old_share();
    assert!(stale.is_rollback(), "at 10 % these would be lost requests");
}

impl Rollout {
    /// The same rollout, judged as if the second step had not brought more requests.
    fn clone_with_old_share(&self) -> Judge {
        let mut judge = self.judge.clone();
        for index in 0..40 {
            let mut look = self.looks[0].clone();
            look.index = self.looks.len() as u64 + index;
            look.end = self.now() + LOOK * (i32::try_from(index).expect("few") + 1);
            judge.look(&look);
        }
        judge
    }
}

#[test]
fn where_users_stay_together_a_missing_share_warns_only() {
    let mut rollout = by(Level::Warning);
    rollout.play_more(100, |_, here| here.requests = 75.0);
    let verdict = rollout.verdict();
    assert_eq!((verdict.outcome, verdict.proved), (Outcome::Warn, true));
    assert_eq!(verdict.warnings[0].test, TestId::Throughput);
}

#[test]
fn without_a_known_weight_nothing_is_said_of_it() {
    let mut rollout = Rollout::new(Settings {
        throughput: Some(Throughput {
            below_stable: 0.1,
            level: Level::Rollback,
        }),
        ..without_warm_up()
    });
    rollout.play_more(100, |_, here| here.requests = 10.0);
    assert_eq!(report(&rollout.verdict(), TestId::Throughput).used, 0);
}
