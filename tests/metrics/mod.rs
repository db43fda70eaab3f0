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

/// All causes in one line, as a person sees them; `url` changes with each run.
pub(crate) fn said(error: &anyhow::Error, url: &str) -> String {
    format!("{error:#}").replace(url, "http://SERVER")
}
