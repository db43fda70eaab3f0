//! By way of 5 %, what cuts the look short there, and what a dry run says of all that.

use rollgate_domain::{analysis::Settings, rollout::record::Record};
use tokio::sync::watch;

use super::*;
use crate::operations::{
    look::Watcher,
    rollback::{
        describe::{Stop, describe},
        gradual::{Look, roll_back_gradually},
    },
    tests::Meter,
};

/// How it ended, and how long it took in seconds.
async fn gradually(
    router: &FakeRouter,
    meter: Option<&Meter>,
    signal_after: Option<u64>,
) -> (RolledBack, i64) {
    let mut office = Office::new();
    let way = Way {
        behind: Behind::default(),
        patience: SignedDuration::from_mins(2),
        capacity_within: SignedDuration::from_mins(2),
    };
    let (sender, interrupt) = watch::channel(None);
    let watcher = |record: &Record, now| {
        let settings = Settings {
            planned: SignedDuration::from_hours(3),
            ..Settings::default()
        };
        Some(Watcher::new(meter?, settings, record, now))
    };
    let look = Look {
        watcher: &watcher,
        time: SignedDuration::from_mins(2),
        interrupt,
    };
    let signal = async {
        if let Some(seconds) = signal_after {
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
            let _ = sender.send(Some("SIGTERM"));
        }
        std::future::pending::<()>().await;
    };
    let done = tokio::select! {
        done = roll_back_gradually(router, &mut office.desk, base(), "p95 is up", &way, look) => done,
        () = signal => unreachable!("it waits for ever"),
    };
    (done, office.second())
}

const GOOD: Meter = Meter {
    error_rate: 0.001,
    down: false,
};

