//! `phase-3-production.yml`: from a canary that has passed to the candidate in stable's place.

use std::time::Duration;

use rollgate_domain::{
    rollout::{event::Event, record::State},
    weight::Weight,
};

use super::{PRODUCTION, chain::github};
use crate::support::{github::TOKEN, servers::until, team::Team, world::World};

/// A team whose canary has passed.
fn team(production: &'static str) -> Option<Team> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(5, "400ms")];
    world.plan.production = production;
    world.plan.driver = "budget: 10m, successor-within: 30s, ";
    world.shift(["start"]).with(0);
    world.shift(["run"]).with(0);
    let team = Team::with(world, "")?;
    team.buttons.give(&["--secret", &format!("GITHUB_TOKEN={TOKEN}")]);
    Some(team)
}

const SHORT: &str = "{ steps: [{ weight: 50%, for: 600ms }, { weight: 100% }], total: 2s, keep-old: 1s }";

#[test]
fn a_healthy_candidate_gets_all_the_traffic_and_becomes_stable() {
    let Some(team) = team(SHORT) else { return };
    let rollout = team.world.record().rollout;

    let run = team.buttons.run(PRODUCTION, &[]).well();

    let record = team.world.record();
    assert!(
        matches!(record.state, State::Promoted { .. }),
        "{:?}",
        record.state
    );
    assert_eq!(
        (record.stable.backend.as_str(), record.weight),
        ("green", Weight::ZERO)
    );
    assert_eq!(record.rollout, rollout, "the same rollout goes on");
    for (name, value) in [
        ("outcome", "done"),
        ("phase", "production"),
        ("gate", "none"),
        ("continue", "false"),
        ("rollout_id", &rollout),
    ] {
        assert_eq!(run.output(name).as_deref(), Some(value), "{name}");
    }
    let kept = team.buttons.artifact("production", run.id);
    assert_eq!(kept.name, format!("rollgate-{rollout}-production-{}-a1", run.id));
    let raised: Vec<_> = kept
        .events()
        .iter()
        .filter(|line| matches!(line.event, Event::Raised { .. }))
        .map(|line| line.weight.percent())
        .collect();
    assert_eq!(raised, [50, 100], "{}", kept.story());
    run.saying("promoted: the candidate is stable now");
}

#[test]
fn a_bad_candidate_is_taken_back_on_the_way_to_all() {
    let Some(team) = team("{ steps: [{ weight: 50%, for: 1h }, { weight: 100% }], total: 2h, keep-old: 1h }")
    else {
        return;
    };
    let run = team.buttons.press(PRODUCTION, &[]);
    team.until_share(50);
    team.world.meter().candidate_fails(0.05);

    let run = team.buttons.wait(run).with(3);

    team.world.assert_all_on_stable();
    assert!(matches!(team.world.record().state, State::RolledBack { .. }));
    assert_eq!(run.output("outcome").as_deref(), Some("refused"));
    let kept = team.buttons.artifact("production", run.id);
    assert!(
        kept.story().contains("rolled back from 50 % in"),
        "{}",
        kept.story()
    );
}

#[test]
fn without_a_canary_that_has_passed_it_is_refused_unless_somebody_wants_it_so() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.production = SHORT;
    let Some(team) = Team::with(world, "") else { return };
    team.buttons.give(&["--secret", &format!("GITHUB_TOKEN={TOKEN}")]);
    team.buttons.run(PRODUCTION, &[]).with(3).saying("refused: ");
    assert_eq!(team.world.share(), Some(0));

    team.buttons.run(PRODUCTION, &[("without-canary", "true")]).well();
    assert!(matches!(team.world.record().state, State::Promoted { .. }));
}

#[test]
fn a_chain_of_runs_ends_the_phase_as_one() {
    let Some(team) =
        team("{ steps: [{ weight: 50%, for: 6s }, { weight: 100% }], total: 10s, keep-old: 1s }")
    else {
        return;
    };
    let github = github(&team.buttons, Duration::from_millis(300));

    team.buttons.press(PRODUCTION, &[("budget", "4s")]);

    until("the phase ends", Duration::from_secs(90), || {
        matches!(team.world.record().state, State::Promoted { .. }).then_some(())
    });
    let dispatches = github.taken();
    assert!(!dispatches.is_empty());
    for dispatch in &dispatches {
        assert_eq!(dispatch.workflow, PRODUCTION);
        assert_eq!(
            dispatch.inputs.get("phase").map(String::as_str),
            Some("production")
        );
    }
    for id in team.buttons.ids() {
        team.buttons.wait(id).well();
    }
}
