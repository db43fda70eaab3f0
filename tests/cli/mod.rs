//! The binaries as a user calls them: help, usage, exit codes.

mod help;
mod notify;
mod usage;

use clap::CommandFactory as _;
use rollgate::commands::{notify as notify_binary, shift_traffic, verify_health};

/// Binaries with verbs, as they define themselves.
pub(crate) fn with_verbs() -> [clap::Command; 3] {
    [
        shift_traffic::Args::command(),
        verify_health::Args::command(),
        notify_binary::Args::command(),
    ]
}

/// Binaries whose verbs are still to come.
pub(crate) const WITHOUT_VERBS: [&str; 3] = ["migrate-guard", "backup-db", "rebuild-env"];

/// The first lines of a plan file: everything but the metrics' source.
pub(crate) const METERED: &str = "\
service: shop-api
traffic:
  haproxy:
    sockets: [/nowhere/admin.sock]
    map: /nowhere/rollgate.map
    key: web
    backends: [blue, green]
metrics:
  requests: http_requests_total{service=\"shop-api\"}
  errors: http_requests_total{service=\"shop-api\",code=~\"5..\"}
";
