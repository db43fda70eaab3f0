//! `approve`: a person decides, at a gate or after a signal.

use clap::ValueEnum;
use rollgate_domain::{exit::Outcome, rollout::by_hand::Wish};

use super::{
    hand::{self, Hand},
    rollback,
};
use crate::{
    commands::{shared::PlanFlag, variable},
    github::run::Run,
    operations::approvers,
};

/// Decide: go past every gate that is due and every signal that waits, or no-go, which rolls back
#[derive(clap::Args, Debug)]
#[command(after_help = "\
`go` is for those whom the plan's `approvers` name, as GitHub knows them, and the plan must be the one that the rollout
began with; `no-go` is for everybody and acts at once.

Examples:
  shift-traffic approve go --reason 'the numbers are good'
  shift-traffic approve no-go --reason 'support has complaints'")]
pub(crate) struct Args {
    /// What was decided
    #[arg(value_enum, env = "ROLLGATE_DECISION")]
    decision: Decision,
    #[command(flatten)]
    hand: Hand,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Decision {
    /// The share may rise again
    Go,
    /// Take all traffic back
    NoGo,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { decision, hand } = args;
    match decision {
        Decision::NoGo => {
            let reason = format!("no-go: {}", hand.reason_or("no reason given"));
            rollback::decided(plan, hand, reason, false, "").await
        }
        Decision::Go => {
            let plan = plan.read()?;
            let github = Run::from_variables(variable);
            let refusal = approvers::refusal(&plan.approvers, github.as_ref()).await;
            hand::move_it(&plan, hand, Wish::Go, refusal).await
        }
    }
}
