//! How a rollout is judged: the plan's limits and what its record says, as the judge's settings.

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{self, GaugeUnit, Level, SlowLimits, whole_looks},
    rollout::record::{Evidence, Record},
};

use crate::{
    plan::{self, Plan, Source as PlanSource, Traffic},
    providers::metrics::{self, Pace},
};

/// How evidence is counted before anything is measured. A look is as long as the source's intervals at least.
pub(crate) fn evidence(plan: &Plan) -> Evidence {
    let Pace { grain, lag: _ } = pace(&plan.metrics.source);
    Evidence {
        origin: Timestamp::UNIX_EPOCH,
        look: whole_looks(plan.judgement.look, grain),
        cluster_size: plan.judgement.cluster_size.unwrap_or(1.0),
        ..Evidence::default()
    }
}

/// So long a rollout may wait for people.
const WAITS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The judge's settings for `record`. `past`: whether the source can be asked about it.
pub(crate) fn judge_settings(plan: &Plan, record: &Record, past: bool) -> analysis::Settings {
    let Evidence {
        look,
        cluster_size,
        slow_cluster_size,
        check_cluster_size,
        before,
        warm_since,
        origin: _,
    } = record.evidence;
    let plan::Limits {
        error_rate,
        p95,
        throughput,
        memory: _,
    } = &plan.limits;
    // Twice the steps' time: a step may take that long before a person is asked.
    let steps = record.ladder.duration().saturating_mul(2);
    // Gates, nights and pauses come on top, and evidence must not run dry: whatever is planned too long costs little.
    let planned = steps.saturating_add(WAITS);
    // A source without a past starts anew in each run, with its share of the error budget.
    let runs = if past {
        1.0
    } else {
        (steps.as_secs_f64() / plan.driver.budget.as_secs_f64())
            .ceil()
            .max(1.0)
    };
    analysis::Settings {
        look,
        planned,
        grace: plan.judgement.grace,
        forgive: plan.judgement.forgive,
        delay: plan.judgement.delay.max(pace(&plan.metrics.source).lag),
        cluster_size,
        slow_cluster_size: slow_cluster_size.unwrap_or(1.0),
        check_cluster_size: check_cluster_size.unwrap_or(1.0),
        alpha: analysis::Settings::default().alpha / runs,
        critical: error_rate.critical,
        warning: Some(error_rate.warning.unwrap_or(error_rate.critical / 2.0)),
        by_group: error_rate.by.is_some(),
        slow: plan.metrics.latency.as_ref().map(|_| SlowLimits {
            above_stable: p95.above_stable,
            critical: p95.critical.map(|limit| limit.as_secs_f64()),
            warning: p95.warning.map(|limit| limit.as_secs_f64()),
        }),
        throughput: Some(analysis::Throughput {
            below_stable: throughput.below_stable,
            level: if splits_by_request(plan) {
                Level::Rollback
            } else {
                Level::Warning
            },
        }),
        gauges: gauge_limits(plan),
        checks: plan.checks.iter().map(check).collect(),
        proof: match plan.judgement.proof {
            plan::Proof::Normal => analysis::Proof::Normal,
            plan::Proof::Strict => analysis::Proof::Strict,
        },
        // With a past the first request is found again.
        warm_since: if past { None } else { warm_since },
        frozen: record.baseline,
        before,
    }
}

/// Whether the router decides for each request anew. Where users or connections stay together, one heavy client shifts
/// the share.
fn splits_by_request(plan: &Plan) -> bool {
    let by_request = match plan.traffic {
        Traffic::GatewayApi(_) | Traffic::Istio(_) | Traffic::Haproxy(_) | Traffic::Nginx(_) => true,
        Traffic::ServiceSelector(_) | Traffic::ReplicaRatio(_) => false,
    };
    by_request && plan.sticky.is_none()
}

fn check(check: &plan::Check) -> analysis::Check {
    let plan::Check {
        name,
        good: _,
        total: _,
        at_least,
        action,
    } = check;
    analysis::Check {
        name: name.clone(),
        at_least: *at_least,
        level: match action {
            plan::Action::Rollback => Level::Rollback,
            plan::Action::Warning => Level::Warning,
        },
    }
}

/// The limits of what `metering` asks for as gauges, in its order.
fn gauge_limits(plan: &Plan) -> Vec<analysis::GaugeLimits> {
    let limits = |name: &str, critical: Option<plan::Quantity>, warning: Option<plan::Quantity>| {
        let unit = critical.or(warning).map_or(GaugeUnit::Plain, |limit| limit.unit);
        analysis::GaugeLimits {
            name: name.to_owned(),
            unit,
            critical: critical.map(|limit| limit.value),
            warning: warning.map(|limit| limit.value),
        }
    };
    let plan::Memory { critical, warning } = plan.limits.memory;
    let memory = plan.metrics.memory.as_ref().map(|_| analysis::GaugeLimits {
        unit: GaugeUnit::Bytes,
        ..limits("memory", critical, warning)
    });
    let gauges = plan
        .gauges
        .iter()
        .map(|gauge| limits(&gauge.name, gauge.critical, gauge.warning));
    memory.into_iter().chain(gauges).collect()
}

/// How the plan's source keeps time.
fn pace(source: &PlanSource) -> Pace {
    match source {
        PlanSource::Prometheus(_)
        | PlanSource::Scrape(_)
        | PlanSource::Recorded(_)
        | PlanSource::Probe(_) => Pace::default(),
        PlanSource::Datadog(_) => metrics::Datadog::PACE,
        PlanSource::NewRelic(_) => metrics::NewRelic::PACE,
        PlanSource::CloudWatch(_) => metrics::CloudWatch::PACE,
    }
}
