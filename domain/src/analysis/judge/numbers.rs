//! The counts of both versions and the limit between them, in words.

use super::super::counters::Counts;
use super::super::kernel::Bound;
use super::super::trial::Trial;
use super::super::verdict::TestId;
use super::super::words::{count, percent, plain};
use super::Judge;

impl Judge {
    pub(super) fn trial(&self, test: TestId) -> &Trial {
        match test {
            TestId::ErrorRate => &self.error_rate,
            TestId::Critical => &self.critical.trial,
            TestId::Catastrophe => &self.catastrophe.trial,
            TestId::HealthBesideStable => &self.health.trials[0],
            TestId::HealthBelowCritical => &self.health.trials[1],
        }
    }

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

    pub(super) fn stable_words(&self, stable: Counts) -> String {
        match self.frozen {
            None => format!("stable {}", rate(stable)),
            Some(_) if stable.requests > 0.0 => {
                format!("stable {} when it left (baseline: frozen)", rate(stable))
            }
            Some(_) => "nothing counted of stable before it left (baseline: missing)".to_owned(),
        }
    }
}

/// Where the limit comes from.
fn rule(trial: &Trial, stable: Counts) -> String {
    match trial.id {
        TestId::Catastrophe => return "absolute, while warming up".to_owned(),
        TestId::Critical | TestId::HealthBelowCritical => return "critical".to_owned(),
        TestId::ErrorRate | TestId::HealthBesideStable => {}
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
