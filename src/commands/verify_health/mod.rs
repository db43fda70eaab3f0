//! `verify-health`: is it healthy?

mod aa;
mod check;
mod collect;
mod compare;
mod decide;
mod export;
mod live;
mod preflight;
mod replay;
mod subject;
mod watch;

use clap::{Parser, Subcommand};
use rollgate_domain::{
    analysis::{self, Verdict},
    exit::Outcome,
};

use super::{
    completions::Completions,
    print,
    shared::{Format, PlanFlag},
};

/// Is it healthy: judges the candidate beside stable, on their own traffic
#[derive(Debug, Parser)]
#[command(name = "verify-health", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    plan: PlanFlag,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  verify-health check                             the rollout on the router, judged now
  verify-health check --now 2026-11-23T14:00:00Z  as it would have been judged then
  verify-health watch --for 10m                   look after look
  verify-health compare                           both versions side by side, and what the step asks for
  verify-health preflight                         can this plan be judged by, before anything begins?
  verify-health replay                            every verdict along the way
  verify-health aa                                would these limits have cried wolf?
  verify-health decide                            which rollback is called for, and how to start it
  verify-health collect --to evidence             what people need after a bad release
  verify-health export prometheus-rules           the limits as alerts

Exit codes:
  0 healthy or nothing found yet   1 error   2 usage or plan   3 bad: roll back   4 hold";

#[derive(Debug, Subcommand)]
enum Verb {
    Check(check::Args),
    Decide(decide::Args),
    Collect(collect::Args),
    Watch(watch::Args),
    Compare(compare::Args),
    Replay(replay::Args),
    Aa(aa::Args),
    Preflight(preflight::Args),
    Export(export::Args),
    /// Print the completions for a shell
    Completions(Completions),
}

/// Runs the verb.
///
/// # Errors
///
/// There is nothing to judge; [`crate::error::Usage`] for the plan and the flags.
pub async fn run(args: Args) -> anyhow::Result<Outcome> {
    let Args { plan, verb } = args;
    match verb {
        Verb::Check(args) => check::run(&plan, &args).await,
        Verb::Collect(args) => collect::run(&plan, args).await,
        Verb::Decide(args) => decide::run(&plan, args).await,
        Verb::Watch(args) => watch::run(&plan, &args).await,
        Verb::Compare(args) => compare::run(&plan, &args).await,
        Verb::Replay(args) => replay::run(&plan, &args).await,
        Verb::Aa(args) => aa::run(&plan, &args).await,
        Verb::Preflight(args) => preflight::run(&plan, &args).await,
        Verb::Export(args) => export::run(&plan, &args),
        Verb::Completions(completions) => Ok(completions.run::<Args>()),
    }
}

/// The exit code that says what the verdict says.
fn outcome(verdict: &Verdict) -> Outcome {
    match verdict.outcome {
        analysis::Outcome::Healthy | analysis::Outcome::Watch | analysis::Outcome::Warn => Outcome::Done,
        analysis::Outcome::Rollback | analysis::Outcome::Precaution => Outcome::Refused,
        analysis::Outcome::Hold => Outcome::Hold,
    }
}

/// The sentence for people, one JSON object a line for programs.
fn show(verdict: &Verdict, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Text => print(&format!("{}\n", verdict.sentence)),
        Format::Json => print(&format!("{}\n", serde_json::to_string(verdict)?)),
    }
    Ok(())
}
