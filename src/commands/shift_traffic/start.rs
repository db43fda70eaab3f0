//! `start`: records a new rollout at share 0.

use clap::ValueEnum;
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        moves,
        phase::Phase,
        record::{Record, State, Version},
    },
};

use super::said::{OutputFlag, answered};
use crate::{
    commands::{
        connect::outside,
        judging::evidence,
        metering::metric_source,
        shared::{OutFlag, PlanFlag, course, desk, pin},
        variable,
    },
    error::Usage,
    github::run::Run,
    operations::start::{self, Wish},
    providers::traffic::Seen,
};

/// Record a new rollout at 0 %, after checking router, backends and metrics
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  shift-traffic start --candidate-version v2 --stable-version v1
  shift-traffic start --phase production                       goes on from the canary that has passed
  shift-traffic start --phase production --without-canary      for a router that gives 0 or 100 % only")]
pub(crate) struct Args {
    /// The phase to begin: production goes on from the canary that has passed
    #[arg(long, value_enum, default_value_t)]
    phase: PhaseName,
    /// Begin a production without the canary that should come before it
    #[arg(long, env = "ROLLGATE_WITHOUT_CANARY")]
    without_canary: bool,
    /// The backend to try; default: the one that is not stable
    #[arg(long, value_name = "BACKEND", env = "ROLLGATE_CANDIDATE")]
    candidate: Option<String>,
    /// The backend that has the traffic; default: stable of the rollout before, else the first of the plan's backends
    #[arg(long, value_name = "BACKEND", env = "ROLLGATE_STABLE")]
    stable: Option<String>,
    /// The candidate's value of the metrics' version label; default: its backend's name
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_CANDIDATE_VERSION")]
    candidate_version: Option<String>,
    /// Stable's value of the metrics' version label; default: its backend's name
    #[arg(long, value_name = "VERSION", env = "ROLLGATE_STABLE_VERSION")]
    stable_version: Option<String>,
    /// The commit that the plan is from, for the drivers that come later
    #[arg(long, value_name = "SHA", env = "ROLLGATE_PLAN_COMMIT")]
    plan_commit: Option<String>,
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    out: OutFlag,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PhaseName {
    #[default]
    Canary,
    Production,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        phase,
        without_canary,
        candidate,
        stable,
        candidate_version,
        stable_version,
        plan_commit,
        dry_run,
        output,
        out,
    } = args;
    if without_canary && phase == PhaseName::Canary {
        return Err(Usage("--without-canary belongs to --phase production".to_owned()).into());
    }
    let phase = match phase {
        PhaseName::Canary => Phase::Canary,
        PhaseName::Production => Phase::Production,
    };
    // An input that a workflow leaves empty is one that was not given.
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());

    let backends = plan.traffic.backends();
    let stable = known("stable", given(stable), backends)?;
    let candidate = known("candidate", given(candidate), backends)?;
    if let (Some(stable), Some(candidate)) = (&stable, &candidate)
        && stable == candidate
    {
        return Err(Usage(format!(
            "--stable {stable} and --candidate {candidate}: these are two different backends"
        ))
        .into());
    }
    let outside = outside(&plan).await?;
    let router = outside.router.as_ref();
    let seen = router.read().await?;
    let (stable, candidate) = start::roles(&seen, backends, stable, candidate);
    let before = passed(&seen).filter(|_| phase == Phase::Production && !without_canary);
    let stable = version(stable, given(stable_version), before.map(|record| &record.stable));
    let candidate = version(
        candidate,
        given(candidate_version),
        before.map(|record| &record.candidate),
    );
    let metrics = metric_source(&plan, &stable, &candidate)?;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let wish = Wish {
        start: moves::Start {
            service: plan.service.clone(),
            stable,
            candidate,
            course: course(&plan, phase)?,
            evidence: evidence(&plan),
            pin: pin(&plan, given(plan_commit)),
        },
        cluster_size: plan.judgement.cluster_size,
        without_canary,
    };
    let behind = outside.behind(&plan.rollback);
    let answer = start::start(router, &behind, metrics.as_ref(), &mut desk, wish, dry_run).await?;
    Ok(answered(output, &answer, &mut desk).await)
}

fn passed(seen: &Seen) -> Option<&Record> {
    let record = seen.record.as_ref().ok()?.as_ref()?;
    (record.state == State::Passed).then_some(record)
}

/// A version as it was given, else as the canary before it was told, else named as its backend.
fn version(backend: String, given: Option<String>, before: Option<&Version>) -> Version {
    let before = before.filter(|before| before.backend == backend);
    Version {
        version: given
            .or_else(|| before.map(|before| before.version.clone()))
            .unwrap_or_else(|| backend.clone()),
        backend,
        images: Vec::new(),
    }
}

fn known(role: &str, given: Option<String>, backends: &[String; 2]) -> Result<Option<String>, Usage> {
    match given {
        Some(name) if !backends.contains(&name) => Err(Usage(format!(
            "--{role} {name}: the plan has no such backend; it has {} and {}",
            backends[0], backends[1]
        ))),
        given => Ok(given),
    }
}
