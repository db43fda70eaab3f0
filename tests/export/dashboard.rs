//! The dashboard: its structure as Grafana needs it, its expressions as Prometheus reads them.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BOTH, export, rules::promtool};
use crate::support::servers::require;

fn dashboard(flags: &[&str]) -> Value {
    serde_json::from_str(&export("grafana-dashboard", flags)).expect("JSON")
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("panels")
}

#[test]
fn a_dashboard_has_what_grafana_needs() {
    let dashboard = dashboard(&BOTH);
    let uid = dashboard["uid"].as_str().expect("a uid");
    assert!(uid.starts_with("rollgate-") && uid.len() <= 40);
    assert!(
        dashboard["schemaVersion"]
            .as_u64()
            .is_some_and(|version| version >= 38)
    );
    let variables: Vec<_> = dashboard["templating"]["list"]
        .as_array()
        .expect("variables")
        .iter()
        .map(|variable| variable["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(variables, ["datasource", "stable", "candidate"]);
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels(&dashboard) {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        assert!(places.insert(panel["gridPos"].to_string()), "{panel}");
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array();
        let values: Vec<_> = steps
            .expect("steps")
            .iter()
            .map(|step| step["value"].as_f64())
            .collect();
        assert_eq!(values[0], None, "the first step has no value");
        assert!(values.is_sorted_by(|one, other| one < other), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
    }
    let titles: Vec<_> = panels(&dashboard)
        .iter()
        .map(|panel| panel["title"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        titles,
        [
            "Requests per second",
            "Error rate",
            "Requests slower than 250 ms",
            "Requests slower than 200 ms",
            "p95, an estimate",
            "memory",
            "DB pool",
            "login success",
            "search hits",
        ]
    );
}

#[test]
fn a_version_is_chosen_where_it_is_known_and_a_choice_otherwise() {
    let chosen = |dashboard: &Value, index: usize| dashboard["templating"]["list"][index]["current"].clone();
    let known = dashboard(&BOTH);
    assert_eq!(chosen(&known, 1), json!({ "text": "v1", "value": "v1" }));
    assert_eq!(chosen(&known, 2), json!({ "text": "v2", "value": "v2" }));
    assert_eq!(chosen(&dashboard(&[]), 1), json!({}));
}

#[test]
fn every_expression_is_one_for_prometheus() {
    let Some(program) = require("promtool") else {
        return;
    };
    let dashboard = dashboard(&[]);
    let rules: Vec<_> = panels(&dashboard)
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .enumerate()
        .map(|(index, target)| json!({ "record": format!("r:{index}"), "expr": target["expr"] }))
        .collect();
    assert_eq!(rules.len(), 18);
    let folder = TempDir::new().expect("a scratch folder");
    let file = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(folder.path().join("rules.yml"), file.to_string()).expect("the rules");
    promtool(&program, folder.path(), &["check", "rules", "rules.yml"]);
}
