//! What the judge says: an outcome, one sentence, and the numbers behind it, as JSON.
//!
//! No number is ever NaN or infinite; what cannot be computed is absent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counters::Counts;

/// What to do with the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Proved within bounds, in this step and on fresh data.
    Healthy,
    /// No harm found, not yet proved.
    Watch,
    /// Harm is proved. Stays for the rest of the rollout.
    Rollback,
    /// The evidence can say neither, for the [`Reason`] given.
    Hold,
}

/// Why the evidence can say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// So little traffic that the step's time will not do.
    Thin,
    /// No traffic to judge.
    None,
    /// No answer from the metric source, or nothing new in it.
    Down,
    /// Stable fails too.
    Shared,
}

/// Which test a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestId {
    /// Rolls back: error rate above 1.5 x stable + 0.05 pp.
    ErrorRate,
    /// Rolls back: error rate above the critical one, and stable's is not.
    Critical,
    /// Rolls back: error rate above 10 % while warming up.
    Catastrophe,
    /// Proves: error rate below a multiple of stable's.
    HealthBesideStable,
    /// Proves: error rate below the critical one.
    HealthBelowCritical,
}

/// Which stable the candidate is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// The one beside it.
    #[default]
    Live,
    /// The one that was, as it was while it had traffic: the candidate has all of it now.
    Frozen,
    /// None: the candidate has all traffic, and nothing was counted of stable before. The limits alone judge.
    Missing,
}

/// The verdict at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub outcome: Outcome,
    /// Only with [`Outcome::Hold`].
    pub reason: Option<Reason>,
    /// Outcome, numbers and reason in words.
    pub sentence: String,
    /// Which stable it was compared with.
    #[serde(default)]
    pub baseline: Baseline,
    /// The moment that was judged.
    pub at: Timestamp,
    /// The proof of health is sought in looks from here on.
    pub step_since: Timestamp,
    /// Looks in which some test found something to count.
    pub used: u64,
    /// Looks with nothing to compare.
    pub skipped: u64,
    /// The finding behind a rollback.
    pub found: Option<Found>,
    /// One report per test.
    pub tests: Vec<Report>,
}

impl Verdict {
    /// Whether no look has closed yet, which is nobody's fault: a source without a past has only just begun.
    #[must_use]
    pub fn saw_nothing_yet(&self) -> bool {
        self.used + self.skipped == 0 && self.reason != Some(Reason::Down)
    }
}

/// What was found against the candidate, as it was when it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The test that found it.
    pub test: TestId,
    /// End of the look that decided.
    pub at: Timestamp,
    /// Start of the looks that made the evidence.
    pub since: Timestamp,
    /// Start of the first look that the test counted.
    pub first: Timestamp,
    /// Counts of the candidate in these looks.
    pub candidate: Counts,
    /// Counts of stable in these looks; with a frozen baseline, all that was counted of it.
    pub stable: Counts,
    /// The error rate that was allowed, 0 to 1.
    pub limit: Option<f64>,
    /// The e-value.
    pub e: f64,
    /// The e-value that was needed.
    pub bar: f64,
}

/// How one test stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which test.
    pub id: TestId,
    /// Counts of the candidate in the looks used.
    pub candidate: Counts,
    /// Counts of stable in the looks used; with a frozen baseline, all that was counted of it.
    pub stable: Counts,
    /// 0 to 1.
    pub candidate_rate: Option<f64>,
    /// 0 to 1.
    pub stable_rate: Option<f64>,
    /// The error rate at the edge of the claim, beside this stable; 0 to 1.
    pub limit: Option<f64>,
    /// The evidence against the claim: within it, `e` is reached in at most 1 of `e` cases.
    pub e: f64,
    /// The claim is disproved when `e` reaches this.
    pub bar: f64,
    /// Mean size of a cluster of errors.
    pub m: f64,
    /// Looks counted.
    pub used: u64,
    /// Looks with nothing to compare.
    pub skipped: u64,
    /// When the test would say something, at the present traffic.
    pub forecast: Option<Forecast>,
}

/// "This error rate would reach the bar in so many seconds": a fault for a rollback test; for a proof
/// of health, a candidate as good as stable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The candidate's error rate that is assumed, 0 to 1.
    pub error_rate: f64,
    /// Seconds from the last look.
    pub seconds: i64,
}
