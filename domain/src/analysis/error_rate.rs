//! E: rolls back when "the candidate's error rate is at most 1.5 x stable's + 0.05 pp" is disproved.
//!
//! Always on, except while the candidate warms up. What hits both versions moves both sides of the
//! claim: it is immune to shared incidents. When stable has left, its frozen rate takes its place, and what
//! would have hit both is held against the candidate: nobody can tell any more.

use super::frozen::Frozen;
use super::judge::Settings;
use super::trial::{Traffic, Trial, at_most};
use super::verdict::{Forecast, TestId};

/// Room for chance that no team would call a regression.
const MULTIPLE: f64 = 1.5;
const PLUS: f64 = 0.0005;

pub(super) fn new(settings: &Settings) -> Trial {
    Trial::new(
        TestId::ErrorRate,
        at_most(MULTIPLE, PLUS),
        settings.bar(),
        settings.cluster_size,
        Some(settings.spread(settings.planned)),
    )
}

/// E beside a stable that has left, after `before` beside a live one.
///
/// Both are one test with one share of alpha: the new evidence begins with what the old one has left, at most
/// with 1. So their product is evidence against "within the limit all along", and its mean stays below 1.
pub(super) fn without_stable(settings: &Settings, frozen: &Frozen, before: &Trial) -> Trial {
    let spread = Some(settings.spread(settings.planned));
    new(settings).without_stable(frozen, before.e().min(1.0), spread)
}

/// How soon the team's critical error rate would be found if it began now.
///
/// Where stable itself comes near that rate, twice the limit is forecast instead.
pub(super) fn forecast(trial: &Trial, traffic: &Traffic, critical: f64) -> Option<Forecast> {
    let error_rate = critical.max(2.0 * trial.limit(traffic.stable)?).min(1.0);
    let looks = trial.looks_until(traffic.failing(error_rate), traffic)?;
    Some(Forecast {
        error_rate,
        seconds: traffic.time(looks).as_secs(),
    })
}
