//! The verdict in words that a tired person understands.

use jiff::{SignedDuration, Timestamp};

use super::super::counters::Counts;
use super::super::trial::Traffic;
use super::super::verdict::Found;
use super::super::words::{about, count, one_in, percent, plain_percent, time};
use super::numbers::{requests, share};
use super::why::Why;
use super::{Feed, Judge};

/// A source may answer with a page; a sentence has room for so many characters of its beginning, which
/// names the source, and of its end, which names the cause.
const ERROR_ENDS: [usize; 2] = [100, 190];

impl Judge {
    pub(super) fn sentence(&self, why: &Why, traffic: Option<&Traffic>) -> String {
        let since = time(self.looks.last().map_or_else(SignedDuration::default, |last| {
            last.end.duration_since(self.origin)
        }));
        let [stable, candidate] = self.total;
        match why {
            Why::Found(found) => self.found_sentence(found),
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
                "HOLD - no data. The metric source answers, but has nothing new since {} ago. \
                 Nothing is judged until it does.",
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
            Why::SharedCritical { since } => self.shared_critical_sentence(*since),
            Why::NotFresh { feed, at } => self.not_fresh_sentence(feed, *at),
            Why::Proved => self.proved_sentence(traffic),
            Why::WarmingUp { left } => format!(
                "WATCH - warming up, for another {}. Candidate {}, {}; until then only an error rate above 10 % is \
                 judged. {}",
                time(*left),
                share(candidate),
                self.stable_words(self.frozen.map_or(stable, |frozen| frozen.counts)),
                self.forecasts(traffic)
            ),
            Why::Unprovable { rate } => format!(
                "WATCH - no harm found, but this step cannot be proved: stable's own error rate, {}, is not below \
                 the critical {}. {}.",
                percent(*rate),
                plain_percent(self.settings.critical),
                self.step_numbers()
            ),
            Why::Thin { needed, time } => self.thin_sentence(*needed, *time, traffic),
            Why::Unsure => format!(
                "WATCH - no harm found, not yet proved. {}. {}",
                self.step_numbers(),
                self.forecasts(traffic)
            ),
        }
    }

    fn found_sentence(&self, found: &Found) -> String {
        let from = if self.frozen.is_some() {
            "all of the traffic was the candidate's"
        } else {
            "the candidate's first counted request"
        };
        let mut text = format!(
            "ROLLBACK - errors. {}. If the candidate were within the limit, evidence this strong would appear in \
             at most 1 of {} rollouts; the bar is {}. Found {} after {from}",
            self.numbers(self.trial(found.test), found.candidate, found.stable),
            one_in(found.e),
            count(found.bar),
            time(found.at.duration_since(found.first))
        );
        if found.since > found.first {
            text += &format!(
                ", {} after the errors began",
                time(found.at.duration_since(found.since))
            );
        }
        text + "."
    }

    fn shared_critical_sentence(&self, since: Timestamp) -> String {
        let [stable, candidate] = self.counts_since(since);
        let critical = plain_percent(self.settings.critical);
        match &self.frozen {
            Some(frozen) => format!(
                "HOLD - shared trouble. Candidate {}, {}: both are above the critical {critical}, so this does not \
                 tell against the candidate.",
                share(candidate),
                self.stable_words(frozen.counts)
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
            counts[0] += look.stable;
            counts[1] += look.candidate;
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

    fn proved_sentence(&self, traffic: Option<&Traffic>) -> String {
        let [beside, critical] = &self.health.trials;
        format!(
            "HEALTHY - errors. {}; critical {}. Proved with {} of the candidate: at either limit, evidence this \
             strong would appear in at most 1 of {} steps; the bar is {}. {}.",
            self.step_numbers(),
            plain_percent(self.settings.critical),
            requests(beside.candidate.requests.max(critical.candidate.requests)),
            one_in(beside.e().min(critical.e())),
            count(beside.bar),
            capital(&self.fault_words(traffic))
        )
    }

    fn thin_sentence(
        &self,
        needed: Option<SignedDuration>,
        step: SignedDuration,
        traffic: Option<&Traffic>,
    ) -> String {
        let needed = needed.map_or_else(
            || "more than a week".to_owned(),
            |needed| format!("about {}", about(needed)),
        );
        format!(
            "HOLD - too little traffic. The proof takes {needed} at this traffic, and this step has {}. {}. {}.",
            time(step),
            self.step_numbers(),
            capital(&self.fault_words(traffic))
        )
    }

    /// Both rates since the step began, warm-up apart, and the limit of the proof beside them.
    fn step_numbers(&self) -> String {
        let (candidate, stable) = (self.health.candidate, self.health.stable);
        if candidate.requests <= 0.0 {
            return "Nothing counted in this step yet".to_owned();
        }
        self.numbers(&self.health.trials[0], candidate, stable)
    }

    fn forecasts(&self, traffic: Option<&Traffic>) -> String {
        let proof = match self.proof_forecast(traffic) {
            Some(left) => format!("this step is proved in about {}", about(left)),
            None => "this step is not proved within a week".to_owned(),
        };
        match traffic {
            Some(_) => format!("{}; {proof}.", capital(&self.fault_words(traffic))),
            None => "There is too little in this step yet for a forecast.".to_owned(),
        }
    }

    fn fault_words(&self, traffic: Option<&Traffic>) -> String {
        match self.fault_forecast(traffic) {
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
