//! One test on its way: its evidence, what it has counted, and its bar.

use jiff::{SignedDuration, Timestamp};

use super::frozen::{Frozen, STAKE};
use super::judge::Level;
use super::kernel::{BETS, Bound, Claim, Evidence};
use super::look::Counts;
use super::verdict::{Forecast, Report, TestId};

/// What one look holds on average: the traffic that forecasts assume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) look: SignedDuration,
    pub(super) candidate: Counts,
    /// All that was counted of it, once it has left.
    pub(super) stable: Counts,
    /// The rate of a candidate as good as stable, 0 to 1.
    pub(super) good: f64,
}

/// A week: nobody plans by a forecast beyond it.
const FORECAST_LIMIT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Traffic {
    /// How many looks a forecast may reach ahead.
    pub(super) fn horizon(&self) -> u64 {
        u64::try_from(FORECAST_LIMIT.as_nanos() / self.look.as_nanos().max(1)).unwrap_or(0)
    }

    /// The time that so many looks take.
    pub(super) fn time(&self, looks: u64) -> SignedDuration {
        SignedDuration::from_secs_f64(self.look.as_secs_f64() * looks as f64)
    }

    /// The same traffic with `rate` of the candidate's requests failing.
    pub(super) fn failing(&self, rate: f64) -> Counts {
        Counts {
            requests: self.candidate.requests,
            errors: self.candidate.requests * rate,
        }
    }
}

/// How bets are spread that begin again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    /// Over so many looks.
    pub(super) looks: u64,
    /// What one look may multiply a bet by.
    pub(super) cap: f64,
}

/// The looks in which one bet has gained most: where the gains from here to the last look add up to the most.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    gain: f64,
    since: Option<Timestamp>,
    candidate: Counts,
    stable: Counts,
}

/// The looks that made the evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strongest {
    /// Start of the first of them.
    pub(super) since: Option<Timestamp>,
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
}

#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) id: TestId,
    pub(super) claim: Claim,
    pub(super) evidence: Evidence,
    pub(super) bar: f64,
    pub(super) candidate: Counts,
    pub(super) stable: Counts,
    pub(super) used: u64,
    pub(super) skipped: u64,
    /// Start of the first look that was counted.
    pub(super) first: Option<Timestamp>,
    /// The rate that stable is taken to have, 0 to 1, once it has left; its counts say nothing from then on.
    pub(super) assumed: Option<f64>,
    /// Stable has left: what was counted of it is all there is.
    left: bool,
    runs: Box<[Run; BETS]>,
    cluster_size: f64,
    /// What the evidence began with, 1 or less.
    stake: f64,
}

impl Trial {
    /// A trial of `claim` by bets that begin once, or as `spread` says.
    pub(super) fn new(id: TestId, claim: Claim, bar: f64, cluster_size: f64, spread: Option<Spread>) -> Self {
        Self {
            id,
            claim,
            evidence: evidence(claim, cluster_size, spread),
            bar,
            candidate: Counts::default(),
            stable: Counts::default(),
            used: 0,
            skipped: 0,
            first: None,
            assumed: None,
            left: false,
            runs: Box::default(),
            cluster_size,
            stake: 1.0,
        }
    }

    /// The same claim with a stable that has left, sought anew and with `stake` of what was there to begin with.
    ///
    /// A claim about how bad the candidate may be assumes the worst stable that its counts allow, a claim about
    /// how bad it must be the best one.
    pub(super) fn without_stable(mut self, frozen: &Frozen, stake: f64, spread: Option<Spread>) -> Self {
        let claim = if self.claim.multiple > 0.0 {
            let assumed = match self.claim.bound {
                Bound::AtMost => frozen.at_most(self.bar),
                Bound::AtLeast => frozen.at_least(self.bar),
            };
            self.assumed = Some(assumed);
            self.stake = STAKE * stake;
            Claim {
                multiple: 0.0,
                plus: (self.claim.multiple * assumed + self.claim.plus).min(1.0),
                bound: self.claim.bound,
            }
        } else {
            self.stake = stake;
            self.claim
        };
        self.evidence = evidence(claim, self.cluster_size, spread);
        self.stable = frozen.counts;
        self.left = true;
        self.runs = Box::default();
        self
    }

