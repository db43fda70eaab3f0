//! `rollback-1-emergency.yml`: one button, whatever else is going on.

use rollgate_domain::rollout::{event::Event, record::State};

use super::{CANARY, EMERGENCY, TO_SLACK, slack, title};
use crate::support::{http::Reply, team::Team, world::World};

/// A team with a canary at 1 % and its driver.
fn team_with_a_canary() -> Option<(Team, u32)> {
    let mut world = World::simulated()?;
    world.plan.steps = vec![(1, "1h")];
    let team = Team::with(world, TO_SLACK)?;
    team.buttons.give(&["--secret", "GITHUB_TOKEN=unused"]);
    let run = team.buttons.press(CANARY, &[]);
    team.until_share(1);
    Some((team, run))
}

#[test]
fn the_button_takes_the_traffic_back_beside_a_running_driver() {
    let Some((team, driver)) = team_with_a_canary() else {
        return;
    };
    let rollout = team.world.record().rollout;
    let (slack, flags) = slack(Reply::ok("ok"));
    team.buttons.give(&flags.each_ref().map(String::as_str));

    let reason = "orders fail; $(id) \"&& `id` %0A::error::x";
    let button = team.buttons.run(EMERGENCY, &[("reason", reason)]).well();

    team.world.assert_all_on_stable();
    assert_eq!(
        team.world.record().state,
        State::RolledBack {
            reason: reason.to_owned()
        }
    );
    assert_eq!(button.output("outcome").as_deref(), Some("done"));
    assert_eq!(button.output("weight").as_deref(), Some("0"));
    assert_eq!(button.output("rollout_id"), Some(rollout.clone()));
    let kept = team.buttons.artifact("rollback", button.id);
    assert_eq!(kept.name, format!("rollgate-{rollout}-rollback-{}-a1", button.id));
    assert!(
        kept.story().contains("rolled back from 1 % in"),
        "{}",
        kept.story()
    );
    let told: Vec<_> = slack.seen().iter().map(title).collect();
    assert_eq!(
        told,
        [format!(
            ":rotating_light: {rollout}: ROLLED BACK, candidate from 1 % to 0 %"
        )]
    );
    assert!(slack.seen()[0].body.contains("orders fail"));
    let button = button.saying(&format!("Summary - ## {rollout}"));

    // The driver sees that it is no longer the owner, says who is, and touches nothing.
    let fenced = team.buttons.wait(driver).with(6);
    let kept = team.buttons.artifact("canary", fenced.id);
    let by = kept.events().into_iter().find_map(|line| match line.event {
        Event::Fenced { by } => Some(by),
        _ => None,
    });
    assert!(
        by.expect("fenced")
            .contains(&format!("/actions/runs/{}", button.id))
    );
    assert_eq!(
        team.world.record().state,
        State::RolledBack {
            reason: reason.to_owned()
        }
    );
}

#[test]
fn it_works_with_a_plan_of_which_only_the_traffic_is_right() {
    let Some((team, driver)) = team_with_a_canary() else {
        return;
    };
    let (slack, flags) = slack(Reply::ok("ok"));
    team.buttons.give(&flags.each_ref().map(String::as_str));
    let plan = team.world.plan.text();
    let traffic = &plan[..plan.find("metrics:").expect("metrics")];
    team.commit_plan(&format!(
        "{traffic}metrics: {{ prometheus: 7 }}\nphases: nonsense\nwhat: is this\n"
    ));

    let button = team
        .buttons
        .run(EMERGENCY, &[("reason", "bad")])
        .well()
        .saying("warning: ");

    team.world.assert_all_on_stable();
    assert_eq!(button.output("outcome").as_deref(), Some("done"));
    // Who is to be told cannot be read, so everybody is.
    let told: Vec<_> = slack.seen().iter().map(title).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    team.buttons.wait(driver).with(6);
}

#[test]
fn without_a_rollout_it_does_no_harm() {
    let Some(world) = World::simulated() else { return };
    let Some(team) = Team::with(world, "") else { return };

    team.buttons.run(EMERGENCY, &[]).well();
    team.buttons.run(EMERGENCY, &[]).well();

    team.world.assert_all_on_stable();
}
