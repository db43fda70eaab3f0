//! What several binaries have in common: flags, and how a plan becomes providers.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{self, GaugeUnit, Level, SlowLimits, whole_looks},
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
    plan::{self, Channel as PlanChannel, Plan, Source as PlanSource, Traffic},
    providers::{
        channels::{Channel, slack::Slack, summary::Summary},
        clock::Clock,
        metrics::{self, Access, CheckCounters, Credentials, Measures, Metrics, Pace, Release, Source},
    },
};

/// Where the plan is.
#[derive(Args, Clone, Debug)]
pub struct PlanFlag {
    /// The plan file
    #[arg(long, value_name = "FILE", env = "ROLLGATE_PLAN", default_value = plan::DEFAULT_PATH, global = true)]
    pub plan: PathBuf,
}

/// Where the journal goes.
#[derive(Args, Clone, Debug)]
pub struct OutFlag {
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
pub enum Format {
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
    pub fn read(&self) -> anyhow::Result<Plan> {
        Plan::read(&self.plan).map_err(|error| Usage(error.to_string()).into())
    }
}

/// The metric source that the plan names, for the two versions of a rollout.
///
/// # Errors
///
/// A selector is none, or the source cannot tell the versions apart.
pub(crate) fn metric_source(
    plan: &Plan,
    stable: &Version,
    candidate: &Version,
) -> anyhow::Result<Box<dyn Metrics>> {
    let measures = measures(plan);
    let source = match &plan.metrics.source {
        PlanSource::Prometheus(plan::Prometheus {
            url,
            version_label,
            headers,
            ca,
        }) => Source::Prometheus {
            url: url.to_string(),
            version_label: version_label.clone(),
            access: Access {
                headers: headers.clone(),
                ca: ca.clone(),
                credentials: prometheus_credentials()?,
            },
        },
        PlanSource::Datadog(plan::Datadog {
            site,
            version_tag,
            instance_tag,
            latency_bounds,
        }) => Source::Datadog {
            site: site.clone(),
            version_tag: version_tag.clone(),
            instance_tag: instance_tag.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            api_key: key("datadog", "DD_API_KEY", variable("DD_API_KEY"))?,
            app_key: key("datadog", "DD_APP_KEY", variable("DD_APP_KEY"))?,
        },
        PlanSource::NewRelic(plan::NewRelic {
            account,
            region,
            event,
            version_attribute,
            instance_attribute,
            duration_attribute,
            latency_bounds,
        }) => Source::NewRelic {
            url: match region {
                plan::Region::Us => "https://api.newrelic.com",
                plan::Region::Eu => "https://api.eu.newrelic.com",
            }
            .to_owned(),
            account: *account,
            event: event.clone(),
            version: version_attribute.clone(),
            instance: instance_attribute.clone(),
            duration: duration_attribute.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            key: key("new-relic", "NEW_RELIC_API_KEY", variable("NEW_RELIC_API_KEY"))?,
        },
        PlanSource::CloudWatch(plan::CloudWatch {
            region,
            namespace,
            version_dimension,
            endpoint,
            latency_bounds,
        }) => Source::CloudWatch {
            url: endpoint
                .as_ref()
                .map_or_else(|| metrics::CloudWatch::endpoint(region), ToString::to_string),
            region: region.clone(),
            namespace: namespace.clone(),
            version: version_dimension.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            access_key_id: key("cloudwatch", "AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID"))?,
            secret_access_key: key(
                "cloudwatch",
                "AWS_SECRET_ACCESS_KEY",
                variable("AWS_SECRET_ACCESS_KEY"),
            )?,
            session_token: variable("AWS_SESSION_TOKEN").map(SecretString::from),
        },
        PlanSource::Scrape(plan::Scrape { pages }) => Source::Scrape {
            pages: addresses(pages),
        },
        PlanSource::Probe(plan::Probe {
            targets,
            every,
            expect,
        }) => Source::HttpProbe {
            targets: addresses(targets),
            every: every.unsigned_abs(),
            expect: metrics::Expect {
                status: expect.status,
                header: expect.header.clone(),
                body_contains: expect.body_contains.clone(),
            },
        },
        PlanSource::Recorded(plan::Recorded { file }) => Source::Recorded { file: file.clone() },
    };
    fn release(version: &Version) -> Release<'_> {
        Release {
            backend: &version.backend,
            version: &version.version,
        }
    }
    metrics::connect(&source, &measures, release(stable), release(candidate)).context("metrics in the plan")
}

