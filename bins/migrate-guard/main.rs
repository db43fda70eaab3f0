//! Entry point only: migrate-guard has no verbs in this version.

use std::process::ExitCode;

use rollgate::commands::without_verbs;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    without_verbs::run(
        "migrate-guard",
        "Can old and new code both live on this schema?",
        &arguments,
    )
}
