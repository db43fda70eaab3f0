//! The plan's limits for the tools that a team has already: rules, routes, dashboards, monitors.
//!
//! In: a checked plan, and what it does not have (versions, addresses). Out: text. Nothing is asked of anybody. What is
//! made here are plain thresholds: they know neither chance nor repeated looks, and replace no verdict.
//!
//! ```text
//! Plan ─▶ Limits<String> ─▶ read ─▶ Limits<Selector> ─▶ rules, dashboard
//!              └── monitors (a vendor's own queries)
//! ```

mod alertmanager;
mod dashboard;
mod limits;
mod monitors;
mod promql;
mod rules;
mod words;

pub use alertmanager::{Relay, configuration};
pub use dashboard::dashboard;
pub use limits::{Check, Gauge, Level, Limits, Slow};
pub use monitors::monitors;
pub use rules::rules;

/// The versions of a rollout, as the series tell them.
#[derive(Clone, Copy, Debug)]
pub struct Versions<'a> {
    /// The label that holds them; a label name.
    pub label: &'a str,
    /// The stable one, if it is known.
    pub stable: Option<&'a str>,
    /// The candidate, if it is known.
    pub candidate: Option<&'a str>,
}

impl<'a> Versions<'a> {
    /// Stable and candidate, where both are known.
    fn both(&self) -> Option<[&'a str; 2]> {
        Some([self.stable?, self.candidate?])
    }
}

/// The window of all rates: long enough for four scrapes at the slowest usual interval.
const WINDOW: &str = "5m";

/// What a relation to stable allows, as the judgement has it: so many times stable's, and so much more.
const TIMES_STABLE: f64 = 1.5;
const ABOVE_STABLE: f64 = 0.0005;

/// The share of requests that may be slower than a p95.
const SLOW: f64 = 0.05;

/// Which finding a rule is, for whoever routes it. The values of the label `rollgate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// rollgate would take the candidate back.
    Rollback,
    /// People are told.
    Warning,
    /// Neither health nor harm of the candidate: no data, or stable fails as well.
    Hold,
}

impl Finding {
    fn word(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Warning => "warning",
            Self::Hold => "hold",
        }
    }
}

impl From<Level> for Finding {
    fn from(level: Level) -> Self {
        match level {
            Level::Critical => Self::Rollback,
            Level::Warning => Self::Warning,
        }
    }
}

/// A plan for tests.
#[cfg(test)]
fn shop() -> crate::plan::Plan {
    let text = include_str!("../../examples/plans/shop-api.yml");
    crate::plan::Plan::parse(text, "shop-api.yml").expect("the example")
}
