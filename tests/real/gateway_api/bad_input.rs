//! Routes, rights and clusters that cannot carry a rollout: one clear error, nothing changed.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{KIND, World, backend, rule, rules};
use crate::support::{
    kube::{Cluster, Link, Says},
    servers::until,
    tool::run,
};

/// The route without what its Gateway writes.
pub(super) fn as_it_is(world: &World<'_>) -> [Value; 3] {
    let route = world.object();
    [
        &route["spec"],
        &route["metadata"]["annotations"],
        &route["metadata"]["generation"],
    ]
    .map(Value::clone)
}

/// `start` ends with this code, says so, and changes nothing.
#[track_caller]
pub(super) fn refused(world: &World<'_>, code: i32, says: &str) {
    let before = as_it_is(world);
    world.shift(["start"]).with(code).saying(says);
    assert_eq!(as_it_is(world), before);
}

fn blue_and(more: Value) -> Vec<Value> {
    vec![rule("/", &[backend("web-blue", 100), more])]
}

#[test]
fn a_route_that_is_not_there_is_named() {
    let Some(cluster) = Cluster::shared() else { return };
    let world = World::of(cluster.namespace("gateway-missing"));
    world
        .shift(["start"])
        .with(1)
        .saying(&format!("read HTTPRoute {}/web: ", world.namespace.name))
        .saying("\"web\" not found");
}

#[test]
fn routes_that_do_not_name_both_versions_are_refused() {
    let Some(world) = World::with(&[rule("/", &[backend("web-blue", 100)])]) else {
        return;
    };
    refused(&world, 1, "names both web-blue and web-green, it names Service");

    // A namesake of another namespace or of another kind is none of ours.
    let mut elsewhere = backend("web-green", 0);
    elsewhere["namespace"] = "other".into();
    world.put_rules(&blue_and(elsewhere));
    refused(&world, 1, "Service other/web-green");
    let mut other_kind = backend("web-green", 0);
    other_kind["kind"] = "Bucket".into();
    other_kind["group"] = "example.com".into();
    world.put_rules(&blue_and(other_kind));
    refused(&world, 1, "Bucket ");

    world.put_rules(&[
        rule("/api", &[backend("web-blue", 100)]),
        rule("/", &[backend("web-blue", 100), backend("web-green", 0)]),
    ]);
    refused(&world, 3, "rule 1 names web-blue and not web-green");
}

#[test]
fn weights_that_are_no_share_of_0_are_refused() {
    let bare = |name: &str| json!({ "name": name, "port": 80 });
    let Some(world) = World::with(&[rule("/", &[bare("web-blue"), bare("web-green")])]) else {
        return;
    };
    refused(&world, 3, "web-green has 50 % already");

    // Proportions, not percents: nothing of nine parts is nothing.
    world.put_rules(&[rule("/", &[backend("web-blue", 9), backend("web-green", 0)])]);
    world.shift(["start"]).with(0);
    world.shift(["rollback"]).with(0);
    assert_eq!(world.weights(), [100, 0]);

    world.put_rules(&[
        rule("/api", &[backend("web-blue", 50), backend("web-green", 50)]),
        rule("/", &[backend("web-blue", 100), backend("web-green", 0)]),
    ]);
    refused(&world, 3, "web-green has 50 % in rule 1");
    world.put_rules(&[rule(
        "/",
        &[
            backend("web-blue", 9),
            backend("web-green", 0),
            backend("archive", 1),
        ],
    )]);
    refused(&world, 3, "add up to 9: make it 100");
}

#[test]
fn a_route_that_nobody_serves_is_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let world = World::of(cluster.namespace("gateway-none"));
    world.deploy(8080, 8080);
    world.route(&rules(), &json!({ "name": "edge" }));
    refused(&world, 1, "no controller has said anything of it for Gateway");

    let none = json!({ "spec": { "parentRefs": null } });
    world.namespace.patch(KIND, "web", &none);
    refused(
        &world,
        1,
        "it is attached to no Gateway: name one in spec.parentRefs",
    );
}

#[test]
fn a_reference_that_no_grant_allows_is_told_in_the_gateways_words() {
    let Some(world) = World::with(&rules()) else {
        return;
    };
    let gateway = world.gateway.as_ref().expect("a gateway");
    gateway.says(Says::No(
        "ResolvedRefs",
        "RefNotPermitted",
        "no ReferenceGrant to other/cdn",
    ));
    let mut elsewhere = backend("cdn", 1);
    elsewhere["namespace"] = "other".into();
    let mut rules = rules();
    rules[0]["backendRefs"] = json!([elsewhere]);
    world.put_rules(&rules);
    until("the gateway has said no", Duration::from_secs(10), || {
        let said = world.object()["status"]["parents"][0]["conditions"][0]["reason"].clone();
        (said == "RefNotPermitted").then_some(())
    });
    refused(&world, 1, "RefNotPermitted: no ReferenceGrant to other/cdn");
}

