//! `preflight`: can this plan be judged by, before anything begins?

use std::fmt::Write as _;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Outlook, Plausibility, Settings, Sign, Unit, outlook, plausible},
    exit::Outcome,
    rollout::ladder::Step,
};
use serde::Serialize;

use super::subject::Subject;
use crate::{
    commands::{
        judging::{evidence, judge_settings},
        print, say,
        shared::{Format, PlanFlag, span},
    },
    operations::{history, start::measured},
    plan::Plan,
    providers::clock::Clock,
};

/// Check what the plan measures and its limits against what stable does, and how long each step must last
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  verify-health preflight                          what runs now, by the router's record
  verify-health preflight --stable-version v41     before the first rollout
  verify-health preflight --output json | jq '.findings[] | select(.sign == \"bad\")'

Exit code 3 if anything cannot be judged by: a query without data, a limit that stable breaks already, milliseconds
where seconds are expected.")]
pub(crate) struct Args {
    /// How much of stable's past is looked at
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1h")]
    over: SignedDuration,
    /// Up to this time; default: now
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// Stable's value of the metrics' version label; default: as the router's record says, or the first backend's name
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_STABLE_VERSION")]
    stable_version: Option<String>,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// One step of the plan, at stable's traffic.
#[derive(Serialize)]
struct Expected {
    phase: &'static str,
    weight: String,
    lasts: SignedDuration,
    #[serde(flatten)]
    outlook: Outlook,
}

/// Everything there is to say.
#[derive(Serialize)]
struct Preflight {
    from: Timestamp,
    to: Timestamp,
    stable: String,
    findings: Vec<Plausibility>,
    steps: Vec<Expected>,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        over,
        now,
        stable_version,
        output,
    } = args;
    let to = now.unwrap_or_else(|| Clock::system().now());
    let from = to.saturating_sub(*over)?;
    let mut record = Subject::of_stable(&plan, stable_version.as_deref(), from).await?;
    let metrics = Subject::metrics(&plan, &record)?;
    metrics
        .probe(to)
        .await
        .context("ask the metric source about stable")?;
    if !metrics.has_past() {
        say(
            "the metric source answers for stable; it has no past, so no more can be told before the rollout",
        );
        return Ok(Outcome::Done);
    }
    record.evidence = measured(metrics.as_ref(), evidence(&plan), plan.judgement.cluster_size, to).await?;
    let settings = judge_settings(&plan, &record, true);
    let looks = history::looks(metrics.as_ref(), settings.look, from, to).await?;
    let findings = plausible(&settings, &looks);
    let bad = findings.iter().any(|finding| finding.sign == Sign::Bad);
    let steps = steps(&plan)
        .into_iter()
        .filter(|(_, step)| step.weight < rollgate_domain::weight::Weight::FULL)
        .map(|(phase, step)| expected(phase, step, &settings, &looks))
        .collect();
    let preflight = Preflight {
        from,
        to,
        stable: record.stable.version,
        findings,
        steps,
    };
    print(&match output {
        Format::Text => preflight.text(),
        Format::Json => format!("{}\n", serde_json::to_string(&preflight)?),
    });
    Ok(if bad { Outcome::Refused } else { Outcome::Done })
}

/// The steps of both phases.
fn steps(plan: &Plan) -> Vec<(&'static str, Step)> {
    let of = |phase, steps: &[crate::plan::Step]| {
        let step = |step: &crate::plan::Step| {
            let crate::plan::Step { weight, duration } = step;
            let (weight, duration) = (*weight, *duration);
            (phase, Step { weight, duration })
        };
        steps.iter().map(step).collect::<Vec<_>>()
    };
    let crate::plan::Phases { canary, production } = &plan.phases;
    let mut all = of("canary", &canary.steps);
    all.extend(of("production", &production.steps));
    all
}

fn expected(
    phase: &'static str,
    step: Step,
    settings: &Settings,
    looks: &[rollgate_domain::analysis::Look],
) -> Expected {
    let share = f64::from(step.weight.percent()) / 100.0;
    Expected {
        phase,
        weight: step.weight.to_string(),
        lasts: step.duration,
        outlook: outlook(settings, looks, share),
    }
}

impl Preflight {
    fn text(&self) -> String {
        let mut text = format!("stable {}, {:.0} to {:.0}\n\n", self.stable, self.from, self.to);
        let width = self.findings.iter().map(|finding| finding.name.chars().count());
        let width = width.max().unwrap_or(0);
        for Plausibility { name, sign, words } in &self.findings {
            let mark = match sign {
                Sign::Good => "ok ",
                Sign::Odd => "odd",
                Sign::Bad => "BAD",
            };
            let _ = writeln!(text, "{mark}  {name:<width$}  {words}");
        }
        text.push('\n');
        for step in &self.steps {
            let Outlook { proof, fault } = &step.outlook;
            let proof = match proof {
                Some(time) if *time > step.lasts => format!("proved in {}: TOO SHORT", about(*time)),
                Some(time) => format!("proved in {}", about(*time)),
                None => "never proved within a week: TOO SHORT".to_owned(),
            };
            let fault = match fault {
                Some(fault) => format!(
                    "{} errors found in {}",
                    Unit::Share.show(fault.error_rate),
                    about(SignedDuration::from_secs(fault.seconds))
                ),
                None => "a fault is not found within a week".to_owned(),
            };
            let Expected {
                phase,
                weight,
                lasts,
                outlook: _,
            } = step;
            let _ = writeln!(text, "{phase} {weight} for {lasts:#}: {proof}; {fault}");
        }
        text
    }
}

/// Whole seconds, with units.
fn about(time: SignedDuration) -> String {
    format!("about {:#}", SignedDuration::from_secs(time.as_secs().max(1)))
}
