//! The sections of a plan. The doc comments of keys are what a reader of the JSON Schema sees.
//!
//! Most sections are the same as written and as checked. Where a check changes the shape, what is written
//! is named `…File`.

mod decisions;
mod judgement;
mod metrics;
mod people;
mod phases;
mod run;
mod stacks;
mod traffic;
mod users;

use schemars::JsonSchema;
use serde::Deserialize;

pub use decisions::Decisions;
pub use judgement::{Action, Check, ErrorRate, Gauge, Judgement, Limits, Memory, P95, Proof, Throughput};
pub use metrics::{
    CloudWatch, Datadog, Expect, Metrics, Need, NewRelic, Probe, Prometheus, Recorded, Region, Scrape, Source,
};
pub(super) use metrics::{MetricsFile, ProbeFile, ScrapeFile};
pub(super) use people::WindowsFile;
pub use people::{Approver, Windows};
pub use phases::{Canary, Gate, Phases, Production, Require, Step};
pub(super) use phases::{PhasesFile, ProductionFile, ProductionStep};
pub use run::{Channel, Driver, Notify};
pub use stacks::{Backend, Rollback};
pub(super) use stacks::{BackendFile, BackendsFile};
pub use traffic::{GatewayApi, Haproxy, Istio, Nginx, ReplicaRatio, ServiceSelector, Traffic};
pub(super) use traffic::{
    GatewayApiFile, HaproxyFile, IstioFile, NginxFile, ReplicaRatioFile, ServiceSelectorFile, TrafficFile,
};
pub(super) use users::StickyFile;
pub use users::{Ids, Preview, Sticky, UserId};

use super::units::{Address, Name, Person, Unit as _, Written};

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
    /// Where its users reach it. With `version-header`, `status` and a rollback ask it which version answers.
    #[serde(default)]
    #[schemars(with = "Written<Address>")]
    pub(super) url: Option<Written<Address>>,
    /// The response header in which each version tells its backend's name, or its version.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(super) version_header: Option<Written<Name>>,
    /// The router that splits live traffic. It also holds the record of the rollout.
    pub(super) traffic: TrafficFile,
    /// In Kubernetes, what belongs to each backend besides what its Service selects.
    #[serde(default)]
    pub(super) backends: BackendsFile,
    /// How a user is recognised, so that each one stays on one version. Default: each request by chance.
    #[serde(default)]
    #[schemars(with = "StickyFile")]
    pub(super) sticky: Option<StickyFile>,
    /// Requests with this header meet the candidate while a rollout is on, also at 0 %. Default: none do.
    #[serde(default)]
    #[schemars(with = "Preview")]
    pub(super) preview: Option<Preview>,
    /// The two counters that judge the candidate, and who is asked for them: exactly one of `prometheus`,
    /// `scrape`, `recorded`, `probe`, `datadog`, `new-relic` and `cloudwatch`.
    pub(super) metrics: MetricsFile,
    /// What a version must never exceed.
    #[serde(default)]
    pub(super) limits: Limits,
    /// Numbers of each process that must not stay above a limit.
    #[serde(default)]
    pub(super) gauges: Vec<Gauge>,
    /// Checks of the team's own, from counters of what went well and of all.
    #[serde(default)]
    pub(super) checks: Vec<Check>,
    /// How the candidate is judged. The defaults are right for most services.
    #[serde(default)]
    pub(super) judgement: Judgement,
    /// The phases of the rollout.
    #[serde(default)]
    pub(super) phases: PhasesFile,
    /// When the share may rise. A rollback never waits.
    #[serde(default)]
    pub(super) windows: WindowsFile,
    /// Who may say `go` at a gate: GitHub logins, and teams as `team/SLUG`. Default: whoever may start the workflow.
    #[serde(default)]
    pub(super) approvers: Vec<Written<Person>>,
    /// What `verify-health decide` calls for.
    #[serde(default)]
    pub(super) decisions: Decisions,
    /// How the traffic is taken back, beyond the router.
    #[serde(default)]
    pub(super) rollback: Rollback,
    /// Who is told what. Default: the run's summary, everything.
    #[serde(default)]
    pub(super) notify: Notify,
    /// The job that watches the rollout and moves it.
    #[serde(default)]
    pub(super) driver: Driver,
}
