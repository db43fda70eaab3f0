//! A dashboard of Grafana 10 and newer: blue beside green, with the plan's limits as lines. Pure.
//!
//! The expressions are those of the rules, so that a line that is crossed is an alert that fires.
//!
//! Source: <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>

use std::fmt::Write as _;

use rollgate_domain::analysis::GaugeUnit;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Level, Limits, SLOW, Versions,
    limits::Pair,
    promql::Side,
    words::{percent, quantity, rounded, seconds},
};
use crate::providers::metrics::Selector;

/// Of Grafana 10.4; newer ones migrate it by themselves.
const SCHEMA: u32 = 39;
/// Two panels stand beside each other in Grafana's 24 columns.
const WIDTH: usize = 12;
const HEIGHT: usize = 8;
/// Eyes see a trend of the last hours; a canary's whole time is one click away.
const FROM: &str = "now-3h";

/// What one panel shows.
struct Panel {
    title: String,
    description: String,
    unit: &'static str,
    thresholds: Value,
    expression: Box<dyn Fn(Side<'_>) -> String>,
    /// Behind each line's name.
    legend: &'static str,
}

/// The dashboard, to be imported.
#[must_use]
pub fn dashboard(limits: &Limits<Selector>, versions: Versions<'_>) -> Value {
    let service = &limits.service;
    let panels: Vec<_> = panels(limits)
        .iter()
        .enumerate()
        .map(|(index, panel)| panel.json(index, versions.label))
        .collect();
    json!({
        "uid": uid(service),
        "title": format!("rollgate: {service}"),
        "description": "Made by `verify-health export grafana-dashboard`: lines are the limits of the plan. It shows; rollgate judges.",
        "tags": ["rollgate", service],
        "schemaVersion": SCHEMA,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": FROM, "to": "now" },
        "templating": { "list": [
            {
                "name": "datasource",
                "label": "Prometheus",
                "type": "datasource",
                "query": "prometheus",
                "refresh": 1,
            },
            variable("stable", versions.stable, limits, versions.label),
            variable("candidate", versions.candidate, limits, versions.label),
        ] },
        "panels": panels,
    })
}

/// The same for a service for ever, and a valid one whatever its name: 40 letters, digits, `-` and `_`.
fn uid(service: &str) -> String {
    let hash = Sha256::digest(service)
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    format!("rollgate-{hash}")
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A version to choose, out of those that the requests have.
fn variable(name: &str, chosen: Option<&str>, limits: &Limits<Selector>, label: &str) -> Value {
    let query = format!("label_values({}, {label})", limits.requests);
    let current = chosen.map_or_else(
        || json!({}),
        |version| json!({ "text": version, "value": version }),
    );
    json!({
        "name": name,
        "label": name,
        "type": "query",
        "datasource": source(),
        "definition": query,
        "query": { "query": query, "refId": name },
        "refresh": 2,
        "sort": 2,
        "includeAll": false,
        "multi": false,
        "current": current,
    })
}

fn panels(limits: &Limits<Selector>) -> Vec<Panel> {
    let (requests, errors) = (limits.requests.clone(), limits.errors.clone());
    let all = requests.clone();
    let mut panels = vec![
        Panel {
            title: "Requests per second".to_owned(),
            description: "How the traffic is split.".to_owned(),
            unit: "reqps",
            thresholds: none(),
            expression: Box::new(move |side| side.rate(&all)),
            legend: "",
        },
        Panel {
            title: "Error rate".to_owned(),
            description: shown("limits.error-rate", limits.error_rate, percent),
            unit: "percentunit",
            thresholds: above(limits.error_rate),
            expression: Box::new(move |side| side.share(&errors, &requests)),
            legend: "",
        },
    ];
    if let Some(slow) = &limits.slow {
        for (level, limit) in slow.p95.levels() {
            let buckets = slow.latency.clone();
            panels.push(Panel {
                title: format!("Requests slower than {}", seconds(limit)),
                description: format!(
                    "limits.p95.{} allows {} of them. Counted at that bound of the histogram; empty if it has no such bound.",
                    level.word(),
                    percent(SLOW)
                ),
                unit: "percentunit",
                thresholds: above(match level {
                    Level::Critical => Pair { critical: Some(SLOW), warning: None },
                    Level::Warning => Pair { critical: None, warning: Some(SLOW) },
                }),
                expression: Box::new(move |side| side.slower(&buckets, limit)),
                legend: "",
            });
        }
        let buckets = slow.latency.clone();
        panels.push(Panel {
            title: "p95, an estimate".to_owned(),
            description: "Interpolated inside a bucket of the histogram, and off by as much as the bucket is wide. Nothing is \
                          judged by it."
                .to_owned(),
            unit: "s",
            thresholds: above(slow.p95),
            expression: Box::new(move |side| side.quantile(&buckets, 0.95)),
            legend: "",
        });
    }
    for gauge in &limits.gauges {
        let (query, unit) = (gauge.query.clone(), gauge.unit);
        panels.push(Panel {
            title: gauge.name.clone(),
            description: shown("Limit of each process", gauge.limits, |limit| {
                quantity(limit, unit)
            }),
            unit: match unit {
                GaugeUnit::Plain => "short",
                GaugeUnit::Bytes => "decbytes",
                GaugeUnit::Share => "percentunit",
            },
            thresholds: above(gauge.limits),
            expression: Box::new(move |side| side.largest(&query)),
            legend: " {{instance}}",
        });
    }
    for check in &limits.checks {
        let (good, total) = (check.good.clone(), check.total.clone());
        let least = check.at_least.map(rounded);
        panels.push(Panel {
            title: check.name.clone(),
            description: least.map_or_else(
                || "Held against stable; there is no limit of its own.".to_owned(),
                |least| format!("At least {}.", percent(least)),
            ),
            unit: "percentunit",
            thresholds: least.map_or_else(none, |least| below(check.level, least)),
            expression: Box::new(move |side| side.share(&good, &total)),
            legend: "",
        });
    }
    panels
}

/// `limits.error-rate: critical 1 %, warning 0.5 %.`
fn shown(what: &str, pair: Pair, words: impl Fn(f64) -> String) -> String {
    let limits: Vec<_> = pair
        .levels()
        .map(|(level, limit)| format!("{} {}", level.word(), words(limit)))
        .collect();
    if limits.is_empty() {
        return "There is no limit.".to_owned();
    }
    format!("{what}: {}.", limits.join(", "))
}

fn color(level: Level) -> &'static str {
    match level {
        Level::Critical => "red",
        Level::Warning => "orange",
    }
}

fn none() -> Value {
    json!({ "mode": "absolute", "steps": [{ "color": "transparent", "value": null }] })
}

/// Bad above; the steps rise.
fn above(pair: Pair) -> Value {
    let mut steps = vec![json!({ "color": "transparent", "value": null })];
    let mut limits: Vec<_> = pair.levels().collect();
    limits.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    steps.extend(
        limits
            .into_iter()
            .map(|(level, limit)| json!({ "color": color(level), "value": rounded(limit) })),
    );
    json!({ "mode": "absolute", "steps": steps })
}

/// Bad below.
fn below(level: Level, limit: f64) -> Value {
    json!({ "mode": "absolute", "steps": [
        { "color": color(level), "value": null },
        { "color": "transparent", "value": limit },
    ] })
}

impl Panel {
    fn json(&self, index: usize, label: &str) -> Value {
        let Self {
            title,
            description,
            unit,
            thresholds,
            expression,
            legend,
        } = self;
        // What Grafana puts in for a variable in a string is escaped for it.
        let line = |id: &str, name: &str| {
            let version = format!("${name}");
            let side = Side {
                label,
                version: Some(&version),
            };
            json!({
                "refId": id,
                "datasource": source(),
                "expr": expression(side),
                "legendFormat": format!("{name} {version}{legend}"),
            })
        };
        let paint = |id: &str, color: &str| {
            json!({
                "matcher": { "id": "byFrameRefID", "options": id },
                "properties": [{ "id": "color", "value": { "mode": "fixed", "fixedColor": color } }],
            })
        };
        let style = if thresholds["steps"]
            .as_array()
            .is_some_and(|steps| steps.len() > 1)
        {
            "line"
        } else {
            "off"
        };
        json!({
            "id": index + 1,
            "type": "timeseries",
            "title": title,
            "description": description,
            "datasource": source(),
            "gridPos": {
                "x": index % 2 * WIDTH, "y": index / 2 * HEIGHT, "w": WIDTH, "h": HEIGHT,
            },
            "targets": [line("A", "stable"), line("B", "candidate")],
            "fieldConfig": {
                "defaults": {
                    "unit": unit,
                    "thresholds": thresholds,
                    "custom": { "thresholdsStyle": { "mode": style }, "spanNulls": false },
                },
                "overrides": [paint("A", "blue"), paint("B", "green")],
            },
            "options": {
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
                "tooltip": { "mode": "multi", "sort": "none" },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_valid_and_a_services_own() {
        let long = uid(&"a.b".repeat(80));
        assert!(
            long.len() <= 40
                && long
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        );
        assert_eq!(uid("shop-api"), uid("shop-api"));
        assert_ne!(uid("shop.api"), uid("shop-api"));
    }
}
