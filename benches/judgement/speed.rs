//! What a look costs the judge, at the beginning of a rollout and at its end.

use std::time::{Duration, Instant};

use rollgate_domain::analysis::{Check, Counts, Feed, Judge, Level, Look, Settings};

use super::rollgate::{origin, seen, settings, share};
use super::weather::{LOOK_S, Rollout, Scenario, TWO_DAYS, Weather};

const HOUR: usize = (3600 / LOOK_S) as usize;
const RUNS: usize = 5;

/// Each is the fastest of five runs: what the neighbours of a machine do is not the judge's.
pub(crate) struct Speed {
    /// One look and its verdict, after an hour of looks.
    pub(crate) early: Duration,
    /// … after 47 h.
    pub(crate) late: Duration,
    /// All looks of 48 h, each with its verdict.
    pub(crate) replay: Duration,
    /// One look and its verdict with [`CHECKS`] checks of the team's own, after an hour.
    pub(crate) checks: Duration,
}

/// More than any team has.
pub(crate) const CHECKS: usize = 200;

pub(crate) fn measure() -> Speed {
    let scenario = Scenario {
        weather: Weather::Calm,
        fault: None,
        per_second: 10.0,
        looks: TWO_DAYS,
    };
    let mut rollout = Rollout::new(scenario, 0);
    let looks: Vec<Look> = (0..TWO_DAYS).map(|_| seen(&rollout.look())).collect();
    let after = |before: usize| {
        fastest(|| {
            let mut judge = begin();
            looks[..before].iter().for_each(|look| judge.look(look));
            timed(|| watch(&mut judge, &looks[before..before + HOUR])) / HOUR as u32
        })
    };
    Speed {
        early: after(HOUR),
        late: after(looks.len() - HOUR),
        replay: fastest(|| timed(|| watch(&mut begin(), &looks))),
        checks: with_checks(looks[..2 * HOUR].to_vec()),
    }
}

fn with_checks(mut looks: Vec<Look>) -> Duration {
    for look in &mut looks {
        for measured in [&mut look.stable, &mut look.candidate] {
            let all = Counts {
                requests: (measured.requests / 10.0).round(),
                errors: 0.0,
            };
            measured.checks = vec![all; CHECKS];
        }
    }
    let check = |number: usize| Check {
        name: format!("check {number}"),
        at_least: Some(0.98),
        level: Level::Rollback,
    };
    fastest(|| {
        let settings = Settings {
            checks: (0..CHECKS).map(check).collect(),
            ..settings()
        };
        let mut judge = Judge::new(settings, origin()).with_shares(&[(origin(), share())]);
        looks[..HOUR].iter().for_each(|look| judge.look(look));
        timed(|| watch(&mut judge, &looks[HOUR..])) / HOUR as u32
    })
}

fn begin() -> Judge {
    Judge::new(settings(), origin()).with_shares(&[(origin(), share())])
}

fn watch(judge: &mut Judge, looks: &[Look]) {
    for look in looks {
        judge.look(look);
        std::hint::black_box(judge.verdict(look.end, &Feed::Fresh));
    }
}

fn timed(mut what: impl FnMut()) -> Duration {
    let began = Instant::now();
    what();
    began.elapsed()
}

fn fastest(one: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(one).take(RUNS).min().unwrap_or_default()
}
