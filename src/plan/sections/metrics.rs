//! Which counters judge, and who is asked for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::units::{
    Address, Duration, File, Label, LabelKey, Maybe, Name, Selector, Unit as _, Words, Written,
};

/// Where the two counters come from that judge the candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    pub source: Source,
    /// Selector of the counter of requests; not empty, its grammar is checked by the source.
    pub requests: String,
    /// Selector of the counter of requests that went wrong; not empty.
    pub errors: String,
    /// Selector of the histogram of how long requests take, by its base name.
    pub latency: Option<String>,
    /// The gauge of a process's memory, in bytes: a selector, or where a Prometheus is asked an expression.
    pub memory: Option<String>,
}

/// Who is asked for them.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Prometheus(Prometheus),
    Scrape(Scrape),
    Datadog(Datadog),
    NewRelic(NewRelic),
    CloudWatch(CloudWatch),
    Recorded(Recorded),
    Probe(Probe),
}

/// A Prometheus, or anything that answers like one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `url`"
)]
pub struct Prometheus {
    /// Where it listens, as the runner reaches it.
    #[serde(with = "Address")]
    pub url: Url,
    /// The label that tells which version a series belongs to. Its values are the versions given to
    /// `shift-traffic start`. Default: `version`.
    #[serde(with = "Label", default = "version_label")]
    pub version_label: String,
    /// Sent with every request, such as the tenant of Thanos or Mimir: `X-Scope-OrgID: shop`. Nothing secret: that is
    /// in the environment, as `PROMETHEUS_TOKEN`, or `PROMETHEUS_USER` and `PROMETHEUS_PASSWORD`. Default: none.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A file with the certificates (PEM) of the authority that has signed the server's; then no other is trusted.
    /// Default: those that the machine trusts.
    #[serde(default, with = "Maybe::<File>")]
    pub ca: Option<PathBuf>,
}

fn version_label() -> String {
    "version".to_owned()
}

/// Datadog, by its query API. Its keys are in the environment variables `DD_API_KEY` and `DD_APP_KEY`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `site`"
)]
pub struct Datadog {
    /// The site of the account, such as `datadoghq.eu` or `us5.datadoghq.com`.
    #[serde(with = "Name")]
    pub site: String,
    /// The tag that tells which version a series belongs to. Its values are the versions given to
    /// `shift-traffic start`. Default: `version`.
    #[serde(with = "LabelKey", default = "version_label")]
    pub version_tag: String,
    /// The tag that tells the processes of a version apart. Default: `host`.
    #[serde(with = "LabelKey", default = "host")]
    pub instance_tag: String,
    /// In seconds, rising: up to each of them it is counted how many requests took at most that. The limits of
    /// `limits.p95` are added. Default: 24 bounds from 5 ms to 10 s.
    #[serde(default = "latency_bounds")]
    pub latency_bounds: Vec<f64>,
}

/// New Relic, by NRQL. Its user key is in the environment variable `NEW_RELIC_API_KEY`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `account`"
)]
pub struct NewRelic {
    /// The number of the account.
    #[schemars(range(min = 1))]
    pub account: i64,
    /// Where the account is. Default: `us`.
    #[serde(default)]
    pub region: Region,
    /// The type of the events of a condition that names none. Default: `Transaction`.
    #[serde(with = "Name", default = "transaction")]
    pub event: String,
    /// The attribute that tells which version an event belongs to. Its values are the versions given to
    /// `shift-traffic start`. Default: `service.version`.
    #[serde(with = "Name", default = "service_version")]
    pub version_attribute: String,
    /// The attribute that tells the processes of a version apart. Default: `host`.
    #[serde(with = "Name", default = "host")]
    pub instance_attribute: String,
    /// The attribute that tells how long it took, in seconds. Default: `duration`.
    #[serde(with = "Name", default = "duration")]
    pub duration_attribute: String,
    /// In seconds, rising: up to each of them it is counted how many requests took at most that. The limits of
    /// `limits.p95` are added. Default: 24 bounds from 5 ms to 10 s.
    #[serde(default = "latency_bounds")]
    pub latency_bounds: Vec<f64>,
}

