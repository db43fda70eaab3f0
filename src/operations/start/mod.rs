//! Begins a rollout, or its next phase: everything is checked first, then one write records it at share 0.

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{ClusterSizes, Counts, Tally, sample_interval, whole_looks},
    rollout::{
        event::Event,
        moves::{Course, Move, Start},
        phase::Phase,
        record::{Evidence, Record, State},
    },
    weight::Weight,
};

use super::{
    answer::Answer,
    capacity::{self, Behind, Known},
    desk::Desk,
};
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
    /// A production without the canary that should come before it.
    pub without_canary: bool,
}

/// Which of the two backends is stable and which is tried.
///
/// What is not `given` follows from the rollout before this one, if that is over; else the first of the plan's
/// `backends` is stable.
#[must_use]
pub fn roles(
    seen: &Seen,
    backends: &[String; 2],
    stable: Option<String>,
    candidate: Option<String>,
) -> (String, String) {
    let [first, second] = backends;
    let other = |name: &String| if name == first { second } else { first }.clone();
    let before = || match &seen.record {
        Ok(Some(record)) if !record.is_active() && backends.contains(&record.stable.backend) => {
            record.stable.backend.clone()
        }
        _ => first.clone(),
    };
    match (stable, candidate) {
        (Some(stable), Some(candidate)) => (stable, candidate),
        (Some(stable), None) => (stable.clone(), other(&stable)),
        (None, Some(candidate)) => (other(&candidate), candidate),
        (None, None) => {
            let stable = before();
            let candidate = other(&stable);
            (stable, candidate)
        }
    }
}

/// Records a new rollout, or the next phase of the present one, at share 0; or says what it would record.
///
/// # Errors
///
/// The router, what runs behind it or the metric source cannot be used as the plan says.
pub async fn start(
    router: &dyn Router,
    behind: &Behind<'_>,
    metrics: &dyn Metrics,
    desk: &mut Desk,
    wish: Wish,
    dry_run: bool,
) -> anyhow::Result<Answer> {
    use Answer::{Recorded, Refused, WouldWrite};
    let Wish {
        mut start,
        cluster_size: given,
        without_canary,
    } = wish;
    let seen = router.read().await?;
    if let Some(why) = occupied(&seen, &start.candidate.backend)? {
        return Ok(Refused(why));
    }
    if let Some(why) = impossible_step(&seen, &start.course) {
        return Ok(Refused(why));
    }
    let known = behind
        .count_within(
            capacity::UNHURRIED,
            &seen,
            &start.stable.backend,
            &start.candidate.backend,
        )
        .await;
    match &known {
        Known::Unread(why) => bail!("read what runs behind the router: {why}"),
        Known::Untold => {}
        Known::Both(both) => {
            if let Some(why) = capacity::refusal(both, &start.stable.backend, &start.candidate.backend) {
                return Ok(Refused(why));
            }
            start.stable.images.clone_from(&both.stable.images);
            start.candidate.images.clone_from(&both.candidate.images);
        }
    }
    let goes_on = match (start.course.phase, without_canary) {
        (Phase::Production, false) => match passed_canary(&seen, &start) {
            Ok(record) => Some(record.clone()),
            Err(why) => return Ok(Refused(why)),
        },
        (Phase::Canary, _) | (Phase::Production, true) => None,
    };
    metrics
        .probe(desk.clock.now())
        .await
        .context("ask the metric source about stable")?;

    let (mut record, event) = match goes_on {
        Some(canary) => (
            canary.after(Move::Enter(start.course), desk.by())?,
            Event::Entered,
        ),
        None => {
            start.evidence = measured(metrics, start.evidence, given, desk.clock.now()).await?;
            let previous = seen.record.as_ref().ok().and_then(Option::as_ref);
            (Record::start(start, previous, desk.by()), Event::Started)
        }
    };
    record.whole = match &known {
        Known::Both(both) => Some(capacity::meant(&both.stable)),
        Known::Untold | Known::Unread(_) => None,
    };
    if dry_run {
        return Ok(WouldWrite(router.describe(&seen, &[&record]).concat()));
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
    desk.note(&record, event);
    Ok(Recorded(record))
}

/// Why nothing may be deployed onto `backend` and no rollout may begin with it, in words; none if it is free.
///
/// # Errors
///
/// A place of the router could not be read.
pub fn occupied(seen: &Seen, backend: &str) -> anyhow::Result<Option<String>> {
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
        Ok(Some(record)) if matches!(record.state, State::Promoted { .. }) => {
            return refused(format!(
                "rollout {} is {}: end it with shift-traffic finish, or take it back with shift-traffic rollback",
                record.rollout,
                record.state_in_words()
            ));
        }
        Ok(_) => {}
    }
    if let Some(drift) = &seen.drift {
        return refused(drift.clone());
    }
    match seen.share_of(backend) {
        Some(Weight::ZERO) => Ok(None),
        Some(Weight::FULL) => refused(format!(
            "{backend} has all the traffic: it is stable, the other one is free (--stable {backend})"
        )),
        Some(share) => refused(format!(
            "{backend} has {share} already: set it to 0 first (shift-traffic rollback)"
        )),
        None => refused(format!(
            "the share of {backend} cannot be read: set it to 0 first (shift-traffic rollback)"
        )),
    }
}

