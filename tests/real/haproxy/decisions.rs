//! What people decide, each beside a living driver: advance, pause, resume, go, no-go, signals.

use std::{process::Command, thread, time::Duration};

use rollgate_domain::rollout::{
    event::Event,
    phase::Severity,
    record::{Record, State},
};
use serde_json::Value;

use crate::support::{
    github::{Github, TOKEN},
    http::{Http, Reply},
    servers::until,
    tool::{Ended, Running, run},
    world::{World, entry},
};

const SOON: Duration = Duration::from_secs(20);

/// A canary that holds 5 %, and its driver.
fn at_five(change: impl FnOnce(&mut World)) -> Option<(World, Running)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "1h"), (10, "1h")];
    change(&mut world);
    let driver = world.held_at(5);
    Some((world, driver))
}

fn rises(world: &World, weight: u8) {
    until("the share rises", SOON, || {
        (world.share() == Some(weight)).then_some(())
    });
}

fn object(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

/// `arguments` in a GitHub run that `actor` has started, whose API is at `api`.
fn in_a_run<'a>(
    world: &World,
    actor: &str,
    api: &str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Command {
    let mut command = world.command(arguments);
    for (name, value) in [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "7"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_TOKEN", TOKEN),
        ("GITHUB_ACTOR", actor),
        ("GITHUB_API_URL", api),
    ] {
        command.env(name, value);
    }
    command
}

#[test]
fn a_person_advances_while_a_driver_watches_and_the_driver_stays() {
    let Some((world, driver)) = at_five(|_| {}) else {
        return;
    };
    let before = world.record();
    let ended = world
        .shift(["advance", "--reason", "the numbers are clear", "--output", "json"])
        .with(0)
        .saying("set from 5 % by somebody: the numbers are clear");
    assert_eq!(object(&ended)["weight"], 10);
    assert_eq!(object(&ended)["outcome"], "done");
    assert_eq!(world.share(), Some(10));
    let now = world.record();
    assert_eq!(
        (now.generation, now.driver.run),
        (before.generation, before.driver.run)
    );
    world
        .shift(["advance"])
        .with(3)
        .saying("refused: 10 % is the last step of the canary");
    drop(driver);
    let mut old = world.record();
    old.driver.heartbeat -= jiff::SignedDuration::from_hours(1);
    world.put(&entry(&old));
    world.shift(["set", "5%"]).with(0);
    world
        .shift(["advance"])
        .with(3)
        .saying("refused: nobody watches: ");
    assert_eq!(world.share(), Some(5));
}

#[test]
fn a_pause_sends_the_driver_away_and_after_resume_the_next_run_goes_on() {
    let Some((world, driver)) = at_five(|_| {}) else {
        return;
    };
    world
        .shift(["resume"])
        .with(3)
        .saying("refused: the rollout is holding step 1 of 2: only a paused one is resumed");
    world
        .shift(["pause", "--reason", "the database is slow"])
        .with(0)
        .saying("paused, was at 5 %: the database is slow");
    world.assert_all_on_stable();
    driver.end().with(4);
    world.shift(["pause"]).with(3).saying("there is nothing to pause");
    // A successor that was called before.
    let rollout = world.record().rollout;
    world
        .shift(["run", "--rollout", &rollout])
        .with(4)
        .saying("a person has paused it");
    world.assert_all_on_stable();
    world.shift(["resume"]).with(0).saying("resumed by somebody");
    assert_eq!(world.record().state, State::Ready { step: 0 });
    world.assert_all_on_stable();
    let next = world.begin(["run"]);
    rises(&world, 5);
    drop(next);
}

#[test]
fn a_gate_waits_for_a_go_and_the_driver_sees_it() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "3100ms"), (10, "1h")];
    world.plan.gates = vec!["3s"];
    world.shift(["start"]).with(0);
    world
        .shift(["approve", "go"])
        .with(3)
        .saying("refused: nothing waits");
    let driver = world.begin(["run"]);
    driver.until_it_says("waits for a person: the gate at 3s of the canary waits for a go");
    thread::sleep(Duration::from_secs(2));
    assert!(world.share() < Some(10), "it waits");
    world
        .shift(["set", "10%"])
        .with(3)
        .saying("shift-traffic approve go");
    world
        .shift(["approve", "go", "--reason", "all is well"])
        .with(0)
        .saying("go, says somebody: all is well");
    rises(&world, 10);
    let asked = world
        .events()
        .iter()
        .filter(|line| matches!(line.event, Event::GateReached { .. }))
        .count();
    assert_eq!(asked, 1);
    assert!(
        world.record().gates[0]
            .go
            .as_ref()
            .is_some_and(|go| go.by == "somebody")
    );
    drop(driver);
}

