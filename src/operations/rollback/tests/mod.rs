//! The order of a rollback, and what happens when each part of it fails.

mod answers;
mod gradual;

use jiff::SignedDuration;
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        moves::Move,
        phase::Phase,
        record::{Record, State},
    },
    weight::Weight,
};

use super::{Base, RolledBack, Way, afterwards::Afterwards, roll_back};
use crate::{
    operations::{
        capacity::Behind,
        tests::{
            FakeRouter, FakeStacks, Office, autoscaler, beginning, by, course, holding, promoted, weight,
        },
    },
    providers::{
        stacks::Stacks,
        traffic::{Router, Seen, Shares, WriteError},
    },
};

fn base<'a>() -> Base<'a> {
    Base {
        known: None,
        blank: beginning(course(Phase::Canary, &[1])),
        fence: None,
    }
}

fn behind(stacks: &FakeStacks) -> Behind<'_> {
    Behind {
        stacks: Some(stacks as &dyn Stacks),
        scale_up: true,
    }
}

fn only(these: Vec<u8>) -> Shares {
    Shares::Only {
        these: these.into_iter().map(weight).collect(),
        because: "it is one of these".to_owned(),
    }
}

async fn rolled_back(router: &FakeRouter, behind: Behind<'_>, office: &mut Office) -> RolledBack {
    let way = Way {
        behind,
        patience: SignedDuration::from_mins(2),
        capacity_within: SignedDuration::from_mins(2),
    };
    let done = roll_back(router, &mut office.desk, base(), "orders fail", &way).await;
    let afterwards = Afterwards {
        behind,
        sampler: None,
        drain: SignedDuration::from_secs(30),
        scale_down: false,
    };
    afterwards.put_in_order(router, &mut office.desk, &done).await;
    done
}

