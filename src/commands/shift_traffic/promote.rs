//! `promote`: the candidate becomes stable, by hand.

use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish};

use super::{
    hand::{self, Hand},
    said::OutputFlag,
};
use crate::commands::shared::{OutFlag, PlanFlag};

/// Make the candidate, which has all the traffic, stable now; moves no traffic
#[derive(clap::Args, Debug)]
#[command(after_help = "\
shift-traffic run does it by itself at the end of production. Refused where the driver would not do it either: a gate or
a signal waits for a go, the plan is another one, or a part of the router is down. While the old version stands,
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
    let Args { dry_run, output, out } = args;
    let hand = Hand {
        reason: None,
        dry_run,
        output,
        out,
    };
    hand::run(plan, hand, Wish::Promote).await
}
