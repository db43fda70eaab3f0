//! Services of other namespaces, as Contour sees them: without a ReferenceGrant a route is served in part only.

use std::time::Duration;

use serde_json::json;

use super::{
    bad_input::{as_it_is, refused},
    world::{World, backend, rule},
};
use crate::support::{kube::DataPlane, servers::until, world::shop::Shop};

const SOON: Duration = Duration::from_secs(30);

/// Contour's last word about the references of the route.
fn resolved(world: &World<'_>) -> Option<(String, String)> {
    let route = world.object();
    let conditions = route["status"]["parents"][0]["conditions"].as_array()?;
    let refs = conditions
        .iter()
        .find(|condition| condition["type"] == "ResolvedRefs")?;
    let is_new = refs["observedGeneration"] == route["metadata"]["generation"];
    let text = |key: &str| refs[key].as_str().map(str::to_owned);
    is_new.then_some((text("status")?, text("reason")?))
}

#[track_caller]
fn wait_resolved(world: &World<'_>, status: &str, reason: &str) {
    until(&format!("Contour says {status}: {reason}"), SOON, || {
        (resolved(world)? == (status.to_owned(), reason.to_owned())).then_some(())
    });
}

/// The manifest at the end of what a tool has said.
#[track_caller]
fn manifest(said: &str) -> String {
    let (_, yaml) = said.split_once("\napiVersion: ").expect(said);
    let lines = yaml.lines().take_while(|line| !line.is_empty());
    format!("apiVersion: {}\n", lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_service_of_another_namespace_needs_a_grant_before_a_start_and_before_every_rise() {
    let Some(plane) = DataPlane::shared() else { return };
    let mut world = World::of(plane.cluster.namespace("gateway-grants"));
    world.steps = "[{ weight: 5%, for: 1h }, { weight: 10%, for: 1h }]";
    world.deploy(8080, 8080);
    let media = plane.cluster.namespace("gateway-media");
    let address = plane.network.address(4);
    let cdn = Shop::start_at(&address.to_string(), "cdn", &world.folder());
    media.service_at("cdn", address, cdn.port());
    let mut elsewhere = backend("cdn", 1);
    elsewhere["namespace"] = media.name.as_str().into();
    let mut foreign = rule("/", &[elsewhere]);
    foreign["matches"][0]["headers"] = json!([{ "name": "x-media", "value": "yes" }]);
    let ours = rule("/", &[backend("web-blue", 100), backend("web-green", 0)]);
    world.route(&[ours, foreign], &plane.parent());
    let host = world.namespace.host();
    let meets_cdn = || plane.ask(&host, 1, |_| "x-media: yes\r\n".to_owned()).of("cdn") == 1;

    wait_resolved(&world, "False", "RefNotPermitted");
    let name = &world.namespace.name;
    for says in [
        &format!("HTTPRoute {name}/web: Gateway public/gateway does not serve it (ResolvedRefs is False)"),
        "RefNotPermitted: ",
        "kind: ReferenceGrant",
    ] {
        refused(&world, 1, says);
    }
    assert!(!meets_cdn());

    // What was said is applied as it is, and then it works.
    let grant = manifest(&world.shift(["start"]).with(1).stderr);
    world.namespace.apply(&grant);
    wait_resolved(&world, "True", "ResolvedRefs");
    until("users of the rule meet it", SOON, || meets_cdn().then_some(()));
    world.shift(["start"]).with(0);
    let driver = world.drive();
    driver.until_it_says("raised from 0 %");
    assert_eq!(world.weights(), [95, 5]);

    // It is taken away in the middle: the driver says so, and nobody can raise.
    let grant_of_media = format!("{name}-web");
    media.delete("ReferenceGrant", &grant_of_media);
    wait_resolved(&world, "False", "RefNotPermitted");
    driver.until_it_says("RefNotPermitted: ");
    let before = as_it_is(&world)[0].clone();
    let said = world.shift(["set", "10%"]).with(3).stderr;
    assert!(
        said.contains("Gateway public/gateway does not serve it"),
        "{said}"
    );
    assert_eq!(as_it_is(&world)[0], before);
    world.namespace.apply(&manifest(&said));
    wait_resolved(&world, "True", "ResolvedRefs");
    world.shift(["set", "10%"]).with(0);
    assert_eq!(world.weights(), [90, 10]);

    // A rollback asks nobody for a grant.
    media.delete("ReferenceGrant", &grant_of_media);
    wait_resolved(&world, "False", "RefNotPermitted");
    world.shift(["rollback"]).with(0);
    world.assert_all_on_blue();
    driver.end().with(6);
}

/// With a grant and without: whoever deploys web-green does it beside the route.
#[test]
fn a_version_in_another_namespace_is_none_of_ours() {
    let Some(plane) = DataPlane::shared() else { return };
    let world = World::of(plane.cluster.namespace("gateway-far"));
    world.deploy(8080, 8080);
    let mut far = backend("web-green", 0);
    far["namespace"] = "gateway-elsewhere".into();
    world.route(&[rule("/", &[backend("web-blue", 100), far])], &plane.parent());
    wait_resolved(&world, "False", "RefNotPermitted");
    refused(
        &world,
        1,
        "names both web-blue and web-green, it names Service gateway-elsewhere/web-green",
    );
}
