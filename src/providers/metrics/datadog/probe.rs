//! Whether a plan fits what Datadog has, asked once before a rollout begins.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::{SignedDuration, Timestamp};

use super::super::series::{list, missing};
use super::answer::{Names, Row, complaint};
use super::query::{Ask, Query, tag_value};
use super::{Datadog, GRAIN, MOST};

/// What had no point for so long is taken for gone.
const LATELY: SignedDuration = SignedDuration::from_secs(3600);

impl Datadog {
    pub(super) async fn fits(&self, now: Timestamp) -> Result<()> {
        let requests = &self.measured.requests;
        let seen = self.of_all_versions(requests, Ask::Sum, now).await?;
        let mut versions = BTreeSet::new();
        for row in &seen {
            if let Some(version) = row.tags()?.get(self.scope.version_tag.as_str()) {
                versions.insert(tag_value(version));
            }
        }
        let [stable, _] = &self.scope.versions;
        if !versions.contains(stable) {
            return Err(self.nothing_of_stable(&seen, &versions, now).await);
        }
        self.knows_durations(now).await
    }

    /// Without percentiles a distribution counts no values up to a bound, and every request would look slow.
    async fn knows_durations(&self, now: Timestamp) -> Result<()> {
        let (Some(latency), Some(longest)) = (&self.measured.latency, self.bounds.last()) else {
            return Ok(());
        };
        if self.of_all_versions(latency, Ask::Count, now).await?.is_empty() {
            bail!("{latency} had no point in the last hour; `metrics.latency` is a distribution of seconds");
        }
        if self
            .of_all_versions(latency, Ask::AtMost(*longest), now)
            .await?
            .is_empty()
        {
            bail!(
                "{latency} has values, and none of them is at most {longest}: enable percentiles for it in Datadog's \
                 Metrics Summary, and see that its unit is the second"
            );
        }
        Ok(())
    }

    async fn of_all_versions(&self, query: &Query, ask: Ask, now: Timestamp) -> Result<Vec<Row>> {
        let text = query.of_all_versions(ask, &self.scope.version_tag, GRAIN.seconds());
        let mut found = Vec::new();
        for stretch in GRAIN.pieces(now - LATELY, now, MOST) {
            found.extend(self.rows(&[&text], stretch.begin, stretch.end).await?);
        }
        found.retain(|row: &Row| row.pointlist.iter().any(|(_, value)| value.is_some()));
        Ok(found)
    }

    async fn nothing_of_stable(
        &self,
        seen: &[Row],
        versions: &BTreeSet<String>,
        now: Timestamp,
    ) -> anyhow::Error {
        let requests = &self.measured.requests;
        let tag = &self.scope.version_tag;
        let [stable, _] = &self.scope.versions;
        if seen.is_empty() {
            return match self.names(now).await {
                Ok(names) if names.contains(&requests.metric) => anyhow!(
                    "{} is there, but {requests} had no point in the last hour; check its tags",
                    requests.metric
                ),
                Ok(names) => anyhow!(
                    "{}: {}",
                    self.hosted.name,
                    missing("metric", &requests.metric, &names)
                ),
                Err(error) => error.context(format!("{requests} had no point in the last hour")),
            };
        }
        if versions.is_empty() {
            return anyhow!(
                "no series of {requests} has the tag {tag}; tag what the service sends with its version, or name its tag \
                 in `metrics.datadog.version-tag`"
            );
        }
        let versions: Vec<_> = versions.iter().map(String::as_str).collect();
        anyhow!(
            "no series of {requests} has {tag} {stable}, the stable version; {tag} is {}",
            list(&versions)
        )
    }

    /// All metrics that had a point in the last hour.
    ///
    /// Source: <https://docs.datadoghq.com/api/latest/metrics/#get-active-metrics-list>
    async fn names(&self, now: Timestamp) -> Result<BTreeSet<String>> {
        let from = (now - LATELY).as_second().to_string();
        let request = self
            .hosted
            .client
            .get(self.hosted.endpoint(&["api", "v1", "metrics"]))
            .query(&[("from", from)]);
        let names: Names = self
            .hosted
            .ask(self.signed(request), complaint)
            .await
            .with_context(|| format!("ask {} for the names of its metrics", self.hosted.name))?;
        Ok(names.metrics.into_iter().collect())
    }
}
