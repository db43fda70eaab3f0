//! `export`: the plan's limits for the tools that a team has already.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use rollgate_domain::exit::Outcome;

use crate::{
    commands::{print, shared::PlanFlag},
    error::{Usage, chain},
    export::{self, Limits, Relay, Versions},
    plan::{Plan, Source},
};

/// What is written into alerts for those who read them.
const RUNBOOK: &str = "https://github.com/rollgate/rollgate/blob/main/docs/export.md#when-an-alert-fires";

/// Print the plan's limits as rules, routes, dashboards or monitors; asks nobody
#[derive(clap::Args, Debug)]
#[command(after_help = "\
prometheus-rules    alerting rules with the plan's limits
alertmanager        a route and a receiver that start the team's signal.yml
grafana-dashboard   blue beside green, limits as lines
datadog-monitors    for a plan whose metrics come from Datadog

Examples:
  verify-health export prometheus-rules --to rollgate.rules.yml
  verify-health export prometheus-rules --stable-version v1 --candidate-version v2
  verify-health export alertmanager --repository acme/shop --candidate-version v2
  verify-health export grafana-dashboard > dashboard.json
  verify-health export datadog-monitors --handles '@slack-ops' | jq -c '.[]'")]
pub(crate) struct Args {
    /// For which tool
    #[arg(value_enum, hide_possible_values = true)]
    tool: Tool,
    /// Write it to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The candidate's value of the metrics' version label
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_CANDIDATE_VERSION")]
    candidate_version: Option<String>,
    /// Stable's value of it; with both, the candidate is held against stable as well
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_STABLE_VERSION")]
    stable_version: Option<String>,
    /// The label that tells the versions apart; default: the plan's, which a plan with `scrape` has none of
    #[arg(long, value_name = "LABEL", value_parser = label)]
    version_label: Option<String>,
    /// Where people read what to do, in each alert; default: rollgate's docs/export.md
    #[arg(long, value_name = "URL", default_value = RUNBOOK, hide_default_value = true)]
    runbook_url: String,
    /// The repository whose signal.yml is started; alertmanager needs it
    #[arg(long, value_name = "OWNER/NAME", value_parser = repository)]
    repository: Option<String>,
    /// GitHub's API
    #[arg(long, value_name = "URL", default_value = "https://api.github.com")]
    github_api: String,
    /// Where Alertmanager reads the token that may start it
    #[arg(long, value_name = "FILE", default_value = "/etc/alertmanager/github-token")]
    token_file: String,
    /// Whom Datadog's monitors tell, such as @slack-ops @pagerduty
    #[arg(long, value_name = "HANDLES", default_value = "", hide_default_value = true)]
    handles: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tool {
    PrometheusRules,
    Alertmanager,
    GrafanaDashboard,
    DatadogMonitors,
}

/// Labels of the rules themselves: a version in one of them would be overwritten.
const TAKEN: [&str; 7] = [
    "service",
    "severity",
    "rollgate",
    "gauge",
    "check",
    "bound",
    "alertname",
];

fn label(text: &str) -> Result<String, String> {
    let is_label = !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text
            .chars()
            .all(|letter| letter == '_' || letter.is_ascii_alphanumeric());
    is_label
        .then(|| text.to_owned())
        .ok_or_else(|| "expected a label name: letters, digits and `_`".to_owned())
}

fn repository(text: &str) -> Result<String, String> {
    let is_name = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    match text.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Ok(text.to_owned()),
        _ => Err("expected OWNER/NAME".to_owned()),
    }
}

pub(crate) fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let text = match args.tool {
        Tool::DatadogMonitors => monitors(&plan, &args.handles)?,
        Tool::PrometheusRules | Tool::Alertmanager | Tool::GrafanaDashboard => of_prometheus(&plan, args)?,
    };
    match &args.to {
        Some(path) => fs::write(path, text).with_context(|| format!("write {}", path.display()))?,
        None => print(&text),
    }
    Ok(Outcome::Done)
}

