//! What went wrong elsewhere, on a VirtualService.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::world::{KIND, SHARED, World};
use crate::support::{
    kube::{Link, Writer},
    tool::run,
};

/// argo-rollouts #1838: the rule that made users stick went on sending them to the canary.
#[test]
fn a_sticky_rule_is_not_left_behind_after_an_abort_that_cannot_read_the_plan() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = "sticky: { header: x-user-id, ids: hex }";
    let driver = world.held_at_10();
    assert_eq!(world.own_routes(), ["rollgate-candidate-1", "rollgate-stable-1"]);
    let broken = format!(
        "service: shop-api\ntraffic:\n  istio: {{ namespace: {}, route: web, backends: [web-blue, web-green] }}\nnonsense: 1\n",
        world.namespace.name
    );
    run(world.command_with(&broken, ["rollback"])).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
    world.assert_all_on_blue();
}

#[test]
fn a_sticky_rule_that_came_back_by_a_foreign_hand_is_told_and_removed_by_a_rollback() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = "sticky: { header: x-user-id, ids: decimal }";
    let driver = world.held_at_10();
    let with_rules = world.http();
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    let mut old = with_rules;
    let last = old.len() - 1;
    old[last] = world.route("web");
    world.put_http(&old);
    let said = world.shift(["status"]).stdout;
    assert!(said.contains("are left behind"), "{said}");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
}

/// gatewayapi plugin #203 and #217: routes of others were stripped.
#[test]
fn foreign_routes_that_come_and_go_in_the_middle_survive_every_write() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.users = "preview: { header: x-preview, value: next }";
    let driver = world.held_at_10();
    let foreign = json!({
        "name": "beta",
        "match": [{ "headers": { "x-beta": { "exact": "yes" } } }],
        "fault": { "abort": { "httpStatus": 503, "percentage": { "value": 1 } } },
        "route": [{ "destination": { "host": "web-green" } }],
    });
    let mut http = world.http();
    http.insert(0, foreign.clone());
    http.push(json!({ "name": "last", "redirect": { "uri": "/gone" } }));
    http.retain(|route| route["name"] != "static");
    world.put_http(&http);
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_blue();
    assert_eq!(world.route("beta"), foreign);
    let names: Vec<_> = world.http().iter().map(|route| route["name"].clone()).collect();
    assert_eq!(names, ["beta", "web", "last"]);
}

#[test]
fn a_route_that_lost_stable_gets_it_back_by_a_rollback() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    let mut http = world.http();
    http[1]["route"] = json!([{ "destination": { "host": "web-green" }, "weight": 10 }]);
    world.put_http(&http);
    driver.until_it_says("does not name web-blue any more");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    assert_eq!(world.route("web")["timeout"], "2s");
    driver.end().with(6);
}

/// flagger #1407: Helm put the old object back in mid-canary.
#[test]
fn a_manifest_that_is_applied_again_in_mid_canary_is_told_and_nothing_rises() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    world.namespace.apply(SHARED);
    driver.until_it_says("gives web-green 0 %, the record says 10 %");
    assert_eq!(world.weights(), [100, 0]);
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_blue();
}

#[test]
fn all_weights_0_is_told_and_a_rollback_serves_users_again() {
    let Some(world) = World::with(SHARED) else { return };
    let driver = world.held_at_10();
    let mut http = world.http();
    for target in [0, 1] {
        http[1]["route"][target]["weight"] = json!(0);
    }
    world.put_http(&http);
    driver.until_it_says("do not add up to 100");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
}

/// "The object has been modified" wedged the rollout.
#[test]
fn a_foreign_writer_fifty_times_a_second_holds_up_neither_driver_nor_rollback() {
    let Some(world) = World::with(SHARED) else { return };
    let api = &world.namespace.cluster.api;
    let name = world.namespace.name.clone();
    let path = format!("/apis/networking.istio.io/v1/namespaces/{name}/virtualservices/web");
    // One writes another route, one another annotation.
    let route = Writer::start("route", move |_, number| {
        let timeout = format!("{}s", number % 60 + 1);
        let patch = json!([{ "op": "add", "path": "/spec/http/0/timeout", "value": timeout }]).to_string();
        let answer = api.send(Method::PATCH, &path, "application/json-patch+json", &patch);
        answer.is_ok()
    });
    let annotation = Writer::start("annotation", move |hand, number| {
        let key = format!("example.com/writes-{hand}");
        let note = json!({ "metadata": { "annotations": { key: number.to_string() } } });
        api.patch(KIND, Some(&name), "web", &note)
            .expect("a foreign write");
        true
    });
    let driver = world.held_at_10();
    let began = Instant::now();
    world.shift(["rollback"]).with(0);
    let took = began.elapsed();
    driver.end().with(6);
    let (_, routes) = route.stop();
    let (written, annotations) = annotation.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(
        routes > 1.0 && annotations > 1.0,
        "{routes} and {annotations} a second"
    );
    world.assert_all_on_blue();
    // None of them was overwritten.
    let annotations = &world.service()["metadata"]["annotations"];
    for (hand, count) in written.iter().enumerate() {
        assert_eq!(
            annotations[format!("example.com/writes-{hand}")],
            count.to_string()
        );
    }
}

#[test]
fn while_the_api_server_is_away_a_rollback_says_that_it_is_stuck_and_the_next_one_ends_it() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    let driver = world.held_at_10();
    drop(driver);
    let link = Link::to(&world.namespace.cluster.address);
    let direct = world.kubeconfig.clone();
    world.kubeconfig = world.namespace.admin().kubeconfig_at(&link.address);
    link.cut();
    world
        .shift(["rollback", "--patience", "1s"])
        .with(5)
        .saying("STUCK");
    assert_eq!(world.weights(), [90, 10]);
    link.restore();
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    world.kubeconfig = direct;
    world.shift(["rollback"]).with(0);
}
