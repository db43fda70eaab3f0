//! What the verbs of a person have in common: flags, the one write, and its answer.

use rollgate_domain::{
    exit::Outcome,
    rollout::by_hand::{Terms, Wish},
};

use super::said::{OutputFlag, answered};
use crate::{
    commands::{
        connect::outside,
        shared::{OutFlag, PlanFlag, desk, pin},
        variable,
    },
    github::run::Run,
    operations::{answer::Answer, by_hand::by_hand},
    plan::Plan,
};

/// The flags of a verb by which a person moves the rollout.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Hand {
    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT", env = "ROLLGATE_REASON")]
    pub(super) reason: Option<String>,
    /// Print the exact change and touch nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) output: OutputFlag,
    #[command(flatten)]
    pub(super) out: OutFlag,
}

impl Hand {
    /// The reason that was given, or `otherwise`.
    pub(super) fn reason_or(&self, otherwise: &str) -> String {
        let given = self.reason.clone().filter(|reason| !reason.trim().is_empty());
        given.unwrap_or_else(|| otherwise.to_owned())
    }
}

/// Does what `wish` says, and answers.
pub(super) async fn run(plan: &PlanFlag, hand: Hand, wish: Wish) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    move_it(&plan, hand, wish, None).await
}

/// The same with a plan that was read already, and perhaps refused already.
pub(super) async fn move_it(
    plan: &Plan,
    hand: Hand,
    wish: Wish,
    refusal: Option<String>,
) -> anyhow::Result<Outcome> {
    let reason = hand.reason_or(match wish {
        Wish::Set(_) => "set by hand",
        Wish::Advance => "advanced by hand",
        Wish::Pause => "paused by hand",
        Wish::Resume => "resumed by hand",
        Wish::Promote | Wish::Go | Wish::Signal(_) => "no reason given",
    });
    let Hand {
        reason: _,
        dry_run,
        output,
        out,
    } = hand;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let answer = match refusal {
        Some(why) => Answer::Refused(why),
        None => {
            let outside = outside(plan).await?;
            let terms = Terms {
                window: plan.windows.rises.as_ref(),
                pin: &pin(plan, None),
            };
            let (router, behind) = (outside.router.as_ref(), outside.behind(&plan.rollback));
            by_hand(router, &mut desk, &wish, &reason, terms, &behind, dry_run).await?
        }
    };
    Ok(answered(output, &answer, &mut desk).await)
}
