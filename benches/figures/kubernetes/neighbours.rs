//! What a driver reads in each turn, in a namespace of its own and beside 2,000 routes and 10,000 endpoints of others.

use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use rollgate::operations::capacity::{Behind, Known};
use rollgate::providers::cluster::Cluster as Client;
use rollgate::providers::traffic::Router;
use serde_json::{Value, json};

use super::calls::calls;
use super::gateway::Gateway;
use super::relay::Relay;
use super::stage::{BACKENDS, Stage};
use crate::support::kube::{Cluster, Namespace};
use crate::table::{Goal, Table, Times};

const RUNS: usize = 150;
const COUNTED: usize = 10;

const ROUTES: usize = 2_000;

/// Of 100 endpoints each, as the EndpointSlice controller makes them.
const SLICES: usize = 100;
const ENDPOINTS: usize = 100;

const GOAL: Goal = Goal::Times(50, 1.3);

pub(crate) async fn measure(table: &mut Table) {
    let cluster = Cluster::shared().expect("a cluster");
    let mut stages = Vec::new();
    for name in ["alone", "crowded"] {
        let namespace = cluster.namespace(name);
        let gateway = Gateway::of(&namespace);
        let stage = Stage::begin(namespace, [8080, 8080], &json!({ "name": "edge" })).await;
        stage.wait_accepted();
        stage.holds(10).await;
        drop(gateway);
        stages.push(stage);
    }
    let [alone, crowded] = <[Stage; 2]>::try_from(stages).ok().expect("two");
    let mut before = Vec::new();
    for _ in 0..RUNS {
        before.push(tick(&crowded.router(), &crowded).await);
    }
    fill(&crowded.namespace);

    let (mut quiet, mut full) = (Vec::new(), Vec::new());
    // In turns, so that a noisy minute hits both.
    for _ in 0..RUNS {
        for (stage, times) in [(&alone, &mut quiet), (&crowded, &mut full)] {
            times.push(tick(&stage.router(), stage).await);
        }
    }
    let quiet: Times = quiet.into_iter().collect();
    table.baseline(
        "one turn of a driver: reads the route, counts both versions",
        &quiet,
    );
    let what = "… in a namespace with 2,000 HTTPRoutes and 10,000 endpoints of others";
    table.promise(what, &full.into_iter().collect(), &[GOAL], &quiet);
    table.figure(
        "… in the same namespace before they came",
        &before.into_iter().collect(),
        &quiet,
    );
    let (calls_alone, bytes_alone) = counted(&alone).await;
    let (calls, bytes) = counted(&crowded).await;
    table.count("requests of a turn, alone", COUNTED, calls_alone, calls_alone);
    table.count("… beside others", COUNTED, calls, calls_alone);
    table.count(
        "KiB of a turn (TLS, both ways), alone",
        COUNTED,
        bytes_alone,
        bytes_alone,
    );
    table.count("… beside others", COUNTED, bytes, bytes_alone);
}

/// What a driver asks in each turn, by a connection that is there.
async fn tick(router: &dyn Router, stage: &Stage) -> Duration {
    let stacks = stage.stacks();
    turn(
        router,
        Behind {
            stacks: Some(&stacks),
            scale_up: true,
        },
    )
    .await
}

async fn turn(router: &dyn Router, behind: Behind<'_>) -> Duration {
    let began = Instant::now();
    let seen = router.read().await.expect("the route");
    let known = behind.count(&seen, BACKENDS[0], BACKENDS[1]).await;
    let took = began.elapsed();
    match known {
        Known::Both(both) => assert_eq!([both.stable.ready, both.candidate.ready], [1, 1]),
        Known::Untold | Known::Unread(_) => panic!("{known:?}"),
    }
    took
}

/// Requests and KiB of one turn.
async fn counted(stage: &Stage) -> (f64, f64) {
    let cluster = stage.namespace.cluster;
    let relay = Relay::to(&cluster.address);
    let kubeconfig = stage.namespace.admin().kubeconfig_at(&relay.address);
    let client = Client::by_kubeconfig(&kubeconfig).await.expect("the cluster");
    let (router, stacks) = (stage.router_by(&client), stage.stacks_by(&client));
    let behind = Behind {
        stacks: Some(&stacks),
        scale_up: true,
    };
    // Not the connection's own beginning.
    turn(&router, behind).await;
    let before = (calls(cluster), relay.bytes());
    for _ in 0..COUNTED {
        turn(&router, behind).await;
    }
    let after = (calls(cluster), relay.bytes());
    let each = |before: u64, after: u64| (after - before) as f64 / COUNTED as f64;
    (each(before.0, after.0), each(before.1, after.1) / 1024.0)
}

/// Routes, Services and endpoints that are nobody's of ours.
fn fill(namespace: &Namespace<'static>) {
    let mut objects: Vec<(&str, Value)> = Vec::new();
    for number in 0..ROUTES {
        objects.push(("/apis/gateway.networking.k8s.io/v1|httproutes", route(number)));
    }
    for number in 0..SLICES {
        objects.push(("/api/v1|services", service(number)));
        objects.push(("/apis/discovery.k8s.io/v1|endpointslices", slice(number)));
    }
    thread::scope(|scope| {
        for part in objects.chunks(objects.len().div_ceil(4)) {
            scope.spawn(move || {
                for (place, object) in part {
                    let (api, kind) = place.split_once('|').expect("an API and a kind");
                    let path = format!("{api}/namespaces/{}/{kind}", namespace.name);
                    let api = &namespace.cluster.api;
                    let made = api.send(Method::POST, &path, "application/json", &object.to_string());
                    made.expect("an object");
                }
            });
        }
    });
}

fn route(number: usize) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": { "name": format!("neighbour-{number}"), "labels": { "app": format!("neighbour-{number}") } },
        "spec": {
            "parentRefs": [{ "name": "edge" }],
            "hostnames": [format!("neighbour-{number}.test")],
            "rules": [{ "backendRefs": [
                { "name": format!("neighbour-{}", number % SLICES), "port": 80, "weight": 90 },
                { "name": format!("neighbour-{}", (number + 1) % SLICES), "port": 80, "weight": 10 },
            ] }],
        },
    })
}

fn service(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("neighbour-{number}") },
        "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] },
    })
}

fn slice(number: usize) -> Value {
    let endpoint = |place: usize| {
        json!({
            "addresses": [format!("10.{}.{}.{}", 1 + number / 250, number % 250, 1 + place)],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "nodeName": "node",
            "targetRef": { "kind": "Pod", "name": format!("neighbour-{number}-{place}") },
        })
    };
    let name = format!("neighbour-{number}");
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": format!("{name}-1"), "labels": { "kubernetes.io/service-name": name } },
        "addressType": "IPv4",
        "endpoints": (0..ENDPOINTS).map(endpoint).collect::<Vec<_>>(),
        "ports": [{ "name": "http", "port": 8080 }],
    })
}
