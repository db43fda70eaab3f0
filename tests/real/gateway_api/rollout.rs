//! A rollout from its start to its end, as the API server keeps it.

use std::time::Duration;

use rollgate_domain::rollout::record::State;
use serde_json::{Value, json};

use super::world::{World, backend, rule, rules};
use crate::support::servers::until;

/// The page for people who adopt it.
const PAGE: &str = include_str!("../../../docs/kubernetes.md");

const SOON: Duration = Duration::from_secs(30);

const EVERYTHING: &str =
    "sticky: { header: x-user-id, ids: decimal }\npreview: { header: x-preview, value: next }";

#[test]
fn a_rollout_goes_up_its_steps_and_back_and_leaves_only_its_record() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = EVERYTHING;
    let before = world.others_rules();

    world.shift(["start"]).with(0);
    assert_eq!(world.weights(), [100, 0]);
    assert_eq!(world.own_rules(), ["rollgate-0-preview"]);

    let driver = world.drive();
    until("green has 10 %", SOON, || {
        (world.weights() == [90, 10]).then_some(())
    });
    assert_eq!(
        world.own_rules(),
        ["rollgate-0-preview", "rollgate-0-candidate", "rollgate-0-stable"]
    );
    let route = world.object();
    assert_eq!(route["metadata"]["annotations"]["example.com/owner"], "shop");
    let candidate = &world.all_rules()[3];
    assert_eq!(
        candidate["matches"][0]["headers"],
        json!([{ "type": "RegularExpression", "name": "x-user-id", "value": "^.*0[0-9]$" }])
    );
    assert_eq!(candidate["filters"], before[1]["filters"]);
    assert_eq!(candidate["timeouts"], before[1]["timeouts"]);
    assert_eq!(
        candidate["backendRefs"],
        json!([backend("web-blue", 0), backend("web-green", 100)])
    );
    let status = world.shift(["status"]).with(0).stdout;
    assert!(status.contains("10 %"), "{status}");

    world.shift(["rollback", "--reason", "enough"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
    assert_eq!(world.others_rules(), before);
    assert!(matches!(world.record().state, State::RolledBack { reason } if reason == "enough"));
    // Twice is the same as once.
    let version = world.object()["metadata"]["resourceVersion"].clone();
    world.shift(["rollback"]).with(0);
    assert_eq!(world.object()["metadata"]["resourceVersion"], version);
}

#[test]
fn a_bad_candidate_is_taken_back_by_its_driver() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    let driver = world.held_at_10();
    world.green_fails();
    driver.end().with(3);
    world.assert_all_on_blue();
}

#[test]
fn a_pause_leaves_the_preview_and_the_next_run_goes_on() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = EVERYTHING;
    let driver = world.held_at_10();
    world.shift(["set", "0", "--reason", "over lunch"]).with(0);
    assert_eq!(world.weights(), [100, 0]);
    assert_eq!(world.own_rules(), ["rollgate-0-preview"]);
    driver.end().with(4);
    let driver = world.drive();
    until("green has 10 % again", SOON, || {
        (world.weights() == [90, 10]).then_some(())
    });
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_blue();
}

#[test]
fn a_dry_run_prints_the_patch_and_touches_nothing() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = EVERYTHING;
    let version = |world: &World<'_>| world.object()["metadata"]["resourceVersion"].clone();
    let before = version(&world);
    let said = world.shift(["start", "--dry-run"]).with(0).stdout;
    assert!(said.contains("would patch HTTPRoute"), "{said}");
    assert!(said.contains("\"name\":\"rollgate-0-preview\""), "{said}");
    assert_eq!(version(&world), before);
    let driver = world.held_at_10();
    let patch = world.shift(["rollback", "--dry-run"]).with(0).stdout;
    assert!(
        patch.contains(r#"{"op":"add","path":"/spec/rules/1/backendRefs/1/weight","value":0}"#),
        "{patch}"
    );
    assert!(
        patch.contains(r#"{"op":"remove","path":"/spec/rules/4"}"#),
        "{patch}"
    );
    assert_eq!(world.weights(), [90, 10]);
    drop(driver);
}

/// Weights are proportions: every rule that names both gets them, a third backend keeps its part.
#[test]
fn every_rule_of_the_versions_gets_the_share_and_other_backends_keep_theirs() {
    let both = |path: &str, more: &[Value]| {
        let mut backends = vec![backend("web-green", 0), backend("web-blue", 100)];
        backends.extend_from_slice(more);
        rule(path, &backends)
    };
    let rules = [both("/api", &[backend("archive", 25)]), both("/", &[])];
    let Some(world) = World::with(&rules) else { return };
    let driver = world.held_at_10();
    let weights: Vec<Value> = world
        .all_rules()
        .iter()
        .map(|rule| {
            rule["backendRefs"]
                .as_array()
                .expect("backends")
                .iter()
                .map(|one| one["weight"].clone())
                .collect()
        })
        .collect();
    assert_eq!(weights, [json!([10, 90, 25]), json!([10, 90])]);
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    assert_eq!(world.others_rules(), rules);
}

#[test]
fn the_role_of_the_documentation_is_enough_for_a_whole_rollout() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = EVERYTHING;
    let yaml = PAGE.split("```yaml\n").find(|block| block.contains("kind: Role"));
    let yaml = yaml.and_then(|block| block.split("```").next()).expect("a Role");
    let role: Value = serde_saphyr::from_str(yaml).expect("YAML");
    world.kubeconfig = world.namespace.user("rollgate", &role["rules"]).kubeconfig();
    let driver = world.held_at_10();
    world.shift(["set", "0"]).with(0);
    driver.end().with(4);
    let said = world.shift(["rollback"]).with(0).stderr;
    assert!(!said.contains("forbidden"), "{said}");
    world.assert_all_on_blue();
}