/// Addresses by backend, as the sources take them.
fn addresses(urls: &BTreeMap<String, Vec<reqwest::Url>>) -> BTreeMap<String, Vec<String>> {
    let text = |urls: &Vec<reqwest::Url>| urls.iter().map(ToString::to_string).collect();
    urls.iter()
        .map(|(backend, urls)| (backend.clone(), text(urls)))
        .collect()
}

/// Who asks Prometheus: from the environment only.
fn prometheus_credentials() -> anyhow::Result<Option<Credentials>> {
    let usage = |text: &str| Err(Usage(text.to_owned()).into());
    let token = variable("PROMETHEUS_TOKEN").map(SecretString::from);
    let password = variable("PROMETHEUS_PASSWORD").map(SecretString::from);
    match (token, variable("PROMETHEUS_USER"), password) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(Credentials::Token(token))),
        (None, Some(name), Some(password)) => Ok(Some(Credentials::User { name, password })),
        (Some(_), _, _) => usage(
            "PROMETHEUS_TOKEN is set beside PROMETHEUS_USER or PROMETHEUS_PASSWORD; set one way to sign in",
        ),
        (None, Some(_), None) => usage("PROMETHEUS_USER is set without PROMETHEUS_PASSWORD; set both"),
        (None, None, Some(_)) => usage("PROMETHEUS_PASSWORD is set without PROMETHEUS_USER; set both"),
    }
}

/// What a source needs to be let in.
fn key(source: &str, name: &str, value: Option<String>) -> anyhow::Result<SecretString> {
    value.map(SecretString::from).ok_or_else(|| {
        Usage(format!(
            "{name} is not set, and metrics.{source} in the plan needs it"
        ))
        .into()
    })
}

/// Where durations are counted up to: the plan's bounds, and the limits that are judged by.
fn bounds(plan: &Plan, given: &[f64]) -> Vec<f64> {
    let plan::P95 {
        critical, warning, ..
    } = plan.limits.p95;
    let limits = [critical, warning].into_iter().flatten();
    let mut bounds: Vec<f64> = given
        .iter()
        .copied()
        .chain(limits.map(|limit| limit.as_secs_f64()))
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    bounds
}

/// How the plan's source keeps time.
fn pace(source: &PlanSource) -> Pace {
    match source {
        PlanSource::Prometheus(_)
        | PlanSource::Scrape(_)
        | PlanSource::Recorded(_)
        | PlanSource::Probe(_) => Pace::default(),
        PlanSource::Datadog(_) => metrics::Datadog::PACE,
        PlanSource::NewRelic(_) => metrics::NewRelic::PACE,
        PlanSource::CloudWatch(_) => metrics::CloudWatch::PACE,
    }
}

/// What the plan has measured. Memory is a gauge, the first one.
fn measures(plan: &Plan) -> Measures {
    let plan::Metrics {
        source: _,
        requests,
        errors,
        latency,
        memory,
    } = &plan.metrics;
    let checks = plan.checks.iter().map(|check| CheckCounters {
        good: check.good.clone(),
        total: check.total.clone(),
    });
    let gauges = plan.gauges.iter().map(|gauge| gauge.query.clone());
    Measures {
        requests: requests.clone(),
        errors: errors.clone(),
        by: plan.limits.error_rate.by.clone(),
        latency: latency.clone(),
        gauges: memory.iter().cloned().chain(gauges).collect(),
        checks: checks.collect(),
    }
}

