//! `status`: what a person looks at during an incident.

mod object;
mod screen;

use std::{io::IsTerminal as _, time::Duration};

use rollgate_domain::{exit::Outcome, rollout::record::Record};
use serde_json::Value;

use crate::{
    commands::{
        CLEAR,
        connect::{Outside, outside, sampler},
        judging::judge_settings,
        metering::metric_source,
        print, say,
        shared::{Format, OutFlag, PlanFlag},
    },
    error::chain,
    operations::{
        capacity::Behind,
        standing::{Sources, Standing, standing},
    },
    plan::Plan,
    providers::{clock::Clock, metrics::Metrics, sampling::Sampler, traffic::Router},
};

/// Between two looks of `--watch`.
const AGAIN: Duration = Duration::from_secs(2);

/// Show shares, state, driver, verdict and what hinders a rise; nothing is changed
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  shift-traffic status
  shift-traffic status --watch                 again and again, until the rollout is over
  shift-traffic status --output json | jq .share")]
pub(crate) struct Args {
    /// Again every 2 s until the rollout is over; a line each where stdout is no terminal
    #[arg(long)]
    watch: bool,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// The folder of a driver, for its last verdict where the metric source has no past
    #[command(flatten)]
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args { watch, output, out } = args;
    let outside = outside(&plan).await?;
    let eyes = Eyes::new(&plan, &outside, out)?;
    let clock = Clock::system();
    loop {
        let standing = match eyes.look(outside.router.as_ref(), &clock).await {
            Ok(standing) => standing,
            Err(error) if *watch => {
                say(&format!("router: {}", chain(&error)));
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        print(&match output {
            Format::Text if *watch && std::io::stdout().is_terminal() => {
                format!("{CLEAR}{}", screen::screen(&standing))
            }
            Format::Text if *watch => screen::line(&standing),
            Format::Text => screen::screen(&standing),
            Format::Json if *watch => format!("{}\n", object::object(&standing)),
            Format::Json => format!("{:#}\n", object::object(&standing)),
        });
        if !*watch || is_over(&standing) {
            return Ok(outcome(&standing));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The record and what the status says for programs, once.
///
/// # Errors
///
/// The router does not answer.
pub(in crate::commands) async fn now(
    plan: &Plan,
    outside: &Outside,
    out: &OutFlag,
) -> anyhow::Result<(Option<Record>, Value)> {
    let eyes = Eyes::new(plan, outside, out)?;
    let standing = eyes.look(outside.router.as_ref(), &Clock::system()).await?;
    let object = object::object(&standing);
    Ok((standing.seen.record.ok().flatten(), object))
}

/// What is asked besides the router.
struct Eyes<'a> {
    plan: &'a Plan,
    sampler: Option<Sampler>,
    behind: Behind<'a>,
    out: &'a OutFlag,
}

impl<'a> Eyes<'a> {
    fn new(plan: &'a Plan, outside: &'a Outside, out: &'a OutFlag) -> anyhow::Result<Self> {
        Ok(Self {
            sampler: sampler(plan)?,
            behind: outside.behind(&plan.rollback),
            out,
            plan,
        })
    }

    async fn look(&self, router: &dyn Router, clock: &Clock) -> anyhow::Result<Standing> {
        // Which versions are measured is in the record, and may be another one at the next look.
        let record = router.read().await?.record.ok().flatten();
        let metrics = self.metrics(record.as_ref());
        let metrics = match (&metrics, &record) {
            (Ok(metrics), Some(record)) => {
                let settings = judge_settings(self.plan, record, metrics.has_past());
                Ok((metrics.as_ref(), settings))
            }
            (Err(why), _) => Err(why.clone()),
            (Ok(_), None) => Err(String::new()),
        };
        let sources = Sources {
            behind: self.behind,
            metrics,
            sampler: self.sampler.as_ref(),
            journal: &self.out.out,
            window: self.plan.windows.rises.as_ref(),
        };
        standing(router, clock.now(), &sources).await
    }

    fn metrics(&self, record: Option<&Record>) -> Result<Box<dyn Metrics>, String> {
        let record = record.ok_or("there is no record to measure by")?;
        metric_source(self.plan, &record.stable, &record.candidate).map_err(|error| chain(&error))
    }
}

fn is_over(standing: &Standing) -> bool {
    match &standing.seen.record {
        Ok(Some(record)) => !record.is_active(),
        Ok(None) => true,
        Err(_) => false,
    }
}

fn outcome(standing: &Standing) -> Outcome {
    let seen = &standing.seen;
    let in_order = seen.drift.is_none() && seen.unreachable.is_empty() && seen.record.is_ok();
    if in_order { Outcome::Done } else { Outcome::Hold }
}
