//! What a team may choose about the judgement.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::health::Proof;
use super::super::kernel;
use super::super::look::Counts;
use super::super::trial::Spread;

/// How many rollback tests share the error budget of a rollout at least.
///
/// Where fewer are in force the share of the others lies idle: at a bar of 2,000 a burst that straddles two looks would
/// decide with 5 % errors, at 5,000 it takes 50 %.
const ROLLBACK_TESTS: usize = 5;

/// Chance of a false warning in a rollout, for all warnings together.
const WARNING_ALPHA: f64 = 0.01;

/// How long requests may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowLimits {
    /// How much slower than stable the candidate may be, 0.2 is 20 %.
    pub above_stable: f64,
    /// At most 5 % of the candidate's requests may take longer than so many seconds, or it is rolled back.
    pub critical: Option<f64>,
    /// The same, and people are warned.
    pub warning: Option<f64>,
}

impl Default for SlowLimits {
    fn default() -> Self {
        Self {
            above_stable: 0.2,
            critical: None,
            warning: None,
        }
    }
}

/// What a finding of a test leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The candidate is taken back.
    Rollback,
    /// People are told.
    Warning,
    /// It is part of the proof of health.
    Proof,
}

/// How much less of the traffic than its weight the candidate may have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// 0.1 is 10 %.
    pub below_stable: f64,
    /// Rollback where the router splits request by request. Where it splits by user one heavy client shifts the share:
    /// warning.
    pub level: Level,
}

/// How people read a gauge's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GaugeUnit {
    /// `250`.
    #[default]
    Plain,
    /// `712 MB`.
    Bytes,
    /// `82 %` is 0.82.
    Share,
}

/// A number of a process that must not stay above a limit, in the gauge's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeLimits {
    /// For people: `memory`.
    pub name: String,
    /// How people read its values.
    #[serde(default)]
    pub unit: GaugeUnit,
    /// Rolls back.
    pub critical: Option<f64>,
    /// Warns.
    pub warning: Option<f64>,
}

/// A check of the team's own: of so many, so many must be good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// For people: `login success`.
    pub name: String,
    /// The share that must be good, 0 to 1; without it the candidate is compared with stable.
    pub at_least: Option<f64>,
    /// Rollback or warning.
    pub level: Level,
}

/// How a rollout is judged. Fixed for its whole life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Length of a look, positive; not shorter than the source's own interval.
    pub look: SignedDuration,
    /// The whole time that may be judged, holds included: evidence restarts spread over it, and none
    /// begins after it. Twice the plan's steps costs almost nothing.
    pub planned: SignedDuration,
    /// Warm-up after the candidate's first request, in which only a catastrophe is judged.
    pub grace: SignedDuration,
    /// A burst of this length never decides alone.
    pub forgive: SignedDuration,
    /// How long after a look's end the source is asked.
    pub delay: SignedDuration,
    /// Mean number of errors that come together, 1 or more.
    pub cluster_size: f64,
    /// Chance of a false rollback, for all rollback tests together, 0 to 1. A source without a past
    /// divides it by the planned number of runs.
    pub alpha: f64,
    /// The same of slow requests, 1 or more.
    pub slow_cluster_size: f64,
    /// The same of what the team's own checks count, 1 or more.
    pub check_cluster_size: f64,
    /// The error rate that a healthy candidate is proved to be below, 0 to 1.
    pub critical: f64,
    /// The error rate that people are warned of, 0 to 1.
    pub warning: Option<f64>,
    /// Errors are judged for each value of a label, too.
    pub by_group: bool,
    /// Nothing where no histogram tells how long requests take.
    pub slow: Option<SlowLimits>,
    /// Nothing where the weights are not known.
    pub throughput: Option<Throughput>,
    /// Gauges with their limits.
    pub gauges: Vec<GaugeLimits>,
    /// The team's own checks.
    pub checks: Vec<Check>,
    /// How much proof a step needs.
    pub proof: Proof,
    /// The candidate's first request, if an earlier run saw it: a new run is no new warm-up.
    pub warm_since: Option<Timestamp>,
    /// What earlier runs counted of stable while it had traffic, if the source cannot be asked about it: the
    /// baseline of the step in which the candidate has all.
    pub frozen: Option<Counts>,
    /// What stable did in the hours before the rollout: what it is compared with itself after the first rise.
    pub before: Option<Counts>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: SignedDuration::from_secs(15),
            planned: SignedDuration::from_hours(48),
            grace: SignedDuration::from_mins(5),
            forgive: SignedDuration::from_secs(15),
            delay: SignedDuration::from_secs(2),
            cluster_size: 1.0,
            slow_cluster_size: 1.0,
            check_cluster_size: 1.0,
            alpha: 0.001,
            critical: 0.01,
            warning: Some(0.005),
            by_group: false,
            slow: None,
            throughput: None,
            gauges: Vec::new(),
            checks: Vec::new(),
            proof: Proof::Normal,
            warm_since: None,
            frozen: None,
            before: None,
        }
    }
}

impl Settings {
    /// The e-value at which a rollback test rejects.
    #[must_use]
    pub fn bar(&self) -> f64 {
        let slow = self
            .slow
            .map_or(0, |slow| 1 + usize::from(slow.critical.is_some()));
        let throughput = usize::from(self.throughput.is_some_and(|test| test.level == Level::Rollback));
        let checks = self.checks.iter().filter(|check| check.level == Level::Rollback);
        // Error rate, critical and catastrophe are always in force.
        let tests = (3 + slow + throughput + checks.count()).max(ROLLBACK_TESTS);
        (tests as f64 / self.alpha).min(f64::MAX)
    }

    /// The e-value at which a warning is given.
    pub(in crate::analysis) fn warning_bar(&self) -> f64 {
        let slow = self
            .slow
            .map_or(0, |slow| 1 + usize::from(slow.warning.is_some()));
        let throughput = usize::from(self.throughput.is_some_and(|test| test.level == Level::Warning));
        let checks = self.checks.iter().filter(|check| check.level == Level::Warning);
        let tests = 1 + usize::from(self.warning.is_some()) + slow + throughput + checks.count();
        tests as f64 / WARNING_ALPHA
    }

    /// Bets on harm begin again and again for so long.
    pub(in crate::analysis) fn spread(&self, time: SignedDuration) -> Spread {
        Spread {
            looks: self.looks_in(time),
            cap: kernel::cap(self.look, self.forgive),
        }
    }

    pub(in crate::analysis) fn looks_in(&self, time: SignedDuration) -> u64 {
        let look = self.look.as_nanos().max(1);
        u64::try_from((time.as_nanos() + look - 1) / look)
            .unwrap_or(0)
            .max(1)
    }
}
