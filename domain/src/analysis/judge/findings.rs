//! What was found against the candidate, and what warns: by tests, and by the rules for gauges and crash loops.

use jiff::Timestamp;

use super::super::gauge::Over;
use super::super::look::Counts;
use super::super::panel::Test;
use super::super::trial::{Strongest, Trial};
use super::super::verdict::{Bounds, Found, TestId, Warning};
use super::super::words::{quantity, time};
use super::super::yardstick::is_near;
use super::{Judge, Level};

impl Judge {
    /// What rolls back, in the order in which a person must know it.
    pub(super) fn finding(&mut self, end: Timestamp) -> Option<Found> {
        if let Some(test) = self.panel.finding() {
            let test = test.clone();
            return Some(self.found_by_test(&test, end));
        }
        if self.catastrophe.trial.rejected() {
            let mut found = self.found_by(&self.catastrophe.trial, end);
            found.sentence = self.catastrophe_words(&found);
            return Some(found);
        }
        self.found_by_rule(end)
    }

    fn found_by_test(&self, test: &Test, end: Timestamp) -> Found {
        let mut found = Found {
            subject: test.subject.clone(),
            bounds: self.bounds(test),
            ..self.found_by(&test.trial, end)
        };
        found.sentence = self.found_words(test, &found);
        found
    }

    /// The finding of a trial that has just rejected, with the looks that made the evidence.
    fn found_by(&self, trial: &Trial, at: Timestamp) -> Found {
        let first = trial.first.unwrap_or(self.origin);
        let Strongest {
            since,
            candidate,
            stable,
        } = trial.strongest();
        Found {
            test: trial.id,
            subject: None,
            at,
            since: since.unwrap_or(first),
            first,
            candidate,
            stable,
            limit: trial.limit(stable),
            bounds: None,
            e: trial.e(),
            bar: trial.bar,
            sentence: String::new(),
        }
    }

    fn found_by_rule(&self, end: Timestamp) -> Option<Found> {
        let rule = |test, subject, since, candidate, limit, sentence| Found {
            test,
            subject: Some(subject),
            at: end,
            since,
            first: self.first_request.unwrap_or(self.origin),
            candidate,
            stable: Counts::default(),
            limit,
            bounds: None,
            e: 0.0,
            bar: 0.0,
            sentence,
        };
        if let Some(over) = self.gauges.over(Level::Rollback, self.settings.look) {
            let counts = Counts {
                requests: over.samples as f64,
                errors: over.over as f64,
            };
            let words = gauge_words(&over);
            return Some(rule(
                TestId::Gauge,
                over.name,
                over.since,
                counts,
                Some(over.limit),
                words,
            ));
        }
        let looping = self.crash_loop.found()?;
        let words = format!(
            "process {} began anew {} times within {}, and no process of stable did more than once",
            looping.instance,
            looping.restarts,
            time(end.duration_since(looping.since))
        );
        let counts = Counts {
            requests: 0.0,
            errors: f64::from(looping.restarts),
        };
        Some(rule(
            TestId::CrashLoop,
            looping.instance,
            looping.since,
            counts,
            None,
            words,
        ))
    }

    pub(super) fn warns(&self) -> bool {
        self.panel.warnings().next().is_some()
            || self.gauges.over(Level::Warning, self.settings.look).is_some()
    }

    /// What warns now.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        if self.found.is_some() {
            return Vec::new();
        }
        let mut warnings: Vec<Warning> = self
            .panel
            .warnings()
            .map(|(test, since)| Warning {
                test: test.trial.id,
                subject: test.subject.clone(),
                since,
                sentence: self.warning_words(test),
            })
            .collect();
        if let Some(over) = self.gauges.over(Level::Warning, self.settings.look) {
            warnings.push(Warning {
                test: TestId::Gauge,
                sentence: gauge_words(&over),
                subject: Some(over.name),
                since: over.since,
            });
        }
        warnings
    }

    /// What slow means to this test now.
    pub(super) fn bounds(&self, test: &Test) -> Option<Bounds> {
        self.bounds_of(&test.measure)
    }

    pub(super) fn bounds_of(&self, measure: &super::super::measure::Measure) -> Option<Bounds> {
        use super::super::measure::Measure;
        let slow = measure.bounds(&self.yardstick)?;
        let near = match measure {
            Measure::Slow { tolerance } => {
                is_near(slow.tolerance(), *tolerance)
                    && self.yardstick.p95().is_some_and(|p95| is_near(slow.stable, p95))
            }
            Measure::SlowerThan(limit) => is_near(slow.stable, *limit),
            _ => true,
        };
        Some(Bounds {
            stable: slow.stable,
            candidate: slow.candidate,
            near,
        })
    }
}

fn gauge_words(over: &Over) -> String {
    let stable = over.stable.map_or_else(
        || "nothing measured of stable".to_owned(),
        |highest| format!("stable at most {}", quantity(highest, over.unit)),
    );
    format!(
        "{} of {} above {} in {} of {} samples, at most {}; {stable}",
        over.name,
        if over.instance.is_empty() {
            "the candidate"
        } else {
            over.instance.as_str()
        },
        quantity(over.limit, over.unit),
        over.over,
        over.samples,
        quantity(over.highest, over.unit),
    )
}
