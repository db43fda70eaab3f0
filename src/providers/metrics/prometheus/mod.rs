//! Prometheus, and what speaks its query API: Thanos, Mimir, VictoriaMetrics.
//!
//! Raw samples by an instant query of a range vector, never `rate()` or `increase()`, which extrapolate. Only a gauge may
//! be an expression.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>

mod answer;
mod expression;
mod native;
mod probe;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Url};
use rollgate_domain::analysis::{CheckSamples, Histogram, Samples, Series, Side};

use self::answer::{NativePoint, Point, Range, Row};
use self::expression::Gauge;
use self::window::{pieces, range_query};
use super::super::clock::Clock;
use super::histogram::{Bucket, histograms};
use super::pause::Pause;
use super::selectors::Selectors;
use super::series::{Labels, check_count, instance, key};
use super::{Access, Credentials, Measures, Metrics, Selector, http};

/// A source that takes longer is not one to judge by; Prometheus itself stops at 2 min.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// So many checks are asked for at once.
const ABREAST: usize = 8;

/// Room for six hours of some 1,700 series at 15 s, and a bound on memory.
const MAX_ANSWER: usize = 64 << 20;

/// Counters, histograms and gauges on one server.
pub struct Prometheus {
    client: Client,
    root: Url,
    /// The root as it may be printed.
    shown: String,
    version_label: String,
    stable: String,
    candidate: String,
    /// As the plan gives them.
    plain: Selectors,
    /// Of the two versions only.
    narrowed: Selectors,
    gauges: Vec<Gauge>,
    timeout: Duration,
    access: Access,
    pause: Pause,
}

/// Series under construction, by key.
type Collected = BTreeMap<String, Found>;

/// One series of one of the two versions.
struct Found {
    labels: Labels,
    side: Side,
    points: Vec<(Timestamp, f64)>,
}

/// What the numbers of a series may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Counter,
    Gauge,
}

impl Prometheus {
    /// A source that finds the two versions by the values `stable` and `candidate` of `version_label`.
    ///
    /// `url` is the server's root, with a path prefix and user:password if it has them; a request takes at
    /// most `timeout`.
    ///
    /// # Errors
    ///
    /// `url` is no address, or the versions cannot be told apart.
    pub fn new(
        url: &str,
        version_label: &str,
        measures: &Measures,
        stable: &str,
        candidate: &str,
        timeout: Duration,
    ) -> Result<Self> {
        let mut root = http::address(url).context("Prometheus")?;
        root.set_query(None);
        root.set_fragment(None);
        if stable.is_empty() || candidate.is_empty() {
            bail!("a version is empty: it would mean every series without the label {version_label}");
        }
        if stable == candidate {
            bail!("stable and candidate are both version {stable:?}: their series cannot be told apart");
        }
        let narrow = |name: &str, selector: &Selector| {
            if selector.names(version_label) {
                bail!(
                    "{name} ({selector}) selects by the version label {version_label}; rollgate adds that itself"
                );
            }
            selector
                .narrowed(version_label, &[stable, candidate])
                .with_context(|| format!("version label {version_label:?}"))
        };
        let gauges = measures.gauges.iter().map(|text| match text.parse() {
            Ok(selector) => narrow("gauge", &selector).map(Gauge::Series),
            // What is wrong with it the server says, when the plan is checked.
            Err(_) => Ok(Gauge::Expression(text.clone())),
        });
        let plain = Selectors::read(&Measures {
            gauges: Vec::new(),
            ..measures.clone()
        })?;
        Ok(Self {
            gauges: gauges.collect::<Result<_>>()?,
            client: http::client(timeout)?,
            shown: http::shown(&root),
            root,
            version_label: version_label.into(),
            stable: stable.into(),
            candidate: candidate.into(),
            narrowed: plain.map(&narrow)?,
            plain,
            timeout,
            access: Access::default(),
            pause: Pause::new(Clock::system()),
        })
    }

    /// The same source, for a server that wants more than its address.
    ///
    /// # Errors
    ///
    /// A header cannot be sent, or the certificate authority cannot be read.
    pub fn reached_by(self, access: &Access) -> Result<Self> {
        let client = http::client_with(self.timeout, access).context("Prometheus")?;
        Ok(Self {
            client,
            access: access.clone(),
            ..self
        })
    }

