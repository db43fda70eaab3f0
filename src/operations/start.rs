//! Begins a rollout: everything is checked first, then one write records it at share 0.

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Samples, Side, cluster_size, sample_interval, whole_looks},
    rollout::{
        event::Event,
        moves::Start,
        record::{Evidence, Record},
    },
    weight::Weight,
};

use super::desk::Desk;
use crate::providers::{
    metrics::Metrics,
    traffic::{Router, Seen, WriteError},
};

/// How much of stable's past tells how its errors cluster.
const PAST: SignedDuration = SignedDuration::from_hours(6);

/// What was asked for, before anything is measured.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The rollout without its evidence's measures.
    pub start: Start,
    /// The plan's own value; measured if none.
    pub cluster_size: Option<f64>,
}

/// What became of the wish.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once a run")]
pub enum Started {
    /// The rollout is on the router, at share 0.
    Recorded(Record),
    /// A dry run: the exact change.
    WouldWrite(String),
    /// Something stands in the way, in words.
    Refused(String),
}

/// Records a new rollout at share 0, or says what it would record.
///
/// # Errors
///
/// The router or the metric source cannot be used as the plan says.
pub async fn start(
    router: &dyn Router,
    metrics: &dyn Metrics,
    desk: &mut Desk,
    wish: Wish,
    dry_run: bool,
) -> anyhow::Result<Started> {
    use Started::{Recorded, Refused, WouldWrite};
    let Wish {
        mut start,
        cluster_size: given,
    } = wish;
    let seen = router.read().await?;
    if let Some(why) = refusal(&seen, &start)? {
        return Ok(Refused(why));
    }
    metrics
        .probe(desk.clock.now())
        .await
        .context("ask the metric source about stable")?;
    start.evidence = measured(metrics, start.evidence, given, desk.clock.now()).await?;

    let previous = seen.record.as_ref().ok().and_then(Option::as_ref);
    let record = Record::start(start, previous, desk.by());
    if dry_run {
        return Ok(WouldWrite(router.describe(&seen, &record)));
    }
    match router.write(&seen, &record).await {
        Ok(_) => {}
        Err(WriteError::Conflict) => {
            return Ok(Refused(
                "somebody else wrote to the router at the same moment; look with status".to_owned(),
            ));
        }
        Err(error) => return Err(error).context("record the rollout on the router"),
    }
    desk.note(&record, Event::Started);
    Ok(Recorded(record))
}

/// What stands in the way. A place that cannot be read is an error.
fn refusal(seen: &Seen, start: &Start) -> anyhow::Result<Option<String>> {
    if let Some(first) = seen.unreachable.first() {
        bail!("{first}");
    }
    let refused = |text: String| Ok(Some(text));
    match &seen.record {
        Err(unreadable) => {
            return refused(format!(
                "{unreadable}; shift-traffic rollback overwrites it and sets 0 %"
            ));
        }
        Ok(Some(record)) if record.is_active() => {
            return refused(format!(
                "rollout {} is {}: drive it with shift-traffic run, or end it with shift-traffic rollback",
                record.rollout,
                record.state_in_words()
            ));
        }
        Ok(_) => {}
    }
    if let Some(drift) = &seen.drift {
        return refused(drift.clone());
    }
    let (stable, candidate) = (&start.stable.backend, &start.candidate.backend);
    match seen.share_of(candidate) {
        Some(Weight::ZERO) => {}
        Some(Weight::FULL) => {
            return refused(format!(
                "{candidate} has all the traffic: it is stable, begin with --stable {candidate} --candidate {stable}"
            ));
        }
        share => {
            let share = share.map_or_else(
                || "a share that cannot be read".to_owned(),
                |share| share.to_string(),
            );
            return refused(format!(
                "{candidate} has {share} already: set it to 0 first (shift-traffic rollback)"
            ));
        }
    }
    if seen.up(candidate) == Some(0) {
        return refused(format!(
            "{candidate} has no server up: deploy the candidate first"
        ));
    }
    if seen.up(stable) == Some(0) {
        return refused(format!(
            "{stable} has no server up: a rollback would have nowhere to go"
        ));
    }
    Ok(None)
}

/// Length of a look and `m`, from stable's past where the source has one.
async fn measured(
    metrics: &dyn Metrics,
    plan: Evidence,
    given: Option<f64>,
    now: Timestamp,
) -> anyhow::Result<Evidence> {
    // Whole seconds: the grid is the same for everybody who reads the record.
    let origin = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let plan = Evidence {
        origin,
        cluster_size: given.unwrap_or(plan.cluster_size),
        ..plan
    };
    if !metrics.has_past() {
        return Ok(plan);
    }
    let from = now.saturating_sub(PAST).unwrap_or(Timestamp::MIN);
    let past = metrics.samples(from, now).await.context("read stable's past")?;
    let look = sample_interval(&past).map_or(plan.look, |interval| whole_looks(plan.look, interval));
    let stable = |series: &[rollgate_domain::analysis::Series]| {
        series
            .iter()
            .filter(|series| series.side == Side::Stable)
            .cloned()
            .collect()
    };
    let past = Samples {
        requests: stable(&past.requests),
        errors: stable(&past.errors),
    };
    Ok(Evidence {
        look,
        cluster_size: given.unwrap_or_else(|| cluster_size(&past, from, look)),
        ..plan
    })
}
