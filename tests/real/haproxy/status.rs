//! What a person sees during an incident, whatever is broken.

use std::time::Duration;

use rollgate_domain::rollout::{moves::Move, phase::Severity};
use serde_json::Value;

use crate::support::{
    servers::until,
    world::{World, after, entry, meter::Page},
};

/// The row that begins with `name`.
#[track_caller]
fn row(screen: &str, name: &str) -> String {
    let found = screen
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name:<10} ")));
    found
        .unwrap_or_else(|| panic!("no {name} in\n{screen}"))
        .to_owned()
}

fn sampled(world: &mut World) {
    let front = world.haproxy[0].front.clone();
    world.plan.more = format!("url: http://{front}/\nversion-header: x-version\n");
}

#[test]
fn the_screen_says_what_is_recorded_live_and_measured_and_that_nobody_drives() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    sampled(&mut world);
    world.plan.steps = vec![(50, "1h"), (100, "1h")];
    world.plan.gates = vec!["300ms"];
    // It holds the share already: before a gate that is due nobody would raise it.
    world.abandoned_at(0);
    let driver = world.begin(["run"]);
    let screen = until("the driver has judged", Duration::from_secs(30), || {
        let screen = world.shift(["status"]).with(0).stdout;
        let judged = screen.contains("WATCH") || screen.contains("HEALTHY");
        let ours = screen.contains(&format!("process {} on ", driver.pid()));
        (judged && ours && screen.contains("WAITS")).then_some(screen)
    });
    for name in ["recorded", "router"] {
        assert_eq!(row(&screen, name), "[##########..........] 50 %");
    }
    let measured = row(&screen, "measured");
    assert!(measured.ends_with(" of 20 sampled requests"), "{measured}");
    assert!(
        row(&screen, "driver").starts_with(&format!("process {} on ", driver.pid())),
        "{screen}"
    );
    assert_eq!(
        row(&screen, "gate"),
        "the one at 300ms WAITS: shift-traffic approve go, or no-go"
    );
    assert!(row(&screen, "NO RISE").contains("the gate at 300ms of the canary waits for a go"));
    // The driver's folder has its last verdict.
    assert!(
        row(&screen, "verdict").contains("WATCH") || row(&screen, "verdict").contains("HEALTHY"),
        "{screen}"
    );

    drop(driver);
    let mut left = after(
        &world.record(),
        Move::Signal(Severity::Watch, "odd mails".to_owned()),
    );
    left.driver.heartbeat -= jiff::SignedDuration::from_secs(90);
    world.put(&entry(&left));
    let screen = world.shift(["status"]).with(0).stdout;
    assert!(
        row(&screen, "driver").starts_with("NOBODY DRIVES: start a driver"),
        "{screen}"
    );
    assert!(
        row(&screen, "signal").ends_with("signal (watch) from somebody: odd mails (WAITS for a go)"),
        "{screen}"
    );
    assert!(
        screen.lines().count() <= 24 && screen.contains("step       since "),
        "{screen}"
    );
}

#[test]
fn it_works_while_the_metrics_hang_and_the_record_cannot_be_read() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let driver = world.held_at(5);
    world.meter().page_is(Page::Hangs);
    let ended = world.shift(["status", "--output", "json"]).with(0);
    assert!(ended.took < Duration::from_secs(4), "{:?}", ended.took);
    let status: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(status["share"], 5);
    assert_eq!(status["measured"]["how"], "unknown");
    assert_eq!(status["driver_silent_s"], Value::Null);
    for key in [
        "at",
        "candidate",
        "record",
        "state",
        "unreadable",
        "drift",
        "torn",
        "unreachable",
        "servers_up",
        "gate",
        "gate_open",
        "signals_open",
        "verdict",
        "no_verdict",
        "hindered",
    ] {
        assert!(status.get(key).is_some(), "{key} in {status}");
    }
    drop(driver);
    world.put("5|bm9uc2Vuc2U=");
    let screen = world.shift(["status"]).with(4).stdout;
    assert!(
        row(&screen, "record").starts_with("UNREADABLE: no rollgate record"),
        "{screen}"
    );
    assert_eq!(row(&screen, "router"), "[#...................] 5 %");
}

#[test]
fn watching_it_ends_with_the_rollout() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let driver = world.held_at(5);
    let watched = world.begin(["status", "--watch"]);
    let log = || watched.stdout();
    until("two lines", Duration::from_secs(20), || {
        (log().lines().count() >= 2).then_some(())
    });
    world.shift(["rollback", "--reason", "orders fail"]).with(0);
    let ended = watched.end().with(0);
    let last = ended.stdout.lines().last().expect("a line").to_owned();
    assert!(
        last.contains("  0 %  rolled back: orders fail"),
        "{}",
        ended.stdout
    );
    assert!(
        ended
            .stdout
            .lines()
            .next()
            .is_some_and(|line| line.contains("  5 %  holding step 1 of 1"))
    );
    drop(driver);
}
