//! The buttons `go`, `no-go`, `pause` and `resume` beside a running driver.

use std::time::Duration;

use rollgate_domain::rollout::{event::Event, record::State};

use super::CANARY;
use crate::support::{servers::until, team::Team, world::World};

const SOON: Duration = Duration::from_secs(60);

/// A team with a canary at 5 % and its driver.
fn team(change: impl FnOnce(&mut World)) -> Option<(Team, u32)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "1s"), (10, "1s")];
    change(&mut world);
    let team = Team::with(world, "")?;
    team.buttons.give(&["--secret", "GITHUB_TOKEN=unused"]);
    let run = team.buttons.press(CANARY, &[]);
    team.until_share(5);
    Some((team, run))
}

#[test]
fn a_go_at_a_gate_lets_the_driver_go_on() {
    // Late enough for a busy machine: before a gate that is due nothing rises.
    let late = |world: &mut World| {
        world.plan.gates = vec!["8s"];
        world.plan.steps = vec![(5, "9s"), (10, "1s")];
    };
    let Some((team, driver)) = team(late) else { return };
    until("the gate is due", SOON, || {
        let record = team.world.record();
        record.open_gate(jiff::Timestamp::now()).map(|_| ())
    });
    let button = team
        .buttons
        .run(CANARY, &[("decision", "go"), ("reason", "all is well; $(id)")])
        .well();
    assert_eq!(button.output("outcome").as_deref(), Some("done"));
    assert_eq!(button.output("gate").as_deref(), Some("none"));
    let kept = team.buttons.artifact("canary", button.id);
    assert!(kept.story().contains("all is well; $(id)"), "{}", kept.story());
    let driver = team.buttons.wait(driver).well();
    assert_eq!(team.world.record().state, State::Passed);
    let kept = team.buttons.artifact("canary", driver.id);
    let asked = kept
        .events()
        .iter()
        .filter(|line| matches!(line.event, Event::GateReached { .. }))
        .count();
    assert_eq!(asked, 1, "{}", kept.story());
}

#[test]
fn a_no_go_rolls_back_and_a_word_that_is_none_does_nothing() {
    let Some((team, driver)) = team(|world| world.plan.steps = vec![(5, "1h")]) else {
        return;
    };
    team.buttons.run(CANARY, &[("decision", "Go!")]).with(2);
    assert_eq!(team.world.share(), Some(5));

    team.buttons
        .run(CANARY, &[("decision", "no-go"), ("reason", "complaints")])
        .well();
    team.world.assert_all_on_stable();
    assert!(
        matches!(&team.world.record().state, State::RolledBack { reason } if reason == "no-go: complaints")
    );
    team.buttons.wait(driver).with(6);
}

#[test]
fn a_pause_sends_the_driver_away_and_resume_drives_on_with_the_plan_that_it_began_with() {
    let Some((team, driver)) = team(|world| world.plan.steps = vec![(5, "3s"), (10, "1s")]) else {
        return;
    };
    let before = team.world.plan.text();
    team.buttons
        .run(CANARY, &[("decision", "pause"), ("reason", "over lunch")])
        .well();
    team.world.assert_all_on_stable();
    team.buttons.wait(driver).with(4);
    // Main moves on meanwhile.
    team.commit_plan(&before.replace("weight: 10%", "weight: 11%"));

    let button = team.buttons.run(CANARY, &[("decision", "resume")]).well();

    assert_eq!(team.world.record().state, State::Passed);
    let kept = team.buttons.artifact("canary", button.id);
    let story = kept.story();
    assert!(
        story.contains("resumed by ") && story.contains("canary passed, was at 10 %"),
        "{story}"
    );
    assert!(!story.contains("the plan was changed"), "{story}");
}
