//! What is measured: the plan's source and its measures, with keys from the environment.

use std::collections::BTreeMap;

use anyhow::Context as _;
use rollgate_domain::rollout::record::Version;
use secrecy::SecretString;

use super::variable;
use crate::{
    error::Usage,
    plan::{self, Plan, Source as PlanSource},
    providers::metrics::{self, Access, CheckCounters, Credentials, Measures, Metrics, Release, Source},
};

/// The metric source that the plan names, for the two versions of a rollout.
///
/// # Errors
///
/// A selector is none, or the source cannot tell the versions apart.
pub(crate) fn metric_source(
    plan: &Plan,
    stable: &Version,
    candidate: &Version,
) -> anyhow::Result<Box<dyn Metrics>> {
    let measures = measures(plan);
    let source = match &plan.metrics.source {
        PlanSource::Prometheus(plan::Prometheus {
            url,
            version_label,
            headers,
            ca,
        }) => Source::Prometheus {
            url: url.to_string(),
            version_label: version_label.clone(),
            access: Access {
                headers: headers.clone(),
                ca: ca.clone(),
                credentials: prometheus_credentials()?,
            },
        },
        PlanSource::Datadog(plan::Datadog {
            site,
            version_tag,
            instance_tag,
            latency_bounds,
        }) => Source::Datadog {
            site: site.clone(),
            version_tag: version_tag.clone(),
            instance_tag: instance_tag.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            api_key: key("datadog", "DD_API_KEY", variable("DD_API_KEY"))?,
            app_key: key("datadog", "DD_APP_KEY", variable("DD_APP_KEY"))?,
        },
        PlanSource::NewRelic(plan::NewRelic {
            account,
            region,
            event,
            version_attribute,
            instance_attribute,
            duration_attribute,
            latency_bounds,
        }) => Source::NewRelic {
            url: match region {
                plan::Region::Us => "https://api.newrelic.com",
                plan::Region::Eu => "https://api.eu.newrelic.com",
            }
            .to_owned(),
            account: *account,
            event: event.clone(),
            version: version_attribute.clone(),
            instance: instance_attribute.clone(),
            duration: duration_attribute.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            key: key("new-relic", "NEW_RELIC_API_KEY", variable("NEW_RELIC_API_KEY"))?,
        },
        PlanSource::CloudWatch(plan::CloudWatch {
            region,
            namespace,
            version_dimension,
            endpoint,
            latency_bounds,
        }) => Source::CloudWatch {
            url: endpoint
                .as_ref()
                .map_or_else(|| metrics::CloudWatch::endpoint(region), ToString::to_string),
            region: region.clone(),
            namespace: namespace.clone(),
            version: version_dimension.clone(),
            latency_bounds: bounds(plan, latency_bounds),
            access_key_id: key("cloudwatch", "AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID"))?,
            secret_access_key: key(
                "cloudwatch",
                "AWS_SECRET_ACCESS_KEY",
                variable("AWS_SECRET_ACCESS_KEY"),
            )?,
            session_token: variable("AWS_SESSION_TOKEN").map(SecretString::from),
        },
        PlanSource::Scrape(plan::Scrape { pages }) => Source::Scrape {
            pages: addresses(pages),
        },
        PlanSource::Probe(plan::Probe {
            targets,
            every,
            expect,
            need,
        }) => Source::HttpProbe {
            targets: addresses(targets),
            every: every.unsigned_abs(),
            expect: metrics::Expect {
                status: expect.status,
                header: expect.header.clone(),
                body_contains: expect.body_contains.clone(),
            },
            tries: metrics::Tries {
                good: need.good,
                of: need.of,
            },
        },
        PlanSource::Recorded(plan::Recorded { file }) => Source::Recorded { file: file.clone() },
    };
    fn release(version: &Version) -> Release<'_> {
        Release {
            backend: &version.backend,
            version: &version.version,
        }
    }
    metrics::connect(&source, &measures, release(stable), release(candidate)).context("metrics in the plan")
}

/// Addresses by backend, as the sources take them.
fn addresses(urls: &BTreeMap<String, Vec<reqwest::Url>>) -> BTreeMap<String, Vec<String>> {
    let text = |urls: &Vec<reqwest::Url>| urls.iter().map(ToString::to_string).collect();
    urls.iter()
        .map(|(backend, urls)| (backend.clone(), text(urls)))
        .collect()
}

/// Who asks Prometheus: from the environment only.
fn prometheus_credentials() -> anyhow::Result<Option<Credentials>> {
    let usage = |text: &str| Err(Usage(text.to_owned()).into());
    let token = variable("PROMETHEUS_TOKEN").map(SecretString::from);
    let password = variable("PROMETHEUS_PASSWORD").map(SecretString::from);
    match (token, variable("PROMETHEUS_USER"), password) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(Credentials::Token(token))),
        (None, Some(name), Some(password)) => Ok(Some(Credentials::User { name, password })),
        (Some(_), _, _) => usage(
            "PROMETHEUS_TOKEN is set beside PROMETHEUS_USER or PROMETHEUS_PASSWORD; set one way to sign in",
        ),
        (None, Some(_), None) => usage("PROMETHEUS_USER is set without PROMETHEUS_PASSWORD; set both"),
        (None, None, Some(_)) => usage("PROMETHEUS_PASSWORD is set without PROMETHEUS_USER; set both"),
    }
}

/// What a source needs to be let in.
fn key(source: &str, name: &str, value: Option<String>) -> anyhow::Result<SecretString> {
    value.map(SecretString::from).ok_or_else(|| {
        Usage(format!(
            "{name} is not set, and metrics.{source} in the plan needs it"
        ))
        .into()
    })
}

/// Where durations are counted up to: the plan's bounds, and the limits that are judged by.
fn bounds(plan: &Plan, given: &[f64]) -> Vec<f64> {
    let plan::P95 {
        critical, warning, ..
    } = plan.limits.p95;
    let limits = [critical, warning].into_iter().flatten();
    let mut bounds: Vec<f64> = given
        .iter()
        .copied()
        .chain(limits.map(|limit| limit.as_secs_f64()))
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    bounds
}

/// What the plan has measured. Memory is a gauge, the first one.
fn measures(plan: &Plan) -> Measures {
    let plan::Metrics {
        source: _,
        requests,
        errors,
        latency,
        memory,
    } = &plan.metrics;
    let checks = plan.checks.iter().map(|check| CheckCounters {
        good: check.good.clone(),
        total: check.total.clone(),
    });
    let gauges = plan.gauges.iter().map(|gauge| gauge.query.clone());
    Measures {
        requests: requests.clone(),
        errors: errors.clone(),
        by: plan.limits.error_rate.by.clone(),
        latency: latency.clone(),
        gauges: memory.iter().cloned().chain(gauges).collect(),
        checks: checks.collect(),
    }
}
