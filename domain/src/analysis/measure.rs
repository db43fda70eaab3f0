//! What a test counts in a look.

use jiff::Timestamp;

use super::look::{Counts, Look, Measured};
use super::yardstick::{Slow, Yardstick};

/// A look with what is needed to count in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) start: Timestamp,
    pub(super) look: &'a Look,
    /// What "slow" means in this look.
    pub(super) yardstick: &'a Yardstick,
    /// Requests beside weights, candidate's and stable's.
    pub(super) exposure: [Counts; 2],
}

/// What is counted, and what of it speaks against a version.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measure {
    /// Requests that failed.
    Errors,
    /// Requests with this label's value that failed.
    Group(String),
    /// Requests that took longer than stable's p95; of the candidate, than so many times that.
    Slow { tolerance: f64 },
    /// Requests that took longer than so many seconds.
    SlowerThan(f64),
    /// Weight, and the requests that came for it.
    Share,
    /// Of this check, what was not good.
    Check(usize),
}

impl Measure {
    /// The candidate's and stable's counts; none where they are not known.
    pub(super) fn counts(&self, seen: &Seen<'_>) -> [Counts; 2] {
        match self {
            Self::Share => seen.exposure,
            _ => self.counts_by(seen.look, self.bounds(seen.yardstick)),
        }
    }

    /// The same for what needs no weights, with `bounds` in seconds for what needs some.
    pub(super) fn counts_by(&self, look: &Look, bounds: Option<Slow>) -> [Counts; 2] {
        match (self, bounds) {
            (Self::Errors, _) => each(look, Measured::counts),
            (Self::Group(name), _) => each(look, |measured| {
                measured.groups.get(name).copied().unwrap_or_default()
            }),
            (Self::Check(place), _) => each(look, |measured| {
                measured.checks.get(*place).copied().unwrap_or_default()
            }),
            (Self::Slow { .. } | Self::SlowerThan(_), Some(Slow { stable, candidate })) => {
                [slower(&look.candidate, candidate), slower(&look.stable, stable)]
            }
            (Self::Slow { .. } | Self::SlowerThan(_), None) | (Self::Share, _) => [Counts::default(); 2],
        }
    }

    /// The rate of a candidate as good as a stable with these counts, 0 to 1.
    pub(super) fn good_rate(&self, yardstick: &Yardstick, stable: Counts) -> Option<f64> {
        match self {
            // It may be slower, and is not: fewer of its requests are beyond its own bound.
            Self::Slow { tolerance } => yardstick.stable(yardstick.slow(*tolerance)?.candidate).rate(),
            _ => stable.rate(),
        }
    }

    /// Whether the histogram's bounds are too few to compare both versions, though there is enough to know them. A limit
    /// that cannot be counted is no such case: somebody has asked for it, and it is not kept by not being measured.
    pub(super) fn is_blind(&self, yardstick: &Yardstick) -> bool {
        yardstick.p95().is_some()
            && match self {
                Self::Slow { tolerance } => yardstick.slow(*tolerance).is_none(),
                _ => false,
            }
    }

    /// The bounds in seconds that are counted by, for a report.
    pub(super) fn bounds(&self, yardstick: &Yardstick) -> Option<Slow> {
        match self {
            Self::Slow { tolerance } => yardstick.slow(*tolerance),
            Self::SlowerThan(limit) => yardstick.limit(*limit).map(|bound| Slow {
                stable: bound,
                candidate: bound,
            }),
            Self::Errors | Self::Group(_) | Self::Share | Self::Check(_) => None,
        }
    }
}

/// The candidate's and stable's.
fn each(look: &Look, count: impl Fn(&Measured) -> Counts) -> [Counts; 2] {
    [count(&look.candidate), count(&look.stable)]
}

fn slower(measured: &Measured, bound: f64) -> Counts {
    measured.latency.slower(bound).unwrap_or_default()
}
