//! Which weights, and for how long.

use jiff::SignedDuration;
use rollgate_domain::weight::Weight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Duration, Share, Unit as _};

/// The phases of a rollout.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `canary`"
)]
pub struct Phases {
    /// A small part of the users meets the candidate.
    pub canary: Canary,
}

/// A small part of the users meets the candidate.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `require` and `steps`"
)]
pub struct Canary {
    /// What ends a step besides its time. Default: `proof`.
    pub require: Require,
    /// Rising weights, each held for a time. Default: 1 % for 6 h, 5 % for 6 h, 10 % for 36 h.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
}

impl Default for Canary {
    fn default() -> Self {
        let step = |percent, hours| Step {
            weight: Weight::new(percent).unwrap_or_default(),
            duration: SignedDuration::from_hours(hours),
        };
        Self {
            require: Require::Proof,
            steps: vec![step(1, 6), step(5, 6), step(10, 36)],
        }
    }
}

/// What ends a step besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// The candidate was shown to be healthy, in this step.
    Proof,
    /// The candidate was not shown to do harm. For services with too few requests for a proof.
    NoHarm,
}

/// A weight that is held for a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a step such as `{ weight: 5%, for: 6h }`"
)]
pub struct Step {
    /// The candidate's share of the traffic in whole percents, more than in the step before.
    #[serde(with = "Share")]
    pub weight: Weight,
    /// How long it is held at least; two looks or more.
    #[serde(with = "Duration", rename = "for")]
    pub duration: SignedDuration,
}
