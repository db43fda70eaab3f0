//! Amazon CloudWatch's metrics, by `GetMetricData`.
//!
//! A metric is found by exactly its dimensions, so each version is a query of its own, and processes are not told apart.
//! CloudWatch sums in periods of a minute, so its counts are increments.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html> and, for the form of
//! a request, <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html>

mod answer;
mod metric;
mod probe;
mod sign;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{Samples, Side};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::answer::{Page, Results, complaint};
use self::metric::{Metric, Stat};
pub use self::sign::Credentials;
use self::sign::{Request, amz_date, authorization};
use super::hosted::{Hosted, secret};
use super::intervals::{Counted, Grain, Stretch, Who, count, note};
use super::measured::{Measured, UpTo};
use super::{Measures, Metrics, Pace};

/// A page takes CloudWatch a second or two.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

const GRAIN: Grain = Grain::of_seconds(60);

/// A day at a time: 70 queries of it are the 100,800 points that a page has.
const MOST: i64 = 1440;

/// So many queries a request may have.
const QUERIES: usize = 500;

/// More pages than any request of ours has: a token that leads in a circle.
const PAGES: usize = 100;

/// The name by which requests are signed.
const SERVICE: &str = "monitoring";

/// Where the metrics are, and what versions are told apart by.
pub struct Place {
    /// `eu-west-1`.
    pub region: String,
    /// `Shop`.
    pub namespace: String,
    /// The dimension of the version.
    pub version: String,
}

/// Counters, values and gauges at CloudWatch.
pub struct CloudWatch {
    hosted: Hosted,
    host: String,
    credentials: Credentials,
    place: Place,
    stable: String,
    candidate: String,
    bounds: Vec<f64>,
    measured: Measured<Metric>,
}

impl CloudWatch {
    /// How CloudWatch keeps time. A metric's last minute may come two minutes late.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
    pub const PACE: Pace = Pace {
        grain: GRAIN.span(),
        lag: SignedDuration::from_secs(180),
    };

    /// The public address of a region.
    ///
    /// Source: <https://docs.aws.amazon.com/general/latest/gr/cw_region.html>
    #[must_use]
    pub fn endpoint(region: &str) -> String {
        let end = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://monitoring.{region}.amazonaws.com{end}")
    }

