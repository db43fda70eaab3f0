//! What a metric source answered: raw samples, nothing divided, nothing summed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// The version that served a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The version that is known to be good.
    #[default]
    Stable,
    /// The version on trial.
    Candidate,
}

/// What the numbers of a series are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Events since the process began; a fall is a restart. Of a gauge: its value.
    #[default]
    Level,
    /// Events since the point before: a source that has taken the differences itself.
    Increment,
}

/// Raw samples of one series, in time order. NaN means that there is no value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// All labels in canonical form: the name of the series.
    pub key: String,
    /// The process that was asked; empty if the source does not say.
    pub instance: String,
    /// The version it runs.
    pub side: Side,
    /// What its numbers are.
    #[serde(default)]
    pub kind: Kind,
    /// The value of the label by which errors are judged apart; empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Time and value.
    pub points: Vec<(Timestamp, f64)>,
}

/// Raw samples of one histogram of durations, in time order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// All labels but the bucket's, in canonical form.
    pub key: String,
    /// The process that was asked; empty if the source does not say.
    pub instance: String,
    /// The version it runs.
    pub side: Side,
    /// What its numbers are.
    #[serde(default)]
    pub kind: Kind,
    /// Time and distribution.
    pub points: Vec<(Timestamp, Distribution)>,
}

/// The two counters of one check of the team's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckSamples {
    /// What went well.
    pub good: Vec<Series>,
    /// All of it.
    pub total: Vec<Series>,
}

/// What a source answered for one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The counter of all requests.
    pub requests: Vec<Series>,
    /// The counter of requests that ended in an error.
    pub errors: Vec<Series>,
    /// How long requests took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<Histogram>,
    /// In the order of [`super::Settings::checks`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSamples>,
    /// In the order of [`super::Settings::gauges`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<Vec<Series>>,
}