/// What speaks Prometheus' language.
fn of_prometheus(plan: &Plan, args: &Args) -> anyhow::Result<String> {
    let Args {
        tool,
        to: _,
        candidate_version,
        stable_version,
        version_label,
        runbook_url,
        repository,
        github_api,
        token_file,
        handles: _,
    } = args;
    let of_plan = match &plan.metrics.source {
        Source::Prometheus(source) => Some(source.version_label.as_str()),
        Source::Scrape(_) | Source::Recorded(_) => None,
        Source::Datadog(_) | Source::NewRelic(_) | Source::CloudWatch(_) => {
            return Err(Usage(format!(
                "the plan's metrics come from {}, whose queries Prometheus cannot ask; what fits a Datadog is \
                 datadog-monitors",
                hosted(&plan.metrics.source)
            ))
            .into());
        }
        Source::Probe(_) => {
            return Err(
                Usage("the plan's metrics are probes, which no other tool can ask for".to_owned()).into(),
            );
        }
    };
    let label = version_label.as_deref().or(of_plan).ok_or_else(|| {
        Usage(
            "the plan's metrics are pages, on which no label tells the versions apart: give the label that a Prometheus \
             adds with --version-label LABEL"
                .to_owned(),
        )
    })?;
    if TAKEN.contains(&label) {
        return Err(Usage(format!(
            "the version label is `{label}`, which the alerts need for something else: let Prometheus copy it to another \
             label, and name that with --version-label"
        ))
        .into());
    }
    let versions = Versions {
        label,
        stable: stable_version.as_deref(),
        candidate: candidate_version.as_deref(),
    };
    let limits = Limits::of(plan).read().map_err(|error| Usage(chain(&error)))?;
    match tool {
        Tool::Alertmanager => {
            let repository = repository.as_deref().ok_or_else(|| {
                Usage(
                    "export alertmanager needs --repository OWNER/NAME, whose signal.yml it starts"
                        .to_owned(),
                )
            })?;
            let relay = Relay {
                repository,
                api: github_api.trim_end_matches('/'),
                token_file,
            };
            export::configuration(&limits.service, versions, relay)
        }
        Tool::GrafanaDashboard => {
            let dashboard = export::dashboard(&limits, versions);
            Ok(serde_json::to_string_pretty(&dashboard)? + "\n")
        }
        Tool::PrometheusRules | Tool::DatadogMonitors => export::rules(&limits, versions, runbook_url),
    }
}

/// Monitors of Datadog ask Datadog's own queries.
fn monitors(plan: &Plan, to: &str) -> anyhow::Result<String> {
    let source = match &plan.metrics.source {
        Source::Datadog(source) => {
            let tags = [source.version_tag.as_str(), source.instance_tag.as_str()];
            let monitors = export::monitors(&Limits::of(plan), tags, to);
            return Ok(serde_json::to_string_pretty(&monitors)? + "\n");
        }
        Source::Prometheus(_) => "a Prometheus",
        Source::Scrape(_) => "pages",
        Source::Recorded(_) => "a recorded file",
        Source::Probe(_) => "probes",
        source @ (Source::NewRelic(_) | Source::CloudWatch(_)) => hosted(source),
    };
    Err(Usage(format!(
        "export datadog-monitors: the plan's metrics come from {source}, whose queries Datadog cannot ask; what fits is \
         prometheus-rules, alertmanager and grafana-dashboard"
    ))
    .into())
}

fn hosted(source: &Source) -> &'static str {
    match source {
        Source::Datadog(_) => "Datadog",
        Source::NewRelic(_) => "New Relic",
        Source::CloudWatch(_) => "CloudWatch",
        Source::Prometheus(_) | Source::Scrape(_) | Source::Recorded(_) | Source::Probe(_) => {
            "the service itself"
        }
    }
}
