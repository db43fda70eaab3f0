//! The numbers behind a verdict: forecasts, one report per test, and what was found.

use jiff::{SignedDuration, Timestamp};

use super::super::counters::Counts;
use super::super::error_rate;
use super::super::trial::{Traffic, Trial};
use super::super::verdict::{Forecast, Found, Report};
use super::Judge;

/// Forecasts assume the traffic of this last stretch.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

impl Judge {
    /// The mean look of this step, of its last hour at most.
    pub(super) fn traffic(&self) -> Option<Traffic> {
        let from = self.step.since.max(self.first_request?).max(
            self.looks
                .last()?
                .end
                .checked_sub(RECENT)
                .unwrap_or(Timestamp::MIN),
        );
        let (mut looks, mut stable, mut candidate) = (0.0, Counts::default(), Counts::default());
        for look in self
            .looks
            .iter()
            .rev()
            .take_while(|look| look.end - self.settings.look >= from)
        {
            looks += 1.0;
            stable += look.stable;
            candidate += look.candidate;
        }
        let mean = |counts: Counts| Counts {
            requests: counts.requests / looks,
            errors: counts.errors / looks,
        };
        let known = candidate.requests > 0.0 && (self.frozen.is_some() || stable.requests > 0.0);
        known.then(|| Traffic {
            look: self.settings.look,
            candidate: mean(candidate),
            stable: self.frozen.map_or_else(|| mean(stable), |frozen| frozen.counts),
        })
    }

    /// The fault that is said to be found, by E; without stable by the limit, if that finds smaller ones.
    pub(super) fn fault_forecast(&self, traffic: Option<&Traffic>) -> Option<Forecast> {
        let error_rate = self.error_rate_forecast(traffic);
        if self.frozen.is_none() {
            return error_rate;
        }
        let critical = self.critical_forecast(traffic);
        match (error_rate, critical) {
            (Some(beside), Some(limit)) if limit.error_rate >= beside.error_rate => Some(beside),
            (beside, limit) => limit.or(beside),
        }
    }

    fn error_rate_forecast(&self, traffic: Option<&Traffic>) -> Option<Forecast> {
        self.after_warm_up(error_rate::forecast(
            &self.error_rate,
            traffic?,
            self.settings.critical,
        ))
    }

    fn critical_forecast(&self, traffic: Option<&Traffic>) -> Option<Forecast> {
        self.after_warm_up(self.critical.forecast(traffic?))
    }

    fn after_warm_up(&self, forecast: Option<Forecast>) -> Option<Forecast> {
        let mut forecast = forecast?;
        forecast.seconds += self.warming().map_or(0, |left| left.as_secs());
        Some(forecast)
    }

    pub(super) fn proof_forecast(&self, traffic: Option<&Traffic>) -> Option<SignedDuration> {
        Some(self.health.forecast(traffic?)? + self.warming().unwrap_or_default())
    }

    pub(super) fn reports(&self, traffic: Option<&Traffic>) -> Vec<Report> {
        let live = self.found.is_none();
        let traffic = traffic.filter(|_| live);
        let mut reports = vec![
            self.error_rate.report(self.error_rate_forecast(traffic)),
            self.catastrophe.trial.report(None),
        ];
        for (place, trial) in self.health.trials.iter().enumerate() {
            let forecast = traffic.and_then(|traffic| {
                let time = self.health.forecast_of(place, traffic)?;
                let wait = if time.is_zero() {
                    SignedDuration::ZERO
                } else {
                    self.warming().unwrap_or_default()
                };
                Some(Forecast {
                    error_rate: traffic.good_rate(),
                    seconds: (time + wait).as_secs(),
                })
            });
            reports.push(trial.report(forecast));
        }
        reports.push(self.critical.trial.report(self.critical_forecast(traffic)));
        reports
    }

    /// The finding of a test that has just rejected, with the looks that made the evidence: from the
    /// look since which the strongest bet has gained most.
    pub(super) fn found_by(&self, trial: &Trial, at: Timestamp) -> Found {
        let bet = trial.evidence.strongest();
        let first = trial.first.unwrap_or(self.origin);
        let (mut stable, mut candidate, mut gain, mut most) =
            (Counts::default(), Counts::default(), 0.0, 0.0);
        let mut found = Found {
            test: trial.id,
            at,
            since: first,
            first,
            candidate: trial.candidate,
            stable: trial.stable,
            limit: trial.limit(trial.stable),
            e: trial.e(),
            bar: trial.bar,
        };
        for look in self.looks.iter().rev() {
            let start = self.start(look);
            if start < first.max(trial.clear_since) {
                break;
            }
            stable += look.stable;
            candidate += look.candidate;
            gain += trial.evidence.weight_of(bet, look.candidate, look.stable);
            if gain > most {
                most = gain;
                found = Found {
                    since: start,
                    candidate,
                    stable: if self.frozen.is_some() {
                        trial.stable
                    } else {
                        stable
                    },
                    limit: trial.limit(stable),
                    ..found
                };
            }
        }
        found
    }
}
