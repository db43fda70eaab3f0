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
    providers::traffic::Seen,
};

/// Record a new rollout at 0 %, after checking router, backends and metrics
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  shift-traffic start --candidate-version v2 --stable-version v1")]
pub(crate) struct Args {
    /// The backend to try; default: the other one
    #[arg(long, value_name = "BACKEND", env = "ROLLGATE_CANDIDATE")]
    candidate: Option<String>,
    /// The backend that has the traffic; default: stable of the last rollout, else the first of the plan's backends
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

    let backends = plan.traffic.backends();
    let given_roles = roles(given(stable), given(candidate), backends)?;
    let Outside { router, stacks: _ } = outside(&plan).await?;
    let router = router.as_ref();
    let [stable, candidate] = match given_roles {
        Some(roles) => roles,
        None => last_roles(&router.read().await?, backends),
    };
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

/// Stable and candidate as the flags say; none where they say nothing.
fn roles(
    stable: Option<String>,
    candidate: Option<String>,
    backends: &[String; 2],
) -> Result<Option<[String; 2]>, Usage> {
    let [first, second] = backends;
    let other = |flag: &str, name: &str| match name {
        name if name == first => Ok(second.clone()),
        name if name == second => Ok(first.clone()),
        _ => Err(Usage(format!(
            "--{flag} {name}: the plan has no such backend; it has {first} and {second}"
        ))),
    };
    match (stable, candidate) {
        (None, None) => Ok(None),
        (Some(stable), None) => {
            let candidate = other("stable", &stable)?;
            Ok(Some([stable, candidate]))
        }
        (None, Some(candidate)) => Ok(Some([other("candidate", &candidate)?, candidate])),
        (Some(stable), Some(candidate)) => {
            other("stable", &stable)?;
            other("candidate", &candidate)?;
            if stable == candidate {
                return Err(Usage(format!(
                    "--stable {stable} and --candidate {candidate}: these are two different backends"
                )));
            }
            Ok(Some([stable, candidate]))
        }
    }
}

/// As the last rollout left them, else as the plan lists them.
fn last_roles(seen: &Seen, [first, second]: &[String; 2]) -> [String; 2] {
    match &seen.record {
        Ok(Some(record)) if record.stable.backend == *second => [second.clone(), first.clone()],
        _ => [first.clone(), second.clone()],
    }
}
