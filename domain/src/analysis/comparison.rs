//! Both versions side by side, and what a step asks for, one by one. For people: nothing is decided by it.

use serde::{Deserialize, Serialize};

use super::judge::{GaugeUnit, Level, Settings};
use super::totals::Totals;
use super::verdict::{Report, TestId, Verdict};
use super::words::{count, duration, percent, plain, quantity};

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was measured.
    pub name: String,
    /// Of stable; nothing where nothing was measured.
    pub stable: Option<f64>,
    /// Of the candidate.
    pub candidate: Option<f64>,
    /// How the numbers are read.
    pub unit: Unit,
}

/// How a number of a comparison is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Events.
    Count,
    /// Events in a second.
    PerSecond,
    /// A share, 0 to 1.
    Share,
    /// Seconds, near enough: between the bounds of a histogram.
    Seconds,
    /// Bytes.
    Bytes,
    /// A plain number.
    Plain,
}

/// One thing that a step asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// In words.
    pub name: String,
    /// Whether it is met; nothing while that is not known.
    pub met: Option<bool>,
    /// How far the evidence has come on its way to the bar, on the scale of its logarithm, 0 to 1; nothing for a rule.
    pub evidence: Option<f64>,
    /// With the numbers.
    pub words: String,
}

impl Unit {
    /// `1.2 MB`, `240 ms`, `0.10 %`.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Count => count(value),
            Self::PerSecond => format!("{}/s", plain((value * 100.0).round() / 100.0)),
            Self::Share => percent(value),
            Self::Seconds => duration(value),
            Self::Bytes => quantity(value, GaugeUnit::Bytes),
            Self::Plain => plain(value),
        }
    }
}

impl Compared {
    /// `+20 %`: the candidate's beside stable's; nothing where one of them is missing or stable's is 0.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        let (stable, candidate) = (self.stable?, self.candidate?);
        (stable > 0.0).then(|| candidate / stable - 1.0)
    }
}

/// All that is measured, line by line.
#[must_use]
pub fn compared(settings: &Settings, stable: &Totals, candidate: &Totals) -> Vec<Compared> {
    let both = [stable, candidate];
    let mut lines = Vec::new();
    lines.push(line(both, "requests", Unit::Count, |totals| {
        Some(totals.counts.requests)
    }));
    lines.push(line(both, "throughput", Unit::PerSecond, |totals| {
        totals.per_second(settings.look)
    }));
    lines.push(line(both, "error rate", Unit::Share, |totals| {
        totals.counts.rate()
    }));
    if settings.slow.is_some() {
        for (name, part) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            lines.push(line(both, name, Unit::Seconds, |totals| {
                (totals.latency.total() > 0.0)
                    .then(|| totals.latency.near(part))
                    .flatten()
            }));
        }
    }
    for (place, gauge) in settings.gauges.iter().enumerate() {
        let unit = match gauge.unit {
            GaugeUnit::Plain => Unit::Plain,
            GaugeUnit::Bytes => Unit::Bytes,
            GaugeUnit::Share => Unit::Share,
        };
        let of = |totals: &Totals| {
            totals
                .gauges
                .get(place)
                .copied()
                .filter(|gauge| gauge.samples > 0)
        };
        lines.push(line(both, &format!("{} (mean)", gauge.name), unit, |totals| {
            of(totals)?.mean()
        }));
        lines.push(line(both, &format!("{} (highest)", gauge.name), unit, |totals| {
            Some(of(totals)?.highest)
        }));
    }
    for (place, check) in settings.checks.iter().enumerate() {
        lines.push(line(both, &check.name, Unit::Share, |totals| {
            Some(1.0 - totals.checks.get(place)?.rate()?)
        }));
    }
    lines.push(line(both, "restarts", Unit::Count, |totals| {
        Some(totals.restarts as f64)
    }));
    lines
}

fn line(
    [stable, candidate]: [&Totals; 2],
    name: &str,
    unit: Unit,
    of: impl Fn(&Totals) -> Option<f64>,
) -> Compared {
    Compared {
        name: name.to_owned(),
        stable: of(stable),
        candidate: of(candidate),
        unit,
    }
}

/// What a step asks for: no rollback test has found anything, and every part of the proof of health is there.
#[must_use]
pub fn criteria(verdict: &Verdict) -> Vec<Criterion> {
    let judged = verdict
        .tests
        .iter()
        .filter(|report| report.level != Level::Warning);
    let mut criteria: Vec<Criterion> = judged.map(criterion).collect();
    for gauge in &verdict.gauges {
        let Some(limit) = gauge.critical else { continue };
        let show = |value| quantity(value, gauge.unit);
        criteria.push(Criterion {
            name: format!("{} at most {}", gauge.name, show(limit)),
            met: gauge.candidate.map(|highest| highest <= limit),
            evidence: None,
            words: match gauge.candidate {
                Some(highest) => format!("highest of the last 5 min {}", show(highest)),
                None => "nothing measured".to_owned(),
            },
        });
    }
    criteria
}

fn criterion(report: &Report) -> Criterion {
    let disproved = report.e >= report.bar;
    let limit = report.limit.map_or_else(|| "the limit".to_owned(), percent);
    let subject = report.subject.as_deref().unwrap_or_default();
    let slow = |what: &str| match report.bounds {
        Some(bounds) => format!("{what} {} in at most {limit}", duration(bounds.candidate)),
        None => "latency".to_owned(),
    };
    let name = match report.id {
        TestId::ErrorRate => format!("no more errors than {limit} (beside stable)"),
        TestId::Endpoint => format!("no more errors of {subject} than {limit}"),
        TestId::Critical => format!("error rate at most {limit}"),
        TestId::Catastrophe => format!("error rate at most {limit} while warming up"),
        TestId::Latency => slow("beside stable, slower than"),
        TestId::LatencyLimit => slow("slower than"),
        TestId::Throughput => "the requests that its weight is due".to_owned(),
        TestId::Check => format!(
            "{subject} at least {}",
            percent(1.0 - report.limit.unwrap_or(0.0))
        ),
        TestId::HealthBesideStable | TestId::HealthBelowCritical => {
            format!("proved: error rate below {limit}")
        }
        TestId::HealthLatency | TestId::HealthLatencyLimit => format!("proved: {}", slow("slower than")),
        TestId::Gauge | TestId::CrashLoop | TestId::Damage => subject.to_owned(),
    };
    let numbers = match (report.candidate_rate, report.id) {
        (_, TestId::Throughput) => String::new(),
        (Some(rate), _) => format!("{} of {}; ", percent(rate), count(report.candidate.requests)),
        (None, _) => "nothing counted; ".to_owned(),
    };
    let met = match report.level {
        Level::Proof => disproved.then_some(true),
        Level::Rollback | Level::Warning if report.used == 0 => None,
        Level::Rollback | Level::Warning => Some(!disproved),
    };
    let evidence = format!(
        "evidence {} of {}",
        plain((report.e * 100.0).round() / 100.0),
        plain(report.bar)
    );
    let way = libm::log(report.e.max(1.0)) / libm::log(report.bar.max(2.0));
    Criterion {
        name,
        met,
        evidence: Some(way.clamp(0.0, 1.0)),
        words: format!("{numbers}{evidence}"),
    }
}
