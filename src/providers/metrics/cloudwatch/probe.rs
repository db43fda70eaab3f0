//! Whether a plan fits what CloudWatch has, asked once before a rollout begins.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::series::{list, missing};
use super::answer::{Dimension, Known, Listed};
use super::metric::Stat;
use super::{CloudWatch, GRAIN, MOST};

/// What had no number for so long is taken for gone; `ListMetrics` looks back three hours.
const LATELY: SignedDuration = SignedDuration::from_hours(3);

impl CloudWatch {
    pub(super) async fn fits(&self, now: Timestamp) -> Result<()> {
        let requests = &self.measured.requests;
        for stretch in GRAIN.pieces(now - LATELY, now, MOST) {
            let found = self
                .points(&[(Stat::Sum, requests, &self.stable)], stretch)
                .await?;
            if found.iter().any(|points| !points.is_empty()) {
                return Ok(());
            }
        }
        Err(self.nothing_of_stable().await)
    }

    /// Why there is nothing of the stable version, from what there is.
    async fn nothing_of_stable(&self) -> anyhow::Error {
        let (requests, version) = (&self.measured.requests, &self.place.version);
        let gone = format!(
            "{requests} with {version}={} had no number in the last three hours",
            self.stable
        );
        let known = match self.known(Some(&requests.name)).await {
            Ok(known) => known,
            Err(error) => return error.context(gone),
        };
        if known.is_empty() {
            return match self.known(None).await {
                Ok(all) => {
                    let names: BTreeSet<_> = all.into_iter().map(|known| known.metric_name).collect();
                    let why = missing("metric", &requests.name, &names);
                    anyhow!("{}, namespace {}: {why}", self.hosted.name, self.place.namespace)
                }
                Err(error) => error.context(gone),
            };
        }
        let own = |dimensions: &[Dimension]| {
            let known: BTreeSet<_> = dimensions
                .iter()
                .map(|dimension| (dimension.name.as_str(), dimension.value.as_str()))
                .collect();
            requests
                .dimensions
                .iter()
                .all(|(name, value)| known.contains(&(name.as_str(), value.as_str())))
                && known.len() == requests.dimensions.len() + 1
        };
        let versions: BTreeSet<_> = known
            .iter()
            .filter(|known| own(&known.dimensions))
            .flat_map(|known| &known.dimensions)
            .filter(|dimension| dimension.name == *version)
            .map(|dimension| dimension.value.as_str())
            .collect();
        if versions.is_empty() {
            let example: Vec<_> = known[0]
                .dimensions
                .iter()
                .map(|dimension| format!("{}={}", dimension.name, dimension.value))
                .collect();
            return anyhow!(
                "{gone}: no {} has exactly these dimensions; one has {}",
                requests.name,
                if example.is_empty() {
                    "none".to_owned()
                } else {
                    example.join(",")
                }
            );
        }
        anyhow!("{gone}; {version} is {}", list(&Vec::from_iter(versions)))
    }

    /// The metrics of the namespace that had a number lately, the first 500.
    async fn known(&self, name: Option<&str>) -> Result<Vec<Known>> {
        let mut body = json!({ "Namespace": self.place.namespace, "RecentlyActive": "PT3H" });
        if let Some(name) = name {
            body["MetricName"] = name.into();
        }
        let Listed { metrics } = self.ask("ListMetrics", &body).await.with_context(|| {
            format!(
                "ask {} for the metrics of {}",
                self.hosted.name, self.place.namespace
            )
        })?;
        Ok(metrics)
    }
}
