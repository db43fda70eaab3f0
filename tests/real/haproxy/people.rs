//! What people do by hand: set a share, ask how it stands, try without touching.

use std::{fs, time::Duration};

use rollgate_domain::rollout::{
    moves::Move,
    record::{Record, State},
};
use serde_json::Value;

use crate::support::{
    servers::until,
    world::{World, after, entry, record_of},
};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_share_is_set_down_and_up_again_while_a_driver_watches() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(1, "400ms"), (5, "400ms"), (10, "1h")];
    let driver = world.held_at(10);
    let generation = world.record().generation;
    world
        .shift(["set", "7%"])
        .with(3)
        .saying("refused: 7 % is no step of this rollout; it has 0 %, 1 %, 5 %, 10 %");
    world.shift(["set", "101%"]).with(2).saying("0 to 100 percent");
    assert_eq!(world.share(), Some(10));

    // The driver is stopped for a moment, so that it does not rise again at once.
    driver.signal("STOP");
    world
        .shift(["set", "1%", "--reason", "the cache is cold"])
        .with(0)
        .saying("set from 10 % by somebody: the cache is cold");
    assert_eq!(world.share(), Some(1));
    world.shift(["set", "5%"]).with(0);
    assert_eq!(world.share(), Some(5));
    assert_eq!(world.record().generation, generation);
    driver.signal("CONT");
    until("the driver goes on from there", SOON, || {
        (world.share() == Some(10)).then_some(())
    });

    world
        .shift(["set", "0", "--reason", "over lunch"])
        .with(0)
        .saying("over lunch");
    world.assert_all_on_stable();
    driver.end().with(4);
    assert!(
        matches!(world.record().state, State::Paused { step: 2, by_hand: true, reason } if reason == "over lunch")
    );
    // Nobody drives: nothing can be set, and the next run resumes.
    world
        .shift(["set", "1%"])
        .with(3)
        .saying("shift-traffic run drives it");
    let next = world.begin(["run"]);
    until("it resumes at the same step", SOON, || {
        (world.share() == Some(10)).then_some(())
    });
    drop(next);
}

/// `record` as its driver left it an hour ago.
fn an_hour_old(record: &Record) -> Record {
    let mut record = record.clone();
    record.driver.heartbeat -= jiff::SignedDuration::from_hours(1);
    record
}

#[test]
fn nothing_is_set_higher_where_nobody_watches_but_lower_it_is() {
    let Some(world) = World::simulated() else { return };
    world
        .shift(["set", "1%"])
        .with(3)
        .saying("no rollout is recorded: begin one with shift-traffic start");
    let record = world.abandoned_at(1);
    world.put(&entry(&an_hour_old(&record)));
    world.shift(["set", "10%"]).with(3).saying("nobody watches: ");
    assert_eq!(world.share(), Some(5));
    world.shift(["set", "1%"]).with(0);
    assert_eq!(world.share(), Some(1));
    world.shift(["set", "0"]).with(0);
    world.assert_all_on_stable();
}

#[test]
fn status_tells_people_and_programs_how_it_stands() {
    let Some(world) = World::simulated() else { return };
    let text = world.shift(["status"]).with(0).stdout;
    assert!(text.contains("none is recorded"), "{text}");

    let record = world.abandoned_at(1);
    let text = world.shift(["status"]).with(0).stdout;
    let rows: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let generation = format!("rollout {} (generation 2, write 4)", record.rollout);
    for row in [
        generation.as_str(),
        "stable blue (blue)",
        "candidate green (green)",
        "state holding step 2 of 3",
        "router [#...................] 5 %",
        "servers stable 1 up, candidate 1 up",
    ] {
        assert!(rows.iter().any(|line| line == row), "{row:?} in\n{text}");
    }
    let json = |code: i32| -> Value {
        let ended = world.shift(["status", "--output", "json"]).with(code);
        serde_json::from_str(&ended.stdout).expect("JSON")
    };
    let status = json(0);
    assert_eq!(status["share"], 5);
    assert_eq!(status["record"]["rollout"], record.rollout);
    assert_eq!(status["servers_up"]["candidate"], 1);
    assert_eq!(
        (&status["drift"], &status["torn"]),
        (&Value::Null, &Value::Bool(false))
    );

    let (_, same) = entry(&record)
        .split_once('|')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a record");
    world.put_live(0, Some(&format!("50|{same}")));
    let status = json(4);
    assert_eq!(status["share"], 50);
    assert!(
        status["drift"]
            .as_str()
            .is_some_and(|drift| drift.contains("gives 50 % to green, the record says 5 % to green")),
        "{status}"
    );
    let text = world.shift(["status"]).with(4).stdout;
    assert!(text.contains("PROBLEM") && text.contains("gives 50 %"), "{text}");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_touches_nothing() {
    let Some(world) = World::simulated() else { return };
    let touched = |world: &World| {
        let data = fs::metadata(world.map()).expect("the map");
        (
            fs::read(world.map()).expect("the map"),
            data.modified().expect("a time"),
            world.value(0),
            world.path("rollgate.map.new").exists(),
        )
    };
    let set_command = format!(
        "would send to {}: set map {} web 0|",
        world.haproxy[0].socket.display(),
        world.map().display()
    );
    let untouched = |arguments: &[&str]| {
        let before = touched(&world);
        let ended = world.shift(arguments.iter().copied()).with(0);
        assert_eq!(touched(&world), before, "{arguments:?}");
        assert!(!world.out().exists(), "{arguments:?}");
        let said = ended.stdout;
        assert!(
            said.contains(&format!("would write to {}: web ", world.map().display())),
            "{said}"
        );
        said
    };
    let said = untouched(&["start", "--dry-run"]);
    assert!(said.starts_with(&set_command), "{said}");
    let said = untouched(&["rollback", "--dry-run"]);
    assert!(said.starts_with(&set_command), "{said}");

    let record = world.abandoned_at(1);
    fs::remove_dir_all(world.out()).expect("the journal of start");
    let said = untouched(&["run", "--dry-run"]);
    assert!(said.contains(" web 5|"), "{said}");
    let said = untouched(&["set", "1%", "--dry-run"]);
    assert!(said.contains(" web 1|"), "{said}");
    let said = untouched(&["rollback", "--dry-run", "--reason", "orders fail"]);
    assert!(said.starts_with(&set_command), "{said}");
    // What it says is what it would be.
    let value = said.rsplit_once("web ").expect("a value").1.trim();
    let promised = record_of(value);
    assert_eq!(promised.generation, record.generation + 1);
    let rolled_back = after(&record, Move::RollBack("orders fail".to_owned()));
    assert_eq!(promised.state, rolled_back.state);
}

#[test]
fn a_dry_run_of_a_rollout_that_is_over_ends_as_the_run_would() {
    let Some(world) = World::simulated() else { return };
    world.abandoned_at(0);
    world.shift(["rollback", "--reason", "orders fail"]).with(0);
    for arguments in [&["run"][..], &["run", "--dry-run"]] {
        world
            .shift(arguments.iter().copied())
            .with(3)
            .saying("rolled back: orders fail");
    }
}
