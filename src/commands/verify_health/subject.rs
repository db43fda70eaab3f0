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
        judging::{evidence, judge_settings},
        metering::metric_source,
        shared::{course, pin},
    },
    error::Usage,
    operations::look::Watcher,
    plan::Plan,
    providers::{clock::Clock, metrics::Metrics},
};

/// No version has this name: for a source that must be told two.
const NOBODY: &str = "rollgate: nobody";

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
            let mut record = seen.record?.context(
                "no rollout is recorded on the router; to judge without one give --since, --candidate-version and --stable-version",
            )?;
            // A promotion has exchanged them; what is judged is the new version beside the old one.
            if matches!(record.state, State::Promoted { .. } | State::Finished) {
                std::mem::swap(&mut record.stable, &mut record.candidate);
            }
            return Ok(record);
        };
        described(plan, *since, stable, candidate)
    }

    /// A record of stable alone since `begin`; its version is the given one, or as the router has it, or where nothing
    /// is recorded yet the name of the plan's first backend.
    pub(crate) async fn of_stable(
        plan: &Plan,
        version: Option<&str>,
        begin: Timestamp,
    ) -> anyhow::Result<Record> {
        // A workflow sets a variable also where nothing was given.
        let given = version.filter(|version| !version.is_empty());
        let known = match given {
            // Which backend is stable matters to pages alone, and they have no past to ask for.
            Some(_) => None,
            None => outside(plan).await?.router.read().await?.record?,
        };
        let mut record = described(plan, begin, given.unwrap_or(&plan.traffic.backends()[0]), NOBODY)?;
        if let Some(known) = known {
            record.candidate.backend = known.candidate.backend;
            record.stable = known.stable;
        }
        Ok(record)
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

    /// The record, and its metric source, which must be one that can be asked about the past: `what` for.
    ///
    /// # Errors
    ///
    /// [`Usage`] where it cannot.
    pub(crate) async fn past(&self, plan: &Plan, what: &str) -> anyhow::Result<(Record, Box<dyn Metrics>)> {
        let record = self.record(plan).await?;
        let metrics = Self::metrics(plan, &record)?;
        with_past(metrics.as_ref(), what)?;
        Ok((record, metrics))
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
        self.begin_step(&mut watcher, record, now);
        watcher
    }

    /// Seeks the proof of health of what is tried at `at`.
    pub(crate) fn begin_step(&self, watcher: &mut Watcher<'_>, record: &Record, at: Timestamp) {
        let (since, step) = record.tried_at(at);
        watcher.begin_step(self.step_since.unwrap_or(since), step);
    }
}

/// Refuses a source that cannot be asked about the past.
pub(crate) fn with_past(metrics: &dyn Metrics, what: &str) -> anyhow::Result<()> {
    if metrics.has_past() {
        return Ok(());
    }
    Err(Usage(format!("the plan's metric source has no past to {what}")).into())
}

/// The record of a rollout that no router knows.
fn described(plan: &Plan, since: Timestamp, stable: &str, candidate: &str) -> anyhow::Result<Record> {
    let [first, second] = plan.traffic.backends();
    let version = |backend: &String, version: &str| Version {
        backend: backend.clone(),
        version: version.to_owned(),
        images: Vec::new(),
    };
    let mut evidence = evidence(plan);
    evidence.origin = since;
    let start = Start {
        service: plan.service.clone(),
        stable: version(first, stable),
        candidate: version(second, candidate),
        course: course(plan, Phase::Canary)?,
        evidence,
        pin: pin(plan, None),
    };
    let by = By {
        run: "verify-health",
        actor: "",
        at: since,
    };
    Ok(Record::start(start, None, by))
}
