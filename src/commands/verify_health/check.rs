//! `check`: one verdict.

use jiff::Timestamp;
use rollgate_domain::exit::Outcome;

use super::{outcome, show, subject::Subject};
use crate::commands::shared::{Format, PlanFlag};

/// Judge once; the exit code is the verdict
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  verify-health check --output json | jq .sentence
  verify-health check --since 2026-11-23T10:00:00Z --candidate-version v2 --stable-version v1")]
pub(crate) struct Args {
    /// Judge as of this time; nothing later is asked for
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    #[command(flatten)]
    subject: Subject,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args { now, subject, output } = args;
    let record = subject.record(&plan).await?;
    let verdict = subject.verdict(&plan, &record, *now).await?;
    show(&verdict, *output)?;
    Ok(outcome(&verdict))
}
