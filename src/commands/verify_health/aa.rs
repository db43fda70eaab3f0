//! `aa`: would the rules of this plan have cried wolf?

use std::collections::BTreeSet;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Side, Verdict},
    exit::Outcome,
    rollout::record::Record,
};
use serde_json::json;

use super::subject::{Subject, with_past};
use crate::{
    commands::{
        judging::{evidence, judge_settings},
        print, say,
        shared::{Format, PlanFlag, span},
    },
    operations::look::Watcher,
    operations::start::measured,
    plan::Plan,
    providers::{
        clock::Clock,
        metrics::{Ahead, Metrics, Pretended},
    },
};

/// Judge stable against itself: each of its instances plays the candidate, and nothing may be rolled back
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  verify-health aa                               the last 24 h, each instance of stable in turn
  verify-health aa --stable-version v41 --over 7h --instance 10.0.0.7:9394

Exit code 3 if any instance would have been rolled back: then a limit is too tight, or that instance is ill.")]
pub(crate) struct Args {
    /// How much of the past
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "24h")]
    over: SignedDuration,
    /// Up to this time; default: now
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Only this instance, as the source names it
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Stable's value of the metrics' version label; default: as the router's record says, or the first backend's name
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_STABLE_VERSION")]
    stable_version: Option<String>,
    /// Text for people or JSON for programs: one instance a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        over,
        now,
        instance,
        stable_version,
        output,
    } = args;
    let end = now.unwrap_or_else(|| Clock::system().now());
    let begin = end.saturating_sub(*over)?;
    let mut record = Subject::of_stable(&plan, stable_version.as_deref(), begin).await?;
    let metrics = Subject::metrics(&plan, &record)?;
    with_past(metrics.as_ref(), "judge")?;
    record.evidence = measured(
        metrics.as_ref(),
        evidence(&plan),
        plan.judgement.cluster_size,
        begin,
    )
    .await?;
    let instances = instances(metrics.as_ref(), end, instance.as_deref()).await?;
    let mut alarms = 0;
    for name in &instances {
        let verdict = judged(&plan, &record, metrics.as_ref(), name, end).await;
        alarms += usize::from(verdict.found.is_some());
        match output {
            Format::Json => print(&format!("{}\n", json!({ "instance": name, "verdict": verdict }))),
            Format::Text => print(&format!("{name}  {}\n", verdict.sentence)),
        }
    }
    let word = if instances.len() == 1 {
        "instance"
    } else {
        "instances"
    };
    say(&format!(
        "{alarms} of {} {word} would have been rolled back over {over:#}",
        instances.len()
    ));
    Ok(if alarms == 0 {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

async fn judged(plan: &Plan, record: &Record, metrics: &dyn Metrics, name: &str, end: Timestamp) -> Verdict {
    let pretended = Pretended::new(metrics, name);
    let ahead = Ahead::of(&pretended, end);
    let settings = judge_settings(plan, record, true);
    Watcher::new(&ahead, settings, record, end).look(end).await
}

/// Stable's instances that had samples in the last minutes; there must be two at least.
async fn instances(
    metrics: &dyn Metrics,
    end: Timestamp,
    wanted: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    const RECENT: SignedDuration = SignedDuration::from_mins(5);
    let samples = metrics.samples(end.saturating_sub(RECENT)?, end).await?;
    let stable = samples
        .requests
        .iter()
        .filter(|series| series.side == Side::Stable);
    let names: BTreeSet<String> = stable.map(|series| series.instance.clone()).collect();
    if names.len() < 2 {
        bail!(
            "stable has {} in the metric source, and it takes two: one that plays the candidate, and one beside it",
            match names.first() {
                None => "no instance".to_owned(),
                Some(name) => format!("one instance ({name:?})"),
            }
        );
    }
    match wanted {
        None => Ok(names.into_iter().collect()),
        Some(name) if names.contains(name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!(
            "stable has no instance {name:?}; there are {}",
            Vec::from_iter(names).join(", ")
        ),
    }
}
