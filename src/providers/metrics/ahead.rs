//! A source with a past that is asked for hours at once, for whoever goes through that past look after look.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use jiff::Timestamp;
use rollgate_domain::analysis::{CheckSamples, Histogram, Samples, Series};

use super::{Metrics, PIECE};

/// Answers from what was fetched.
pub struct Ahead<'a> {
    source: &'a dyn Metrics,
    /// Nothing later is asked for.
    end: Timestamp,
    fetched: Mutex<Option<Fetched>>,
}

struct Fetched {
    from: Timestamp,
    to: Timestamp,
    samples: Samples,
}

impl<'a> Ahead<'a> {
    /// The same source, up to `end`.
    #[must_use]
    pub fn of(source: &'a dyn Metrics, end: Timestamp) -> Self {
        Self {
            source,
            end,
            fetched: Mutex::default(),
        }
    }

    /// What was fetched of this stretch, if all of it was.
    fn known(&self, from: Timestamp, to: Timestamp) -> Option<Samples> {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let Fetched {
            from: since,
            to: until,
            samples,
        } = fetched.as_ref()?;
        (*since <= from && to <= *until).then(|| part(samples, from, to))
    }
}

#[async_trait::async_trait]
impl Metrics for Ahead<'_> {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        if let Some(samples) = self.known(from, to) {
            return Ok(samples);
        }
        let ahead = from.checked_add(PIECE).unwrap_or(self.end).min(self.end).max(to);
        let samples = self.source.samples(from, ahead).await?;
        let asked = part(&samples, from, to);
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fetched {
            from,
            to: ahead,
            samples,
        });
        Ok(asked)
    }

    fn has_past(&self) -> bool {
        self.source.has_past()
    }
}

/// The points with `from < t <= to`, of the series that have some.
pub(super) fn part(samples: &Samples, from: Timestamp, to: Timestamp) -> Samples {
    let Samples {
        requests,
        errors,
        latency,
        checks,
        gauges,
    } = samples;
    let series = |all: &[Series]| -> Vec<Series> {
        let cut = all.iter().filter_map(|series| {
            let points = within(&series.points, from, to);
            (!points.is_empty()).then(|| Series {
                key: series.key.clone(),
                instance: series.instance.clone(),
                side: series.side,
                kind: series.kind,
                group: series.group.clone(),
                points: points.to_vec(),
            })
        });
        cut.collect()
    };
    let histograms = latency.iter().filter_map(|histogram| {
        let points = within(&histogram.points, from, to);
        (!points.is_empty()).then(|| Histogram {
            key: histogram.key.clone(),
            instance: histogram.instance.clone(),
            side: histogram.side,
            kind: histogram.kind,
            points: points.to_vec(),
        })
    });
    Samples {
        requests: series(requests),
        errors: series(errors),
        latency: histograms.collect(),
        checks: checks
            .iter()
            .map(|check| CheckSamples {
                good: series(&check.good),
                total: series(&check.total),
            })
            .collect(),
        gauges: gauges.iter().map(|gauge| series(gauge)).collect(),
    }
}

fn within<T>(points: &[(Timestamp, T)], from: Timestamp, to: Timestamp) -> &[(Timestamp, T)] {
    let begin = points.partition_point(|(time, _)| *time <= from);
    let end = points.partition_point(|(time, _)| *time <= to);
    points.get(begin..end).unwrap_or_default()
}
