//! Which weights, and for how long.

use jiff::SignedDuration;
use rollgate_domain::weight::Weight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Duration, Share, Unit as _, Written};

/// The phases of a rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phases {
    pub canary: Canary,
    pub production: Production,
}

/// The phases of a rollout.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the keys `canary` and `production`"
)]
#[schemars(rename = "Phases")]
pub(in crate::plan) struct PhasesFile {
    /// A small part of the users meets the candidate.
    pub(in crate::plan) canary: Canary,
    /// All users come to meet it, step by step; then it is watched to the end.
    pub(in crate::plan) production: ProductionFile,
}

/// A small part of the users meets the candidate.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `require`, `steps` and `gates`"
)]
pub struct Canary {
    /// What ends a step besides its time. Default: `proof`.
    pub require: Require,
    /// Rising weights, each held for a time. Default: 1 % for 6 h, 5 % for 6 h, 10 % for 36 h.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// When a person has to say `go` before the share may rise again. Default: never.
    pub gates: Vec<Gate>,
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
            gates: Vec::new(),
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

/// A time at which a person has to say `go` before the share may rise again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a gate such as `{ at: 12h }`"
)]
pub struct Gate {
    /// How long after the phase began; later than the gate before it, and before the phase's own time is over.
    #[serde(with = "Duration")]
    pub at: SignedDuration,
}

/// All users come to meet the candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Production {
    pub require: Require,
    /// Rising weights; the last one is 100 % and lasts until `total` is over.
    pub steps: Vec<Step>,
    pub gates: Vec<Gate>,
    /// The least time from 100 % until `shift-traffic finish` may take the old version down.
    pub keep_old: SignedDuration,
}

impl Default for Production {
    fn default() -> Self {
        let step = |percent, hours| Step {
            weight: Weight::new(percent).unwrap_or_default(),
            duration: SignedDuration::from_hours(hours),
        };
        Self {
            require: Require::Proof,
            steps: vec![step(25, 2), step(50, 2), step(75, 2), step(100, 66)],
            gates: Vec::new(),
            keep_old: SignedDuration::from_hours(48),
        }
    }
}

/// All users come to meet the candidate, step by step; then it is watched to the end.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `require`, `steps`, `gates`, `total` and `keep-old`"
)]
#[schemars(rename = "Production")]
pub(in crate::plan) struct ProductionFile {
    /// What ends a step besides its time. Default: `proof`.
    pub(in crate::plan) require: Require,
    /// Rising weights up to 100 %, each held for a time; the last one lasts until `total` is over. Default: 25, 50
    /// and 75 % for 2 h each, then 100 %.
    #[schemars(length(min = 1))]
    pub(in crate::plan) steps: Vec<ProductionStep>,
    /// When a person has to say `go` before the share may rise again. Default: never.
    pub(in crate::plan) gates: Vec<Gate>,
    /// How long the phase lasts at least, with the time at 100 %. Default: `72h`.
    #[serde(with = "Duration")]
    pub(in crate::plan) total: SignedDuration,
    /// How long after 100 % the old version stands at least; `shift-traffic finish` refuses earlier. Default: `48h`.
    #[serde(with = "Duration")]
    pub(in crate::plan) keep_old: SignedDuration,
}

impl Default for ProductionFile {
    fn default() -> Self {
        let Production {
            require,
            steps,
            gates,
            keep_old,
        } = Production::default();
        let total = steps
            .iter()
            .fold(SignedDuration::ZERO, |sum, step| sum + step.duration);
        let steps = steps
            .into_iter()
            .map(|Step { weight, duration }| ProductionStep {
                weight,
                duration: (weight < Weight::FULL).then_some(Written(duration)),
            })
            .collect();
        Self {
            require,
            steps,
            gates,
            total,
            keep_old,
        }
    }
}

/// A weight that is held for a time; the last one, 100 %, until the phase's total is over.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a step such as `{ weight: 25%, for: 2h }`, or `{ weight: 100% }`"
)]
pub(in crate::plan) struct ProductionStep {
    /// The candidate's share of the traffic in whole percents, more than in the step before.
    #[serde(with = "Share")]
    pub(in crate::plan) weight: Weight,
    /// How long it is held at least; two looks or more. Not for the last step.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Written<Duration>")]
    pub(in crate::plan) duration: Option<Written<Duration>>,
}
