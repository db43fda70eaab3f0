//! What one version did over many looks, added up.

use jiff::SignedDuration;

use super::distribution::Distribution;
use super::look::{Counts, Measured};

/// Sums, and the course of each gauge in short.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// How many looks were added.
    pub looks: u64,
    /// Requests and errors.
    pub counts: Counts,
    /// How long requests took.
    pub latency: Distribution,
    /// In the order of [`super::Settings::checks`].
    pub checks: Vec<Counts>,
    /// In the order of [`super::Settings::gauges`].
    pub gauges: Vec<GaugeTotals>,
    /// How often processes began anew.
    pub restarts: u64,
}

/// The values of one gauge, of all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GaugeTotals {
    /// How many there were.
    pub samples: u64,
    /// Their sum.
    pub sum: f64,
    /// The lowest, if there were any.
    pub lowest: f64,
    /// The highest, if there were any.
    pub highest: f64,
}

impl GaugeTotals {
    /// Nothing without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.sum / self.samples as f64)
    }

    fn add(&mut self, value: f64) {
        if self.samples == 0 {
            (self.lowest, self.highest) = (value, value);
        }
        self.samples += 1;
        self.sum += value;
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
    }
}

impl Totals {
    /// Adds what this version did in one look.
    pub fn add(&mut self, measured: &Measured) {
        self.looks += 1;
        self.counts += measured.counts();
        self.latency.add(&measured.latency);
        if self.checks.len() < measured.checks.len() {
            self.checks.resize(measured.checks.len(), Counts::default());
        }
        for (sum, check) in self.checks.iter_mut().zip(&measured.checks) {
            *sum += *check;
        }
        if self.gauges.len() < measured.gauges.len() {
            self.gauges.resize(measured.gauges.len(), GaugeTotals::default());
        }
        for (sum, gauge) in self.gauges.iter_mut().zip(&measured.gauges) {
            gauge.values().flatten().for_each(|value| sum.add(*value));
        }
        self.restarts += measured
            .restarts
            .values()
            .map(|count| u64::from(*count))
            .sum::<u64>();
    }

    /// Requests in a second, by looks of this length.
    #[must_use]
    pub fn per_second(&self, look: SignedDuration) -> Option<f64> {
        let seconds = look.as_secs_f64() * self.looks as f64;
        (seconds > 0.0).then(|| self.counts.requests / seconds)
    }
}