/// The limits of what [`measures`] has as gauges, in its order.
fn gauge_limits(plan: &Plan) -> Vec<analysis::GaugeLimits> {
    let limits = |name: &str, critical: Option<plan::Quantity>, warning: Option<plan::Quantity>| {
        let unit = critical.or(warning).map_or(GaugeUnit::Plain, |limit| limit.unit);
        analysis::GaugeLimits {
            name: name.to_owned(),
            unit,
            critical: critical.map(|limit| limit.value),
            warning: warning.map(|limit| limit.value),
        }
    };
    let plan::Memory { critical, warning } = plan.limits.memory;
    let memory = plan.metrics.memory.as_ref().map(|_| analysis::GaugeLimits {
        unit: GaugeUnit::Bytes,
        ..limits("memory", critical, warning)
    });
    let gauges = plan
        .gauges
        .iter()
        .map(|gauge| limits(&gauge.name, gauge.critical, gauge.warning));
    memory.into_iter().chain(gauges).collect()
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

/// How evidence is counted before anything is measured. A look is as long as the source's intervals at least.
pub(crate) fn evidence(plan: &Plan) -> Evidence {
    let Pace { grain, lag: _ } = pace(&plan.metrics.source);
    Evidence {
        origin: Timestamp::UNIX_EPOCH,
        look: whole_looks(plan.judgement.look, grain),
        cluster_size: plan.judgement.cluster_size.unwrap_or(1.0),
        ..Evidence::default()
    }
}

/// So long a rollout may wait for people.
const WAITS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The judge's settings for `record`. `past`: whether the source can be asked about it.
pub(crate) fn judge_settings(plan: &Plan, record: &Record, past: bool) -> analysis::Settings {
    let Evidence {
        look,
        cluster_size,
        slow_cluster_size,
        check_cluster_size,
        before,
        warm_since,
        origin: _,
    } = record.evidence;
    let plan::Limits {
        error_rate,
        p95,
        throughput,
        memory: _,
    } = &plan.limits;
    // Twice the steps' time: a step may take that long before a person is asked.
    let steps = record.ladder.duration().saturating_mul(2);
    // Gates, nights and pauses come on top, and evidence must not run dry: whatever is planned too long costs little.
    let planned = steps.saturating_add(WAITS);
    // A source without a past starts anew in each run, with its share of the error budget.
    let runs = if past {
        1.0
    } else {
        (steps.as_secs_f64() / plan.driver.budget.as_secs_f64())
            .ceil()
            .max(1.0)
    };
    analysis::Settings {
        look,
        planned,
        grace: plan.judgement.grace,
        forgive: plan.judgement.forgive,
        delay: plan.judgement.delay.max(pace(&plan.metrics.source).lag),
        cluster_size,
        slow_cluster_size: slow_cluster_size.unwrap_or(1.0),
        check_cluster_size: check_cluster_size.unwrap_or(1.0),
        alpha: analysis::Settings::default().alpha / runs,
        critical: error_rate.critical,
        warning: Some(error_rate.warning.unwrap_or(error_rate.critical / 2.0)),
        by_group: error_rate.by.is_some(),
        slow: plan.metrics.latency.as_ref().map(|_| SlowLimits {
            above_stable: p95.above_stable,
            critical: p95.critical.map(|limit| limit.as_secs_f64()),
            warning: p95.warning.map(|limit| limit.as_secs_f64()),
        }),
        throughput: Some(analysis::Throughput {
            below_stable: throughput.below_stable,
            level: if splits_by_request(plan) {
                Level::Rollback
            } else {
                Level::Warning
            },
        }),
        gauges: gauge_limits(plan),
        checks: plan.checks.iter().map(check).collect(),
        proof: match plan.judgement.proof {
            plan::Proof::Normal => analysis::Proof::Normal,
            plan::Proof::Strict => analysis::Proof::Strict,
        },
        // With a past the first request is found again.
        warm_since: if past { None } else { warm_since },
        frozen: record.baseline,
        before,
    }
}

/// Whether the router decides for each request anew. Where users or connections stay together, one heavy client shifts
/// the share.
fn splits_by_request(plan: &Plan) -> bool {
    let by_request = match plan.traffic {
        Traffic::GatewayApi(_) | Traffic::Istio(_) | Traffic::Haproxy(_) | Traffic::Nginx(_) => true,
        Traffic::ServiceSelector(_) | Traffic::ReplicaRatio(_) => false,
    };
    by_request && plan.sticky.is_none()
}

fn check(check: &plan::Check) -> analysis::Check {
    let plan::Check {
        name,
        good: _,
        total: _,
        at_least,
        action,
    } = check;
    analysis::Check {
        name: name.clone(),
        at_least: *at_least,
        level: match action {
            plan::Action::Rollback => Level::Rollback,
            plan::Action::Warning => Level::Warning,
        },
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
