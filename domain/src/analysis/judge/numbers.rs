//! The counts of both versions and the limit between them, in words.

use super::super::kernel::Bound;
use super::super::look::Counts;
use super::super::measure::Measure;
use super::super::panel::Test;
use super::super::trial::Trial;
use super::super::verdict::{Bounds, Found, TestId};
use super::super::words::{count, duration, percent, plain, plain_percent};
use super::Judge;

impl Judge {
    /// `Candidate 1.02 % (31 of 3,040), stable 0.10 %; limit 0.20 % (1.5 x stable + 0.05 pp)`
    pub(super) fn numbers(&self, trial: &Trial, candidate: Counts, stable: Counts) -> String {
        let limit = trial.limit(stable).map_or_else(|| "unknown".to_owned(), percent);
        format!(
            "Candidate {}, {}; limit {limit} ({})",
            share(candidate),
            self.stable_words(stable),
            rule(trial, stable)
        )
    }

    /// `Candidate 12.10 % slower than 240 ms (368 of 3,040), stable 5.00 % slower than 200 ms; limit 5.00 % (stable)`
    pub(super) fn slow_numbers(
        &self,
        trial: &Trial,
        bounds: Bounds,
        candidate: Counts,
        stable: Counts,
    ) -> String {
        let limit = trial.limit(stable).map_or_else(|| "unknown".to_owned(), percent);
        let coarse = if bounds.near {
            ""
        } else {
            "; the histogram has no nearer bounds"
        };
        let beside = if stable.requests > 0.0 {
            format!("stable {} slower than {}", rate(stable), duration(bounds.stable))
        } else {
            "stable without requests".to_owned()
        };
        format!(
            "Candidate {} slower than {} ({} of {}), {beside}{}; limit {limit}{coarse}",
            rate(candidate),
            duration(bounds.candidate),
            count(candidate.errors),
            count(candidate.requests),
            if self.frozen.is_some() {
                " when it left (baseline: frozen)"
            } else {
                ""
            },
        )
    }

    pub(super) fn stable_words(&self, stable: Counts) -> String {
        match self.frozen {
            None => format!("stable {}", rate(stable)),
            Some(_) if stable.requests > 0.0 => {
                format!("stable {} when it left (baseline: frozen)", rate(stable))
            }
            Some(_) => "nothing counted of stable before it left (baseline: missing)".to_owned(),
        }
    }

    pub(super) fn catastrophe_words(&self, found: &Found) -> String {
        self.numbers(&self.catastrophe.trial, found.candidate, found.stable)
    }

    /// What a test has found, with the counts of the looks that show it.
    pub(super) fn found_words(&self, test: &Test, found: &Found) -> String {
        self.test_words(test, found.candidate, found.stable)
    }

    /// What a test warns of, with the counts of the looks that show it.
    pub(super) fn warning_words(&self, test: &Test) -> String {
        let strongest = test.trial.strongest();
        format!(
            "{}: {}",
            subject(test.trial.id, test.subject.as_deref()),
            self.test_words(test, strongest.candidate, strongest.stable)
        )
    }

    pub(super) fn test_words(&self, test: &Test, candidate: Counts, stable: Counts) -> String {
        match (&test.measure, self.bounds(test)) {
            (Measure::Share, _) => {
                let each = |counts: Counts| counts.errors / counts.requests.max(f64::MIN_POSITIVE);
                let due = each(candidate) / each(stable).max(f64::MIN_POSITIVE);
                format!(
                    "Candidate {} for its weight, stable {}: {} of what is due; limit {}",
                    requests(candidate.errors),
                    requests(stable.errors),
                    percent(due.min(99.0)),
                    plain_percent(test.trial.claim.multiple)
                )
            }
            (_, Some(bounds)) => self.slow_numbers(&test.trial, bounds, candidate, stable),
            _ => self.numbers(&test.trial, candidate, stable),
        }
    }
}

/// What a test is about, for the head of a sentence.
pub(super) fn subject(test: TestId, subject: Option<&str>) -> String {
    let name = subject.unwrap_or("a part");
    match test {
        TestId::ErrorRate
        | TestId::Critical
        | TestId::Catastrophe
        | TestId::Damage
        | TestId::HealthBesideStable
        | TestId::HealthBelowCritical => "errors".to_owned(),
        TestId::Endpoint => format!("errors of {name}"),
        TestId::Latency | TestId::LatencyLimit | TestId::HealthLatency | TestId::HealthLatencyLimit => {
            "latency".to_owned()
        }
        TestId::Throughput => "throughput".to_owned(),
        TestId::Gauge | TestId::Check => name.to_owned(),
        TestId::CrashLoop => "crash loop".to_owned(),
    }
}

/// Where the limit comes from.
fn rule(trial: &Trial, stable: Counts) -> String {
    match trial.id {
        TestId::Catastrophe => return "absolute, while warming up".to_owned(),
        TestId::Critical | TestId::HealthBelowCritical => return "critical".to_owned(),
        _ if trial.claim.multiple <= 0.0 => return "absolute".to_owned(),
        _ => {}
    }
    let mut text = format!(
        "{} x stable + {} pp",
        plain(trial.claim.multiple),
        plain(trial.claim.plus * 100.0)
    );
    // Worth a word only where few requests make it differ from what was measured.
    if let Some(assumed) = trial.assumed.map(percent)
        && stable.rate().map(percent).as_ref() != Some(&assumed)
    {
        let side = match trial.claim.bound {
            Bound::AtMost => "at most",
            Bound::AtLeast => "at least",
        };
        text += &format!("; stable {side} {assumed}");
    }
    text
}

pub(super) fn share(counts: Counts) -> String {
    format!(
        "{} ({} of {})",
        rate(counts),
        count(counts.errors),
        count(counts.requests)
    )
}

fn rate(counts: Counts) -> String {
    counts
        .rate()
        .map_or_else(|| "without requests".to_owned(), percent)
}

pub(super) fn requests(number: f64) -> String {
    if (number - 1.0).abs() < 0.5 {
        "1 request".to_owned()
    } else {
        format!("{} requests", count(number))
    }
}
