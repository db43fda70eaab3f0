//! The sections of a plan. The doc comments of keys are what a reader of the JSON Schema sees.
//!
//! Most sections are the same as written and as checked. Where a check changes the shape, what is written
//! is named `…File`.

mod judgement;
mod metrics;
mod phases;
mod run;
mod traffic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use judgement::{ErrorRate, Judgement, Limits, Proof};
pub use metrics::{Metrics, Prometheus, Scrape, Source};
pub(super) use metrics::{MetricsFile, ScrapeFile};
pub use phases::{Canary, Phases, Require, Step};
pub use run::{Channel, Driver, Notify};
pub use traffic::{Haproxy, Traffic};
pub(super) use traffic::{HaproxyFile, TrafficFile};

use super::units::{Name, Unit as _};

/// A plan for rollgate: how a new version of one service gets its traffic, and what takes it back.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `service`, `traffic` and `metrics`"
)]
pub(super) struct File {
    /// The name of the service, in every message: letters, digits, `.`, `_` and `-`.
    #[serde(with = "Name")]
    pub(super) service: String,
    /// The router that splits live traffic. It also holds the record of the rollout.
    pub(super) traffic: TrafficFile,
    /// How a user is recognised, so that each one stays on one version. Default: each request by chance.
    #[serde(default)]
    #[schemars(with = "Sticky")]
    pub(super) sticky: Option<Sticky>,
    /// The two counters that judge the candidate, and who is asked for them: exactly one of `prometheus`
    /// and `scrape`.
    pub(super) metrics: MetricsFile,
    /// What a version must never exceed.
    #[serde(default)]
    pub(super) limits: Limits,
    /// How the candidate is judged. The defaults are right for most services.
    #[serde(default)]
    pub(super) judgement: Judgement,
    /// The phases of the rollout.
    #[serde(default)]
    pub(super) phases: Phases,
    /// Who is told what. Default: the run's summary, everything.
    #[serde(default)]
    pub(super) notify: Notify,
    /// The job that watches the rollout and moves it.
    #[serde(default)]
    pub(super) driver: Driver,
}

/// How a user is recognised, so that each one stays on one version. At most one of the three.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sticky {
    /// The name of a request header that holds the user's id.
    #[serde(with = "Name")]
    Header(String),
    /// The name of a cookie that holds the user's id.
    #[serde(with = "Name")]
    Cookie(String),
    /// The name of a parameter of the URL that holds the user's id.
    #[serde(with = "Name")]
    Query(String),
}
