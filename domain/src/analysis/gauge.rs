//! M: a gauge over its limit in most samples of five minutes, in some process of the candidate and in none of stable's.
//!
//! A rule and no evidence: a memory that is full is full, whatever the chance. What stable does too is no regression.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::judge::{GaugeLimits, GaugeUnit, Level};
use super::look::Look;
use super::samples::Side;
use super::verdict::GaugeReport;

const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Three looks at least show a course.
fn window(length: SignedDuration) -> SignedDuration {
    WINDOW.max(length * 3)
}

/// Over the limit in this part of the samples of the window.
const PART: f64 = 0.8;

/// Fewer samples show no course.
const FEWEST: usize = 3;

/// Time and value of the samples of each process.
type Courses = BTreeMap<(Side, String), VecDeque<(Timestamp, f64)>>;

/// The samples of the last five minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges {
    limits: Vec<GaugeLimits>,
    samples: Vec<Courses>,
}

/// A gauge that is over a limit on the candidate alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Over {
    pub(super) name: String,
    pub(super) unit: GaugeUnit,
    pub(super) instance: String,
    pub(super) level: Level,
    pub(super) limit: f64,
    pub(super) over: usize,
    pub(super) samples: usize,
    pub(super) highest: f64,
    /// The highest of stable in the same time.
    pub(super) stable: Option<f64>,
    pub(super) since: Timestamp,
}

impl Gauges {
    pub(super) fn new(limits: &[GaugeLimits]) -> Self {
        Self {
            limits: limits.to_vec(),
            samples: vec![BTreeMap::new(); limits.len()],
        }
    }

    pub(super) fn add(&mut self, look: &Look, length: SignedDuration) {
        let window = window(length);
        for (side, measured) in [(Side::Stable, &look.stable), (Side::Candidate, &look.candidate)] {
            for (samples, gauge) in self.samples.iter_mut().zip(&measured.gauges) {
                for (instance, values) in gauge {
                    let seen = samples.entry((side, instance.clone())).or_default();
                    seen.extend(values.iter().map(|value| (look.end, *value)));
                }
            }
        }
        for samples in &mut self.samples {
            samples.retain(|_, seen| {
                while seen
                    .front()
                    .is_some_and(|(at, _)| look.end.duration_since(*at) >= window)
                {
                    seen.pop_front();
                }
                !seen.is_empty()
            });
        }
    }

    /// What is over a critical limit, or else over a warning one.
    pub(super) fn over(&self, level: Level, length: SignedDuration) -> Option<Over> {
        let places = 0..self.limits.len();
        places
            .filter_map(|place| self.over_limit(place, level, length))
            .next()
    }

    fn over_limit(&self, place: usize, level: Level, length: SignedDuration) -> Option<Over> {
        let GaugeLimits {
            name,
            unit,
            critical,
            warning,
        } = &self.limits[place];
        let limit = match level {
            Level::Rollback => (*critical)?,
            Level::Warning | Level::Proof => (*warning)?,
        };
        let over =
            |seen: &VecDeque<(Timestamp, f64)>| seen.iter().filter(|(_, value)| *value > limit).count();
        let breaks = |seen: &VecDeque<(Timestamp, f64)>| {
            let (Some(first), Some(last)) = (seen.front(), seen.back()) else {
                return false;
            };
            // The window has no more than it can hold: from the look after its start to its end.
            let whole = last.0.duration_since(first.0) + length >= window(length).saturating_sub(length);
            whole && seen.len() >= FEWEST && over(seen) as f64 >= PART * seen.len() as f64
        };
        let samples = &self.samples[place];
        let of = |side: Side| samples.iter().filter(move |((of, _), _)| *of == side);
        if of(Side::Stable).any(|(_, seen)| breaks(seen)) {
            return None;
        }
        let ((_, instance), seen) = of(Side::Candidate).find(|(_, seen)| breaks(seen))?;
        Some(Over {
            name: name.clone(),
            unit: *unit,
            instance: instance.clone(),
            level,
            limit,
            over: over(seen),
            samples: seen.len(),
            highest: highest(std::iter::once(seen))?,
            stable: highest(of(Side::Stable).map(|(_, seen)| seen)),
            since: seen.front()?.0,
        })
    }

    pub(super) fn reports(&self) -> Vec<GaugeReport> {
        let report = |(limits, samples): (&GaugeLimits, &Courses)| {
            let of = |side| {
                let of = samples.iter().filter(move |((of, _), _)| *of == side);
                highest(of.map(|(_, seen)| seen))
            };
            GaugeReport {
                name: limits.name.clone(),
                unit: limits.unit,
                critical: limits.critical,
                warning: limits.warning,
                candidate: of(Side::Candidate),
                stable: of(Side::Stable),
            }
        };
        self.limits.iter().zip(&self.samples).map(report).collect()
    }
}

fn highest<'a>(all: impl Iterator<Item = &'a VecDeque<(Timestamp, f64)>>) -> Option<f64> {
    all.flatten().map(|(_, value)| *value).max_by(f64::total_cmp)
}
