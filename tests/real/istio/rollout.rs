//! Whole rollouts.

use std::time::Duration;

use rollgate_domain::rollout::record::State;
use serde_json::json;

use super::world::{SHARED, World};
use crate::support::servers::until;

const USERS: &str =
    "sticky: { header: x-user-id, ids: decimal }\npreview: { header: x-preview, value: next }";

#[test]
fn a_healthy_canary_passes_and_leaves_nothing_but_its_record() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = USERS;
    world.steps = "[{ weight: 5%, for: 400ms }, { weight: 10%, for: 400ms }]";
    let before = world.service();
    world.shift(["start"]).with(0);
    let said = world.shift(["run"]).with(0).stderr;
    for share in ["5 %", "10 %"] {
        assert!(said.contains(share), "{share} is not in\n{said}");
    }
    let record = world.record();
    assert_eq!((&record.state, record.weight.percent()), (&State::Passed, 0));
    world.assert_all_on_blue();
    let after = world.service();
    assert_eq!(after["spec"], before["spec"]);
    let annotations = after["metadata"]["annotations"].as_object().expect("annotations");
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["rollgate.dev/record"]);
    // The driver is gone, and the next phase begins from here.
    world.shift(["run"]).with(0);
    assert_eq!(world.service()["spec"], before["spec"]);
}

#[test]
fn a_bad_candidate_is_taken_back_and_the_next_one_may_start() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    world.green_fails();
    driver.end().with(3);
    world.assert_all_on_blue();
    assert!(matches!(world.record().state, State::RolledBack { .. }));
    world.shift(["start"]).with(0);
    assert!(matches!(world.record().state, State::Ready { step: 0 }));
    world.assert_all_on_blue();
}

#[test]
fn a_share_is_seen_by_kubectl_and_by_status() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    let said = world
        .namespace
        .kubectl(&["get", "virtualservice", "web", "-o", "yaml"]);
    assert!(
        said.contains("weight: 90") && said.contains("weight: 10"),
        "{said}"
    );
    let status = world.shift(["status"]).with(0).stdout;
    assert!(status.contains("10 %"), "{status}");
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_blue();
}

#[test]
fn single_users_have_routes_while_the_candidate_is_tried() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = USERS;
    world.shift(["start"]).with(0);
    // At 0 % the preview stands before any user is moved.
    assert_eq!(world.own_routes(), ["rollgate-preview-1"]);
    let preview = world.route("rollgate-preview-1");
    assert_eq!(
        preview["match"],
        json!([{ "headers": { "x-preview": { "exact": "next" } } }])
    );
    assert_eq!(
        preview["route"],
        json!([{ "destination": { "host": "web-green" } }])
    );
    assert_eq!(preview["timeout"], "2s");
    let names = |world: &World| -> Vec<String> {
        let http = world.http();
        http.iter()
            .map(|route| route["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&world), ["static", "rollgate-preview-1", "web"]);

    world.shift(["rollback"]).with(0);
    let driver = world.held_at_10();
    assert_eq!(
        names(&world),
        [
            "static",
            "rollgate-preview-1",
            "rollgate-candidate-1",
            "rollgate-stable-1",
            "web"
        ]
    );
    let sticky = world.route("rollgate-candidate-1");
    let regex = &sticky["match"][0]["headers"]["x-user-id"]["regex"];
    assert_eq!(regex, "^.*0[0-9]$");
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    assert_eq!(names(&world), ["static", "web"]);
    world.assert_all_on_blue();
}

#[test]
fn a_dry_run_prints_the_patch_and_touches_nothing() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    drop(driver);
    let version = || world.service()["metadata"]["resourceVersion"].clone();
    let before = version();
    let said = world.shift(["rollback", "--dry-run"]).with(0).stdout;
    assert!(said.contains("would patch VirtualService"), "{said}");
    assert!(
        said.contains(r#"{"op":"add","path":"/spec/http/1/route/1/weight","value":0}"#),
        "{said}"
    );
    assert_eq!(version(), before);
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
}

#[test]
fn a_driver_that_is_asked_to_leave_leaves_nothing_behind() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = USERS;
    let driver = world.held_at_10();
    driver.signal("TERM");
    driver.end().with(4);
    assert_eq!(world.weights(), [100, 0]);
    // Paused is still tried: the preview stands, nobody else meets green.
    assert_eq!(world.own_routes(), ["rollgate-preview-1"]);
    until("it is paused", Duration::from_secs(5), || {
        matches!(world.record().state, State::Paused { .. }).then_some(())
    });
}
