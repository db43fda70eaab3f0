//! What went wrong elsewhere, on a HTTPRoute.

use std::time::{Duration, Instant};

use reqwest::Method;
use rollgate_domain::rollout::record::State;
use serde_json::{Value, json};

use super::world::{KIND, World, backend, rules};
use crate::support::{
    kube::{Says, Writer},
    servers::until,
    tool::run,
};

const SOON: Duration = Duration::from_secs(30);

/// argo-rollouts #4841.
#[test]
fn five_percent_are_not_left_on_the_canary_after_an_abort() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    world.shift(["start"]).with(0);
    let driver = world.drive();
    until("green has 5 %", SOON, || (world.weights()[1] >= 5).then_some(()));
    // As a cancelled run ends: asked once, asked twice, killed.
    driver.signal("INT");
    driver.end();
    assert_eq!(world.weights(), [100, 0]);
    assert!(matches!(world.record().state, State::Paused { .. }));
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
}

/// argo-rollouts #1838.
#[test]
fn a_sticky_rule_is_not_left_behind_after_the_abort_that_cannot_read_plan_or_record() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = "sticky: { header: x-user-id, ids: hex }\npreview: { header: x-preview }";
    let driver = world.held_at_10();
    assert_eq!(world.own_rules().len(), 3);
    let edited = json!({ "metadata": { "annotations": { "rollgate.dev/record": "p95 > 200ms <edited>" } } });
    world.namespace.patch(KIND, "web", &edited);
    let broken = format!(
        "service: shop-api\ntraffic:\n  gateway-api: {{ namespace: {}, route: web, backends: [web-blue, web-green] }}\nnonsense: 1\n",
        world.namespace.name
    );
    run(world.command_with(&broken, ["rollback"])).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
    world.assert_all_on_blue();
}

/// argo-rollouts #4347.
#[test]
fn a_weight_accepted_as_an_object_but_not_by_the_router_is_no_rise() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    world.shift(["start"]).with(0);
    let gateway = world.gateway.as_ref().expect("a gateway");
    gateway.says(Says::No(
        "Accepted",
        "UnsupportedValue",
        "weights are not supported",
    ));
    let driver = world.drive();
    driver
        .until_it_says("does not serve it (Accepted is False): UnsupportedValue: weights are not supported");
    until("the rise is taken back", SOON, || {
        (world.weights() == [100, 0]).then_some(())
    });
    assert_eq!(world.record().weight.percent(), 0);
    // It goes on when the router does.
    gateway.says(Says::Accepted);
    // One weight of somebody else's alone: the driver tries its own again and again.
    let path = format!(
        "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/web",
        world.namespace.name
    );
    let touched = json!([{ "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 8 }]);
    let api = &world.namespace.cluster.api;
    let kind = "application/json-patch+json";
    let touched = api.send(Method::PATCH, &path, kind, &touched.to_string());
    touched.expect("a foreign write");
    until("green has 10 %", Duration::from_secs(60), || {
        (world.weights() == [90, 10]).then_some(())
    });

    // A rollback is done without the router's word.
    gateway.says(Says::Nothing);
    let began = Instant::now();
    world.shift(["rollback"]).with(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    world.assert_all_on_blue();
    driver.end().with(6);
}

#[test]
fn a_rise_that_no_gateway_confirms_takes_nothing_back_from_a_rollback() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    world.shift(["start"]).with(0);
    let gateway = world.gateway.as_ref().expect("a gateway");
    gateway.says(Says::Nothing);
    let driver = world.drive();
    until("green has 5 %, unconfirmed", SOON, || {
        (world.weights() == [95, 5]).then_some(())
    });
    world.shift(["rollback"]).with(0);
    let rolled_back = world.record();
    // Its driver sees that instead of waiting for the Gateway.
    driver.end().with(6);
    assert_eq!(world.record(), rolled_back);
    assert!(matches!(rolled_back.state, State::RolledBack { .. }));
    world.assert_all_on_blue();
}

/// flagger #1532.
#[test]
fn a_sticky_rule_that_drains_everybody_to_the_canary_is_seen_and_no_rise_follows() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = "sticky: { header: x-user-id, ids: decimal }";
    let driver = world.held_at_10();
    let mut rules = world.all_rules();
    rules[2]["matches"][0]["headers"][0]["value"] = ".*".into();
    world.put_rules(&rules);
    driver.until_it_says("the rules for single users (rollgate-…) are not the ones that were written");
    let status = world.shift(["status"]).with(4).stdout;
    assert!(status.contains("PROBLEM"), "{status}");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
}

/// Argo Rollouts' Gateway API plugin #203 and #217.
#[test]
fn foreign_backends_and_rules_are_not_stripped() {
    let mut rules = rules();
    rules[1]["backendRefs"] = json!([
        backend("web-blue", 100),
        backend("archive", 10),
        backend("web-green", 0)
    ]);
    let Some(mut world) = World::with(&rules) else {
        return;
    };
    world.users = "preview: { header: x-preview }";
    let driver = world.held_at_10();
    // One more comes and one goes in the middle.
    let mut now = world.all_rules();
    now[0] = json!({ "matches": [{ "path": { "type": "PathPrefix", "value": "/new" } }], "backendRefs": [backend("new", 1)] });
    now.insert(0, rules[0].clone());
    world.put_rules(&now);
    world.shift(["set", "5%"]).with(0);
    until("green has 10 % again", SOON, || {
        (world.weights() == [90, 10]).then_some(())
    });
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    let left = world.others_rules();
    assert_eq!(left.len(), 3);
    assert_eq!((&left[0], &left[1]), (&now[0], &now[1]));
    assert_eq!(left[2], rules[1]);
    assert_eq!(world.own_rules(), Vec::<String>::new());
}

#[test]
fn all_weights_0_answer_500_and_are_drift_that_is_never_written() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    let driver = world.held_at_10();
    let mut zeros = world.all_rules();
    for backend in zeros[1]["backendRefs"].as_array_mut().expect("backends") {
        backend["weight"] = 0.into();
    }
    world.put_rules(&zeros);
    driver.until_it_says("rule 2 gives every backend weight 0: its requests are answered with 500");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
}

