//! CRDs from before Gateway API 1.4: the API server drops the names of rules, by which rollgate knows its own.
//!
//! On an API server of its own, which has no controllers: endpoints and the Gateway's word are written by hand.

use std::{net::Ipv4Addr, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    bad_input::refused,
    world::{KIND, World, rules},
};
use crate::support::{kube::Cluster, servers::until};

pub(super) const DEFINITION: &str = "httproutes.gateway.networking.k8s.io";

/// Rules of `definition` have no names.
fn without_names(definition: &mut Value) {
    let rule = "/schema/openAPIV3Schema/properties/spec/properties/rules/items/properties";
    for version in definition["spec"]["versions"].as_array_mut().expect("versions") {
        let fields = version.pointer_mut(rule).and_then(Value::as_object_mut);
        fields.expect("fields of rules").remove("name").expect("a name");
    }
}

/// A namespace whose versions are ready; the route is accepted as it is.
pub(super) fn world(cluster: &Cluster) -> World<'_> {
    let world = World::of(cluster.namespace("gateway-old"));
    for (name, number) in [("web-blue", 1), ("web-green", 2)] {
        // Nobody listens there, and nobody asks.
        world
            .namespace
            .service_at(name, Ipv4Addr::new(198, 18, 255, number), 8080);
    }
    world.route(&rules(), &json!({ "name": "edge" }));
    accept(&world);
    world
}

/// What the Gateway says of the route as it is.
fn accept(world: &World<'_>) {
    let route = world.object();
    let condition = json!({
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "it is well",
        "observedGeneration": route["metadata"]["generation"],
        "lastTransitionTime": "2027-01-15T08:00:00Z",
    });
    let parent = json!({
        "parentRef": route["spec"]["parentRefs"][0],
        "controllerName": "example.com/tests",
        "conditions": [condition],
    });
    let path = format!(
        "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/web/status",
        world.namespace.name
    );
    let change = json!({ "status": { "parents": [parent] } }).to_string();
    let api = &world.namespace.cluster.api;
    api.send(Method::PATCH, &path, "application/merge-patch+json", &change)
        .expect("a status");
}

#[test]
fn a_crd_that_drops_the_names_of_rules_is_told_before_anything_is_written() {
    let Some(cluster) = Cluster::private() else { return };
    cluster.define_as("gateway-api", DEFINITION, without_names);
    let mut world = world(&cluster);
    for users in [
        "sticky: { header: x-user-id, ids: decimal }",
        "preview: { header: x-preview }",
        "sticky: { header: x-user-id, ids: hex }\npreview: { header: x-preview }",
    ] {
        world.users = users;
        refused(
            &world,
            1,
            "the HTTPRoute CRD of this cluster drops the names of rules",
        );
        refused(&world, 1, "install the CRDs of Gateway API 1.4 or newer");
        assert_eq!(world.all_rules().len(), rules().len());
    }
    // Without them there is nothing to be known again.
    world.users = "";
    world.shift(["start"]).with(0);
    world.shift(["rollback"]).with(0);
    assert_eq!(world.weights(), [100, 0]);
    assert_eq!(world.all_rules(), rules());
}

#[test]
fn a_crd_that_gets_older_in_mid_rollout_is_drift_and_a_rollback_leaves_nobody_on_the_candidate() {
    let Some(cluster) = Cluster::private() else { return };
    cluster.define_as("gateway-api", DEFINITION, |_| {});
    let mut world = world(&cluster);
    world.users = "preview: { header: x-preview }";
    world.shift(["start"]).with(0);
    assert_eq!(world.own_rules(), ["rollgate-0-preview"]);
    accept(&world);
    cluster.define_as("gateway-api", DEFINITION, without_names);
    until("the names are gone", Duration::from_secs(30), || {
        world.own_rules().is_empty().then_some(())
    });
    let said = world.shift(["status"]).with(4).stdout;
    assert!(said.contains("PROBLEM"), "{said}");
    world.shift(["rollback"]).with(0);
    let rules = world.all_rules();
    let candidates = rules
        .iter()
        .flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten())
        .filter(|backend| backend["name"] == "web-green");
    assert!(candidates.clone().count() > 0);
    assert!(
        candidates.clone().all(|backend| backend["weight"] == 0),
        "{rules:?}"
    );
    assert!(world.namespace.find(KIND, "web").is_some());
}
