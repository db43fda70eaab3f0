//! A second driver that stands by, beside a first one that dies.

use std::time::{Duration, Instant};

use rollgate_domain::rollout::{event::Event, record::State};

use crate::support::{
    servers::until,
    world::{World, entry},
};

#[test]
fn the_driver_is_killed_and_the_one_that_stands_by_takes_over_within_a_minute() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let driver = world.held_at(5);
    let standby = world.begin(["run", "--standby"]);
    standby.until_it_says("standing by ");
    let before = world.record();
    driver.signal("KILL");
    let killed = Instant::now();
    until("it takes over", Duration::from_secs(75), || {
        (world.record().generation > before.generation).then_some(())
    });
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(62), "{took:?}");
    assert!(
        world
            .record()
            .driver
            .run
            .starts_with(&format!("process {} on ", standby.pid()))
    );
    // The same step goes on, and is watched.
    assert_eq!(world.share(), Some(5));
    world.meter().candidate_fails(0.3);
    standby.end().with(3);
    world.assert_all_on_stable();
}

#[test]
fn it_leaves_what_is_paused_alone_and_leaves_when_the_rollout_is_over() {
    let Some(world) = World::simulated() else { return };
    world.abandoned_at(0);
    world.shift(["pause"]).with(0);
    let mut paused = world.record();
    paused.driver.heartbeat -= jiff::SignedDuration::from_hours(1);
    world.put(&entry(&paused));
    let standby = world.begin(["run", "--standby"]);
    standby.until_it_says("standing by ");
    std::thread::sleep(Duration::from_secs(5));
    assert!(matches!(world.record().state, State::Paused { .. }));
    world.shift(["rollback"]).with(0);
    standby.end().with(0).saying("was rolled back");
    let taken = world
        .events()
        .iter()
        .any(|line| matches!(line.event, Event::Taken));
    assert!(!taken, "it never drove");
}
