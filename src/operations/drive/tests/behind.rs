//! What a driver does with the pods, autoscalers and workers behind the router.

use super::{fake::Fake, *};
use crate::operations::tests::{FakeStacks, Log, autoscaler};

/// `blue` pods of stable, ten of which carried everything, and `green` ones of the candidate.
fn with(blue: u32, green: u32) -> Fake {
    let fake = Fake {
        stacks: Some(FakeStacks::new(&Log::default(), blue, green)),
        ..fake()
    };
    let mut state = fake.state.lock().expect("no panic");
    state.record.whole = Some(10);
    state.record.stable.images = vec!["shop:blue".to_owned()];
    state.record.candidate.images = vec!["shop:green".to_owned()];
    drop(state);
    fake
}

fn stacks(fake: &Fake) -> &FakeStacks {
    fake.stacks.as_ref().expect("stacks")
}

fn log(fake: &Fake) -> Vec<String> {
    stacks(fake).log.lock().expect("no panic").clone()
}

/// The record at its last step, so that one phase can be tested without the steps before it.
fn in_production(fake: &Fake, weights: &[u8]) {
    let mut state = fake.state.lock().expect("no panic");
    let course =
        crate::operations::tests::course(rollgate_domain::rollout::phase::Phase::Production, weights);
    state.record.phase = course.phase;
    state.record.ladder = course.ladder;
}

#[tokio::test(start_paused = true)]
async fn the_candidate_gets_the_pods_that_its_next_share_needs_before_it_gets_the_share() {
    let fake = with(10, 1);
    in_production(&fake, &[10, 50, 100]);
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(
        log(&fake),
        [
            "green 10 %",
            "green AtLeast(5)",
            "green 50 %",
            "green AtLeast(10)",
            "green 100 %",
            "blue 0 %"
        ],
        "{events}"
    );
    assert_eq!(ended.outcome, Outcome::Done);
    assert!(matches!(ended.record.state, State::Promoted { .. }));
    assert!(
        events.contains("no rise: green has 1 of 1 ready, 50 % of the traffic needs 5"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_looping_candidate_gets_no_users_and_its_trouble_is_named() {
    let fake = with(10, 1);
    stacks(&fake).change("green", |stack| {
        stack.ready = 0;
        stack.trouble = Some("back-off restarting failed container".to_owned());
    });
    let (ended, events) = driven(&fake, 60, None, AS_IS).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(
        events.contains("green has nothing ready (back-off restarting failed container)"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_rises_from_where_stable_could_not_take_it_back() {
    let fake = with(3, 10);
    in_production(&fake, &[5, 50, 100]);
    let (_, events) = driven(&fake, 120, None, AS_IS).await;
    // 3 of 10 pods take 5 % back, but not 50 %.
    assert_eq!(fake.shares(), [5, 0], "{events}");
    assert!(
        events.contains("blue has 3 of 10 ready: it could not take 50 % back"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn stables_autoscaler_is_held_before_anybody_leaves_it() {
    let fake = with(10, 10);
    stacks(&fake).change("blue", |stack| stack.autoscaler = Some(autoscaler(2)));
    driven(&fake, 10, None, AS_IS).await;
    assert_eq!(log(&fake)[..2], ["blue Hold(10)", "green 1 %"]);
}

#[tokio::test(start_paused = true)]
async fn background_workers_run_where_all_the_users_are() {
    let fake = with(10, 10);
    in_production(&fake, &[50, 100]);
    for name in ["blue", "green"] {
        stacks(&fake).change(name, |stack| stack.workers = Some(3));
    }
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Done, "{events}");
    assert_eq!(
        log(&fake),
        [
            "green WorkersQuiet",
            "green 50 %",
            "green 100 %",
            "blue WorkersQuiet",
            "green WorkersAsBefore(3)",
            "blue 0 %"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn workers_that_cannot_be_stopped_let_nobody_in() {
    let mut fake = with(10, 10);
    if let Some(stacks) = &mut fake.stacks {
        stacks.refuses = true;
    }
    stacks(&fake).change("green", |stack| stack.workers = Some(3));
    let (_, events) = driven(&fake, 60, None, AS_IS).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert!(
        events.contains("no rise: stop the workers of green: exceeded quota"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_third_release_in_the_middle_of_a_rollout() {
    let fake = with(10, 10);
    let redeployed = async {
        tokio::time::sleep(std::time::Duration::from_mins(40)).await;
        stacks(&fake).change("green", |stack| stack.images = vec!["shop:third".to_owned()]);
        std::future::pending::<()>().await;
    };
    let (ended, events) = tokio::select! {
        ended = driven(&fake, 600, None, AS_IS) => ended,
        () = redeployed => unreachable!("it waits for ever"),
    };
    assert_eq!(fake.shares(), [1, 5, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(matches!(ended.record.state, State::Paused { step: 1, .. }));
    assert!(
        events.contains("it runs shop:third, the rollout began with shop:green"),
        "{events}"
    );
    // The next run does not raise it either.
    let (ended, _) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!((fake.shares(), ended.outcome), (vec![1, 5, 0], Outcome::Hold));
}

#[tokio::test(start_paused = true)]
async fn a_stable_version_that_was_redeployed_stops_rises_and_only_rises() {
    let fake = with(10, 10);
    stacks(&fake).change("blue", |stack| stack.images = vec!["shop:hotfix".to_owned()]);
    let (_, events) = driven(&fake, 60, None, AS_IS).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert!(
        events.contains("blue was redeployed in the middle of the rollout"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn stacks_that_cannot_be_read_hinder_a_rise_and_no_rollback() {
    let mut fake = with(10, 10);
    fake.error_rate = 0.02;
    {
        let mut state = fake.state.lock().expect("no panic");
        let by = crate::operations::tests::by();
        state.record = state.record.after(Move::Raise, by).expect("ready");
    }
    if let Some(stacks) = &mut fake.stacks {
        stacks.unreadable = true;
    }
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(
        (fake.shares(), ended.outcome),
        (vec![0], Outcome::Refused),
        "{events}"
    );
    assert!(
        events.contains("what runs behind the router cannot be read"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drivers_rollback_waits_for_stable_and_is_not_fenced_by_its_own_writes() {
    let fake = Fake {
        error_rate: 0.02,
        ..with(10, 10)
    };
    in_production(&fake, &[50, 100]);
    let scaled_down = async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        stacks(&fake).change("blue", |stack| {
            stack.ready = 6;
            stack.wanted = 6;
        });
        std::future::pending::<()>().await;
    };
    let (ended, events) = tokio::select! {
        ended = driven(&fake, 600, None, AS_IS) => ended,
        () = scaled_down => unreachable!("it waits for ever"),
    };
    assert_eq!(ended.outcome, Outcome::Refused, "{events}");
    assert_eq!(
        log(&fake),
        ["green 50 %", "blue AtLeast(10)", "green 25 %", "green 0 %"],
        "{events}"
    );
}
