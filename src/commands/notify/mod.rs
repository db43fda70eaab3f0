//! `notify`: who must know?

mod send;

use clap::{Parser, Subcommand};
use rollgate_domain::exit::Outcome;

use super::completions::Completions;

/// Who must know: tells people what happened
#[derive(Debug, Parser)]
#[command(name = "notify", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  notify send --title 'v2 is out' --text 'to everybody' --channel slack
  notify send --journal rollgate-out      the run's events as the summary page of the GitHub run

Exit codes:
  0 everybody was told   1 a channel could not be reached   2 usage";

#[derive(Debug, Subcommand)]
enum Verb {
    Send(send::Args),
    /// Print the completions for a shell
    Completions(Completions),
}

/// Runs the verb.
///
/// # Errors
///
/// A channel could not be reached; the others were told all the same.
pub async fn run(args: Args) -> anyhow::Result<Outcome> {
    match args.verb {
        Verb::Send(args) => send::run(args).await,
        Verb::Completions(completions) => Ok(completions.run::<Args>()),
    }
}
