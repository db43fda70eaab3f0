//! `resume`: lets a paused rollout go on.

use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish};

use super::hand::{self, Hand};
use crate::commands::shared::PlanFlag;

/// Let a paused rollout go on at the same step, with the next run
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  shift-traffic resume && shift-traffic run")]
pub(crate) struct Args {
    #[command(flatten)]
    hand: Hand,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { hand } = args;
    hand::run(plan, hand, Wish::Resume).await
}
