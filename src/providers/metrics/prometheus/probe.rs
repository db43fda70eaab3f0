//! Whether a plan fits what the server has, asked once before a rollout begins.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use jiff::Timestamp;

use super::super::selector::{NAME, quoted};
use super::super::series::{Labels, check_errors, list, nothing};
use super::Prometheus;
use super::answer::Instant;

impl Prometheus {
    pub(super) async fn fits(&self, now: Timestamp) -> Result<()> {
        let rows: Vec<Instant> = self.query(&self.plain.requests.to_string(), now).await?;
        let seen: Vec<_> = rows.into_iter().map(|row| row.metric).collect();
        if !seen
            .iter()
            .any(|labels| labels.get(&self.version_label) == Some(&self.stable))
        {
            return Err(self.nothing_of_stable(&seen, now).await);
        }
        check_errors(&self.plain.requests, &self.plain.errors, &seen)
    }

    /// Why there is nothing of the stable version, from what a look at the server shows.
    async fn nothing_of_stable(&self, seen: &[Labels], now: Timestamp) -> anyhow::Error {
        let requests = &self.plain.requests;
        if seen.is_empty() {
            let shown = &self.shown;
            return match self.what_else(now).await {
                Ok(else_) => anyhow!("{shown}: {else_}"),
                Err(error) => error.context(format!("nothing matches {requests} on {shown}")),
            };
        }
        let (label, stable) = (&self.version_label, &self.stable);
        let versions: BTreeSet<_> = seen.iter().filter_map(|labels| labels.get(label)).collect();
        let versions: Vec<_> = versions
            .into_iter()
            .map(|version| format!("{version:?}"))
            .collect();
        if versions.is_empty() {
            let labels: BTreeSet<_> = seen.iter().flat_map(Labels::keys).map(String::as_str).collect();
            let labels = list(&Vec::from_iter(labels));
            return anyhow!("no series of {requests} has the version label {label}; they have {labels}");
        }
        let versions = list(&versions.iter().map(String::as_str).collect::<Vec<_>>());
        anyhow!("no series of {requests} has {label} {stable:?}, the stable version; {label} is {versions}")
    }

    async fn what_else(&self, now: Timestamp) -> Result<String> {
        let requests = &self.plain.requests;
        let Some(metric) = requests.metric() else {
            return Ok(nothing(requests, None, &BTreeSet::new()));
        };
        let others: Vec<Instant> = self
            .query(&format!("topk(1, {{{NAME}={}}})", quoted(metric)), now)
            .await?;
        let names = if others.is_empty() {
            self.metric_names().await?
        } else {
            BTreeSet::new()
        };
        Ok(nothing(requests, others.first().map(|row| &row.metric), &names))
    }
}
