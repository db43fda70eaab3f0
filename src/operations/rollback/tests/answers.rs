//! What a router answers to a rollback's writes, and what it does not.

use super::*;

/// As a driver with the fence of its own generation does it.
async fn rolled_back_by_its_driver(router: &FakeRouter, office: &mut Office) -> RolledBack {
    let known = router.has();
    let base = Base {
        known: Some(&known),
        fence: Some(known.generation),
        ..base()
    };
    let way = Way::router_only(SignedDuration::from_mins(5));
    roll_back(router, &mut office.desk, base, "orders fail", &way).await
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_done_and_badly_answered_is_not_taken_for_another_drivers() {
    for times in [1, 3] {
        let router = FakeRouter::new(Some(holding(75)));
        *router.half_done.lock().expect("no panic") = times;
        let mut office = Office::new();
        let done = rolled_back_by_its_driver(&router, &mut office).await;
        let events = office.events();
        assert_eq!(done.outcome, Outcome::Done, "{events}");
        assert!(matches!(router.has().state, State::RolledBack { .. }));
        assert!(
            events.contains("rolled back") && events.contains("75 %"),
            "{events}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_drivers_write_at_the_same_moment_is_still_a_fence() {
    let router = FakeRouter::new(Some(holding(75)));
    let known = router.has();
    *router.record.lock().expect("no panic") = Some(known.after(Move::Take, by()).expect("an active one"));
    let base = Base {
        known: Some(&known),
        fence: Some(known.generation),
        ..base()
    };
    let mut office = Office::new();
    let way = Way::router_only(SignedDuration::from_mins(5));
    let done = roll_back(&router, &mut office.desk, base, "orders fail", &way).await;
    assert_eq!((done.outcome, router.has().weight), (Outcome::Fenced, weight(75)));
}

#[tokio::test(start_paused = true)]
async fn a_router_that_always_finds_somebody_faster_is_a_router_that_does_not_obey() {
    struct Busy(FakeRouter);
    #[async_trait::async_trait]
    impl Router for Busy {
        async fn read(&self) -> anyhow::Result<Seen> {
            self.0.read().await
        }
        async fn write(&self, _: &Seen, _: &Record) -> Result<Seen, WriteError> {
            Err(WriteError::Conflict)
        }
        fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
            self.0.describe(seen, records)
        }
    }
    let router = Busy(FakeRouter::new(Some(holding(75))));
    let mut office = Office::new();
    let way = Way::router_only(SignedDuration::from_mins(2));
    let done = roll_back(&router, &mut office.desk, base(), "orders fail", &way).await;
    assert_eq!((done.outcome, office.second()), (Outcome::Stuck, 120));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_keeps_its_pods_while_a_gateway_has_not_confirmed_that_nobody_meets_it() {
    let mut router = FakeRouter::new(Some(holding(75)));
    router.silent = vec!["Gateway edge has not confirmed generation 7".to_owned()];
    let stacks = FakeStacks::new(&router.log, 10, 10);
    for name in ["blue", "green"] {
        stacks.change(name, |stack| stack.autoscaler = Some(autoscaler(10)));
    }
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    let events = office.events();
    assert_eq!(
        (done.outcome, router.log()),
        (Outcome::Done, vec!["green 0 %".to_owned()])
    );
    assert!(events.contains("has not confirmed generation 7"), "{events}");
    assert!(events.contains("green keeps its pods"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_refuses_is_asked_again_and_capacity_is_judged_anew() {
    let router = FakeRouter::new(Some(holding(50)));
    *router.refuses.lock().expect("no panic") = 3;
    let stacks = FakeStacks::new(&router.log, 10, 5);
    let mut office = Office::new();
    let done = rolled_back(&router, behind(&stacks), &mut office).await;
    assert_eq!(
        (done.outcome, router.log()),
        (Outcome::Done, vec!["green 0 %".to_owned()])
    );
}
