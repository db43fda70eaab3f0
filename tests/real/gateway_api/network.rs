//! The line to the API server is late, cut or silent, the server restarts, or it does not know us any more: nothing
//! rises, nothing is forgotten, and what was decided is done when it can be.

use std::{thread, time::Duration};

use rollgate_domain::rollout::record::State;
use serde_json::json;

use super::{
    old_crds::{self, DEFINITION},
    world::{World, rules},
};
use crate::support::{
    kube::{Cluster, Gateway, Link},
    tool::{Running, run},
};

/// As long as a network may be away without a word from anybody.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Longer than a driver takes to hear of a line that works again.
const SOON: Duration = Duration::from_secs(60);

/// The route as in [`World::with`], asked through a link.
fn linked() -> Option<(World<'static>, Link)> {
    let mut world = World::with(&rules())?;
    let link = Link::to(&world.namespace.cluster.address);
    world.through(&link);
    Some((world, link))
}

#[test]
fn an_api_server_that_restarts_in_the_middle_is_awaited_by_a_rollback_and_by_a_driver() {
    let Some(cluster) = Cluster::private() else { return };
    cluster.define_as("gateway-api", DEFINITION, |_| {});
    let mut world = old_crds::world(&cluster);
    world.gateway = Some(Gateway::of(&world.namespace));
    let driver = world.held_at_10();
    driver.signal("KILL");
    driver.end();

    cluster.stop_api_server();
    let log = world.folder().join("rollback");
    let rollback = Running::start(world.command(["rollback"]), &log);
    rollback.until_it_says("ROLLBACK STUCK");
    assert!(cluster.start_api_server());
    rollback.end().with(0);
    world.assert_all_on_blue();

    let driver = world.held_at_10();
    cluster.stop_api_server();
    driver.until_it_says("no rise: ");
    world.green_fails();
    driver.until_it_says("ROLLBACK STUCK");
    assert!(cluster.start_api_server());
    driver.end().with(3);
    world.assert_all_on_blue();
}

#[test]
fn an_api_server_that_answers_late_only_takes_its_time() {
    let Some((mut world, link)) = linked() else { return };
    world.steps = "[{ weight: 5%, for: 400ms }, { weight: 10%, for: 400ms }]";
    // From one continent to another and back.
    link.delay(Duration::from_millis(75));
    world.shift(["start"]).with(0);
    world.drive().wait(SOON * 2).with(0);
    assert_eq!(world.record().state, State::Passed);
    world.assert_all_on_blue();
}

/// A candidate that goes bad while nobody reaches the API server is taken back as soon as somebody does.
fn away_for_a_minute(away: impl Fn(&Link)) {
    let Some((world, link)) = linked() else { return };
    let driver = world.held_at_10();
    away(&link);
    world.green_fails();
    driver.until_it_says("ROLLBACK STUCK");
    thread::sleep(A_MINUTE);
    assert_eq!(world.weights(), [90, 10]);
    link.restore();
    driver.wait(SOON).with(3);
    world.assert_all_on_blue();
}

#[test]
fn a_network_that_is_cut_for_60_seconds_delays_a_rollback_and_no_more() {
    away_for_a_minute(Link::cut);
}

#[test]
fn a_network_that_is_silent_for_60_seconds_delays_a_rollback_and_no_more() {
    away_for_a_minute(Link::silence);
}

#[test]
fn a_healthy_canary_outlives_a_network_that_comes_and_goes() {
    let Some((mut world, link)) = linked() else { return };
    world.steps = "[{ weight: 5%, for: 2s }, { weight: 10%, for: 2s }]";
    world.shift(["start"]).with(0);
    let driver = world.drive();
    driver.until_it_says("driven by");
    for _ in 0..3 {
        link.cut();
        thread::sleep(Duration::from_millis(700));
        link.restore();
        thread::sleep(Duration::from_millis(700));
    }
    driver.wait(SOON).with(0);
    assert_eq!(world.record().state, State::Passed);
    world.assert_all_on_blue();
}

#[test]
fn a_token_that_is_over_in_the_middle_is_told_and_the_next_one_ends_it() {
    let Some(mut world) = World::with(&rules()) else {
        return;
    };
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    let admin = world.kubeconfig.clone();
    world.kubeconfig = world.namespace.user("deploy", &everything).kubeconfig();
    let driver = world.held_at_10();
    world.namespace.delete("ServiceAccount", "deploy");
    driver.until_it_says("does not know who asks (401)");
    world.green_fails();
    driver.until_it_says("ROLLBACK STUCK");
    assert_eq!(world.weights(), [90, 10]);
    world
        .shift(["rollback", "--patience", "1s"])
        .with(5)
        .saying("sign in again, or renew the secret that holds it");

    let mut rollback = world.command(["rollback"]);
    rollback.env("KUBECONFIG", admin);
    run(rollback).with(0);
    world.assert_all_on_blue();
}
