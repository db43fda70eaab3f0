//! `rollback-2-planned.yml`: down step by step, watched on the way.

use rollgate_domain::rollout::{event::Event, record::State};

use super::{CANARY, PLANNED};
use crate::support::{
    team::{Artifact, Team},
    world::World,
};

/// A team with a canary at 50 %, its driver, and a look of so long on the way back.
fn team_at_half(watch: &str) -> Option<(Team, u32)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(50, "1h")];
    let team = Team::with(world, &format!("rollback: {{ watch: {watch} }}\n"))?;
    team.buttons.give(&["--secret", "GITHUB_TOKEN=unused"]);
    let run = team.buttons.press(CANARY, &[]);
    team.until_share(50);
    Some((team, run))
}

fn shares(kept: &Artifact) -> Vec<u8> {
    kept.events()
        .iter()
        .filter(|line| matches!(line.event, Event::Lowered { .. } | Event::RolledBack { .. }))
        .map(|line| line.weight.percent())
        .collect()
}

#[test]
fn it_goes_down_by_way_of_a_small_share_beside_a_running_driver() {
    let Some((team, driver)) = team_at_half("2s") else {
        return;
    };

    let button = team
        .buttons
        .run(PLANNED, &[("reason", "slower since noon")])
        .well();

    team.world.assert_all_on_stable();
    assert_eq!(
        team.world.record().state,
        State::RolledBack {
            reason: "slower since noon".to_owned()
        }
    );
    let kept = team.buttons.artifact("planned", button.id);
    assert_eq!(shares(&kept), [5, 0], "{}", kept.story());
    assert_eq!(button.output("outcome").as_deref(), Some("done"));
    assert_eq!(button.output("weight").as_deref(), Some("0"));
    button.saying("Summary - ## ");
    team.buttons.wait(driver).with(6);
}

#[test]
fn harm_on_the_way_ends_it_at_once() {
    let Some((team, driver)) = team_at_half("1h") else {
        return;
    };
    let button = team.buttons.press(PLANNED, &[]);
    crate::support::servers::until("a small share", std::time::Duration::from_secs(60), || {
        (team.world.share() == Some(5)).then_some(())
    });
    team.world.meter().candidate_fails(0.3);

    let button = team.buttons.wait(button).well();

    team.world.assert_all_on_stable();
    let kept = team.buttons.artifact("planned", button.id);
    assert_eq!(shares(&kept), [5, 0], "{}", kept.story());
    team.buttons.wait(driver).with(6);
}
