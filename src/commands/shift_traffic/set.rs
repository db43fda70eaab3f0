//! `set`: a person sets the share, within the rollout.

use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish, weight::Weight};

use super::hand::{self, Hand};
use crate::commands::shared::PlanFlag;

/// Set the candidate's share to one of the plan's steps while a driver watches, or to 0
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  shift-traffic set 1% --reason 'the cache is cold'     back to the first step
  shift-traffic set 0 --reason 'over lunch'             pause; the next run resumes at the same step")]
pub(crate) struct Args {
    /// The share: the weight of a step, or 0
    #[arg(value_name = "WEIGHT")]
    weight: Weight,
    #[command(flatten)]
    hand: Hand,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { weight, hand } = args;
    hand::run(plan, hand, Wish::Set(weight)).await
}