#[test]
fn a_route_without_room_for_sticky_users_is_refused_before_anything_is_changed() {
    let path = |number: usize| format!("/docs{number}");
    let mut many: Vec<_> = (0..13)
        .map(|number| rule(&path(number), &[backend("docs", 1)]))
        .collect();
    many.extend(rules().pop());
    let Some(mut world) = World::with(&many) else {
        return;
    };
    world.users = "sticky: { header: x-user-id }\npreview: { header: x-preview }";
    refused(
        &world,
        1,
        "at most 16 rules: 14 are there, and sticky users or a preview need 3 more",
    );
    world.users = "sticky: { header: x-user-id }";
    world.shift(["start"]).with(0);
}

#[test]
fn the_limits_of_the_crd_are_told_in_the_api_servers_words_before_anything_is_changed() {
    // 43 matches, three times more of them with rules for single users: 172 of at most 128.
    let mut wide = rules().pop().expect("a rule");
    let matches = (0..43).map(|number| json!({ "path": { "type": "Exact", "value": format!("/{number}") } }));
    wide["matches"] = matches.collect();
    let Some(mut world) = World::with(&[wide]) else {
        return;
    };
    world.users = "sticky: { header: x-user-id }\npreview: { header: x-preview }";
    refused(&world, 1, "must be less than 128");
}

#[test]
fn a_rule_that_asks_for_the_users_header_itself_is_refused() {
    let mut rules = rules();
    rules[1]["matches"][0]["headers"] = json!([{ "type": "Exact", "name": "X-User-Id", "value": "7" }]);
    let Some(mut world) = World::with(&rules) else {
        return;
    };
    world.users = "sticky: { header: x-user-id }";
    refused(&world, 1, "rule 2 asks for header x-user-id itself");
}

/// The Role of docs/kubernetes.md, less one verb each time.
#[test]
fn a_missing_verb_is_told_as_yaml_that_can_be_applied() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    let routes = |verbs: &[&str]| json!([{ "apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": verbs }]);
    let admin = world.kubeconfig.clone();
    let nobody = world.namespace.user("nobody", &json!([]));
    let reader = world.namespace.user("reader", &routes(&["get"]));

    world.kubeconfig = nobody.kubeconfig();
    world
        .shift(["rollback", "--patience", "1s"])
        .with(5)
        .saying("verbs: [\"get\"]")
        .saying("kind: RoleBinding");
    world.kubeconfig = reader.kubeconfig();
    let before = as_it_is(&world);
    let ended = run(world.command(["rollback", "--patience", "1s"])).with(5);
    assert_eq!(as_it_is(&world), before);

    // What was printed is applied as it is, and then it works.
    let (_, yaml) = ended.stderr.split_once("apiVersion: ").expect("a manifest");
    let manifest: String = format!("apiVersion: {yaml}")
        .lines()
        .take_while(|line| !line.is_empty() && !line.starts_with("STUCK"))
        .take(12)
        .map(|line| format!("{line}\n"))
        .collect();
    world.namespace.apply(&manifest);
    until("the right is there", Duration::from_secs(10), || {
        let ended = run(world.command(["rollback", "--patience", "1s"]));
        (ended.code == Some(0)).then_some(())
    });
    world.kubeconfig = admin;
    assert_eq!(world.record().weight.percent(), 0);
}

#[test]
fn a_token_that_is_over_and_a_server_that_is_gone_are_told_from_each_other() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    let rights = json!([{ "apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["get", "patch"] }]);
    let user = world.namespace.user("leaver", &rights);
    let link = Link::to(&Cluster::shared().expect("the cluster").address);
    world.kubeconfig = user.kubeconfig_at(&link.address);
    world.shift(["status"]).with(0);
    link.cut();
    world.shift(["status"]).with(1).saying(&link.address);
    link.restore();
    world.namespace.delete("ServiceAccount", "leaver");
    until("the token is over", Duration::from_secs(60), || {
        let ended = world.shift(["status"]);
        (ended.code == Some(1))
            .then(|| ended.saying("the token or certificate of user leaver of the kubeconfig is over"))
    });
}
