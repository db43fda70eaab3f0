use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    kube::{DataPlane, Namespace},
    world::shop::Shop,
};

/// A route of its own for `namespace`, whose blue and green share its users.
fn route(plane: &DataPlane, namespace: &Namespace<'_>, blue: u32, green: u32) {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": "web" },
        "spec": {
            "parentRefs": [plane.parent()],
            "hostnames": [namespace.host()],
            "rules": [{ "backendRefs": [
                { "name": "web-blue", "port": 80, "weight": blue },
                { "name": "web-green", "port": 80, "weight": green },
            ] }],
        },
    });
    namespace.apply(&route.to_string());
}

#[test]
fn users_are_split_as_the_weights_of_the_route_say() {
    let Some(plane) = DataPlane::shared() else { return };
    let namespace = plane.cluster.namespace("split");
    let host = namespace.host();
    let folder = TempDir::new().expect("a scratch folder");
    let address = plane.network.address(2);
    let [_blue, _green] = ["blue", "green"].map(|version| {
        let shop = Shop::start_at(&address.to_string(), version, folder.path());
        namespace.service_at(&format!("web-{version}"), address, shop.port());
        shop
    });

    route(plane, &namespace, 100, 0);
    plane.wait_until(&host, |met| met.of("blue") == 10);
    let met = plane.ask(&host, 500, |_| String::new());
    assert_eq!(met.of("blue"), 500, "{met:?}");

    route(plane, &namespace, 90, 10);
    plane.wait_until(&host, |met| met.of("green") > 0);
    let met = plane.ask(&host, 2000, |_| String::new());
    assert_eq!(met.of("blue") + met.of("green"), 2000, "{met:?}");
    // Five standard deviations.
    assert!((133..=267).contains(&met.of("green")), "{met:?}");

    route(plane, &namespace, 0, 100);
    plane.wait_until(&host, |met| met.of("green") == 10);
    let met = plane.ask(&host, 500, |_| String::new());
    assert_eq!(met.of("green"), 500, "{met:?}");
}

#[test]
fn pods_of_a_deployment_have_users() {
    let Some(plane) = DataPlane::shared() else { return };
    let namespace = plane.cluster.namespace("pods");
    let host = namespace.host();
    let folder = TempDir::new().expect("a scratch folder");
    // Answers at every address of a pod.
    let [blue, green] = ["blue", "green"].map(|version| Shop::start_at("0.0.0.0", version, folder.path()));
    namespace.deployment_on("web-blue", "app=web,version=blue", 2, blue.port());
    namespace.deployment_on("web-green", "app=web,version=green", 2, green.port());
    namespace.service("web-blue", "app=web,version=blue");
    namespace.service("web-green", "app=web,version=green");
    route(plane, &namespace, 100, 0);
    plane.wait_until(&host, |met| met.of("blue") == 10);

    // The Service turns to the other pods: so do the users.
    let green = json!({ "spec": { "selector": { "version": "green" } } });
    namespace.patch("Service", "web-blue", &green);

    plane.wait_until(&host, |met| met.of("green") == 10);
    assert_eq!(plane.ask(&host, 200, |_| String::new()).of("green"), 200);
}

#[test]
fn users_with_a_header_go_where_its_rule_says() {
    let Some(plane) = DataPlane::shared() else { return };
    let namespace = plane.cluster.namespace("sticky");
    let host = namespace.host();
    let folder = TempDir::new().expect("a scratch folder");
    let address = plane.network.address(3);
    let [_blue, _green] = ["blue", "green"].map(|version| {
        let shop = Shop::start_at(&address.to_string(), version, folder.path());
        namespace.service_at(&format!("web-{version}"), address, shop.port());
        shop
    });
    let backend = |name: &str| json!([{ "name": name, "port": 80 }]);
    let user = |pattern: &str| json!([{ "headers": [{ "type": "RegularExpression", "name": "x-user-id", "value": pattern }] }]);
    let object = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": "web" },
        "spec": {
            "parentRefs": [plane.parent()],
            "hostnames": [host],
            "rules": [
                { "matches": user(".*0[0-9]"), "backendRefs": backend("web-green") },
                { "matches": user(".+"), "backendRefs": backend("web-blue") },
                { "backendRefs": backend("web-blue") },
            ],
        },
    });
    namespace.apply(&object.to_string());
    plane.wait_until(&host, |met| met.of("blue") == 10);

    let met = plane.ask(&host, 400, |number| format!("x-user-id: {}\r\n", 1000 + number));

    assert_eq!((met.of("green"), met.of("blue")), (40, 360), "{met:?}");
}
