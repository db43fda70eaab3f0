//! Signals as a runner sends them: no canary stays without a watcher, and the driver leaves in time.

use std::{fs, process::Command, thread, time::Duration};

use rollgate_domain::rollout::record::State;

use super::bad_input::Deaf;
use crate::support::{
    servers::until,
    tool::{Ended, Running},
    world::{World, meter::Page},
};

/// The runner kills 10 s after it asked; this leaves room for a machine that is slow.
const IN_TIME: Duration = Duration::from_secs(7);

/// What the runner does to a step that is cancelled: it signals the entry, which is bash, and kills it at last.
#[track_caller]
fn cancelled(driver: Running) -> (Ended, Duration) {
    let asked = std::time::Instant::now();
    driver.signal("INT");
    let mut driver = driver;
    while !driver.is_over() && asked.elapsed() < Duration::from_millis(7500) {
        thread::sleep(Duration::from_millis(10));
    }
    if !driver.is_over() {
        driver.signal("TERM");
    }
    let killed_at = asked + Duration::from_secs(10);
    while !driver.is_over() && std::time::Instant::now() < killed_at {
        thread::sleep(Duration::from_millis(10));
    }
    if !driver.is_over() {
        driver.signal("KILL");
    }
    (driver.wait(Duration::from_secs(1)), asked.elapsed())
}

/// A step's shell that ends with `exec`, as the action does.
fn by_bash(world: &World) -> Running {
    by_script(world, "exec \"$@\"")
}

/// A step's shell that runs `script`, whose arguments are the driver's command line.
fn by_script(world: &World, script: &str) -> Running {
    let run = world.command(["run"]);
    let mut bash = Command::new("/bin/bash");
    bash.args(["-euo", "pipefail", "-c", script, "bash"])
        .arg(run.get_program())
        .args(run.get_args())
        .env_clear();
    for (name, value) in run.get_envs() {
        if let Some(value) = value {
            bash.env(name, value);
        }
    }
    world.spawn(bash)
}

fn driven_at_five() -> Option<(World, Running)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "1h")];
    world.shift(["start"]).with(0);
    let driver = by_bash(&world);
    until("the share rises", Duration::from_secs(20), || {
        (world.share() == Some(5)).then_some(())
    });
    Some((world, driver))
}

#[test]
fn the_driver_leaves_and_nobody_watches() {
    let Some((mut world, driver)) = driven_at_five() else {
        return;
    };
    let (ended, took) = cancelled(driver);
    ended.with(4).saying("the driver was asked to leave (SIGINT)");
    assert!(took < Duration::from_secs(3), "{took:?}");
    world.assert_all_on_stable();
    assert!(matches!(world.record().state, State::Paused { step: 0, .. }));

    // The same plan: the next run resumes at the same step.
    let next = world.begin(["run"]);
    until("the share rises again", Duration::from_secs(20), || {
        (world.share() == Some(5)).then_some(())
    });
    next.signal("TERM");
    next.end()
        .with(4)
        .saying("the driver was asked to leave (SIGTERM)");
    world.assert_all_on_stable();
    world.plan.steps.clear();
}

#[test]
fn sigint_is_obeyed_while_the_metrics_page_hangs() {
    let Some((world, driver)) = driven_at_five() else {
        return;
    };
    let asked = world.meter().asked();
    world.meter().page_is(Page::Hangs);
    until("the page is asked", Duration::from_secs(10), || {
        (world.meter().asked() > asked + 1).then_some(())
    });
    let (ended, took) = cancelled(driver);
    ended.with(4);
    assert!(took < Duration::from_secs(3), "{took:?}");
    world.assert_all_on_stable();
}

#[test]
fn sigint_while_haproxy_hangs_leaves_in_time_and_says_that_the_share_is_not_back() {
    let Some((mut world, driver)) = driven_at_five() else {
        return;
    };
    let socket = world.haproxy[0].socket.clone();
    fs::rename(&socket, world.path("kept.sock")).expect("the socket");
    let deaf = Deaf::listen(&socket, "");
    driver.until_it_says("did not answer within 1 s");
    let (ended, took) = cancelled(driver);
    ended.with(5);
    assert!(took < IN_TIME, "{took:?}");
    // The file is on stable, so whoever restarts HAProxy is; the next run finishes what was cut off.
    drop(deaf);
    fs::rename(world.path("kept.sock"), &socket).expect("the socket");
    let resumed = world.begin(["run"]);
    resumed.until_it_says("driven by");
    drop(resumed);
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();
    world.plan.steps.clear();
}

/// Somebody's step that does not end with `exec`: the runner's signals reach bash alone, the tool lives on.
#[test]
fn an_orphaned_job_keeps_writing_after_its_run_was_cancelled() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    world.shift(["start"]).with(0);
    let pid = world.path("pid");
    let script = format!("\"$@\" & echo $! >{}; wait; echo never", pid.display());
    let job = by_script(&world, &script);
    until("the share rises", Duration::from_secs(20), || {
        (world.share() == Some(5)).then_some(())
    });
    let orphan = fs::read_to_string(&pid).expect("a pid").trim().to_owned();
    let lives =
        || fs::read_to_string(format!("/proc/{orphan}/comm")).is_ok_and(|name| name == "shift-traffic\n");
    let (_, took) = cancelled(job);
    assert!(took < Duration::from_secs(11), "{took:?}");
    assert!(lives(), "nobody has told the tool");

    // A person takes the traffic back; whatever the orphan was about to write is not written.
    world
        .shift(["rollback", "--reason", "the run was cancelled"])
        .with(0);
    let owned = world.record();
    until("the orphan leaves", Duration::from_secs(20), || {
        (!lives()).then_some(())
    });
    assert_eq!(world.record(), owned);
    world.assert_all_on_stable();
}

#[test]
fn an_orphaned_driver_is_fenced_by_the_next_run() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    world.shift(["start"]).with(0);
    let pid = world.path("pid");
    let job = by_script(&world, &format!("\"$@\" & echo $! >{}; wait", pid.display()));
    until("the share rises", Duration::from_secs(20), || {
        (world.share() == Some(5)).then_some(())
    });
    let orphan = fs::read_to_string(&pid).expect("a pid").trim().to_owned();
    cancelled(job);
    let next = world.begin(["run"]);
    next.until_it_says("driven by");
    until("the orphan leaves", Duration::from_secs(20), || {
        (!fs::exists(format!("/proc/{orphan}")).unwrap_or(true)).then_some(())
    });
    assert_eq!(world.share(), Some(5));
    let driver = world.record().driver.run;
    assert!(
        driver.starts_with(&format!("process {} on ", next.pid())),
        "{driver}"
    );
}
