//! How the candidate is judged.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Duration, Rate, Unit as _};

/// What a version must never exceed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `error-rate`"
)]
pub struct Limits {
    /// The share of requests that may go wrong.
    pub error_rate: ErrorRate,
}

/// Limits of the share of requests that go wrong.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `critical`"
)]
pub struct ErrorRate {
    /// A step ends only when the candidate is shown to be below it. Over 0 %. Default: `1%`.
    #[serde(with = "Rate")]
    pub critical: f64,
}

impl Default for ErrorRate {
    fn default() -> Self {
        Self { critical: 0.01 }
    }
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
    /// How often both versions are compared. Shorter looks find nothing sooner. Default: `15s`.
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
    /// How long after its end a look is judged, so that late samples are in. Default: `2s`.
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