#[test]
fn a_no_go_rolls_back_and_never_waits_behind_the_driver() {
    let Some((world, driver)) = at_five(|world| world.plan.more = "approvers: [octocat]\n".to_owned()) else {
        return;
    };
    // It hangs, and holds nothing up.
    driver.signal("STOP");
    world
        .shift(["approve", "no-go", "--reason", "support has complaints"])
        .with(0);
    world.assert_all_on_stable();
    assert!(
        matches!(&world.record().state, State::RolledBack { reason } if reason == "no-go: support has complaints")
    );
    driver.signal("CONT");
    driver.end().with(6);
}

#[test]
fn a_critical_signal_takes_the_traffic_back_at_once() {
    for (severity, more) in [
        ("critical", ""),
        (
            "corruption",
            "whether writers must be stopped and data restored (level 3)",
        ),
    ] {
        let Some((world, driver)) = at_five(|_| {}) else {
            return;
        };
        driver.signal("STOP");
        world
            .shift(["signal", severity, "--reason", "orders are charged twice"])
            .with(0)
            .saying(more);
        world.assert_all_on_stable();
        let record = world.record();
        assert!(matches!(&record.state, State::RolledBack { reason }
            if *reason == format!("signal ({severity}): orders are charged twice")));
        assert_eq!(record.signals.len(), 1);
        driver.signal("CONT");
        driver.end().with(6);
    }
}

#[test]
fn a_sign_of_degradation_takes_it_back_and_a_sign_to_watch_waits_for_a_go() {
    let Some((world, driver)) = at_five(|world| {
        world.plan.steps = vec![(5, "3s"), (10, "1h")];
        world.plan.more = "rollback: { watch: 1s }\n".to_owned();
    }) else {
        return;
    };
    world
        .shift(["signal", "watch"])
        .with(2)
        .saying("signal needs --reason TEXT");
    world
        .shift(["signal", "watch", "--reason", "two odd mails"])
        .with(0)
        .saying("signal (watch) from somebody: two odd mails");
    driver.until_it_says("waits for a person: signal (watch) from somebody: two odd mails");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(world.share(), Some(5), "its time is over, and it waits");
    world.shift(["approve", "go"]).with(0);
    rises(&world, 10);
    world
        .shift(["signal", "degradation", "--reason", "slower since noon"])
        .with(0);
    driver.end().with(6);
    world.assert_all_on_stable();
    let record = world.record();
    let severities: Vec<_> = record.signals.iter().map(|signal| signal.severity).collect();
    assert_eq!(severities, [Severity::Watch, Severity::Degradation]);
    let lowered = world
        .events()
        .iter()
        .any(|line| matches!(line.event, Event::Lowered { .. }) && line.weight.percent() == 5);
    assert!(lowered, "step by step");
}

#[test]
fn a_critical_signal_needs_no_readable_record() {
    let Some(world) = World::simulated() else { return };
    world.put("5|bm9uc2Vuc2U=");
    world
        .shift(["signal", "critical", "--reason", "users are hurt"])
        .with(0)
        .saying("the signal is not recorded: ");
    world.assert_all_on_stable();
}

#[test]
fn a_dry_run_of_every_decision_touches_nothing() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.gates = vec!["300ms"];
    let record = world.abandoned_at(0);
    thread::sleep(Duration::from_millis(400));
    let before = world.value(0);
    std::fs::remove_dir_all(world.out()).expect("the journal of start");
    for arguments in [
        &["pause", "--reason", "x"][..],
        &["set", "0"],
        &["approve", "go"],
        &["approve", "no-go"],
        &["signal", "critical", "--reason", "x"],
        &["signal", "watch", "--reason", "x"],
    ] {
        let ended = world
            .shift(arguments.iter().copied().chain(["--dry-run"]))
            .with(0);
        // The signal and the rollback that follows from it.
        let writes = if arguments[1] == "critical" { 2 } else { 1 };
        assert_eq!(
            ended.stdout.matches("would write to ").count(),
            writes,
            "{arguments:?}: {}",
            ended.stdout
        );
        assert_eq!(world.value(0), before, "{arguments:?}");
        assert!(!world.out().exists(), "{arguments:?}");
    }
    assert_eq!(world.record(), record);
}

