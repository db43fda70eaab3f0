//! Datadog's metrics, by its query API.
//!
//! Datadog itself takes the differences, so its counts are increments, in intervals of 20 s: every agent has sent by then
//! (each 10 s or 15 s), and a page of 300 points is an hour and a half. A few queries share a request; an organisation
//! may ask 1,600 times an hour.
//!
//! Source: <https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points>

mod answer;
mod probe;
mod query;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use rollgate_domain::analysis::{Samples, Side};
use secrecy::SecretString;

use self::answer::{Answer, Row, complaint, rows};
use self::query::{Ask, Query, Scope, tag_value};
use super::hosted::{Hosted, secret};
use super::intervals::{Counted, Grain, Stretch, Who, count, note};
use super::measured::Measured;
use super::{Measures, Metrics, Pace};

/// Datadog answers within seconds, or not in time for a judgement.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

const GRAIN: Grain = Grain::of_seconds(20);

/// So many points of a series in one answer: above 350 Datadog makes longer intervals of them.
const MOST: i64 = 300;

/// So long a query may be; it travels in an address.
const LONGEST: usize = 3000;

/// The keys of an organisation.
pub struct Keys {
    /// Of the organisation.
    pub api: SecretString,
    /// Of whoever asks; it needs the permission `timeseries_query`.
    pub app: SecretString,
}

/// What series are told apart by.
pub struct Tags {
    /// The version.
    pub version: String,
    /// The process, or what comes close.
    pub instance: String,
}

/// Counters, distributions and gauges at Datadog.
pub struct Datadog {
    hosted: Hosted,
    keys: [HeaderValue; 2],
    instance_tag: String,
    by: Option<String>,
    scope: Scope,
    bounds: Vec<f64>,
    measured: Measured<Query>,
}

impl Datadog {
    /// How Datadog keeps time. A minute is what it recommends to wait before counters are divided by each other.
    ///
    /// Source: <https://docs.datadoghq.com/monitors/configuration/#evaluation-delay>
    pub const PACE: Pace = Pace {
        grain: GRAIN.span(),
        lag: SignedDuration::from_secs(60),
    };

    /// A source that finds the two `versions`, stable's and the candidate's, by a tag.
    ///
    /// `url` is the site's API; a request takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// A measure is no metric with its tags, or the versions cannot be told apart.
    pub fn new(
        url: &str,
        keys: Keys,
        tags: Tags,
        latency_bounds: &[f64],
        measures: &Measures,
        versions: [&str; 2],
        timeout: Duration,
    ) -> Result<Self> {
        let Tags { version, instance } = tags;
        let [stable, candidate] = versions.map(tag_value);
        if stable.is_empty() || candidate.is_empty() {
            bail!("a version is empty: Datadog keeps no tag {version} without a value");
        }
        if stable == candidate {
            bail!(
                "stable and candidate are both version {stable:?} as Datadog writes tags: their series cannot be told \
                 apart"
            );
        }
        let Keys { api, app } = keys;
        Ok(Self {
            hosted: Hosted::new("Datadog", url, "DD_API_KEY, DD_APP_KEY and the site", timeout)?,
            keys: [secret("DD_API_KEY", &api)?, secret("DD_APP_KEY", &app)?],
            measured: Measured::read(measures, &|text| read(text, &version), &|text| {
                read(text, &version)
            })?,
            by: measures.by.clone(),
            scope: Scope {
                by: vec![version.clone(), instance.clone()],
                version_tag: version,
                versions: [stable, candidate],
            },
            instance_tag: instance,
            bounds: latency_bounds.to_vec(),
        })
    }

    /// All numbers of `asked`, in its order, in whole intervals.
    async fn counted(&self, asked: &[(Ask, String)], from: Timestamp, to: Timestamp) -> Result<Vec<Counted>> {
        let mut counted = vec![Counted::new(); asked.len()];
        for stretch in GRAIN.pieces(from, to, MOST) {
            for part in parts(asked) {
                let queries: Vec<&str> = asked[part.clone()]
                    .iter()
                    .map(|(_, text)| text.as_str())
                    .collect();
                let found = self.rows(&queries, stretch.begin, stretch.end).await?;
                for row in found {
                    let place = part.start + row.query_index;
                    let (Some(into), true) = (counted.get_mut(place), part.contains(&place)) else {
                        bail!(
                            "{} answered to query {} of {}",
                            self.hosted.name,
                            row.query_index,
                            part.len()
                        );
                    };
                    let (ask, text) = &asked[place];
                    self.collect(into, *ask, &row, stretch)
                        .with_context(|| format!("read what {} answered to {text}", self.hosted.name))?;
                }
            }
        }
        Ok(counted)
    }

