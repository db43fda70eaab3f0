//! What the looks and the feed amount to, in the order in which a person must know it.

use jiff::{SignedDuration, Timestamp};

use super::super::damage::Breach;
use super::super::look::Counts;
use super::super::measure::Measure;
use super::super::panel::Test;
use super::super::verdict::{Found, Outcome, Reason, Warning};
use super::{Feed, Judge, Moment};

/// So many looks without an answer are an outage and no hiccup.
const STALE_LOOKS: i32 = 3;

/// Shorter pauses are natural at low traffic.
const IDLE: SignedDuration = SignedDuration::from_mins(5);

/// A pause is only called lost traffic if so many requests should have come: by chance, one in 10^8.
const MISSED: f64 = 20.0;

/// A step must have run so long before its traffic is called thin.
const THIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// What the looks and the feed amount to.
pub(super) enum Why<'a> {
    Found(&'a Found),
    Damaged(&'a Breach),
    Down {
        silence: SignedDuration,
        error: &'a str,
    },
    Silent {
        silence: SignedDuration,
    },
    NoSeries,
    NoRequests,
    NotReached,
    NothingToCompare,
    BothIdle {
        pause: SignedDuration,
    },
    Lost {
        pause: SignedDuration,
        stable: f64,
    },
    Shared {
        since: Timestamp,
        counts: Counts,
    },
    SharedLimit {
        test: &'a Test,
        since: Timestamp,
    },
    NotFresh {
        feed: &'a Feed,
        at: Timestamp,
    },
    Proved,
    Warned {
        warnings: Vec<Warning>,
        proved: bool,
    },
    WarmingUp {
        left: SignedDuration,
    },
    Unprovable {
        rate: f64,
    },
    Thin {
        needed: Option<SignedDuration>,
        time: SignedDuration,
    },
    Unsure,
}

impl Why<'_> {
    /// What to do about it.
    pub(super) fn outcome(&self) -> (Outcome, Option<Reason>) {
        match self {
            Why::Found(_) => (Outcome::Rollback, None),
            Why::Damaged(_) => (Outcome::Precaution, None),
            Why::Down { .. } | Why::Silent { .. } => (Outcome::Hold, Some(Reason::Down)),
            Why::NoSeries
            | Why::NoRequests
            | Why::NotReached
            | Why::NothingToCompare
            | Why::BothIdle { .. }
            | Why::Lost { .. } => (Outcome::Hold, Some(Reason::None)),
            Why::Shared { .. } | Why::SharedLimit { .. } => (Outcome::Hold, Some(Reason::Shared)),
            Why::Thin { .. } => (Outcome::Hold, Some(Reason::Thin)),
            Why::Proved => (Outcome::Healthy, None),
            Why::Warned { .. } => (Outcome::Warn, None),
            Why::Unsure | Why::NotFresh { .. } | Why::WarmingUp { .. } | Why::Unprovable { .. } => {
                (Outcome::Watch, None)
            }
        }
    }
}

impl Why<'_> {
    /// Whether health is proved in this step, on fresh data.
    pub(super) fn is_proved(&self) -> bool {
        matches!(self, Why::Proved | Why::Warned { proved: true, .. })
    }
}

impl Judge {
    /// The feed as we see it: whoever says "fresh" without looks is mistaken.
    pub(super) fn feed(&self, at: Timestamp, feed: &Feed) -> Feed {
        let newest = self.looks.last().map_or(self.origin, |last| last.end);
        let stale = self.settings.delay + self.settings.look * (STALE_LOOKS + 1);
        if *feed == Feed::Fresh && at.duration_since(newest) >= stale {
            return Feed::Silent { since: newest };
        }
        feed.clone()
    }

    /// What is left of the warm-up after the last look.
    pub(super) fn warming(&self) -> Option<SignedDuration> {
        let last = self.looks.last()?.end;
        let left = (self.first_request? + self.settings.grace).duration_since(last);
        left.is_positive().then_some(left)
    }
}

