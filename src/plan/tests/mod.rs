//! What users write, and what they are told. Each case is the smallest plan with one slip.

mod accepted;
mod files;
mod keys;
mod rescue;
mod together;
mod values;

use std::path::PathBuf;

use insta::assert_snapshot;
use jiff::SignedDuration;
use rollgate_domain::weight::Weight;

use super::*;

const SMALLEST: &str = r#"
service: shop-api
traffic:
  haproxy:
    backends: [blue, green]
metrics:
  prometheus: { url: "http://prometheus:9090" }
  requests: http_requests_total{service="shop-api"}
  errors: http_requests_total{service="shop-api",code=~"5.."}
"#;

/// The smallest plan with `old` written as `new`.
fn but(old: &str, new: &str) -> String {
    assert!(SMALLEST.contains(old), "nothing to replace: {old}");
    SMALLEST.replacen(old, new, 1)
}

/// The smallest plan and more.
fn and(more: &str) -> String {
    format!("{SMALLEST}{more}\n")
}

fn steps(steps: &str) -> String {
    and(&format!("phases: {{ canary: {{ steps: [{steps}] }} }}"))
}

fn plan(yaml: &str) -> Plan {
    Plan::parse(yaml, "plan.yml").unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(yaml: &str) -> String {
    Plan::parse(yaml, "plan.yml").expect_err("a refusal").to_string()
}

/// A file that is gone with the folder.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.yml");
    std::fs::write(&path, bytes).expect("write the plan");
    (folder, path)
}

/// What reading the file says, without the folder.
fn refusal_of(bytes: &[u8]) -> String {
    let (folder, path) = file(bytes);
    let error = Plan::read(&path).expect_err("a refusal").to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}
