//! What several verbs have in common: flags, how a plan becomes a phase, and a run's desk and outputs.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    notice::Severity,
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::{Course, Start},
        phase::{self, Phase},
        record::{Evidence, Pin, Record, Version},
    },
};
use secrecy::SecretString;

use super::{say, variable};
use crate::{
    error::Usage,
    github::{
        outputs,
        run::{Files, Run},
    },
    journal::Journal,
    operations::{announce::People, desk::Desk},
    plan::{self, Channel as PlanChannel, Plan, Traffic},
    providers::{
        channels::{Channel, slack::Slack, summary::Summary},
        clock::Clock,
    },
};

/// Where the plan is.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlanFlag {
    /// The plan file
    #[arg(long, value_name = "FILE", env = "ROLLGATE_PLAN", default_value = plan::DEFAULT_PATH, global = true)]
    pub plan: PathBuf,
}

/// Where the journal goes.
#[derive(Args, Clone, Debug)]
pub(crate) struct OutFlag {
    /// The folder for events.jsonl, samples.jsonl, verdict.json and rollgate.log
    #[arg(
        long,
        value_name = "DIR",
        env = "ROLLGATE_OUT",
        default_value = "rollgate-out"
    )]
    pub out: PathBuf,
}

/// In which form data goes to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How bad a signal is, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignalWord {
    Critical,
    Degradation,
    Corruption,
    Watch,
}

impl From<SignalWord> for phase::Severity {
    fn from(word: SignalWord) -> Self {
        match word {
            SignalWord::Critical => Self::Critical,
            SignalWord::Degradation => Self::Degradation,
            SignalWord::Corruption => Self::Corruption,
            SignalWord::Watch => Self::Watch,
        }
    }
}

/// A span of time as people write it: `5h30m`, `90s`, `1500ms`.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(span) if span > SignedDuration::ZERO => Ok(span),
        Ok(_) => Err("must be longer than 0 s".to_owned()),
        Err(_) => Err("expected a span of time such as 5h30m, 10m or 90s".to_owned()),
    }
}

impl PlanFlag {
    /// The checked plan.
    ///
    /// # Errors
    ///
    /// [`Usage`]: everything that is wrong with it, with places.
    pub(crate) fn read(&self) -> anyhow::Result<Plan> {
        Plan::read(&self.plan).map_err(|error| Usage(error.to_string()).into())
    }
}

/// A phase as the plan has it.
///
/// # Errors
///
/// [`Usage`]; the plan has been checked for all of them before.
pub(crate) fn course(plan: &Plan, phase: Phase) -> anyhow::Result<Course> {
    let plan::Phases { canary, production } = &plan.phases;
    let (require, steps, gates) = match phase {
        Phase::Canary => (canary.require, &canary.steps, &canary.gates),
        Phase::Production => (production.require, &production.steps, &production.gates),
    };
    let require = match require {
        plan::Require::Proof => Require::Proof,
        plan::Require::NoHarm => Require::NoHarm,
    };
    let steps = steps
        .iter()
        .map(|step| Step {
            weight: step.weight,
            duration: step.duration,
        })
        .collect();
    Ok(Course {
        phase,
        ladder: Ladder::new(steps, require)
            .map_err(|error| Usage(format!("phases.{phase}.steps in the plan: {error}")))?,
        gates: gates.iter().map(|gate| gate.at).collect(),
        keep_old: production.keep_old,
    })
}