    async fn found(
        &self,
        selector: &Selector,
        sort: Sort,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Found>> {
        let mut collected = Collected::new();
        for (from, to) in pieces(from, to) {
            let query = range_query(selector, from, to);
            let rows: Vec<Range> = self.query(&query, to).await?;
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

    async fn series(
        &self,
        selector: &Selector,
        sort: Sort,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Series>> {
        Ok(self.named(self.found(selector, sort, from, to).await?))
    }

    fn named(&self, found: Vec<Found>) -> Vec<Series> {
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
    async fn latency(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Histogram>> {
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
        for (from, to) in pieces(from, to) {
            let query = range_query(selector, from, to);
            let rows: Vec<Range> = self.query(&query, to).await?;
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

    async fn gauges(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Vec<Series>>> {
        let asked = self.gauges.iter().map(async |gauge| match gauge {
            Gauge::Series(selector) => self.series(selector, Sort::Gauge, from, to).await,
            Gauge::Expression(text) => Ok(self.named(self.computed(text, from, to).await?)),
        });
        try_join_all(asked).await
    }

    async fn checks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<CheckSamples>> {
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
    fn collect(
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

    async fn query<R: Row>(&self, query: &str, at: Timestamp) -> Result<Vec<R>> {
        let at = at.to_string();
        let limit = format!("{}ms", self.timeout.as_millis());
        // Prometheus stops a query that nobody waits for any more; Thanos shall fail rather than leave a
        // store out. Who does not know a parameter ignores it.
        let form = [
            ("query", query),
            ("time", &at),
            ("timeout", &limit),
            ("partial_response", "false"),
        ];
        let asked = || format!("ask {} for {query} at {at}", self.shown);
        let body = self
            .fetch(self.client.post(self.endpoint(&["query"])).form(&form))
            .await
            .with_context(asked)?;
        answer::rows(&body).with_context(asked)
    }

    async fn metric_names(&self) -> Result<BTreeSet<String>> {
        let asked = || format!("ask {} for the names of its metrics", self.shown);
        let request = self.client.get(self.endpoint(&["label", "__name__", "values"]));
        let body = self.fetch(request).await.with_context(asked)?;
        answer::names(&body).map(BTreeSet::from_iter).with_context(asked)
    }

    async fn fetch(&self, request: RequestBuilder) -> Result<Vec<u8>> {
        self.pause.check()?;
        let reply = http::fetch(self.access.sign(request), MAX_ANSWER, self.timeout).await;
        let reply = reply.map_err(|error| self.name_authority(error))?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let refusal = reply.refusal_to(&answer::complaint(&reply.body), self.prove());
        Err(match self.pause.heed(&reply) {
            Some(until) => anyhow!("{refusal}; it asks for a pause until {until:.0}"),
            None => refusal,
        })
    }

    /// What to check when the server does not believe who asks.
    fn prove(&self) -> &'static str {
        match self.access.credentials {
            Some(Credentials::Token(_)) => "check PROMETHEUS_TOKEN",
            Some(Credentials::User { .. }) => "check PROMETHEUS_USER and PROMETHEUS_PASSWORD",
            None if !self.root.username().is_empty() => "check the user and password in the address",
            None => "set PROMETHEUS_TOKEN, or PROMETHEUS_USER and PROMETHEUS_PASSWORD",
        }
    }

    /// Says whose certificates are trusted, if the server's is signed by somebody else.
    fn name_authority(&self, error: anyhow::Error) -> anyhow::Error {
        if !error.is::<http::Distrusted>() {
            return error;
        }
        match &self.access.ca {
            Some(ca) => anyhow!(
                "{error}; only the authority in {} is trusted, check that it has signed it",
                ca.display()
            ),
            None => anyhow!("{error}; name its authority with `ca` in the plan"),
        }
    }

    fn endpoint(&self, path: &[&str]) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }
}

#[async_trait::async_trait]
impl Metrics for Prometheus {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let Selectors { requests, errors, .. } = &self.narrowed;
        let (requests, errors, latency, gauges, checks) = tokio::try_join!(
            self.series(requests, Sort::Counter, from, to),
            self.series(errors, Sort::Counter, from, to),
            self.latency(from, to),
            self.gauges(from, to),
            self.checks(from, to)
        )?;
        Ok(Samples {
            requests,
            errors,
            latency,
            checks,
            gauges,
        })
    }

    fn has_past(&self) -> bool {
        true
    }

    async fn probe(&self, now: Timestamp) -> Result<()> {
        self.fits(now).await?;
        self.check_expressions(now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn measures() -> Measures {
        Measures {
            requests: "up".into(),
            errors: "up{code=~\"5..\"}".into(),
            ..Measures::default()
        }
    }

    fn source(url: &str, label: &str, stable: &str, candidate: &str) -> Result<Prometheus> {
        Prometheus::new(url, label, &measures(), stable, candidate, TIMEOUT)
    }

    fn row(version: &str, values: &[(i64, f64)]) -> Range {
        let metric = [("__name__", "up"), ("version", version), ("instance", "a:1")];
        Range {
            metric: metric.map(|(label, value)| (label.into(), value.into())).into(),
            values: values
                .iter()
                .map(|(second, value)| Point(at(*second), *value))
                .collect(),
            histograms: None,
        }
    }

    #[test]
    fn only_samples_of_the_two_versions_inside_the_window_count() {
        let source = source("http://h", "version", "v1", "v2").unwrap();
        let mut collected = Collected::new();
        for row in [
            row("v1", &[(10, 1.0), (11, 2.0), (20, 4.0), (21, 5.0)]),
            row("v2", &[(15, 7.0)]),
            row("v3", &[(15, 9.0)]),
        ] {
            source
                .collect(&mut collected, row, Sort::Counter, at(10), at(20))
                .unwrap();
        }
        // The next piece of the window goes on where this one ends.
        let rest = row("v1", &[(20, 4.0), (21, 5.0)]);
        source
            .collect(&mut collected, rest, Sort::Counter, at(20), at(30))
            .unwrap();

        let series: Vec<_> = collected
            .into_values()
            .map(|found| (key(&found.labels), found.side, found.points))
            .collect();
        assert_eq!(
            series,
            [
                (
                    r#"up{instance="a:1",version="v1"}"#.to_owned(),
                    Side::Stable,
                    vec![(at(11), 2.0), (at(20), 4.0), (at(21), 5.0)],
                ),
                (
                    r#"up{instance="a:1",version="v2"}"#.to_owned(),
                    Side::Candidate,
                    vec![(at(15), 7.0)],
                ),
            ]
        );
    }

    #[test]
    fn samples_that_no_counter_has_are_refused() {
        let source = source("http://h", "version", "v1", "v2").unwrap();
        let collect = |row| {
            let error = source
                .collect(&mut Collected::new(), row, Sort::Counter, at(0), at(20))
                .unwrap_err();
            format!("{error:#}")
        };
        let series = r#"up{instance="a:1",version="v1"}"#;
        assert_eq!(
            collect(row("v1", &[(1, f64::INFINITY)])),
            format!("{series} at 1970-01-01T00:00:01Z: inf is no value of a counter")
        );
        assert_eq!(
            collect(row("v1", &[(2, 1.0), (2, 2.0)])),
            format!("{series}: the sample of 1970-01-01T00:00:02Z comes after that of 1970-01-01T00:00:02Z")
        );
        let histogram = Range {
            histograms: Some(Vec::new()),
            ..row("v1", &[])
        };
        assert_eq!(
            collect(histogram),
            format!("{series} is a native histogram, not a counter")
        );
    }

    #[test]
    fn a_source_that_cannot_work_is_refused_at_once() {
        let refused = |url, label, stable, candidate| {
            source(url, label, stable, candidate)
                .map(|_| ())
                .map_err(|error| format!("{error:#}"))
                .unwrap_err()
        };
        for (found, expected) in [
            (
                refused("ftp://me:secret@h", "version", "a", "b"),
                "Prometheus: the address begins with ftp:, expected http:// or https://",
            ),
            (
                refused("http://h", "version", "a", "a"),
                r#"stable and candidate are both version "a": their series cannot be told apart"#,
            ),
            (
                refused("http://h", "version", "a", ""),
                "a version is empty: it would mean every series without the label version",
            ),
            (
                refused("http://h", "a.b", "a", "b"),
                r#"version label "a.b": column 2: found `.`, expected a label name"#,
            ),
            (
                refused("http://h", "code", "a", "b"),
                r#"errors (up{code=~"5.."}) selects by the version label code; rollgate adds that itself"#,
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_path_prefix_is_kept() {
        for root in ["http://h/prom", "http://h/prom/", "http://h/prom?x=1#y"] {
            let source = source(root, "version", "a", "b").unwrap();
            assert_eq!(source.endpoint(&["query"]).as_str(), "http://h/prom/api/v1/query");
        }
        let source = source("http://h", "version", "a", "b").unwrap();
        assert_eq!(source.endpoint(&["query"]).as_str(), "http://h/api/v1/query");
    }
}
