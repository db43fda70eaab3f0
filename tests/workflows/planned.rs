//! `rollback-2-planned.yml`: down step by step, watched on the way.

use rollgate_domain::rollout::{event::Event, record::State};

use super::{CANARY, PLANNED};
use crate::support::{
    team::{Artifact, ROOT, Team},
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
    let status: serde_json::Value = serde_json::from_str(&kept.text("evidence/status.json")).expect("JSON");
    assert_eq!(status["share"], 0);
    assert!(
        kept.text("evidence/index.md")
            .contains("[status.json](status.json)")
    );
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

#[test]
fn what_is_collected_never_keeps_a_rollback_or_its_artifact_waiting() {
    let text = std::fs::read_to_string(format!("{ROOT}/.github/workflows/{PLANNED}")).expect("the workflow");
    let workflow: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let steps = workflow["jobs"]["rollback"]["steps"].as_array().expect("steps");
    let at = |name: &str| steps.iter().position(|step| step["name"] == name).expect(name);
    let collect = at("Collect what the candidate left");
    assert!(at("Roll back") < collect && at("Write the run's page") < collect);
    assert_eq!(collect + 1, at("Keep what happened"));
    assert_eq!(steps[collect]["if"], "always()");
    assert_eq!(steps[collect]["continue-on-error"], true);
    assert_eq!(steps[collect]["timeout-minutes"], 5);
}

#[test]
fn a_rollback_whose_evidence_cannot_be_had_is_done_all_the_same() {
    let Some((team, driver)) = team_at_half("2s") else {
        return;
    };
    // A name that is no folder: nothing can be put into it.
    let copy = team.buttons.repository.join("rollgate-out");
    std::fs::create_dir(&copy).expect("a folder");
    std::fs::write(copy.join("evidence"), "").expect("a file");
    team.buttons.commit();

    let button = team.buttons.run(PLANNED, &[]).well();

    team.world.assert_all_on_stable();
    let kept = team.buttons.artifact("planned", button.id);
    assert_eq!(shares(&kept), [5, 0], "{}", kept.story());
    button.saying("make the folder rollgate-out/evidence");
    team.buttons.wait(driver).with(6);
}
