//! The workflow files, run by act with the tools of this build behind a real HAProxy.

mod alerts;
mod callers;
mod canary;
mod chain;
mod decisions;
mod emergency;
mod files;
mod planned;
mod production;
mod release;

use crate::support::http::{Http, Reply, Request};

pub(crate) const CANARY: &str = "phase-2-canary.yml";
pub(crate) const PRODUCTION: &str = "phase-3-production.yml";
pub(crate) const PLANNED: &str = "rollback-2-planned.yml";
pub(crate) const EMERGENCY: &str = "rollback-1-emergency.yml";

/// Critical news go to Slack, and no other.
pub(crate) const TO_SLACK: &str =
    "notify: { critical: [slack, summary], warning: [summary], info: [summary] }\n";

/// A Slack webhook that answers as it is told, and the flag that makes it the team's.
pub(crate) fn slack(reply: Reply) -> (Http, [String; 2]) {
    let http = Http::always(reply);
    let secret = format!("SLACK_WEBHOOK_URL={}/services/T0/B0/x", http.url);
    (http, ["--secret".to_owned(), secret])
}

/// The title of a message to Slack.
pub(crate) fn title(message: &Request) -> String {
    assert_eq!(
        (message.method.as_str(), message.path.as_str()),
        ("POST", "/services/T0/B0/x")
    );
    let body: serde_json::Value = serde_json::from_str(&message.body).expect("JSON");
    body["text"].as_str().expect("a text").to_owned()
}