/// The plan and the rollgate at hand.
pub(crate) fn pin(plan: &Plan, commit: Option<String>) -> Pin {
    Pin {
        hash: plan.hash.clone(),
        commit,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A rollout with nothing known of it but the router: for a rollback over a record that cannot be read.
pub(crate) fn blank(service: &str, traffic: &Traffic) -> anyhow::Result<Start> {
    let [stable, candidate] = traffic.backends();
    let version = |backend: &String| Version {
        backend: backend.clone(),
        version: backend.clone(),
        images: Vec::new(),
    };
    let step = Step {
        weight: rollgate_domain::weight::Weight::FULL,
        duration: SignedDuration::from_secs(1),
    };
    Ok(Start {
        service: service.to_owned(),
        stable: version(stable),
        candidate: version(candidate),
        course: Course {
            phase: Phase::Canary,
            ladder: Ladder::new(vec![step], Require::Proof)?,
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: Timestamp::UNIX_EPOCH,
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: String::new(),
            commit: None,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
        },
    })
}

/// The channels that the plan routes to and that can be reached from here; what is missing is said.
pub(crate) fn people(routes: &plan::Notify, github: Option<&Run>) -> People {
    let files = Files::from_variables(variable);
    let slack = variable("SLACK_WEBHOOK_URL").map(SecretString::from);
    let channel = |wanted: PlanChannel| -> Option<Arc<dyn Channel>> {
        match wanted {
            PlanChannel::Slack => slack
                .clone()
                .map(|url| Arc::new(Slack::new(reqwest::Client::new(), url)) as Arc<dyn Channel>),
            PlanChannel::Summary => files
                .summary
                .clone()
                .map(|path| Arc::new(Summary::new(path)) as Arc<dyn Channel>),
        }
    };
    let plan::Notify {
        critical,
        warning,
        info,
    } = routes;
    let named = [
        (Severity::Critical, critical),
        (Severity::Warning, warning),
        (Severity::Info, info),
    ];
    if slack.is_none()
        && named
            .iter()
            .any(|(_, channels)| channels.contains(&PlanChannel::Slack))
    {
        say("warning: the plan tells Slack, but SLACK_WEBHOOK_URL is not set: nobody is told there");
    }
    let routes: BTreeMap<_, _> = named
        .into_iter()
        .map(|(severity, channels)| (severity, channels.iter().copied().filter_map(channel).collect()))
        .collect();
    People::new(routes, github.map(Run::url))
}

/// Journal, people and clock of this run.
pub(crate) fn desk(out: PathBuf, routes: &plan::Notify, github: Option<&Run>) -> Desk {
    let (run, actor) = match github {
        Some(run) => (
            format!("{} attempt {}", run.url(), run.attempt),
            run.actor.clone(),
        ),
        None => (format!("process {} on {}", std::process::id(), host()), user()),
    };
    Desk {
        run,
        actor,
        journal: Journal::new(out, say),
        people: people(routes, github),
        clock: Clock::system(),
    }
}

fn host() -> String {
    std::fs::read_to_string("/etc/hostname")
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

fn user() -> String {
    variable("USER")
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// Writes the step's outputs, in a GitHub job. That they cannot be written changes nothing that was done.
pub(crate) fn step_outputs(outcome: Outcome, handed_over: bool, record: Option<&Record>) {
    run_outputs(outcome, handed_over, false, record);
}

/// The same for a driver. `passed`: this run itself has ended the canary, so that production is its caller's to begin.
pub(crate) fn run_outputs(outcome: Outcome, handed_over: bool, passed: bool, record: Option<&Record>) {
    let mut values = vec![
        ("outcome", outcome.word().to_owned()),
        ("continue", handed_over.to_string()),
        ("passed", passed.to_string()),
    ];
    if let Some(record) = record {
        values.push(("weight", record.weight.percent().to_string()));
        values.push(("phase", record.phase.word().to_owned()));
        let gate = record.gate_at();
        values.push((
            "gate",
            gate.map_or_else(|| "none".to_owned(), |at| at.to_string()),
        ));
        values.push(("plan_commit", record.pin.commit.clone().unwrap_or_default()));
        values.push(("rollout_id", record.rollout.clone()));
    }
    write_outputs(&values);
}

/// Writes these outputs of the step, in a GitHub job.
pub(crate) fn write_outputs(values: &[(&str, String)]) {
    let Some(path) = Files::from_variables(variable).output else {
        return;
    };
    if let Err(error) = outputs::write(&path, values) {
        say(&format!("warning: {}", crate::error::chain(&error)));
    }
}
