//! What the judge says: an outcome, one sentence, and the numbers behind it, as JSON.
//!
//! No number is ever NaN or infinite; what cannot be computed is absent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judge::{GaugeUnit, Level};
use super::look::Counts;

/// What to do with the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Proved within bounds, in this step and on fresh data.
    Healthy,
    /// No harm found, not yet proved.
    Watch,
    /// Something is a little worse, or near a limit; [`Verdict::proved`] says whether it is healthy all the same.
    Warn,
    /// Harm is proved. Stays for the rest of the rollout.
    Rollback,
    /// Both versions are worse since a rise: no word on the candidate, but its share is to be 0 until a person says on.
    Precaution,
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

/// Which test a report is about. Each may roll back, warn or prove ([`Level`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestId {
    /// Error rate above 1.5 x stable + 0.05 pp; as a warning, above stable's.
    ErrorRate,
    /// The same for one endpoint.
    Endpoint,
    /// Error rate above the critical one, and stable's is not.
    Critical,
    /// Error rate above 10 % while warming up.
    Catastrophe,
    /// More requests slower than 1.2 x stable's p95 than of stable are slower than its p95.
    Latency,
    /// More than 5 % of the requests slower than the limit, and of stable's are not.
    LatencyLimit,
    /// Fewer requests for its weight than 0.9 x stable's.
    Throughput,
    /// A gauge over its limit in most samples of 5 min.
    Gauge,
    /// A process that begins anew again and again.
    CrashLoop,
    /// A check of the team's own.
    Check,
    /// Stable worse than before the last rise.
    Damage,
    /// Proves: error rate below a multiple of stable's.
    HealthBesideStable,
    /// Proves: error rate below the critical one.
    HealthBelowCritical,
    /// Proves: not slower than 1.5 x stable.
    HealthLatency,
    /// Proves: fewer than 5 % of the requests slower than the limit.
    HealthLatencyLimit,
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
    /// Health is proved in this step, on fresh data.
    #[serde(default)]
    pub proved: bool,
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
    /// What warns now.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// The gauges of the last five minutes.
    #[serde(default)]
    pub gauges: Vec<GaugeReport>,
    /// How often processes of stable and of the candidate began anew.
    #[serde(default)]
    pub restarts: [u64; 2],
    /// Samples that were no number, and were left out.
    #[serde(default)]
    pub dropped: u64,
}

/// Something that is a little worse, or near a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// The test that warns.
    pub test: TestId,
    /// Which endpoint, gauge or check it is about.
    pub subject: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// In words.
    pub sentence: String,
}

/// How a gauge stands, over the last five minutes, in its own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeReport {
    /// The plan's name for it.
    pub name: String,
    /// How people read its values.
    #[serde(default)]
    pub unit: GaugeUnit,
    /// The limit that rolls back.
    pub critical: Option<f64>,
    /// The limit that warns.
    pub warning: Option<f64>,
    /// The highest value of the candidate.
    pub candidate: Option<f64>,
    /// The highest value of stable.
    pub stable: Option<f64>,
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
    /// Which endpoint, gauge or check it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// End of the look that decided.
    pub at: Timestamp,
    /// Start of the looks that made the evidence.
    pub since: Timestamp,
    /// Start of the first look that the test counted.
    pub first: Timestamp,
    /// Counts of the candidate in these looks; of a gauge, samples and those over the limit.
    pub candidate: Counts,
    /// Counts of stable in these looks; with a frozen baseline, all that was counted of it.
    pub stable: Counts,
    /// The rate that was allowed, 0 to 1; of a gauge, its limit.
    pub limit: Option<f64>,
    /// What slow meant.
    #[serde(default)]
    pub bounds: Option<Bounds>,
    /// The e-value; 0 of a rule that needs none.
    pub e: f64,
    /// The e-value that was needed; 0 of a rule that needs none.
    pub bar: f64,
    /// What was found, in words.
    #[serde(default)]
    pub sentence: String,
}

/// Requests that took longer than this are slow, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Of stable.
    pub stable: f64,
    /// Of the candidate.
    pub candidate: f64,
    /// Whether they are within 10 % of what is wanted; else the histogram's bounds are too coarse.
    pub near: bool,
}

/// How one test stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which test.
    pub id: TestId,
    /// Which endpoint or check it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// What follows when the claim is disproved.
    pub level: Level,
    /// Counts of the candidate in the looks used.
    pub candidate: Counts,
    /// Counts of stable in the looks used; with a frozen baseline, all that was counted of it.
    pub stable: Counts,
    /// 0 to 1.
    pub candidate_rate: Option<f64>,
    /// 0 to 1.
    pub stable_rate: Option<f64>,
    /// The rate at the edge of the claim, beside this stable; 0 to 1.
    pub limit: Option<f64>,
    /// What slow means now.
    #[serde(default)]
    pub bounds: Option<Bounds>,
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

/// "This rate would reach the bar in so many seconds": a fault for a rollback test; for a proof
/// of health, a candidate as good as stable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The candidate's rate that is assumed, 0 to 1.
    pub error_rate: f64,
    /// Seconds from the last look.
    pub seconds: i64,
}