impl Moment<'_> {
    /// The order is that of what a person must know first; nothing is healthy on stale data.
    pub(super) fn why<'a>(&'a self, at: Timestamp, feed: &'a Feed) -> Why<'a> {
        if let Some(found) = &self.found {
            return Why::Found(found);
        }
        if let Some(breach) = self.damage.as_ref().and_then(|damage| damage.found.as_ref()) {
            return Why::Damaged(breach);
        }
        let [stable, candidate] = self.total.map(|counts| counts.requests > 0.0);
        let stale = self.settings.look * STALE_LOOKS;
        match feed {
            // Before the first answer there is nothing else to say.
            Feed::Down { since, error } if at.duration_since(*since) >= stale || (!stable && !candidate) => {
                return Why::Down {
                    silence: at.duration_since(*since),
                    error,
                };
            }
            Feed::Silent { since } if (stable || candidate) && at.duration_since(*since) >= stale => {
                return Why::Silent {
                    silence: at.duration_since(*since),
                };
            }
            Feed::Silent { .. } if !stable && !candidate => return Why::NoSeries,
            _ => {}
        }
        match (stable, candidate) {
            (false, false) => return Why::NoRequests,
            (true, false) => return Why::NotReached,
            (false, true) if !self.step.alone => return Why::NothingToCompare,
            (_, true) => {}
        }
        if let Some(why) = self.idle() {
            return why;
        }
        let warming = self.warming();
        if warming.is_some()
            && let Some((since, counts)) = self.catastrophe.shared()
        {
            return Why::Shared { since, counts };
        }
        if let Some((test, since)) = self.panel.shared() {
            return Why::SharedLimit { test, since };
        }
        if *feed != Feed::Fresh {
            return Why::NotFresh { feed, at };
        }
        let proved = self.health.proved();
        let warnings = self.warnings();
        if !warnings.is_empty() {
            return Why::Warned { warnings, proved };
        }
        if proved {
            return Why::Proved;
        }
        if let Some(left) = warming {
            return Why::WarmingUp { left };
        }
        self.unprovable().unwrap_or(Why::Unsure)
    }

    fn idle(&self) -> Option<Why<'_>> {
        let now = self.looks.last()?.end;
        let candidate = self.last_candidate?;
        let stable = self.last_stable.unwrap_or(candidate);
        let pause = now.duration_since(candidate);
        if pause < IDLE {
            return None;
        }
        if now.duration_since(stable) >= IDLE {
            return Some(Why::BothIdle {
                pause: now.duration_since(stable.max(candidate)),
            });
        }
        let served = candidate.duration_since(self.first_request?).as_secs_f64();
        let missed = self.total[1].requests / served.max(1.0) * pause.as_secs_f64();
        if missed < MISSED {
            return None;
        }
        let meanwhile = self.looks.iter().rev().take_while(|look| look.end > candidate);
        Some(Why::Lost {
            pause,
            stable: meanwhile.map(|look| look.stable.requests).sum(),
        })
    }

    /// Why this step will not be proved, if it will not.
    fn unprovable(&self) -> Option<Why<'_>> {
        let traffic = self.traffic(&Measure::Errors)?;
        if let Some(rate) = traffic.stable.rate()
            && rate >= 0.95 * self.settings.critical
            && self.whole_proof().is_none()
        {
            return Some(Why::Unprovable { rate });
        }
        let time = self.step.time?;
        if self.looks.last()?.end.duration_since(self.judged_since()?) < THIN_AFTER {
            return None;
        }
        let needed = self.whole_proof();
        needed
            .is_none_or(|needed| needed > time)
            .then_some(Why::Thin { needed, time })
    }

    /// Where the looks begin in which this step's proof is sought.
    fn judged_since(&self) -> Option<Timestamp> {
        Some(self.step.since.max(self.first_request? + self.settings.grace))
    }
}
