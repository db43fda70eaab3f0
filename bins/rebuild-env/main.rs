//! Entry point only: rebuild-env has no verbs in this version.

use std::process::ExitCode;

use rollgate::commands::without_verbs;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    without_verbs::run("rebuild-env", "Can we stand up again from nothing?", &arguments)
}
