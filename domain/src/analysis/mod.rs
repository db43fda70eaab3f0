//! Is the candidate as good as stable? Raw counter samples in, one [`Verdict`] with its sentence out.
//!
//! ```text
//! Samples ─▶ Tally ─▶ Look ─▶ Judge ─▶ Verdict
//!           counters          error_rate, critical, catastrophe, health: trials of one kernel
//! ```
//!
//! Everything can be computed anew from the samples: the same looks give the same verdict, to the byte.

mod catastrophe;
mod clusters;
mod counters;
mod critical;
mod error_rate;
mod frozen;
mod health;
mod judge;
pub mod kernel;
mod trial;
mod verdict;
mod words;

#[cfg(test)]
mod awkward_data;
#[cfg(test)]
mod simulation;

pub use clusters::{cluster_size, sample_interval, whole_looks};
pub use counters::{Counts, Look, Samples, Series, Side, Tally};
pub use health::Proof;
pub use judge::{Feed, Judge, Settings};
pub use verdict::{Baseline, Forecast, Found, Outcome, Reason, Report, TestId, Verdict};