    /// Takes in a look that began at `start`.
    pub(super) fn add(&mut self, start: Timestamp, candidate: Counts, stable: Counts) {
        let Some(gains) = self.evidence.add(candidate, stable) else {
            self.skipped += 1;
            return;
        };
        for (run, gain) in self.runs.iter_mut().zip(gains) {
            if run.gain + gain <= 0.0 {
                *run = Run::default();
                continue;
            }
            run.gain += gain;
            run.since.get_or_insert(start);
            run.candidate += candidate;
            run.stable += stable;
        }
        self.used += 1;
        self.candidate += candidate;
        self.stable += stable;
        self.first.get_or_insert(start);
    }

    /// The looks to which the evidence is due.
    pub(super) fn strongest(&self) -> Strongest {
        let run = self.runs[self.evidence.strongest()];
        if run.since.is_none() {
            return Strongest {
                since: self.first,
                candidate: self.candidate,
                stable: self.stable,
            };
        }
        Strongest {
            since: run.since,
            candidate: run.candidate,
            stable: if self.left { self.stable } else { run.stable },
        }
    }

    /// The evidence, with what it began with.
    pub(super) fn e(&self) -> f64 {
        self.stake * self.evidence.value()
    }

    pub(super) fn rejected(&self) -> bool {
        self.e() >= self.bar
    }

    /// Throws away what was collected. Always allowed: it can only delay a finding.
    pub(super) fn forget(&mut self) {
        self.evidence.forget();
        *self.runs = Default::default();
    }

    /// Gives up what exceeds the bar. Always allowed, too.
    pub(super) fn keep_at_bar(&mut self) {
        self.evidence.keep_at_most(self.bar / self.stake);
    }

    /// After how many more looks like this one it rejects, if within the horizon of `traffic`.
    pub(super) fn looks_until(&self, candidate: Counts, traffic: &Traffic) -> Option<u64> {
        let bar = self.bar / self.stake;
        self.evidence
            .looks_until(bar, candidate, traffic.stable, traffic.horizon())
    }

    /// The error rate that the claim allows or demands beside this stable, 0 to 1.
    pub(super) fn limit(&self, stable: Counts) -> Option<f64> {
        match self.assumed {
            Some(rate) => Some((self.claim.multiple * rate + self.claim.plus).min(1.0)),
            None => limit(self.claim, stable),
        }
    }

    pub(super) fn report(&self, level: Level, forecast: Option<Forecast>) -> Report {
        Report {
            id: self.id,
            subject: None,
            level,
            candidate: self.candidate,
            stable: self.stable,
            candidate_rate: self.candidate.rate(),
            stable_rate: self.stable.rate(),
            limit: self.limit(self.stable),
            bounds: None,
            e: self.e(),
            bar: self.bar,
            m: self.cluster_size,
            used: self.used,
            skipped: self.skipped,
            forecast,
        }
    }
}

fn evidence(claim: Claim, cluster_size: f64, spread: Option<Spread>) -> Evidence {
    match spread {
        Some(Spread { looks, cap }) => Evidence::restarting(claim, cluster_size, looks, cap),
        None => Evidence::once(claim, cluster_size),
    }
}

/// The rate at the edge of a claim, at most 1; nothing if it needs a stable that has no requests.
fn limit(claim: Claim, stable: Counts) -> Option<f64> {
    if claim.multiple <= 0.0 {
        return Some(claim.plus.min(1.0));
    }
    stable
        .rate()
        .map(|rate| (claim.multiple * rate + claim.plus).min(1.0))
}

/// "Not above" and "not below" in one place.
pub(super) fn at_most(multiple: f64, plus: f64) -> Claim {
    Claim {
        multiple,
        plus,
        bound: Bound::AtMost,
    }
}

pub(super) fn at_least(multiple: f64, plus: f64) -> Claim {
    Claim {
        multiple,
        plus,
        bound: Bound::AtLeast,
    }
}
