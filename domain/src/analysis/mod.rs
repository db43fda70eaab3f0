//! Is the candidate as good as stable? Raw counter samples in, one [`Verdict`] with its sentence out.
//!
//! ```text
//! Samples ─▶ Tally ─▶ Look ─▶ Judge ─▶ Verdict
//!                             panel, catastrophe, health, damage: trials of one kernel
//!                             gauges, crash loops: rules
//! ```
//!
//! Everything can be computed anew from the samples: the same looks give the same verdict, to the byte.

mod catastrophe;
mod clusters;
mod comparison;
mod crash_loop;
mod damage;
mod distribution;
mod exposure;
mod frozen;
mod gauge;
mod health;
mod judge;
pub mod kernel;
mod look;
mod measure;
mod outlook;
mod panel;
mod plausible;
mod samples;
mod tally;
mod totals;
mod trial;
mod verdict;
mod words;
mod yardstick;

#[cfg(test)]
mod awkward_data;
#[cfg(test)]
mod simulation;

pub use clusters::{ClusterSizes, sample_interval, whole_looks};
pub use comparison::{Compared, Criterion, Unit, compared, criteria};
pub use distribution::Distribution;
pub use health::Proof;
pub use judge::{Check, Feed, GaugeLimits, GaugeUnit, Judge, Level, Settings, SlowLimits, Throughput};
pub use look::{Counts, Look, Measured, REST};
pub use outlook::{Outlook, outlook};
pub use plausible::{Plausibility, Sign, plausible};
pub use samples::{CheckSamples, Histogram, Kind, Samples, Series, Side};
pub use tally::Tally;
pub use totals::{GaugeTotals, Totals};
pub use verdict::{
    Baseline, Bounds, Forecast, Found, GaugeReport, Outcome, Reason, Report, TestId, Verdict, Warning,
};
