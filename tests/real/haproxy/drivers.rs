//! Two who drive: the older leaves, and whatever it was about to write is not written.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    require,
    servers::until,
    strace::struck,
    tool::signal,
    world::{World, record_of},
};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_older_of_two_drivers_leaves_and_names_the_owner() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let older = world.held_at(5);
    let newer = world.begin(["run"]);
    newer.until_it_says("driven by");
    let owner = format!("process {} on ", newer.pid());
    let ended = older.end().with(6).saying("fenced: ");
    assert!(ended.stderr.contains(&owner), "{owner}: {}", ended.stderr);
    assert_eq!(world.share(), Some(5));
    assert!(world.record().driver.run.starts_with(&owner));
}

#[test]
fn a_rollback_by_a_person_sends_the_driver_away() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let driver = world.held_at(5);
    world.shift(["rollback", "--reason", "orders fail"]).with(0);
    driver.end().with(6).saying("rolled back: orders fail");
    world.assert_all_on_stable();
}

#[test]
fn a_successor_that_comes_late_leaves_the_next_rollout_alone() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let driver = world.held_at(5);
    let before = world.record();
    world
        .shift(["run", "--rollout", "shop-20200101T000000Z"])
        .with(6)
        .saying("shop-20200101T000000Z is over, the router holds");
    assert_eq!(world.record().generation, before.generation);
    drop(driver);
}

#[test]
fn a_driver_whose_rollout_was_set_back_leaves_the_next_one_alone() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let older = world.held_at(5);
    world.put("0|");
    older.until_it_says("the router has lost the rollout's record");
    // The next rollout counts its generations from 1 again.
    world.shift(["start"]).with(0);
    older.end().with(6).saying("fenced: ");
    assert_eq!(world.share(), Some(0));
    let next = world.begin(["run"]);
    next.until_it_says("raised from 0 %");
    assert_eq!(world.record().generation, 2);
}

#[test]
fn a_stale_driver_with_a_bad_verdict_leaves_the_next_rollout_alone() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let stale = world.held_at(5);
    stale.signal("STOP");
    world.shift(["rollback"]).with(0);
    let next = world.held_at(5);
    let record = world.record();
    // Both will find the candidate bad; the stale one has no say any more.
    next.signal("STOP");
    world.meter().candidate_fails(0.3);
    stale.signal("CONT");
    stale.end().with(6);
    let now = world.record();
    assert_eq!((now.generation, now.state), (record.generation, record.state));
    assert_eq!(world.share(), Some(5));
    next.signal("CONT");
    next.end().with(3);
    world.assert_all_on_stable();
}

/// Stops the driver of an abandoned rollout at the `when`-th `call`, gives the rollout to others, lets it go
/// on, and looks that it changes nothing.
fn frozen_at(call: &str, when: u32, bad: bool) -> Option<bool> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "400ms"), (10, "1h")];
    world.abandoned_at(0);
    if bad {
        world.meter().candidate_fails(0.3);
    }
    let trace = world.path("trace");
    let traced = struck(&world.command(["run"]), call, "SIGSTOP", when, &trace)?;
    let mut tracer = world.spawn(traced);
    let pid = until("the driver is there", SOON, || {
        let path = format!("/proc/{0}/task/{0}/children", tracer.pid());
        let children = std::fs::read_to_string(path).ok()?;
        // strace has other children too, for a moment.
        let ours = |pid: &&str| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "shift-traffic\n")
        };
        children.split_whitespace().find(ours)?.parse::<u32>().ok()
    });
    let frozen = until("the driver stops or ends", SOON, || {
        let traced = std::fs::read_to_string(&trace).unwrap_or_default();
        traced
            .contains("--- stopped by SIGSTOP ---")
            .then_some(true)
            .or_else(|| tracer.is_over().then_some(false))
    });
    if !frozen {
        return Some(false);
    }
    let had_taken = tracer.stderr().contains("driven by");
    world.meter().candidate_fails(0.0);
    world.shift(["rollback"]).with(0);
    world.shift(["start"]).with(0);
    let owned = world.record();
    signal(pid, "CONT");
    let end = Instant::now() + Duration::from_secs(if had_taken { 15 } else { 1 });
    while !tracer.is_over() && Instant::now() < end {
        for value in [world.value(0).unwrap_or_default(), world.file_value()] {
            let generation = record_of(&value).generation;
            assert!(generation >= owned.generation, "{call} {when} {bad}: {value}");
        }
    }
    if had_taken {
        tracer.end().with(6);
        assert_eq!(world.record(), owned, "{call} {when} {bad}");
        world.assert_all_on_stable();
    } else if !tracer.is_over() {
        // Who had not taken anything before may take the new rollout, as any run may. It outlives its tracer.
        signal(pid, "KILL");
        tracer.end();
    }
    Some(true)
}

#[test]
fn a_driver_frozen_while_it_writes_never_writes_over_the_next_rollout() {
    if require("strace").is_none() || require("haproxy").is_none() {
        return;
    }
    // Each call of a take-over (connect 1 to 5, flock 1) and of the writes after it.
    let cases: Vec<_> = [
        ("flock", 1, false),
        ("flock", 2, false),
        ("rename", 1, false),
        ("flock", 2, true),
    ]
    .into_iter()
    .chain((1..=12).map(|when| ("connect", when, false)))
    .collect();
    let frozen = thread::scope(|scope| {
        let threads: Vec<_> = cases
            .chunks(4)
            .map(|cases| {
                scope.spawn(move || {
                    cases
                        .iter()
                        .filter(|(call, when, bad)| frozen_at(call, *when, *bad) == Some(true))
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a case"))
            .sum::<usize>()
    });
    assert!(frozen >= 10, "{frozen} of {} cases were frozen", cases.len());
}
