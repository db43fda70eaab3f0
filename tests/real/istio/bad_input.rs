//! What a team may have got wrong: one clear sentence, and nothing is changed.

use serde_json::json;

use super::world::{KIND, SHARED, World};

/// `start` ends with `code`, says all of `parts`, and the VirtualService stays as it is.
#[track_caller]
fn start_is_refused(world: &World, code: i32, parts: &[&str]) {
    let before = world.namespace.find(KIND, "web");
    let ended = world.shift(["start"]).with(code);
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "expected {part:?} in:\n{}",
            ended.stderr
        );
    }
    assert_eq!(world.namespace.find(KIND, "web"), before);
}

fn with_routes(http: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{ name: web }}
spec: {{ hosts: [web.example.com], http: {http} }}
"
    )
}

#[test]
fn a_virtual_service_that_is_not_there() {
    let Some(world) = World::with(SHARED) else { return };
    world.namespace.delete(KIND, "web");
    start_is_refused(&world, 1, &["VirtualService", "\"web\" not found"]);
}

#[test]
fn a_virtual_service_that_names_one_of_them_or_another() {
    for (http, words) in [
        (
            "[{ route: [{ destination: { host: web-blue } }] }]",
            "names both web-blue and web-green: give one of them both as destinations",
        ),
        (
            "[{ delegate: { name: shop, namespace: team } }]",
            "one delegates to VirtualService shop in namespace team",
        ),
        ("[{ redirect: { uri: / } }]", "no http route of VirtualService"),
    ] {
        let Some(world) = World::with(&with_routes(http)) else {
            return;
        };
        start_is_refused(&world, 1, &[words]);
    }
}

#[test]
fn weights_that_rollgate_cannot_share() {
    for (http, words) in [
        (
            "[{ route: [{ destination: { host: web-blue }, weight: 80 }, { destination: { host: web-green }, weight: 0 }, \
             { destination: { host: cdn }, weight: 20 }] }]",
            "a share between three cannot be told",
        ),
        (
            "[{ route: [{ destination: { host: web-blue }, weight: 90 }, { destination: { host: web-green } }] }]",
            "do not add up to 100: web-blue 90, web-green 0",
        ),
        (
            "[{ route: [{ destination: { host: web-blue }, weight: 80 }, { destination: { host: web-green }, weight: 20 }] }]",
            "20 %",
        ),
    ] {
        let Some(world) = World::with(&with_routes(http)) else {
            return;
        };
        start_is_refused(&world, 3, &[words]);
    }
}

#[test]
fn a_header_that_a_route_matches_itself() {
    let http = "[{ match: [{ headers: { x-user-id: { exact: \"7\" } } }], route: [{ destination: { host: web-blue }, \
                weight: 100 }, { destination: { host: web-green }, weight: 0 }] }]";
    let Some(mut world) = World::with(&with_routes(http)) else {
        return;
    };
    world.users = "sticky: { header: X-User-Id, ids: decimal }";
    start_is_refused(&world, 3, &["matches the header x-user-id itself"]);
}

#[test]
fn subsets_that_no_destination_rule_defines() {
    let http = "[{ name: web, route: [{ destination: { host: web, subset: blue }, weight: 100 }, { destination: { host: web, \
                subset: green }, weight: 0 }] }]";
    let Some(mut world) = World::with(&with_routes(http)) else {
        return;
    };
    world.host = "host: web,";
    world.backends = ["blue", "green"];
    for name in world.backends {
        let pods = format!("app=sub,version={name}");
        world.namespace.deployment(name, &pods, 1);
        world.namespace.wait_ready(name);
    }
    world.namespace.service("web", "app=sub");
    world.namespace.wait_endpoints("web", 2);
    let rule = |subsets: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: web }}
spec: {{ host: web.{}.svc.cluster.local, subsets: [{subsets}] }}
",
            world.namespace.name
        )
    };
    world
        .namespace
        .apply(&rule("{ name: blue, labels: { version: blue } }"));
    start_is_refused(&world, 1, &["DestinationRule web of web has no subset green"]);
    world.namespace.apply(&rule(
        "{ name: blue, labels: { version: blue } }, { name: green, labels: { version: green } }",
    ));
    let driver = world.held_at_10();
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_blue();
}

#[test]
fn a_user_that_may_not_read_or_not_change_is_told_what_to_paste() {
    let Some(mut world) = World::with(SHARED) else {
        return;
    };
    world.shift(["start"]).with(0);
    let rules = |verbs: &[&str]| {
        json!([
            { "apiGroups": ["networking.istio.io"], "resources": ["virtualservices"], "verbs": verbs },
            { "apiGroups": [""], "resources": ["services", "pods"], "verbs": ["get", "list"] },
        ])
    };
    world.kubeconfig = world.namespace.user("blind", &rules(&["patch"])).kubeconfig();
    let said = world.shift(["status"]).with(1).stderr;
    for part in [
        "cannot get resource",
        "virtualservices",
        "kind: Role",
        "verbs: [\"get\"]",
    ] {
        assert!(said.contains(part), "expected {part:?} in:\n{said}");
    }
    world.kubeconfig = world.namespace.user("reader", &rules(&["get"])).kubeconfig();
    let before = world.service();
    let said = world.shift(["rollback", "--patience", "1s"]).with(5).stderr;
    for part in [
        "cannot patch resource",
        "virtualservices",
        "kind: Role",
        "verbs: [\"patch\"]",
    ] {
        assert!(said.contains(part), "expected {part:?} in:\n{said}");
    }
    assert_eq!(world.service(), before);
}