/// Amazon CloudWatch. Its credentials are in the environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and,
/// if they expire, `AWS_SESSION_TOKEN`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `region` and `namespace`"
)]
pub struct CloudWatch {
    /// Where the metrics are, such as `eu-west-1`.
    #[serde(with = "Name")]
    pub region: String,
    /// Whose metrics they are, such as `Shop` or `AWS/ApplicationELB`.
    #[serde(with = "Words")]
    pub namespace: String,
    /// The dimension that tells which version a metric belongs to. Its values are the versions given to
    /// `shift-traffic start`. Default: `Version`.
    #[serde(with = "Words", default = "version_dimension")]
    pub version_dimension: String,
    /// Where CloudWatch listens, if not at the region's public address: a VPC endpoint.
    #[serde(default, with = "Maybe::<Address>")]
    pub endpoint: Option<Url>,
    /// In seconds, rising: up to each of them it is counted how many requests took at most that. The limits of
    /// `limits.p95` are added. Default: 24 bounds from 5 ms to 10 s.
    #[serde(default = "latency_bounds")]
    pub latency_bounds: Vec<f64>,
}

fn version_dimension() -> String {
    "Version".to_owned()
}

/// Where a New Relic account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// The United States.
    #[default]
    Us,
    /// Europe.
    Eu,
}

fn transaction() -> String {
    "Transaction".to_owned()
}

fn service_version() -> String {
    "service.version".to_owned()
}

fn duration() -> String {
    "duration".to_owned()
}

fn host() -> String {
    "host".to_owned()
}

/// Steps of a quarter where most services are, of a half and more elsewhere.
fn latency_bounds() -> Vec<f64> {
    vec![
        0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0,
        1.25, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0,
    ]
}

/// The services' own `/metrics` pages. They have no past: each run starts its evidence anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// The pages of all instances behind each of the two backends; none is empty.
    pub pages: BTreeMap<String, Vec<Url>>,
}

/// What a run has left, to be judged again: not for a rollout.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `file`"
)]
pub struct Recorded {
    /// The `samples.jsonl` of one rollout: of one run's artifact, or of several runs, one after the other.
    #[serde(with = "File")]
    pub file: PathBuf,
}

/// Requests of rollgate's own, where nothing counts those of the users. They have no past.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What is asked of each of the two backends; none is empty.
    pub targets: BTreeMap<String, Vec<Url>>,
    /// How often each of them is asked.
    pub every: SignedDuration,
    /// What a good answer is.
    pub expect: Expect,
    /// How many good answers make a good probe.
    pub need: Need,
}

/// How many good answers make a good probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `good` and `of`"
)]
pub struct Need {
    /// So many answers must be as expected.
    #[schemars(range(min = 1, max = 10))]
    pub good: u32,
    /// Of so many requests, one after another.
    #[schemars(range(min = 1, max = 10))]
    pub of: u32,
}

impl Default for Need {
    fn default() -> Self {
        Self { good: 1, of: 1 }
    }
}

/// What a good answer is; all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `status`, `header` or `body-contains`"
)]
pub struct Expect {
    /// Its status. Default: any from 200 to 299.
    #[serde(default)]
    #[schemars(with = "u16", range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Its headers, with their whole values. Default: any.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// A text that its body contains. Default: any.
    #[serde(default)]
    #[schemars(with = "String")]
    pub body_contains: Option<String>,
}

/// Requests of rollgate's own.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `targets`"
)]
#[schemars(rename = "Probe")]
pub(in crate::plan) struct ProbeFile {
    /// For each of the two backends what is asked of it: best an address of each instance.
    pub(in crate::plan) targets: BTreeMap<String, Vec<Written<Address>>>,
    /// How often each of them is asked. Default: `1s`.
    #[serde(with = "Duration", default = "every")]
    pub(in crate::plan) every: SignedDuration,
    /// What a good answer is. Default: a status from 200 to 299.
    #[serde(default)]
    pub(in crate::plan) expect: Expect,
    /// How many good answers, of how many requests, make a good probe. Default: one of one.
    #[serde(default)]
    pub(in crate::plan) need: Need,
}

