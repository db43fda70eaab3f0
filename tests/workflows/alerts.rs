//! An alert of the team's Prometheus becomes a rollback: what `export alertmanager` has sent starts `signal.yml`.

use rollgate_domain::rollout::{moves::Move, record::State};

use super::callers::team;
use crate::{
    export::{export, yaml},
    support::world::{World, after, entry},
};

#[test]
fn an_alert_takes_the_candidate_back() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let Some((team, _releases)) = team(world) else {
        return;
    };
    team.world.shift(["start"]).with(0);
    let mut record = team.world.record();
    for step in [Move::Take, Move::Raise] {
        record = after(&record, step);
    }
    team.world.put(&entry(&record));

    let configuration = yaml(&export("alertmanager", &["--repository", "acme/shop"]));
    let mut body = configuration["receivers"][0]["webhook_configs"][0]["payload"].clone();
    // Alertmanager has put the alert's summary here.
    let summary = "shop-api v2 answers 3.1% of its requests with an error, over 1 %";
    body["client_payload"]["reason"] = summary.into();
    let event = body["event_type"].as_str().expect("an event").to_owned();
    let run = team.buttons.report("signal.yml", &event, &body["client_payload"]);
    team.buttons.wait(run).well();

    team.world.assert_all_on_stable();
    let State::RolledBack { reason } = team.world.record().state else {
        panic!("{:?}", team.world.record().state)
    };
    assert_eq!(reason, format!("signal (critical): {summary}"));
}
