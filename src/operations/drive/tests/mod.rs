//! The loop against a world of fakes that remember, under tokio's paused clock: days in milliseconds.

mod behind;
mod fake;
mod people;

use fake::{Fake, at, driven, fake};

use super::*;

const AS_IS: fn(&mut Orders) = |_| {};

#[tokio::test(start_paused = true)]
async fn a_good_canary_climbs_every_step_and_leaves_nothing_behind() {
    let fake = fake();
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
    assert_eq!(ended.record.state, State::Passed);
}

#[tokio::test(start_paused = true)]
async fn a_bad_canary_ends_with_no_traffic() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
    assert!(events.contains("ROLLBACK - errors."), "{events}");
}

#[tokio::test(start_paused = true)]
async fn what_hurts_both_after_a_rise_is_a_precaution_and_no_verdict() {
    // The third step begins after an hour.
    let fake = Fake {
        incident: 3600 + 300,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(
        matches!(ended.record.state, State::Paused { by_hand: true, .. }),
        "a person goes on: {events}"
    );
    assert!(
        events.contains("paused as a precaution, was at 10 %: PRECAUTION - both versions."),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn time_alone_never_advances() {
    // Twice stable's rate is not disproved as harm for hours, and never proved as health.
    let fake = Fake {
        error_rate: 0.0055,
        ..fake()
    };
    let (ended, events) = driven(&fake, 90, None, AS_IS).await;
    assert!(!fake.shares().contains(&5), "{events}");
    assert_eq!(fake.shares().last(), Some(&0));
    assert!(ended.outcome == Outcome::Hold || ended.outcome == Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_nothing_is_seen_of_is_not_left_with_traffic() {
    // Its metrics carry another version than the rollout was started with.
    let fake = Fake {
        requests: 0.0,
        ..fake()
    };
    let (ended, events) = driven(&fake, 180, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(events.contains("nobody can watch it"), "{events}");
    assert!(fake.second() < 20 * 60, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_step_without_proof_never_ends_and_a_person_is_asked_once() {
    // A request in 100 s: 36 in an hour prove nothing.
    let fake = Fake {
        requests: 0.01,
        ..fake()
    };
    let (ended, events) = driven(&fake, 180, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert_eq!(events.matches("a person must decide").count(), 1, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_lets_nobody_in() {
    let fake = fake();
    let orders: fn(&mut Orders) = |orders| orders.pin.hash = "another plan".to_owned();
    let (ended, events) = driven(&fake, 60, None, orders).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(
        events.contains("the plan was changed in the middle of the rollout"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_stops_rises_and_is_still_taken_back() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    {
        let mut state = fake.state.lock().expect("no panic");
        let by = rollgate_domain::rollout::moves::By {
            run: "old",
            actor: "octocat",
            at: at(0),
        };
        state.record = state.record.after(Move::Raise, by).expect("ready");
    }
    let orders: fn(&mut Orders) = |orders| orders.pin.hash = "another plan".to_owned();
    let (ended, events) = driven(&fake, 600, None, orders).await;
    assert_eq!(fake.shares(), [0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_metrics_outage_holds_and_then_leaves_nothing_behind() {
    let fake = Fake {
        blind: 600..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(events.contains("nobody can watch it"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_short_metrics_outage_only_costs_time() {
    let fake = Fake {
        blind: 600..900,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_from_the_start_lets_nobody_in() {
    let fake = Fake {
        blind: 0..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_deaf_for_a_while_is_rolled_back_as_soon_as_it_listens() {
    let fake = Fake {
        error_rate: 0.02,
        deaf: 60..500,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
    assert!(events.contains("ROLLBACK STUCK"), "{events}");
    assert!(fake.second() < 510, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_stays_deaf_needs_a_person() {
    let fake = Fake {
        error_rate: 0.02,
        deaf: 60..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Stuck, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_asked_to_leave_leaves_weight_0_and_the_next_resumes_the_step() {
    let fake = fake();
    let (ended, events) = driven(&fake, 600, Some(2400), AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(matches!(ended.record.state, State::Paused { step: 1, .. }));

    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 0, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_budget_without_a_successor_leaves_weight_0() {
    let fake = fake();
    let (ended, events) = driven(&fake, 10, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!((ended.outcome, ended.handed_over), (Outcome::Hold, false));
}

#[tokio::test(start_paused = true)]
async fn a_driver_whose_generation_is_taken_leaves_and_names_the_owner() {
    let steals: fn(&Record) -> Record = |record| {
        let by = rollgate_domain::rollout::moves::By {
            run: "run 8",
            actor: "hubot",
            at: at(300),
        };
        record.after(Move::Take, by).expect("active")
    };
    let fake = Fake {
        intruder: Some((20, steals)),
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Fenced);
    assert!(
        events.contains("fenced: run 8 (hubot) owns the rollout"),
        "{events}"
    );
    // It is the other's candidate now: nothing is lowered.
    assert_eq!(fake.shares(), [1]);
}

#[tokio::test(start_paused = true)]
async fn while_a_process_of_the_router_is_down_nothing_rises_and_the_doubt_is_recorded_once() {
    let fake = Fake {
        crippled: 600..4200,
        ..fake()
    };
    let (ended, events) = driven(&fake, 60, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    let shares: Vec<_> = ended
        .record
        .shares
        .iter()
        .map(|(at, weight)| (at.duration_since(fake.origin).as_secs(), weight.percent()))
        .collect();
    assert_eq!(shares, [(17, 1), (587, 0), (3587, 1), (3602, 0)], "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_write_of_the_same_generation_is_read_again() {
    let beats: fn(&Record) -> Record = |record| {
        let mut record = record.clone();
        record.sequence += 1;
        record
    };
    let fake = Fake {
        intruder: Some((3, beats)),
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_went_back_to_an_older_record_stops_rises() {
    let restores: fn(&Record) -> Record = |record| {
        let mut record = record.clone();
        record.sequence = 1;
        record
    };
    let fake = Fake {
        intruder: Some((30, restores)),
        ..fake()
    };
    let (_, events) = driven(&fake, 120, None, AS_IS).await;
    assert!(events.contains("went back to an older record"), "{events}");
    assert!(!fake.shares().contains(&5), "{events}");
    assert_eq!(fake.shares().last(), Some(&0));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_over_is_not_driven() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    driven(&fake, 600, None, AS_IS).await;
    let (ended, _) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Refused);
    assert_eq!(fake.shares(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_not_every_place_has_is_written_until_every_place_has_it() {
    use crate::operations::tests::{FakeRouter, Office, by, holding};
    let record = holding(50).after(Move::Take, by()).expect("an active one");
    for (step, says) in [
        // Its own, answered badly twice.
        (Some(Move::Pause("asked to leave".to_owned())), "paused"),
        // A person's, cut off in the middle.
        (None, "paused"),
    ] {
        let router = FakeRouter::new(Some(record.clone()));
        let mut office = Office::new();
        if step.is_none() {
            *router.half_done.lock().expect("no panic") = 1;
            let seen = router.read().await.expect("a look");
            let paused = record
                .after(Move::Pause("p95".to_owned()), by())
                .expect("holding");
            router.write(&seen, &paused).await.expect_err("half of it");
        } else {
            *router.half_done.lock().expect("no panic") = 2;
        }
        let mut driver = Driving::new(record.clone());
        let patience = SignedDuration::from_mins(5);
        assert!(driver.write_out(step, &router, &mut office.desk, patience).await);
        assert!(!router.read().await.expect("a look").torn);
        assert!(matches!(router.has().state, State::Paused { .. }));
        assert!(office.events().contains(says), "{}", office.events());
    }
}

#[tokio::test]
async fn a_pause_by_hand_that_was_cut_off_is_written_by_the_run_that_was_called() {
    use crate::operations::tests::{FakeRouter, Office, beginning, by, course, holding};
    let record = holding(50);
    let router = FakeRouter::new(Some(record.clone()));
    *router.half_done.lock().expect("no panic") = 1;
    let seen = router.read().await.expect("a look");
    let paused = record.after(Move::PauseByHand("p95".to_owned()), by());
    let written = router.write(&seen, &paused.expect("holding")).await;
    written.expect_err("half of it");

    let mut office = Office::new();
    let blank = beginning(course(rollgate_domain::rollout::phase::Phase::Canary, &[1]));
    let taken = take(&router, &mut office.desk, &record.rollout, &blank, true).await;
    let ended = taken.expect("a router that obeys").expect_err("nothing to drive");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(!router.read().await.expect("a look").torn);
    assert!(office.events().contains("paused"), "{}", office.events());
}
