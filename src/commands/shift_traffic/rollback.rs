//! `rollback`: back to stable, at once. Needs the router and nothing else.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use rollgate_domain::exit::Outcome;

use super::hand::{Hand, answer, would};
use crate::{
    commands::{
        connect::{Outside, outside_of},
        say,
        shared::{Format, OutFlag, PlanFlag, blank, desk, span, step_outputs},
        variable,
    },
    error::Usage,
    github::run::Run,
    operations::rollback::{Base, roll_back, rolled_back},
    plan::{self, Plan, Rescue, Traffic},
    providers::traffic::Users,
};

/// How long a rollback is tried by default.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// Take all traffic back to stable, whatever the record says
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Raises the generation, so that every driver of the rollout stops. May be repeated.

Example:
  shift-traffic rollback --reason 'orders fail since 14:02'")]
pub(crate) struct Args {
    /// Why, for those who read it later
    #[arg(
        long,
        value_name = "TEXT",
        env = "ROLLGATE_REASON",
        default_value = "rolled back by hand"
    )]
    reason: String,
    /// How long to go on trying while the router does not obey; then exit code 5
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = span)]
    patience: SignedDuration,
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    out: OutFlag,
}

/// The rollback that another verb's decision is.
pub(super) async fn at_once(plan: &PlanFlag, hand: Hand, reason: String) -> anyhow::Result<Outcome> {
    let Hand {
        reason: _,
        dry_run,
        output,
        out,
    } = hand;
    let args = Args {
        reason,
        patience: PATIENCE,
        dry_run,
        output,
        out,
    };
    run(plan, args).await
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let Args {
        reason,
        patience,
        dry_run,
        output,
        out,
    } = args;
    // A mistake in the plan's other sections must not keep the traffic where it is.
    let Rescue {
        service,
        traffic,
        warning,
    } = Traffic::read(&plan.plan).map_err(|error| Usage(error.to_string()))?;
    if let Some(warning) = warning {
        say(&format!("warning: {warning}"));
    }
    let routes = Plan::read(&plan.plan).map_or_else(|_| everybody(), |plan| plan.notify);
    let Outside { router, stacks: _ } = outside_of(&traffic, &BTreeMap::new(), Users::default()).await?;
    let router = router.as_ref();
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &routes, github.as_ref());
    let blank = blank(&service, &traffic)?;

    let base = Base {
        known: None,
        blank,
        fence: None,
    };
    if dry_run {
        let seen = router.read().await?;
        let record = rolled_back(&seen, &base, &desk, &reason);
        would(output, &router.describe(&seen, &record));
        return Ok(Outcome::Done);
    }
    let done = roll_back(router, &mut desk, base, &reason, patience).await;
    let record = &done.record;
    say(&match done.outcome {
        Outcome::Stuck => format!(
            "STUCK: the traffic is not known to be back at {}; a person must look at the router now",
            record.stable.backend
        ),
        _ => format!(
            "{}: candidate at {}, {}",
            record.rollout,
            record.weight,
            record.state_in_words()
        ),
    });
    step_outputs(done.outcome, false, Some(record));
    answer(output, done.outcome, Some(record), None);
    desk.close(record, std::time::Duration::from_secs(10)).await;
    Ok(done.outcome)
}

/// Who is told when the plan cannot say it: whoever can be reached from here.
fn everybody() -> plan::Notify {
    let mut routes = plan::Notify::default();
    if variable("SLACK_WEBHOOK_URL").is_some() {
        routes.critical = vec![plan::Channel::Slack, plan::Channel::Summary];
    }
    routes
}
