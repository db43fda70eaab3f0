//! The rules, tried by the real promtool on series that are good and series that are bad.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BOTH, export, yaml};
use crate::support::servers::require;

/// What promtool says of files in `folder`.
pub(super) fn promtool(promtool: &Path, folder: &Path, arguments: &[&str]) {
    let done = Command::new(promtool)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("promtool");
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}

/// Series of both versions, a sample a minute: name, labels, v1's values, v2's.
type Series = (&'static str, &'static str, &'static str, &'static str);

/// A healthy service: 600 requests a minute of each, and what goes with them.
const HEALTHY: [Series; 12] = [
    ("http_requests_total", r#"code="200""#, "0+599x30", "0+599x30"),
    ("http_requests_total", r#"code="500""#, "0+1x30", "0+1x30"),
    (
        "http_request_duration_seconds_bucket",
        r#"le="0.2""#,
        "0+590x30",
        "0+590x30",
    ),
    (
        "http_request_duration_seconds_bucket",
        r#"le="0.25""#,
        "0+595x30",
        "0+595x30",
    ),
    (
        "http_request_duration_seconds_bucket",
        r#"le="+Inf""#,
        "0+600x30",
        "0+600x30",
    ),
    (
        "process_resident_memory_bytes",
        r#"instance="a""#,
        "500000000x30",
        "500000000x30",
    ),
    ("db_pool_busy_ratio", r#"instance="a""#, "0.5x30", "0.5x30"),
    ("login_ok_total", "", "0+1000x30", "0+1000x30"),
    ("login_total", "", "0+1000x30", "0+1000x30"),
    ("search_found_total", "", "0+900x30", "0+900x30"),
    ("search_total", "", "0+1000x30", "0+1000x30"),
    ("up", "", "1x30", "1x30"),
];

/// The healthy service but for these.
fn but(changes: &[Series]) -> Vec<Series> {
    let is_same = |one: &Series, other: &Series| (one.0, one.1) == (other.0, other.1);
    HEALTHY
        .into_iter()
        .map(|series| {
            *changes
                .iter()
                .find(|change| is_same(change, &series))
                .unwrap_or(&series)
        })
        .chain(
            changes
                .iter()
                .filter(|change| !HEALTHY.iter().any(|one| is_same(one, change)))
                .copied(),
        )
        .filter(|(_, _, one, other)| !(one.is_empty() && other.is_empty()))
        .collect()
}

/// Alert, version (or none), severity, `rollgate`.
type Firing = (&'static str, &'static str, &'static str, &'static str);

/// A unit test for promtool: at 20 minutes exactly these fire.
fn expecting(series: &[Series], firing: &[Firing]) -> Value {
    let input: Vec<_> = series
        .iter()
        .flat_map(|(name, labels, one, other)| {
            [("v1", one), ("v2", other)]
                .into_iter()
                .filter(|(_, values)| !values.is_empty())
                .map(move |(version, values)| {
                    let more = if labels.is_empty() { "" } else { "," };
                    let series = format!(r#"{name}{{service="shop-api",version="{version}"{more}{labels}}}"#);
                    json!({ "series": series, "values": values })
                })
        })
        .collect();
    let samples: Vec<_> = firing
        .iter()
        .map(|(alert, version, severity, rollgate)| {
            let version = if version.is_empty() {
                String::new()
            } else {
                format!(r#",version="{version}""#)
            };
            let labels =
                format!(r#"{{alertname="{alert}",severity="{severity}",rollgate="{rollgate}"{version}}}"#);
            json!({ "labels": labels, "value": 1 })
        })
        .collect();
    json!({
        "interval": "1m",
        "input_series": input,
        "promql_expr_test": [{
            "expr": r#"max by (alertname, version, severity, rollgate) (ALERTS{alertstate="firing"})"#,
            "eval_time": "20m",
            "exp_samples": samples,
        }],
    })
}

/// All of them by promtool, on the rules that `flags` make.
fn tried(flags: &[&str], tests: &[Value]) {
    let Some(program) = require("promtool") else {
        return;
    };
    let folder = TempDir::new().expect("a scratch folder");
    fs::write(folder.path().join("rules.yml"), export("prometheus-rules", flags)).expect("the rules");
    let file = json!({ "rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests });
    // Every JSON is YAML.
    fs::write(folder.path().join("tests.yml"), file.to_string()).expect("the tests");
    promtool(&program, folder.path(), &["check", "rules", "rules.yml"]);
    promtool(&program, folder.path(), &["test", "rules", "tests.yml"]);
}

const ERRORS: Series = ("http_requests_total", r#"code="500""#, "0+1x30", "0+30x30");
const SHARED: Series = ("http_requests_total", r#"code="500""#, "0+30x30", "0+30x30");
const SLOW: Series = (
    "http_request_duration_seconds_bucket",
    r#"le="0.25""#,
    "0+595x30",
    "0+500x30",
);
const SLOWER: Series = (
    "http_request_duration_seconds_bucket",
    r#"le="0.2""#,
    "0+590x30",
    "0+480x30",
);
const MEMORY: Series = (
    "process_resident_memory_bytes",
    r#"instance="a""#,
    "500000000x30",
    "800000000x30",
);
const BRIEF: Series = (
    "process_resident_memory_bytes",
    r#"instance="a""#,
    "500000000x30",
    "500000000x17 800000000x12",
);
const LOGIN: Series = ("login_ok_total", "", "0+1000x30", "0+980x30");
const SEARCH: Series = ("search_found_total", "", "0+900x30", "0+700x30");

#[test]
fn a_version_that_breaks_a_limit_is_named_and_a_healthy_one_is_not() {
    tried(
        &[],
        &[
            expecting(&but(&[]), &[]),
            expecting(
                &but(&[ERRORS]),
                &[
                    ("RollgateErrorRate", "v2", "critical", "rollback"),
                    ("RollgateErrorRate", "v2", "warning", "warning"),
                ],
            ),
            expecting(
                &but(&[SLOW, SLOWER]),
                &[
                    ("RollgateSlow", "v2", "critical", "rollback"),
                    ("RollgateSlow", "v2", "warning", "warning"),
                ],
            ),
            expecting(
                &but(&[MEMORY]),
                &[
                    ("RollgateGauge", "v2", "critical", "rollback"),
                    ("RollgateGauge", "v2", "warning", "warning"),
                ],
            ),
            // Not yet for five minutes.
            expecting(&but(&[BRIEF]), &[]),
            expecting(&but(&[LOGIN]), &[("RollgateCheck", "v2", "critical", "rollback")]),
            // Without versions there is nothing to hold it against.
            expecting(&but(&[SEARCH]), &[]),
        ],
    );
}

#[test]
fn what_stable_suffers_too_accuses_nobody() {
    tried(
        &BOTH,
        &[
            expecting(&but(&[]), &[]),
            expecting(
                &but(&[ERRORS]),
                &[
                    ("RollgateErrorRate", "v2", "critical", "rollback"),
                    ("RollgateErrorRate", "v2", "warning", "warning"),
                    ("RollgateErrorsAboveStable", "v2", "critical", "rollback"),
                ],
            ),
            expecting(
                &but(&[SHARED]),
                &[
                    ("RollgateErrorRate", "v1", "critical", "hold"),
                    ("RollgateErrorRate", "v1", "warning", "hold"),
                ],
            ),
            expecting(
                &but(&[MEMORY]),
                &[
                    ("RollgateGauge", "v2", "critical", "rollback"),
                    ("RollgateGauge", "v2", "warning", "warning"),
                ],
            ),
            expecting(
                &but(&[SEARCH]),
                &[("RollgateCheckBelowStable", "v2", "warning", "warning")],
            ),
        ],
    );
}

#[test]
fn silence_is_neither_health_nor_harm() {
    let none = |name, labels| (name, labels, "", "");
    let still = |name, labels| (name, labels, "0+600x30", "7x30");
    let no_data = ("RollgateNoData", "", "warning", "hold");
    let quiet = but(&[
        ("http_requests_total", r#"code="200""#, "0+599x30", "7x30"),
        ("http_requests_total", r#"code="500""#, "0+1x30", "7x30"),
        still("http_request_duration_seconds_bucket", r#"le="0.2""#),
        still("http_request_duration_seconds_bucket", r#"le="0.25""#),
        still("http_request_duration_seconds_bucket", r#"le="+Inf""#),
        ("login_total", "", "0+1000x30", "7x30"),
    ]);
    let tests = [
        expecting(&[none("up", ""), HEALTHY[11]], &[no_data]),
        // A candidate without a request, and a service without an error.
        expecting(&quiet, &[]),
        expecting(&but(&[none("http_requests_total", r#"code="500""#)]), &[]),
        // A histogram without the limit's bounds is said, and accuses nobody.
        expecting(
            &but(&[
                none("http_request_duration_seconds_bucket", r#"le="0.2""#),
                none("http_request_duration_seconds_bucket", r#"le="0.25""#),
            ]),
            &[("RollgateSlowNoBound", "", "warning", "hold")],
        ),
    ];
    tried(&[], &tests);
    tried(&BOTH, &tests);
}

#[test]
fn a_check_without_a_single_good_one_fails() {
    tried(
        &[],
        &[expecting(
            &but(&[("login_ok_total", "", "0+1000x30", "")]),
            &[("RollgateCheck", "v2", "critical", "rollback")],
        )],
    );
}

#[test]
fn every_alert_says_whose_it_is_and_what_to_do() {
    let foreign = [
        "--candidate-version",
        "v\"2 {{ $x }}",
        "--stable-version",
        "v1: \\a",
    ];
    for flags in [&[][..], &BOTH, &foreign] {
        let file = yaml(&export("prometheus-rules", flags));
        let rules = file["groups"][0]["rules"].as_array().expect("rules").clone();
        assert!(rules.len() > 8);
        for rule in &rules {
            assert_eq!(rule["labels"]["service"], "shop-api");
            for annotation in ["summary", "description", "runbook_url"] {
                assert!(rule["annotations"][annotation].is_string(), "{rule}");
            }
        }
    }
    // Templates are read by promtool too.
    tried(&foreign, &[expecting(&[HEALTHY[0], HEALTHY[1]], &[])]);
    let rules = export(
        "prometheus-rules",
        &["--runbook-url", "https://wiki.example.com/shop"],
    );
    assert!(
        rules.contains("runbook_url: https://wiki.example.com/shop\n"),
        "{rules}"
    );
}

#[test]
fn a_version_that_looks_like_a_number_or_a_boolean_stays_a_text() {
    let flags = ["--candidate-version", "1.10", "--stable-version", "on"];
    let file = yaml(&export("prometheus-rules", &flags));
    let versions: BTreeSet<_> = file["groups"][0]["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter_map(|rule| rule["labels"].get("version"))
        .map(|version| version.as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(versions, BTreeSet::from(["1.10".to_owned(), "on".to_owned()]));
    tried(&flags, &[expecting(&[HEALTHY[0], HEALTHY[1]], &[])]);
}
