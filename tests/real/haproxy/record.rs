//! Share and record in several places: the file and every process.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    time::Duration,
};

use rollgate_domain::rollout::{moves::Move, record::State};

use crate::support::{
    servers::until,
    world::{World, after, entry, record_of, share_of},
};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_reload_in_the_middle_of_a_rollout_changes_nothing() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1500ms"), (10, "400ms")];
    let driver = world.held_at(5);
    world.haproxy[0].reload();
    assert_eq!(world.share(), Some(5));
    driver.end().with(0);
    world.assert_all_on_stable();
    assert_eq!(world.record().state, State::Passed);
}

#[test]
fn a_restart_in_the_middle_of_a_rollout_brings_the_share_back_and_the_driver_goes_on() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1500ms"), (10, "400ms")];
    let driver = world.held_at(5);
    world.haproxy[0].stop();
    assert_eq!(world.share(), None);
    assert!(world.haproxy[0].begin());
    assert_eq!(world.share(), Some(5));
    driver.end().with(0);
    world.assert_all_on_stable();
    assert_eq!(world.record().state, State::Passed);
}

#[test]
fn two_processes_get_every_write() {
    let Some(mut world) = World::with_processes(2) else {
        return;
    };
    world.plan.steps = vec![(5, "400ms"), (10, "1h")];
    let driver = world.held_at(10);
    until("the second process follows", SOON, || {
        (world.value(1) == world.value(0)).then_some(())
    });
    world.shift(["rollback"]).with(0);
    assert!(world.value(1).is_some());
    world.assert_all_on_stable();
    driver.end().with(6);
}

#[test]
fn with_one_of_two_processes_down_nothing_rises_and_a_rollback_reaches_the_other() {
    let Some(mut world) = World::with_processes(2) else {
        return;
    };
    world.plan.steps = vec![(5, "1s"), (10, "1h")];
    let driver = world.held_at(5);
    world.haproxy[1].stop();
    driver.until_it_says("no rise: talk to HAProxy at");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.share(), Some(5));

    let generation = world.record().generation;
    let dead = world.haproxy[1].socket.display().to_string();
    world
        .shift(["rollback", "--patience", "1s"])
        .with(5)
        .saying(&dead)
        .saying("STUCK");
    world.assert_all_on_stable();
    assert!(world.record().generation > generation);
    driver.end().with(6);

    // It comes back with the file, and the rollback is confirmed.
    assert!(world.haproxy[1].begin());
    assert_eq!(share_of(&world.value(1).expect("an entry")), Some(0));
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();
}

#[test]
fn a_canary_gets_a_watcher_also_while_one_of_two_processes_is_down() {
    let Some(mut world) = World::with_processes(2) else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    world.abandoned_at(0);
    world.haproxy[1].stop();
    let driver = world.begin(["run"]);
    driver.until_it_says("no rise: talk to HAProxy at");
    world.meter().candidate_fails(0.05);
    // The living one is on stable, and the driver goes on until the other one is, too.
    driver.until_it_says("ROLLBACK STUCK: ");
    assert_eq!(world.share(), Some(0));
    assert!(world.haproxy[1].begin());
    driver.until_it_says("rolled back: ");
    driver.end().with(3);
    world.assert_all_on_stable();
}

#[test]
fn a_canary_gets_a_watcher_also_while_one_of_two_processes_hangs() {
    let Some(mut world) = World::with_processes(2) else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    world.abandoned_at(0);
    let _deaf = super::bad_input::Deaf::listen(&world.path("deaf.sock"), "");
    world.plan.sockets[1] = world.path("deaf.sock").display().to_string();
    let driver = world.begin(["run"]);
    driver.until_it_says("driven by");
    world.meter().candidate_fails(0.05);
    until("the living process is on stable", SOON, || {
        (world.share() == Some(0)).then_some(())
    });
    assert_eq!(share_of(&world.file_value()), Some(0));
}

/// A write that reached only some places: what each has, as a crash between two places leaves it.
#[track_caller]
fn torn(newer: Move, places: [bool; 3]) -> Option<World> {
    let mut world = World::with_processes(2)?;
    world.plan.steps = vec![(5, "400ms"), (10, "400ms")];
    let record = world.abandoned_at(0);
    let newer = entry(&after(&record, newer));
    let [file, first, second] = places;
    if file {
        world.put_file(&newer);
    }
    for (number, _) in [first, second].into_iter().enumerate().filter(|(_, new)| *new) {
        world.put_live(number, Some(&newer));
    }
    let said = world.shift(["status"]).with(0).stdout;
    assert!(said.contains("cut off in the middle"), "{said}");
    Some(world)
}

#[test]
fn a_rise_that_reached_one_place_is_finished_by_the_next_run_and_taken_back_by_a_rollback() {
    for places in [[false, true, false], [false, true, true], [true, false, true]] {
        let Some(world) = torn(Move::Advance, places) else {
            return;
        };
        world.shift(["run"]).with(0);
        world.assert_all_on_stable();
        assert_eq!(world.record().state, State::Passed, "{places:?}");

        let Some(world) = torn(Move::Advance, places) else {
            return;
        };
        let highest = record_of(&world.file_value()).generation;
        world.shift(["rollback"]).with(0);
        world.assert_all_on_stable();
        assert!(world.record().generation > highest);
    }
}

#[test]
fn a_rollback_that_reached_one_place_is_finished_by_the_next_run() {
    for places in [[true, false, false], [true, true, false], [true, false, true]] {
        for verb in ["run", "rollback"] {
            let Some(world) = torn(Move::RollBack("orders fail".to_owned()), places) else {
                return;
            };
            world
                .shift([verb])
                .with(if verb == "run" { 3 } else { 0 })
                .saying("orders fail");
            world.assert_all_on_stable();
            let record = world.record();
            assert!(
                matches!(record.state, State::RolledBack { reason } if reason == "orders fail"),
                "{places:?} {verb}"
            );
        }
    }
}

#[test]
fn a_pass_that_reached_one_place_is_finished_by_the_next_run() {
    let Some(mut world) = World::with_processes(2) else {
        return;
    };
    world.plan.steps = vec![(5, "400ms")];
    let record = world.abandoned_at(0);
    world.put_file(&entry(&after(&record, Move::Pass)));
    assert_eq!(world.share(), Some(5));
    world.shift(["run"]).with(0);
    world.assert_all_on_stable();
    assert_eq!(world.record().state, State::Passed);
}

#[test]
fn other_lines_mode_and_owner_of_the_map_stay() {
    let Some(world) = World::simulated() else { return };
    let others = |world: &World| -> String {
        let text = fs::read_to_string(world.map()).expect("the map");
        text.split_inclusive('\n')
            .filter(|line| !line.starts_with("web "))
            .collect()
    };
    let before = others(&world);
    fs::set_permissions(world.map(), fs::Permissions::from_mode(0o640)).expect("a mode");
    // Only root can give a file away.
    let given = chown(world.map(), Some(65_534), Some(65_534)).is_ok();
    let of = |world: &World| {
        let data = fs::metadata(world.map()).expect("the map");
        (data.mode() & 0o7777, data.uid(), data.gid())
    };
    let belongs = of(&world);
    assert_eq!(belongs.0, 0o640);
    assert_eq!(given, belongs.1 == 65_534);

    world.shift(["start"]).with(0);
    world.shift(["run"]).with(0);
    world.shift(["rollback"]).with(0);
    assert_eq!(others(&world), before);
    assert_eq!(of(&world), belongs);
}
