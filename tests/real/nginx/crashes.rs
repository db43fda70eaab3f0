//! Whatever dies when: the next run finishes it, and nginx serves nothing that is not recorded.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    os::unix::process::ExitStatusExt as _,
    process::Command,
};

use rollgate::providers::traffic::Users;
use rollgate_domain::rollout::{moves::Move, record::State};

use super::{abandoned_at, record, seen, write};
use crate::support::{nginx::NginxWorld, require, world::after};

/// Users are told apart by nothing here.
fn users() -> Users {
    Users::default()
}

/// Runs `command` and kills it before its `when`-th of `calls`; whether it was killed.
fn killed(command: &Command, calls: &str, when: u32) -> Option<bool> {
    let strace = require("strace")?;
    let mut traced = Command::new(strace);
    traced
        .args(["-qqq", "-o", "/dev/null"])
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
    Some(ended.status.signal() == Some(9) || ended.status.code() == Some(137))
}

/// A rename puts the file before aside, the next one writes; then come the test, the reload and the questions.
const CALLS: [&str; 4] = ["rename", "clone,clone3,vfork", "connect", "fsync"];

fn finished_by_the_next(verb: &str) {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    let mut places = 0;
    for calls in CALLS {
        for when in 1..60 {
            let held = if verb == "start" {
                None
            } else {
                Some(abandoned_at(&world, &users(), 1))
            };
            let Some(was_killed) = killed(&world.command([verb]), calls, when) else {
                return;
            };
            let here = seen(&world);
            assert_eq!(here.drift, None, "{calls} {when}");
            if let (Some(held), Some(share)) = (&held, here.share) {
                assert!(share <= held.weight, "{calls} {when}: {share}");
            }
            world.shift(["rollback"]).with(0);
            let here = seen(&world);
            let share = here.share.map(rollgate_domain::weight::Weight::percent);
            assert_eq!((share, here.torn), (Some(0), false), "{calls} {when}");
            for user in 0..20 {
                let id = format!("x-user-id: user-{user}\r\n");
                assert_eq!(world.version("GET /", &id), "blue", "{calls} {when}");
            }
            if !was_killed {
                break;
            }
            places += 1;
        }
    }
    assert!(places > 5, "{verb} was killed at {places} places only");
}

#[test]
fn a_rollback_that_is_killed_anywhere_is_finished_by_the_next() {
    finished_by_the_next("rollback");
}

#[test]
fn a_start_that_is_killed_anywhere_leaves_everybody_on_stable() {
    finished_by_the_next("start");
}

#[test]
fn a_write_that_was_killed_before_the_reload_is_torn_and_the_next_heartbeat_finishes_it() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    let held = abandoned_at(&world, &users(), 0);
    let before = world.file();
    let raised = after(&held, Move::Advance);
    write(&world, &users(), &raised).expect("a write");
    // As it was when the file was there and nobody had been told.
    let new = world.file();
    fs::write(world.include(), &before).expect("the file");
    world.reload();
    fs::write(world.include(), &new).expect("the file");
    let here = seen(&world);
    assert_eq!((here.torn, here.drift), (true, None));
    assert_eq!(here.share, Some(held.weight));
    let said = world.shift(["status"]).with(0).stdout;
    assert!(said.contains("cut off in the middle"), "{said}");

    let here = write(&world, &users(), &after(&raised, Move::Beat)).expect("a write");
    assert_eq!((here.torn, here.share), (false, Some(raised.weight)));
    let served = world.served().expect("an answer");
    assert!(served.ends_with(" 50 green"), "{served}");
}

#[test]
fn a_restart_of_nginx_in_the_middle_brings_the_share_back() {
    let Some(mut world) = NginxWorld::start("") else {
        return;
    };
    let held = abandoned_at(&world, &users(), 0);
    world.stop();
    let here = seen(&world);
    assert_eq!(here.share, Some(held.weight));
    assert!(here.unreachable[0].contains("does not answer"), "{here:?}");
    assert!(world.begin(), "{}", world.log());
    let here = seen(&world);
    assert_eq!((here.share, here.unreachable), (Some(held.weight), Vec::new()));
}

#[test]
fn an_old_file_that_is_put_back_is_seen_and_a_rollback_overwrites_it() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    world.shift(["start"]).with(0);
    let old = world.file();
    let mut held = record(&world);
    for step in [Move::Take, Move::Raise] {
        held = after(&held, step);
    }
    write(&world, &users(), &held).expect("a write");
    fs::write(world.include(), &old).expect("the file");
    let here = seen(&world);
    let drift = here.drift.expect("drift");
    assert!(
        drift.contains("was put back to an older state: nginx still serves 10 % to green"),
        "{drift}"
    );
    assert_eq!(here.share, Some(held.weight));
    world.shift(["rollback"]).with(0);
    assert_eq!(seen(&world).drift, None);
    assert!(matches!(record(&world).state, State::RolledBack { .. }));
}

#[test]
fn mode_and_owner_of_the_file_stay_and_the_one_before_is_kept() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    fs::set_permissions(world.include(), fs::Permissions::from_mode(0o640)).expect("a mode");
    // Only root can give a file away.
    let _ = chown(world.include(), Some(65_534), Some(65_534));
    let of = |world: &NginxWorld| {
        let data = fs::metadata(world.include()).expect("the file");
        (data.mode() & 0o7777, data.uid(), data.gid())
    };
    let belongs = of(&world);
    let held = abandoned_at(&world, &users(), 0);
    let before = world.file();
    write(&world, &users(), &after(&held, Move::Advance)).expect("a write");
    assert_eq!(of(&world), belongs);
    let kept = fs::read_to_string(world.path("rollgate.conf.before")).expect("the file before");
    assert_eq!(kept, before);
}
