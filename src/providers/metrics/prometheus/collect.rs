//! What is measured, gathered from the server's answers: raw samples of series, histograms, gauges and checks.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{CheckSamples, Histogram, Series, Side};

use super::super::Selector;
use super::super::histogram::{Bucket, histograms};
use super::super::http::TooLarge;
use super::super::series::{Labels, check_count, instance, key};
use super::Prometheus;
use super::answer::{self, NativePoint, Point, Range};
use super::expression::Gauge;
use super::window::{pieces, range_query};

/// So many checks are asked for at once.
const ABREAST: usize = 8;

/// A piece that is as short as this and still too large is too large.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// Series under construction, by key.
pub(super) type Collected = BTreeMap<String, Found>;

/// One series of one of the two versions.
pub(super) struct Found {
    pub(super) labels: Labels,
    pub(super) side: Side,
    pub(super) points: Vec<(Timestamp, f64)>,
}

/// What the numbers of a series may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Counter,
    Gauge,
}

/// What was answered for one stretch of time.
struct Answer {
    from: Timestamp,
    to: Timestamp,
    query: String,
    rows: Vec<Range>,
}

impl Prometheus {
    /// The samples of a selector, piece by piece. A piece of which the answer is too large is asked for in halves: a
    /// service may have grown since its rollout began, and nobody is to go blind over that.
    async fn answers(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Vec<Answer>> {
        let mut left: Vec<_> = pieces(from, to).collect();
        left.reverse();
        let mut answers = Vec::new();
        while let Some((from, to)) = left.pop() {
            let query = range_query(selector, from, to);
            let length = to.duration_since(from);
            match self.query(&query, to).await {
                Ok(rows) => answers.push(Answer {
                    from,
                    to,
                    query,
                    rows,
                }),
                Err(error) if length > SHORTEST && error.chain().any(|cause| cause.is::<TooLarge>()) => {
                    let middle = from + length / 2;
                    left.extend([(middle, to), (from, middle)]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    async fn found(
        &self,
        selector: &Selector,
        sort: Sort,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Found>> {
        let mut collected = Collected::new();
        for answer in self.answers(selector, from, to).await? {
            let Answer {
                from,
                to,
                query,
                rows,
            } = answer;
            for row in rows {
                self.collect(&mut collected, row, sort, from, to)
                    .with_context(|| format!("read what {} answered to {query}", self.shown))?;
            }
        }
        Ok(collected
            .into_values()
            .filter(|found| !found.points.is_empty())
            .collect())
    }

    pub(super) async fn series(
        &self,
        selector: &Selector,
        sort: Sort,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Series>> {
        Ok(self.named(self.found(selector, sort, from, to).await?))
    }

    pub(super) fn named(&self, found: Vec<Found>) -> Vec<Series> {
        let by = self.narrowed.by.as_deref();
        let series = |Found { labels, side, points }| Series {
            key: key(&labels),
            instance: instance(&labels).into(),
            side,
            group: by.and_then(|by| labels.get(by)).cloned().unwrap_or_default(),
            points,
            ..Series::default()
        };
        found.into_iter().map(series).collect()
    }

    /// The classic histogram's buckets, or where there are none the native one.
    pub(super) async fn latency(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Histogram>> {
        let Some(selector) = &self.narrowed.latency else {
            return Ok(Vec::new());
        };
        let buckets = selector.suffixed("_bucket");
        let found = self.found(&buckets, Sort::Counter, from, to).await?;
        if found.is_empty() {
            return self.native(selector, from, to).await;
        }
        let bucket = |Found { labels, side, points }| Bucket {
            instance: instance(&labels).into(),
            labels,
            side,
            points,
        };
        histograms(found.into_iter().map(bucket).collect())
            .with_context(|| format!("read what {} answered to {buckets}", self.shown))
    }

    async fn native(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Vec<Histogram>> {
        let mut collected: BTreeMap<String, Histogram> = BTreeMap::new();
        for answer in self.answers(selector, from, to).await? {
            let Answer {
                from,
                to,
                query,
                rows,
            } = answer;
            for row in rows {
                let Range {
                    metric,
                    values,
                    histograms,
                } = row;
                let read = || format!("read what {} answered to {query}", self.shown);
                if !values.is_empty() {
                    let told = anyhow!("{} is no histogram: it has plain numbers", key(&metric));
                    return Err(told.context(read()));
                }
                let Some(side) = self.side(&metric) else { continue };
                let new = || Histogram {
                    key: key(&metric),
                    instance: instance(&metric).into(),
                    side,
                    ..Histogram::default()
                };
                let points = &mut collected.entry(key(&metric)).or_insert_with(new).points;
                for NativePoint(seconds, sample) in histograms.unwrap_or_default() {
                    let time = answer::time(seconds).with_context(read)?;
                    if from < time && time <= to {
                        points.push((time, sample.distribution()));
                    }
                }
            }
        }
        Ok(collected.into_values().collect())
    }

    fn side(&self, metric: &Labels) -> Option<Side> {
        match metric.get(&self.version_label) {
            Some(version) if *version == self.stable => Some(Side::Stable),
            Some(version) if *version == self.candidate => Some(Side::Candidate),
            _ => None,
        }
    }

    pub(super) async fn gauges(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Vec<Series>>> {
        let asked = self.gauges.iter().map(async |gauge| match gauge {
            Gauge::Series(selector) => self.series(selector, Sort::Gauge, from, to).await,
            Gauge::Expression(text) => Ok(self.named(self.computed(text, from, to).await?)),
        });
        try_join_all(asked).await
    }

    pub(super) async fn checks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<CheckSamples>> {
        let asked: Vec<BoxFuture<'_, Result<CheckSamples>>> = self
            .narrowed
            .checks
            .iter()
            .map(|check| self.check(check, from, to).boxed())
            .collect();
        // A few at a time: 200 checks must not be 400 connections.
        stream::iter(asked).buffered(ABREAST).try_collect().await
    }

    async fn check(
        &self,
        [good, total]: &[Selector; 2],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<CheckSamples> {
        let (good, total) = tokio::try_join!(
            self.series(good, Sort::Counter, from, to),
            self.series(total, Sort::Counter, from, to)
        )?;
        Ok(CheckSamples { good, total })
    }

    /// Adds the samples of one series with `from < t <= to`; Prometheus' own range may include `from`.
    pub(super) fn collect(
        &self,
        into: &mut Collected,
        row: Range,
        sort: Sort,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<()> {
        let Range {
            metric,
            values,
            histograms,
        } = row;
        let key = key(&metric);
        if histograms.is_some() {
            bail!("{key} is a native histogram, not a counter");
        }
        let Some(side) = self.side(&metric) else {
            return Ok(());
        };
        let new = || Found {
            labels: metric,
            side,
            points: Vec::new(),
        };
        let points = &mut into.entry(key.clone()).or_insert_with(new).points;
        points.reserve(values.len());
        for Point(time, value) in values {
            if time <= from || time > to {
                continue;
            }
            if let Some((last, _)) = points.last()
                && *last >= time
            {
                bail!("{key}: the sample of {time} comes after that of {last}");
            }
            if sort == Sort::Counter {
                check_count(value).with_context(|| format!("{key} at {time}"))?;
            }
            points.push((time, value));
        }
        Ok(())
    }
}
