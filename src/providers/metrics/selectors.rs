//! What is measured, as selectors of series: for sources that speak Prometheus' data model. Pure.

use anyhow::{Context as _, Result, bail};

use super::{CheckCounters, Measures, Selector};

/// [`Measures`], read.
#[derive(Clone, Debug)]
pub(super) struct Selectors {
    pub(super) requests: Selector,
    pub(super) errors: Selector,
    pub(super) by: Option<String>,
    /// The histogram by its base name; the source knows where its buckets are.
    pub(super) latency: Option<Selector>,
    pub(super) gauges: Vec<Selector>,
    pub(super) checks: Vec<[Selector; 2]>,
}

impl Selectors {
    /// # Errors
    ///
    /// A text is no selector; the message names its place in the plan.
    pub(super) fn read(measures: &Measures) -> Result<Self> {
        let Measures {
            requests,
            errors,
            by,
            latency,
            gauges,
            checks,
        } = measures;
        let read = |place: String, text: &str| text.parse::<Selector>().with_context(|| place);
        let one = |key: &str, text: &str| read(format!("metrics.{key} in the plan"), text);
        let latency = latency
            .as_deref()
            .map(|text| one("latency", text).and_then(histogram))
            .transpose()?;
        let gauges = gauges
            .iter()
            .map(|text| read(format!("gauge {text} in the plan"), text));
        let checks = checks.iter().map(|CheckCounters { good, total }| {
            Ok([
                read(format!("check counter {good} in the plan"), good)?,
                read(format!("check counter {total} in the plan"), total)?,
            ])
        });
        Ok(Self {
            requests: one("requests", requests)?,
            errors: one("errors", errors)?,
            by: by.clone(),
            latency,
            gauges: gauges.collect::<Result<_>>()?,
            checks: checks.collect::<Result<_>>()?,
        })
    }

    /// The same with each selector as `change` makes it; it is told what the selector is called.
    pub(super) fn map(&self, change: &dyn Fn(&str, &Selector) -> Result<Selector>) -> Result<Self> {
        let Self {
            requests,
            errors,
            by,
            latency,
            gauges,
            checks,
        } = self;
        let gauges = gauges.iter().map(|gauge| change("gauge", gauge));
        let checks = checks
            .iter()
            .map(|[good, total]| Ok([change("good", good)?, change("total", total)?]));
        Ok(Self {
            requests: change("requests", requests)?,
            errors: change("errors", errors)?,
            by: by.clone(),
            latency: latency
                .as_ref()
                .map(|latency| change("latency", latency))
                .transpose()?,
            gauges: gauges.collect::<Result<_>>()?,
            checks: checks.collect::<Result<_>>()?,
        })
    }
}

/// The suffixes of a histogram's series.
const SUFFIXES: [&str; 3] = ["_bucket", "_count", "_sum"];

fn histogram(selector: Selector) -> Result<Selector> {
    let Some(metric) = selector.metric() else {
        bail!(
            "metrics.latency in the plan ({selector}) names no metric, expected the base name of a histogram"
        );
    };
    if let Some(suffix) = SUFFIXES.into_iter().find(|suffix| metric.ends_with(suffix)) {
        let base = metric.strip_suffix(suffix).unwrap_or(metric);
        bail!("metrics.latency in the plan names {metric}, expected the histogram itself: {base}");
    }
    Ok(selector)
}