    /// Adds the numbers of one series of one of the two versions.
    fn collect(&self, into: &mut Counted, ask: Ask, row: &Row, stretch: Stretch) -> Result<()> {
        row.check_interval(GRAIN.seconds())?;
        let tags = row.tags()?;
        let tag = &self.scope.version_tag;
        let Some(version) = tags.get(tag.as_str()) else {
            let others: Vec<&str> = tags.keys().copied().collect();
            bail!(
                "a series has no tag {tag}, only {}; tag what the service sends with its version, or name its tag in \
                 `metrics.datadog.version-tag`",
                super::series::list(&others)
            );
        };
        let [stable, candidate] = &self.scope.versions;
        let side = match tag_value(version) {
            version if version == *stable => Side::Stable,
            version if version == *candidate => Side::Candidate,
            _ => return Ok(()),
        };
        let value = |tag: &str| tags.get(tag).copied().unwrap_or_default().to_owned();
        let who = Who {
            side,
            instance: value(&self.instance_tag),
            group: self.by.as_deref().map(value).unwrap_or_default(),
        };
        for (end, value) in row.points(stretch)? {
            match ask {
                Ask::Max => note(into, who.clone(), end, value)?,
                Ask::Sum | Ask::Count | Ask::AtMost(_) => count(into, who.clone(), end, value)?,
            }
        }
        Ok(())
    }

    async fn rows(&self, queries: &[&str], from: i64, to: i64) -> Result<Vec<Row>> {
        let query = queries.join(",");
        let asked = || format!("ask {} for {query} from {from} to {to}", self.hosted.name);
        let request = self
            .hosted
            .client
            .get(self.hosted.endpoint(&["api", "v1", "query"]))
            .query(&[
                ("from", from.to_string().as_str()),
                ("to", to.to_string().as_str()),
                ("query", query.as_str()),
            ]);
        let answer: Answer = self
            .hosted
            .ask(self.signed(request), complaint)
            .await
            .with_context(asked)?;
        rows(answer).with_context(asked)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        let [api, app] = &self.keys;
        request
            .header("DD-API-KEY", api.clone())
            .header("DD-APPLICATION-KEY", app.clone())
    }

    /// Everything that is measured, as queries: requests, errors, checks, gauges, then the latency.
    fn asked(&self) -> Vec<(Ask, String)> {
        let Measured {
            requests,
            errors,
            latency,
            gauges,
            checks,
        } = &self.measured;
        let grain = GRAIN.seconds();
        let grouped = Scope {
            by: self.scope.by.iter().cloned().chain(self.by.clone()).collect(),
            ..self.scope.clone()
        };
        let mut asked = vec![
            (Ask::Sum, requests.asked(Ask::Sum, &grouped, grain)),
            (Ask::Sum, errors.asked(Ask::Sum, &grouped, grain)),
        ];
        let mut ask = |query: &Query, ask: Ask| asked.push((ask, query.asked(ask, &self.scope, grain)));
        for query in checks.iter().flatten() {
            ask(query, Ask::Sum);
        }
        for query in gauges {
            ask(query, Ask::Max);
        }
        if let Some(query) = latency {
            ask(query, Ask::Count);
            for bound in &self.bounds {
                ask(query, Ask::AtMost(*bound));
            }
        }
        asked
    }
}

#[async_trait::async_trait]
impl Metrics for Datadog {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let counted = self.counted(&self.asked(), from, to).await?;
        self.measured
            .samples(counted, &self.bounds, |_, _, at_most| Ok(at_most))
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
fn read(text: &str, version_tag: &str) -> Result<Query> {
    let query = Query::read(text)?;
    if query.names(version_tag) {
        bail!("{text} filters by the tag {version_tag}; rollgate adds that itself");
    }
    Ok(query)
}

/// Which queries share a request.
fn parts(asked: &[(Ask, String)]) -> Vec<std::ops::Range<usize>> {
    let (mut parts, mut start, mut length) = (Vec::new(), 0, 0);
    for (place, (_, text)) in asked.iter().enumerate() {
        if place > start && length + text.len() > LONGEST {
            parts.push(start..place);
            (start, length) = (place, 0);
        }
        length += text.len() + 1;
    }
    if start < asked.len() {
        parts.push(start..asked.len());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(measures: &Measures, versions: [&str; 2]) -> String {
        let keys = Keys {
            api: "a".into(),
            app: "b".into(),
        };
        let tags = Tags {
            version: "version".to_owned(),
            instance: "host".to_owned(),
        };
        match Datadog::new(
            "https://api.datadoghq.eu",
            keys,
            tags,
            &[],
            measures,
            versions,
            TIMEOUT,
        ) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("{error:#}"),
        }
    }

    fn measures(requests: &str) -> Measures {
        Measures {
            requests: requests.to_owned(),
            errors: "e".to_owned(),
            ..Measures::default()
        }
    }

    #[test]
    fn a_source_that_cannot_work_is_refused_at_once() {
        for (requests, versions, expected) in [
            (
                "r",
                ["V1", "v1"],
                "stable and candidate are both version \"v1\" as Datadog writes tags: their series cannot be told apart",
            ),
            (
                "r",
                ["a", ""],
                "a version is empty: Datadog keeps no tag version without a value",
            ),
            (
                "r{version:a}",
                ["a", "b"],
                "metrics.requests in the plan: r{version:a} filters by the tag version; rollgate adds that itself",
            ),
        ] {
            assert_eq!(refused(&measures(requests), versions), expected);
        }
    }

    #[test]
    fn long_queries_are_asked_in_several_requests() {
        let asked = |length: usize| (Ask::Sum, "q".repeat(length));
        assert_eq!(
            parts(&[asked(1000), asked(1000), asked(1000), asked(10)]),
            [0..2, 2..4]
        );
        assert_eq!(parts(&[asked(4000), asked(1)]), [0..1, 1..2]);
        assert!(parts(&[]).is_empty());
    }
}
