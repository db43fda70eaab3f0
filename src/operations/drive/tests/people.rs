//! Decisions of people while a driver drives: gates, signals, windows.

use jiff::tz::TimeZone;
use rollgate_domain::rollout::{
    moves::By,
    phase::{Gate, Severity},
};

use super::{
    fake::{Fake, at, driven, fake, start},
    *,
};
use crate::operations::tests::Office;

/// A world whose canary has a gate after so many minutes.
fn gated(minutes: i64) -> Fake {
    let fake = fake();
    fake.state.lock().expect("no panic").record.gates = vec![Gate {
        at: SignedDuration::from_mins(minutes),
        go: None,
    }];
    fake
}

fn person(second: i64) -> By<'static> {
    By {
        run: "a button",
        actor: "octocat",
        at: at(second),
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_told_once_and_lets_nothing_rise_until_somebody_says_go() {
    let go: fn(&Record) -> Record = |record| record.after(Move::Go, person(9_000)).expect("active");
    let fake = Fake {
        // Two and a half hours of looks.
        intruder: Some((600, go)),
        ..gated(40)
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
    assert_eq!(events.matches("waits for a person").count(), 1, "{events}");
    let raised = events.lines().find(|line| line.contains("raised from 5 %"));
    assert!(raised.is_some_and(|line| line.starts_with("10:")), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_breach_while_a_gate_waits() {
    let go_bad: fn(&Record) -> Record = Record::clone;
    let fake = Fake {
        error_rate: 0.02,
        intruder: Some((1, go_bad)),
        ..gated(1)
    };
    {
        let mut state = fake.state.lock().expect("no panic");
        state.record = state.record.after(Move::Raise, person(0)).expect("ready");
    }
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert!(events.contains("waits for a person"), "{events}");
    assert_eq!(fake.shares(), [0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn the_next_driver_does_not_ask_again() {
    let fake = gated(10);
    let (_, events) = driven(&fake, 20, None, AS_IS).await;
    assert_eq!(events.matches("waits for a person").count(), 1, "{events}");
    let (_, events) = driven(&fake, 20, None, AS_IS).await;
    assert_eq!(events.matches("waits for a person").count(), 0, "{events}");
    assert!(!fake.shares().contains(&5));
}

#[tokio::test(start_paused = true)]
async fn nothing_rises_after_a_signal_until_somebody_says_go() {
    let signals: fn(&Record) -> Record = |record| {
        let signal = Move::Signal(Severity::Watch, "odd mails".to_owned());
        record.after(signal, person(100)).expect("active")
    };
    let fake = Fake {
        intruder: Some((20, signals)),
        ..fake()
    };
    let (ended, events) = driven(&fake, 120, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(
        events.contains("waits for a person: signal (watch) from octocat: odd mails"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_share_rises_only_in_the_window_and_people_hear_of_it_once() {
    let fake = fake();
    // It is a Friday, 08:00: the window is open for the first step only.
    let orders: fn(&mut Orders) = |orders| {
        orders.window = Window::parse("Mon-Fri 08:00-08:20 UTC", |_| Some(TimeZone::UTC)).ok();
    };
    let (_, events) = driven(&fake, 600, None, orders).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    let said = "no rise: the share rises only Mon,Tue,Wed,Thu,Fri 08:00-08:20 UTC; that is next Mon 2027-01-18 08:00 UTC";
    assert_eq!(events.matches(said).count(), 1, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_does_not_wait_for_the_window() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    {
        let mut state = fake.state.lock().expect("no panic");
        state.record = state.record.after(Move::Raise, person(0)).expect("ready");
    }
    let orders: fn(&mut Orders) = |orders| {
        orders.window = Window::parse("Sat 08:00-08:20 UTC", |_| Some(TimeZone::UTC)).ok();
    };
    let (ended, events) = driven(&fake, 600, None, orders).await;
    assert_eq!(
        (fake.shares(), ended.outcome),
        (vec![0], Outcome::Refused),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_person_has_paused_stays_so_until_a_person_goes_on() {
    let fake = fake();
    let mut office = Office::new();
    let paused = |step: fn(String) -> Move| {
        let mut state = fake.state.lock().expect("no panic");
        let ready = Record {
            state: State::Ready { step: 1 },
            ..state.record.clone()
        };
        state.record = ready
            .after(step("over lunch".to_owned()), person(0))
            .expect("ready");
        state.record.clone()
    };
    let taken = async |record: &Record, continues, office: &mut Office| {
        let taken = take(&fake, &mut office.desk, &record.rollout, &start(), continues).await;
        taken.expect("a rollout").map_err(|ended| ended.outcome)
    };
    let by_a_driver = paused(Move::Pause);
    let next = taken(&by_a_driver, true, &mut office).await.expect("it goes on");
    assert_eq!(next.state, State::Ready { step: 1 });

    let by_a_person = paused(Move::PauseByHand);
    assert_eq!(taken(&by_a_person, true, &mut office).await, Err(Outcome::Hold));
    assert_eq!(fake.state.lock().expect("no panic").record, by_a_person);
    let next = taken(&by_a_person, false, &mut office)
        .await
        .expect("a person's run");
    assert_eq!(next.state, State::Ready { step: 1 });
    // So does `resume`, for whoever was called before.
    let resumed = by_a_person.after(Move::Resume, person(0)).expect("paused");
    assert_eq!(resumed.state, State::Ready { step: 1 });
}
