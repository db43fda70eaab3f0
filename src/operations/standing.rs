//! Where a rollout stands, for a person in an incident: what the router says, what is measured, what the judge says,
//! and why nothing rises. Changes nothing, never takes long, and never fails over what is only there to look.

use std::{fs, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Settings, Tally, Verdict},
    rollout::{
        by_hand::closed,
        next::question,
        record::{Record, State},
        window::Window,
    },
};
use tokio::{join, time::timeout};

use super::{
    capacity::{Behind, Known},
    look::Watcher,
};
use crate::{
    error::chain,
    journal::VERDICT,
    providers::{
        metrics::Metrics,
        sampling::Sampler,
        traffic::{Router, Seen},
    },
};

/// A person who waits longer asks somewhere else.
const PATIENCE: Duration = Duration::from_secs(2);

/// Over which time shares are measured.
const RECENT: SignedDuration = SignedDuration::from_mins(5);

/// So many sampled requests show every share that matters in an incident, and are no load.
const SAMPLES: usize = 20;

/// Who can be asked besides the router.
pub struct Sources<'a> {
    /// What runs behind it.
    pub behind: Behind<'a>,
    /// The metric source and how it is judged, or why there is none.
    pub metrics: Result<(&'a dyn Metrics, Settings), String>,
    /// The service itself.
    pub sampler: Option<&'a Sampler>,
    /// A driver's folder, for the last verdict where the source has no past.
    pub journal: &'a Path,
    /// When the share may rise.
    pub window: Option<&'a Window>,
}

/// All that is known.
pub struct Standing {
    /// The router.
    pub seen: Seen,
    /// When.
    pub now: Timestamp,
    /// What users get.
    pub measured: Measured,
    /// What runs.
    pub behind: Known,
    /// The last verdict, or why there is none.
    pub verdict: Result<Verdict, String>,
    /// Why nothing rises besides the verdict, in words.
    pub hindered: Vec<String>,
}

/// The candidate's share as users get it.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Requests of both in the last minutes, from the metric source.
    Counted {
        /// Of the candidate.
        candidate: f64,
        /// Of both.
        all: f64,
        /// Up to when.
        until: Timestamp,
    },
    /// Requests made for this.
    Sampled {
        /// Answered by the candidate.
        candidate: usize,
        /// All of them.
        all: usize,
    },
    /// Why it is not known, in words.
    Unknown(String),
}

impl Measured {
    /// In percent, where there was anything to measure.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        match self {
            Self::Counted { candidate, all, .. } => (*all > 0.0).then(|| candidate / all * 100.0),
            &Self::Sampled { candidate, all } => {
                let (candidate, all) = (u32::try_from(candidate).ok()?, u32::try_from(all).ok()?);
                (all > 0).then(|| f64::from(candidate) / f64::from(all) * 100.0)
            }
            Self::Unknown(_) => None,
        }
    }
}

/// Looks at everything once, the slow ones beside each other.
///
/// # Errors
///
/// The router does not answer: without it nothing is known.
pub async fn standing(
    router: &dyn Router,
    now: Timestamp,
    sources: &Sources<'_>,
) -> anyhow::Result<Standing> {
    let seen = router.read().await?;
    let Ok(Some(record)) = &seen.record else {
        let why = || "there is no record to measure by".to_owned();
        return Ok(Standing {
            now,
            measured: Measured::Unknown(why()),
            behind: Known::Untold,
            verdict: Err(why()),
            hindered: Vec::new(),
            seen,
        });
    };
    let (stable, candidate) = (&record.stable.backend, &record.candidate.backend);
    let (measured, verdict, behind) = join!(
        measure(record, now, sources),
        judge(record, now, sources),
        sources.behind.count(&seen, stable, candidate),
    );
    let hindered = hindered(&seen, record, now, sources.window);
    Ok(Standing {
        now,
        measured,
        behind,
        verdict,
        hindered,
        seen,
    })
}