#[test]
fn a_version_that_a_rule_has_lost_comes_back_with_the_rollback() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    let driver = world.held_at_10();
    let mut lost = world.all_rules();
    lost[1]["backendRefs"] = json!([backend("web-green", 100)]);
    world.put_rules(&lost);
    driver.until_it_says("rule 2 names web-green and not web-blue");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
}

/// flagger, argo-rollouts: "the object has been modified; please apply your changes to the latest version".
#[test]
fn an_object_that_has_been_modified_fifty_times_a_second_does_not_wedge_the_rollout() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    world.users = "sticky: { header: x-user-id }\npreview: { header: x-preview }";
    let cluster = world.namespace.cluster;
    let path = format!(
        "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/web",
        world.namespace.name
    );
    let replace = move |path: &str, place: &str, value: Value| {
        let patch = json!([{ "op": "replace", "path": place, "value": value }]).to_string();
        let answer = cluster
            .api
            .send(Method::PATCH, path, "application/json-patch+json", &patch);
        answer.is_ok()
    };
    // One writes another rule, one a status of its own.
    let status = format!("{path}/status");
    let writers = [
        Writer::start("rule", move |_, number| {
            let place = "/spec/rules/0/backendRefs/0/weight";
            replace(&path, place, (number % 90 + 1).into())
        }),
        Writer::start("status", move |_, number| {
            let place = "/status/parents/0/conditions/0/message";
            replace(&status, place, format!("write {number}").into())
        }),
    ];
    let driver = world.held_at_10();
    until("it has been modified often", SOON, || {
        writers
            .iter()
            .all(|writer| writer.writes().iter().sum::<u32>() > 50)
            .then_some(())
    });
    let began = Instant::now();
    world.shift(["rollback"]).with(0);
    let took = began.elapsed();
    for (_, rate) in writers.map(Writer::stop) {
        assert!(rate > 1.0, "{rate} a second");
    }
    driver.end().with(6);
    world.assert_all_on_blue();
    assert!(took < Duration::from_secs(5), "{took:?}");
}
