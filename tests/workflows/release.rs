//! A team's `release.yml`: both phases with one button; and its `signal.yml`.

use std::time::Duration;

use rollgate_domain::rollout::{moves::Move, phase::Phase, record::State};
use serde_json::json;

use super::{callers::team, chain::github};
use crate::support::{
    http::Http,
    servers::until,
    team::Team,
    world::{World, after, entry},
};

const PRODUCTION: &str =
    "{ steps: [{ weight: 50%, for: 600ms }, { weight: 100% }], total: 2s, keep-old: 1s }";

fn promoted(team: &Team) -> bool {
    // Before the start there is no record.
    let begun = team.world.value(0).is_some_and(|value| value.len() > 2);
    begun && matches!(team.world.record().state, State::Promoted { .. })
}

#[test]
fn a_canary_that_has_passed_goes_on_to_all_the_traffic() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "400ms")];
    world.plan.production = PRODUCTION;
    let Some((team, _releases)) = team(world) else {
        return;
    };

    let run = team.buttons.dispatch("release.yml", &[("candidate", "green")]);
    let run = team.buttons.wait(run).well();

    assert!(promoted(&team), "{}", run.log);
    assert_eq!(team.world.record().phase, Phase::Production);
    team.buttons.artifact("canary", run.id);
    team.buttons.artifact("production", run.id);
}

#[test]
fn a_canary_that_was_taken_back_goes_nowhere() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    world.plan.production = PRODUCTION;
    let Some((team, _releases)) = team(world) else {
        return;
    };
    team.world.meter().candidate_fails(0.05);

    let run = team.buttons.dispatch("release.yml", &[("candidate", "green")]);
    team.buttons.wait(run).with(3);

    team.world.assert_all_on_stable();
    assert_eq!(team.world.record().phase, Phase::Canary);
    assert!(matches!(team.world.record().state, State::RolledBack { .. }));
}

#[test]
fn the_successors_of_both_phases_find_their_way() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "6s")];
    world.plan.production =
        "{ steps: [{ weight: 50%, for: 6s }, { weight: 100% }], total: 8s, keep-old: 1s }";
    let Some((team, _releases)) = team(world) else {
        return;
    };
    let plan = team.world.plan.text();
    team.commit_plan(
        &plan
            .replace("driver: {", "driver: { budget: 4s, successor-within: 4s,")
            .replace("blind: 15m", "blind: 2s"),
    );
    let github = github(&team.buttons, Duration::from_millis(100));

    team.buttons.dispatch("release.yml", &[("candidate", "green")]);

    until("it is promoted", Duration::from_secs(120), || {
        promoted(&team).then_some(())
    });
    let phases: Vec<_> = github
        .taken()
        .iter()
        .filter_map(|dispatch| dispatch.inputs.get("phase").cloned())
        .collect();
    assert!(phases.contains(&"canary".to_owned()), "{phases:?}");
    assert!(phases.contains(&"production".to_owned()), "{phases:?}");
    for id in team.buttons.ids() {
        team.buttons.wait(id).well();
    }
}

#[test]
fn a_decision_is_a_choice_of_the_same_button() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let Some((team, _releases)) = team(world) else {
        return;
    };
    let driver = team.buttons.dispatch("release.yml", &[("candidate", "green")]);
    team.until_share(5);

    let pause = team
        .buttons
        .dispatch("release.yml", &[("decision", "pause"), ("reason", "over lunch")]);
    team.buttons.wait(pause).well();

    team.buttons.wait(driver).with(4);
    assert!(matches!(&team.world.record().state, State::Paused { reason, .. } if reason == "over lunch"));
}

/// A team whose candidate has 5 % of the traffic, and nobody drives.
pub(super) fn at_the_first_step() -> Option<(Team, Http)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "1h")];
    let (team, releases) = team(world)?;
    team.world.shift(["start"]).with(0);
    let mut record = team.world.record();
    for step in [Move::Take, Move::Raise] {
        record = after(&record, step);
    }
    team.world.put(&entry(&record));
    Some((team, releases))
}

#[test]
fn another_system_reports_what_it_sees() {
    let Some((team, _releases)) = at_the_first_step() else {
        return;
    };

    let report = |severity: &str| {
        let payload = json!({ "severity": severity, "reason": "orders fail; $(id) `id`" });
        team.buttons.report("signal.yml", "rollgate-signal", &payload)
    };
    team.buttons.wait(report("watch")).well();
    assert_eq!(team.world.share(), Some(5));
    assert_eq!(team.world.record().signals[0].text, "orders fail; $(id) `id`");
    team.buttons.wait(report("critical")).well();
    team.world.assert_all_on_stable();
    team.buttons.wait(report("nonsense")).with(2);
}
