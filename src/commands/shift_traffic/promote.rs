//! `promote`: the candidate becomes stable, by hand.

use rollgate_domain::exit::Outcome;

use super::said::{OutputFlag, answered};
use crate::{
    commands::{
        connect::outside,
        shared::{OutFlag, PlanFlag, desk},
        variable,
    },
    github::run::Run,
    operations::promote::promote,
};

/// Make the candidate, which has all the traffic, stable now; moves no traffic
#[derive(clap::Args, Debug)]
#[command(after_help = "\
shift-traffic run does it by itself at the end of production. While the old version stands,
shift-traffic rollback changes them back.

Examples:
  shift-traffic promote
  shift-traffic promote --dry-run --output json")]
pub(crate) struct Args {
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args { dry_run, output, out } = args;
    let outside = outside(&plan).await?;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let answer = promote(outside.router.as_ref(), &mut desk, dry_run).await?;
    Ok(answered(output, &answer, &mut desk).await)
}
