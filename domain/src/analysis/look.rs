//! What both versions did in one closed interval.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// So many of something, and how many of them speak against a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests, 0 or more.
    pub requests: f64,
    /// Those that ended in an error, or were slow, or not good: 0 or more.
    pub errors: f64,
}

impl Counts {
    /// Share of requests that failed, 0 to 1; nothing without requests.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.requests > 0.0).then(|| (self.errors / self.requests).min(1.0))
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
    }
}

/// What one version did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Requests, 0 or more.
    pub requests: f64,
    /// Requests that ended in an error, 0 or more.
    pub errors: f64,
    /// Every process that is known of this version had a sample: what was not counted did not happen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
    /// Requests and errors for each value of the label by which they are told apart; [`REST`] for the seldom ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Counts>,
    /// How long requests took.
    #[serde(default, skip_serializing_if = "Distribution::is_empty")]
    pub latency: Distribution,
    /// In the order of [`super::Settings::checks`]: all, and those that were not good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Counts>,
    /// In the order of [`super::Settings::gauges`]: the values of each process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<BTreeMap<String, Vec<f64>>>,
    /// How often which process began anew.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<String, u32>,
}

/// The name of what is not among the busiest groups.
pub const REST: &str = "(rest)";

impl Measured {
    /// Requests and errors.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests,
            errors: self.errors,
        }
    }
}

impl From<Counts> for Measured {
    fn from(Counts { requests, errors }: Counts) -> Self {
        Self {
            requests,
            errors,
            ..Self::default()
        }
    }
}

/// What both versions did in one closed interval of the grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Place on the grid, 0 for the first look after the origin.
    pub index: u64,
    /// The look holds samples up to and including this moment.
    pub end: Timestamp,
    /// What stable did.
    pub stable: Measured,
    /// What the candidate did.
    pub candidate: Measured,
    /// Samples that were no number, and were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

impl Look {
    /// A look in which nothing but requests and errors was counted.
    #[must_use]
    pub fn of_counts(index: u64, end: Timestamp, stable: Counts, candidate: Counts) -> Self {
        Self {
            index,
            end,
            stable: stable.into(),
            candidate: candidate.into(),
            dropped: 0,
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
