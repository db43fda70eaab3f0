//! `advance`: a person moves to the next step while a driver watches.

use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish};

use super::hand::{self, Hand};
use crate::commands::shared::PlanFlag;

/// Give the candidate the next step's share now, while a driver watches
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Refused where nobody watches, and where the driver would not raise the share: a gate or a signal waits for a go, the
window is closed, the plan is another one, the candidate has too few pods, or a part of the router is down.

Example:
  shift-traffic advance --reason 'the numbers are clear'")]
pub(crate) struct Args {
    #[command(flatten)]
    hand: Hand,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { hand } = args;
    hand::run(plan, hand, Wish::Advance).await
}