fn every() -> SignedDuration {
    SignedDuration::from_secs(1)
}

/// The two counters that judge the candidate, and who is asked for them.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `requests`, `errors` and a source"
)]
#[schemars(rename = "Metrics", extend("oneOf" = [{ "required": ["prometheus", "requests", "errors"] }, { "required": ["scrape", "requests", "errors"] }, { "required": ["recorded", "requests", "errors"] }, { "required": ["probe"] }, { "required": ["datadog", "requests", "errors"] }, { "required": ["new-relic", "requests", "errors"] }, { "required": ["cloudwatch", "requests", "errors"] }]))]
pub(in crate::plan) struct MetricsFile {
    /// A Prometheus, or anything that answers like one.
    #[serde(default)]
    #[schemars(with = "Prometheus")]
    pub(in crate::plan) prometheus: Option<Prometheus>,
    /// The services' own pages, where there is no Prometheus. They have no past: each run starts its
    /// evidence anew.
    #[serde(default)]
    #[schemars(with = "ScrapeFile")]
    pub(in crate::plan) scrape: Option<ScrapeFile>,
    /// What a run has left, for `verify-health replay`, `compare` and `check --now` without the source that was asked.
    #[serde(default)]
    #[schemars(with = "Recorded")]
    pub(in crate::plan) recorded: Option<Recorded>,
    /// Datadog. `requests`, `errors` and all the rest are then metrics with their tags alone, such as
    /// `trace.rack.request.hits{service:shop-api}`.
    #[serde(default)]
    #[schemars(with = "Datadog")]
    pub(in crate::plan) datadog: Option<Datadog>,
    /// New Relic. `requests`, `errors` and all the rest are then conditions on its events, such as
    /// `appName = 'shop-api' AND error IS true`, or `FROM Event WHERE condition`; gauges are `attribute FROM Event`.
    #[serde(default)]
    #[schemars(with = "NewRelic")]
    pub(in crate::plan) new_relic: Option<NewRelic>,
    /// Amazon CloudWatch. `requests`, `errors` and all the rest are then metrics with all their dimensions but the
    /// version's, such as `Requests{Service=shop-api}`.
    #[serde(default)]
    #[schemars(with = "CloudWatch")]
    pub(in crate::plan) cloudwatch: Option<CloudWatch>,
    /// Requests of rollgate's own, where nothing counts those of the users. They have no past, and need neither
    /// `requests` nor `errors`: they are counted themselves, and how long they take.
    #[serde(default)]
    #[schemars(with = "ProbeFile")]
    pub(in crate::plan) probe: Option<ProbeFile>,
    /// The counter of all requests, in the source's words: a Prometheus selector, if it is not said otherwise there.
    #[serde(default, with = "Maybe::<Selector>")]
    pub(in crate::plan) requests: Option<String>,
    /// The counter of the requests that went wrong, as a Prometheus selector.
    #[serde(default, with = "Maybe::<Selector>")]
    pub(in crate::plan) errors: Option<String>,
    /// The histogram of how long requests take, in seconds, by its name without `_bucket`. Default: latency is not
    /// judged.
    #[serde(default, with = "Maybe::<Selector>")]
    pub(in crate::plan) latency: Option<String>,
    /// The gauge of a process's memory, in bytes: a Prometheus selector, or where a Prometheus is asked any expression
    /// whose series keep the version label. Default: memory is not judged.
    #[serde(default, with = "Maybe::<Selector>")]
    pub(in crate::plan) memory: Option<String>,
}

/// The services' own `/metrics` pages.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `pages`"
)]
#[schemars(rename = "Scrape")]
pub(in crate::plan) struct ScrapeFile {
    /// For each of the two backends the `/metrics` pages of all its instances.
    pub(in crate::plan) pages: BTreeMap<String, Vec<Written<Address>>>,
}
