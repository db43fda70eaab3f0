//! E: rolls back when "the candidate's error rate is at most 1.5 x stable's + 0.05 pp" is disproved.
//!
//! Always on, except while the candidate warms up. What hits both versions moves both sides of the
//! claim: it is immune to shared incidents.

use super::judge::Settings;
use super::kernel::{self, Evidence};
use super::trial::{Traffic, Trial, at_most};
use super::verdict::{Forecast, TestId};

/// Room for chance that no team would call a regression.
const MULTIPLE: f64 = 1.5;
const PLUS: f64 = 0.0005;

pub(super) fn new(settings: &Settings) -> Trial {
    let claim = at_most(MULTIPLE, PLUS);
    let cap = kernel::cap(settings.look, settings.forgive);
    let evidence = Evidence::restarting(claim, settings.cluster_size, settings.planned_looks(), cap);
    Trial::new(
        TestId::ErrorRate,
        claim,
        evidence,
        settings.bar(),
        settings.cluster_size,
    )
}

/// How soon the team's critical error rate would be found if it began now.
///
/// Where stable itself comes near that rate, twice the limit is forecast instead.
pub(super) fn forecast(trial: &Trial, traffic: &Traffic, critical: f64) -> Option<Forecast> {
    let error_rate = critical.max(2.0 * trial.limit(traffic.stable)?).min(1.0);
    let looks = trial.evidence.looks_until(
        trial.bar,
        traffic.failing(error_rate),
        traffic.stable,
        traffic.horizon(),
    )?;
    Some(Forecast {
        error_rate,
        seconds: traffic.time(looks).as_secs(),
    })
}