/// A record whose gate is due.
fn at_a_gate(approvers: &str) -> Option<(World, Record)> {
    let mut world = World::simulated()?;
    world.plan.gates = vec!["300ms"];
    world.plan.more = format!("approvers: [{approvers}]\n");
    let record = world.abandoned_at(0);
    thread::sleep(Duration::from_millis(400));
    Some((world, record))
}

#[test]
fn only_those_whom_the_plan_names_say_go() {
    let Some((mut world, record)) = at_a_gate("OctoCat") else {
        return;
    };
    let nobody = Http::always(Reply::Close);
    world
        .shift(["approve", "go"])
        .with(3)
        .saying("the plan lets OctoCat decide, and outside of a GitHub run nothing proves who you are");
    run(in_a_run(&world, "hubot", &nobody.url, ["approve", "go"]))
        .with(3)
        .saying("refused: hubot is none of those who may decide: OctoCat");
    // Whoever runs a run of octocat's again is not octocat.
    let mut again = in_a_run(&world, "octocat", &nobody.url, ["approve", "go"]);
    again.env("GITHUB_TRIGGERING_ACTOR", "hubot");
    run(again).with(3).saying("refused: hubot is none of those");
    // Nor does a plan help that names others, or nobody.
    let approvers = std::mem::take(&mut world.plan.more);
    for others in ["", "approvers: [hubot]\n"] {
        world.plan.more = others.to_owned();
        run(in_a_run(&world, "hubot", &nobody.url, ["approve", "go"]))
            .with(3)
            .saying("refused: the plan was changed in the middle of the rollout");
    }
    world.plan.more = approvers;
    assert_eq!(world.record(), record);
    run(in_a_run(&world, "octocat", &nobody.url, ["approve", "go"])).with(0);
    assert!(
        world.record().gates[0]
            .go
            .as_ref()
            .is_some_and(|go| go.by == "octocat")
    );
    assert!(nobody.seen().is_empty(), "a login needs no API");
}

#[test]
fn a_member_of_a_team_says_go_and_what_github_does_not_prove_is_refused() {
    let Some((world, record)) = at_a_gate("team/release") else {
        return;
    };
    let github = Github::with_team("release", &["octocat"]);
    let approves = |actor: &str, api: &str| run(in_a_run(&world, actor, api, ["approve", "go"]));
    approves("hubot", &github.url)
        .with(3)
        .saying("look up hubot in team/release: GitHub answered 404 Not Found (Not Found): no member");
    approves("invited", &github.url)
        .with(3)
        .saying("refused: invited is none of those who may decide: team/release");
    for (reply, said) in [
        (
            crate::support::github::refusal(403, "Resource not accessible by integration"),
            "GitHub's own job token never may",
        ),
        (Reply::ok("<!DOCTYPE html>"), "not an answer of GitHub's form"),
        (Reply::Close, "look up octocat in team/release"),
    ] {
        let broken = Http::always(reply);
        approves("octocat", &broken.url).with(3).saying(said);
    }
    assert_eq!(world.record(), record);
    approves("octocat", &github.url).with(0);
    assert!(
        world.record().gates[0]
            .go
            .as_ref()
            .is_some_and(|go| go.by == "octocat")
    );
}

#[test]
fn a_rise_by_hand_keeps_to_the_window() {
    let Some((world, driver)) = at_five(|_| {}) else {
        return;
    };
    let mut world = world;
    // Not today.
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let day = tomorrow.strftime("%a").to_string();
    world.plan.more = format!("windows: {{ rises: \"{day} 00:00-23:59 UTC\" }}\n");
    world.shift(["advance"]).with(3).saying(&format!(
        "refused: the share rises only {day} 00:00-23:59 UTC; that is next {day}"
    ));
    world.shift(["pause"]).with(0);
    driver.end().with(4);
}

#[test]
fn whatever_is_reported_and_however_long_the_driver_and_a_rollback_go_on() {
    for letter in ["字", "<"] {
        let Some((world, driver)) = at_five(|_| {}) else {
            return;
        };
        let long = letter.repeat(400);
        for _ in 0..8 {
            world.shift(["signal", "watch", "--reason", &long]).with(0);
        }
        let signals = world.record().signals;
        assert!(signals.len() == 8 && signals.iter().all(|signal| signal.text.starts_with(letter)));
        let heard = world.record().sequence;
        until("the driver writes", SOON, || {
            (world.record().sequence > heard).then_some(())
        });
        world.shift(["rollback", "--reason", &long]).with(0);
        world.assert_all_on_stable();
        driver.end().with(6);
    }
}
