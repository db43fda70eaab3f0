//! What is watched and what it must not exceed, out of the plan; first with queries as text, then read as selectors.

use anyhow::{Context as _, Result, bail};
use rollgate_domain::analysis::GaugeUnit;

use crate::{
    plan::{Action, Plan, Quantity},
    providers::metrics::Selector,
};

/// How much a limit matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Critical,
    Warning,
}

impl Level {
    /// Both, the worse first.
    pub(super) const ALL: [Self; 2] = [Self::Critical, Self::Warning];

    /// The label `severity`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// The critical limit and the warning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pair {
    pub critical: Option<f64>,
    pub warning: Option<f64>,
}

impl Pair {
    pub(super) fn at(self, level: Level) -> Option<f64> {
        match level {
            Level::Critical => self.critical,
            Level::Warning => self.warning,
        }
    }

    /// The limits there are, the worse first.
    pub(super) fn levels(self) -> impl Iterator<Item = (Level, f64)> {
        Level::ALL
            .into_iter()
            .filter_map(move |level| Some((level, self.at(level)?)))
    }
}

/// What is watched, each by a query `Q`.
#[derive(Clone, Debug)]
pub struct Limits<Q> {
    pub service: String,
    pub requests: Q,
    pub errors: Q,
    /// Shares of all requests.
    pub error_rate: Pair,
    pub slow: Option<Slow<Q>>,
    /// Memory is the first, where it is measured.
    pub gauges: Vec<Gauge<Q>>,
    pub checks: Vec<Check<Q>>,
}

/// How long requests take.
#[derive(Clone, Debug)]
pub struct Slow<Q> {
    /// As text the histogram by its base name; read, its buckets.
    pub latency: Q,
    /// Seconds.
    pub p95: Pair,
}

/// A number of each process.
#[derive(Clone, Debug)]
pub struct Gauge<Q> {
    pub name: String,
    pub query: Q,
    pub unit: GaugeUnit,
    pub limits: Pair,
}

/// A check of the team's own.
#[derive(Clone, Debug)]
pub struct Check<Q> {
    pub name: String,
    pub good: Q,
    pub total: Q,
    /// The share that must be good; without it the candidate is compared with stable.
    pub at_least: Option<f64>,
    pub level: Level,
}

impl Limits<String> {
    /// What the plan says.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let limits = &plan.limits;
        let critical = limits.error_rate.critical;
        let gauge = |name: &str, query: &str, critical: Option<Quantity>, warning: Option<Quantity>| Gauge {
            name: name.to_owned(),
            query: query.to_owned(),
            unit: critical.or(warning).map_or(GaugeUnit::Plain, |limit| limit.unit),
            limits: Pair {
                critical: critical.map(|limit| limit.value),
                warning: warning.map(|limit| limit.value),
            },
        };
        let memory = plan.metrics.memory.as_ref().map(|query| Gauge {
            unit: GaugeUnit::Bytes,
            ..gauge("memory", query, limits.memory.critical, limits.memory.warning)
        });
        let gauges = plan
            .gauges
            .iter()
            .map(|each| gauge(&each.name, &each.query, each.critical, each.warning));
        let checks = plan.checks.iter().map(|check| Check {
            name: check.name.clone(),
            good: check.good.clone(),
            total: check.total.clone(),
            at_least: check.at_least,
            level: match check.action {
                Action::Rollback => Level::Critical,
                Action::Warning => Level::Warning,
            },
        });
        Self {
            service: plan.service.clone(),
            requests: plan.metrics.requests.clone(),
            errors: plan.metrics.errors.clone(),
            error_rate: Pair {
                critical: Some(critical),
                warning: Some(limits.error_rate.warning.unwrap_or(critical / 2.0)),
            },
            slow: plan.metrics.latency.as_ref().map(|latency| Slow {
                latency: latency.clone(),
                p95: Pair {
                    critical: limits.p95.critical.map(|limit| limit.as_secs_f64()),
                    warning: limits.p95.warning.map(|limit| limit.as_secs_f64()),
                },
            }),
            gauges: memory.into_iter().chain(gauges).collect(),
            checks: checks.collect(),
        }
    }

    /// The same with each query read as a selector of Prometheus.
    ///
    /// # Errors
    ///
    /// A query is none; the message names its place in the plan.
    pub fn read(self) -> Result<Limits<Selector>> {
        let read = |place: &str, text: &str| {
            text.parse::<Selector>()
                .with_context(|| format!("{place} in the plan"))
        };
        let gauges = self.gauges.into_iter().map(|gauge| {
            Ok(Gauge {
                query: read(&format!("the query of {}", gauge.name), &gauge.query)?,
                name: gauge.name,
                unit: gauge.unit,
                limits: gauge.limits,
            })
        });
        let checks = self.checks.into_iter().map(|check| {
            Ok(Check {
                good: read(&format!("good of {}", check.name), &check.good)?,
                total: read(&format!("total of {}", check.name), &check.total)?,
                name: check.name,
                at_least: check.at_least,
                level: check.level,
            })
        });
        let slow = self.slow.map(|Slow { latency, p95 }| {
            let latency = buckets(&read("metrics.latency", &latency)?)?;
            Ok::<_, anyhow::Error>(Slow { latency, p95 })
        });
        Ok(Limits {
            service: self.service,
            requests: read("metrics.requests", &self.requests)?,
            errors: read("metrics.errors", &self.errors)?,
            error_rate: self.error_rate,
            slow: slow.transpose()?,
            gauges: gauges.collect::<Result<_>>()?,
            checks: checks.collect::<Result<_>>()?,
        })
    }
}

/// The series of a histogram's buckets.
fn buckets(histogram: &Selector) -> Result<Selector> {
    match histogram.metric() {
        Some(metric) if !metric.ends_with("_bucket") => Ok(histogram.suffixed("_bucket")),
        _ => bail!("metrics.latency in the plan ({histogram}) is not the base name of a histogram"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shop, *};

    #[test]
    fn a_limit_that_is_not_written_is_the_plans_default() {
        let mut plan = shop();
        plan.limits.error_rate.critical = 0.02;
        plan.limits.error_rate.warning = None;
        let limits = Limits::of(&plan);
        assert_eq!(
            limits.error_rate.levels().collect::<Vec<_>>(),
            [(Level::Critical, 0.02), (Level::Warning, 0.01)]
        );
    }

    #[test]
    fn a_query_that_is_no_selector_is_named() {
        let mut plan = shop();
        plan.checks[0].good = "rate(x[5m])".to_owned();
        let error = Limits::of(&plan).read().unwrap_err();
        assert!(
            format!("{error:#}").starts_with("good of login success in the plan: column 1"),
            "{error:#}"
        );
        let mut plan = shop();
        plan.metrics.latency = Some("t_bucket".to_owned());
        let error = Limits::of(&plan).read().unwrap_err();
        assert_eq!(
            error.to_string(),
            "metrics.latency in the plan (t_bucket) is not the base name of a histogram"
        );
    }
}