    /// A source that finds the two `versions`, stable's and the candidate's, by a dimension.
    ///
    /// `url` is the region's endpoint; a request takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// A measure is no metric with its dimensions, or the versions cannot be told apart.
    pub fn new(
        url: &str,
        credentials: Credentials,
        place: Place,
        latency_bounds: &[f64],
        measures: &Measures,
        versions: [&str; 2],
        timeout: Duration,
    ) -> Result<Self> {
        let [stable, candidate] = versions;
        if stable.is_empty() || candidate.is_empty() {
            bail!(
                "a version is empty: no dimension {} has an empty value",
                place.version
            );
        }
        if stable == candidate {
            bail!("stable and candidate are both version {stable:?}: their metrics cannot be told apart");
        }
        if measures.by.is_some() {
            bail!(
                "limits.error-rate.by cannot be judged with CloudWatch, which finds a metric by exactly its dimensions"
            );
        }
        let keys = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, whether they have expired, and that \
                    they may cloudwatch:GetMetricData and cloudwatch:ListMetrics";
        let hosted = Hosted::new("CloudWatch", url, keys, timeout)?;
        let host = hosted.root.host_str().unwrap_or_default();
        let host = match hosted.root.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            host,
            hosted,
            credentials,
            measured: Measured::read(measures, &|text| read(text, &place.version), &|text| {
                read(text, &place.version)
            })?,
            place,
            stable: stable.to_owned(),
            candidate: candidate.to_owned(),
            bounds: latency_bounds.to_vec(),
        })
    }

    /// The numbers of each metric in whole periods, of both versions.
    async fn counted(
        &self,
        asked: &[(Stat, &Metric)],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Counted>> {
        let sides = [(Side::Stable, &self.stable), (Side::Candidate, &self.candidate)];
        let all: Vec<_> = asked
            .iter()
            .enumerate()
            .flat_map(|(place, (stat, metric))| {
                sides.map(|(side, version)| (place, *stat, *metric, side, version))
            })
            .collect();
        let mut counted = vec![Counted::new(); asked.len()];
        for stretch in GRAIN.pieces(from, to, MOST) {
            for part in all.chunks(QUERIES) {
                let queries: Vec<_> = part
                    .iter()
                    .map(|(_, stat, metric, _, version)| (*stat, *metric, version.as_str()))
                    .collect();
                let found = self.points(&queries, stretch).await?;
                for ((place, stat, metric, side, _), points) in part.iter().zip(found) {
                    collect(&mut counted[*place], *stat, *side, &points, stretch).with_context(|| {
                        format!("read what {} answered for {stat} of {metric}", self.hosted.name)
                    })?;
                }
            }
        }
        Ok(counted)
    }

    /// The numbers of each query, from all pages.
    async fn points(
        &self,
        queries: &[(Stat, &Metric, &str)],
        stretch: Stretch,
    ) -> Result<Vec<Vec<(f64, f64)>>> {
        let ids: Vec<String> = (0..queries.len()).map(|place| format!("m{place}")).collect();
        let data: Vec<Value> = queries
            .iter()
            .zip(&ids)
            .map(|((stat, metric, version), id)| {
                let version = (self.place.version.as_str(), *version);
                metric.query(id, &self.place.namespace, version, *stat, GRAIN.seconds())
            })
            .collect();
        let mut body = json!({
            "MetricDataQueries": data,
            "StartTime": stretch.begin,
            "EndTime": stretch.end,
            "ScanBy": "TimestampAscending",
        });
        let asked = || {
            format!(
                "ask {} for {} metrics of {} from {} to {}",
                self.hosted.name,
                queries.len(),
                self.place.namespace,
                stretch.begin,
                stretch.end
            )
        };
        let mut results = Results::default();
        for _ in 0..PAGES {
            let page: Page = self.ask("GetMetricData", &body).await.with_context(asked)?;
            let next = page.next_token.clone();
            results.add(page).with_context(asked)?;
            match next {
                Some(token) => body["NextToken"] = token.into(),
                None => return results.complete(&ids).with_context(asked),
            }
        }
        bail!("{}: it has more than {PAGES} pages", asked());
    }

    async fn ask<T: DeserializeOwned>(&self, action: &str, body: &Value) -> Result<T> {
        let body = serde_json::to_vec(body)?;
        let date = amz_date(self.hosted.now());
        let target = format!("GraniteServiceVersion20100801.{action}");
        let token = self.credentials.session_token.as_ref();
        let token = token
            .map(|token| secret("AWS_SESSION_TOKEN", token))
            .transpose()?;
        let mut headers = vec![
            ("content-encoding", "amz-1.0"),
            ("content-type", "application/json"),
            ("host", self.host.as_str()),
            ("x-amz-date", date.as_str()),
            ("x-amz-target", target.as_str()),
        ];
        if let Some(token) = &token {
            headers.push(("x-amz-security-token", token.to_str()?));
        }
        let signed = Request {
            service: SERVICE,
            region: &self.place.region,
            headers: headers.clone(),
            body: &body,
        };
        let authorization = authorization(&self.credentials, &date, signed).into();
        let mut request = self
            .hosted
            .client
            .post(self.hosted.endpoint(&[]))
            .header("accept", "application/json")
            .header("authorization", secret("AWS_ACCESS_KEY_ID", &authorization)?);
        // The client sets the host itself.
        for (name, value) in headers
            .into_iter()
            .filter(|(name, _)| !["host", "x-amz-security-token"].contains(name))
        {
            request = request.header(name, value);
        }
        if let Some(token) = token {
            request = request.header("x-amz-security-token", token);
        }
        self.hosted.ask(request.body(body), complaint).await
    }

    /// Everything that is measured: requests, errors, checks, gauges, then the latency.
    fn asked(&self) -> Vec<(Stat, &Metric)> {
        let Measured {
            requests,
            errors,
            latency,
            gauges,
            checks,
        } = &self.measured;
        let durations = latency.iter().flat_map(|metric| {
            let up_to = self.bounds.iter().map(|bound| Stat::AtMost(*bound));
            std::iter::once(Stat::SampleCount)
                .chain(up_to)
                .map(move |stat| (stat, metric))
        });
        [(Stat::Sum, requests), (Stat::Sum, errors)]
            .into_iter()
            .chain(checks.iter().flatten().map(|metric| (Stat::Sum, metric)))
            .chain(gauges.iter().map(|metric| (Stat::Maximum, metric)))
            .chain(durations)
            .collect()
    }
}

