//! What the run itself does: who is told, and for how long one job drives.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Duration, Unit as _};

/// Who is told what. Without a channel only the journal knows. Default of each: `[summary]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping from severity to channels"
)]
pub struct Notify {
    /// Rolled back, stuck, or nobody watches.
    #[schemars(extend("uniqueItems" = true))]
    pub critical: Vec<Channel>,
    /// Something a person should look at today.
    #[schemars(extend("uniqueItems" = true))]
    pub warning: Vec<Channel>,
    /// The rollout goes on as planned.
    #[schemars(extend("uniqueItems" = true))]
    pub info: Vec<Channel>,
}

impl Default for Notify {
    fn default() -> Self {
        let summary = || vec![Channel::Summary];
        Self {
            critical: summary(),
            warning: summary(),
            info: summary(),
        }
    }
}

/// Where a notice can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A Slack channel, by the web hook in the environment variable `SLACK_WEBHOOK_URL`.
    Slack,
    /// The summary page of the GitHub run.
    Summary,
}

/// The job that watches the rollout and moves it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping"
)]
pub struct Driver {
    /// How long one job drives before it hands over to the next. Below the job's `timeout-minutes`; a job
    /// on GitHub's machines ends after 6 h. Default: `5h30m`.
    #[serde(with = "Duration")]
    pub budget: SignedDuration,
    /// How long to wait for the next job; without one the candidate gets no traffic and the rollout is
    /// paused. At most the budget. Default: `20m`.
    #[serde(with = "Duration")]
    pub successor_within: SignedDuration,
    /// How long the metric source may be silent before the candidate gets no traffic and the rollout is
    /// paused. Two looks or more. Default: `15m`.
    #[serde(with = "Duration")]
    pub blind: SignedDuration,
}

impl Default for Driver {
    fn default() -> Self {
        Self {
            budget: SignedDuration::from_mins(5 * 60 + 30),
            successor_within: SignedDuration::from_mins(20),
            blind: SignedDuration::from_mins(15),
        }
    }
}
