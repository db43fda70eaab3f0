//! Prometheus, and what speaks its query API: Thanos, Mimir, VictoriaMetrics.
//!
//! Raw samples by an instant query of a range vector, never `rate()` or `increase()`, which extrapolate. Only a gauge may
//! be an expression.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>

mod answer;
mod collect;
mod expression;
mod native;
mod probe;
mod window;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Url};
use rollgate_domain::analysis::Samples;

use self::answer::Row;
use self::collect::Sort;
use self::expression::Gauge;
use super::super::clock::Clock;
use super::pause::Pause;
use super::selectors::Selectors;
use super::{Access, Credentials, Measures, Metrics, Selector, http};

/// A source that takes longer is not one to judge by; Prometheus itself stops at 2 min.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

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
mod tests;
