//! The plan's limits for other tools: what is printed, and that those tools take it and mean by it what the plan means.

mod alertmanager;
mod dashboard;
mod rules;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::METERED;
use crate::support::{answer, binary};

/// The plan with every key.
const PLAN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plans/shop-api.yml");
/// Both versions of a rollout.
const BOTH: [&str; 4] = ["--stable-version", "v1", "--candidate-version", "v2"];

/// What `export` prints for the example plan.
pub(crate) fn export(tool: &str, flags: &[&str]) -> String {
    let (code, out, err) = answer(
        binary("verify-health")
            .args(["export", tool, "--plan", PLAN])
            .args(flags),
    );
    assert_eq!((code, err.as_str()), (0, ""), "{tool} {flags:?}");
    out
}

/// YAML as a tool reads it.
pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Exit code and what is said, for a plan with this source.
fn refusal(source: &str, arguments: &[&str]) -> (i32, String) {
    let folder = TempDir::new().expect("a scratch folder");
    let plan = folder.path().join("plan.yml");
    fs::write(&plan, format!("{METERED}{source}")).expect("the plan");
    let (code, out, err) = answer(
        binary("verify-health")
            .arg("export")
            .args(arguments)
            .arg("--plan")
            .arg(&plan),
    );
    assert!(code == 0 || out.is_empty(), "{out}");
    (code, err)
}

const PROMETHEUS: &str = "  prometheus: { url: 'http://127.0.0.1:9' }\n";
const PAGES: &str =
    "  scrape: { pages: { blue: ['http://127.0.0.1:9/m'], green: ['http://127.0.0.1:10/m'] } }\n";

#[test]
fn every_tool_gets_the_limits_of_the_example_plan() {
    insta::assert_snapshot!("prometheus-rules", export("prometheus-rules", &[]));
    insta::assert_snapshot!("prometheus-rules_both", export("prometheus-rules", &BOTH));
    let to = [&["--repository", "acme/shop"], &BOTH[..]].concat();
    insta::assert_snapshot!("alertmanager", export("alertmanager", &to));
    insta::assert_snapshot!("grafana-dashboard", export("grafana-dashboard", &BOTH));
}

#[test]
fn a_file_is_written_instead_of_printed() {
    let folder = TempDir::new().expect("a scratch folder");
    let file = folder.path().join("rules.yml");
    let name = file.to_str().expect("a path");
    assert_eq!(export("prometheus-rules", &["--to", name]), "");
    assert_eq!(
        fs::read_to_string(&file).expect("the rules"),
        export("prometheus-rules", &[])
    );
}

#[test]
fn datadogs_monitors_need_datadogs_queries() {
    for (source, words) in [(PROMETHEUS, "a Prometheus"), (PAGES, "pages")] {
        let (code, err) = refusal(source, &["datadog-monitors"]);
        assert_eq!(code, 2);
        assert_eq!(
            err,
            format!(
                "error: export datadog-monitors: the plan's metrics come from {words}, whose queries Datadog cannot ask; \
                 what fits is prometheus-rules, alertmanager and grafana-dashboard\n"
            )
        );
    }
}

#[test]
fn a_plan_that_datadog_measures_becomes_its_monitors() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plans/datadog.yml");
    let arguments = [
        "export",
        "datadog-monitors",
        "--handles",
        "@slack-ops",
        "--plan",
        plan,
    ];
    let (code, out, err) = answer(binary("verify-health").args(arguments));
    assert_eq!((code, err.as_str()), (0, ""));
    let monitors: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        monitors[0]["query"],
        "sum(last_5m):sum:trace.rack.request.errors{service:shop-api} by {version}.as_count() / \
         sum:trace.rack.request.hits{service:shop-api} by {version}.as_count() > 0.01"
    );
    assert_eq!(
        monitors[1]["query"],
        "avg(last_5m):p95:trace.rack.request{service:shop-api} by {version} > 0.4"
    );
    assert!(
        monitors[0]["message"]
            .as_str()
            .is_some_and(|text| text.ends_with("@slack-ops")),
        "{out}"
    );
    // Prometheus cannot ask them.
    let (code, _, err) = answer(binary("verify-health").args(["export", "prometheus-rules", "--plan", plan]));
    assert_eq!(code, 2);
    assert!(err.contains("what fits a Datadog is datadog-monitors"), "{err}");
}

#[test]
fn pages_need_the_label_that_a_prometheus_adds() {
    let (code, err) = refusal(PAGES, &["prometheus-rules"]);
    assert_eq!(code, 2);
    assert!(err.contains("with --version-label LABEL"), "{err}");
    let (code, err) = refusal(PAGES, &["prometheus-rules", "--version-label", "colour"]);
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn what_cannot_be_exported_is_refused_with_the_way_out() {
    for (arguments, expected) in [
        (
            &["alertmanager"][..],
            "export alertmanager needs --repository OWNER/NAME",
        ),
        (&["alertmanager", "--repository", "shop"], "expected OWNER/NAME"),
        (
            &["prometheus-rules", "--version-label", "severity"],
            "the version label is `severity`, which the alerts need for something else",
        ),
        (
            &["prometheus-rules", "--version-label", "a-b"],
            "expected a label name: letters, digits and `_`",
        ),
        (
            &["nagios"],
            "[possible values: prometheus-rules, alertmanager, grafana-dashboard, datadog-monitors]",
        ),
    ] {
        let (code, err) = refusal(PROMETHEUS, arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains(expected), "{err}");
    }
    let latency = format!("{PROMETHEUS}  latency: t_bucket\n");
    let (code, err) = refusal(&latency, &["grafana-dashboard"]);
    assert_eq!(code, 2);
    assert!(err.contains("is not the base name of a histogram"), "{err}");
}
