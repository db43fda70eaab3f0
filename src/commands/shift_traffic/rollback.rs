//! `rollback`: back to stable, at once or by way of a small share. Needs the router and nothing else.

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    rollout::record::{Record, State},
};

use super::{
    hand::Hand,
    run::interrupts,
    said::{OutputFlag, in_words, said, would},
};
use crate::{
    commands::{
        connect::{outside_of, sampler, users},
        judging::judge_settings,
        metering::metric_source,
        say,
        shared::{OutFlag, PlanFlag, blank, desk, span},
        variable,
    },
    error::{Usage, chain},
    github::run::Run,
    operations::{
        look::Watcher,
        rollback::{
            Base, Way,
            afterwards::Afterwards,
            describe::{Stop, describe},
            gradual::{Look, roll_back_gradually},
            roll_back, rolled_back,
        },
    },
    plan::{self, Plan, Rescue, Traffic},
    providers::{metrics::Metrics, traffic::Users},
};

/// Take all traffic back to stable, whatever the record says
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Raises the generation, so that every driver of the rollout stops. Stable gets the capacity for it
first, where it has too little. May be repeated.

Examples:
  shift-traffic rollback --reason 'orders fail since 14:02'
  shift-traffic rollback --gradual          to 5 %, a look, then to 0
  shift-traffic rollback --scale-down       and no pods for the candidate, when its requests are answered")]
pub(crate) struct Args {
    /// Why, for those who read it later
    #[arg(
        long,
        value_name = "TEXT",
        env = "ROLLGATE_REASON",
        default_value = "rolled back by hand"
    )]
    reason: String,
    /// To 5 % first (or less, if it has less), watched for the plan's rollback.watch, then to 0; harm, or metrics
    /// that fail, take it to 0 at once
    #[arg(long)]
    gradual: bool,
    /// When the traffic is back, scale the candidate down to 0 rather than to what it was
    #[arg(long)]
    scale_down: bool,
    /// How long to go on trying while the router does not obey; then exit code 5
    #[arg(long, value_name = "SPAN", default_value = PATIENCE, value_parser = span)]
    patience: SignedDuration,
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    out: OutFlag,
}

/// How long a rollback is tried by default.
const PATIENCE: &str = "2m";

/// The rollback that another verb's decision is. `before`: what that verb would have written first, in a dry run.
pub(super) async fn decided(
    plan: &PlanFlag,
    hand: Hand,
    reason: String,
    gradual: bool,
    before: &str,
) -> anyhow::Result<Outcome> {
    let Hand {
        reason: _,
        dry_run,
        output,
        out,
    } = hand;
    let args = Args {
        reason,
        gradual,
        scale_down: false,
        patience: span(PATIENCE).map_err(Usage)?,
        dry_run,
        output,
        out,
    };
    roll(plan, args, before).await
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    roll(plan, args, "").await
}

async fn roll(plan: &PlanFlag, args: Args, before: &str) -> anyhow::Result<Outcome> {
    let Args {
        reason,
        gradual,
        scale_down,
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
    let whole = Plan::read(&plan.plan).ok();
    let (routes, backends, users, terms) = match &whole {
        Some(plan) => (
            plan.notify.clone(),
            plan.backends.clone(),
            users(plan),
            plan.rollback.clone(),
        ),
        None => (
            everybody(),
            Default::default(),
            Users::default(),
            plan::Rollback::default(),
        ),
    };
    let outside = outside_of(&traffic, &backends, users).await?;
    let router = outside.router.as_ref();
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &routes, github.as_ref());
    let base = Base {
        known: None,
        blank: blank(&service, &traffic)?,
        fence: None,
    };
    let way = Way {
        behind: outside.behind(&terms),
        patience,
        capacity_within: terms.capacity_within,
    };
    // What is only there to look needs nothing to be in order.
    let sampler = whole.as_ref().and_then(|plan| or_said(sampler(plan))).flatten();
    let afterwards = Afterwards {
        behind: way.behind,
        sampler: sampler.as_ref(),
        drain: terms.drain,
        scale_down,
    };
    let metrics = match &whole {
        Some(plan) if gradual => router.read().await.ok().and_then(|seen| {
            let target = rolled_back(&seen, &base, &desk, &reason);
            or_said(metric_source(plan, &target.stable, &target.candidate))
        }),
        _ => None,
    };
    if dry_run {
        let stop = match (gradual, &metrics) {
            (false, _) => Stop::None,
            (true, Some(_)) => Stop::Watched(terms.watch),
            (true, None) => Stop::Blind,
        };
        let (change, after) = describe(router, &desk, &base, &reason, &way, stop).await?;
        let behind = or_said(afterwards.describe(&after).await).unwrap_or_default();
        return Ok(would(output, &format!("{before}{change}{behind}")));
    }
    let done = if gradual {
        let interrupt = interrupts()?;
        let watcher = |record: &Record, now: Timestamp| {
            let (plan, metrics) = (whole.as_ref()?, metrics.as_deref()?);
            let settings = judge_settings(plan, record, Metrics::has_past(metrics));
            Some(Watcher::new(metrics, settings, record, now))
        };
        let look = Look {
            watcher: &watcher,
            time: terms.watch,
            interrupt,
        };
        roll_back_gradually(router, &mut desk, base, &reason, &way, look).await
    } else {
        roll_back(router, &mut desk, base, &reason, &way).await
    };
    afterwards.put_in_order(router, &mut desk, &done).await;
    let record = &done.record;
    let text = match (done.outcome, &record.state) {
        (Outcome::Stuck, _) => format!(
            "STUCK: the traffic is not known to be back at {}; a person must look at the router now",
            record.stable.backend
        ),
        (_, State::Finished) => format!(
            "nothing to take back: {} is stable since finish",
            record.stable.backend
        ),
        _ => in_words(record),
    };
    Ok(said(output, done.outcome, Some(record), &text, &mut desk).await)
}

/// What a rollback can do without, or a warning.
fn or_said<T>(made: anyhow::Result<T>) -> Option<T> {
    match made {
        Ok(made) => Some(made),
        Err(error) => {
            say(&format!("warning: {}", chain(&error)));
            None
        }
    }
}

/// Who is told when the plan cannot say it: whoever can be reached from here.
fn everybody() -> plan::Notify {
    let mut routes = plan::Notify::default();
    if variable("SLACK_WEBHOOK_URL").is_some() {
        routes.critical = vec![plan::Channel::Slack, plan::Channel::Summary];
    }
    routes
}
