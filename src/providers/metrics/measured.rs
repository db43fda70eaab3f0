//! What is measured, read in the words of a source that counts in intervals, and the samples of it. Pure.

use std::fmt::Display;

use anyhow::{Context as _, Result};
use rollgate_domain::analysis::{CheckSamples, Samples};

use super::intervals::{Counted, histograms, increments, levels, requests};
use super::{CheckCounters, Measures};

/// [`Measures`], read. Everything is asked for and answered in this order: requests, errors, the good and the total of
/// each check, gauges, then all durations and those up to each bound.
pub(super) struct Measured<Q, G = Q> {
    pub(super) requests: Q,
    pub(super) errors: Q,
    pub(super) checks: Vec<[Q; 2]>,
    pub(super) gauges: Vec<G>,
    pub(super) latency: Option<Q>,
}

/// How many took at most so many seconds.
pub(super) type UpTo = Vec<(f64, Counted)>;

impl<Q: Display, G: Display> Measured<Q, G> {
    /// Reads each text by `one`, or by `gauge`.
    ///
    /// # Errors
    ///
    /// A text is not in the source's words; the message names its place in the plan.
    pub(super) fn read(
        measures: &Measures,
        one: &dyn Fn(&str) -> Result<Q>,
        gauge: &dyn Fn(&str) -> Result<G>,
    ) -> Result<Self> {
        let Measures {
            requests,
            errors,
            by: _,
            latency,
            gauges,
            checks,
        } = measures;
        let key = |key: &str, text: &str| one(text).with_context(|| format!("metrics.{key} in the plan"));
        let counter = |text: &str| one(text).with_context(|| format!("check counter {text} in the plan"));
        let check = |CheckCounters { good, total }: &CheckCounters| Ok([counter(good)?, counter(total)?]);
        let gauge = |text: &String| gauge(text).with_context(|| format!("gauge {text} in the plan"));
        Ok(Self {
            requests: key("requests", requests)?,
            errors: key("errors", errors)?,
            checks: checks.iter().map(check).collect::<Result<_>>()?,
            gauges: gauges.iter().map(gauge).collect::<Result<_>>()?,
            latency: latency.as_deref().map(|text| key("latency", text)).transpose()?,
        })
    }

    /// What was counted, as samples; `up_to` makes counts of what the source gave for each bound.
    ///
    /// # Errors
    ///
    /// Those of `up_to`.
    pub(super) fn samples(
        &self,
        counted: Vec<Counted>,
        bounds: &[f64],
        up_to: impl FnOnce(&Q, &Counted, UpTo) -> Result<UpTo>,
    ) -> Result<Samples> {
        let mut counted = counted.into_iter();
        let mut next = || counted.next().unwrap_or_default();
        let requests = requests(&self.requests.to_string(), next());
        let errors = increments(&self.errors.to_string(), next());
        let check = |[good, total]: &[Q; 2]| CheckSamples {
            good: increments(&good.to_string(), next()),
            total: increments(&total.to_string(), next()),
        };
        let checks = self.checks.iter().map(check).collect();
        let gauges = self.gauges.iter().map(|gauge| levels(&gauge.to_string(), next()));
        let gauges = gauges.collect();
        let latency = match &self.latency {
            None => Vec::new(),
            Some(query) => {
                let total = next();
                let found = bounds.iter().map(|bound| (*bound, next())).collect();
                let found = up_to(query, &total, found)?;
                histograms(&query.to_string(), total, &found)
            }
        };
        Ok(Samples {
            requests,
            errors,
            latency,
            checks,
            gauges,
        })
    }
}
