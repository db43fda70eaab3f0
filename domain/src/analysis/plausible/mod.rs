//! Whether what is measured of stable can be what the plan says it is: before anything is judged by it.
//!
//! In: stable's looks of an hour or so, and the limits. Out: one finding for each thing that is measured. A counter that
//! is a gauge, seconds that are milliseconds, a limit that stable breaks already: each would be judged without complaint,
//! and wrongly.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::judge::{GaugeUnit, Settings};
use super::look::{Look, Measured};
use super::panel::SLOW_PART;
use super::totals::Totals;
use super::words::{count, duration, percent, plain, plain_percent, quantity, time};
use super::yardstick::{Yardstick, is_near};

/// How a finding speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// As it should be.
    Good,
    /// It can be judged by, but a person should know.
    Odd,
    /// Nothing may be judged by it.
    Bad,
}

/// What was found of one thing that is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plausibility {
    /// Which one.
    pub name: String,
    /// How it speaks.
    pub sign: Sign,
    /// In words, with what to do.
    pub words: String,
}

/// A p95 beyond this is no web service's: seconds, or milliseconds that are taken for seconds.
const LONGEST: f64 = 30.0;

/// A p95 below this is no web service's either: 10 microseconds.
const SHORTEST: f64 = 0.000_01;

/// So many falls of a counter in an hour for each process are no restarts.
const FALLS: f64 = 6.0;

/// So many looks without anything new are a hold while a rollout is on.
const SILENT: usize = 4;

/// A process that needs less memory than a megabyte is measured in megabytes.
const LEAST_MEMORY: f64 = 1e6;

/// What stable did in `past`, thing by thing.
#[must_use]
pub fn plausible(settings: &Settings, past: &[Look]) -> Vec<Plausibility> {
    let mut totals = Totals::default();
    let mut yardstick = Yardstick::default();
    let mut falls: BTreeMap<&str, u32> = BTreeMap::new();
    for look in past {
        totals.add(&look.stable);
        yardstick.add(&look.stable, &Measured::default());
        for (instance, count) in &look.stable.restarts {
            *falls.entry(instance).or_default() += count;
        }
    }
    let most = falls.into_values().max().unwrap_or(0);
    let mut found = vec![
        requests(settings, &totals, past.len(), most),
        errors(settings, &totals),
    ];
    found.extend(behind(settings, past));
    if settings.by_group {
        found.push(groups(past));
    }
    if settings.slow.is_some() {
        found.push(latency(settings, &totals, &yardstick));
    }
    found.extend((0..settings.gauges.len()).map(|place| gauge(settings, &totals, place)));
    found.extend((0..settings.checks.len()).map(|place| check(settings, &totals, place)));
    found
}

fn finding(name: &str, sign: Sign, words: String) -> Plausibility {
    Plausibility {
        name: name.to_owned(),
        sign,
        words,
    }
}

fn requests(settings: &Settings, totals: &Totals, looks: usize, falls: u32) -> Plausibility {
    let name = "requests";
    if totals.counts.requests <= 0.0 {
        let words = "stable has had no request: do the selector and the version label fit?".to_owned();
        return finding(name, Sign::Bad, words);
    }
    let hours = settings.look.as_secs_f64() * looks as f64 / 3600.0;
    if f64::from(falls) > FALLS * hours.max(1.0) {
        let words = format!(
            "it fell {falls} times in one process: a counter falls only when its process begins anew; is it a gauge, or a \
             page that several processes answer in turn?"
        );
        return finding(name, Sign::Bad, words);
    }
    let rate = totals.per_second(settings.look).unwrap_or_default();
    finding(
        name,
        Sign::Good,
        format!("stable has had {} a second", rounded(rate)),
    )
}

fn rounded(rate: f64) -> String {
    if rate >= 10.0 {
        count(rate)
    } else {
        format!("{rate:.2}")
    }
}

/// What is too old to be judged by: a clock that goes wrong looks like a source that lags.
fn behind(settings: &Settings, past: &[Look]) -> Option<Plausibility> {
    let silent = past
        .iter()
        .rev()
        .take_while(|look| look.stable.requests <= 0.0)
        .count();
    if silent < SILENT || silent == past.len() {
        return None;
    }
    let age = settings.look * i32::try_from(silent).unwrap_or(i32::MAX);
    let words = format!(
        "stable has had no request in the last {}: is this machine's clock ahead of the source's, or does the source tell \
         that late? A look is judged {} after its end (judgement.delay)",
        time(age),
        time(settings.delay)
    );
    Some(finding("newest sample", Sign::Bad, words))
}

fn errors(settings: &Settings, totals: &Totals) -> Plausibility {
    let name = "errors";
    let Some(rate) = totals.counts.rate() else {
        return finding(name, Sign::Bad, "without requests there is no rate".to_owned());
    };
    if totals.counts.errors > totals.counts.requests * 1.01 {
        let words = format!(
            "there are more errors ({}) than requests ({}): the errors must be a part of the requests",
            count(totals.counts.errors),
            count(totals.counts.requests)
        );
        return finding(name, Sign::Bad, words);
    }
    if rate >= settings.critical {
        let words = format!(
            "stable fails {} of its requests, and the critical rate is {}: no candidate could be proved healthy",
            percent(rate),
            plain_percent(settings.critical)
        );
        return finding(name, Sign::Bad, words);
    }
    if totals.counts.errors <= 0.0 {
        let words = "stable has had none: does the selector find them when there are some?".to_owned();
        return finding(name, Sign::Odd, words);
    }
    finding(
        name,
        Sign::Good,
        format!("stable fails {} of its requests", percent(rate)),
    )
}