/// Why nothing rises besides the verdict: what a driver would say, too.
fn hindered(seen: &Seen, record: &Record, now: Timestamp, window: Option<&Window>) -> Vec<String> {
    if !matches!(record.state, State::Ready { .. } | State::Holding { .. }) {
        return Vec::new();
    }
    let empty = seen.up(&record.candidate.backend) == Some(0);
    let empty = empty.then(|| format!("{} has no server up", record.candidate.backend));
    question(record, now)
        .into_iter()
        .chain(closed(window, now))
        .chain(empty)
        .collect()
}

async fn measure(record: &Record, now: Timestamp, sources: &Sources<'_>) -> Measured {
    let why = match &sources.metrics {
        Ok((metrics, _)) if metrics.has_past() => match counted(*metrics, now).await {
            Ok(measured) => return measured,
            Err(why) => why,
        },
        Ok(_) => "the metric source has no past".to_owned(),
        Err(why) => why.clone(),
    };
    let Some(sampler) = sources.sampler else {
        return Measured::Unknown(why);
    };
    match timeout(PATIENCE, sampler.sample(SAMPLES)).await {
        Ok(Ok(names)) => {
            let ours = |name: &&String| [&record.candidate.backend, &record.candidate.version].contains(name);
            Measured::Sampled {
                candidate: names.iter().filter(ours).count(),
                all: names.len(),
            }
        }
        Ok(Err(error)) => Measured::Unknown(chain(&error)),
        Err(_) => Measured::Unknown(late(sampler.url())),
    }
}

async fn counted(metrics: &dyn Metrics, now: Timestamp) -> Result<Measured, String> {
    let begin = now.saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
    // A minute more for the baselines.
    let from = begin
        .saturating_sub(SignedDuration::from_mins(1))
        .unwrap_or(Timestamp::MIN);
    let samples = match timeout(PATIENCE, metrics.samples(from, now)).await {
        Ok(Ok(samples)) => samples,
        Ok(Err(error)) => return Err(chain(&error)),
        Err(_) => return Err(late("the metric source")),
    };
    let mut tally = Tally::new(begin, RECENT);
    tally.add(&samples);
    let until = tally
        .newest()
        .ok_or("the metric source has nothing of the last minutes")?;
    let looks = tally.close(now);
    let sum = |side: fn(&rollgate_domain::analysis::Look) -> f64| looks.iter().map(side).sum::<f64>();
    let (stable, candidate) = (
        sum(|look| look.stable.requests),
        sum(|look| look.candidate.requests),
    );
    Ok(Measured::Counted {
        candidate,
        all: stable + candidate,
        until,
    })
}

async fn judge(record: &Record, now: Timestamp, sources: &Sources<'_>) -> Result<Verdict, String> {
    if !record.is_active() {
        return Err("nothing is judged any more".to_owned());
    }
    let (metrics, settings) = match &sources.metrics {
        Ok((metrics, settings)) if metrics.has_past() => (*metrics, settings.clone()),
        Ok(_) => return kept(record, sources.journal),
        Err(why) => return Err(why.clone()),
    };
    let mut watcher = Watcher::new(metrics, settings, record, now);
    watcher.try_what_is_at(record, now);
    match timeout(PATIENCE, watcher.look(now)).await {
        Ok(verdict) => Ok(verdict),
        Err(_) => Err(late("the metric source")),
    }
}

/// The driver's last one, if its journal is here and of this rollout.
fn kept(record: &Record, journal: &Path) -> Result<Verdict, String> {
    let path = journal.join(VERDICT);
    let none = || {
        format!(
            "the metric source has no past, and no driver's verdict is in {}",
            journal.display()
        )
    };
    let text = fs::read_to_string(&path).map_err(|_| none())?;
    let verdict: Verdict =
        serde_json::from_str(&text).map_err(|error| format!("read {}: {error}", path.display()))?;
    if verdict.at < record.evidence.origin {
        return Err(none());
    }
    Ok(verdict)
}

fn late(who: impl std::fmt::Display) -> String {
    format!("{who} did not answer within {} s", PATIENCE.as_secs())
}
