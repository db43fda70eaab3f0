//! What the verbs of a person have in common: flags, the one write, and its answer.

use std::time::Duration;

use rollgate_domain::{
    exit::Outcome,
    rollout::{by_hand::Wish, record::Record},
};
use serde_json::json;

use crate::{
    commands::{
        connect::{Outside, outside},
        print, say,
        shared::{Format, OutFlag, PlanFlag, desk, step_outputs},
        variable,
    },
    github::run::Run,
    operations::by_hand::{ByHand, by_hand},
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
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Format,
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
    move_it(&plan, hand, wish).await
}

/// The same with a plan that was read already.
pub(super) async fn move_it(plan: &Plan, hand: Hand, wish: Wish) -> anyhow::Result<Outcome> {
    let reason = hand.reason_or(match wish {
        Wish::Set(_) => "set by hand",
        Wish::Advance => "advanced by hand",
        Wish::Pause => "paused by hand",
        Wish::Resume => "resumed by hand",
        Wish::Go | Wish::Signal(_) => "no reason given",
    });
    let Hand {
        reason: _,
        dry_run,
        output,
        out,
    } = hand;
    let Outside { router, stacks: _ } = outside(plan).await?;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let window = plan.windows.rises.as_ref();
    match by_hand(router.as_ref(), &mut desk, &wish, &reason, window, dry_run).await? {
        ByHand::Done(record) => {
            desk.close(&record, Duration::from_secs(10)).await;
            step_outputs(Outcome::Done, false, Some(&record));
            answer(output, Outcome::Done, Some(&record), None);
            Ok(Outcome::Done)
        }
        ByHand::WouldWrite(change) => {
            would(output, &change);
            Ok(Outcome::Done)
        }
        ByHand::Refused(why) => Ok(refused(output, &why)),
    }
}

/// Says why nothing was done.
pub(super) fn refused(output: Format, why: &str) -> Outcome {
    say(&format!("refused: {why}"));
    step_outputs(Outcome::Refused, false, None);
    answer(output, Outcome::Refused, None, Some(why));
    Outcome::Refused
}

/// Prints what a dry run would do.
pub(super) fn would(output: Format, change: &str) {
    match output {
        Format::Text => print(change),
        Format::Json => print(&format!("{}\n", json!({ "would": change }))),
    }
}

/// One JSON object for programs; people have read it in the log already. Its keys are API.
pub(super) fn answer(output: Format, outcome: Outcome, record: Option<&Record>, refused: Option<&str>) {
    if output == Format::Text {
        return;
    }
    let object = json!({
        "outcome": outcome.word(),
        "refused": refused,
        "rollout_id": record.map(|record| &record.rollout),
        "phase": record.map(|record| record.phase.word()),
        "weight": record.map(|record| record.weight.percent()),
        "generation": record.map(|record| record.generation),
        "state": record.map(Record::state_in_words),
    });
    print(&format!("{object}\n"));
}