/// The first step that the router cannot give, in words.
fn impossible_step(seen: &Seen, course: &Course) -> Option<String> {
    course
        .ladder
        .steps()
        .iter()
        .find_map(|step| seen.shares.refusal(step.weight))
}

/// The canary that a production goes on from.
///
/// # Errors
///
/// In words: there is none, or it was another one.
fn passed_canary<'a>(seen: &'a Seen, start: &Start) -> Result<&'a Record, String> {
    const WAYS: &str = "run a canary first (shift-traffic start), or go without one (--without-canary)";
    let Ok(Some(record)) = &seen.record else {
        return Err(format!(
            "production follows a canary that has passed, and none is recorded: {WAYS}"
        ));
    };
    if record.state != State::Passed {
        return Err(format!(
            "production follows a canary that has passed, and {} is {}: {WAYS}",
            record.rollout,
            record.state_in_words()
        ));
    }
    let mut others = Vec::new();
    for (role, recorded, wanted) in [
        ("stable", &record.stable, &start.stable),
        ("candidate", &record.candidate, &start.candidate),
    ] {
        if recorded.backend != wanted.backend {
            others.push(format!(
                "its {role} was {}, not {}",
                recorded.backend, wanted.backend
            ));
        } else if !recorded.images.is_empty() && !wanted.images.is_empty() && recorded.images != wanted.images
        {
            others.push(format!(
                "{} was redeployed since: it ran {}, now {}",
                recorded.backend,
                recorded.images.join(", "),
                wanted.images.join(", ")
            ));
        }
    }
    if record.pin.hash != start.pin.hash {
        others.push("the plan was changed since".to_owned());
    }
    if record.pin.tool != start.pin.tool {
        others.push(format!(
            "it was judged by rollgate {}, this is {}",
            record.pin.tool, start.pin.tool
        ));
    }
    if others.is_empty() {
        Ok(record)
    } else {
        Err(format!(
            "the canary {} that has passed is another one ({}): {WAYS}",
            record.rollout,
            others.join("; ")
        ))
    }
}

/// How evidence is counted from `now` on: the length of a look, `m` and what stable did, from its past where the source
/// has one.
///
/// # Errors
///
/// The source did not answer.
pub async fn measured(
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
    let interval = metrics.grain().or_else(|| sample_interval(&past));
    let look = interval.map_or(plan.look, |interval| whole_looks(plan.look, interval));
    let sizes = ClusterSizes::measured(&past, from, look);
    let mut tally = Tally::new(from, look);
    tally.add(&past);
    let mut before = Counts::default();
    for look in tally.close(now) {
        before += look.stable.counts();
    }
    Ok(Evidence {
        look,
        cluster_size: given.unwrap_or(sizes.errors),
        slow_cluster_size: (!past.latency.is_empty()).then_some(given.unwrap_or(sizes.slow)),
        check_cluster_size: (!past.checks.is_empty()).then_some(given.unwrap_or(sizes.checks)),
        before: (before.requests > 0.0).then_some(before),
        ..plan
    })
}

#[cfg(test)]
mod tests;
