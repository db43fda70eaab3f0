//! `replay`: every verdict along the way, as it would have been given then.

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{analysis::Verdict, exit::Outcome};

use super::{outcome, show, subject::Subject};
use crate::{
    commands::{
        print, say,
        shared::{Format, PlanFlag, span},
    },
    providers::{clock::Clock, metrics::Ahead},
};

/// Judge a past stretch of time look after look, as it would have been judged then
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  verify-health replay                                     the rollout on the router, what changed and when
  verify-health replay --output json | jq -r .outcome      every look
  verify-health replay --from 2026-11-23T14:00:00Z --to 2026-11-23T15:00:00Z --step 1m

Each verdict is the one that check --now gives for the same moment, to the byte.")]
pub(crate) struct Args {
    /// The first moment to judge; default: the rollout's beginning
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The last moment to judge; default: now
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// From one verdict to the next; default: every look
    #[arg(long, value_name = "SPAN", value_parser = span)]
    step: Option<SignedDuration>,
    #[command(flatten)]
    subject: Subject,
    /// Text for people, what changed and the end; or JSON for programs, one verdict a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        from,
        to,
        step,
        subject,
        output,
    } = args;
    let (record, metrics) = subject.past(&plan, "replay").await?;
    let now = Clock::system().now();
    let end = to.unwrap_or(now);
    let ahead = Ahead::of(metrics.as_ref(), end);
    let mut watcher = subject.watcher(&plan, &record, &ahead, record.evidence.origin);
    let step = step.unwrap_or(record.evidence.look);
    let mut at = watcher.next_look_at(from.unwrap_or(record.evidence.origin));
    if at > end {
        bail!("no look had ended by {end:.0}: the first is judged at {at:.0}");
    }
    let mut last: Option<Verdict> = None;
    while at <= end {
        subject.begin_step(&mut watcher, &record, at);
        let verdict = watcher.look(at).await;
        // Nobody writes them down here.
        watcher.take_samples(&record, at);
        match output {
            Format::Json => show(&verdict, *output)?,
            Format::Text if is_news(last.as_ref(), &verdict) => print(&line(&verdict)),
            Format::Text => {}
        }
        last = Some(verdict);
        at = at.saturating_add(step)?;
    }
    let Some(last) = last else {
        return Ok(Outcome::Done);
    };
    if *output == Format::Text {
        say(&format!("the last one, at {:.0}: {}", last.at, last.sentence));
    }
    Ok(outcome(&last))
}

fn is_news(before: Option<&Verdict>, verdict: &Verdict) -> bool {
    before.is_none_or(|before| (before.outcome, before.reason) != (verdict.outcome, verdict.reason))
}

fn line(verdict: &Verdict) -> String {
    format!("{:.0}  {}\n", verdict.at, verdict.sentence)
}
