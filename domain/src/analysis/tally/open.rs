//! What was counted in a look that is not closed yet.

use std::collections::BTreeMap;

use super::{Counts, Measured, Series, Side};

/// Which counter a series is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counter {
    Requests,
    Errors,
    Good(usize),
    Total(usize),
}

/// A look that is not closed yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    pub(super) stable: Measured,
    pub(super) candidate: Measured,
    pub(super) dropped: u64,
}

impl Open {
    pub(super) fn of(&mut self, side: Side) -> &mut Measured {
        match side {
            Side::Stable => &mut self.stable,
            Side::Candidate => &mut self.candidate,
        }
    }

    /// Adds what a counter has gone up by.
    pub(super) fn count(&mut self, counter: Counter, series: &Series, difference: f64) {
        let measured = self.of(series.side);
        match counter {
            Counter::Requests => {
                measured.requests += difference;
                if let Some(group) = group(measured, &series.group) {
                    group.requests += difference;
                }
            }
            Counter::Errors => {
                measured.errors += difference;
                if let Some(group) = group(measured, &series.group) {
                    group.errors += difference;
                }
            }
            Counter::Total(place) => check(measured, place).requests += difference,
            // Until the look is closed `errors` holds what was good.
            Counter::Good(place) => check(measured, place).errors += difference,
        }
    }

    /// Adds a value of a gauge. A process with several series of one gauge is judged by each of them.
    pub(super) fn show(&mut self, place: usize, series: &Series, value: f64) {
        let gauges = &mut self.of(series.side).gauges;
        if gauges.len() <= place {
            gauges.resize_with(place + 1, BTreeMap::new);
        }
        let values = gauges[place].entry(series.instance.clone()).or_default();
        values.push(value);
    }

    /// Good was counted by its own series: what is left of all is what was not.
    pub(super) fn close_checks(&mut self) {
        for measured in [&mut self.stable, &mut self.candidate] {
            for check in &mut measured.checks {
                check.errors = (check.requests - check.errors).max(0.0);
            }
        }
    }
}

/// The counts of a value of the label by which errors are told apart.
fn group<'a>(measured: &'a mut Measured, name: &str) -> Option<&'a mut Counts> {
    (!name.is_empty()).then(|| measured.groups.entry(name.to_owned()).or_default())
}

fn check(measured: &mut Measured, place: usize) -> &mut Counts {
    if measured.checks.len() <= place {
        measured.checks.resize(place + 1, Counts::default());
    }
    &mut measured.checks[place]
}