fn groups(past: &[Look]) -> Plausibility {
    let names: BTreeSet<&str> = past
        .iter()
        .flat_map(|look| look.stable.groups.keys().map(String::as_str))
        .collect();
    if names.is_empty() {
        let words = "no series has the label by which errors are to be judged apart".to_owned();
        return finding("endpoints", Sign::Bad, words);
    }
    let words = format!("{} are told apart, the rest as one", names.len());
    finding("endpoints", Sign::Good, words)
}

fn latency(settings: &Settings, totals: &Totals, yardstick: &Yardstick) -> Plausibility {
    let name = "latency";
    let bad = |words: String| finding(name, Sign::Bad, words);
    if totals.latency.total() <= 0.0 {
        return bad("stable has no durations: is it the histogram's name, without _bucket?".to_owned());
    }
    let Some(p95) = yardstick.p95() else {
        let words = "too few requests to know stable's p95".to_owned();
        return finding(name, Sign::Odd, words);
    };
    if p95 > LONGEST {
        return bad(format!(
            "stable's p95 is about {}: is the histogram in milliseconds? It must be in seconds",
            duration(p95)
        ));
    }
    if p95 < SHORTEST {
        return bad(format!(
            "stable's p95 is about {p95:e} s: the histogram must be in seconds"
        ));
    }
    let slow = settings.slow.unwrap_or_default();
    if let Some(limit) = slow.critical {
        let Some(bound) = yardstick.limit(limit) else {
            return bad(format!(
                "the limit of {} is above the histogram's last bound: nothing can be counted by it",
                duration(limit)
            ));
        };
        if yardstick
            .stable(bound)
            .rate()
            .is_some_and(|part| part >= SLOW_PART)
        {
            return bad(format!(
                "{} of stable's requests are slower than the limit of {}, and 5 % may be: no candidate could be proved \
                 healthy",
                percent(yardstick.stable(bound).rate().unwrap_or_default()),
                duration(limit)
            ));
        }
    }
    let Some(bounds) = yardstick.slow(1.0 + slow.above_stable) else {
        return bad(format!(
            "the histogram has no bounds near stable's p95 of about {}: latency cannot be judged",
            duration(p95)
        ));
    };
    let coarse = !is_near(bounds.tolerance(), 1.0 + slow.above_stable) || !is_near(bounds.stable, p95);
    let words = format!(
        "stable's p95 is about {}; the candidate's requests slower than {} are compared with stable's slower than {}{}",
        duration(p95),
        duration(bounds.candidate),
        duration(bounds.stable),
        if coarse {
            ": the histogram has no nearer bounds, add some around p95"
        } else {
            ""
        }
    );
    finding(name, if coarse { Sign::Odd } else { Sign::Good }, words)
}

fn gauge(settings: &Settings, totals: &Totals, place: usize) -> Plausibility {
    let limits = &settings.gauges[place];
    let show = |value| quantity(value, limits.unit);
    let bad = |words: String| finding(&limits.name, Sign::Bad, words);
    let Some(gauge) = totals.gauges.get(place).filter(|gauge| gauge.samples > 0) else {
        return bad("nothing is measured of stable: do the selector and the version label fit?".to_owned());
    };
    if limits.unit == GaugeUnit::Bytes && gauge.highest < LEAST_MEMORY {
        return bad(format!(
            "the highest of stable is {}: it must be in bytes",
            plain(gauge.highest)
        ));
    }
    if limits.unit == GaugeUnit::Share && gauge.highest > 1.5 {
        return bad(format!(
            "the highest of stable is {}: a limit in percent needs a gauge from 0 to 1",
            plain(gauge.highest)
        ));
    }
    match limits.critical.or(limits.warning) {
        Some(limit) if gauge.highest > limit => bad(format!(
            "the highest of stable is {}, and the limit is {}: stable breaks it already",
            show(gauge.highest),
            show(limit)
        )),
        _ => finding(
            &limits.name,
            Sign::Good,
            format!("stable has had at most {}", show(gauge.highest)),
        ),
    }
}

fn check(settings: &Settings, totals: &Totals, place: usize) -> Plausibility {
    let check = &settings.checks[place];
    let counts = totals.checks.get(place).copied().unwrap_or_default();
    let bad = |words: String| finding(&check.name, Sign::Bad, words);
    let Some(rate) = counts.rate() else {
        return bad("nothing is counted of stable: do the selectors and the version label fit?".to_owned());
    };
    let good = 1.0 - rate;
    match check.at_least {
        Some(least) if good < least => bad(format!(
            "{} of stable's are good, and {} must be: stable breaks it already",
            percent(good),
            plain_percent(least)
        )),
        _ => finding(
            &check.name,
            Sign::Good,
            format!(
                "{} of stable's {} are good",
                percent(good),
                count(counts.requests)
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