#[tokio::test(start_paused = true)]
async fn switch_to_stable_before_stable_has_capacity() {
    // Blue was scaled down to 4 pods; 10 carried everything.
    let router = FakeRouter::new(Some(holding(75)));
    let stacks = FakeStacks::new(&router.log, 4, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    // It takes what it carries at once, and the rest when its pods are there.
    assert_eq!(router.log(), ["blue AtLeast(10)", "green 50 %", "green 0 %"]);
    assert_eq!(done.outcome, Outcome::Done);
    assert!((20..25).contains(&office.second()), "{}", office.second());
    let events = office.events();
    assert!(events.contains("blue has 4 of 10 ready"), "{events}");
    assert!(!events.contains("STUCK"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_only_switches_switches_when_stable_can_carry_everything() {
    let mut router = FakeRouter::new(Some(holding(100)));
    router.shares = only(vec![0, 100]);
    let stacks = FakeStacks::new(&router.log, 4, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(router.log(), ["blue AtLeast(10)", "green 100 %", "green 0 %"]);
    assert_eq!(done.outcome, Outcome::Done);
    let events = office.events();
    assert!(!events.contains("STUCK"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn zero_replicas() {
    // Nothing of blue runs: not one user is sent there before its pods are ready.
    let router = FakeRouter::new(Some(holding(5)));
    let stacks = FakeStacks::new(&router.log, 0, 1);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(router.log(), ["blue AtLeast(10)", "green 5 %", "green 0 %"]);
    assert_eq!(done.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn restart_forgets_a_rollback_in_progress() {
    let router = FakeRouter::new(Some(holding(75)));
    let mut stacks = FakeStacks::new(&router.log, 4, 10);
    stacks.comes_after = None;
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(done.outcome, Outcome::Stuck);
    assert_eq!(office.second(), 120);
    let here = router.has();
    assert!(matches!(here.state, State::RollingBack { .. }), "{here:?}");
    assert_eq!(here.weight, weight(50));
    assert!(office.events().contains("STUCK"), "{}", office.events());

    // The next one knows by the record alone what was going on, and why.
    stacks.change("blue", |stack| stack.ready = 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!((done.outcome, router.has().weight), (Outcome::Done, Weight::ZERO));
    assert!(matches!(&router.has().state, State::RolledBack { reason } if reason == "orders fail"));
}

#[tokio::test(start_paused = true)]
async fn the_nights_pods_are_not_taken_for_enough_at_noon() {
    // At night 3 pods carried everything; at noon the candidate's autoscaler has 10 for it.
    let mut night = holding(100);
    night.whole = Some(3);
    let router = FakeRouter::new(Some(night));
    let stacks = FakeStacks::new(&router.log, 3, 10);
    stacks.change("green", |stack| stack.autoscaler = Some(autoscaler(2)));
    let mut office = Office::new();
    rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(
        router.log(),
        ["blue AtLeast(10)", "green 63 %", "green 0 %"],
        "{}",
        office.events()
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_record_stable_is_measured_by_what_the_candidate_has() {
    let router = FakeRouter::new(None);
    *router.by_hand.lock().expect("no panic") = Some(weight(100));
    let stacks = FakeStacks::new(&router.log, 1, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(done.outcome, Outcome::Done, "{}", office.events());
    assert_eq!(router.log(), ["blue AtLeast(10)", "green 0 %"]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_candidate_is_left_at_once() {
    let router = FakeRouter::new(Some(holding(75)));
    let stacks = FakeStacks::new(&router.log, 4, 0);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!((router.log(), office.second()), (vec!["green 0 %".to_owned()], 0));
    assert_eq!(done.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn counts_that_cannot_be_had_hold_up_nothing() {
    let router = FakeRouter::new(Some(holding(75)));
    let mut stacks = FakeStacks::new(&router.log, 4, 10);
    stacks.unreadable = true;
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(
        (router.log(), done.outcome),
        (vec!["green 0 %".to_owned()], Outcome::Done)
    );
    let events = office.events();
    assert!(
        events.contains("could not be checked: Deployments cannot be listed"),
        "{events}"
    );
    assert!(events.contains("left to do: "), "{events}");
}

#[tokio::test(start_paused = true)]
async fn without_scaling_up_a_person_is_called_at_once_and_stable_gets_what_it_carries() {
    for scale_up in [false, true] {
        let router = FakeRouter::new(Some(holding(75)));
        let mut stacks = FakeStacks::new(&router.log, 4, 10);
        stacks.refuses = true;
        let mut office = Office::new();
        let behind = Behind {
            scale_up,
            ..behind(&stacks)
        };
        let done = rolled_back(&router, behind, &mut office).await;
        assert_eq!(done.outcome, Outcome::Stuck);
        assert_eq!(router.log(), ["green 50 %"]);
        let events = office.events();
        let why = if scale_up { "exceeded quota" } else { "bring it up" };
        assert!(events.contains("STUCK") && events.contains(why), "{events}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_a_router_counts_are_capacity_too() {
    let mut router = FakeRouter::new(Some(holding(50)));
    router.up = Some((0, 3));
    let mut office = Office::new();
    let done = rolled_back(&router, Behind::default(), &mut office).await;
    assert_eq!(done.outcome, Outcome::Stuck);
    assert!(
        office.events().contains("blue has nothing ready: bring it up"),
        "{}",
        office.events()
    );
    // The drivers are stopped all the same.
    assert!(matches!(router.has().state, State::RollingBack { .. }));
    router.up = Some((10, 3));
    let done = rolled_back(&router, Behind::default(), &mut office).await;
    assert_eq!((done.outcome, router.has().weight), (Outcome::Done, Weight::ZERO));
}

#[tokio::test(start_paused = true)]
async fn workers_sessions_pods_and_autoscaler_come_after_the_traffic_and_in_this_order() {
    let router = FakeRouter::new(Some(holding(100)));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    stacks.change("blue", |stack| {
        stack.workers = Some(0);
        stack.workers_before = Some(3);
        stack.autoscaler = Some(autoscaler(10));
    });
    stacks.change("green", |stack| {
        stack.workers = Some(3);
        stack.autoscaler = Some(autoscaler(10));
    });
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(done.outcome, Outcome::Done);
    assert_eq!(
        router.log(),
        [
            "green 0 %",
            "green WorkersQuiet",
            "blue WorkersAsBefore(0)",
            "green AsBefore",
            "blue Settled"
        ]
    );
    assert_eq!(
        office.second(),
        30,
        "open sessions have their time before pods go"
    );
    // Once more does nothing.
    rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!((router.log().len(), office.second()), (5, 30));
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_traffic_is_said_and_undoes_nothing() {
    let router = FakeRouter::new(Some(holding(50)));
    let mut stacks = FakeStacks::new(&router.log, 10, 10);
    stacks.refuses = true;
    stacks.change("green", |stack| stack.workers = Some(3));
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(
        (done.outcome, router.log()),
        (Outcome::Done, vec!["green 0 %".to_owned()])
    );
    let events = office.events();
    assert!(
        events.contains("left to do: stop the workers of green: exceeded quota"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn open_requests_are_waited_for_where_the_router_counts_them() {
    let mut router = FakeRouter::new(Some(holding(50)));
    router.up = Some((10, 10));
    router.sessions = std::sync::Mutex::new(Some(7));
    let mut office = Office::new();
    rolled_back(&router, Behind::default(), &mut office).await;
    assert_eq!(office.second(), 30);
    assert!(
        office.events().contains("green still has 7 requests"),
        "{}",
        office.events()
    );
}

#[tokio::test(start_paused = true)]
async fn a_promotion_is_undone_while_the_old_version_stands() {
    let router = FakeRouter::new(Some(promoted()));
    let stacks = FakeStacks::new(&router.log, 3, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    // From all of it to what 3 of 10 pods do not carry.
    assert_eq!(router.log(), ["blue AtLeast(10)", "green 63 %", "green 0 %"]);
    assert_eq!(
        (done.outcome, done.record.stable.backend.as_str()),
        (Outcome::Done, "blue")
    );
}

#[tokio::test(start_paused = true)]
async fn a_promotion_whose_old_version_is_gone_keeps_serving() {
    let router = FakeRouter::new(Some(promoted()));
    let mut stacks = FakeStacks::new(&router.log, 0, 10);
    stacks.comes_after = None;
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(done.outcome, Outcome::Stuck);
    assert_eq!(router.log(), ["blue AtLeast(10)"]);
    assert_eq!(router.has().state, promoted().state);
    assert!(
        office.events().contains("blue has nothing ready"),
        "{}",
        office.events()
    );
}

#[tokio::test(start_paused = true)]
async fn after_finish_there_is_nothing_to_take_back() {
    let finished = promoted().after(Move::Finish, by()).expect("promoted");
    let router = FakeRouter::new(Some(finished.clone()));
    let stacks = FakeStacks::new(&router.log, 0, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!((done.outcome, router.log().len()), (Outcome::Done, 0));
    assert_eq!(done.record, finished);
}

#[tokio::test(start_paused = true)]
async fn a_share_set_by_hand_is_taken_back_whatever_the_record_says() {
    let router = FakeRouter::new(Some(holding(5)));
    *router.by_hand.lock().expect("no panic") = Some(weight(80));
    let stacks = FakeStacks::new(&router.log, 4, 10);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!((done.outcome, router.has().weight), (Outcome::Done, Weight::ZERO));
    let shares: Vec<_> = router
        .log()
        .into_iter()
        .filter(|line| line.contains('%'))
        .collect();
    assert_eq!(shares.last().map(String::as_str), Some("green 0 %"));
}
