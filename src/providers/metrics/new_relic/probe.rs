//! Whether a plan fits what New Relic has, asked once before a rollout begins.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use jiff::{SignedDuration, Timestamp};

use super::super::series::{list, missing};
use super::NewRelic;
use super::answer::Row;
use super::nrql::{between, column};

/// What had no event for so long is taken for gone.
const LATELY: SignedDuration = SignedDuration::from_secs(3600);

impl NewRelic {
    pub(super) async fn fits(&self, now: Timestamp) -> Result<()> {
        let requests = &self.measured.requests;
        let seen = self
            .lately(&requests.of_all_versions(&self.scope.version), now)
            .await?;
        let versions: BTreeSet<_> = seen
            .iter()
            .filter_map(|row| row.facets().first().copied())
            .filter(|version| !version.is_empty())
            .collect();
        let [stable, _] = &self.scope.versions;
        if versions.contains(stable.as_str()) {
            return Ok(());
        }
        if versions.is_empty() {
            return Err(self.no_version(now).await);
        }
        let versions: Vec<_> = versions.into_iter().collect();
        Err(anyhow!(
            "no event {requests} of the last hour has {} {stable:?}, the stable version; it is {}",
            self.scope.version,
            list(&versions)
        ))
    }

    /// Why no version is known, from what there is.
    async fn no_version(&self, now: Timestamp) -> anyhow::Error {
        let (requests, version) = (&self.measured.requests, &self.scope.version);
        let some = match self.lately(&requests.all(), now).await {
            Ok(rows) => rows.iter().any(|row| {
                row.number(&column(0))
                    .is_ok_and(|number| number.is_some_and(|number| number > 0.0))
            }),
            Err(error) => return error,
        };
        if some {
            return anyhow!(
                "no event {requests} of the last hour has the attribute {version}; let the agent send it \
                 (NEW_RELIC_METADATA_SERVICE_VERSION), or name another in `metrics.new-relic.version-attribute`"
            );
        }
        // Source: <https://docs.newrelic.com/docs/nrql/nrql-syntax-clauses-functions/#show-event-types>
        match self.lately("SHOW EVENT TYPES", now).await {
            Ok(rows) => {
                let types: BTreeSet<_> = rows.into_iter().filter_map(|row| row.event_type).collect();
                if types.contains(requests.event()) {
                    anyhow!(
                        "there was no event {requests} in the last hour, but there were others of {}",
                        requests.event()
                    )
                } else {
                    anyhow!(
                        "{}: {}",
                        self.hosted.name,
                        missing("type of events", requests.event(), &types)
                    )
                }
            }
            Err(error) => error.context(format!("there was no event {requests} in the last hour")),
        }
    }

    async fn lately(&self, query: &str, now: Timestamp) -> Result<Vec<Row>> {
        let (begin, end) = ((now - LATELY).as_second(), now.as_second());
        let query = if query.starts_with("SHOW") {
            format!("{query} SINCE {begin}000 UNTIL {end}000")
        } else {
            between(query, begin, end)
        };
        Ok(self.ask(&[query]).await?.into_iter().next().unwrap_or_default())
    }
}
