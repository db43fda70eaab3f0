//! An alert of the team's Prometheus becomes a rollback: what `export alertmanager` has sent starts `signal.yml`.

use rollgate_domain::rollout::record::State;

use super::release::at_the_first_step;
use crate::export::{export, yaml};

#[test]
fn an_alert_takes_the_candidate_back() {
    let Some((team, _releases)) = at_the_first_step() else {
        return;
    };

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
