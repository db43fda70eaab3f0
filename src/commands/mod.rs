//! Arguments in, outcome out: the only place that parses argv and prints.

pub mod completions;
mod connect;
mod judging;
mod metering;
pub mod notify;
mod shared;
pub mod shift_traffic;
pub mod verify_health;
pub mod without_verbs;

use std::{io::Write as _, process::ExitCode};

use rollgate_domain::exit::Outcome;

use crate::error::{Usage, chain};

/// Runs a command to its exit code, and says what went wrong.
pub async fn finish(command: impl Future<Output = anyhow::Result<Outcome>>) -> ExitCode {
    // One TLS provider for all clients. An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command.await {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            // First what is shown at the run's top: a runner whose terminal closes may lose the last line.
            annotate(&error);
            say(&format!("error: {}", chain(&error)));
            let usage = error.downcast_ref::<Usage>().is_some();
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// A line for a person, on stderr. Data goes to [`print()`].
pub fn say(text: &str) {
    // Nobody reads any more: the exit code still tells.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Home, and nothing on the screen: where a terminal is drawn anew.
pub(crate) const CLEAR: &str = "\x1b[2J\x1b[H";

/// Data, on stdout.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// An environment variable, if it is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// In a GitHub job an error is shown at the run's top too.
/// Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message>
fn annotate(error: &anyhow::Error) {
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        say(&format!("::error::{}", escaped(&chain(error))));
    }
}

/// A line break or a percent sign would end or change the command.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
