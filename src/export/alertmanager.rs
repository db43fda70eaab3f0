//! A route and a receiver of Alertmanager that start the team's `signal.yml` by a `repository_dispatch`. Pure.
//!
//! GitHub takes no body but its own. Alertmanager writes one since 0.32 (`payload`); before it, something in between must.
//!
//! Sources: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>,
//! <https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event>

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Finding, Level, Versions};

/// What the example `signal.yml` listens to.
const EVENT: &str = "rollgate-signal";

/// All alerts of the group. Alertmanager reads what a template has made as YAML again, and a text with `: ` in it would
/// be a mapping: so no colons.
const REASON: &str = "{{ range $i, $alert := .Alerts.Firing }}{{ if $i }}; {{ end }}\
                      {{ $alert.Annotations.summary | reReplaceAll \":\" \"\" }}{{ end }}";

/// Where a dispatch goes.
#[derive(Clone, Copy, Debug)]
pub struct Relay<'a> {
    /// `OWNER/NAME`.
    pub repository: &'a str,
    /// GitHub's API, without a slash at its end.
    pub api: &'a str,
    /// The file with the token, where Alertmanager reads it.
    pub token_file: &'a str,
}

#[derive(Serialize)]
struct Configuration {
    route: Routes,
    receivers: [Value; 1],
}

#[derive(Serialize)]
struct Routes {
    routes: [Route; 1],
}

#[derive(Serialize)]
struct Route {
    receiver: String,
    matchers: Vec<String>,
    group_by: [String; 2],
    group_wait: &'static str,
    group_interval: &'static str,
    repeat_interval: &'static str,
    #[serde(rename = "continue")]
    goes_on: bool,
}

/// What is to be put into Alertmanager's configuration.
///
/// # Errors
///
/// It cannot be written as YAML.
pub fn configuration(service: &str, versions: Versions<'_>, relay: Relay<'_>) -> Result<String> {
    let receiver = format!("rollgate-{service}");
    let is = |label: &str, value: &str| format!("{label}={}", quoted(value));
    let mut matchers = vec![
        is("service", service),
        is("severity", Level::Critical.word()),
        is("rollgate", Finding::Rollback.word()),
    ];
    matchers.extend(versions.candidate.map(|version| is(versions.label, version)));
    let Relay {
        repository,
        api,
        token_file,
    } = relay;
    let url = format!("{api}/repos/{repository}/dispatches");
    let text = serde_saphyr::to_string(&Configuration {
        route: Routes {
            routes: [Route {
                receiver: receiver.clone(),
                matchers,
                group_by: ["service".to_owned(), versions.label.to_owned()],
                group_wait: "0s",
                group_interval: "1m",
                repeat_interval: "15m",
                goes_on: true,
            }],
        },
        receivers: [json!({
            "name": receiver,
            "webhook_configs": [{
                "url": url,
                "send_resolved": false,
                "http_config": { "authorization": { "type": "Bearer", "credentials_file": token_file } },
                "payload": {
                    "event_type": EVENT,
                    "client_payload": { "severity": "critical", "reason": REASON },
                },
            }],
        })],
    })
    .context("write the configuration")?;
    let note = if versions.candidate.is_some() {
        ""
    } else {
        "# Without --candidate-version an alert of any version starts it, stable's as well.\n"
    };
    Ok(format!(
        "# Alerts of {service} that take its candidate back: put this route first among yours, and the receiver beside yours.\n\
         # Needs Alertmanager 0.32 or newer (`payload`), {token_file} with a token that may write contents of\n\
         # {repository}, and its workflow signal.yml. An older Alertmanager needs something in between that calls\n\
         #   gh api {} -f event_type={EVENT} -f 'client_payload[severity]=critical' -f 'client_payload[reason]=TEXT'\n\
         {note}{text}",
        format_args!("repos/{repository}/dispatches"),
    ))
}

/// A matcher's value.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
}
