//! The verdict in words that a tired person understands.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::damage::Breach;
use super::super::look::Counts;
use super::super::measure::Measure;
use super::super::panel::Test;
use super::super::verdict::{Found, TestId, Warning};
use super::super::words::{about, count, duration, one_in, percent, plain_percent, time};
use super::numbers::{requests, share, subject};
use super::why::Why;
use super::{Feed, Level, Moment};

/// A source may answer with a page; a sentence has room for so many characters of its beginning, which
/// names the source, and of its end, which names the cause.
const ERROR_ENDS: [usize; 2] = [100, 190];

impl Moment<'_> {
    pub(super) fn sentence(&self, why: &Why) -> String {
        let since = time(self.looks.last().map_or_else(SignedDuration::default, |last| {
            last.end.duration_since(self.origin)
        }));
        let [stable, candidate] = self.total;
        match why {
            Why::Found(found) => self.found_sentence(found),
            Why::Damaged(breach) => self.damage_sentence(breach),
            Why::Down { silence, error } if silence.as_secs() < 1 => format!(
                "HOLD - no data. The metric source does not answer: {}. Nothing is judged until it does.",
                one_line(error)
            ),
            Why::Down { silence, error } => format!(
                "HOLD - no data. The metric source has not answered for {}: {}. Nothing is judged until it does.",
                time(*silence),
                one_line(error)
            ),
            Why::Silent { silence } => format!(
                "HOLD - no data. The metric source answers, but has nothing new since {} ago: has it stopped scraping, or \
                 is this machine's clock ahead of the source's? Nothing is judged until it has.",
                time(*silence)
            ),
            Why::NoSeries => {
                "HOLD - no traffic to judge. The metric source answers, but has no samples of either \
                              version: do the selectors and the version label fit?"
                    .to_owned()
            }
            Why::NoRequests => format!(
                "HOLD - no traffic to judge. Both versions are idle: neither has had a request since the start, \
                 {since} ago."
            ),
            Why::NotReached => format!(
                "HOLD - no traffic to judge. No traffic reached the candidate since the start, {since} ago; stable \
                 had {} in that time. Is its weight above 0, and do its metrics carry its version?",
                requests(stable.requests)
            ),
            Why::NothingToCompare => format!(
                "HOLD - no traffic to judge. Stable has had no request since the start, {since} ago, so the \
                 candidate's {} have nothing to be compared with. Do stable's metrics carry its version?",
                requests(candidate.requests)
            ),
            Why::BothIdle { pause } => format!(
                "HOLD - no traffic to judge. Both versions are idle: neither has had a request for {}.",
                time(*pause)
            ),
            Why::Lost { pause, stable } => format!(
                "HOLD - no traffic to judge. The candidate has had no request for {}; stable had {} in that time.",
                time(*pause),
                requests(*stable)
            ),
            Why::Shared { since, counts } => self.shared_sentence(*since, *counts),
            Why::SharedLimit { test, since } => self.shared_limit_sentence(test, *since),
            Why::NotFresh { feed, at } => self.not_fresh_sentence(feed, *at),
            Why::Proved => self.proved_sentence(),
            Why::Warned { warnings, proved } => self.warned_sentence(warnings, *proved),
            Why::WarmingUp { left } => format!(
                "WATCH - warming up, for another {}. Candidate {}, {}; until then only an error rate above 10 % is \
                 judged. {}",
                time(*left),
                share(candidate),
                self.stable_words(self.frozen.unwrap_or(stable)),
                self.forecasts()
            ),
            Why::Unprovable { rate } => format!(
                "WATCH - no harm found, but this step cannot be proved: stable's own error rate, {}, is not below \
                 the critical {}. {}.",
                percent(*rate),
                plain_percent(self.settings.critical),
                self.step_numbers()
            ),
            Why::Thin { needed, time } => self.thin_sentence(*needed, *time),
            Why::Unsure => format!(
                "WATCH - no harm found, not yet proved. {}. {}",
                self.step_numbers(),
                self.forecasts()
            ),
        }
    }

    fn found_sentence(&self, found: &Found) -> String {
        let head = capital(&found.sentence);
        let about = subject(found.test, found.subject.as_deref());
        if found.bar <= 0.0 {
            return format!("ROLLBACK - {about}. {head}.");
        }
        let from = if self.frozen.is_some() {
            "all of the traffic was the candidate's"
        } else {
            "the candidate's first counted request"
        };
        let mut text = format!(
            "ROLLBACK - {about}. {head}. If the candidate were within the limit, evidence this strong would appear in \
             at most 1 of {} rollouts; the bar is {}. Found {} after {from}",
            one_in(found.e),
            count(found.bar),
            time(found.at.duration_since(found.first))
        );
        if found.since > found.first {
            text += &format!(
                ", {} after {} began",
                time(found.at.duration_since(found.since)),
                if about.starts_with("errors") {
                    "the errors"
                } else {
                    "it"
                }
            );
        }
        text + "." + &self.within_bounds(found)
    }

    /// The subjects that nothing speaks against.
    fn within_bounds(&self, found: &Found) -> String {
        let named = |test: &&Test| {
            matches!(
                test.trial.id,
                TestId::ErrorRate | TestId::Latency | TestId::Throughput
            )
        };
        let is_rollback = |test: &&Test| test.level == Level::Rollback;
        // An endpoint's errors are errors.
        let own = match found.test {
            TestId::Endpoint => TestId::ErrorRate,
            test => test,
        };
        let mut bad: BTreeSet<String> = [subject(own, None)].into();
        bad.extend(
            self.panel
                .tests
                .iter()
                .filter(|test| test.trial.rejected())
                .map(|test| subject(test.trial.id, None)),
        );
        let good: Vec<String> = self
            .panel
            .tests
            .iter()
            .filter(is_rollback)
            .filter(named)
            .map(|test| subject(test.trial.id, None))
            .filter(|subject| !bad.contains(subject))
            .collect();
        if good.is_empty() {
            String::new()
        } else {
            format!(" {}: within bounds.", capital(&good.join(", ")))
        }
    }

    fn damage_sentence(&self, breach: &Breach) -> String {
        let Breach {
            since,
            rise,
            slower_than,
            candidate,
            stable,
            before,
        } = breach;
        let what = slower_than.map_or_else(
            || "errors".to_owned(),
            |bound| format!("requests slower than {}", duration(bound)),
        );
        format!(
            "PRECAUTION - both versions. {}: candidate {}, stable {}, stable before {}; it began {} after a rise of \
             the share and has lasted {}. That is no verdict on the candidate, but its share must be 0 until somebody \
             knows more: shift-traffic resume goes on.",
            capital(&what),
            share(*candidate),
            share(*stable),
            share(*before),
            time(since.duration_since(*rise).max(SignedDuration::ZERO)),
            time(
                self.looks
                    .last()
                    .map_or_else(SignedDuration::default, |last| last.end.duration_since(*since))
            ),
        )
    }

    fn warned_sentence(&self, warnings: &[Warning], proved: bool) -> String {
        let (state, forecasts) = if proved {
            let fault = capital(&self.fault_words()) + ".";
            ("proved healthy in this step, but", fault)
        } else {
            ("no harm found, but", self.forecasts())
        };
        let words: Vec<&str> = warnings.iter().map(|warning| warning.sentence.as_str()).collect();
        format!("WARN - {state} {}. {forecasts}", words.join("; "))
    }

    fn shared_limit_sentence(&self, test: &Test, since: Timestamp) -> String {
        if test.trial.id != TestId::Critical {
            let strongest = test.trial.strongest();
            return format!(
                "HOLD - shared trouble. {}: {}. Stable is not proved to be within that limit in that time, so this does \
                 not tell against the candidate.",
                capital(&subject(test.trial.id, test.subject.as_deref())),
                self.test_words(test, strongest.candidate, strongest.stable)
            );
        }
        let [stable, candidate] = self.counts_since(since);
        let critical = plain_percent(self.settings.critical);
        match self.frozen {
            Some(frozen) => format!(
                "HOLD - shared trouble. Candidate {}, {}: both are above the critical {critical}, so this does not \
                 tell against the candidate.",
                share(candidate),
                self.stable_words(frozen)
            ),
            None => format!(
                "HOLD - shared incident. Candidate {}, stable {}: the candidate is above the critical {critical}, and \
                 stable is not proved to be below it in that time, so this does not tell against the candidate.",
                share(candidate),
                share(stable)
            ),
        }
    }

    /// Counts of stable and of the candidate in looks that end after `since`.
    fn counts_since(&self, since: Timestamp) -> [Counts; 2] {
        let mut counts = [Counts::default(); 2];
        for look in self.looks.iter().rev().take_while(|look| look.end > since) {
            counts[0] += look.stable.counts();
            counts[1] += look.candidate.counts();
        }
        counts
    }

    fn shared_sentence(&self, since: Timestamp, counts: Counts) -> String {
        let [stable, _] = self.counts_since(since);
        format!(
            "HOLD - shared incident. Candidate {}, stable {}: both above 10 %, so this does not tell against the \
             candidate. Errors beyond stable's are judged after the warm-up.",
            share(counts),
            share(stable)
        )
    }

    fn not_fresh_sentence(&self, feed: &Feed, at: Timestamp) -> String {
        let what = match feed {
            Feed::Down { since, error } => {
                format!(
                    "has not answered for {}: {}",
                    time(at.duration_since(*since)),
                    one_line(error)
                )
            }
            Feed::Silent { since } => {
                format!("has nothing new since {} ago", time(at.duration_since(*since)))
            }
            Feed::Fresh => "is fresh".to_owned(),
        };
        let state = if self.health.proved() {
            "proved, but not on fresh data"
        } else {
            "no harm found so far"
        };
        format!(
            "WATCH - {state}. The metric source {what}. {}.",
            self.step_numbers()
        )
    }

    fn proved_sentence(&self) -> String {
        let doubts = &self.health.doubts;
        let most = doubts.iter().map(|doubt| doubt.trial.candidate.requests);
        let least = doubts.iter().map(|doubt| doubt.trial.e());
        let about = if doubts.len() > 2 {
            "errors, latency"
        } else {
            "errors"
        };
        let limits = if doubts.len() > 2 {
            "at any limit"
        } else {
            "at either limit"
        };
        format!(
            "HEALTHY - {about}. {}; critical {}.{} Proved with {} of the candidate: {limits}, evidence this strong \
             would appear in at most 1 of {} steps; the bar is {}. {}.",
            self.step_numbers(),
            plain_percent(self.settings.critical),
            self.latency_words(),
            requests(most.fold(0.0, f64::max)),
            one_in(least.fold(f64::MAX, f64::min)),
            count(doubts[0].trial.bar),
            capital(&self.fault_words())
        )
    }

    /// How slow both are in this step, or why that is not judged.
    fn latency_words(&self) -> String {
        let Some(doubt) = self
            .health
            .doubts
            .iter()
            .find(|doubt| doubt.trial.id == TestId::HealthLatency)
        else {
            return String::new();
        };
        if doubt.measure.is_blind(&self.yardstick) {
            return " Latency is not judged: the histogram has no bounds near stable's p95.".to_owned();
        }
        match self.bounds_of(&doubt.measure) {
            Some(bounds) => format!(
                " {}.",
                self.slow_numbers(&doubt.trial, bounds, doubt.trial.candidate, doubt.trial.stable)
            ),
            None => String::new(),
        }
    }

    fn thin_sentence(&self, needed: Option<SignedDuration>, step: SignedDuration) -> String {
        let needed = needed.map_or_else(
            || "more than a week".to_owned(),
            |needed| format!("about {}", about(needed)),
        );
        format!(
            "HOLD - too little traffic. The proof takes {needed} at this traffic, and this step has {}. {}. {}.",
            time(step),
            self.step_numbers(),
            capital(&self.fault_words())
        )
    }

    /// Both rates since the step began, warm-up apart, and the limit of the proof beside them.
    fn step_numbers(&self) -> String {
        let (candidate, stable) = (self.health.candidate, self.health.stable);
        if candidate.requests <= 0.0 {
            return "Nothing counted in this step yet".to_owned();
        }
        self.numbers(&self.health.doubts[0].trial, candidate, stable)
    }

    fn forecasts(&self) -> String {
        let proof = match self.proof_forecast() {
            Some(left) => format!("this step is proved in about {}", about(left)),
            None => "this step is not proved within a week".to_owned(),
        };
        match self.traffic(&Measure::Errors) {
            Some(_) => format!("{}; {proof}.", capital(&self.fault_words())),
            None => "There is too little in this step yet for a forecast.".to_owned(),
        }
    }

    fn fault_words(&self) -> String {
        match self.fault_forecast() {
            Some(fault) => format!(
                "a {} error rate would be found in about {} at this traffic",
                plain_percent((fault.error_rate * 1e4).round() / 1e4),
                about(SignedDuration::from_secs(fault.seconds))
            ),
            None => "a fault would not be found within a week at this traffic".to_owned(),
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn one_line(error: &str) -> String {
    let words: Vec<&str> = error.split_whitespace().collect();
    let text = words.join(" ");
    let [begin, end] = ERROR_ENDS;
    let length = text.chars().count();
    let text = if length <= begin + end {
        text
    } else {
        let begin: String = text.chars().take(begin).collect();
        let end: String = text.chars().skip(length - end).collect();
        format!("{begin}…{end}")
    };
    let text = text.trim_end_matches('.');
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        text.to_owned()
    }
}
