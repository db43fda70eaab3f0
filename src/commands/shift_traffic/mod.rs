//! `shift-traffic`: who gets the traffic?

mod advance;
mod approve;
mod assign;
mod finish;
mod hand;
mod init;
mod pause;
mod promote;
mod resume;
mod rollback;
mod run;
mod said;
mod set;
mod signal;
mod start;
pub(in crate::commands) mod status;

use clap::{Parser, Subcommand};
use rollgate_domain::exit::Outcome;

use super::{completions::Completions, shared::PlanFlag};

/// Who gets the traffic: gives a new version its share step by step and takes it back
#[derive(Debug, Parser)]
#[command(name = "shift-traffic", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    plan: PlanFlag,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  shift-traffic init haproxy              print the lines for haproxy.cfg
  shift-traffic assign --user 4711        which version this user meets
  shift-traffic start                     record a new rollout at 0 %
  shift-traffic run                       drive it: raise, judge, advance, take back
  shift-traffic status                    where it stands
  shift-traffic rollback --reason 'orders fail'
  shift-traffic finish --manifests k8s/   after the promotion: the old version may go

Exit codes:
  0 done   1 error   2 usage or plan   3 refused or rolled back
  4 hold or paused   5 stuck, a person must come   6 a newer driver owns the rollout";

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Assign(assign::Args),
    Start(start::Args),
    Run(run::Args),
    Status(status::Args),
    Set(set::Args),
    Advance(advance::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Approve(approve::Args),
    Signal(signal::Args),
    Rollback(rollback::Args),
    Promote(promote::Args),
    Finish(finish::Args),
    /// Print the completions for a shell
    #[command(
        after_help = "Example:\n  shift-traffic completions bash > /etc/bash_completion.d/shift-traffic"
    )]
    Completions(Completions),
}

/// Runs the verb.
///
/// # Errors
///
/// What the verb could not do; [`crate::error::Usage`] for the plan and the flags.
pub async fn run(args: Args) -> anyhow::Result<Outcome> {
    let Args { plan, verb } = args;
    match verb {
        Verb::Init(args) => init::run(&plan, &args),
        Verb::Assign(args) => assign::run(&plan, &args).await,
        Verb::Start(args) => start::run(&plan, args).await,
        Verb::Run(args) => run::run(&plan, args).await,
        Verb::Status(args) => status::run(&plan, &args).await,
        Verb::Set(args) => set::run(&plan, args).await,
        Verb::Advance(args) => advance::run(&plan, args).await,
        Verb::Pause(args) => pause::run(&plan, args).await,
        Verb::Resume(args) => resume::run(&plan, args).await,
        Verb::Approve(args) => approve::run(&plan, args).await,
        Verb::Signal(args) => signal::run(&plan, args).await,
        Verb::Rollback(args) => rollback::run(&plan, args).await,
        Verb::Promote(args) => promote::run(&plan, args).await,
        Verb::Finish(args) => finish::run(&plan, args).await,
        Verb::Completions(completions) => Ok(completions.run::<Args>()),
    }
}
