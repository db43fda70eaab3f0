//! The rules that people use today, as their documentation states them, watching the same looks.
//!
//! Each is watched for 48 h, as a canary that is held that long would be. Queries are never late and never fail
//! here, which is to the rules' favour.

use super::weather::latency::P95;

mod argo;
mod fixed;
mod flagger;
mod kayenta;
mod windows;

pub(crate) use windows::Windows;

/// A rule, asked after each look.
pub(crate) trait Rival {
    /// Whether it takes the candidate back now.
    fn rolls_back(&mut self, windows: &Windows) -> bool;
}

/// What a rule tolerates. What it cannot measure, or is not asked about, has no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Error rate, 0 to 1; for Kayenta, how many times the baseline's.
    pub(crate) errors: f64,
    /// p95 or p99 in ms, whichever the rule looks at; for Kayenta, how many times the baseline's p95.
    pub(crate) latency: f64,
}

const NONE: f64 = f64::INFINITY;

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Fixed,
    Flagger,
    Argo,
    ArgoMinute,
    Kayenta,
}

/// Error rates to choose from, 0.15 to 100 %.
const ERROR_GRID: [f64; 20] = [
    0.0015, 0.002, 0.0025, 0.003, 0.0035, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.08,
    0.12, 0.2, 0.3, 0.5, 1.0,
];
/// Times a healthy p95 to choose from; a healthy p99 is 1.3 of them.
const LATENCY_GRID: [f64; 13] = [1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.5, 5.0];
/// Times the baseline to choose from.
const RATIO_GRID: [f64; 10] = [1.0, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0];

impl Rule {
    pub(crate) const ALL: [Self; 5] = [
        Self::Fixed,
        Self::Flagger,
        Self::Argo,
        Self::ArgoMinute,
        Self::Kayenta,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Fixed => "threshold, 5 min",
            Self::Flagger => "Flagger",
            Self::Argo => "Argo, 5 min",
            Self::ArgoMinute => "Argo, 1 min",
            Self::Kayenta => "Kayenta",
        }
    }

    /// What its documentation starts with.
    pub(crate) fn documented(self) -> Limits {
        let (errors, latency) = match self {
            Self::Fixed => (0.01, 200.0),
            Self::Flagger => (0.01, 500.0),
            Self::Argo => (0.05, NONE),
            Self::ArgoMinute => (0.01, NONE),
            Self::Kayenta => (1.0, 1.0),
        };
        Limits { errors, latency }
    }

    /// The same rule about error rates alone, from the strictest limit to the laxest.
    pub(crate) fn by_errors(self) -> Vec<Limits> {
        let grid: &[f64] = if self == Self::Kayenta {
            &RATIO_GRID
        } else {
            &ERROR_GRID
        };
        let alone = |limit: &f64| Limits {
            errors: *limit,
            latency: NONE,
        };
        grid.iter().map(alone).collect()
    }

    /// The same rule about latencies alone; nothing if it has none.
    pub(crate) fn by_latency(self) -> Vec<Limits> {
        let grid: Vec<f64> = match self {
            Self::Fixed | Self::Flagger => LATENCY_GRID.iter().map(|times| times * P95).collect(),
            Self::Argo | Self::ArgoMinute => Vec::new(),
            Self::Kayenta => RATIO_GRID.to_vec(),
        };
        let alone = |latency| Limits {
            errors: NONE,
            latency,
        };
        grid.into_iter().map(alone).collect()
    }

    pub(crate) fn begin(self, limits: Limits) -> Box<dyn Rival + Send> {
        match self {
            Self::Fixed => Box::new(fixed::Fixed::new(limits)),
            Self::Flagger => Box::new(flagger::Flagger::new(limits)),
            Self::Argo => Box::new(argo::Argo::each_5_min(limits)),
            Self::ArgoMinute => Box::new(argo::Argo::each_min(limits)),
            Self::Kayenta => Box::new(kayenta::Kayenta::new(limits)),
        }
    }
}

/// Whether a value is over a limit; what is not a number is not.
fn exceeds(value: Option<f64>, limit: f64) -> bool {
    value.is_some_and(|value| value > limit)
}
