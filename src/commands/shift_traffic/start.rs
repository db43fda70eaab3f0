//! `start`: records a new rollout at share 0.

use rollgate_domain::{
    exit::Outcome,
    rollout::{moves, phase::Phase, record::Version},
};

use crate::{
    commands::{
        connect::{Outside, outside},
        print, say,
        shared::{OutFlag, PlanFlag, course, desk, evidence, metric_source, pin, step_outputs},
        variable,
    },
    error::Usage,
    github::run::Run,
    operations::start::{self, Started, Wish},
};

/// Record a new rollout at 0 %, after checking router, backends and metrics
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  shift-traffic start --candidate-version v2 --stable-version v1")]
pub(crate) struct Args {
    /// The backend to try; default: the second of the plan's backends
    #[arg(long, value_name = "BACKEND", env = "ROLLGATE_CANDIDATE")]
    candidate: Option<String>,
    /// The backend that has the traffic; default: the first of the plan's backends
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
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        candidate,
        stable,
        candidate_version,
        stable_version,
        plan_commit,
        dry_run,
        out,
    } = args;
    // An input that a workflow leaves empty is one that was not given.
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());

    let [first, second] = plan.traffic.backends();
    let stable = backend("stable", given(stable), first, second)?;
    let candidate = backend("candidate", given(candidate), second, first)?;
    let stable = Version {
        version: given(stable_version).unwrap_or_else(|| stable.clone()),
        backend: stable,
        images: Vec::new(),
    };
    let candidate = Version {
        version: given(candidate_version).unwrap_or_else(|| candidate.clone()),
        backend: candidate,
        images: Vec::new(),
    };

    let Outside { router, stacks: _ } = outside(&plan).await?;
    let router = router.as_ref();
    let metrics = metric_source(&plan, &stable, &candidate)?;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let wish = Wish {
        start: moves::Start {
            service: plan.service.clone(),
            stable,
            candidate,
            course: course(&plan, Phase::Canary)?,
            evidence: evidence(&plan),
            pin: pin(&plan, given(plan_commit)),
        },
        cluster_size: plan.judgement.cluster_size,
    };
    match start::start(router, metrics.as_ref(), &mut desk, wish, dry_run).await? {
        Started::Recorded(record) => {
            desk.close(&record, std::time::Duration::from_secs(10)).await;
            step_outputs(Outcome::Done, false, Some(&record));
            Ok(Outcome::Done)
        }
        Started::WouldWrite(change) => {
            print(&change);
            Ok(Outcome::Done)
        }
        Started::Refused(why) => {
            say(&format!("refused: {why}"));
            step_outputs(Outcome::Refused, false, None);
            Ok(Outcome::Refused)
        }
    }
}

/// HAProxy's configuration decides which backend the share belongs to: the second one of the plan.
fn backend(role: &str, given: Option<String>, own: &str, other: &str) -> Result<String, Usage> {
    match given {
        None => Ok(own.to_owned()),
        Some(name) if name == own => Ok(name),
        Some(name) if name == other => Err(Usage(format!(
            "--{role} {name}: in traffic.haproxy.backends stable comes first and the candidate second; \
             turn them round there and in HAProxy's configuration"
        ))),
        Some(name) => Err(Usage(format!(
            "--{role} {name}: the plan has no such backend; it has {own} and {other}"
        ))),
    }
}
