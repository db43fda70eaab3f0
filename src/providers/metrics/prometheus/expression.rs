//! A gauge that the server computes: any expression, asked for at fixed moments.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;

use super::super::Selector;
use super::super::series::{Labels, key};
use super::Prometheus;
use super::answer::{self, Instant, Range};
use super::collect::{Collected, Found, Sort};
use super::window::{STEP_S, moments, pieces};

/// How a gauge is asked for.
pub(super) enum Gauge {
    /// Raw samples of the two versions.
    Series(Selector),
    /// What the server makes of it, of whichever versions.
    Expression(String),
}

impl Prometheus {
    /// What `expression` is of the two versions at each moment with `from < t <= to`.
    pub(super) async fn computed(
        &self,
        expression: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Found>> {
        let mut collected = Collected::new();
        for (from, to) in pieces(from, to) {
            let Some((first, last)) = moments(from, to) else {
                continue;
            };
            let asked = || format!("ask {} for {expression} from {first} to {last}", self.shown);
            let (start, end, step) = (first.to_string(), last.to_string(), STEP_S.to_string());
            let limit = format!("{}ms", self.timeout.as_millis());
            let form = [
                ("query", expression),
                ("start", &start),
                ("end", &end),
                ("step", &step),
                ("timeout", &limit),
                ("partial_response", "false"),
            ];
            let request = self.client.post(self.endpoint(&["query_range"])).form(&form);
            let body = self.fetch(request).await.with_context(asked)?;
            let rows: Vec<Range> = answer::rows(&body).with_context(asked)?;
            for row in rows {
                self.check_version(&row.metric).with_context(asked)?;
                self.collect(&mut collected, row, Sort::Gauge, from, to)
                    .with_context(asked)?;
            }
        }
        Ok(collected
            .into_values()
            .filter(|found| !found.points.is_empty())
            .collect())
    }

    /// Whether the server understands the expressions, and their series tell the versions apart.
    pub(super) async fn check_expressions(&self, now: Timestamp) -> Result<()> {
        for gauge in &self.gauges {
            let Gauge::Expression(expression) = gauge else {
                continue;
            };
            let rows: Vec<Instant> = self.query(expression, now).await?;
            for row in rows {
                self.check_version(&row.metric)
                    .with_context(|| format!("gauge {expression}"))?;
            }
        }
        Ok(())
    }

    fn check_version(&self, labels: &Labels) -> Result<()> {
        let label = &self.version_label;
        if labels.contains_key(label) {
            return Ok(());
        }
        Err(anyhow!(
            "{} has no version label {label}; keep it, and what tells the processes apart: by ({label}, instance)",
            key(labels)
        ))
    }
}
