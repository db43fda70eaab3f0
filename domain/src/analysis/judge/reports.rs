//! The numbers behind a verdict: forecasts, and one report per test.

use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};

use super::super::look::{Counts, Look};
use super::super::measure::Measure;
use super::super::panel::Test;
use super::super::trial::Traffic;
use super::super::verdict::{Forecast, Report, TestId};
use super::{Judge, Level};

/// Forecasts assume the traffic of this last stretch.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// The judge at the moment of a verdict, with what forecasts assume.
pub(super) struct Moment<'a> {
    judge: &'a Judge,
    traffic: Vec<(Measure, Option<Traffic>)>,
}

impl Deref for Moment<'_> {
    type Target = Judge;

    fn deref(&self) -> &Judge {
        self.judge
    }
}

impl<'a> Moment<'a> {
    pub(super) fn of(judge: &'a Judge) -> Self {
        let mut traffic: Vec<(Measure, Option<Traffic>)> = Vec::new();
        let tests = judge.panel.tests.iter().map(|test| &test.measure);
        for measure in tests.chain(judge.health.doubts.iter().map(|doubt| &doubt.measure)) {
            if !traffic.iter().any(|(known, _)| known == measure) {
                traffic.push((measure.clone(), judge.traffic(measure)));
            }
        }
        Self { judge, traffic }
    }

    pub(super) fn traffic(&self, measure: &Measure) -> Option<Traffic> {
        let known = self.traffic.iter().find(|(known, _)| known == measure);
        known.and_then(|(_, traffic)| *traffic)
    }
}

impl Judge {
    /// The mean look of this step, of its last hour at most, as this measure counts it.
    fn traffic(&self, measure: &Measure) -> Option<Traffic> {
        let last = self.looks.last()?.end;
        let recent = last.checked_sub(RECENT).unwrap_or(Timestamp::MIN);
        let from = self.step.since.max(self.first_request?).max(recent);
        let (mut looks, mut stable, mut candidate) = (0.0, Counts::default(), Counts::default());
        let of_step = |look: &&Look| self.start(look) >= from;
        let bounds = measure.bounds(&self.yardstick);
        for look in self.looks.iter().rev().take_while(of_step) {
            let [here, beside] = measure.counts_by(look, bounds);
            looks += 1.0;
            stable += beside;
            candidate += here;
        }
        let mean = |counts: Counts| Counts {
            requests: counts.requests / looks,
            errors: counts.errors / looks,
        };
        let known = candidate.requests > 0.0 && (self.frozen.is_some() || stable.requests > 0.0);
        let stable = match (self.frozen, measure) {
            (None, _) => mean(stable),
            (Some(errors), Measure::Errors) => errors,
            (Some(_), measure) => measure
                .bounds(&self.yardstick)
                .map_or_else(Counts::default, |slow| self.yardstick.stable(slow.stable)),
        };
        let good = measure.good_rate(&self.yardstick, stable);
        known.then(|| Traffic {
            look: self.settings.look,
            candidate: mean(candidate),
            stable,
            // Without a stable, one that stays as it is.
            good: good.or_else(|| candidate.rate()).unwrap_or(0.0),
        })
    }
}

impl Moment<'_> {
    /// The fault that is said to be found, by E; without stable by the limit, if that finds smaller ones.
    pub(super) fn fault_forecast(&self) -> Option<Forecast> {
        let of = |id| self.forecast(self.panel.test(id, None)?);
        let error_rate = of(TestId::ErrorRate);
        if self.frozen.is_none() {
            return error_rate;
        }
        match (error_rate, of(TestId::Critical)) {
            (Some(beside), Some(limit)) if limit.error_rate >= beside.error_rate => Some(beside),
            (beside, limit) => limit.or(beside),
        }
    }

    /// How soon a fault would be found if it began now: the critical error rate, or twice the limit where stable
    /// itself comes near that rate; twice a limit otherwise.
    fn forecast(&self, test: &Test) -> Option<Forecast> {
        if test.level != Level::Rollback || test.measure == Measure::Share {
            return None;
        }
        let traffic = self.traffic(&test.measure)?;
        let twice = 2.0 * test.trial.limit(traffic.stable)?;
        let rate = match test.trial.id {
            TestId::ErrorRate => self.settings.critical.max(twice),
            _ => twice,
        };
        let mut forecast = test.forecast(&traffic, rate.min(1.0))?;
        forecast.seconds += self.warming().map_or(0, |left| left.as_secs());
        Some(forecast)
    }

    pub(super) fn proof_forecast(&self) -> Option<SignedDuration> {
        let left = self.health.forecast(&|measure| self.traffic(measure))?;
        Some(left + self.warming().unwrap_or_default())
    }

    /// How long a proof that has not begun would take.
    pub(super) fn whole_proof(&self) -> Option<SignedDuration> {
        self.new_health().forecast(&|measure| self.traffic(measure))
    }

    pub(super) fn reports(&self) -> Vec<Report> {
        let live = self.found.is_none();
        let of_test = |test: &Test| Report {
            subject: test.subject.clone(),
            bounds: self.bounds(test),
            ..test
                .trial
                .report(test.level, live.then(|| self.forecast(test)).flatten())
        };
        let mut reports: Vec<Report> = self.panel.tests.iter().map(of_test).collect();
        reports.push(self.catastrophe.trial.report(Level::Rollback, None));
        for doubt in &self.health.doubts {
            let forecast = live
                .then(|| {
                    let traffic = self.traffic(&doubt.measure)?;
                    let time = doubt.forecast(&|measure| self.traffic(measure))?;
                    let wait = if time.is_zero() {
                        SignedDuration::ZERO
                    } else {
                        self.warming().unwrap_or_default()
                    };
                    Some(Forecast {
                        error_rate: traffic.good,
                        seconds: (time + wait).as_secs(),
                    })
                })
                .flatten();
            reports.push(Report {
                bounds: self.bounds_of(&doubt.measure),
                ..doubt.trial.report(Level::Proof, forecast)
            });
        }
        reports
    }
}
