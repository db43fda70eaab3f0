//! `signal`: something was seen outside, by a person or another system; the decision matrix says what follows.

use std::time::Duration;

use rollgate_domain::{
    exit::Outcome,
    rollout::{
        by_hand::{Terms, Wish},
        phase::Severity,
    },
};
use tokio::time::timeout;

use super::{
    hand::{self, Hand},
    rollback,
};
use crate::{
    commands::{
        connect::outside,
        say,
        shared::{PlanFlag, SignalWord, desk, pin},
        variable,
    },
    error::{Usage, chain},
    github::run::Run,
    operations::{answer::Answer, by_hand::by_hand},
};

/// The rollback does not wait longer than this until the signal is recorded.
const RECORDING: Duration = Duration::from_secs(2);

/// Report what was seen outside: complaints, a vulnerability, damaged data; what must follow follows at once
#[derive(clap::Args, Debug)]
#[command(after_help = "\
critical      users are hurt now, or a vulnerability: all traffic back at once
degradation   worse for a while already: traffic back step by step, as `rollback --gradual`
corruption    data is damaged: all traffic back at once; a person decides about restoring
watch         nothing rises until `shift-traffic approve go`

Examples:
  shift-traffic signal critical --reason 'orders are charged twice'
  shift-traffic signal watch --reason 'two odd mails to support'")]
pub(crate) struct Args {
    /// How bad it is
    #[arg(value_enum, env = "ROLLGATE_SEVERITY")]
    severity: SignalWord,
    #[command(flatten)]
    hand: Hand,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args { severity, hand } = args;
    let severity = Severity::from(severity);
    let text = hand.reason_or("");
    if text.is_empty() {
        return Err(Usage(
            "signal needs --reason TEXT: what was seen, for those who must act on it".to_owned(),
        )
        .into());
    }
    if severity == Severity::Watch {
        return hand::run(plan, hand, Wish::Signal(severity)).await;
    }
    let recorded = record(plan, &hand, severity, &text).await;
    let reason = format!("signal ({}): {text}", severity.word());
    let outcome = rollback::decided(plan, hand, reason, severity == Severity::Degradation, &recorded).await;
    if severity == Severity::Corruption {
        say(
            "data is damaged, the signal says: traffic is only the first part of it. A person has to decide now whether \
             writers must be stopped and data restored (level 3)",
        );
    }
    outcome
}

/// Records the signal beside the state; in a dry run it is the write, which the rollback's goes on from. What goes
/// wrong is said and stops nothing: the rollback's reason has it too, and it needs nothing but the router.
async fn record(plan: &PlanFlag, hand: &Hand, severity: Severity, text: &str) -> String {
    let recording = async {
        let plan = plan.read()?;
        let outside = outside(&plan).await?;
        let terms = Terms {
            window: None,
            pin: &pin(&plan, None),
        };
        let (router, behind) = (outside.router.as_ref(), outside.behind(&plan.rollback));
        let github = Run::from_variables(variable);
        let mut desk = desk(hand.out.out.clone(), &plan.notify, github.as_ref());
        let wish = Wish::Signal(severity);
        let done = by_hand(router, &mut desk, &wish, text, terms, &behind, hand.dry_run).await?;
        if let Answer::Recorded(record) = &done {
            desk.close(record, Duration::ZERO).await;
        }
        anyhow::Ok(done)
    };
    let trouble = match timeout(RECORDING, recording).await {
        Ok(Ok(Answer::Recorded(_))) => return String::new(),
        Ok(Ok(Answer::WouldWrite(change))) => return change,
        Ok(Ok(Answer::Refused(why))) => why,
        Ok(Err(error)) => chain(&error),
        Err(_) => "the router did not answer in time".to_owned(),
    };
    say(&format!("the signal is not recorded: {trouble}"));
    String::new()
}
