//! `shift-traffic rollback` on a HTTPRoute, from exec to exit, beside a script of three `kubectl`s: it reads the
//! route, sets the weights, and reads them back.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::calls::calls;
use super::gateway::Gateway;
use super::stage::Stage;
use crate::programs::wall;
use crate::support::kube::Cluster;
use crate::support::servers::until;
use crate::table::{Goal, Table, Times};

const RUNS: usize = 60;

/// Counting asks more of the API server than a rollback does.
const COUNTED: usize = 5;

const GOALS: [Goal; 2] = [Goal::Times(95, 0.5), Goal::Below(95, Duration::from_millis(250))];

const SCRIPT: &str = r#"
set -euo pipefail
"$KUBECTL" get httproute web -o json >/dev/null
"$KUBECTL" patch httproute web --type json -p '[
  { "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100 },
  { "op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0 }]'
weights=$("$KUBECTL" get httproute web -o jsonpath='{.spec.rules[0].backendRefs[*].weight}')
[[ $weights == "100 0" ]]
"#;

pub(crate) async fn measure(table: &mut Table) {
    let cluster = Cluster::shared().expect("a cluster");
    let namespace = cluster.namespace("rollback");
    let gateway = Gateway::of(&namespace);
    let stage = Stage::begin(namespace, [8080, 8080], &json!({ "name": "edge" })).await;
    stage.wait_accepted();

    let (mut scripted, mut rolled_back, mut until_zero) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that a noisy minute hits both.
    for _ in 0..RUNS {
        stage.holds(10).await;
        scripted.push(timed(&stage, &mut stage.script(SCRIPT)).1);
        stage.holds(10).await;
        let (began, took) = timed(&stage, &mut stage.rollback());
        let heard = until("the watch tells", Duration::from_secs(10), || {
            gateway.heard_zero()
        });
        rolled_back.push(took);
        until_zero.push(heard.saturating_duration_since(began));
    }
    let mut counts = [0, 0];
    for _ in 0..COUNTED {
        for (command, count) in [&mut stage.script(SCRIPT), &mut stage.rollback()]
            .into_iter()
            .zip(&mut counts)
        {
            stage.holds(10).await;
            let before = calls(cluster);
            wall(command);
            *count += calls(cluster) - before;
        }
    }
    drop(gateway);

    let scripted: Times = scripted.into_iter().collect();
    table.baseline("bash, `kubectl get`, `kubectl patch`, `kubectl get`", &scripted);
    let what = "`shift-traffic rollback` on a HTTPRoute, from exec to accepted 0 % and journal";
    table.promise(what, &rolled_back.into_iter().collect(), &GOALS, &scripted);
    table.figure(
        "… until the API server tells a watch of 0 %",
        &until_zero.into_iter().collect(),
        &scripted,
    );
    let [scripted, rolled_back] = counts.map(|count| count as f64 / COUNTED as f64);
    table.count(
        "requests of the script to the API server",
        COUNTED,
        scripted,
        scripted,
    );
    table.count("requests of the rollback", COUNTED, rolled_back, scripted);
}

/// When it began, and how long it took to its exit; then the candidate has lost its 10 %.
fn timed(stage: &Stage, command: &mut Command) -> (Instant, Duration) {
    assert_eq!(stage.weights(), [90, 10]);
    let began = Instant::now();
    let took = wall(command);
    assert_eq!(stage.weights(), [100, 0]);
    (began, took)
}
