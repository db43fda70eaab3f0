//! The way from an alert to a workflow: every label and every name on it is the next one's.

use super::{BOTH, export, yaml};
use crate::support::team::ROOT;

const TO: [&str; 2] = ["--repository", "acme/shop"];

#[test]
fn the_route_takes_the_alerts_that_would_take_the_candidate_back_and_no_others() {
    let configuration = yaml(&export("alertmanager", &[&TO[..], &BOTH].concat()));
    let route = &configuration["route"]["routes"][0];
    let rules = yaml(&export("prometheus-rules", &BOTH));
    let is_taken = |rule: &serde_json::Value| {
        let matchers = route["matchers"].as_array().expect("matchers");
        matchers.iter().all(|matcher| {
            let (label, value) = matcher
                .as_str()
                .and_then(|text| text.split_once('='))
                .expect("LABEL=VALUE");
            rule["labels"][label] == value.trim_matches('"')
        })
    };
    let taken: Vec<_> = rules["groups"][0]["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .filter(|rule| is_taken(rule))
        .map(|rule| rule["alert"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        taken,
        [
            "RollgateErrorRate",
            "RollgateErrorsAboveStable",
            "RollgateSlow",
            "RollgateGauge",
            "RollgateGauge",
            "RollgateCheck",
        ]
    );
    assert_eq!(route["receiver"], configuration["receivers"][0]["name"]);
    // What a team does with its alerts goes on.
    assert_eq!(route["continue"], true);
}

#[test]
fn the_receiver_speaks_as_github_and_the_example_workflow_listen() {
    let configuration = yaml(&export("alertmanager", &TO));
    let webhook = &configuration["receivers"][0]["webhook_configs"][0];
    assert_eq!(
        webhook["url"],
        "https://api.github.com/repos/acme/shop/dispatches"
    );
    // An alert that is over is no second signal.
    assert_eq!(webhook["send_resolved"], false);
    let workflow =
        std::fs::read_to_string(format!("{ROOT}/examples/workflows/signal.yml")).expect("the example");
    let types = yaml(&workflow)["on"]["repository_dispatch"]["types"].clone();
    assert_eq!(types[0], webhook["payload"]["event_type"]);
    let payload = webhook["payload"]["client_payload"]
        .as_object()
        .expect("a payload");
    for key in payload.keys() {
        assert!(
            workflow.contains(&format!("github.event.client_payload.{key} }}}}")),
            "{key}"
        );
    }
}

#[test]
fn whoever_exports_without_the_candidate_is_told_what_that_means() {
    let without = export("alertmanager", &TO);
    assert!(
        without.contains("# Without --candidate-version an alert of any version starts it"),
        "{without}"
    );
    let with = export("alertmanager", &[&TO[..], &BOTH].concat());
    assert!(
        !with.contains("# Without") && with.contains(r#"version="v2""#),
        "{with}"
    );
}
