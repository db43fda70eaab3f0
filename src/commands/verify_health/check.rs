//! `check`: one verdict.

use jiff::Timestamp;
use rollgate_domain::exit::Outcome;

use super::{outcome, show, subject::Subject};
use crate::{
    commands::shared::{Format, PlanFlag},
    providers::clock::Clock,
};

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
    let metrics = Subject::metrics(&plan, &record)?;
    let clock = now.map_or_else(Clock::system, Clock::starting_at);
    let mut watcher = subject.watcher(&plan, &record, metrics.as_ref(), clock.now());
    if !metrics.has_past() {
        // A page tells counts since its process began: it takes two of them to see a difference.
        clock.sleep_until(watcher.next_look_at(clock.now())).await;
        watcher.look(clock.now()).await;
        clock.sleep_until(watcher.next_look_at(clock.now())).await;
    }
    let verdict = watcher.look(now.unwrap_or_else(|| clock.now())).await;
    show(&verdict, *output)?;
    Ok(outcome(&verdict))
}
