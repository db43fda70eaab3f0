//! Writes that were cut off, restarts of nginx and files that were put back.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
};

use rollgate::providers::traffic::Users;
use rollgate_domain::rollout::{moves::Move, record::State};

use super::{abandoned_at, record, seen, write};
use crate::support::{nginx::NginxWorld, world::after};

/// Users are told apart by nothing here.
fn users() -> Users {
    Users::default()
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
