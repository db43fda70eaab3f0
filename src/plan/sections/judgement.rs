//! How the candidate is judged.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Amount, Duration, Label, Maybe, Quantity, Rate, Selector, Unit as _};

/// What a version must never exceed. No absolute latency and no memory by default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `error-rate`, `p95`, `throughput` or `memory`"
)]
pub struct Limits {
    /// The share of requests that may go wrong.
    pub error_rate: ErrorRate,
    /// How long requests may take; judged where `metrics.latency` is given.
    pub p95: P95,
    /// How many requests the candidate must have for its share of the traffic.
    pub throughput: Throughput,
    /// How much memory each process may have; judged where `metrics.memory` is given.
    pub memory: Memory,
}

/// Limits of the share of requests that go wrong.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `critical`, `warning` or `by`"
)]
pub struct ErrorRate {
    /// Above it the candidate is rolled back unless stable is above it too, and a step ends only when the candidate is
    /// shown to be below it. Over 0 %. Default: `1%`.
    #[serde(with = "Rate")]
    pub critical: f64,
    /// Above it people are warned. Default: half of `critical`.
    #[serde(with = "Maybe::<Rate>")]
    pub warning: Option<f64>,
    /// A label of both counters by whose values errors are judged apart as well: a handler that is dead is found though
    /// it has a thousandth of the traffic. The 20 busiest, and the rest. Default: none.
    #[serde(with = "Maybe::<Label>")]
    pub by: Option<String>,
}

impl Default for ErrorRate {
    fn default() -> Self {
        Self {
            critical: 0.01,
            warning: None,
            by: None,
        }
    }
}

/// Limits of how long requests take.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `critical`, `warning` or `above-stable`"
)]
pub struct P95 {
    /// If more than 5 % of its requests take longer, the candidate is rolled back, unless stable's do too. Best a bound of
    /// the histogram. Default: none.
    #[serde(with = "Maybe::<Duration>")]
    pub critical: Option<SignedDuration>,
    /// The same, and people are warned. Default: none.
    #[serde(with = "Maybe::<Duration>")]
    pub warning: Option<SignedDuration>,
    /// How much slower than stable the candidate may be. Default: `20%`.
    #[serde(with = "Rate")]
    pub above_stable: f64,
}

impl Default for P95 {
    fn default() -> Self {
        Self {
            critical: None,
            warning: None,
            above_stable: 0.2,
        }
    }
}

/// Limits of the traffic that must arrive.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `below-stable`"
)]
pub struct Throughput {
    /// How many requests may be missing, for the candidate's share of the traffic, beside stable. Rolls back where the
    /// router splits by request; where it splits by user one heavy client shifts the share, and people are warned.
    /// Default: `10%`.
    #[serde(with = "Rate")]
    pub below_stable: f64,
}

impl Default for Throughput {
    fn default() -> Self {
        Self { below_stable: 0.1 }
    }
}

/// Limits of a process's memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `critical` or `warning`"
)]
pub struct Memory {
    /// Over it in most samples of five minutes, in a process of the candidate and in none of stable's: rolled back.
    /// Default: none.
    #[serde(with = "Maybe::<Amount>")]
    pub critical: Option<Quantity>,
    /// The same, and people are warned. Default: none.
    #[serde(with = "Maybe::<Amount>")]
    pub warning: Option<Quantity>,
}

/// A number of each process that must not stay above a limit: CPU, a pool, a queue.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `name`, `query` and a limit"
)]
pub struct Gauge {
    /// What people call it.
    pub name: String,
    /// The gauge, as `metrics.memory` is given.
    #[serde(with = "Selector")]
    pub query: String,
    /// Over it in most samples of five minutes, in a process of the candidate and in none of stable's: rolled back.
    #[serde(with = "Maybe::<Amount>", default)]
    pub critical: Option<Quantity>,
    /// The same, and people are warned.
    #[serde(with = "Maybe::<Amount>", default)]
    pub warning: Option<Quantity>,
}

/// A check of the team's own: of so many, so many must be good.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `name`, `good` and `total`"
)]
pub struct Check {
    /// What people call it: `login success`.
    pub name: String,
    /// The counter of what went well.
    #[serde(with = "Selector")]
    pub good: String,
    /// The counter of all of it.
    #[serde(with = "Selector")]
    pub total: String,
    /// The share that must be good. Default: compared with stable; its failures may be at most 1.5 x stable's + 0.05
    /// points.
    #[serde(with = "Maybe::<Rate>", default)]
    pub at_least: Option<f64>,
    /// What follows when too little is good. Default: `rollback`.
    #[serde(default)]
    pub action: Action,
}

/// What follows when a check fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The candidate is taken back.
    #[default]
    Rollback,
    /// People are told.
    Warning,
}

/// How the candidate is judged. The defaults are right for most services.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping"
)]
pub struct Judgement {
    /// How often both versions are compared, or the metric source's own interval if that is longer. Shorter looks
    /// find nothing sooner. Default: `15s`.
    #[serde(with = "Duration")]
    pub look: SignedDuration,
    /// How long after its first request the candidate warms up: until then only a catastrophe (more than
    /// 10 % errors) takes it back. Default: `5m`.
    #[serde(with = "Duration")]
    pub grace: SignedDuration,
    /// A burst of errors this long never decides alone. Less finds a catastrophe sooner and forgives less.
    /// Default: `15s`.
    #[serde(with = "Duration")]
    pub forgive: SignedDuration,
    /// How long after its end a look is judged, so that late samples are in; a hosted metric source's own delay
    /// counts where that is longer. Default: `2s`.
    #[serde(with = "Duration")]
    pub delay: SignedDuration,
    /// How much health has to be shown before a step ends. Default: `normal`.
    pub proof: Proof,
    /// How many errors come together on average, 1 to 100: 1 when each comes alone. Default: measured on
    /// the stable version before the rollout.
    #[schemars(with = "f64", range(min = 1, max = 100))]
    pub cluster_size: Option<f64>,
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            look: SignedDuration::from_secs(15),
            grace: SignedDuration::from_mins(5),
            forgive: SignedDuration::from_secs(15),
            delay: SignedDuration::from_secs(2),
            proof: Proof::Normal,
            cluster_size: None,
        }
    }
}

/// How much health has to be shown before a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Fewer than three times the errors of stable (plus 0.3 points): about 900 requests to the candidate.
    Normal,
    /// Fewer than twice the errors of stable (plus 0.1 points): about 8,000 requests to the candidate.
    Strict,
}
