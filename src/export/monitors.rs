//! Monitors of Datadog, as `POST /api/v1/monitor` takes them: the plan's limits on queries as Datadog writes them. Pure.
//!
//! A query is one metric, `sum:http.requests{service:shop-api}`; `by` and `as_count` are added where they are missing.
//!
//! Source: <https://docs.datadoghq.com/api/latest/monitors/#create-a-monitor>

use serde_json::{Map, Value, json};

use super::{
    Finding, Level, Limits,
    limits::Pair,
    words::{percent, quantity, rounded, seconds},
};

/// How long, in minutes, nothing may be heard before people are told: twice the window, as Datadog asks for at least.
const SILENCE: u32 = 10;

/// All monitors of a service whose series are tagged by version and process; `to` are the handles that are told (`@slack-ops`).
#[must_use]
pub fn monitors(limits: &Limits<String>, [label, instance]: [&str; 2], to: &str) -> Vec<Value> {
    let service = &limits.service;
    let new = |name: String, query: String, sign: char, pair: Pair, text: String| {
        monitor(service, &name, &query, sign, pair, &format!("{text}\n\n{to}"))
    };
    let counted = |query: &str| format!("sum:{}.as_count()", grouped(query, &[label]));
    let version = format!("{{{{{label}.name}}}}");
    let mut monitors = vec![new(
        "error rate".to_owned(),
        format!(
            "sum(last_5m):{} / {}",
            counted(&limits.errors),
            counted(&limits.requests)
        ),
        '>',
        limits.error_rate,
        format!("{service} {version} has more errors than the plan allows."),
    )];
    if let Some(slow) = &limits.slow {
        let shown: Vec<_> = slow.p95.levels().map(|(_, limit)| seconds(limit)).collect();
        monitors.push(new(
            "p95".to_owned(),
            format!("avg(last_5m):p95:{}", grouped(&slow.latency, &[label])),
            '>',
            slow.p95,
            format!(
                "{service} {version} is slower than the plan allows: {}.",
                shown.join(", ")
            ),
        ));
    }
    for gauge in &limits.gauges {
        let shown: Vec<_> = gauge
            .limits
            .levels()
            .map(|(_, limit)| quantity(limit, gauge.unit))
            .collect();
        monitors.push(new(
            gauge.name.clone(),
            // Its least value of five minutes: it has stayed above.
            format!("min(last_5m):max:{}", grouped(&gauge.query, &[label, instance])),
            '>',
            gauge.limits,
            format!(
                "{service} {version} has {} over {} for 5 minutes.",
                gauge.name,
                shown.join(", ")
            ),
        ));
    }
    for check in &limits.checks {
        // Without a limit of its own a check is held against stable, which no threshold does.
        let Some(limit) = check.at_least else { continue };
        let pair = match check.level {
            Level::Critical => Pair {
                critical: Some(limit),
                warning: None,
            },
            Level::Warning => Pair {
                critical: None,
                warning: Some(limit),
            },
        };
        monitors.push(new(
            check.name.clone(),
            format!(
                "sum(last_5m):{} / {}",
                counted(&check.good),
                counted(&check.total)
            ),
            '<',
            pair,
            format!("{service} {version} has {} under {}.", check.name, percent(limit)),
        ));
    }
    monitors.retain(|monitor| monitor["options"]["thresholds"]["critical"].is_number());
    monitors.push(silence(limits, to));
    monitors
}

/// One monitor. A query has one threshold, which is `critical`: where the plan only warns, the warning stands there.
fn monitor(service: &str, name: &str, query: &str, sign: char, pair: Pair, message: &str) -> Value {
    let (first, level) = match (pair.critical, pair.warning) {
        (Some(critical), _) => (Some(critical), Level::Critical),
        (None, warning) => (warning, Level::Warning),
    };
    let mut thresholds = Map::new();
    if let Some(first) = first {
        thresholds.insert("critical".to_owned(), json!(rounded(first)));
    }
    if let (Some(_), Some(warning)) = (pair.critical, pair.warning) {
        thresholds.insert("warning".to_owned(), json!(rounded(warning)));
    }
    let bar = thresholds.get("critical").cloned().unwrap_or_default();
    json!({
        "name": format!("{service}: {name}"),
        "type": "query alert",
        "query": format!("{query} {sign} {bar}"),
        "message": message,
        "tags": tags(service, level, Finding::from(level)),
        "options": { "thresholds": thresholds, "notify_no_data": false, "include_tags": true },
    })
}

/// No requests at all, of any version.
fn silence(limits: &Limits<String>, to: &str) -> Value {
    let service = &limits.service;
    json!({
        "name": format!("{service}: no data"),
        "type": "query alert",
        "query": format!("sum(last_5m):sum:{}.as_count() <= 0", limits.requests.trim()),
        "message": format!(
            "{service} has no requests. Silence is neither health nor harm, and rollgate holds meanwhile.\n\n{to}"
        ),
        "tags": tags(service, Level::Warning, Finding::Hold),
        "options": {
            "thresholds": { "critical": 0 },
            "notify_no_data": true,
            "no_data_timeframe": SILENCE,
            "include_tags": true,
        },
    })
}

fn tags(service: &str, level: Level, finding: Finding) -> [String; 3] {
    [
        format!("service:{service}"),
        format!("severity:{}", level.word()),
        format!("rollgate:{}", finding.word()),
    ]
}

/// One series for each value of `by`; the plan has the metric and its scope.
fn grouped(query: &str, by: &[&str]) -> String {
    format!("{} by {{{}}}", query.trim(), by.join(","))
}

#[cfg(test)]
mod tests {
    use super::{super::shop, *};

    fn datadog() -> Limits<String> {
        let mut limits = Limits::of(&shop());
        limits.requests = "http.requests{service:shop-api}".to_owned();
        limits.errors = "http.requests{service:shop-api,code:5xx}".to_owned();
        if let Some(slow) = &mut limits.slow {
            slow.latency = "http.duration{service:shop-api}".to_owned();
        }
        for (gauge, query) in limits.gauges.iter_mut().zip(["process.rss{*}", "pool.busy{*}"]) {
            query.clone_into(&mut gauge.query);
        }
        for check in &mut limits.checks {
            "good{*}".clone_into(&mut check.good);
            "total{*}".clone_into(&mut check.total);
        }
        limits
    }

    #[test]
    fn each_limit_is_a_monitor_as_the_api_takes_it() {
        let text =
            serde_json::to_string_pretty(&monitors(&datadog(), ["version", "host"], "@slack-ops")).unwrap();
        insta::assert_snapshot!("monitors", text);
    }

    #[test]
    fn the_threshold_in_the_query_is_the_one_of_the_options() {
        for monitor in monitors(&datadog(), ["version", "host"], "@slack-ops") {
            let bar = &monitor["options"]["thresholds"]["critical"];
            let query = monitor["query"].as_str().unwrap();
            assert!(query.ends_with(&format!(" {bar}")), "{query}");
            assert_eq!(monitor["type"], "query alert");
        }
    }

    #[test]
    fn a_limit_that_only_warns_is_a_monitor_that_warns() {
        let mut limits = datadog();
        limits.gauges[0].limits.critical = None;
        let all = monitors(&limits, ["version", "host"], "");
        let memory = all
            .iter()
            .find(|monitor| monitor["name"] == "shop-api: memory")
            .unwrap();
        assert_eq!(memory["options"]["thresholds"], json!({ "critical": 600e6 }));
        assert_eq!(memory["tags"][1], "severity:warning");
    }
}
