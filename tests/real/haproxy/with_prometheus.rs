//! A source that has a past: whoever comes later finds all evidence again.

use std::time::Duration;

use rollgate::operations::look::Sample;
use rollgate_domain::analysis::{Outcome, Verdict};

use super::main_job::{lines, replay, shares};
use crate::support::{
    require,
    servers::{Prometheus, until},
    tool::binary,
    world::{World, shop::Crowd},
};

#[test]
fn a_driver_that_was_killed_leaves_its_evidence_to_the_next_one() {
    let Some(mut world) = World::real() else { return };
    let Some(program) = require("prometheus") else {
        return;
    };
    let [blue, green] = world.backends();
    let prometheus = Prometheus::scraping(&program, &[&blue, &green]);
    world.plan.prometheus = Some(prometheus.url.clone());
    world.plan.look = "1s";
    world.plan.steps = vec![(50, "1h")];
    let crowd = Crowd::ask(&world.haproxy[0].front, 600, 2000, &world.path(""));
    // `start` refuses until Prometheus has seen stable.
    until("stable is seen", Duration::from_secs(30), || {
        (world.shift(["start"]).code == Some(0)).then_some(())
    });

    let first = world.begin(["run"]);
    let judged = || lines::<Sample>(&world, "samples.jsonl");
    until("some looks with the candidate", Duration::from_secs(30), || {
        if !world.out().join("samples.jsonl").exists() {
            return None;
        }
        let looks = judged()
            .iter()
            .filter(|sample| sample.look.candidate.requests > 0.0)
            .count();
        (looks >= 3).then_some(())
    });
    first.signal("KILL");
    let before = judged();
    assert_eq!(world.share(), Some(50), "nobody could take it back");
    // A person sees what users get, and what the judge would say, without any driver.
    let status = world.shift(["status", "--output=json"]).with(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["measured"]["how"], "counted", "{status}");
    let measured = status["measured"]["percent"].as_f64().expect("a share");
    assert!(
        (20.0..=60.0).contains(&measured),
        "{measured} % of the last five minutes"
    );
    assert!(status["verdict"]["sentence"].is_string(), "{status}");

    world.green().turn("error-rate=10%25");
    let second = world.shift(["run"]).with(3).saying("rolled back from 50 %");
    assert_eq!(shares(&world), [50, 0]);
    world.assert_all_on_stable();
    // The second driver has counted every look of the first one anew, and alike.
    let after: Vec<Sample> = judged().split_off(before.len());
    for (first, second) in before.iter().zip(&after) {
        assert_eq!(first.look, second.look);
    }
    assert!(after.len() > before.len(), "{}", second.stderr);
    assert!(replay(&world) > 3);

    // Asked as of the same moment, verify-health says the same.
    let verdict = std::fs::read(world.out().join("verdict.json")).expect("a verdict");
    let verdict: Verdict = serde_json::from_slice(&verdict).expect("a verdict");
    assert_eq!(verdict.outcome, Outcome::Rollback);
    let check = binary("verify-health")
        .env("ROLLGATE_PLAN", world.path("plan.yml"))
        .args(["check", "--output=json", "--now", &verdict.at.to_string()])
        .output()
        .expect("verify-health");
    assert_eq!(check.status.code(), Some(3));
    let checked: Verdict = serde_json::from_slice(&check.stdout).expect("a verdict");
    assert_eq!((checked.outcome, checked.found), (verdict.outcome, verdict.found));
    crowd.go_home();
}
