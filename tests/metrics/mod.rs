//! Metric sources on a faked wire: what they ask, and what they say of every bad answer.

mod access;
mod cloudwatch;
mod datadog;
mod http_probe;
mod new_relic;
mod prometheus;
mod scrape;

use jiff::Timestamp;
use rollgate::providers::metrics::{Measures, Release};
use rollgate_domain::analysis::{Kind, Samples, Side};

/// Releases as a plan would name them: blue runs v1 and is stable, green runs v2.
pub(crate) const STABLE: Release<'_> = Release {
    backend: "blue",
    version: "v1",
};
pub(crate) const CANDIDATE: Release<'_> = Release {
    backend: "green",
    version: "v2",
};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

pub(crate) fn counters(requests: &str, errors: &str) -> Measures {
    Measures {
        requests: requests.into(),
        errors: errors.into(),
        ..Measures::default()
    }
}

/// The counters of the example service.
pub(crate) fn shop() -> Measures {
    counters(
        r#"http_requests_total{service="shop-api"}"#,
        r#"http_requests_total{service="shop-api",code=~"5.."}"#,
    )
}

/// Side and instance of a series, and its points in seconds since `begin`.
pub(crate) type Shape = (Side, String, Vec<(i64, f64)>);

/// The counters of a source that has taken the differences itself.
pub(crate) fn shape(samples: &Samples, begin: i64) -> Vec<Shape> {
    let series = samples.requests.iter().chain(&samples.errors);
    series
        .map(|series| {
            assert_eq!(series.kind, Kind::Increment);
            let points = series
                .points
                .iter()
                .map(|(time, value)| (time.as_second() - begin, *value));
            (series.side, series.instance.clone(), points.collect())
        })
        .collect()
}

/// Point by point, sorted: pieces and the whole are compared by it.
pub(crate) fn flat(shapes: Vec<Shape>) -> Vec<String> {
    let mut points: Vec<_> = shapes
        .into_iter()
        .flat_map(|(side, name, points)| {
            points
                .into_iter()
                .map(move |point| format!("{side:?} {name} {point:?}"))
        })
        .collect();
    points.sort();
    points
}

/// All causes in one line, as a person sees them; `url` changes with each run.
pub(crate) fn said(error: &anyhow::Error, url: &str) -> String {
    format!("{error:#}").replace(url, "http://SERVER")
}
