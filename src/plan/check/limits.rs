//! Limits that contradict each other, or that nothing is measured for.

use std::fmt::Display;

use super::Complaints;
use crate::plan::{
    place::Path,
    sections::{Check, ErrorRate, Gauge, Limits, Memory, Metrics, P95},
    units::{Amount, Duration, Quantity, Rate, Unit as _},
};

pub(super) fn check_limits(limits: &Limits, metrics: &Metrics, complaints: &mut Complaints<'_>) {
    let Limits {
        error_rate: ErrorRate {
            critical,
            warning,
            by: _,
        },
        p95:
            P95 {
                critical: slow,
                warning: slower,
                above_stable: _,
            },
        throughput: _,
        memory,
    } = limits;
    let path = Path::of("limits.error-rate.warning");
    below(*warning, Some(*critical), path, Rate::write, complaints);
    let path = Path::of("limits.p95.warning");
    below(*slower, *slow, path, Duration::write, complaints);
    let Memory { critical, warning } = memory;
    below_quantity(*warning, *critical, &Path::of("limits.memory"), complaints);

    let wants = |limit: bool, key: &str, metric: &str, complaints: &mut Complaints<'_>| {
        if limit {
            let message = format!("found a limit, but `metrics.{metric}` does not say what is measured");
            complaints.add(Path::of("limits").key(key), message);
        }
    };
    let no_latency = metrics.latency.is_none() && (slow.is_some() || slower.is_some());
    wants(no_latency, "p95", "latency", complaints);
    let no_memory = metrics.memory.is_none() && (critical.is_some() || warning.is_some());
    wants(no_memory, "memory", "memory", complaints);
}

pub(super) fn check_gauges(gauges: &[Gauge], complaints: &mut Complaints<'_>) {
    let here = Path::of("gauges");
    for (place, gauge) in gauges.iter().enumerate() {
        let Gauge {
            name: _,
            query: _,
            critical,
            warning,
        } = gauge;
        let path = here.clone().item(place);
        if critical.is_none() && warning.is_none() {
            let message = "found no limit, expected `critical` or `warning`".to_owned();
            complaints.add(path.clone(), message);
        }
        below_quantity(*warning, *critical, &path, complaints);
    }
    once(gauges.iter().map(|gauge| gauge.name.as_str()), &here, complaints);
}

pub(super) fn check_checks(checks: &[Check], complaints: &mut Complaints<'_>) {
    let here = Path::of("checks");
    for (place, check) in checks.iter().enumerate() {
        if check.at_least.is_some_and(|good| good >= 1.0) {
            let message =
                "found `100%`, expected less: the first failure would take every candidate back".to_owned();
            complaints.add(here.clone().item(place).key("at-least"), message);
        }
    }
    once(checks.iter().map(|check| check.name.as_str()), &here, complaints);
}

/// Each name once, and none empty: they are told apart by it.
fn once<'a>(names: impl Iterator<Item = &'a str>, here: &Path, complaints: &mut Complaints<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for (place, name) in names.enumerate() {
        let path = || here.clone().item(place).key("name");
        if name.trim().is_empty() {
            complaints.add(path(), "found no name, expected what people call it".to_owned());
        } else if seen.contains(&name) {
            complaints.add(path(), format!("found `{name}` again, expected each name once"));
        }
        seen.push(name);
    }
}

fn below_quantity(
    warning: Option<Quantity>,
    critical: Option<Quantity>,
    here: &Path,
    complaints: &mut Complaints<'_>,
) {
    let (Some(low), Some(high)) = (warning, critical) else {
        return;
    };
    if low.value > high.value {
        let path = here.clone().key("warning");
        add_above(&path, Amount::write(&low), Amount::write(&high), complaints);
    }
}

fn below<T: PartialOrd>(
    warning: Option<T>,
    critical: Option<T>,
    path: Path,
    write: impl Fn(&T) -> String,
    complaints: &mut Complaints<'_>,
) {
    let (Some(low), Some(high)) = (warning, critical) else {
        return;
    };
    if low > high {
        add_above(&path, write(&low), write(&high), complaints);
    }
}

fn add_above(path: &Path, low: impl Display, high: impl Display, complaints: &mut Complaints<'_>) {
    let message = format!("found `{low}`, expected at most `critical`, which is `{high}`");
    complaints.add(path.clone(), message);
}
