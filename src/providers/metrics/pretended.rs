//! Stable alone, one of its instances in the part of the candidate: whatever is found then is a false alarm.

use anyhow::Result;
use jiff::Timestamp;
use rollgate_domain::analysis::{CheckSamples, Samples, Series, Side};

use super::Metrics;

/// A source in which `instance` of stable plays the candidate. The real candidate is left out.
pub struct Pretended<'a> {
    source: &'a dyn Metrics,
    instance: String,
}

impl<'a> Pretended<'a> {
    /// `instance` as the source names it.
    #[must_use]
    pub fn new(source: &'a dyn Metrics, instance: &str) -> Self {
        Self {
            source,
            instance: instance.to_owned(),
        }
    }

    /// The part of a series, by the version and the process that it is of.
    fn side(&self, side: Side, instance: &str) -> Option<Side> {
        match side {
            Side::Candidate => None,
            Side::Stable if instance == self.instance => Some(Side::Candidate),
            Side::Stable => Some(Side::Stable),
        }
    }

    fn series(&self, all: Vec<Series>) -> Vec<Series> {
        let cast = all.into_iter().filter_map(|series| {
            let side = self.side(series.side, &series.instance)?;
            Some(Series { side, ..series })
        });
        cast.collect()
    }
}

#[async_trait::async_trait]
impl Metrics for Pretended<'_> {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let Samples {
            requests,
            errors,
            latency,
            checks,
            gauges,
        } = self.source.samples(from, to).await?;
        let latency = latency.into_iter().filter_map(|mut histogram| {
            histogram.side = self.side(histogram.side, &histogram.instance)?;
            Some(histogram)
        });
        let checks = checks
            .into_iter()
            .map(|CheckSamples { good, total }| CheckSamples {
                good: self.series(good),
                total: self.series(total),
            });
        Ok(Samples {
            requests: self.series(requests),
            errors: self.series(errors),
            latency: latency.collect(),
            checks: checks.collect(),
            gauges: gauges.into_iter().map(|gauge| self.series(gauge)).collect(),
        })
    }

    fn has_past(&self) -> bool {
        self.source.has_past()
    }
}
