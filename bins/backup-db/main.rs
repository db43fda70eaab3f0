//! Entry point only: backup-db has no verbs in this version.

use std::process::ExitCode;

use rollgate::commands::without_verbs;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    without_verbs::run("backup-db", "Can we get the data back?", &arguments)
}
