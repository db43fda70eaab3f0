//! `pause`: share 0, resumable.

use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish};

use super::hand::{self, Hand};
use crate::commands::shared::PlanFlag;

/// Give the candidate no traffic; the next run goes on at the same step
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  shift-traffic pause --reason 'the database is slow'")]
pub(crate) struct Args {
    #[command(flatten)]
    hand: Hand,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { hand } = args;
    hand::run(plan, hand, Wish::Pause).await
}
