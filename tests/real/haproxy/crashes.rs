//! `kill -9` at every boundary to the outside: whoever comes next ends as if nothing had happened.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rollgate_domain::rollout::record::State;

use crate::support::{
    require,
    world::{World, record_of, share_of},
};

/// The calls that reach outside, and how many cases of each run beside each other; they mostly wait.
///
/// Between two of these nothing changes that the next run could see: a command on a socket follows its
/// `connect`, and the map changes with `rename`.
const CALLS: [(&str, usize); 4] = [("connect", 5), ("rename", 2), ("fsync", 1), ("flock", 1)];

/// More of one call than any of these commands makes, on a slow machine too.
const MOST: u32 = 400;

/// Runs `command` and kills it before its `when`-th of `calls`; whether it was killed.
fn killed(command: &Command, calls: &str, when: u32) -> bool {
    let Some(strace) = require("strace") else {
        panic!("strace was there before")
    };
    let mut traced = Command::new(strace);
    traced
        .args(["-f", "-qqq", "-o", "/dev/null"])
        .arg(format!("--trace={calls}"))
        .arg(format!("--inject={calls}:signal=SIGKILL:when={when}"))
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    let ended = traced.output().expect("strace");
    // strace ends as its child did.
    ended.status.signal() == Some(9) || ended.status.code() == Some(137)
}

/// Nobody may have a share that the record beside it does not tell.
#[track_caller]
fn assert_recorded(world: &World, what: &str) {
    let value = world.value(0).expect("an entry");
    let share = share_of(&value).expect("a share");
    if share > 0 {
        assert_eq!(record_of(&value).weight.percent(), share, "{what}");
    }
}

/// Kills `verb` before each of its calls, one by one, until it survives, and lets `check` look at what is left.
/// How many were killed.
fn each_crash(
    steps: &[(u8, &'static str)],
    prepare: impl Fn(&World) + Sync,
    verb: &str,
    check: impl Fn(&World, &str, u32) + Sync,
) -> u32 {
    if require("strace").is_none() || require("haproxy").is_none() {
        return 0;
    }
    let places = CALLS.map(|_| (AtomicU32::new(1), AtomicU32::new(MOST)));
    let (prepare, check) = (&prepare, &check);
    thread::scope(|scope| {
        for (&(call, at_once), (next, survived)) in CALLS.iter().zip(&places) {
            for _ in 0..at_once {
                scope.spawn(move || {
                    let mut world = World::simulated().expect("HAProxy was there before");
                    world.plan.look = "100ms";
                    world.plan.steps = steps.to_vec();
                    loop {
                        let when = next.fetch_add(1, Ordering::SeqCst);
                        if when >= survived.load(Ordering::SeqCst) {
                            return;
                        }
                        world.put("0|");
                        prepare(&world);
                        let lives = !killed(&world.command([verb]), call, when);
                        assert_recorded(&world, &format!("{verb}, {call} {when}"));
                        check(&world, call, when);
                        if lives {
                            survived.fetch_min(when, Ordering::SeqCst);
                        }
                    }
                });
            }
        }
    });
    places
        .into_iter()
        .zip(CALLS)
        .map(|((_, survived), (call, _))| {
            let survived = survived.into_inner();
            assert!(survived < MOST, "{verb} makes more than {MOST} calls of {call}");
            survived - 1
        })
        .sum()
}

#[test]
fn a_start_that_is_killed_anywhere_can_be_repeated_or_driven() {
    let killed = each_crash(
        &[(50, "200ms")],
        |_| {},
        "start",
        |world, call, when| {
            assert_eq!(world.share(), Some(0), "{call} {when}");
            // Recorded already, or not yet.
            let again = world.shift(["start"]);
            assert!(
                [Some(0), Some(3)].contains(&again.code),
                "{call} {when}: {}",
                again.stderr
            );
            world.shift(["run"]).with(0);
            world.assert_all_on_stable();
            assert_eq!(world.record().state, State::Passed, "{call} {when}");
        },
    );
    said("start", killed);
}

#[test]
fn a_healthy_run_that_is_killed_anywhere_is_finished_by_the_next() {
    let killed = each_crash(
        &[(10, "200ms"), (50, "200ms")],
        |world| {
            world.meter().candidate_fails(0.0);
            world.shift(["start"]).with(0);
        },
        "run",
        |world, call, when| {
            world.shift(["run"]).with(0);
            world.assert_all_on_stable();
            assert_eq!(world.record().state, State::Passed, "{call} {when}");
        },
    );
    said("a healthy run", killed);
}

#[test]
fn a_run_with_a_bad_candidate_that_is_killed_anywhere_is_finished_by_the_next() {
    let killed = each_crash(
        &[(50, "1h")],
        |world| {
            world.meter().candidate_fails(0.3);
            world.abandoned_at(0);
        },
        "run",
        |world, call, when| {
            world.shift(["run"]).with(3);
            world.assert_all_on_stable();
            assert!(
                matches!(world.record().state, State::RolledBack { .. }),
                "{call} {when}"
            );
        },
    );
    said("a bad run", killed);
}

#[test]
fn restart_forgets_a_rollback_in_progress() {
    let killed = each_crash(
        &[(50, "1h")],
        |world| {
            world.meter().candidate_fails(0.3);
            world.abandoned_at(0);
        },
        "rollback",
        |world, call, when| {
            assert!([Some(0), Some(50)].contains(&world.share()), "{call} {when}");
            if when % 2 == 0 {
                world.shift(["rollback"]).with(0);
            } else {
                world.shift(["run"]).with(3);
            }
            world.assert_all_on_stable();
            assert!(
                matches!(world.record().state, State::RolledBack { .. }),
                "{call} {when}"
            );
        },
    );
    said("a rollback", killed);
}

#[expect(clippy::print_stderr, reason = "the size of the matrix is a result")]
fn said(what: &str, killed: u32) {
    eprintln!("{what} was killed at {killed} places");
}