#[tokio::test(start_paused = true)]
async fn a_gradual_rollback_looks_at_5_percent_and_goes_to_0() {
    let router = FakeRouter::new(Some(holding(75)));
    let (done, seconds) = gradually(&router, Some(&GOOD), None).await;
    assert_eq!(router.log(), ["green 5 %", "green 0 %"]);
    assert_eq!((done.outcome, seconds), (Outcome::Done, 120));
    assert!(matches!(router.has().state, State::RolledBack { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_with_less_is_not_raised_for_the_look() {
    let router = FakeRouter::new(Some(holding(1)));
    gradually(&router, Some(&GOOD), None).await;
    assert_eq!(router.log(), ["green 1 %", "green 0 %"]);
}

#[tokio::test(start_paused = true)]
async fn a_router_without_5_percent_stops_at_the_next_share_below_or_nowhere() {
    for (these, log, longest) in [
        (vec![0, 100], vec!["green 0 %"], 0),
        (vec![0, 2, 4, 75, 100], vec!["green 4 %", "green 0 %"], 120),
    ] {
        let mut router = FakeRouter::new(Some(holding(75)));
        router.shares = only(these);
        let (done, seconds) = gradually(&router, Some(&GOOD), None).await;
        assert_eq!(
            (router.log(), seconds),
            (log.iter().map(ToString::to_string).collect(), longest)
        );
        assert_eq!(done.outcome, Outcome::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn harm_no_metrics_and_an_order_to_leave_end_the_look() {
    let bad = Meter {
        error_rate: 0.5,
        down: false,
    };
    let down = Meter {
        error_rate: 0.001,
        down: true,
    };
    for (meter, signal, longest) in [
        (Some(&bad), None, 119),
        (Some(&down), None, 40),
        (Some(&GOOD), Some(7), 7),
        (None, None, 0),
    ] {
        let router = FakeRouter::new(Some(holding(75)));
        let (done, seconds) = gradually(&router, meter, signal).await;
        assert_eq!(router.log(), ["green 5 %", "green 0 %"]);
        assert_eq!(done.outcome, Outcome::Done);
        assert!(seconds <= longest, "{seconds} s, at most {longest}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_5_percent_the_next_one_goes_on_from_there() {
    let router = FakeRouter::new(Some(holding(75)));
    tokio::select! {
        _ = gradually(&router, Some(&GOOD), None) => unreachable!("it is killed before"),
        () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
    }
    assert_eq!(router.has().weight, weight(5));
    let done = rolled_back(&router, Behind::default(), &mut Office::new()).await;
    assert_eq!(
        (done.outcome, router.log()),
        (
            Outcome::Done,
            vec!["green 5 %".to_owned(), "green 0 %".to_owned()]
        )
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_no_share_to_look_at_goes_back_at_once() {
    let passed = Record::start(beginning(course(Phase::Canary, &[1])), None, by());
    let router = FakeRouter::new(Some(passed));
    let (done, seconds) = gradually(&router, Some(&GOOD), None).await;
    assert_eq!(
        (done.outcome, seconds, router.log()),
        (Outcome::Done, 0, vec!["green 0 %".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_rollout_that_begins_during_the_look_is_left_alone() {
    let router = FakeRouter::new(Some(holding(75)));
    let next = async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let mut next = holding(50);
        next.rollout = "shop-of-tomorrow".to_owned();
        *router.record.lock().expect("no panic") = Some(next);
        std::future::pending::<()>().await;
    };
    let (done, _) = tokio::select! {
        done = gradually(&router, Some(&GOOD), None) => done,
        () = next => unreachable!("it waits for ever"),
    };
    assert_eq!((done.outcome, router.has().weight), (Outcome::Fenced, weight(50)));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_somebody_else_during_the_look_is_done_too() {
    let router = FakeRouter::new(Some(holding(75)));
    let emergency = async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        rolled_back(&router, Behind::default(), &mut Office::new()).await;
        std::future::pending::<()>().await;
    };
    let (done, _) = tokio::select! {
        done = gradually(&router, Some(&GOOD), None) => done,
        () = emergency => unreachable!("it waits for ever"),
    };
    assert_eq!((done.outcome, router.log().len()), (Outcome::Done, 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_shows_that_somebody_drives() {
    let router = FakeRouter::new(Some(holding(75)));
    tokio::select! {
        _ = gradually(&router, Some(&GOOD), None) => unreachable!("it is not over"),
        () = tokio::time::sleep(std::time::Duration::from_secs(100)) => {}
    }
    let last = router.has().driver.heartbeat;
    assert!(last >= crate::operations::tests::at(80), "{last}");
}

/// What a dry run says; it writes nothing.
async fn shown(router: &FakeRouter, behind: Behind<'_>, stop: Stop) -> String {
    let office = Office::new();
    let way = Way {
        behind,
        ..Way::router_only(SignedDuration::ZERO)
    };
    let said = describe(router, &office.desk, &base(), "p95 is up", &way, stop).await;
    let (text, after) = said.expect("a router that answers");
    assert_eq!((router.log(), after.weight), (Vec::new(), Weight::ZERO));
    text
}

#[tokio::test]
async fn a_dry_run_shows_both_writes_and_the_look_between_them() {
    let router = FakeRouter::new(Some(holding(75)));
    let two_minutes = Stop::Watched(SignedDuration::from_mins(2));
    insta::assert_snapshot!(shown(&router, Behind::default(), two_minutes).await, @"
    would give green 5 %
    would watch green at 5 % for 2m; harm, or metrics that fail, end that at once. Then:
    would give green 0 %
    ");
    insta::assert_snapshot!(shown(&router, Behind::default(), Stop::Blind).await, @"
    would give green 5 %
    would not wait at 5 %: nobody can look at green. Then:
    would give green 0 %
    ");
    insta::assert_snapshot!(shown(&router, Behind::default(), Stop::None).await, @"would give green 0 %");
    let short = FakeStacks::new(&router.log, 4, 10);
    insta::assert_snapshot!(shown(&router, behind(&short), two_minutes).await, @"
    would wait: blue has 4 of 10 ready
    would ask blue for AtLeast(10)
    would give green 5 %
    would watch green at 5 % for 2m; harm, or metrics that fail, end that at once. Then:
    would give green 0 %
    ");
}

#[tokio::test]
async fn a_dry_run_of_what_is_done_shows_no_write() {
    let done = holding(75).after(Move::RollBack("orders fail".to_owned()), by());
    let router = FakeRouter::new(Some(done.expect("a way back")));
    insta::assert_snapshot!(shown(&router, Behind::default(), Stop::None).await, @"would write nothing: the rollout is rolled back: orders fail");
}

#[tokio::test]
async fn a_dry_run_shows_one_write_where_there_is_no_stop() {
    let two_minutes = Stop::Watched(SignedDuration::from_mins(2));
    let mut switch = FakeRouter::new(Some(holding(100)));
    switch.shares = only(vec![0, 100]);
    let ready = Record::start(beginning(course(Phase::Canary, &[1])), None, by());
    for router in [switch, FakeRouter::new(Some(ready)), FakeRouter::new(None)] {
        assert_eq!(
            shown(&router, Behind::default(), two_minutes).await,
            "would give green 0 %\n"
        );
    }
}
