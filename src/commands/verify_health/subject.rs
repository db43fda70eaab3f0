//! Which rollout is judged: the one on the router, or one that the flags describe.

use anyhow::Context as _;
use jiff::Timestamp;
use rollgate_domain::{
    analysis::Verdict,
    rollout::{
        moves::{By, Start},
        phase::Phase,
        record::{Record, State, Version},
    },
};

use crate::{
    commands::{
        connect::outside,
        shared::{course, evidence, judge_settings, metric_source, pin},
    },
    operations::look::Watcher,
    plan::Plan,
    providers::{clock::Clock, metrics::Metrics},
};

/// What to judge
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Subject {
    /// Judge from this time on, without asking the router
    #[arg(long, value_name = "TIME", requires_all = ["candidate_version", "stable_version"])]
    since: Option<Timestamp>,
    /// Seek the proof of health from this time on; default: the present step's, or --since
    #[arg(long, value_name = "TIME")]
    step_since: Option<Timestamp>,
    /// The candidate's value of the metrics' version label
    #[arg(
        long,
        value_name = "VERSION",
        env = "ROLLGATE_CANDIDATE_VERSION",
        requires = "since"
    )]
    candidate_version: Option<String>,
    /// Stable's value of the metrics' version label
    #[arg(
        long,
        value_name = "VERSION",
        env = "ROLLGATE_STABLE_VERSION",
        requires = "since"
    )]
    stable_version: Option<String>,
}

impl Subject {
    /// The record to judge by.
    pub(crate) async fn record(&self, plan: &Plan) -> anyhow::Result<Record> {
        let Self {
            since,
            candidate_version,
            stable_version,
            ..
        } = self;
        let (Some(since), Some(candidate), Some(stable)) = (since, candidate_version, stable_version) else {
            let seen = outside(plan).await?.router.read().await?;
            return seen.record?.context(
                "no rollout is recorded on the router; to judge without one give --since, --candidate-version and --stable-version",
            );
        };
        let [first, second] = plan.traffic.backends();
        let version = |backend: &String, version: &String| Version {
            backend: backend.clone(),
            version: version.clone(),
            images: Vec::new(),
        };
        let mut evidence = evidence(plan);
        evidence.origin = *since;
        let start = Start {
            service: plan.service.clone(),
            stable: version(first, stable),
            candidate: version(second, candidate),
            course: course(plan, Phase::Canary)?,
            evidence,
            pin: pin(plan, None),
        };
        Ok(Record::start(
            start,
            None,
            By {
                run: "verify-health",
                actor: "",
                at: *since,
            },
        ))
    }

    /// One verdict, as of `now` or of this moment.
    pub(crate) async fn verdict(
        &self,
        plan: &Plan,
        record: &Record,
        now: Option<Timestamp>,
    ) -> anyhow::Result<Verdict> {
        let metrics = Self::metrics(plan, record)?;
        let clock = now.map_or_else(Clock::system, Clock::starting_at);
        let mut watcher = self.watcher(plan, record, metrics.as_ref(), clock.now());
        if !metrics.has_past() {
            // A page tells counts since its process began: it takes two of them to see a difference.
            clock.sleep_until(watcher.next_look_at(clock.now())).await;
            watcher.look(clock.now()).await;
            clock.sleep_until(watcher.next_look_at(clock.now())).await;
        }
        Ok(watcher.look(now.unwrap_or_else(|| clock.now())).await)
    }

    /// The record's metric source.
    pub(crate) fn metrics(plan: &Plan, record: &Record) -> anyhow::Result<Box<dyn Metrics>> {
        metric_source(plan, &record.stable, &record.candidate)
    }

    /// A watcher at the step in question.
    pub(crate) fn watcher<'a>(
        &self,
        plan: &Plan,
        record: &Record,
        metrics: &'a dyn Metrics,
        now: Timestamp,
    ) -> Watcher<'a> {
        let mut watcher = Watcher::new(
            metrics,
            judge_settings(plan, record, metrics.has_past()),
            record,
            now,
        );
        let (since, step) = match record.state {
            State::Holding { step, since } => (since, record.ladder.step(step)),
            _ => (record.evidence.origin, None),
        };
        watcher.begin_step(self.step_since.unwrap_or(since), step);
        watcher
    }
}
