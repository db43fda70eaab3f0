//! Binaries whose verbs are still to come. They say so, and never look as if they had done something.

use std::process::ExitCode;

use super::{print, say};

/// Answers `--version` and `--help`; everything else is a usage error, exit code 2.
#[must_use]
pub fn run(name: &str, about: &str, arguments: &[String]) -> ExitCode {
    let version = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
    match arguments.first().map(String::as_str) {
        Some("--version" | "-V") => print(&version),
        Some("--help" | "-h") => print(&format!("{about}\n\nThis version of {name} has no verbs yet.\n")),
        _ => {
            say(&format!(
                "error: this version of {name} has no verbs yet; nothing was done"
            ));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