#[async_trait::async_trait]
impl Metrics for CloudWatch {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let counted = self.counted(&self.asked(), from, to).await?;
        self.measured.samples(counted, &self.bounds, counts_of_ranks)
    }

    fn has_past(&self) -> bool {
        true
    }

    fn grain(&self) -> Option<SignedDuration> {
        Some(GRAIN.span())
    }

    async fn probe(&self, now: Timestamp) -> Result<()> {
        self.fits(now).await
    }
}

/// A measure of the plan.
fn read(text: &str, version: &str) -> Result<Metric> {
    let metric = Metric::read(text)?;
    if metric.names(version) {
        bail!("{text} has the dimension {version}; rollgate adds that itself");
    }
    Ok(metric)
}

/// Percent of the values become counts of them.
///
/// # Errors
///
/// There are values of which no percentage is known.
fn counts_of_ranks(metric: &Metric, total: &Counted, percent: UpTo) -> Result<UpTo> {
    for (who, points) in total {
        for (end, values) in points {
            let known = |(_, counted): &(f64, Counted)| {
                counted.get(who).is_some_and(|points| points.contains_key(end))
            };
            if !percent.is_empty() && !percent.iter().any(known) {
                bail!(
                    "{metric} has {values} values at {end}, and CloudWatch knows no percentile rank of them: publish \
                     single values, not statistic sets"
                );
            }
        }
    }
    let counts = |(bound, percent): (f64, Counted)| {
        let counted = percent.into_iter().map(|(who, points)| {
            let all = total.get(&who);
            let of = |end: &Timestamp| {
                all.and_then(|points| points.get(end))
                    .copied()
                    .unwrap_or_default()
            };
            let points: BTreeMap<_, _> = points
                .into_iter()
                .map(|(end, percent)| (end, (of(&end) * percent / 100.0).round()))
                .collect();
            (who, points)
        });
        (bound, counted.collect())
    };
    Ok(percent.into_iter().map(counts).collect())
}

/// Adds the numbers of one version. Percentages stay as they are: 0 is a number, too.
fn collect(
    into: &mut Counted,
    stat: Stat,
    side: Side,
    points: &[(f64, f64)],
    stretch: Stretch,
) -> Result<()> {
    let who = Who {
        side,
        ..Who::default()
    };
    for (begin, value) in points {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, and is then outside of the stretch"
        )]
        let Some(end) = stretch.end_of(begin.round() as i64)? else {
            continue;
        };
        match stat {
            Stat::Sum | Stat::SampleCount => count(into, who.clone(), end, *value)?,
            Stat::Maximum => note(into, who.clone(), end, *value)?,
            Stat::AtMost(_) if (0.0..=100.0).contains(value) => note(into, who.clone(), end, *value)?,
            Stat::AtMost(_) => bail!("{value} at {end} is no percentage"),
        }
    }
    Ok(())
}
